"""What a user said of single properties: what they hold, and which are hidden or hashed."""

from __future__ import annotations

import fnmatch
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import Kind, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.settings.settings import Settings


class NewProperties(str, Enum):
    """The setting `new_properties`."""

    ADD = "add"
    RESCUE = "rescue"
    IGNORE = "ignore"
    FAIL = "fail"


class PropertyRules(msgspec.Struct, frozen=True):
    """The settings `property_types`, `exclude_properties` and `hash_properties`.

    Patterns know * and ?, in any case: `key`, `stream.key`, and for hiding also display names.

    Attributes:
        matched: The patterns that met a property.
    """

    settings: Settings
    matched: set[str] = msgspec.field(default_factory=set)

    def kind(self, stream: str, declared: Property) -> Kind:
        """What a property's column holds."""
        pinned = self.pinned(stream, declared)
        return pinned or kind_of(declared.key, declared.type)

    def pinned(self, stream: str, declared: Property) -> Kind | None:
        """What the user pinned a property to; a hash is text."""
        if self.is_hashed(stream, declared):
            return Kind.TEXT
        names = (f"{stream}.{declared.key}", declared.key)
        matching = [p for p in self.settings.property_types if self._matches(p, names)]
        if not matching:
            return None
        # A pattern that names the stream is the more special one; then the later wins.
        best = max(matching, key=lambda p: ("." in p, matching.index(p)))
        return self.settings.property_types[best]

    def is_excluded(self, stream: str, declared: Property) -> bool:
        """Whether a property is never asked for. Orgvue's own `_id` says nothing of anybody."""
        return declared.key != ID and self._any(self.settings.exclude_properties, stream, declared)

    def is_hashed(self, stream: str, declared: Property) -> bool:
        """Whether the hash of a property's values is sent in their place."""
        return self._any(self.settings.hash_properties, stream, declared)

    @property
    def unmatched(self) -> list[str]:
        """The patterns that met no property so far."""
        given = (
            *self.settings.property_types,
            *self.settings.exclude_properties,
            *self.settings.hash_properties,
        )
        return [pattern for pattern in given if pattern not in self.matched]

    def _any(self, patterns: Iterable[str], stream: str, declared: Property) -> bool:
        names = (f"{stream}.{declared.key}", declared.key, declared.name)
        # Every pattern is tried, so that all that match are known to.
        matching = [pattern for pattern in patterns if self._matches(pattern, names)]
        return bool(matching)

    def _matches(self, pattern: str, names: Iterable[str]) -> bool:
        folded = pattern.casefold()
        for name in names:
            if folded == name.casefold() or fnmatch.fnmatchcase(name.casefold(), folded):
                self.matched.add(pattern)
                return True
        return False
