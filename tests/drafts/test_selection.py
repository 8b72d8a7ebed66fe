"""The drafts that a run sends, those that it refuses, and what the log says of both."""

from __future__ import annotations

import json
import logging
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.drafts.datasets import DraftDatasets
from tap_orgvue.drafts.selection import (
    DraftListUnavailable,
    Drafts,
    DraftSelection,
    RefusedDraft,
)
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.drafts import Draft
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    RequestInfo,
    RequestLimitReached,
    Stopped,
)
from tap_orgvue.orgvue.request_log import RequestKind
from tap_orgvue.streams.absent import SkippedInCatalog
from tests.support.mocked_drafts import (
    ACTIONS_ADDRESS,
    LIST,
    POSTS,
    STAFF,
    mocked,
    no_thread_is_left,
    serve_drafts,
    source_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.mocked_orgvue import MockedOrgvue

PLAN = {"draftId": "A", "name": "Hiring plan", "datasetId": STAFF, "layers": ["default", "later"]}
BUDGET = {"draftId": "B", "name": "Budget", "datasetId": POSTS}
LOOSE = {"draftId": "C", "name": "Loose"}

OF_STAFF = "`filters` is set for its dataset ('staff'), and does not narrow drafts"
OF_ANY = (
    "`filters` is set, which does not narrow drafts, and Orgvue names no dataset that this one is "
    "based on"
)


@pytest.fixture
def orgvue() -> Iterator[MockedOrgvue]:
    """A tenant with two datasets."""
    tenant = mocked()
    yield tenant
    tenant.client.close()


def listed(
    orgvue: MockedOrgvue,
    *entries: object,
    patterns: Sequence[str] = ("*",),
    skipped: Sequence[SkippedInCatalog] = (),
    **settings: Any,
) -> Drafts:
    """The drafts of a run without streams of datasets, for a list with these entries."""
    orgvue.serve("GET", LIST, {"json": list(entries)})
    source = source_of(orgvue, drafts=list(patterns), **settings)
    logger = logging.getLogger("drafts")
    return Drafts(source, DraftDatasets(source, [], logger=logger, skipped=skipped), logger)


def names(drafts: Drafts) -> list[str]:
    """The names of the drafts that are sent."""
    return [draft.name for draft in drafts.selection("orgvue_drafts").sent]


# --- in words


@pytest.mark.parametrize(
    "sent,refused,words",
    [
        (0, 0, "9 are listed, 0 of them are sent"),
        (2, 0, "9 are listed, 2 of them are sent, in 3 layers"),
        (0, 1, "9 are listed, 0 of them are sent, and 1 refused"),
        (1, 2, "9 are listed, 1 of them are sent, in 2 layers, and 2 refused"),
    ],
)
def test_a_selection_in_words(sent: int, refused: int, words: str) -> None:
    """It counts drafts and layers, and names neither where there are none."""
    drafts = Draft("A", "One", layers=("default", "later")), Draft("B", "Two")
    others = RefusedDraft(Draft("C", "Three"), "it is closed"), RefusedDraft(Draft("D"), "of it")
    assert str(DraftSelection(9, drafts[:sent], others[:refused])) == words


def test_a_refused_draft_in_words() -> None:
    """The draft, the reason, and how to send it all the same."""
    assert str(RefusedDraft(Draft("C", "Three"), "it is closed")) == (
        "Draft 'Three' (C) is not sent, because it is closed. To send it all the same, name it in "
        "`drafts` by its id."
    )


def test_layers_in_the_order_of_the_list() -> None:
    """Each draft's layers stand together."""
    one, two = Draft("A", layers=("default", "later")), Draft("B")
    layers = DraftSelection(2, (one, two)).layers
    assert layers == [(one, "default"), (one, "later"), (two, "default")]


# --- which


def test_drafts_that_match_are_sent_in_the_order_of_the_list(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """By name or by id, in any case; the log has the numbers, and the entries without effect."""
    drafts = listed(orgvue, PLAN, BUDGET, LOOSE, patterns=["gone", "b", "HIRING*", "z?"])
    with caplog.at_level(logging.INFO, "drafts"):
        assert names(drafts) == ["Hiring plan", "Budget"]
        assert names(drafts) == ["Hiring plan", "Budget"]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "Drafts: 3 are listed, 2 of them are sent, in 3 layers."),
        ("WARNING", "drafts: no draft's id or name matches 'gone'."),
        ("WARNING", "drafts: no draft's id or name matches 'z?'."),
    ]
    assert orgvue.urls.count(LIST) == 1


