"""The last run at a glance: its end, the steps to take, the changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.pages.formats import count, counted, difference, instant
from tap_orgvue.reporting.run_report import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_orgvue.reporting.run_report import Change, ErrorReport, RunReport, StreamReport

INCREMENTAL = "INCREMENTAL"

_IDS = re.compile(r"Root=[\w-]+")
"""Trace ids, another one for each request."""

_WITHHELD = "withheld"
_MANY = 3

AGAIN = "Run again: it may pass."
_BY_A_PERSON = "Do what the message says; running again changes nothing before that."

REASONS: Mapping[str, tuple[str, str]] = {
    "done": ("Complete", ""),
    "unexpected": (
        "Ended by an unexpected error",
        "Run again. If it ends in the same way, report it with the last lines of the log.",
    ),
    "usage": (
        "The command line was refused",
        "Correct it; `tap-orgvue --help` lists the options.",
    ),
    "person_needed": ("Somebody has to act", _BY_A_PERSON),
    "later": (
        "Ended early",
        "Run again later, as the message says; the tenant's quota begins anew each day.",
    ),
    "streams_failed": ("Some streams failed", "Run again: the others are complete."),
    "output_failed": (
        "The output could not be delivered",
        (
            "Look at the loader's log first: it ended before the tap, or its disk is full. Then "
            "run again."
        ),
    ),
    "terminated": (
        "Stopped by a signal",
        "Run again: what was sent is complete up to its last STATE message.",
    ),
}
"""Reason of a run's end to its words and what to do."""

STATUSES: Mapping[Status, tuple[str, str]] = {
    Status.SUCCEEDED: ("Succeeded", "good"),
    Status.UNCHANGED: ("Unchanged", "calm"),
    Status.FAILED: ("Failed", "bad"),
    Status.NOT_REACHED: ("Not reached", "warn"),
    Status.MISSING: ("Missing", "bad"),
    Status.LEFT_OUT: ("Left out", "warn"),
}
"""Status of a stream to its word and tone; tones are classes of the style sheet."""

_CHANGES: Mapping[str, tuple[str, str]] = {
    "dataset_renamed": (
        "The dataset was renamed",
        "Its stream keeps its name. To choose another: `stream_names`.",
    ),
    "property_added": (
        "New property",
        (
            "`new_properties` says what happens to it; `exclude_properties` and `hash_properties` "
            "protect it."
        ),
    ),
    "property_gone": (
        "Property gone",
        "Its column is null from now on. Refresh the catalog to remove it.",
    ),
    "property_renamed": (
        "Property renamed",
        (
            "Its column stays. Check patterns of `exclude_properties` and `hash_properties`: they "
            "match display names too."
        ),
    ),
    "property_retyped": (
        "Property has another type",
        "Its column keeps its type. To choose one: `property_types`.",
    ),
    "column_emptied": (
        "Column has no value any more",
        "If it is calculated through links, name the LINKS datasets in `linking_relationships`.",
    ),
    "rows_changed": (
        "Number of rows changed much",
        "If that is usual here, raise `row_change_warn_percent`.",
    ),
}
"""Kind of change to its words and the setting that handles it."""


class Todo(msgspec.Struct, frozen=True):
    """Something that went wrong, and what to do.

    Attributes:
        subject: The stream, the dataset or "The run", or the number of streams.
        status: Its status as a word.
        tone: The CSS class of its status.
        message: What happened.
        advice: What to do.
        trace_id: The id that Orgvue's support needs; may be empty.
        streams: Stream and trace id of each stream, if the entry stands for several.
    """

    subject: str
    status: str
    tone: str
    message: str
    advice: str
    trace_id: str = ""
    streams: Sequence[tuple[str, str]] = ()


class ChangeInWords(msgspec.Struct, frozen=True):
    """A change in words.

    Attributes:
        words: The kind of change.
        name: The property's key, the column or the dataset.
        before: What it was; may be empty.
        now: What it is; may be empty.
        advice: The setting that handles it.
    """

    words: str
    name: str
    before: str
    now: str
    advice: str


class StreamRow(msgspec.Struct, frozen=True):
    """A stream of the run, as the table shows it.

    Attributes:
        report: Its part of the run report.
        status: Its status as a word.
        tone: The CSS class of its status.
        change: The difference to the rows before, in words; empty if they do not compare.
        changed: The same as a number, to sort by.
        rescued: Values rescued, over all columns.
        requests: Requests sent.
    """

    report: StreamReport
    status: str
    tone: str
    change: str
    changed: int
    rescued: int
    requests: int


class LastRun(msgspec.Struct, frozen=True):
    """The last run, in the words of the page.

    Attributes:
        report: The run report.
        headline: How it ended.
        tone: The CSS class of the headline.
        summary: One sentence with the totals.
        todos: What went wrong and what to do.
        withheld: Stream reports whose deletions were withheld.
        changes: Stream name to its changes.
        streams: All streams.
        rescued: Stream name to column to the number of rescued values.
    """

    report: RunReport
    headline: str
    tone: str
    summary: str
    todos: Sequence[Todo]
    withheld: Sequence[StreamReport]
    changes: Mapping[str, Sequence[ChangeInWords]]
    streams: Sequence[StreamRow]
    rescued: Mapping[str, Mapping[str, int]]


