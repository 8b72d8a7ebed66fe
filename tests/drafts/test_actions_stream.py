"""The stream of changes: what cannot be read, and what the error says of it."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exports.action_jobs import actions_request
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.reporting.journal import Stage
from tests.support.drafts import ACTIONS
from tests.support.mocked_drafts import (
    ACTIONS_ADDRESS,
    DELETE,
    PLAN,
    DraftTap,
    failure,
    faults,
    mocked,
    numbered,
    serve_drafts,
)
from tests.support.mocked_exports import refusal
from tests.support.small_tap import run_of, standard_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.mocked_orgvue import MockedOrgvue

UPDATE = {"_action": "update", "_id": "x", "team": "Ops"}


@pytest.fixture
def orgvue() -> Iterator[MockedOrgvue]:
    """A tenant with two datasets."""
    tenant = mocked()
    yield tenant
    tenant.client.close()


# --- drafts whose changes cannot be read


def test_a_draft_that_cannot_be_read(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are sent; log and error name draft and layer, and a deleted one as such."""
    entries = [
        {**PLAN, "layers": ["default", "a key with\nlines"]},
        {"draftId": "B", "name": "Gone"},
        {"draftId": "C"},
    ]
    layers = {
        "A/default": {"json": [DELETE]},
        "A/a key with\nlines": refusal(403, "403602"),
        "B/default": {"status_code": 404},
        "C/default": {"json": [DELETE, DELETE]},
    }
    serve_drafts(orgvue, entries, layers)
    with caplog.at_level(logging.INFO):
        error, rows = failure(DraftTap(orgvue), ACTIONS)
    assert [(row["draft_id"], row["position"]) for row in rows] == [("A", 1), ("C", 1), ("C", 2)]
    told = [
        record.getMessage().removeprefix(f"{ACTIONS}: ")
        for record in caplog.records
        if record.getMessage().startswith(f"{ACTIONS}: ")
    ]
    assert [text.partition(": ")[0] for text in told] == [
        *("Draft 'Plan' (A), layer 'a key with lines'", "Draft 'Gone' (B), layer 'default'")
    ]
    assert faults(error, ACTIONS) == " ".join(told)
    gone = "Was it deleted after it was listed? Then the next run lists it no more."
    assert [text.endswith(gone) for text in told] == [False, True]
    cause = error.__cause__
    assert isinstance(cause, OrgvueError)
    assert cause.status == 403


@pytest.mark.parametrize(
    "statuses,remedy",
    [
        ((403, 404), Remedy.PERSON),
        ((403, 503), Remedy.LATER),
        ((503, 403), Remedy.LATER),
        ((418, 403), Remedy.UNKNOWN),
        ((403, 418), Remedy.UNKNOWN),
    ],
)
def test_whether_a_later_run_may_help(
    orgvue: MockedOrgvue, statuses: tuple[int, int], remedy: Remedy
) -> None:
    """It may if one draft's error passes; a person is needed only if nothing else helps any."""
    layers = {f"D{n}/default": {"status_code": status} for n, status in enumerate(statuses)}
    serve_drafts(orgvue, numbered(2), layers)
    assert failure(DraftTap(orgvue), ACTIONS)[0].remedy is remedy


def test_a_person_cannot_mend_a_fault_of_the_list(orgvue: MockedOrgvue) -> None:
    """Beside it, a refused draft is not all that is wrong."""
    serve_drafts(orgvue, [*numbered(1), 7], {"D0/default": {"status_code": 403}})
    error, _ = failure(DraftTap(orgvue), ACTIONS)
    assert error.remedy is Remedy.UNKNOWN
    assert faults(error, ACTIONS).startswith("Entry 2 of Orgvue's list of drafts has no id. Draft")


STOPPED = "No other draft was requested. Draft"


