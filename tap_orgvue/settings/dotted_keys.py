"""Joins keys that Meltano cut at their dots: `{"a.b": 1}` arrives as `{"a": {"b": 1}}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _join_patterns(types: Any) -> Any:
    """`property_types`: pattern to type. Every object in it is a cut key."""
    return _join(types, lambda value: isinstance(value, dict) and bool(value))


def _join_names(table: Any) -> Any:
    """`property_names`: stream to property key to column name. Cut keys are below the stream."""
    if not isinstance(table, dict):
        return table
    return {stream: _join_patterns(names) for stream, names in table.items()}


def _join_filters(filters: Any) -> Any:
    """`filters`: stream to property key to condition. A condition may be an object, too."""
    if not isinstance(filters, dict):
        return filters
    return {stream: _join(conditions, _is_cut_key) for stream, conditions in filters.items()}


def _is_cut_key(value: Any) -> bool:
    """True if the value of a key in a filter continues the key; operators begin with `$`."""
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(end, dict) and not key.startswith("$") for key, end in value.items())


def _join(table: Any, is_cut: Callable[[Any], bool]) -> Any:
    """A table whose cut keys are whole."""
    if not isinstance(table, dict):
        return table
    joined: dict[str, Any] = {}
    for key, value in table.items():
        ends = _join(value, is_cut) if is_cut(value) else None
        joined |= {key: value} if ends is None else {f"{key}.{end}": ends[end] for end in ends}
    return joined


KEYS_WITH_DOTS: Mapping[str, Callable[[Any], Any]] = {
    "property_types": _join_patterns,
    "property_names": _join_names,
    "filters": _join_filters,
}
"""Setting to the function that joins its keys; what is no object passes unchanged."""
