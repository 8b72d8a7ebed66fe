"""Joins keys that Meltano cut at their dots: `{"a.b": 1}` arrives as `{"a": {"b": 1}}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def join_keys(table: Mapping[str, Any]) -> dict[str, Any]:
    """A table of texts, without objects: every object in it is a cut key."""
    return _join(table, lambda value: isinstance(value, dict) and bool(value))


def join_filter_keys(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions of a filter: a condition may be an object, too, of operators."""
    return _join(conditions, _is_cut_key)


def _is_cut_key(value: Any) -> bool:
    """True if the value of a key in a filter continues the key; operators begin with `$`."""
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(end, dict) and not key.startswith("$") for key, end in value.items())


def _join(table: Mapping[str, Any], is_cut: Callable[[Any], bool]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for key, value in table.items():
        ends = _join(value, is_cut) if is_cut(value) else None
        joined |= {key: value} if ends is None else {f"{key}.{end}": ends[end] for end in ends}
    return joined
