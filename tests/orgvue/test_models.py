"""Orgvue's nouns, read from JSON and written to queries."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import (
    Dataset,
    DatasetList,
    Metadata,
    Property,
    Query,
    entries_of_page,
    is_dataset_id,
    link_url,
    next_link,
)

ID = "0B53AAAA-0000-4000-8000-00000000000F"


@pytest.mark.parametrize("text", [ID, ID.lower()])
def test_a_uuid_is_a_dataset_id(text: str) -> None:
    """A UUID in either case is a dataset's id."""
    assert is_dataset_id(text)


@pytest.mark.parametrize("text", ["", "People", ID[:-1], f"{ID}0", f"{ID}\n", ID.replace("-", "")])
def test_another_text_is_no_dataset_id(text: str) -> None:
    """A text of any other form is not a dataset's id."""
    assert not is_dataset_id(text)


@pytest.mark.parametrize(
    "flag,permissioned", [(True, True), (False, False), ("true", False), (1, False), (None, False)]
)
def test_an_entry_of_the_list(flag: object, permissioned: object) -> None:
    """An entry gives id, name and type as text; only JSON's `true` is a permissioned view."""
    entry = {"datasetId": ID, "name": 7, "type": None, "isPermissionedView": flag}
    assert Dataset.from_json(entry) == Dataset(ID, "7", "", permissioned is True)


def test_a_dataset_in_a_message() -> None:
    """A dataset is shown by its name and its id."""
    assert str(Dataset(ID, "Staff")) == f"'Staff' ({ID})"


@pytest.mark.parametrize(
    "entry,fault",
    [
        *((entry, "is not an object") for entry in (None, 5, "x", [], [ID])),
        *(({"datasetId": i}, "has no text as its `datasetId`") for i in (None, 5, [ID], True)),
        *(({"datasetId": i}, "a `datasetId` that is not a UUID") for i in ("", "../x", f"{ID}/x")),
        ({"name": "People"}, "has no text as its `datasetId`"),
    ],
)
def test_an_entry_that_names_no_dataset(entry: object, fault: str) -> None:
    """An entry without an id that addresses can be made of is refused with the reason."""
    with pytest.raises(MalformedResponse, match=fault):
        Dataset.from_json(entry)
    listing = DatasetList.from_json([{"datasetId": ID}, entry])
    assert listing.datasets == (Dataset(ID, ""),)
    [bad] = listing.bad_entries
    assert bad.position == 2
    assert fault in bad.reason


def test_a_bad_entry_is_named() -> None:
    """A bad entry is named by position and name; neither can forge or flood a line."""
    entries = [{"datasetId": ID}, {"datasetId": "x\ny", "name": "Peo\nple"}, {"name": "x y " * 99}]
    first, second = DatasetList.from_json(entries).bad_entries
    assert str(first) == (
        "Entry 2 of the list of datasets, 'Peo ple', has a `datasetId` that is not a UUID."
    )
    assert (first.dataset_id, first.name) == ("x y", "Peo ple")
    assert (second.dataset_id, len(second.name)) == ("", 100)
    [bad] = DatasetList.from_json([{"datasetId": ID}, {"datasetId": 5, "name": 5}]).bad_entries
    assert (bad.dataset_id, bad.name) == ("", "")
    assert str(bad) == "Entry 2 of the list of datasets has no text as its `datasetId`."


def test_a_dataset_that_is_listed_twice() -> None:
    """An id that pages repeat, in either case, is one dataset: the first entry counts."""
    entries = [{"datasetId": ID, "name": "a"}, {"datasetId": ID.lower(), "name": "b"}]
    assert DatasetList.from_json(entries) == DatasetList((Dataset(ID, "a"),))


@pytest.mark.parametrize(
    "page,entries",
    [
        *(([1, 2], [1, 2]), ([], []), ({"items": [1]}, [1]), ({"items": [], "total": 0}, [])),
        ({"_links": {}, "items": [1], "errors": []}, [1]),
    ],
)
def test_a_page_of_a_list(page: Any, entries: list[Any]) -> None:
    """A page is an array, or an object with one array beside links, numbers and errors."""
    assert entries_of_page(page) == entries


@pytest.mark.parametrize("page", [None, 5, "x", {}, {"errors": []}, {"a": [1], "b": []}, {"a": {}}])
def test_a_page_that_is_no_list(page: Any) -> None:
    """Where it is not certain which array is the list, none is; the error says of what."""
    with pytest.raises(MalformedResponse, match=r"^Orgvue's list of datasets is not a list\.$"):
        entries_of_page(page)
    with pytest.raises(MalformedResponse, match=r"^Orgvue's list of drafts is not a list\.$"):
        entries_of_page(page, "drafts")


def test_an_empty_list() -> None:
    """A tenant can have no datasets; a list without any readable entry is an error."""
    assert DatasetList.from_json([]) == DatasetList(())
    with pytest.raises(MalformedResponse, match=r"No entry .* can be read\. Entry 1 of"):
        DatasetList.from_json([None, None])


