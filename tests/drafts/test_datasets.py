"""The datasets that drafts are based on: whether they are read, and the rules for their values."""

from __future__ import annotations

import copy
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.drafts.datasets import DraftDatasets
from tap_orgvue.orgvue.errors import Refusal
from tap_orgvue.schema.change_rules import Treatment
from tap_orgvue.simulator import Draft
from tap_orgvue.streams.absent import SkippedInCatalog
from tap_orgvue.tap import TapOrgvue
from tests.support.drafts import ACTIONS, DRAFTS, HASH_KEY, posts, staff, tenant, with_drafts
from tests.support.mocked_drafts import (
    POSTS,
    STAFF,
    metadata_url,
    mocked,
    no_thread_is_left,
    serve_metadata,
    source_of,
)
from tests.support.runs import discover, entry, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_orgvue.simulator import Orgvue
    from tests.support.mocked_orgvue import MockedOrgvue

UNLISTED = "36A1B000-0000-4000-8000-00000000000F"
LOGGER = logging.getLogger("drafts")


@pytest.fixture
def orgvue() -> Iterator[MockedOrgvue]:
    """A tenant with two datasets."""
    tenant = mocked()
    yield tenant
    tenant.client.close()


def datasets(
    orgvue: MockedOrgvue, *skipped: SkippedInCatalog, has_catalog: bool = False, **given: Any
) -> DraftDatasets:
    """The datasets of a run that has no streams of datasets."""
    source = source_of(orgvue, has_catalog=has_catalog, **given)
    return DraftDatasets(source, [], logger=LOGGER, skipped=skipped)


def treated(drafts: DraftDatasets, dataset_id: str | None, *keys: str) -> list[Treatment]:
    """What happens to values of a draft that an id names."""
    rules = drafts.rules_of(dataset_id, is_named=True)
    return [rules.treatment(key) for key in keys]


def remembered(stream: str, *protected: tuple[str, str]) -> dict[str, Any]:
    """The state of a run in which a stream protected these: patterns and keys."""
    bookmark = {"orgvue": {"version": 1, "protected": [list(each) for each in protected]}}
    return {"bookmarks": {stream: bookmark}}


# --- whether a dataset is read


def test_the_name_of_a_dataset_without_a_stream(orgvue: MockedOrgvue) -> None:
    """It is named as its stream would be, by its id in any case; an unlisted one has no name."""
    known = datasets(orgvue, stream_names={POSTS: "jobs"})
    names = [known.stream_name(each) for each in (STAFF, STAFF.lower(), POSTS, UNLISTED)]
    assert names == ["staff", "staff", "jobs", None]


@pytest.mark.parametrize(
    "patterns,has_catalog,reason",
    [
        ([], False, None),
        (["Staff"], False, None),
        (["Posts"], False, "`datasets` leaves its dataset out"),
        ([POSTS], False, "`datasets` leaves its dataset out"),
        ([], True, "its dataset is not in the catalog"),
        (["Staff"], True, "its dataset is not in the catalog"),
    ],
)
def test_why_a_dataset_is_not_read(
    orgvue: MockedOrgvue,
    patterns: list[str],
    has_catalog: bool,  # noqa: FBT001 - one of the cases
    reason: str | None,
) -> None:
    """The setting leaves it out, or the catalog lacks it."""
    known = datasets(orgvue, datasets=patterns, has_catalog=has_catalog)
    assert known.reason_not_read(STAFF) == reason


