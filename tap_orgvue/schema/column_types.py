"""Column types: from Orgvue's declared type, to JSON Schema and back."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.models import MODIFIED_AT

if TYPE_CHECKING:
    from collections.abc import Mapping


class ColumnType(str, Enum):
    """The type of a column; values are those of the setting `property_types`."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATE_TIME = "date-time"


_DECLARED: Mapping[str, ColumnType] = {
    "text": ColumnType.TEXT,
    "number": ColumnType.NUMBER,
    "boolean": ColumnType.BOOLEAN,
    "date": ColumnType.DATE,
}

_JSON_SCHEMA: Mapping[ColumnType, Mapping[str, Any]] = {
    ColumnType.TEXT: {"type": ["string", "null"]},
    ColumnType.NUMBER: {"type": ["number", "null"]},
    ColumnType.BOOLEAN: {"type": ["boolean", "null"]},
    ColumnType.DATE: {"type": ["string", "null"], "format": "date"},
    ColumnType.DATE_TIME: {"type": ["string", "null"], "format": "date-time"},
}


def column_type_of(key: str, declared_type: str) -> ColumnType:
    """The column type of a property.

    Orgvue declares its generated instants (`_modifiedAt`) as dates, but they have a time of day.
    Orgvue's set of types is open: an unknown type becomes text, which every loader stores.

    Args:
        key: The property's key.
        declared_type: The type that Orgvue declares.
    """
    if declared_type == ColumnType.DATE and key.startswith("_") and key.endswith("At"):
        return ColumnType.DATE_TIME
    if key == MODIFIED_AT:
        return ColumnType.DATE_TIME
    return _DECLARED.get(declared_type, ColumnType.TEXT)


def to_json_schema(column_type: ColumnType, *, nullable: bool) -> dict[str, Any]:
    """The JSON Schema of a column's values."""
    schema = dict(_JSON_SCHEMA[column_type])
    if not nullable:
        schema["type"] = [name for name in schema["type"] if name != "null"]
    return schema


def from_json_schema(schema: Mapping[str, Any]) -> ColumnType:
    """The column type of a catalog's schema; text where it is unknown."""
    # One name or a list of them: `in` finds a name in both.
    types = schema.get("type") or ()
    if "number" in types or "integer" in types:
        return ColumnType.NUMBER
    if "boolean" in types:
        return ColumnType.BOOLEAN
    if schema.get("format") == "date":
        return ColumnType.DATE
    if schema.get("format") == "date-time":
        return ColumnType.DATE_TIME
    return ColumnType.TEXT
