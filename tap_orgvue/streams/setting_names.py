"""Checks that the streams, datasets and properties exist that settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.identity import EarlierRuns

_WILDCARDS = frozenset("*?")


def named_twice(settings: Settings, streams: Mapping[str, str]) -> list[str]:
    """Mistakes: a setting names one dataset by its stream and by its id.

    Args:
        settings: The run's settings.
        streams: Stream name to dataset id in upper case.
    """
    return [
        f"{setting}: names the stream {name!r} twice, by its name and by its dataset's id."
        for setting, table in _tables(settings).items()
        for name, dataset_id in streams.items()
        if name in table and dataset_id in table
    ]


def without_effect(
    settings: Settings, streams: Mapping[str, str], properties: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """Warnings: a setting has no effect, as the stream, dataset or property does not exist.

    Args:
        settings: The run's settings.
        streams: Stream name to dataset id in upper case.
        properties: Stream name to its properties' keys.
    """
    known = {*streams, *streams.values()}
    tables = {**_tables(settings), "stream_names": settings.stream_names}
    for setting, table in tables.items():
        for name in table:
            if name not in known:
                yield (
                    f"{setting}: there is no stream and no dataset {name!r}; what is set for it "
                    "has no effect."
                )
    for name, dataset_id in streams.items():
        pins = settings.for_stream(settings.property_names, name, dataset_id) or {}
        for key in pins.keys() - set(properties[name]):
            yield f"property_names: stream '{name}' has no property {key!r}; its pin has no effect."


def _tables(settings: Settings) -> dict[str, Mapping[str, object]]:
    return {
        "filters": settings.filters,
        "linking_relationships": settings.linking_relationships,
        "property_names": settings.property_names,
    }


def unmatched_patterns(rules: ColumnRules, earlier: EarlierRuns) -> Iterator[tuple[str, str, bool]]:
    """The patterns that match no property of any stream.

    Args:
        rules: Has looked at every property.
        earlier: Knows the properties that earlier runs protected.

    Yields:
        Setting, pattern, and True if it protects one property by its name: a misspelt one would
        send that property's values in clear.
    """
    before = {pattern for state in earlier.states.values() for pattern, _ in state.protected}
    for setting, patterns in (
        ("property_types", rules.types),
        ("exclude_properties", rules.excluded),
        ("hash_properties", rules.hashed),
    ):
        for pattern in patterns:
            if pattern not in rules.matched:
                names_one = not _WILDCARDS & set(pattern) and pattern not in before
                yield setting, pattern, names_one and setting != "property_types"
