"""Keys with a dot in them, which Meltano hands over as levels of objects, in one piece again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _whole_patterns(types: Any) -> Any:
    """The patterns of `property_types` in one piece: Meltano takes their dots for levels."""
    return _joined(types, lambda value: isinstance(value, dict) and bool(value))


def _whole_keys(filters: Any) -> Any:
    """The property keys of `filters` likewise; an object of operators ends a key."""
    if not isinstance(filters, dict):
        return filters
    return {name: _joined(conditions, _is_below_a_dot) for name, conditions in filters.items()}


def _whole_names(table: Any) -> Any:
    """The property keys of `property_names`; a name is text and ends a key."""
    if not isinstance(table, dict):
        return table
    return {stream: _whole_patterns(names) for stream, names in table.items()}


def _is_below_a_dot(value: Any) -> bool:
    if not isinstance(value, dict) or not value:
        return False
    return all(isinstance(end, dict) and not key.startswith("$") for key, end in value.items())


def _joined(table: Any, is_cut: Callable[[Any], bool]) -> Any:
    """A table with the keys that were cut at their dots put together again."""
    if not isinstance(table, dict):
        return table
    joined: dict[str, Any] = {}
    for key, value in table.items():
        ends = _joined(value, is_cut) if is_cut(value) else None
        joined |= {key: value} if ends is None else {f"{key}.{end}": ends[end] for end in ends}
    return joined


KEYS_WITH_DOTS: Mapping[str, Callable[[Any], Any]] = {
    "property_types": _whole_patterns,
    "property_names": _whole_names,
    "filters": _whole_keys,
}
"""Settings whose keys may have one, and how to make them whole."""