def test_a_dataset_that_may_not_be_read_is_not_missing_in_the_catalog(
    orgvue: MockedOrgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """No catalog could have it: its drafts are sent, without values, with one warning."""
    orgvue.serve("GET", metadata_url(STAFF), {"status_code": 403})
    known = datasets(orgvue, has_catalog=True)
    assert known.reason_not_read(STAFF.lower()) is None
    assert known.reason_not_read(STAFF) is None
    assert treated(known, STAFF, "_id", "salary") == [Treatment.SEND, Treatment.UNREADABLE]
    (record,) = (each for each in caplog.records if each.name == LOGGER.name)
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(
        f"The properties of dataset {STAFF.lower()} cannot be read, so that no value of it is sent "
        "from drafts that are or may be based on it. Orgvue refused GET "
    )


@pytest.mark.parametrize("dataset_id", [STAFF, STAFF.lower()])
def test_a_dataset_that_discovery_skipped(orgvue: MockedOrgvue, dataset_id: str) -> None:
    """No setting leaves it out; the reason is told, unless it was a refusal."""
    skipped = (
        SkippedInCatalog(STAFF, "Staff", "Orgvue is down.", forbidden=False),
        SkippedInCatalog(POSTS, "Posts", "Not yours.", forbidden=True),
    )
    known = datasets(orgvue, *skipped, datasets=["nothing"])
    assert known.reason_not_read(dataset_id) is None
    assert [known.fault(each) for each in (dataset_id, POSTS, UNLISTED, "")] == [
        *("Orgvue is down.", "", "", "")
    ]
    assert orgvue.urls == []


# --- rules


def test_a_draft_that_is_named_may_hold_all_of_its_dataset(orgvue: MockedOrgvue) -> None:
    """A dataset that the run does not read is sent in such a draft only."""
    known = datasets(orgvue)
    keys = "_id", "salary", "team", "odd"
    assert treated(known, STAFF, *keys) == [*[Treatment.SEND] * 3, Treatment.UNKNOWN]
    unnamed = known.rules_of(STAFF, is_named=False)
    assert [unnamed.treatment(key) for key in keys] == [
        *(Treatment.SEND, Treatment.DESELECTED, Treatment.DESELECTED, Treatment.UNKNOWN)
    ]


def test_rules_are_made_once(orgvue: MockedOrgvue) -> None:
    """All drafts of a dataset share its rules, and one request for its metadata."""
    known = datasets(orgvue)
    first = known.rules_of(STAFF, is_named=True)
    assert known.rules_of(STAFF.lower(), is_named=True) is first
    assert known.rules_of(STAFF, is_named=False) is not first
    assert known.rules_of(None, is_named=False) is known.rules_of(None, is_named=True)
    assert orgvue.urls.count(metadata_url(STAFF)) == 1
    assert orgvue.urls.count(metadata_url(POSTS)) == 1


def test_each_metadata_is_requested_once_for_drafts_without_a_dataset(
    orgvue: MockedOrgvue,
) -> None:
    """Also a refused one; a draft of that dataset needs no other request."""
    orgvue.serve("GET", metadata_url(POSTS), {"status_code": 403})
    known = datasets(orgvue)
    known.rules_of(STAFF, is_named=False)
    rules = known.rules_of(None, is_named=False)
    assert not rules.are_known
    assert rules.treatment("salary") is Treatment.UNSURE
    known.rules_of(POSTS, is_named=True)
    assert sorted(url for url in orgvue.urls if "/datasets/" in url) == [
        *(metadata_url(STAFF), metadata_url(POSTS))
    ]


def test_datasets_are_looked_at_together_for_drafts_without_a_dataset(
    orgvue: MockedOrgvue,
) -> None:
    """One by one they would take minutes; what the run does not read may be of any of them."""
    together = threading.Barrier(2)

    def respond(request: Any, context: Any) -> str:
        del request, context
        together.wait(10)
        return '{"properties": [{"key": "team"}]}'

    for dataset_id in (STAFF, POSTS):
        orgvue.adapter.register_uri("GET", metadata_url(dataset_id), text=respond)
    known = datasets(orgvue)
    with no_thread_is_left():
        rules = known.rules_of(None, is_named=True)
    assert not together.broken
    assert [rules.treatment(key) for key in ("_id", "team", "odd")] == [
        *(Treatment.SEND, Treatment.UNSURE, Treatment.UNKNOWN)
    ]


def test_an_error_of_metadata_is_no_refusal(orgvue: MockedOrgvue) -> None:
    """Values could be sent in the next run: nothing is decided."""
    orgvue.serve("GET", metadata_url(STAFF), {"status_code": 500})
    known = datasets(orgvue)
    for dataset_id in (STAFF, None):
        with pytest.raises(Refusal, match="HTTP 500"):
            known.rules_of(dataset_id, is_named=True)
    serve_metadata(orgvue, STAFF, {"team": "Team"})
    assert treated(known, STAFF, "team") == [Treatment.SEND]


@pytest.mark.parametrize("dataset_id", ["../../x", "no id", UNLISTED])
def test_a_dataset_that_nobody_knows(orgvue: MockedOrgvue, dataset_id: str) -> None:
    """Only ids are sent; a text that is no id is part of no request."""
    orgvue.serve("GET", metadata_url(UNLISTED), {"status_code": 404})
    known = datasets(orgvue)
    assert treated(known, dataset_id, "_id", "salary") == [Treatment.SEND, Treatment.UNREADABLE]
    assert not known.rules_of(dataset_id, is_named=True).are_known
    assert [url for url in orgvue.urls if "/datasets/" in url] == [
        metadata_url(UNLISTED) for _ in [dataset_id] if dataset_id == UNLISTED
    ]


def test_a_dataset_without_a_name_may_be_protected_by_a_pattern(orgvue: MockedOrgvue) -> None:
    """Its properties can be read, but not which stream a pattern would have to name."""
    serve_metadata(orgvue, UNLISTED, {"salary": "Base Pay"})
    assert treated(datasets(orgvue), UNLISTED, "_id", "salary") == [
        *(Treatment.SEND, Treatment.UNREADABLE)
    ]
    hashes = datasets(orgvue, hash_properties=["people._id"], hash_key=HASH_KEY)
    assert treated(hashes, UNLISTED, "_id", "salary") == [Treatment.UNREADABLE] * 2
    assert treated(hashes, STAFF, "_id", "salary") == [Treatment.SEND] * 2


# --- the streams of datasets


@pytest.fixture
def served() -> Iterator[Orgvue]:
    """Staff and posts, as a run with a catalog reads them."""
    with tenant([staff(), posts()], Draft("Plan")) as orgvue:
        yield orgvue


def in_a_run(orgvue: Orgvue, catalog: dict[str, Any] | None, **given: Any) -> DraftDatasets:
    """The datasets of a tap that discovers them, or has a catalog."""
    tap = TapOrgvue(config=with_drafts(orgvue, **given), catalog=copy.deepcopy(catalog))
    assert DRAFTS in tap.streams
    assert tap.drafts is not None
    return tap.drafts.datasets


def sent(known: DraftDatasets, *, is_named: bool = False) -> set[str]:
    """The keys of staff whose values are sent in its drafts."""
    rules = known.rules_of(staff().dataset_id, is_named=is_named)
    keys = "_id", "id", "full name", "salary", "team"
    return {key for key in keys if rules.treatment(key) is Treatment.SEND}


ALL = {"_id", "id", "full name", "salary", "team"}


def test_a_catalog_of_another_name(served: Orgvue) -> None:
    """The dataset's stream is named as the catalog has it, and patterns name it so."""
    catalog = discover(with_drafts(served))
    found = entry(catalog, "staff")
    found["tap_stream_id"] = found["stream"] = "crew"
    known = in_a_run(served, catalog, exclude_properties=["crew.salary"])
    assert known.stream_name(staff().dataset_id.lower()) == "crew"
    assert known.reason_not_read(staff().dataset_id.lower()) is None
    assert sent(known) == ALL - {"salary"}


@pytest.mark.parametrize(
    "maps,reason",
    [
        (None, None),
        ({"staff": {"salary": None}}, None),
        ({"staff": {"__filter__": "team == 'Ops'"}}, "`stream_maps` filters the rows of its"),
        ({"staff": None}, "`stream_maps` removes its"),
        ({"posts": None}, None),
    ],
)
def test_a_stream_that_maps_change(served: Orgvue, maps: Any, reason: str | None) -> None:
    """A draft of its dataset is refused if rows are removed, and not if columns are."""
    told = in_a_run(served, None, stream_maps=maps).reason_not_read(staff().dataset_id)
    assert told == (f"{reason} stream 'staff'" if reason else None)


def test_a_deselected_stream(served: Orgvue) -> None:
    """It is the reason, whatever the maps are."""
    catalog = select(discover(with_drafts(served)), "staff", selected=False)
    known = in_a_run(served, catalog, stream_maps={"*": {"__filter__": "True"}})
    assert known.reason_not_read(staff().dataset_id) == "its stream 'staff' is deselected"


@pytest.mark.parametrize(
    "maps,keys",
    [
        ({"staff": {"salary": None}}, ALL - {"salary"}),
        ({"staff": {"_id": "md5(_id)"}}, ALL - {"_id"}),
        ({"staff": None}, {"_id"}),
    ],
)
def test_maps_hold_in_a_draft_that_is_named(
    served: Orgvue, maps: dict[str, Any], keys: set[str]
) -> None:
    """What they remove or calculate is left out; the id only if they say so of it."""
    assert sent(in_a_run(served, None, stream_maps=maps), is_named=True) == keys


def test_a_catalog_without_the_id(served: Orgvue) -> None:
    """Nobody deselected it: it is sent, and a deselected one is not."""
    catalog = discover(with_drafts(served))
    given = {"new_properties": "ignore"}
    found = entry(catalog, "staff")
    found["key_properties"] = ["id"]
    for each in found["metadata"]:
        if each["breadcrumb"] == ["properties", "_id"]:
            each["metadata"]["inclusion"] = "available"
    deselected = select(copy.deepcopy(catalog), "staff", "_id", selected=False)
    assert sent(in_a_run(served, deselected, **given)) == ALL - {"_id"}
    del found["schema"]["properties"]["_id"]
    assert sent(in_a_run(served, catalog, **given)) == ALL


@pytest.mark.parametrize(
    "metadata,is_sent",
    [
        ({}, True),
        ({"selected": True}, True),
        ({"selected": False}, False),
        ({"selected-by-default": False}, False),
        ({"selected": True, "selected-by-default": False}, True),
        ({"selected": False, "selected-by-default": True}, False),
        ({"inclusion": "unsupported"}, False),
        ({"inclusion": "unsupported", "selected": True}, False),
        ({"inclusion": "available"}, True),
        (None, True),
    ],
)
def test_columns_of_a_deselected_stream(
    served: Orgvue,
    metadata: dict[str, Any] | None,
    is_sent: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """A draft that is named holds them, but for those that are themselves deselected."""
    catalog = select(discover(with_drafts(served)), "staff", selected=False)
    found = entry(catalog, "staff")
    place = ["properties", "salary"]
    found["metadata"] = [each for each in found["metadata"] if each["breadcrumb"] != place]
    if metadata is not None:
        found["metadata"].append({"breadcrumb": place, "metadata": metadata})
    known = in_a_run(served, catalog)
    assert sent(known, is_named=True) == (ALL if is_sent else ALL - {"salary"})
    assert sent(known) == {"_id"}


@pytest.mark.parametrize(
    "new_properties,deselected,is_sent",
    [
        ("add", (), True),
        ("rescue", (), True),
        ("ignore", (), False),
        ("add", ("team",), False),
        ("rescue", ("team",), False),
    ],
)
def test_a_property_that_the_catalog_lacks(
    served: Orgvue,
    new_properties: str,
    deselected: tuple[str, ...],
    is_sent: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """It is in drafts where the run of its dataset reads it, too."""
    catalog = discover(with_drafts(served))
    del entry(catalog, "staff")["schema"]["properties"]["salary"]
    if deselected:
        select(catalog, "staff", *deselected, selected=False)
    known = in_a_run(served, catalog, new_properties=new_properties)
    assert sent(known) == ALL - {*deselected} - (set() if is_sent else {"salary"})
    assert sent(known, is_named=True) == sent(known)


def test_an_excluded_column_is_no_reason_to_ignore_new_ones(served: Orgvue) -> None:
    """It is not deselected."""
    catalog = discover(with_drafts(served))
    del entry(catalog, "staff")["schema"]["properties"]["salary"]
    assert sent(in_a_run(served, catalog, exclude_properties=["team"])) == ALL - {"team"}


def test_a_name_of_the_catalog_protects_as_one_of_today(served: Orgvue) -> None:
    """A display name may have changed since: both are protected, and both are described."""
    catalog = discover(with_drafts(served))
    served.dataset("Staff").change_property("salary", name="Wage")
    for pattern in ("Base Pay", "Wage"):
        known = in_a_run(served, catalog, exclude_properties=[pattern], unmatched_patterns="warn")
        rules = known.rules_of(staff().dataset_id, is_named=False)
        assert rules.treatment("salary") is Treatment.EXCLUDED
        assert rules.protected_names() == {"salary", "Base Pay", "Wage"}


def test_a_draft_without_a_dataset_of_a_catalog_with_a_dataset_that_is_gone(
    served: Orgvue,
) -> None:
    """Its stream counts as one of the tenant: what it protects is sent in no such draft."""
    catalog = discover(with_drafts(served))
    served.tenant.remove("Posts")
    known = in_a_run(served, catalog, exclude_properties=["posts.salary"])
    assert known.stream_name(posts().dataset_id.lower()) == "posts"
    rules = known.rules_of(None, is_named=False)
    assert rules.treatment("salary") is Treatment.UNSURE
    assert {*known.used} == {staff().dataset_id.upper(), posts().dataset_id.upper()}


# --- what earlier runs protected


@pytest.mark.parametrize(
    "stream,key",
    [
        ("staff", "salary"),
        (DRAFTS, f"{STAFF}/salary"),
        (ACTIONS, f"{STAFF}/salary"),
    ],
)
def test_what_an_earlier_run_protected_stays_protected(
    orgvue: MockedOrgvue, stream: str, key: str
) -> None:
    """In the dataset or in its drafts, whatever the property is called now."""
    state = remembered(stream, ("Pay", key))
    known = datasets(orgvue, state=state, exclude_properties=["Pay", "Team"])
    assert treated(known, STAFF, "salary", "team") == [Treatment.EXCLUDED] * 2
    assert treated(known, POSTS, "salary", "grade") == [Treatment.SEND] * 2
    # What matches now adds to what matched before.
    assert set(known.used) == {STAFF, POSTS}
    assert set(known.protections([])) == {("Pay", f"{STAFF}/salary"), ("Team", f"{STAFF}/team")}


@pytest.mark.parametrize("stream", ["staff", "other"])
def test_a_key_with_a_stroke_is_no_dataset(orgvue: MockedOrgvue, stream: str) -> None:
    """Only the streams of drafts remember keys behind the id of a dataset."""
    state = remembered(stream, ("Pay", f"{STAFF}/salary"))
    known = datasets(orgvue, state=state, exclude_properties=["Pay"])
    assert treated(known, STAFF, "salary") == [Treatment.SEND]


def test_what_both_remember_is_put_together(orgvue: MockedOrgvue) -> None:
    """A pattern of the dataset's state does not hide one of the drafts' state."""
    state = remembered("staff", ("Pay", "salary"))
    state["bookmarks"] |= remembered(ACTIONS, ("Wage", f"{STAFF}/salary"))["bookmarks"]
    for pattern in ("Pay", "Wage"):
        known = datasets(orgvue, state=state, exclude_properties=[pattern])
        assert treated(known, STAFF, "salary") == [Treatment.EXCLUDED]


def test_protections_for_the_state(orgvue: MockedOrgvue) -> None:
    """Those of patterns that are still set, once each; those of datasets without drafts as well."""
    source = source_of(
        orgvue, exclude_properties=["Base Pay"], hash_properties=["Grade"], hash_key=HASH_KEY
    )
    known = DraftDatasets(source, [], logger=LOGGER)
    salary, grade = ("Base Pay", f"{STAFF}/salary"), ("Grade", f"{POSTS}/grade")
    assert known.protections([("Gone", "x/a"), ("Grade", "x/b")]) == [("Grade", "x/b")]
    known.rules_of(STAFF.lower(), is_named=False)
    known.rules_of(POSTS, is_named=True)
    assert known.protections([salary, ("Grade", "x/b")]) == [salary, ("Grade", "x/b"), grade]
