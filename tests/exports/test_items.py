"""Stored values alone, read from the items: `include_calculations` set to false."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import ids, people
from tests.support.runs import conditions, discover, entry, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


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
    assert first["_rescued_data"] is None


def test_items_that_lack_a_value_have_null(calculated: Orgvue) -> None:
    """A key that an item lacks is null, a value that does not fit is rescued."""
    calculated.dataset("People").update(0, salary=None)
    calculated.dataset("People").update(1, salary="N/A")
    config = {**calculated.config, "include_calculations": False}
    first, second, *_ = sync(config).records["people"]
    assert (first["salary"], first["_rescued_data"]) == (None, None)
    assert (second["salary"], second["_rescued_data"]) == (None, {"salary": "N/A"})


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
    assert {record["_rescued_data"] is None for record in run.records["people"]} == {True}


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
