"""Datasets are filled in, change, and compute their generated properties as promised."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import datetime, timezone

import pytest

from tap_orgvue.simulator import Dataset, Property, Tenant


def small() -> Dataset:
    """A dataset of two rows."""
    rows: list[dict[str, object]] = [
        {"id": "a", "n": 1},
        {"id": "b", "_modifiedAt": "2026-03-01T00:00:00.000Z"},
    ]
    return Dataset("Small", properties=[Property("id"), Property("n", "number")], rows=rows)


def test_ids_are_made() -> None:
    """Datasets and rows get upper-case UUIDs that are the same every time."""
    first, second = small(), small()
    ids = [first.dataset_id, *(str(row["_id"]) for row in first.rows)]
    assert ids == [second.dataset_id, *(str(row["_id"]) for row in second.rows)]
    assert len({*ids}) == 3
    assert all(str(uuid.UUID(each)).upper() == each for each in ids)


def test_given_ids_are_kept() -> None:
    """What a test gives is not overwritten."""
    given = Dataset("Given", dataset_id="x", rows=[{"_id": "low-er", "_modifiedAt": None}])
    assert given.dataset_id == "x"
    assert given.rows == [{"_id": "low-er", "_modifiedAt": None}]


def test_every_change_is_a_new_cache_key() -> None:
    """The cache key stays while nothing changes, and never comes back."""
    dataset = small()
    seen = [dataset.cache_key, dataset.cache_key]
    assert seen[0] == seen[1]
    dataset.add({"id": "c"})
    seen.append(dataset.cache_key)
    dataset.update(0, n=2)
    seen.append(dataset.cache_key)
    dataset.remove(-1)
    seen.append(dataset.cache_key)
    dataset.add_property(Property("more"), ["x", "y"])
    seen.append(dataset.cache_key)
    dataset.replace_property("more", Property("more", "number"))
    seen.append(dataset.cache_key)
    dataset.remove_property("more")
    seen.append(dataset.cache_key)
    dataset.rename("Smaller")
    seen.append(dataset.cache_key)
    assert len({*seen}) == len(seen) - 1


def test_a_change_is_later_than_all_before() -> None:
    """`_modifiedAt` of a changed row is after every one that was there, and only its own."""
    dataset = small()
    before = [str(row["_modifiedAt"]) for row in dataset.rows]
    dataset.update(0, n=5)
    after = [str(row["_modifiedAt"]) for row in dataset.rows]
    assert after[0] > max(before)
    assert after[1] == before[1]
    dataset.update(1, n=6, _modifiedAt="2027-01-01T00:00:00.000Z")
    assert dataset.rows[1]["_modifiedAt"] == "2027-01-01T00:00:00.000Z"


def test_rows_keep_their_ids() -> None:
    """A removed row's id is not given to another."""
    dataset = small()
    first, second = (row["_id"] for row in dataset.rows)
    dataset.remove(0)
    dataset.add({"id": "c"})
    assert dataset.rows[0]["_id"] == second
    assert dataset.rows[1]["_id"] not in {first, second}


def test_properties_come_and_go() -> None:
    """A property is added with its values, replaced in its place, removed with its values."""
    dataset = small()
    dataset.add_property(Property("city"), ["Rome", None])
    dataset.add_property(Property("empty"))
    assert [row.get("city") for row in dataset.rows] == ["Rome", None]
    dataset.replace_property("n", Property("n", "text", name="N"))
    assert [(each.key, each.type) for each in dataset.properties][1] == ("n", "text")
    dataset.remove_property("city")
    assert [each.key for each in dataset.properties] == ["id", "n", "empty"]
    assert "city" not in dataset.rows[0]


def test_properties_are_renamed_and_retyped() -> None:
    """A property changes its name, type or key and keeps place, values and other attributes."""
    dataset = small()
    before = [dict(row) for row in dataset.rows]
    dataset.change_property("n", name="Number", type="text")
    dataset.change_property("n", key="count", calculated=True)
    assert dataset.properties[1] == Property("count", "text", "Number", calculated=True)
    assert dataset.rows[0] == {
        "_id": before[0]["_id"],
        "id": "a",
        "count": 1,
        "_modifiedAt": before[0]["_modifiedAt"],
    }


