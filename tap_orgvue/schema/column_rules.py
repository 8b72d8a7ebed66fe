"""The user's rules for single properties: types, exclusion, hashing, names, new properties."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import ColumnType, column_type_of
from tap_orgvue.schema.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_orgvue.orgvue.models import Property


class NewProperties(str, Enum):
    """What happens to a property that the catalog lacks: the setting `new_properties`."""

    ADD = "add"
    RESCUE = "rescue"
    IGNORE = "ignore"
    FAIL = "fail"


class ColumnRules(msgspec.Struct, frozen=True):
    """The settings about single properties.

    Patterns match a property's `key` or `stream.key`; patterns of `excluded` and `hashed` match
    display names in the same way. See `schema.patterns`.

    Attributes:
        types: Pattern to column type; the setting `property_types`.
        excluded: Patterns of properties that are never requested: `exclude_properties`.
        hashed: Patterns of properties whose values are sent as hashes: `hash_properties`.
        original_names: True if columns are named by Orgvue's keys: `column_names: original`.
        new_properties: What happens to a property that the catalog lacks.
        remembered: Stream name and property key to the patterns that protected the property in
            earlier runs: a rename in Orgvue unprotects nothing.
        matched: The patterns that have matched a property so far.
    """

    types: Mapping[str, ColumnType] = msgspec.field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    original_names: bool = False
    new_properties: NewProperties = NewProperties.ADD
    remembered: Mapping[tuple[str, str], frozenset[str]] = msgspec.field(default_factory=dict)
    matched: set[str] = msgspec.field(default_factory=set)

    def column_type(self, stream: str, declared: Property) -> ColumnType:
        """The type of a property's column."""
        return self.pinned_type(stream, declared) or column_type_of(declared.key, declared.type)

    def pinned_type(self, stream: str, *described: Property) -> ColumnType | None:
        """The type that the user pinned, or None; a hashed property is text.

        Args:
            stream: The stream's name.
            described: The property, once or more; see `is_excluded`.
        """
        if self.is_hashed(stream, *described):
            return ColumnType.TEXT
        key = described[0].key
        for_all = [t for pattern, t in self.types.items() if self._matches(pattern, [key])]
        name = f"{stream}.{key}"
        for_stream = [
            t
            for pattern, t in self.types.items()
            if "." in pattern and self._matches(pattern, [name])
        ]
        # A pattern for one stream wins over those for all; of several, the last one.
        return next(reversed([*for_all, *for_stream]), None)

    def is_excluded(self, stream: str, *described: Property) -> bool:
        """True if a property is never requested; Orgvue's `_id` is always requested.

        Args:
            stream: The stream's name.
            described: The property as the catalog describes it, as the export's header does, or
                both: display names change, and any of them may be the one that the user protects.
        """
        return described[0].key != ID and self._any(self.excluded, stream, described)

    def is_hashed(self, stream: str, *described: Property) -> bool:
        """True if a property's values are sent as hashes; see `is_excluded` for the arguments."""
        return self._any(self.hashed, stream, described)

    def protections(self, stream: str, *described: Property) -> list[str]:
        """The patterns of `excluded` and `hashed` that protect a property."""
        return self._matching((*self.excluded, *self.hashed), stream, described)

    def may_protect(self, key: str) -> bool:
        """True if a pattern protects a property of this key, in whichever stream."""
        return any(
            matches(end, [key])
            for pattern in (*self.excluded, *self.hashed)
            # Names of streams and keys can hold full stops themselves.
            for end in (pattern, *_behind_full_stops(pattern))
        )

    def _any(self, patterns: Iterable[str], stream: str, described: Sequence[Property]) -> bool:
        return bool(self._matching(patterns, stream, described))

    def _matching(
        self, patterns: Iterable[str], stream: str, described: Sequence[Property]
    ) -> list[str]:
        """The patterns that match now, or matched in an earlier run.

        Every pattern is tried: `matched` collects all that match.
        """
        names = {name for each in described for name in (each.key, each.name)}
        names |= {f"{stream}.{name}" for name in names}
        before = self.remembered.get((stream, described[0].key), frozenset())
        return [
            pattern for pattern in patterns if self._matches(pattern, names) or pattern in before
        ]

    def _matches(self, pattern: str, names: Iterable[str]) -> bool:
        if not matches(pattern, names):
            return False
        self.matched.add(pattern)
        return True


def _behind_full_stops(pattern: str) -> Iterator[str]:
    """The parts after each full stop: `b.c` and `c` of `a.b.c`."""
    while "." in pattern:
        pattern = pattern.partition(".")[2]
        yield pattern