def test_an_id_is_no_pattern_of_names(orgvue: MockedOrgvue) -> None:
    """A draft that is called like another one's id is not meant by it."""
    impostor = {"draftId": "D", "name": STAFF}
    drafts = listed(orgvue, impostor, {"draftId": STAFF, "name": "Plan"}, patterns=[STAFF])
    assert names(drafts) == ["Plan"]


@pytest.mark.parametrize(
    "patterns,filters,sent,reasons",
    [
        (["*"], {}, ["Hiring plan", "Loose"], []),
        (["*"], {"staff": {}}, ["Hiring plan", "Loose"], []),
        (["*"], {"staff": {"a": 1}}, [], [OF_STAFF, OF_ANY]),
        (["*"], {STAFF.lower(): {"a": 1}}, [], [OF_STAFF, OF_ANY]),
        (["*"], {"posts": {"a": 1}}, ["Hiring plan"], [OF_ANY]),
        (["*", "a"], {"staff": {"a": 1}}, ["Hiring plan"], [OF_ANY]),
        (["*", "c"], {"staff": {"a": 1}}, ["Loose"], [OF_STAFF]),
    ],
)
def test_filters_refuse_drafts_that_they_do_not_narrow(
    caplog: pytest.LogCaptureFixture,
    patterns: list[str],
    filters: dict[str, Any],
    sent: list[str],
    reasons: list[str],
) -> None:
    """Those of the filtered dataset, and those that may be of it, unless an id names them."""
    orgvue = mocked()
    drafts = listed(orgvue, PLAN, LOOSE, patterns=patterns, filters=filters)
    assert names(drafts) == sent
    refused = drafts.selection("orgvue_drafts").refused
    assert [each.reason for each in refused] == reasons
    told = [record.getMessage() for record in caplog.records if record.name == "drafts"]
    assert told == [str(each) for each in refused]
    orgvue.client.close()


def test_a_draft_of_a_dataset_that_is_not_read_is_refused(orgvue: MockedOrgvue) -> None:
    """`datasets` counts for a draft as for its dataset; a draft without one is sent."""
    drafts = listed(orgvue, PLAN, BUDGET, LOOSE, datasets=["Posts"])
    assert names(drafts) == ["Budget", "Loose"]
    (refused,) = drafts.selection("orgvue_drafts").refused
    assert refused.draft.name == "Hiring plan"
    assert refused.reason == "`datasets` leaves its dataset out"


@pytest.mark.parametrize("pattern,sent", [("*", ["Budget"]), ("A", [])])
def test_a_draft_of_a_skipped_dataset_is_a_fault(
    orgvue: MockedOrgvue, pattern: str, sent: list[str]
) -> None:
    """It should be sent and is not, also if an id names it; it is not refused."""
    reason = "Orgvue is down."
    skipped = [SkippedInCatalog(STAFF, "Staff", reason, forbidden=False)]
    drafts = listed(orgvue, PLAN, 7, BUDGET, patterns=[pattern], skipped=skipped)
    selection = drafts.selection("orgvue_drafts")
    assert [draft.name for draft in selection.sent] == sent
    assert selection.refused == ()
    assert selection.faults == (
        "Entry 2 of Orgvue's list of drafts has no id.",
        "Draft 'Hiring plan' (A) is not sent: discovery skipped its dataset. Orgvue is down.",
    )


def test_a_dataset_that_was_skipped_for_a_refusal_is_no_fault(orgvue: MockedOrgvue) -> None:
    """The token's user may not read it: its drafts are sent, without values."""
    skipped = [SkippedInCatalog(STAFF, "Staff", "Not yours.", forbidden=True)]
    drafts = listed(orgvue, PLAN, skipped=skipped)
    assert names(drafts) == ["Hiring plan"]
    assert drafts.selection("orgvue_drafts").faults == ()


# --- their changes


