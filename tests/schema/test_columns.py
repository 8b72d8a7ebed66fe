"""Columns: from properties to a schema, and back from a catalog."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType, from_json_schema, to_json_schema
from tap_orgvue.schema.columns import (
    CatalogColumns,
    Column,
    columns_in,
    columns_of,
    stream_schema,
)
from tap_orgvue.schema.ownership import ColumnNaming

COLUMN = Column("base_pay", "Base Pay", ColumnType.NUMBER, "Pay")


def test_a_column_is_reported_by_its_schema() -> None:
    """Type, display name and key stand in the column's schema; without a display name, the key."""
    assert COLUMN.json_schema() == {
        "type": ["number", "null"],
        "title": "Pay",
        "description": "Orgvue property: Base Pay",
    }
    assert COLUMN.json_schema(nullable=False)["type"] == ["number"]
    assert Column("a", "A", ColumnType.TEXT).json_schema()["title"] == "A"
    assert COLUMN.property == Property("Base Pay", "Pay")
    assert Column("a", "A", ColumnType.TEXT).property == Property("A", "A")


def test_columns_survive_a_catalog() -> None:
    """The columns that a schema is made of are read from it, without `_rescued_data`."""
    columns = [COLUMN, Column("day", "Day", ColumnType.DATE, "Day"), Column("id", "_id", *TEXT)]
    schema = stream_schema(columns, ["id"], rescue=True)
    assert schema["type"] == "object"
    assert list(schema["properties"]) == ["base_pay", "day", "id", "_rescued_data"]
    assert schema["properties"]["id"]["type"] == ["string"]
    assert schema["properties"]["day"]["type"] == ["string", "null"]
    assert columns_in(schema) == columns
    without = stream_schema(columns, ["id"], rescue=False)
    assert list(without["properties"]) == ["base_pay", "day", "id"]


TEXT = (ColumnType.TEXT, "Id")


def test_a_schema_of_the_users_own_is_read() -> None:
    """A column without a property in its description has its name as its key."""
    schema = {"properties": {"a": {"type": "string", "description": "My words"}, "b": {}}}
    assert columns_in(schema) == [
        Column("a", "a", ColumnType.TEXT),
        Column("b", "b", ColumnType.TEXT),
    ]
    assert columns_in({}) == []


@pytest.mark.parametrize("selected,every", [({"base_pay"}, False), ({"base_pay", "a"}, True)])
def test_whether_all_columns_are_selected(selected: set[str], every: bool) -> None:  # noqa: FBT001 - a case
    """Only where no column is deselected are all of them selected."""
    columns = [COLUMN, Column("a", "a", ColumnType.TEXT)]
    assert CatalogColumns("s", columns, frozenset(selected)).all_selected(ColumnRules()) == every


def test_an_excluded_column_need_not_be_selected() -> None:
    """Where only excluded properties are deselected, all columns count as selected."""
    columns = [COLUMN, Column("a", "a", ColumnType.TEXT)]
    catalog = CatalogColumns("s", columns, frozenset({"a"}))
    assert catalog.all_selected(ColumnRules(excluded=("Pay",)))
    assert not catalog.all_selected(ColumnRules(excluded=("a",)))


@pytest.mark.parametrize("column_type", list(ColumnType))
def test_a_type_survives_its_schema(column_type: ColumnType) -> None:
    """A type is read from the schema that it was written to; a key's type has no null."""
    for nullable in (True, False):
        schema = to_json_schema(column_type, nullable=nullable)
        assert ("null" in schema["type"]) == nullable
        assert from_json_schema(schema) is column_type


@pytest.mark.parametrize(
    "schema,column_type",
    [
        ({}, ColumnType.TEXT),
        ({"type": "integer"}, ColumnType.NUMBER),
        ({"type": ["null", "integer"]}, ColumnType.NUMBER),
        ({"type": "boolean"}, ColumnType.BOOLEAN),
        ({"type": ["object", "null"]}, ColumnType.TEXT),
        ({"format": "date"}, ColumnType.DATE),
        ({"type": "string", "format": "time"}, ColumnType.TEXT),
    ],
)
def test_schemas_of_other_hands_have_a_type(
    schema: dict[str, object], column_type: ColumnType
) -> None:
    """JSON Schemas in other forms have the nearest type, else text."""
    assert from_json_schema(schema) is column_type


def test_properties_become_columns() -> None:
    """Names are given, types are declared or pinned, hashing is by the rules."""
    rules = ColumnRules(types={"level": ColumnType.NUMBER}, hashed=("Full*",))
    properties = [
        Property("Full Name", "Name", "text"),
        Property("level", "Level", "text"),
        Property("bonus", "Bonus", "number"),
    ]
    names = {"Full Name": "full_name", "level": "level", "bonus": "extra"}
    assert columns_of(properties, rules, "people", names) == [
        Column("full_name", "Full Name", ColumnType.TEXT, "Name", hashed=True),
        Column("level", "level", ColumnType.NUMBER, "Level"),
        Column("extra", "bonus", ColumnType.NUMBER, "Bonus"),
    ]


def test_original_names_are_keys() -> None:
    """With original names a column is called as its key, unless that is the tap's own column."""
    names = ColumnNaming(original=True).names(["A b", "_rescued_data"])
    assert names["A b"] == "A b"
    assert names["_rescued_data"] != "_rescued_data"