def test_rows_without_an_instant() -> None:
    """`_modifiedAt` can be null, from the beginning or by a change."""
    dataset = small()
    dataset.add({"id": "c", "_modifiedAt": None})
    dataset.update(0, _modifiedAt=None)
    assert [row["_modifiedAt"] is None for row in dataset.rows] == [True, False, True]


def test_strangers_are_mistakes() -> None:
    """A cell of a property that the dataset does not have is an error that names it."""
    with pytest.raises(ValueError, match="Small has no property 'shoe'"):
        small().add({"shoe": 1})
    with pytest.raises(ValueError, match="'shoe'"):
        small().update(0, shoe=1)


def test_a_tenant_finds_datasets() -> None:
    """By name, or by id in any case; one that is not there is a KeyError."""
    dataset = small()
    tenant = Tenant([dataset])
    assert tenant.dataset("Small") is tenant.dataset(dataset.dataset_id.lower()) is dataset
    tenant.remove(dataset)
    with pytest.raises(KeyError):
        tenant.dataset("Small")
    tenant.add(dataset)
    tenant.remove("Small")
    assert tenant.datasets == []


def test_ids_are_unique() -> None:
    """Two datasets of one name need ids of their own."""
    with pytest.raises(ValueError, match="give each its own"):
        Tenant([small(), small()])


def test_the_token_tells_its_dates() -> None:
    """The token has a JWT's three parts, and its claims hold start and end."""
    starts = datetime(2026, 2, 1, tzinfo=timezone.utc)
    ends = datetime(2026, 3, 1, tzinfo=timezone.utc)
    token = Tenant(token_starts=starts, token_expires=ends).token
    _, claims, _ = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert (read["nbf"], read["exp"]) == (starts.timestamp(), ends.timestamp())
    assert Tenant().token != token


GENERATED = ("_id", "_depth", "_height", "_span_of_control", "_is_leaf", "_is_orphan", "_change")


def tree(*rows: tuple[str, str | None]) -> list[list[object]]:
    """Compute the generated values of nodes given as (id, parent)."""
    dataset = Dataset(
        "Tree",
        properties=[Property("id", tree_id=True), Property("above", tree_parent_id=True)],
        rows=[{"id": node, "above": parent} for node, parent in rows],
        generated=GENERATED,
    )
    return [[row.get(key) for key in GENERATED[1:]] for row in dataset.snapshot().rows]


def test_generated_values_of_a_tree() -> None:
    """Depth counts from the root, height from the leaves; an orphan names a missing parent."""
    assert tree(("leaf", "mid"), ("root", None), ("mid", "root"), ("lost", "nobody")) == [
        [2, 0, 0, True, False, "none"],
        [0, 2, 1, False, False, "none"],
        [1, 1, 1, False, False, "none"],
        [0, 0, 0, True, True, "none"],
    ]


def test_circles_end() -> None:
    """Nodes on a circle get values all the same."""
    depths = [row[0] for row in tree(("a", "b"), ("b", "a"), ("self", "self"))]
    assert sorted(str(depth) for depth in depths) == ["0", "0", "1"]


def test_long_chains() -> None:
    """A chain longer than the interpreter's stack is no trouble."""
    rows = [(str(number), str(number - 1) if number else None) for number in range(3000)]
    assert tree(*reversed(rows))[0][0] == 2999


def test_generated_values_without_a_tree() -> None:
    """Without a tree, only those that need none have a value; given ones are kept."""
    dataset = Dataset("Flat", rows=[{}, {"_depth": 7}], generated=("_depth", "_change", "_new"))
    snapshot = dataset.snapshot()
    assert [(each.key, each.type) for each in snapshot.columns] == [
        ("_depth", "number"),
        ("_change", "text"),
        ("_new", "text"),
    ]
    values = [[row.get(each.key) for each in snapshot.columns] for row in snapshot.rows]
    assert values == [[None, "none", None], [7, "none", None]]
