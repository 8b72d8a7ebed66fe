"""Filters and projections find what the documents say they find, and wrong ones are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset, Property, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.conftest import Client

LINKS = "5C1A7D52-6F0E-4B7B-9C55-2E8A41D90B13"
OTHER_LINKS = "7D0E3A11-0C6B-4F8E-8A55-91B2C3D4E5F6"


@pytest.mark.parametrize(
    "condition, found",
    [
        ({}, "abcD"),
        ({"id": "a"}, "a"),
        ({"id": "A"}, ""),
        ({"salary": 10, "full time": True}, "a"),
        ({"salary": 10, "full time": False}, ""),
        ({"salary": 10.0}, "a"),
        ({"salary": "10"}, ""),
        ({"full time": 1}, ""),
        ({"full name": None}, "b"),
        ({"full name": ""}, "c"),
        ({"salary": {"$gt": 10}}, "c"),
        ({"salary": {"$gte": 10}}, "ac"),
        ({"salary": {"$lt": 10}}, "b"),
        ({"salary": {"$lte": 10}}, "ab"),
        ({"salary": {"$gt": 2.5, "$lt": 30}}, "a"),
        ({"salary": {"$gt": "1"}}, ""),
        ({"id": {"$gt": "a"}}, "bc"),
        ({"id": {"$lt": "a"}}, "D"),
        ({"full name": {"$gte": ""}}, "acD"),
        ({"id": {"$in": ["a", "D", "z"]}}, "aD"),
        ({"id": {"$in": []}}, ""),
        ({"id": {"$nin": ["a", "D"]}}, "bc"),
        ({"id": {"$nin": []}}, "abcD"),
        ({"id": {"$ne": "a"}}, "bcD"),
        ({"full name": {"$ne": None}}, "acD"),
        ({"full name": {"$in": [None, ""]}}, "bc"),
        ({"notes": {"$in": [[1], "x"]}}, "bD"),
        ({"notes": {"$in": ["x"]}}, "D"),
        ({"notes": [1]}, "b"),
        ({"start": "2020-01-01T00:00:00.000Z"}, "b"),
        ({"start": {"$gt": "2020-01-01"}}, "c"),
        ({"start": {"$gte": "2020-01-01T00:00:00Z"}}, "bc"),
        ({"start": {"$gte": "2021-05-05T01:00:00+01:00"}}, "c"),
        ({"start": {"$gt": "zebra"}}, ""),
        ({"start": {"$ne": "2021-13-99"}}, "abcD"),
        ({"start": {"$in": ["2021-05-05"]}}, "c"),
        ({"fte": {"$lt": 1}}, "D"),
        ({"_modifiedAt": {"$gte": "2026-01-01T00:00:03.000Z"}}, "cD"),
        ({"unheard of": {"$ne": 1}}, ""),
    ],
)
def test_filters(client: Client, condition: object, found: str) -> None:
    """Keys are ANDed; numbers, texts by code point, and dates as instants are compared."""
    assert client.ids(filter=condition) == list(found)


def test_filter_by_id(client: Client) -> None:
    """`_id` can be filtered by, in either direction, so a dataset can be read in slices."""
    ids = sorted(str(row["_id"]) for row in client.orgvue.dataset("People").rows)
    low = client.ids(filter={"_id": {"$lte": ids[1]}})
    high = client.ids(filter={"_id": {"$gt": ids[1]}})
    assert len(low) == len(high) == 2
    assert {*low, *high} == {"a", "b", "c", "D"}


def test_a_filter_that_matches_nothing(client: Client) -> None:
    """The answer then holds all headers and no rows."""
    document = client.export(filter={"_id": {"$in": []}}).json()
    assert len(document["headers"]) == 9
    assert document["rows"] == []


@pytest.mark.parametrize(
    "condition",
    [
        {"id": {"$regex": "a"}},
        {"id": {"a": 1}},
        {"$or": [{"id": "a"}], "id": {"$or": []}},
        {"id": {"$in": "a"}},
        {"id": {"$gt": None}},
        {"id": {"$lt": True}},
        {"id": {"$lte": [1]}},
        ["id"],
        "id",
    ],
)
def test_wrong_filters(client: Client, condition: object) -> None:
    """An unknown operator or an operand it cannot take is a 400."""
    assert client.error(client.export(filter=condition)) == (400, "400606")


def test_unknown_properties_in_a_filter(client: Client) -> None:
    """They find nothing, or are refused by name when the simulator is told to."""
    assert client.ids(filter={"shoe size": 1}) == []
    client.orgvue.unknown_filter = "refuse"
    refused = client.export(filter={"shoe size": 1})
    assert client.error(refused) == (400, "400606")
    assert refused.json()["errors"][0]["property"] == "shoe size"


def test_filters_can_be_ignored(client: Client) -> None:
    """`ignores_filters` answers all rows, as a server that does not know filters would."""
    client.orgvue.ignores_filters = True
    assert client.ids(filter={"id": "a"}) == ["a", "b", "c", "D"]
    assert client.ids(filter={"shoe size": 1}) == ["a", "b", "c", "D"]


def test_projections(client: Client) -> None:
    """Only what is named comes, in the dataset's order, generated ones too only if named."""
    document = client.export(projection={"salary": 1, "id": 1, "_id": 1}).json()
    assert [header["key"] for header in document["headers"]] == ["_id", "id", "salary"]
    document = client.export(projection={"id": 1}, filter={"salary": 30}).json()
    assert ([header["key"] for header in document["headers"]], document["rows"]) == (
        ["id"],
        [["c"]],
    )


