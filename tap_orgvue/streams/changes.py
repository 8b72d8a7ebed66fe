"""Changes of a dataset since the stream's last run: found, and described for the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.reporting.figures import grouped
from tap_orgvue.reporting.run_report import (
    COLUMN_EMPTIED,
    DATASET_RENAMED,
    PROPERTY_ADDED,
    PROPERTY_GONE,
    PROPERTY_RENAMED,
    PROPERTY_RETYPED,
    ROWS_CHANGED,
    Change,
)
from tap_orgvue.schema.column_types import ColumnType, column_type_of
from tap_orgvue.schema.known_properties import KnownProperties, KnownProperty

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.columns import Column

_LEAST_ROWS = 100
"""A smaller export's change is not reported."""
_MAX_NAMED = 10
"""The most properties or columns that one sentence names."""


class SeenProperties(msgspec.Struct, frozen=True):
    """The properties of a dataset that a run sees.

    Attributes:
        headers: The columns of the export.
        others: Columns of the catalog that were not requested.
        is_complete: True if a property in neither of the two no longer exists.
    """

    headers: Sequence[Property]
    others: Sequence[Column] = ()
    is_complete: bool = True

    @property
    def keys(self) -> list[str]:
        """The keys of all properties, headers first."""
        return [*(each.key for each in self.headers), *(each.key for each in self.others)]

    def remembered(self, known: KnownProperties, filled: Collection[str] | None) -> KnownProperties:
        """The properties to keep in the state for the next run.

        Args:
            known: The properties that earlier runs saw.
            filled: Keys of the properties whose columns had values; None if the export was
                partial.
        """
        found: dict[str, KnownProperty] = {}
        for header in self.headers:
            before = known.find(header.key) or KnownProperty()
            found[header.key] = KnownProperty.delivered(
                column_type_of(header.key, header.type),
                header.name,
                filled=before.filled if filled is None else header.key in filled,
            )
        kept = [column.key for column in self.others]
        if not self.is_complete:
            kept += known.others([*found, *kept])[0]
        found |= {key: known.find(key) or KnownProperty() for key in kept}
        return KnownProperties(found.items())


def property_changes(
    known: KnownProperties, seen: SeenProperties, titles: Mapping[str, str]
) -> list[Change]:
    """Compare the properties with those of earlier runs.

    Args:
        known: The properties that earlier runs saw; empty before the first run.
        seen: The properties that this run sees.
        titles: Property key to its display name in the catalog, which may be outdated.

    Returns:
        The changes by kind: added, gone, renamed, retyped; none in a first run.
    """
    if not len(known):
        return []
    added, renamed, retyped = [], [], []
    for header in seen.headers:
        before, now = known.find(header.key), column_type_of(header.key, header.type)
        if before is None:
            added.append(Change(kind=PROPERTY_ADDED, name=header.key, now=header.name))
            continue
        if before.name_digest and not before.is_called(header.name):
            title = titles.get(header.key, "")
            earlier = before.name or (title if before.is_called(title) else None)
            renamed.append(
                Change(kind=PROPERTY_RENAMED, name=header.key, before=earlier, now=header.name)
            )
        if before.type not in {None, now}:
            retyped.append(
                Change(
                    kind=PROPERTY_RETYPED,
                    name=header.key,
                    before=ColumnType(before.type).value,
                    now=now.value,
                )
            )
    added += [
        Change(kind=PROPERTY_ADDED, name=column.key, now=column.title or column.key)
        for column in seen.others
        if known.find(column.key) is None
    ]
    return [*added, *_gone(known, seen, titles), *renamed, *retyped]


def _gone(known: KnownProperties, seen: SeenProperties, titles: Mapping[str, str]) -> list[Change]:
    if not seen.is_complete:
        return []
    now = set(seen.keys)
    keys, count = known.others(now)
    # The state has no room for very long keys: only the catalog can name them.
    keys = keys or [key for key in titles if key not in now and known.find(key) is not None]
    unnamed = [""] * (count - len(keys))
    return [
        Change(kind=PROPERTY_GONE, name=key, before=_name_of(known, key) or titles.get(key))
        for key in (*keys, *unnamed)
    ]


