"""The type of a column, from Orgvue's."""

from __future__ import annotations

import pytest

from tap_orgvue.values import (
    Kind,
    kind_of,
)


@pytest.mark.parametrize(
    "key,declared,kind",
    [
        ("x", "text", Kind.TEXT),
        ("x", "number", Kind.NUMBER),
        ("x", "boolean", Kind.BOOLEAN),
        ("x", "date", Kind.DATE),
        ("_createdAt", "date", Kind.INSTANT),
        ("_modifiedAt", "text", Kind.INSTANT),
        ("createdAt", "date", Kind.DATE),
        ("_at", "date", Kind.DATE),
        ("_depth", "number", Kind.NUMBER),
        ("x", "date-time", Kind.TEXT),
        ("x", "", Kind.TEXT),
        ("x", "hyperlink", Kind.TEXT),
    ],
)
def test_declared_types(key: str, declared: str, kind: Kind) -> None:
    """Documented types have their kind; generated instants are told by their key; else text."""
    assert kind_of(key, declared) is kind
