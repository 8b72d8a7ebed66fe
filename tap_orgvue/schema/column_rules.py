"""The user's rules for single properties: types, exclusion, hashing, names, new properties."""

from __future__ import annotations

import fnmatch
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import ColumnType, column_type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_orgvue.orgvue.models import Property


class NewProperties(str, Enum):
    """What happens to a property that the catalog lacks: the setting `new_properties`."""

    ADD = "add"
    RESCUE = "rescue"
    IGNORE = "ignore"
    FAIL = "fail"


class ColumnRules(msgspec.Struct, frozen=True):
    """The settings about single properties.

    Patterns have the wildcards `*` and `?`, ignore case, and match `key` or `stream.key`; patterns
    of `excluded` and `hashed` match display names too.

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

    def pinned_type(self, stream: str, declared: Property) -> ColumnType | None:
        """The type that the user pinned, or None; a hashed property is text."""
        if self.is_hashed(stream, declared):
            return ColumnType.TEXT
        names = (f"{stream}.{declared.key}", declared.key)
        matching = [pattern for pattern in self.types if self._matches(pattern, names)]
        if not matching:
            return None
        # A pattern with a stream wins; of several, the last one.
        best = max(matching, key=lambda pattern: ("." in pattern, matching.index(pattern)))
        return self.types[best]

    def is_excluded(self, stream: str, declared: Property) -> bool:
        """True if a property is never requested; Orgvue's `_id` is always requested."""
        return declared.key != ID and self._any(self.excluded, stream, declared)

    def is_hashed(self, stream: str, declared: Property) -> bool:
        """True if a property's values are sent as hashes."""
        return self._any(self.hashed, stream, declared)

    def protections(self, stream: str, declared: Property) -> list[str]:
        """The patterns of `excluded` and `hashed` that protect a property."""
        return self._matching((*self.excluded, *self.hashed), stream, declared)

    def _any(self, patterns: Iterable[str], stream: str, declared: Property) -> bool:
        return bool(self._matching(patterns, stream, declared))

    def _matching(self, patterns: Iterable[str], stream: str, declared: Property) -> list[str]:
        """The patterns that match now, or matched in an earlier run; every one is tried."""
        names = (f"{stream}.{declared.key}", declared.key, declared.name)
        before = self.remembered.get((stream, declared.key), frozenset())
        return [
            pattern for pattern in patterns if self._matches(pattern, names) or pattern in before
        ]

    def _matches(self, pattern: str, names: Iterable[str]) -> bool:
        folded = pattern.casefold()
        for name in names:
            if folded == name.casefold() or fnmatch.fnmatchcase(name.casefold(), folded):
                self.matched.add(pattern)
                return True
        return False