@pytest.mark.parametrize("with_actions", [True, False])
def test_changes_are_fetched_before_their_turn(
    orgvue: MockedOrgvue,
    with_actions: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """Several at once, and no more than that until one is taken; each is requested once."""
    drafts = listed(orgvue, PLAN, BUDGET, max_parallel_requests=2)
    # The third is this thread, which has taken none yet.
    together = threading.Barrier(3)

    def respond(request: Any, context: Any) -> str:
        del context
        (layer,) = request.json()["layers"]
        if with_actions and layer["draftId"] == "A":
            together.wait(10)
        return json.dumps([layer])

    orgvue.adapter.register_uri("POST", ACTIONS_ADDRESS, text=respond)
    with no_thread_is_left():
        drafts.start(with_actions=with_actions)
        found: list[bytes] = []
        layers = drafts.selection("orgvue_drafts").layers
        if with_actions:
            together.wait(10)
        for draft, key in layers:
            requested = orgvue.urls.count(ACTIONS_ADDRESS)
            assert requested <= (len(found) + 2 if with_actions else len(found))
            export = drafts.take(draft, key)
            found.append(b"".join(export.response.chunks()))
            export.close()
        drafts.close()
    assert [json.loads(each)[0] for each in found] == [
        {"draftId": draft_id, "layerKey": key}
        for draft_id, key in (("A", "default"), ("A", "later"), ("B", "default"))
    ]
    assert orgvue.urls.count(ACTIONS_ADDRESS) == 3
    assert orgvue.urls.count(LIST) == 1


def test_changes_that_nobody_took_are_dropped(orgvue: MockedOrgvue) -> None:
    """As where the stream before fails the run: no thread waits for ever."""
    drafts = listed(orgvue, PLAN, BUDGET)
    serve_drafts(orgvue, [PLAN, BUDGET])
    with no_thread_is_left():
        drafts.start(with_actions=True)
        drafts.selection("orgvue_drafts")
        drafts.close()


def test_the_time_of_a_request(orgvue: MockedOrgvue) -> None:
    """Changes were in Orgvue at that time, at least: it is before the request, in UTC."""
    drafts = listed(orgvue, PLAN)
    serve_drafts(orgvue, [PLAN])
    (draft,) = drafts.selection("orgvue_drafts").sent
    before = datetime.now(timezone.utc)
    export = drafts.take(draft, "default")
    assert before <= export.exported_at <= datetime.now(timezone.utc)
    assert export.rules is drafts.rules_of(draft)
    export.close()


# --- a list that cannot be read


def refusal(status: int) -> Refusal:
    """A refusal of the list."""
    return Refusal(RequestInfo("GET", LIST), status)


@pytest.mark.parametrize(
    "cause,remedy,retryable",
    [
        (refusal(404), Remedy.PERSON, False),
        (refusal(418), Remedy.PERSON, False),
        (refusal(503), Remedy.LATER, True),
        (ConnectionFailed("No line."), Remedy.LATER, True),
        (MalformedResponse("No list."), Remedy.UNKNOWN, False),
    ],
)
def test_whether_a_later_run_may_list_the_drafts(
    cause: OrgvueError,
    remedy: Remedy,
    retryable: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """A refusal needs a person, unless it passes by itself; another error is as it is."""
    error = DraftListUnavailable("orgvue_drafts", cause)
    assert (error.remedy, error.retryable, error.cause) == (remedy, retryable, cause)
    assert str(error) == (
        "Stream 'orgvue_drafts': the tenant's drafts cannot be listed, so that none is sent and "
        f"its table stays as it is. {cause} If the tenant has no drafts, or the token's user may "
        "not see them, remove the setting `drafts`."
    )


def test_a_list_that_failed_is_not_requested_again(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Both streams fail by the same response, each with its own name."""
    drafts = listed(orgvue)
    orgvue.serve("GET", LIST, {"status_code": 404})
    drafts.start(with_actions=True)
    for stream in ("orgvue_drafts", "orgvue_draft_actions"):
        with pytest.raises(DraftListUnavailable, match=f"Stream '{stream}'.*HTTP 404"):
            drafts.selection(stream)
    drafts.close()
    assert orgvue.urls == [LIST]
    assert "are listed" not in caplog.text


@pytest.mark.parametrize("starts", [True, False])
def test_the_limit_of_requests_is_reported_as_it_is(starts: bool) -> None:  # noqa: FBT001
    """The list may be readable: nothing is said of it."""
    orgvue = mocked(max_requests_per_run=1)
    drafts = listed(orgvue)
    orgvue.client.list_entries(LIST, RequestKind.DRAFTS)
    if starts:
        drafts.start(with_actions=True)
    with pytest.raises(RequestLimitReached):
        drafts.selection("orgvue_drafts")
    drafts.close()
    orgvue.client.close()


def test_the_end_of_the_run_is_reported_as_it_is(orgvue: MockedOrgvue) -> None:
    """A list that was not requested is not one that cannot be read."""
    drafts = listed(orgvue)
    orgvue.client.close()
    with pytest.raises(Stopped):
        drafts.selection("orgvue_drafts")
