"""The list of drafts: whatever its form, ids, names, datasets and layers are read or told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tap_orgvue.orgvue.drafts import Draft, DraftList, list_drafts
from tap_orgvue.orgvue.errors import DatasetRefusal, MalformedResponse
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tests.support.mocked_orgvue import TENANT, MockedOrgvue

ID = "36A1B000-0000-4000-8000-000000000000"
BASE = "36A1B000-0000-4000-8000-00000000000B"
OTHER = "36A1B000-0000-4000-8000-00000000000C"


def read(entry: Any) -> Draft:
    """The only draft of a list."""
    (draft,) = DraftList.from_json([entry]).drafts
    return draft


@pytest.mark.parametrize("member", ["draftId", "id", "draft_id", "_id"])
def test_an_id_under_any_likely_name(member: str) -> None:
    """The guide names no member of the list's entries."""
    assert read({member: ID, "name": "Plan"}) == Draft(ID, "Plan")


def test_an_entry_as_documented_elsewhere() -> None:
    """An entry in the form of the list of datasets."""
    layers = [{"layerKey": "default"}, {"key": "later"}, "third", {"id": "fourth"}]
    draft = read(
        {"draftId": ID, "name": "Plan", "datasetId": BASE, "layers": layers, "by": ["Zoë", 1.5]}
    )
    assert (draft.draft_id, draft.name, draft.dataset_id) == (ID, "Plan", BASE)
    assert draft.layers == ("default", "later", "third", "fourth")
    assert (json.loads(draft.details), draft.fault) == ({"layers": layers, "by": ["Zoë", 1.5]}, "")
    assert "Zoë" in draft.details
    assert str(draft) == f"'Plan' ({ID})"


@pytest.mark.parametrize(
    "members,told",
    [
        ({}, None),
        ({"datasetId": None}, None),
        ({"datasetId": " "}, None),
        ({"datasetId": 7}, None),
        ({"datasetId": [BASE]}, None),
        ({"baseDatasetId": BASE}, BASE),
        ({"dataset": {"datasetId": BASE, "name": "x"}}, BASE),
        ({"baseDataset": {"id": BASE}}, BASE),
        ({"dataset": BASE, "datasetId": BASE.lower()}, BASE.lower()),
        ({"dataset": OTHER, "datasetId": BASE}, None),
        ({"datasetIds": [BASE]}, BASE),
        ({"datasetIds": [BASE, OTHER], "datasetId": BASE}, None),
        ({"datasets": [{"datasetId": OTHER}], "datasetId": BASE}, None),
        ({"layers": [{"layerKey": "default", "datasetId": BASE}]}, BASE),
        ({"layers": [{"layerKey": "default", "dataset": OTHER}], "datasetId": BASE}, None),
    ],
)
def test_the_dataset_where_it_is_named(members: dict[str, Any], told: str | None) -> None:
    """Only one id of one dataset is an answer."""
    draft = read({"draftId": ID, **members})
    assert draft.dataset_id == told
    is_a_column = told is not None
    assert {*json.loads(draft.details)} == {
        name for name, value in members.items() if not (is_a_column and isinstance(value, str))
    }


@pytest.mark.parametrize("layers", [None, []])
def test_without_layers_there_is_the_one_that_each_draft_has(layers: Any) -> None:
    """`default` is documented."""
    draft = read({"draftId": ID, "layers": layers})
    assert (draft.layers, draft.fault) == (("default",), "")


@pytest.mark.parametrize(
    "layers,keys",
    [
        (7, ("default",)),
        ({"default": {}}, ("default",)),
        ("default", ("default",)),
        ([7], ("default",)),
        ([{"layerKey": ""}, "later"], ("later",)),
    ],
)
def test_layers_in_an_unknown_form_are_a_fault(layers: Any, keys: tuple[str, ...]) -> None:
    """Others may exist, so that the draft may not be complete."""
    draft = read({"draftId": ID, "layers": layers})
    assert draft.layers == keys
    assert draft.fault.startswith("has ")