def _name_of(known: KnownProperties, key: str) -> str | None:
    found = known.find(key)
    return found.name if found else None


def rows_change(stream: str, before: int | None, now: int, percent: int) -> list[Change]:
    """Compare the rows of a complete export with those of the last one.

    Args:
        stream: The stream's name.
        before: Rows of the last one; None if unknown.
        now: Rows of this one.
        percent: The setting `row_change_warn_percent`; 0 for never.
    """
    if before is None or not percent or max(before, now) < _LEAST_ROWS:
        return []
    if abs(now - before) * 100 <= percent * before:
        return []
    return [Change(kind=ROWS_CHANGED, name=stream, before=str(before), now=str(now))]


def describe(
    stream: str, changes: Iterable[Change], *, new_properties: str, rows_percent: int
) -> str:
    """Describe changes for the log, each with the setting that handles it.

    Args:
        stream: The stream's name.
        changes: At least one.
        new_properties: The setting of that name.
        rows_percent: The setting `row_change_warn_percent`.
    """
    found: dict[str, list[Change]] = {kind: [] for kind in _HEADINGS}
    for change in changes:
        found[change.kind].append(change)
    remedies = {
        PROPERTY_ADDED: f"`new_properties` is {new_properties}",
        ROWS_CHANGED: f"`row_change_warn_percent` is {rows_percent}",
        **_REMEDIES,
    }
    sentences = [
        f"{_HEADINGS[kind]}{_listed(map(_PHRASES[kind], some))}; {remedies[kind]}."
        for kind, some in found.items()
        if some
    ]
    return f"Stream '{stream}': its dataset changed since the last run. {' '.join(sentences)}"


_HEADINGS = {
    DATASET_RENAMED: "It is called ",
    PROPERTY_ADDED: "New properties: ",
    PROPERTY_GONE: "Properties gone: ",
    PROPERTY_RENAMED: "Renamed properties: ",
    PROPERTY_RETYPED: "Retyped properties: ",
    COLUMN_EMPTIED: "Columns without any value now: ",
    ROWS_CHANGED: "It has ",
}
"""Kind of change to the start of its sentence; in the order of the log."""

_REMEDIES = {
    DATASET_RENAMED: "the stream keeps its name, `stream_names` sets another",
    PROPERTY_GONE: "`property_names` gives a column to a successor",
    PROPERTY_RENAMED: "columns keep their names, `property_names` sets others",
    PROPERTY_RETYPED: "columns keep their types, `property_types` sets others",
    COLUMN_EMPTIED: "properties that are calculated through links need `linking_relationships`",
}

_PHRASES: Mapping[str, Callable[[Change], str]] = {
    DATASET_RENAMED: lambda change: f"{change.now!r} now, {change.before!r} before",
    PROPERTY_ADDED: lambda change: repr(change.name),
    PROPERTY_GONE: lambda change: repr(change.name) if change.name else "one with a long key",
    PROPERTY_RENAMED: lambda change: (
        f"{change.name!r} is called {change.now!r} now"
        + (f", {change.before!r} before" if change.before else "")
    ),
    PROPERTY_RETYPED: lambda change: f"{change.name!r} is {change.now} now, {change.before} before",
    COLUMN_EMPTIED: lambda change: repr(change.name),
    ROWS_CHANGED: lambda change: (
        f"{grouped(int(change.now or 0))} rows now, {grouped(int(change.before or 0))} before"
    ),
}


def _listed(texts: Iterable[str]) -> str:
    every = list(texts)
    shown = every[:_MAX_NAMED]
    if more := len(every) - len(shown):
        shown.append(f"and {grouped(more)} more")
    return ", ".join(shown)