def test_projection_of_an_id_that_is_not_exported() -> None:
    """Every node has an `_id`: it can be asked for even where a whole export leaves it out."""
    plain = Dataset("Plain", properties=[Property("id")], rows=[{"id": "a"}], generated=())
    columns = [each.key for each in plain.snapshot().columns]
    askable = [each.key for each in plain.snapshot().askable]
    assert (columns, askable) == (["id"], ["_id", "id"])


@pytest.mark.parametrize("projection", [{"id": 0}, {"id": 2}, {"id": True}, {"id": "1"}, ["id"]])
def test_wrong_projections(client: Client, projection: object) -> None:
    """Synchronously a projection takes nothing but 1."""
    assert client.error(client.export(projection=projection)) == (400, "400607")


def test_unknown_properties_in_a_projection(client: Client) -> None:
    """They are left out, or refused by name when the simulator is told to."""
    document = client.export(projection={"id": 1, "shoe size": 1}).json()
    assert [header["key"] for header in document["headers"]] == ["id"]
    client.orgvue.unknown_projection = "refuse"
    refused = client.export(projection={"id": 1, "shoe size": 1})
    assert client.error(refused) == (400, "400607")
    assert "shoe size" in refused.json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [[], "text", {"query": []}, {"query": {"output": 1}}])
def test_wrong_bodies(client: Client, body: object) -> None:
    """A body that is not of the documented form is a 400."""
    assert client.error(client.post("/export/jsonRows", "People", body)) == (400, "400601")


def test_bodies_that_are_not_json(client: Client) -> None:
    """A body that cannot be parsed is a 400; none at all asks for everything."""
    url = client.url("/export/jsonRows", "People")
    assert client.error(client.session.post(url, data=b"{", timeout=20)) == (400, "400601")
    assert len(client.session.post(url, timeout=20).json()["rows"]) == 4


def test_properties_through_links(serve: Callable[[Tenant], Client]) -> None:
    """A property calculated through a link is null, unless the LINKS dataset is named."""
    linked = Property("head count", "number", needs_link=LINKS)
    positions = Dataset(
        "Positions", properties=[Property("id"), linked], rows=[{"id": "p", "head count": 3}]
    )
    client = serve(Tenant([positions]))
    by_count = {"filter": {"head count": 3}, "projection": {"id": 1}}
    by_none = {"filter": {"head count": None}, "projection": {"id": 1}}
    assert client.get("/export/jsonRows", "Positions").json()["rows"][0][2] is None
    assert client.ids("Positions", **by_count) == []
    assert client.ids("Positions", **by_none) == ["p"]
    assert "head count" not in client.get("/items", "Positions").json()[0]
    body = {"query": {"output": by_count}, "linkingRelationships": [LINKS.lower()]}
    assert client.outcome("Positions", body)["rows"][0][2] == 3
    assert client.outcome("Positions")["rows"][0][2] is None
    body["linkingRelationships"] = [OTHER_LINKS]
    assert client.outcome("Positions", body)["rows"] == []


@pytest.mark.parametrize("links", ["id", [1], {}])
def test_wrong_links(client: Client, links: object) -> None:
    """`linkingRelationships` is a list of ids."""
    refused = client.job(body={"linkingRelationships": links})
    assert client.error(refused) == (400, "400601")


def test_asynchronous_projections_add(client: Client) -> None:
    """By default everything comes, and 0 removes."""
    body = {"query": {"output": {"projection": {"salary": 0, "_id": 0, "id": 1}}}}
    headers = client.outcome("People", body)["headers"]
    assert [header["key"] for header in headers] == [
        "id",
        "full name",
        "full time",
        "start",
        "notes",
        "fte",
        "_modifiedAt",
    ]


def test_asynchronous_projections_replace(client: Client) -> None:
    """With the mode `replace` nothing but what is named comes, ordered by its numbers."""
    output = {"projection": {"id": 3, "salary": 1, "_id": 2, "fte": 0, "start": 1}}
    body = {"query": {"output": {**output, "projectionMode": "replace"}}}
    headers = client.outcome("People", body)["headers"]
    assert [header["key"] for header in headers] == ["salary", "start", "_id", "id"]


@pytest.mark.parametrize(
    "output", [{"projection": {"id": -1}}, {"projection": {}, "projectionMode": "both"}]
)
def test_wrong_asynchronous_projections(client: Client, output: object) -> None:
    """A number below 0 and an unknown mode are refused before a job is made."""
    refused = client.job(body={"query": {"output": output}})
    assert client.error(refused) == (400, "400607")


def test_projections_that_are_ignored(client: Client) -> None:
    """`ignores_projections` answers all columns, as a server that does not know them would."""
    named = client.export(projection={"id": 1}).json()["headers"]
    client.orgvue.ignores_projections = True
    headers = client.export(projection={"id": 1}).json()["headers"]
    assert [each["key"] for each in named] == ["id"]
    assert len(headers) == len(client.export().json()["headers"]) > 1


def test_properties_that_cannot_be_filtered(client: Client) -> None:
    """A filter over a property of `unfilterable` is refused; one over another is not."""
    client.orgvue.unfilterable = ("_modifiedAt",)
    refused = client.export(filter={"_modifiedAt": {"$gt": "2026-01-01"}})
    assert client.error(refused) == (400, "400606")
    assert client.ids(filter={"id": "a"}) == ["a"]
