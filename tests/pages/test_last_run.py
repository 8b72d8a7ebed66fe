"""The last run in words: how it ended, what to do, what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_orgvue.pages.last_run import AGAIN, ChangeInWords, StreamRow, Todo, last_run
from tap_orgvue.pages.last_run import REASONS as IN_WORDS
from tap_orgvue.reporting.run_report import (
    CHANGES,
    REASONS,
    Change,
    ErrorReport,
    Replication,
    Status,
    StreamReport,
)
from tests.support.run_reports import failed, report, stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.reporting.run_report import RunReport


def todos(*streams: StreamReport, **members: Any) -> Sequence[Todo]:
    """What the page says about what went wrong in a run of these streams."""
    return last_run(report(streams, **members)).todos


def unsuccessful(name: str, status: Status, error: ErrorReport | None = None) -> StreamReport:
    """A stream of which the run report says as little as it may."""
    return StreamReport(stream=name, status=status, error=error)


# -- how it ended


@pytest.mark.parametrize(
    "members,headline,tone",
    [
        ({}, IN_WORDS["done"][0], "good"),
        ({"exit_code": 4, "reason": "later"}, f"{IN_WORDS['later'][0]} (exit code 4)", "bad"),
        ({"exit_code": 5, "reason": "streams_failed"}, "1 of 3 streams failed", "bad"),
        ({"exit_code": 3, "reason": "person_needed"}, "1 of 3 streams failed", "bad"),
    ],
)
def test_the_headline(members: dict[str, Any], headline: str, tone: str) -> None:
    """It tells how the run ended, by its streams where they are the reason."""
    streams = [stream(), stream("positions", status=Status.UNCHANGED)]
    if members:
        streams.append(failed("links"))
    told = last_run(report(streams, **members))
    assert (told.headline, told.tone) == (headline, tone)


@pytest.mark.parametrize(
    "run, tone",
    [
        (report([stream()]), "good"),
        (report([stream(deletions="withheld")]), "warn"),
        (report([unsuccessful("boni", Status.LEFT_OUT)]), "warn"),
        (report([stream()], reason="terminated", exit_code=6), "bad"),
    ],
    ids=["complete", "withheld", "left out", "ended"],
)
def test_a_run_that_left_something_undone_is_no_success(run: RunReport, tone: str) -> None:
    """With exit code 0 too: withheld deletions and skipped datasets are a warning."""
    assert last_run(run).tone == tone


def test_the_summary() -> None:
    """One sentence has what was sent, what is unchanged, and when the run began."""
    unchanged = stream("positions", rows=0, status=Status.UNCHANGED)
    assert last_run(report([stream(), stream("roles"), unchanged])).summary == (
        "2 streams sent, 6\u202f000 rows, 1 unchanged; began 30 Sep 2026, 02:00 UTC."
    )
    assert "unchanged" not in last_run(report([stream()])).summary


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_has_words(reason: str) -> None:
    """However a run ends, the page says it in words, and what to do unless all is well."""
    error = ErrorReport(type="OrgvueError", message="The cause.")
    code = 0 if reason == "done" else 1
    run = last_run(report([stream()], reason=reason, exit_code=code, error=error))
    assert run.headline
    assert "_" not in run.headline
    assert run.todos[0].message == "The cause."


# -- what to do


BY_A_PERSON = IN_WORDS["person_needed"][1]
LASTING = ErrorReport(type="Refusal", message="It is gone.", trace_id="Root=1-2")
PASSING = msgspec.structs.replace(LASTING, retryable=True)
UNKNOWN = "The run report says no more."


@pytest.mark.parametrize(
    "status, error, told",
    [
        (Status.FAILED, PASSING, ("Failed", "bad", "It is gone.", AGAIN, "Root=1-2")),
        (Status.FAILED, LASTING, ("Failed", "bad", "It is gone.", BY_A_PERSON, "Root=1-2")),
        (Status.FAILED, None, ("Failed", "bad", UNKNOWN, AGAIN, "")),
        (Status.LEFT_OUT, LASTING, ("Left out", "warn", "It is gone.", BY_A_PERSON, "Root=1-2")),
    ],
)
def test_a_stream_that_was_not_sent(
    status: Status, error: ErrorReport | None, told: tuple[str, str, str, str, str]
) -> None:
    """Its error with its trace id, and whether running again can help."""
    assert todos(unsuccessful("people", status, error)) == [Todo("people", *told)]


def test_a_missing_stream_has_its_settings() -> None:
    """Running again brings no dataset back; two settings say that it is gone for good."""
    [todo] = todos(unsuccessful("people", Status.MISSING, PASSING))
    assert (todo.status, todo.tone, todo.message) == ("Missing", "bad", "It is gone.")
    assert "`retired_streams`" in todo.advice
    assert "`missing_streams: warn`" in todo.advice


@pytest.mark.parametrize(
    "count, subject, names", [(1, "1 stream", "s0"), (3, "3 streams", "s0, s1, s2")]
)
def test_streams_that_were_not_reached(count: int, subject: str, names: str) -> None:
    """One entry names them; nobody has to do anything for them."""
    [todo] = todos(*(unsuccessful(f"s{i}", Status.NOT_REACHED) for i in range(count)))
    assert (todo.subject, todo.status, todo.tone) == (subject, "Not reached", "warn")
    assert todo.message == f"The run ended before their turn: {names}."
    assert todo.advice == "The next run sends them if it gets that far."


def test_many_streams_that_were_not_reached() -> None:
    """The first three are named, the others are counted."""
    [todo] = todos(*(unsuccessful(f"s{i}", Status.NOT_REACHED) for i in range(5)))
    assert todo.message == "The run ended before their turn: s0, s1, s2 and 2 more."


def test_an_error_that_ends_a_run_has_the_advice_of_its_reason() -> None:
    """A reason that only a later version knows stands as it is, with the advice of the error."""
    known, unknown = (
        todos(reason=reason, exit_code=4, error=PASSING) for reason in ("later", "strike")
    )
    assert known == [Todo("The run", IN_WORDS["later"][0], "bad", *said(IN_WORDS["later"][1]))]
    assert unknown == [Todo("The run", "strike", "bad", *said(AGAIN))]


def said(advice: str) -> tuple[str, str, str]:
    """Message, advice and trace id of the passing error."""
    return PASSING.message, advice, PASSING.trace_id


def test_an_error_that_sums_up_is_not_reported_twice() -> None:
    """The run's error repeats its streams' errors: each is told once, at its stream."""
    one = failed("people")
    assert one.error is not None
    error = ErrorReport(
        type="StreamsFailed", message=f"1 of 1 failed:\n people: {one.error.message}"
    )
    run = last_run(report([one], reason="streams_failed", exit_code=5, error=error))
    assert [todo.subject for todo in run.todos] == ["people"]
    assert run.headline == "1 of 1 stream failed"


def test_an_error_beside_streams_without_one_is_reported() -> None:
    """Failed streams of which nothing is known do not hide the error of the run."""
    streams = [unsuccessful("people", Status.FAILED), failed("roles")]
    subjects = [
        [todo.subject for todo in todos(*some, exit_code=5, error=LASTING)]
        for some in (streams[:1], streams)
    ]
    assert subjects == [["The run", "people"], ["The run", "people", "roles"]]


def test_an_error_that_ends_the_run_is_reported_first() -> None:
    """Whatever failed before it."""
    error = ErrorReport(type="TenantRefusal", message="The token has expired.")
    missed = stream("roles", 0, status=Status.NOT_REACHED)
    run = last_run(
        report([failed("people"), missed], reason="person_needed", exit_code=3, error=error)
    )
    assert [todo.subject for todo in run.todos] == ["The run", "people", "1 stream"]


def test_many_streams_of_which_nothing_is_known_are_reported_at_once() -> None:
    """Without an error, a dataset's id or its name, too; other statuses are entries of their own.

    The entry stands for all of them: it has no trace id itself.
    """
    missing = [unsuccessful(f"s{i}", Status.MISSING) for i in range(4)]
    first, second = todos(*missing, unsuccessful("people", Status.FAILED))
    assert (first.subject, first.message) == ("4 streams", f"s0: {UNKNOWN}")
    assert first.streams == [("s0", ""), ("s1", ""), ("s2", ""), ("s3", "")]
    assert second == Todo("people", "Failed", "bad", UNKNOWN, AGAIN)


def test_errors_that_differ_in_names_and_ids_only_are_one() -> None:
    """Names of streams and datasets, dataset ids in any case, and trace ids make no difference."""
    streams = [
        StreamReport(
            stream=f"s{i}",
            status=Status.FAILED,
            dataset_id=f"0B53C2F0-{i}",
            dataset_name=f"Sheet {i}",
            error=ErrorReport(
                type="Refusal",
                message=f"Sheet {i} (0b53c2f0-{i}), stream s{i}: HTTP 503. Root=1-{i}",
                trace_id=f"Root=1-{i}",
            ),
        )
        for i in range(4)
    ]
    [todo] = todos(*streams)
    assert todo.message == "s0: Sheet 0 (0b53c2f0-0), stream s0: HTTP 503. Root=1-0"
    assert todo.trace_id == ""
    assert todo.streams == [(f"s{i}", f"Root=1-{i}") for i in range(4)]


def test_a_name_inside_a_word_is_no_name() -> None:
    """Errors about `a1` and `b1` differ, though the streams are called `a` and `b`."""
    streams = [
        unsuccessful(name, Status.FAILED, ErrorReport(type="Refusal", message=f"{name}1: gone."))
        for name in "abcd"
    ]
    assert [todo.subject for todo in todos(*streams)] == ["a", "b", "c", "d"]


# -- what changed, and the table of streams


@pytest.mark.parametrize("kind", CHANGES)
def test_each_kind_of_change_has_words(kind: str) -> None:
    """The page describes each kind of change in words, with the setting that handles it."""
    changed = stream(changes=(Change(kind=kind, name="salary", before="1", now="2"),))
    ((told,),) = last_run(report([changed])).changes.values()
    assert "_" not in told.words
    assert "`" in told.advice or "catalog" in told.advice


def test_a_change_of_an_unknown_kind_is_reported() -> None:
    """A later version may know more kinds: the page shows the kind as the run report has it."""
    run = report([stream(changes=[Change(kind="moved", name="salary", now="below")]), stream("b")])
    assert last_run(run).changes == {"people": [ChangeInWords("moved", "salary", "", "below", "")]}


def test_a_row_of_the_table() -> None:
    """Rows, the difference to the run before, rescued values and requests are added up."""
    sent = stream(
        rows=90, rows_before=100, rescued={"a": 2, "b": 1}, requests={"job": 1, "poll": 4}
    )
    told = last_run(report([sent, stream("positions")]))
    assert told.streams[0] == StreamRow(
        report=sent,
        status="Succeeded",
        tone="good",
        change="\N{MINUS SIGN}10 (\N{MINUS SIGN}10 %)",
        changed=-10,
        rescued=3,
        requests=5,
    )
    assert told.rescued == {"people": {"a": 2, "b": 1}}


@pytest.mark.parametrize(
    "members",
    [
        {"replication": Replication(method="INCREMENTAL")},
        {"status": Status.FAILED},
        {"rows_before": None},
    ],
    ids=["incremental", "failed", "first"],
)
def test_rows_that_are_not_compared(members: dict[str, Any]) -> None:
    """A few changed rows, or those before a failure, are no loss of all others."""
    part = stream(**{"rows": 3, "rows_before": 3000, **members})
    [row] = last_run(report([part])).streams
    assert (row.change, row.changed) == ("", 0)


def test_rows_of_a_stream_of_unknown_replication_are_compared() -> None:
    """A run report without it is of a full table."""
    [row] = last_run(report([stream(rows=4, rows_before=2, replication=None)])).streams
    assert row.changed == 2
