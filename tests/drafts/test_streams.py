"""The streams of drafts, one by one: what fails them, what a failure says, and what they keep."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import OrgvueError, RequestLimitReached, Stopped
from tap_orgvue.reporting.journal import Stage
from tests.support.drafts import ACTIONS, DRAFTS, HASH_KEY
from tests.support.mocked_drafts import (
    ACTIONS_ADDRESS,
    DELETE,
    LIST,
    PLAN,
    POSTS,
    STAFF,
    DraftTap,
    failure,
    faults,
    metadata_url,
    mocked,
    numbered,
    serve_drafts,
)
from tests.support.mocked_exports import refusal
from tests.support.small_tap import run_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.mocked_orgvue import MockedOrgvue
    from tests.support.runs import Run

BOTH = pytest.mark.parametrize("stream", [DRAFTS, ACTIONS])


@pytest.fixture
def orgvue() -> Iterator[MockedOrgvue]:
    """A tenant with two datasets."""
    tenant = mocked()
    yield tenant
    tenant.client.close()


# --- the list


@BOTH
def test_the_address_of_the_streams(orgvue: MockedOrgvue, stream: str) -> None:
    """It is that of the list of drafts, as the SDK puts it together."""
    assert DraftTap(orgvue).stream(stream).get_url(None) == LIST


@pytest.mark.parametrize(
    "stream,types",
    [
        (DRAFTS, {"draft_id": "string"}),
        (ACTIONS, {"draft_id": "string", "layer_key": "string", "position": "integer"}),
    ],
)
def test_columns_of_the_key_are_never_null(
    orgvue: MockedOrgvue, stream: str, types: dict[str, str]
) -> None:
    """A loader may make a primary key of them; each other column may be null."""
    schema = DraftTap(orgvue).stream(stream).schema
    assert schema["required"] == [*types]
    for name, column in schema["properties"].items():
        assert column["type"] == ([types[name]] if name in types else ["string", "null"])


@BOTH
@pytest.mark.parametrize("lost", [1, 5, 6, 8])
def test_faults_of_the_list_fail_a_stream_behind_its_rows(
    orgvue: MockedOrgvue, stream: str, lost: int
) -> None:
    """The error names the first five, and the number of all others."""
    serve_drafts(orgvue, [PLAN, *([7] * lost)], {"A/default": {"json": [DELETE]}})
    error, rows = failure(DraftTap(orgvue), stream)
    assert [row["draft_id"] for row in rows] == ["A"]
    named = [f"Entry {n} of Orgvue's list of drafts has no id." for n in range(2, 2 + min(lost, 5))]
    more = [f"And {lost - 5} more."] if lost > 5 else []
    assert faults(error, stream) == " ".join([*named, *more])
    assert error.remedy is Remedy.UNKNOWN


def test_layers_that_cannot_be_read_fail_the_stream_of_changes_only(orgvue: MockedOrgvue) -> None:
    """The list itself is complete."""
    serve_drafts(orgvue, [{**PLAN, "layers": 3}, *numbered(1)])
    tap = DraftTap(orgvue)
    assert len([*tap.stream(DRAFTS).rows()]) == 2
    error, _ = failure(tap, ACTIONS)
    assert faults(error, ACTIONS).startswith("Draft 'Plan' (A) has `layers` in a form")


# --- the check of a stream


@BOTH
def test_a_check_requests_no_changes(orgvue: MockedOrgvue, stream: str) -> None:
    """A list without faults is enough, also before the run starts."""
    serve_drafts(orgvue, [PLAN])
    DraftTap(orgvue).stream(stream).check()
    assert orgvue.urls[0] == LIST
    assert ACTIONS_ADDRESS not in orgvue.urls


@BOTH
def test_a_check_fails_as_the_run_would(orgvue: MockedOrgvue, stream: str) -> None:
    """With the faults of the list, in the same words."""
    serve_drafts(orgvue, [PLAN, 7])
    tap = DraftTap(orgvue)
    with pytest.raises(OrgvueError) as caught:
        tap.stream(stream).check()
    error, _ = failure(tap, stream)
    assert str(caught.value) == str(error)


def test_a_check_of_layers_that_cannot_be_read(orgvue: MockedOrgvue) -> None:
    """Only the stream of changes fails."""
    serve_drafts(orgvue, [{**PLAN, "layers": 3}])
    tap = DraftTap(orgvue)
    tap.stream(DRAFTS).check()
    with pytest.raises(OrgvueError, match="has `layers` in a form"):
        tap.stream(ACTIONS).check()


def test_a_check_of_a_dataset_whose_properties_fail(orgvue: MockedOrgvue) -> None:
    """No value of its drafts can be sent; the error is that of the request, with its remedy."""
    serve_drafts(orgvue, [{"draftId": "B", "datasetId": POSTS}, PLAN])
    orgvue.serve("GET", metadata_url(STAFF), {"status_code": 503})
    tap = DraftTap(orgvue)
    tap.stream(DRAFTS).check()
    with pytest.raises(OrgvueError, match=f"^Stream '{ACTIONS}': draft 'Plan' ") as caught:
        tap.stream(ACTIONS).check()
    assert "cannot be sent. Orgvue refused GET" in str(caught.value)
    assert (caught.value.status, caught.value.remedy) == (503, Remedy.LATER)


# --- what ends the run


def test_the_limit_of_requests_within_the_changes() -> None:
    """It ends the run, and is not the fault of a draft."""
    orgvue = mocked(max_requests_per_run=4)
    serve_drafts(orgvue, [PLAN, *numbered(3)], {"A/default": {"json": [DELETE]}})
    tap = DraftTap(orgvue, drafts=["*", "A"])
    rows = tap.stream(ACTIONS).rows()
    assert next(rows)["draft_id"] == "A"
    with pytest.raises(RequestLimitReached):
        next(rows)
    orgvue.client.close()


def test_the_limit_of_requests_within_the_list() -> None:
    """What is protected must be known: a row is not sent without, and the run ends."""
    orgvue = mocked(max_requests_per_run=1)
    serve_drafts(orgvue, [PLAN])
    tap = DraftTap(orgvue, drafts=["A"], exclude_properties=["salary"])
    with pytest.raises(RequestLimitReached):
        [*tap.stream(DRAFTS).rows()]
    orgvue.client.close()


@BOTH
def test_the_end_of_the_run(orgvue: MockedOrgvue, stream: str) -> None:
    """A stream that is interrupted is not told as one with faults."""
    serve_drafts(orgvue, [PLAN])
    tap = DraftTap(orgvue, drafts=["A"], exclude_properties=["salary"])
    tap.drafts.selection(stream)
    orgvue.client.close()
    with pytest.raises(Stopped):
        [*tap.stream(stream).rows()]


# --- the journal


@BOTH
def test_the_stages_of_a_stream(orgvue: MockedOrgvue, stream: str) -> None:
    """Each row is sent in that stage, and counted."""
    serve_drafts(orgvue, numbered(2), {f"D{n}/default": {"json": [DELETE]} for n in range(2)})
    tap = DraftTap(orgvue)
    journal = tap.source.journal.stream(stream)
    told = [(journal.stage, journal.rows) for _ in tap.stream(stream).request_records(None)]
    assert told == [(Stage.SENDING, 1), (Stage.SENDING, 2)]
    assert journal.seconds_in(Stage.WAITING) > 0


# --- the list's details


def test_details_are_as_listed_without_protection(orgvue: MockedOrgvue) -> None:
    """No dataset is looked at for them."""
    serve_drafts(orgvue, [{**PLAN, "salary": [1.0, "é"]}])
    (row,) = DraftTap(orgvue).stream(DRAFTS).rows()
    assert row["details"] == '{"salary":[1.0,"é"]}'
    assert metadata_url(STAFF) not in orgvue.urls


@pytest.mark.parametrize("setting", ["exclude_properties", "hash_properties"])
def test_details_without_what_is_protected(orgvue: MockedOrgvue, setting: str) -> None:
    """By pattern, key or display name, at any depth; all else as listed."""
    entry = {**PLAN, "a": [{"Base pay": 1, "b": "é"}, [2, {"team": 3}]], "salary": {}, "x": None}
    serve_drafts(orgvue, [entry, {"draftId": "B", "datasetId": STAFF, "BASE PAY": 4}])
    given: dict[str, Any] = {setting: ["*se Pay"], "hash_key": HASH_KEY}
    details = [row["details"] for row in DraftTap(orgvue, **given).stream(DRAFTS).rows()]
    assert details == ['{"a":[{"b":"é"},[2,{"team":3}]],"x":null}', "{}"]


def test_details_of_a_dataset_that_may_not_be_read(orgvue: MockedOrgvue) -> None:
    """Any member may be called as a protected property's key: only links and layers are sent."""
    serve_drafts(orgvue, [{**PLAN, "a": 1, "layers": ["default"], "_links": {"salary": 2, "b": 3}}])
    orgvue.serve("GET", metadata_url(STAFF), {"status_code": 403})
    (row,) = DraftTap(orgvue, exclude_properties=["salary"]).stream(DRAFTS).rows()
    assert row["details"] == '{"layers":["default"],"_links":{"b":3}}'