def last_run(report: RunReport) -> LastRun:
    """Describe a run."""
    todos = list(_todos(report))
    withheld = [each for each in report.streams if each.deletions == _WITHHELD]
    changes = {each.stream: [_in_words(c) for c in each.changes] for each in report.streams}
    return LastRun(
        report=report,
        headline=_headline(report),
        tone="bad" if report.exit_code else "warn" if todos or withheld else "good",
        summary=_summary(report),
        todos=todos,
        withheld=withheld,
        changes={stream: found for stream, found in changes.items() if found},
        streams=[_row(each) for each in report.streams],
        rescued={each.stream: each.rescued for each in report.streams if each.rescued},
    )


def failures(report: RunReport) -> list[StreamReport]:
    """The streams that failed or are missing."""
    return [each for each in report.streams if each.status in {Status.FAILED, Status.MISSING}]


def rows_now(stream: StreamReport) -> int | None:
    """The rows of a stream after a run; None if the run does not know them."""
    if stream.status is Status.SUCCEEDED:
        return stream.rows
    return stream.rows_before if stream.status is Status.UNCHANGED else None


def _headline(report: RunReport) -> str:
    failed, words = failures(report), REASONS.get(report.reason, (report.reason, ""))[0]
    if failed and report.reason in {"streams_failed", "person_needed"}:
        return f"{count(len(failed))} of {counted(len(report.streams), 'stream')} failed"
    return words if report.reason == "done" else f"{words} (exit code {report.exit_code})"


def _summary(report: RunReport) -> str:
    streams = sum(each.status is Status.SUCCEEDED for each in report.streams)
    unchanged = sum(each.status is Status.UNCHANGED for each in report.streams)
    parts = [f"{counted(streams, 'stream')} sent", counted(report.rows, "row")]
    if unchanged:
        parts.append(f"{count(unchanged)} unchanged")
    return f"{', '.join(parts)}; began {instant(report.began_at)}."


def _todos(report: RunReport) -> Iterator[Todo]:
    failed = failures(report)
    error = report.error
    if error is not None and not _only_sums_up(error, failed):
        words, advice = REASONS.get(report.reason, (report.reason, _advice(error)))
        yield Todo("The run", words, "bad", error.message, advice, error.trace_id)
    yield from _together(failed)
    yield from _together([each for each in report.streams if each.status is Status.LEFT_OUT])
    unreached = [each for each in report.streams if each.status is Status.NOT_REACHED]
    if unreached:
        names = ", ".join(each.stream for each in unreached[:_MANY])
        more = len(unreached) - _MANY
        yield Todo(
            counted(len(unreached), "stream"),
            *STATUSES[Status.NOT_REACHED],
            f"The run ended before their turn: {names}{f' and {more} more' if more > 0 else ''}.",
            "The next run sends them if it gets that far.",
        )


def _only_sums_up(error: ErrorReport, failed: Sequence[StreamReport]) -> bool:
    """True if an error only repeats the errors of the failed streams."""
    messages = [each.error.message for each in failed if each.error]
    return bool(messages) and all(message in error.message for message in messages)


def _together(streams: Sequence[StreamReport]) -> Iterator[Todo]:
    """One entry for many streams of the same error, as where Orgvue is down; else one for each."""
    alike: dict[tuple[Status, str], list[StreamReport]] = {}
    for stream in streams:
        alike.setdefault((stream.status, _without_names(stream)), []).append(stream)
    for same in alike.values():
        todos = [_todo(stream) for stream in same]
        if len(same) <= _MANY:
            yield from todos
            continue
        yield msgspec.structs.replace(
            todos[0],
            subject=counted(len(same), "stream"),
            message=f"{same[0].stream}: {todos[0].message}",
            streams=[(todo.subject, todo.trace_id) for todo in todos],
            trace_id="",
        )


def _without_names(stream: StreamReport) -> str:
    """A stream's error without what differs from stream to stream."""
    text = _IDS.sub("", stream.error.message) if stream.error else ""
    for name in (stream.dataset_id, stream.dataset_name, stream.stream):
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "", text, flags=re.IGNORECASE)
    return text


def _todo(stream: StreamReport) -> Todo:
    error = stream.error
    if stream.status is Status.MISSING:
        advice = (
            "If that is intended, add the stream to `retired_streams`; `missing_streams: warn` "
            "makes it a warning."
        )
    else:
        advice = _advice(error) if error else AGAIN
    return Todo(
        stream.stream,
        *STATUSES[stream.status],
        error.message if error else "The run report says no more.",
        advice,
        error.trace_id if error else "",
    )


def _advice(error: ErrorReport) -> str:
    return AGAIN if error.retryable else _BY_A_PERSON


def _in_words(change: Change) -> ChangeInWords:
    words, advice = _CHANGES.get(change.kind, (change.kind, ""))
    return ChangeInWords(words, change.name, change.before or "", change.now or "", advice)


def _row(stream: StreamReport) -> StreamRow:
    status, tone = STATUSES[stream.status]
    compares = stream.status is Status.SUCCEEDED and not (
        stream.replication and stream.replication.method == INCREMENTAL
    )
    before = stream.rows_before if compares else None
    return StreamRow(
        report=stream,
        status=status,
        tone=tone,
        change=difference(stream.rows, before),
        changed=0 if before is None else stream.rows - before,
        rescued=sum(stream.rescued.values()),
        requests=sum(stream.requests.values()),
    )
