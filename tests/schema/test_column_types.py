"""The type of a column, from Orgvue's."""

from __future__ import annotations

import pytest

from tap_orgvue.schema.column_types import ColumnType, column_type_of


@pytest.mark.parametrize(
    "key,declared,kind",
    [
        ("x", "text", ColumnType.TEXT),
        ("x", "number", ColumnType.NUMBER),
        ("x", "boolean", ColumnType.BOOLEAN),
        ("x", "date", ColumnType.DATE),
        ("_createdAt", "date", ColumnType.DATE_TIME),
        ("_modifiedAt", "text", ColumnType.DATE_TIME),
        ("createdAt", "date", ColumnType.DATE),
        ("_at", "date", ColumnType.DATE),
        ("_depth", "number", ColumnType.NUMBER),
        ("x", "date-time", ColumnType.TEXT),
        ("x", "", ColumnType.TEXT),
        ("x", "hyperlink", ColumnType.TEXT),
    ],
)
def test_declared_types(key: str, declared: str, kind: ColumnType) -> None:
    """Documented types have their kind; generated instants are told by their key; else text."""
    assert column_type_of(key, declared) is kind
