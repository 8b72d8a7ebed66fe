"""Columns of a stream: from properties, to the stream's JSON Schema, and back from a catalog.

A schema carries each property's key in the column's `description`, which survives a round trip
through a catalog. A sync with a catalog thus knows Orgvue's keys without a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.column_types import ColumnType, from_json_schema, to_json_schema
from tap_orgvue.schema.naming import RESCUED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.schema.column_rules import ColumnRules

_KEY_PREFIX = "Orgvue property: "

RESCUED_SCHEMA: Mapping[str, Any] = {
    "type": ["string", "null"],
    "title": "Rescued data",
    "description": "Values that do not fit their column: a JSON object by the column's name.",
}
"""JSON as text: object columns break CSV and Parquet loaders, and have no SQL null in JSONB."""


class Column(msgspec.Struct, frozen=True):
    """A column of a stream, and its property.

    Attributes:
        name: The column's name, as selections and stream maps have it.
        key: The property's key, as requests have it.
        type: The type of the column's values.
        title: The property's display name.
        hashed: True if the column holds hashes of the property's values.
    """

    name: str
    key: str
    type: ColumnType
    title: str = ""
    hashed: bool = False

    @property
    def property(self) -> Property:
        """The property, without its declared type."""
        return Property(self.key, self.title or self.key)

    def json_schema(self, *, nullable: bool = True) -> dict[str, Any]:
        """The column's entry in the stream's schema."""
        schema = to_json_schema(self.type, nullable=nullable)
        return {**schema, "title": self.title or self.key, "description": _KEY_PREFIX + self.key}


class CatalogColumns(msgspec.Struct, frozen=True):
    """The columns of a stream in the catalog.

    Attributes:
        stream: The stream's name.
        columns: All columns.
        selected: Names of the selected columns.
    """

    stream: str
    columns: Sequence[Column]
    selected: frozenset[str]

    def all_selected(self, rules: ColumnRules) -> bool:
        """True if every column is selected, apart from those of excluded properties."""
        return all(
            column.name in self.selected or rules.is_excluded(self.stream, column.property)
            for column in self.columns
        )


def columns_of(
    properties: Sequence[Property],
    rules: ColumnRules,
    stream: str,
    names: Mapping[str, str],
) -> list[Column]:
    """Make a column for each property.

    Args:
        properties: In the export's order.
        rules: The user's rules for single properties.
        stream: The stream's name.
        names: Property key to column name.
    """
    return [
        Column(
            names[declared.key],
            declared.key,
            rules.column_type(stream, declared),
            declared.name,
            rules.is_hashed(stream, declared),
        )
        for declared in properties
    ]


def stream_schema(
    columns: Iterable[Column], key_columns: Sequence[str], *, rescue: bool
) -> dict[str, Any]:
    """The JSON Schema of a stream.

    Args:
        columns: In the schema's order.
        key_columns: Names of the key's columns, which are not nullable.
        rescue: True if the schema has the column `_rescued_data`.
    """
    properties = {
        column.name: column.json_schema(nullable=column.name not in key_columns)
        for column in columns
    }
    if rescue:
        properties[RESCUED] = dict(RESCUED_SCHEMA)
    return {"type": "object", "properties": properties}


def columns_in(schema: Mapping[str, Any]) -> list[Column]:
    """The columns of a catalog's schema.

    A column whose description names no property, from a schema that a user wrote, has its name as
    its key.
    """
    columns = []
    for name, declared in schema.get("properties", {}).items():
        if name == RESCUED:
            continue
        description = declared.get("description") or ""
        named = description.startswith(_KEY_PREFIX)
        key = description.removeprefix(_KEY_PREFIX) if named else name
        columns.append(Column(name, key, from_json_schema(declared), declared.get("title") or ""))
    return columns