@pytest.mark.parametrize("status,most,remedy", [(500, 8, Remedy.LATER), (403, 100, Remedy.PERSON)])
@pytest.mark.parametrize("enough", [True, False])
def test_drafts_that_all_fail_alike_end_the_requests(
    orgvue: MockedOrgvue,
    status: int,
    most: int,
    remedy: Remedy,
    enough: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """Eight errors, or a hundred refusals, from the first layer on; the error says so first."""
    count = most + 3 if enough else most - 1
    layers = {f"D{number}/default": {"status_code": status} for number in range(count)}
    serve_drafts(orgvue, numbered(count), layers)
    error, _ = failure(DraftTap(orgvue), ACTIONS)
    assert orgvue.urls.count(ACTIONS_ADDRESS) == min(count, most)
    assert faults(error, ACTIONS).startswith(STOPPED) == enough
    assert error.remedy is remedy


@pytest.mark.parametrize(
    "different",
    [
        {"json": [DELETE]},
        {"status_code": 503},
        refusal(500, "500601"),
        {"json": [7]},
    ],
)
@pytest.mark.parametrize("place", [0, 5])
def test_drafts_that_do_not_all_fail_alike_are_all_requested(
    orgvue: MockedOrgvue, different: dict[str, Any], place: int
) -> None:
    """One that is read, or that fails otherwise, shows that the endpoint works."""
    layers = {f"D{number}/default": {"status_code": 500} for number in range(12)}
    layers[f"D{place}/default"] = different
    serve_drafts(orgvue, numbered(12), layers)
    error, _ = failure(DraftTap(orgvue), ACTIONS)
    assert orgvue.urls.count(ACTIONS_ADDRESS) == 12
    assert "No other draft" not in str(error)


def test_malformed_changes_that_are_alike_end_the_requests(orgvue: MockedOrgvue) -> None:
    """Also errors without a status."""
    layers = {f"D{number}/default": {"json": [7]} for number in range(12)}
    serve_drafts(orgvue, numbered(12), layers)
    error, _ = failure(DraftTap(orgvue), ACTIONS)
    assert orgvue.urls.count(ACTIONS_ADDRESS) == 8
    assert faults(error, ACTIONS).startswith(STOPPED)


def test_a_refusal_of_the_tenant_ends_the_requests_at_once(orgvue: MockedOrgvue) -> None:
    """Every other draft would get it, too, whatever came before."""
    layers = {"D0/default": {"json": [DELETE]}, "D1/default": refusal(403, "40303")}
    serve_drafts(orgvue, numbered(4), layers)
    error, rows = failure(DraftTap(orgvue), ACTIONS)
    assert len(rows) == 1
    assert orgvue.urls.count(ACTIONS_ADDRESS) == 2
    assert faults(error, ACTIONS).startswith(STOPPED)
    assert error.remedy is Remedy.PERSON


# --- the changes of a layer


@pytest.mark.parametrize(
    "actions,positions,words",
    [
        ([7, DELETE], [2], "an action is not an object (position 1)."),
        ([DELETE, 7, 7], [1], "an action is not an object (position 2); and 1 more."),
        ([DELETE, 7, UPDATE, "x", None], [1, 3], "an action is not an object (position 2); and 2"),
        ([DELETE, {}], [1, 2], None),
        ([{}, {"_action": 7}], [1, 2], "none of its 2 changes has an action, so that they may be"),
        ([], [], None),
    ],
)
def test_changes_that_cannot_be_read(
    orgvue: MockedOrgvue, actions: list[Any], positions: list[int], words: str | None
) -> None:
    """All others are sent with their positions; the error has the first one's, and a number."""
    serve_drafts(orgvue, [PLAN], {"A/default": {"json": actions}})
    tap = DraftTap(orgvue)
    if words is None:
        rows = [*tap.stream(ACTIONS).rows()]
    else:
        error, rows = failure(tap, ACTIONS)
        text = faults(error, ACTIONS)
        assert text.startswith(f"Draft 'Plan' (A), layer 'default': {words}")
        assert ("more" in text) == ("; and" in words)
    assert [row["position"] for row in rows] == positions


def test_rows_are_out_before_a_wait_for_orgvue(orgvue: MockedOrgvue) -> None:
    """A loader has what there is while the next layer's job takes minutes."""
    tap = DraftTap(orgvue)
    seen: list[tuple[Stage, int]] = []

    def respond(request: Any, context: Any) -> str:
        del request, context
        seen.append((tap.source.journal.stream(ACTIONS).stage, len(written().records[ACTIONS])))
        return json.dumps([DELETE, DELETE])

    serve_drafts(orgvue, numbered(3))
    orgvue.adapter.register_uri("POST", ACTIONS_ADDRESS, text=respond)
    with standard_output() as written:
        assert tap.run() == {}
    assert seen == [(Stage.WAITING, 0), (Stage.WAITING, 2), (Stage.WAITING, 4)]


def test_the_bytes_of_changes_are_counted(orgvue: MockedOrgvue) -> None:
    """Those of all layers together, for the display and the run report."""
    layers = {f"D{number}/default": {"json": [DELETE]} for number in range(2)}
    serve_drafts(orgvue, numbered(2), layers)
    tap = DraftTap(orgvue)
    assert len([*tap.stream(ACTIONS).rows()]) == 2
    journal = tap.source.journal.stream(ACTIONS)
    assert journal.bytes_received == 2 * len(json.dumps([DELETE]))


def test_the_drafts_whose_requests_are_counted(orgvue: MockedOrgvue) -> None:
    """The outcome names those that are sent, for the run report."""
    serve_drafts(orgvue, numbered(3))
    tap = DraftTap(orgvue, drafts=["D2", "D0"])
    assert [*tap.stream(ACTIONS).rows()] == []
    assert tap.source.outcomes.of(ACTIONS).draft_ids == ["D0", "D2"]


def test_the_changes_of_a_layer_are_freed(orgvue: MockedOrgvue) -> None:
    """Their file is closed by whoever took it."""
    serve_drafts(orgvue, [PLAN], {"A/default": {"json": [DELETE]}})
    drafts = DraftTap(orgvue).drafts
    (draft,) = drafts.selection(ACTIONS).sent
    export = drafts.take(draft, "default")
    assert export.response.request.body == actions_request(orgvue.client, "A", "default").body
    assert not export.response.raw.closed
    export.close()
    assert export.response.raw.closed


# --- a warning


def test_a_setting_that_drafts_do_not_follow(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """`skip_unchanged` is warned of once, and only where it is set."""
    serve_drafts(orgvue, [PLAN])
    assert run_of(DraftTap(orgvue))[0] == {}
    assert "skip_unchanged" not in caplog.text
    assert run_of(DraftTap(orgvue, skip_unchanged=True))[0] == {}
    assert [r.levelname for r in caplog.records if "skip_unchanged" in r.getMessage()] == [
        "WARNING"
    ]
