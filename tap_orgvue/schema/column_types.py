"""Column types: from Orgvue's declared type, to JSON Schema and back."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.models import MODIFIED_AT

if TYPE_CHECKING:
    from collections.abc import Mapping


class Kind(str, Enum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    INSTANT = "date-time"


def kind_of(key: str, declared_type: str) -> Kind:
    """Decide what a column holds from its property's declared type.

    Orgvue's generated instants are declared as dates; their time of day matters. The set of
    types is open: anything unknown is text, the one type that every loader stores.
    """
    if declared_type == Kind.DATE and key.startswith("_") and key.endswith("At"):
        return Kind.INSTANT
    if key == MODIFIED_AT:
        return Kind.INSTANT
    return _DECLARED.get(declared_type, Kind.TEXT)


_DECLARED: Mapping[str, Kind] = {
    "text": Kind.TEXT,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
}

_JSON_SCHEMA: Mapping[Kind, Mapping[str, Any]] = {
    Kind.TEXT: {"type": ["string", "null"]},
    Kind.NUMBER: {"type": ["number", "null"]},
    Kind.BOOLEAN: {"type": ["boolean", "null"]},
    Kind.DATE: {"type": ["string", "null"], "format": "date"},
    Kind.INSTANT: {"type": ["string", "null"], "format": "date-time"},
}


def _kind_in(declared: Mapping[str, Any]) -> Kind:
    """What a column of a catalog holds; anything unknown is text."""
    types = declared.get("type") or []
    types = [types] if isinstance(types, str) else types
    if "number" in types or "integer" in types:
        return Kind.NUMBER
    if "boolean" in types:
        return Kind.BOOLEAN
    if declared.get("format") == "date":
        return Kind.DATE
    if declared.get("format") == "date-time":
        return Kind.INSTANT
    return Kind.TEXT