@pytest.mark.parametrize("status,remedy", [(503, Remedy.LATER), (200, Remedy.UNKNOWN)])
def test_details_of_a_dataset_whose_properties_fail(
    orgvue: MockedOrgvue, status: int, remedy: Remedy
) -> None:
    """The drafts before it are sent; the error names the draft before the list's own faults."""
    serve_drafts(orgvue, [{"draftId": "B", "datasetId": POSTS}, 7, PLAN, *numbered(1)])
    orgvue.serve("GET", metadata_url(STAFF), {"status_code": status, "json": {}})
    error, rows = failure(DraftTap(orgvue, exclude_properties=["salary"]), DRAFTS)
    assert [row["draft_id"] for row in rows] == ["B"]
    text = faults(error, DRAFTS)
    assert text.startswith("Draft 'Plan' (A) and those after it are not sent: ")
    assert text.endswith("Entry 2 of Orgvue's list of drafts has no id.")
    assert error.remedy is remedy
    assert error.__cause__ is not None


def test_details_that_the_token_may_not_see(orgvue: MockedOrgvue) -> None:
    """A person must change it: no other fault could pass by itself."""
    serve_drafts(orgvue, [PLAN])
    orgvue.serve("GET", metadata_url(STAFF), refusal(403, "40303"))
    error, rows = failure(DraftTap(orgvue, exclude_properties=["salary"]), DRAFTS)
    assert rows == []
    assert error.remedy is Remedy.PERSON


