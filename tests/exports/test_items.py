"""Items, which are stored values only: the rows that `include_calculations` set to false reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_orgvue.exports.items import ItemRows
from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import Property as Listed
from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import ids, people
from tests.support.runs import conditions, discover, entry, rescued, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


READ = msgspec.json.Decoder(list[list[Any]]).decode
HEADERS = [Listed("_id", "Id", "text"), Listed("x y", "Größe", "number")]


def read(items: bytes, size: int = 5) -> list[Any]:
    """The rows of an array of items that comes in chunks."""
    chunks = (items[start : start + size] for start in range(0, len(items), size))
    rows = ItemRows(chunks, HEADERS)
    assert list(rows.headers) == HEADERS
    return [row for block in rows.blocks(READ) for row in block]


def test_an_item_is_a_row_with_a_cell_for_each_header() -> None:
    """Cells stand in the headers' order; an absent key is null, another key is ignored."""
    items = [{"x y": 1.5, "_id": "a"}, {"_id": "b", "z": "},{"}, {}, {"x y": [{"a": {}}, {}]}]
    expected = [["a", 1.5], ["b", None], [None, None], [None, [{"a": {}}, {}]]]
    for style in ({"separators": (",", ":")}, {"indent": 2}):
        assert read(json.dumps(items, **style).encode()) == expected


def test_no_items_are_no_rows() -> None:
    """An empty array has headers and no rows."""
    assert read(b"[]") == []


@pytest.mark.parametrize("count", [1, 2, 3000])
def test_items_are_read_across_blocks(count: int) -> None:
    """Items are read in blocks like rows, each once."""
    items = [{"_id": f"{i}}},{{", "x y": i} for i in range(count)]
    assert read(json.dumps(items).encode(), 10_000) == [[f"{i}}},{{", i] for i in range(count)]


@pytest.mark.parametrize(
    "items", [b"[", b'[{"_id":"a"}', b'[{"_id":"a"},]', b"[[]]", b"[1]", b'[{"_id":"a"}]]', b"x"]
)
def test_an_array_that_is_broken_is_an_error(items: bytes) -> None:
    """What is no array of objects is an error."""
    with pytest.raises(MalformedResponse):
        read(items)


# --- over HTTP


@pytest.fixture
def calculated(serve: Serve) -> Orgvue:
    """People with a calculated property, and generated ones."""
    plain = people(60)
    return serve(
        Dataset(
            "People",
            properties=[*plain.properties, Property("cost", "number", calculated=True)],
            rows=[{**row, "cost": i} for i, row in enumerate(plain.rows)],
        )
    )


def test_stored_values_are_read_from_the_items(calculated: Orgvue) -> None:
    """`include_calculations` false asks no export; the columns are the metadata's and `_id`."""
    config = {**calculated.config, "include_calculations": False}
    catalog = discover(config)
    run = sync(config, catalog)
    assert {r.route for r in calculated.requests} == {"list", "metadata", "items"}
    columns = {"_id", "id", "full_name", "salary", "on_leave", "start_date"}
    assert set(entry(catalog, "people")["schema"]["properties"]) - {"cost"} == {
        *columns,
        "_rescued_data",
    }
    assert ids(run.records["people"]) == [f"P{i}" for i in range(60)]
    first = run.records["people"][0]
    assert {name: first[name] for name in columns} == {
        "_id": calculated.dataset("People").rows[0]["_id"],
        "id": "P0",
        "full_name": "Person 0",
        "salary": 1000,
        "on_leave": True,
        "start_date": "2022-01-01",
    }
    assert rescued(first) is None


def test_items_that_lack_a_value_have_null(calculated: Orgvue) -> None:
    """A key that an item lacks is null, a value that does not fit is rescued."""
    calculated.dataset("People").update(0, salary=None)
    calculated.dataset("People").update(1, salary="N/A")
    config = {**calculated.config, "include_calculations": False}
    first, second, *_ = sync(config).records["people"]
    assert (first["salary"], rescued(first)) == (None, None)
    assert (second["salary"], rescued(second)) == (None, {"salary": "N/A"})


def test_items_are_filtered_and_sliced(calculated: Orgvue) -> None:
    """A filter is asked of the items, and where they are too many they come in slices."""
    config = {
        **calculated.config,
        "include_calculations": False,
        "filters": {"people": {"onLeave": True}},
    }
    catalog = discover(config)
    assert ids(sync(config, catalog).records["people"]) == [f"P{i}" for i in range(0, 60, 2)]
    assert conditions(calculated, 0)[-1] == {"onLeave": True}
    calculated.answer(on="items", status=413, times=3)
    run = sync(config, catalog)
    assert sorted(ids(run.records["people"])) == sorted(f"P{i}" for i in range(0, 60, 2))
    assert set(conditions(calculated, 0)[-1]) == {"onLeave", "_id"}


def test_items_show_what_is_selected_alone(calculated: Orgvue) -> None:
    """Items come whole: what is deselected, and what is new beside it, is left out here."""
    config = {**calculated.config, "include_calculations": False}
    catalog = select(discover(config), "people", "salary", selected=False)
    calculated.dataset("People").add_property(Property("bonus", "number"), [1] * 60)
    run = sync(config, catalog)
    assert not {"salary", "bonus"} & set(run.schemas["people"]["schema"]["properties"])
    assert not {"salary", "bonus"} & {name for r in run.records["people"] for name in r}
    assert {rescued(record) is None for record in run.records["people"]} == {True}


def test_items_have_versions_and_a_guard(calculated: Orgvue) -> None:
    """Rows that are removed are removed for readers of stored values as well."""
    config = {
        **calculated.config,
        "include_calculations": False,
        "emit_activate_version_messages": True,
    }
    first = sync(config)
    assert first.of_type("ACTIVATE_VERSION")
    while len(calculated.dataset("People").rows) > 5:
        calculated.dataset("People").remove(0)
    assert not sync(config, state=first.state).of_type("ACTIVATE_VERSION")