def test_ids_alone() -> None:
    """An entry can be an id, and nothing else."""
    assert DraftList.from_json([ID, OTHER]).drafts == (Draft(ID), Draft(OTHER))


def test_a_draft_that_is_listed_twice() -> None:
    """A page that moved while the list was read repeats a draft, in whatever case."""
    listing = DraftList.from_json([{"id": ID, "name": "A"}, {"id": ID.lower(), "name": "B"}])
    assert [draft.name for draft in listing.drafts] == ["A"]


@pytest.mark.parametrize("entry", [7, None, "", " ", {}, {"id": 7}, {"name": "x"}, [ID]])
def test_an_entry_without_an_id_is_reported(entry: Any) -> None:
    """Its place is told, not what it holds; with no other entry the list cannot be read."""
    listing = DraftList.from_json([ID, entry])
    assert len(listing.drafts) == 1
    assert listing.faults == ("Entry 2 of Orgvue's list of drafts has no id.",)
    with pytest.raises(MalformedResponse, match="No entry"):
        DraftList.from_json([entry])


def test_an_empty_list() -> None:
    """A tenant may have no drafts."""
    assert DraftList.from_json([]) == DraftList(())


def test_what_no_database_stores_is_removed() -> None:
    """NUL characters, wherever they stand, and numbers that JSON has not."""
    draft = read(
        {"id": "a\x00b", "name": "c\x00d", "datasetId": "e\x00", "f\x00": ["\x00g"], "n": 1e999}
    )
    assert (draft.draft_id, draft.name, draft.dataset_id) == ("ab", "cd", "e")
    assert json.loads(draft.details) == {"f": ["g"], "n": "inf"}


# --- over the client


def test_pages_and_words_of_the_list() -> None:
    """The client follows next links, and says which list a message is about."""
    orgvue = MockedOrgvue(max_retries=0)
    link = {"next": {"url": f"{TENANT}/drafts?offset=1"}}
    orgvue.serve("GET", f"{TENANT}/drafts", {"json": {"items": [ID], "_links": link}})
    orgvue.serve("GET", f"{TENANT}/drafts?offset=1", {"json": [{"draftId": OTHER}]})
    assert [draft.draft_id for draft in list_drafts(orgvue.client).drafts] == [ID, OTHER]
    orgvue.serve("GET", f"{TENANT}/drafts", {"json": {"a": [], "b": []}})
    with pytest.raises(MalformedResponse, match="list of drafts is not a list"):
        list_drafts(orgvue.client)
    orgvue.serve("GET", f"{TENANT}/drafts?offset=1", {"json": {"items": [], "_links": link}})
    orgvue.serve("GET", f"{TENANT}/drafts", {"json": {"items": [ID], "_links": link}})
    with pytest.raises(MalformedResponse, match="list of drafts lead in a circle"):
        list_drafts(orgvue.client)


def test_drafts_have_names_in_messages() -> None:
    """A message about a draft's requests names it as users do, by whatever case of its id."""
    orgvue = MockedOrgvue()
    entries = [{"id": ID, "name": "Plan"}, {"id": OTHER.lower(), "name": "Other"}]
    orgvue.serve("GET", f"{TENANT}/drafts", {"json": entries})
    assert list_drafts(orgvue.client).faults == ()
    subjects = [
        orgvue.client.requests.subject(Purpose(RequestKind.ACTIONS, each))
        for each in (ID.lower(), OTHER, BASE)
    ]
    assert subjects == [
        f"draft 'Plan' ({ID})",
        f"draft 'Other' ({OTHER.lower()})",
        f"dataset {BASE}",
    ]


@pytest.mark.parametrize("status", [403, 404])
def test_a_refusal_of_the_list_is_none_of_the_tenant(status: int) -> None:
    """A tenant without drafts is a tenant."""
    orgvue = MockedOrgvue(max_retries=0)
    orgvue.serve("GET", f"{TENANT}/drafts", {"status_code": status, "json": {}})
    with pytest.raises(DatasetRefusal):
        list_drafts(orgvue.client)