# --- removal of rows, and the state


def mirrored(orgvue: MockedOrgvue, state: dict[str, Any] | None, **given: Any) -> DraftTap:
    """A tap that removes rows of the tables that Orgvue does not deliver."""
    return DraftTap(orgvue, state=state, emit_activate_version_messages=True, **given)


def activated(run: Run) -> set[str]:
    """The streams whose version is activated."""
    return {message["stream"] for message in run.of_type("ACTIVATE_VERSION")}


def removal(tap: DraftTap, stream: str) -> tuple[str, str | None]:
    """What the run report says of removed rows."""
    outcome = tap.source.outcomes.of(stream)
    return outcome.deletions, outcome.deletions_withheld


def of(state: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """The tap's part of a stream's state."""
    part: dict[str, Any] = state["bookmarks"][stream]["orgvue"]
    return part


def test_a_run_without_versions(orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture) -> None:
    """No row is removed, and none could be; the state has the rows of each stream."""
    serve_drafts(orgvue, [PLAN], {"A/default": {"json": [DELETE, DELETE]}})
    tap = DraftTap(orgvue, datasets=["Staff"], drafts=["A"])
    with caplog.at_level(logging.INFO):
        _, run = run_of(tap)
    assert activated(run) == set()
    assert "stay in the table" not in caplog.text
    for stream, rows in ((DRAFTS, 1), (ACTIONS, 2)):
        assert removal(tap, stream) == ("off", None)
        state = of(run.state, stream)
        assert (state["tenant"], state["row_count"], state["rows"]) == (
            *("orgvue.test/ACME", rows, rows),
        )
    serve_drafts(orgvue, [])
    tap = DraftTap(orgvue, state=run.state)
    _, run = run_of(tap)
    assert of(run.state, ACTIONS)["row_count"] == 0
    assert "removed" not in caplog.text
    assert removal(tap, ACTIONS) == ("off", None)


def test_rows_of_drafts_that_are_gone_are_removed(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """While most of the rows of the last run are there; otherwise the guard withholds it."""
    layers = {f"D{number}/default": {"json": [DELETE]} for number in range(5)}
    state: dict[str, Any] | None = None
    for count in (5, 5, 3):
        serve_drafts(orgvue, numbered(count), layers)
        tap = mirrored(orgvue, state)
        with caplog.at_level(logging.INFO):
            _, run = run_of(tap)
        assert activated(run) == {DRAFTS, ACTIONS}
        assert removal(tap, ACTIONS) == ("sent", None)
        state = run.state
        assert not of(state, ACTIONS)["permissioned"]
    assert "NOT removed" not in caplog.text
    assert "stay in the table" not in caplog.text
    serve_drafts(orgvue, numbered(1), layers)
    tap = mirrored(orgvue, state)
    _, run = run_of(tap)
    assert activated(run) == set()
    assert removal(tap, ACTIONS)[0] == "withheld"
    assert (of(run.state, ACTIONS)["rows"], of(run.state, ACTIONS)["row_count"]) == (3, 1)
    tap = mirrored(orgvue, run.state, delete_guard_percent=0)
    assert activated(run_of(tap)[1]) == {DRAFTS, ACTIONS}


@pytest.mark.parametrize("before", [True, False])
def test_a_run_without_any_row_removes_none(
    orgvue: MockedOrgvue,
    caplog: pytest.LogCaptureFixture,
    before: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """A misspelt entry must not empty a table; an error only if the table has rows."""
    state: dict[str, Any] | None = None
    if before:
        serve_drafts(orgvue, [PLAN], {"A/default": {"json": [DELETE]}})
        state = run_of(mirrored(orgvue, None))[1].state
    serve_drafts(orgvue, [])
    caplog.clear()
    tap = mirrored(orgvue, state)
    with caplog.at_level(logging.INFO):
        _, run = run_of(tap)
    assert activated(run) == set()
    told = {
        record.getMessage().partition(":")[0]: record.levelname
        for record in caplog.records
        if "no rows are sent, and those that are in the table are NOT removed" in record.message
    }
    assert told == dict.fromkeys((f"'{DRAFTS}'", f"'{ACTIONS}'"), "ERROR" if before else "INFO")
    assert removal(tap, DRAFTS) == ("withheld", "no draft is sent")
    new = of(run.state, DRAFTS)
    assert new["version"] > (of(state, DRAFTS)["version"] if state else 0)
    assert (new["rows"], new["row_count"]) == (1 if before else None, 0)
    _, run = run_of(mirrored(orgvue, run.state, delete_guard_percent=0))
    assert activated(run) == {DRAFTS, ACTIONS}


def test_rows_stay_where_the_run_is_narrowed(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """`datasets` leaves drafts out that another run may send; the log says that rows stay."""
    serve_drafts(orgvue, [PLAN])
    with caplog.at_level(logging.INFO):
        _, run = run_of(mirrored(orgvue, None, datasets=["Staff"], drafts=["A"]))
    assert activated(run) == set()
    told = [r.levelname for r in caplog.records if "are gone stay in the table" in r.getMessage()]
    assert told == ["INFO", "INFO"]


@pytest.mark.parametrize(
    "config,streams",
    [
        ({}, {DRAFTS, ACTIONS}),
        ({"stream_maps": None}, {DRAFTS, ACTIONS}),
        ({"stream_maps": {DRAFTS: {"__filter__": "name == 'A'"}}}, {ACTIONS}),
        ({"stream_maps": {DRAFTS: {"name": None}}}, {DRAFTS, ACTIONS}),
    ],
)
def test_whether_rows_may_be_removed(
    orgvue: MockedOrgvue, config: dict[str, Any], streams: set[str]
) -> None:
    """Not where a map drops rows."""
    for emits in (True, False):
        tap = DraftTap(orgvue, config=config, emit_activate_version_messages=emits)
        may = {name for name in tap.streams if tap.stream(name).emit_activate_version_messages}
        assert may == (streams if emits else set())


def test_what_is_protected_is_part_of_the_state(orgvue: MockedOrgvue) -> None:
    """Of each stream, so that either of them may be deselected in the next run."""
    serve_drafts(orgvue, [PLAN])
    given: dict[str, Any] = {"drafts": ["A"], "exclude_properties": ["Base Pay"]}
    _, run = run_of(DraftTap(orgvue, **given))
    protected = [["Base Pay", f"{STAFF}/salary"]]
    assert [of(run.state, stream)["protected"] for stream in (DRAFTS, ACTIONS)] == [protected] * 2
    serve_drafts(orgvue, [])
    _, run = run_of(DraftTap(orgvue, state=run.state, **given))
    assert [of(run.state, stream)["protected"] for stream in (DRAFTS, ACTIONS)] == [protected] * 2


@BOTH
def test_a_failed_stream_keeps_what_it_protected(orgvue: MockedOrgvue, stream: str) -> None:
    """Rows may be sent already; a state that has it all is not written again."""
    tap = DraftTap(orgvue, exclude_properties=["Base Pay"])
    assert not tap.stream(stream).keep_protections()
    assert tap.stream(stream).stream_state == {}
    tap.drafts.datasets.rules_of(STAFF, is_named=True)
    assert tap.stream(stream).keep_protections()
    state = of(tap.state, stream)
    assert state["protected"] == [["Base Pay", f"{STAFF}/salary"]]
    assert state["tenant"] == "orgvue.test/ACME"
    assert not tap.stream(stream).keep_protections()