def test_a_property() -> None:
    """A property has the declared values; without a name its key is its name."""
    declared = {"key": "k", "name": "N", "type": "text", "isAutoId": True, "isTreeId": True}
    assert Property.from_json(declared) == Property(
        "k", "N", "text", is_auto_id=True, is_tree_id=True
    )
    declared = {"key": "k", "isRequired": True, "isCore": True}
    assert Property.from_json(declared) == Property("k", "k", "", is_required=True, is_core=True)
    words = {"key": "k", "isRequired": "x", "isCore": 1, "isAutoId": 1, "isTreeId": 1}
    assert Property.from_json(words) == Property("k", "k")


@pytest.mark.parametrize("entry", [None, [], "x", {}, {"key": 5}, {"key": None}])
def test_a_property_without_a_key(entry: object) -> None:
    """A property without a text as its key is an error that names the place."""
    with pytest.raises(MalformedResponse, match=r"^A property of a dataset has no `key`"):
        Property.from_json(entry)
    with pytest.raises(MalformedResponse, match=r"^Header 3 has no `key`"):
        Property.from_json(entry, "Header 3")


def test_metadata() -> None:
    """Metadata gives the special keys, the tags, the cache key and the properties."""
    body = {
        "autoId": "id",
        "labelId": "label",
        "treeId": "tree",
        "treeParentId": "parent",
        "tags": ["a", 1],
        "cacheKey": 5,
        "properties": [{"key": "id", "type": "number"}],
        "name": "People",
    }
    assert Metadata.from_json(body) == Metadata(
        auto_id="id",
        label_id="label",
        tree_id="tree",
        tree_parent_id="parent",
        tags=("a", "1"),
        cache_key="5",
        properties=(Property("id", "id", "number"),),
        name="People",
    )


def test_metadata_of_a_flat_dataset() -> None:
    """Absent or null members of the metadata are None, or empty."""
    assert Metadata.from_json({"properties": [], "treeId": None, "tags": "x"}) == Metadata()


@pytest.mark.parametrize("body", [None, [], 5, "x", [{"properties": []}]])
def test_metadata_that_is_no_object(body: object) -> None:
    """Metadata of another type is an error."""
    with pytest.raises(MalformedResponse, match="not an object"):
        Metadata.from_json(body)


@pytest.mark.parametrize("properties", [None, {}, "x", 5, ...])
def test_metadata_without_properties(properties: object) -> None:
    """Metadata without a list of properties is an error, and no dataset without columns."""
    body = {"autoId": "id"} if properties is ... else {"properties": properties}
    with pytest.raises(MalformedResponse, match="no list of `properties`"):
        Metadata.from_json(body)


QUERIES: list[tuple[Query, bool, dict[str, Any]]] = [
    (Query(), True, {"query": {"output": {}}}),
    (Query(filter={"a": 1}), False, {"query": {"output": {"filter": {"a": 1}}}}),
    (Query(projection=("b", "a")), False, {"query": {"output": {"projection": {"b": 1, "a": 1}}}}),
    (Query(projection=()), False, {"query": {"output": {"projection": {}}}}),
    (Query(linking=(ID,)), False, {"query": {"output": {}}, "linkingRelationships": [ID]}),
]


@pytest.mark.parametrize("query,everything,body", QUERIES)
def test_queries(query: Query, everything: object, body: dict[str, Any]) -> None:
    """A query names in its body what it restricts; only one without a restriction is everything."""
    assert query.is_everything is everything
    assert query.body() == body
    assert list(query.body()["query"]["output"].get("projection", {})) == list(
        query.projection or []
    )


@pytest.mark.parametrize(
    "links,url",
    [
        ({"self": {"url": "https://f.test/x"}}, "https://f.test/x"),
        ({"self": "https://f.test/x"}, "https://f.test/x"),
        *(({"self": {"url": 5}}, None), ({"self": {"url": None}}, None)),
        *(({"self": {"url": ""}}, None), ({"self": {"url": "x"}}, None), ({"self": []}, None)),
        *(({}, None), ({"other": "/x"}, None), ([], None), (None, None), ("x", None)),
    ],
)
def test_links(links: Any, url: str | None) -> None:
    """A link is an object with a `url`, or the URL itself; anything else is no link."""
    assert link_url(links, "self") == url


@pytest.mark.parametrize(
    "body,url",
    [
        ({"_links": {"next": {"url": "/x"}}}, "/x"),
        ({"_links": {"next": "?page=2"}}, "?page=2"),
        *(([], None), ({}, None), (None, None), ({"_links": None}, None), ({"_links": []}, None)),
        *(({"_links": {"next": None}}, None), ({"_links": {"next": ""}}, None)),
        *(({"_links": {"next": {"url": None}}}, None), ({"_links": {"next": {"url": ""}}}, None)),
        ({"_links": {"self": {"url": "/x"}}}, None),
    ],
)
def test_next_links(body: Any, url: str | None) -> None:
    """The next link is that of `_links.next`; null, empty and absent links end the list."""
    assert next_link(body) == url


@pytest.mark.parametrize("link", [5, ["/x"], {"href": "/x"}, {"url": 5}, True])
def test_a_next_link_of_an_unknown_form(link: object) -> None:
    """A next link that cannot be read is an error: rows would be missing."""
    with pytest.raises(MalformedResponse, match="does not know"):
        next_link({"_links": {"next": link}})
