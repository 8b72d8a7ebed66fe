"""The columns of a catalog entry, with the names that the run gives them."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column, stream_schema
from tap_orgvue.schema.ownership import ColumnNaming, ColumnOwners
from tap_orgvue.streams.stream_columns import StreamColumns


def entry(**keys: str) -> list[Column]:
    """Text columns of a catalog: name to property key."""
    return [Column(name, key, ColumnType.TEXT, key.title()) for name, key in keys.items()]


def columns(
    declared: list[Column],
    *,
    loaded: list[Column] | None = None,
    pins: dict[str, str] | None = None,
    deselected: tuple[str, ...] = (),
    **rules: Any,
) -> StreamColumns:
    """The columns of the stream `people`.

    Args:
        declared: The catalog's.
        loaded: Those of an earlier run.
        pins: The setting `property_names`.
        deselected: Names in the catalog.
        **rules: Attributes of `ColumnRules`.
    """
    owners = ColumnOwners()
    owners.remember(loaded or [], complete=True)
    return StreamColumns(
        "people",
        stream_schema(declared, [], rescue=True),
        naming=ColumnNaming(owners, pins or {}),
        rules=ColumnRules(**rules),
        is_selected=lambda name: name not in deselected,
    )


def test_columns_have_their_names_of_the_catalog() -> None:
    """Where no earlier run and no pin names them otherwise."""
    found = columns(entry(pay="Pay", x="Note"))
    assert found.all == entry(pay="Pay", x="Note")
    assert found.run_names == {"pay": "pay", "x": "x"}
    assert found.catalog.selected == {"pay", "x"}
    assert found.selected == found.all
    assert list(found.warnings()) == []


def test_a_deselected_column_is_not_selected() -> None:
    """Nor is an excluded one; hashed ones are marked."""
    declared = entry(pay="pay", grade="grade", note="note")
    found = columns(declared, deselected=("grade",), excluded=("note",), hashed=("pay",))
    assert found.catalog.selected == {"pay", "note"}
    assert [(column.name, column.hashed) for column in found.selected] == [("pay", True)]
    assert [column.name for column in found.all] == ["pay", "grade", "note"]


@pytest.mark.parametrize(
    "deselected,selected",
    [
        ((), {"pay", "other"}),
        (("wage",), {"other"}),
        (("pay",), {"pay", "other"}),
        (("other",), {"pay"}),
    ],
)
def test_a_column_with_another_name_in_the_table_is_selected_by_its_catalog_name(
    deselected: tuple[str, ...], selected: set[str]
) -> None:
    """If the catalog does not know the table's name."""
    found = columns(
        entry(wage="pay", other="other"), loaded=entry(pay="pay"), deselected=deselected
    )
    assert found.run_names == {"wage": "pay", "other": "other"}
    assert found.catalog.selected == selected


@pytest.mark.parametrize(
    "deselected,selected",
    [((), {"b", "c"}), (("a",), {"c"}), (("b",), set()), (("a", "b"), set())],
)
def test_a_name_that_moved_must_be_selected_twice(
    deselected: tuple[str, ...], selected: set[str]
) -> None:
    """A rule that kept the table's column out goes on doing so, whichever property it names now."""
    found = columns(entry(a="k1", b="k2"), pins={"k1": "b", "k2": "c"}, deselected=deselected)
    assert found.run_names == {"a": "b", "b": "c"}
    assert found.catalog.selected == selected


def test_a_name_of_the_table_that_the_catalog_lacks_is_reported() -> None:
    """With the property, both names, and what it takes to be sent."""
    (line,) = columns(entry(wage="pay", other="other"), loaded=entry(pay="pay")).warnings()
    assert line == (
        "Stream 'people': the property 'pay' is 'wage' in the catalog and 'pay' in the table; it "
        "is sent as 'pay', if the catalog selects both."
    )


def test_a_pin_that_moves_a_column_is_reported() -> None:
    """The old column stays as it is; a pin that moves nothing is no news."""
    loaded = entry(pay="pay", grade="grade")
    pins = {"pay": "salary", "grade": "grade", "new": "bonus"}
    (line,) = columns(
        entry(pay="pay", grade="grade", new="new"), loaded=loaded, pins=pins
    ).warnings()
    assert line == (
        "Stream 'people': `property_names` moves 'pay' from the column 'pay' to 'salary'; 'pay' "
        "stays in the table with its last values."
    )
