"""The treatment of each property in a draft's changes, by the rules of the draft's dataset.

In doubt a property is left out: an unknown one, one that the run does not read, and every property
of a dataset whose properties cannot be read.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tap_orgvue.orgvue.models import ID
from tap_orgvue.schema.column_types import ColumnType, column_type_of
from tap_orgvue.schema.naming import DRAFT_ACTIONS_STREAM
from tap_orgvue.schema.patterns import same_forms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.column_rules import ColumnRules

LINK_KEYS = ("from_id", "to_id")
"""The keys of both ends of a link."""

_LINK_DATASET = frozenset({*LINK_KEYS, "link_id"})
"""Property keys that every LINKS dataset has (API guide, "Properties")."""


class Treatment(Enum):
    """What happens to the values of a property; the text of a member is for the log."""

    SEND = "sent"
    HASH = "hashed"
    EXCLUDED = "excluded by `exclude_properties`"
    DESELECTED = "deselected, or not read in this run"
    UNKNOWN = "no known property of the dataset"
    UNREADABLE = "of a dataset whose properties cannot be read"
    NO_ID = "an id that is neither a text nor a number"
    UNSURE = "not read and unprotected in every dataset that may be meant"
    NESTED = "nested, and hold a property that is not sent"

    @property
    def is_sent(self) -> bool:
        """True if values are sent, in clear or as hashes."""
        return self in {Treatment.SEND, Treatment.HASH}

    @property
    def is_intended(self) -> bool:
        """True if the user's own settings and selection decide it."""
        return self.is_sent or self in {Treatment.EXCLUDED, Treatment.DESELECTED}


class ChangeRules(Protocol):
    """Decides what happens to the values in a draft's changes, by property key."""

    def treatment(self, key: str) -> Treatment:
        """What happens to the values of a property."""

    def declared_type(self, key: str) -> ColumnType:
        """The declared type of a property, which its hashes depend on."""

    def protected_names(self) -> set[str]:
        """Keys and display names of the properties that are excluded or hashed."""

    @property
    def is_of_links(self) -> bool:
        """True if the dataset is known to be one of links."""

    @property
    def are_known(self) -> bool:
        """True if Orgvue tells the properties of each dataset that is or may be meant."""


class DatasetRules(msgspec.Struct, frozen=True):
    """The rules of one dataset.

    Attributes:
        stream: The name of its stream, for patterns such as `stream.key`.
        rules: The user's rules for single properties, with what earlier runs protected.
        properties: Key to the property as the catalog and as Orgvue describes it, one or both.
        read: The keys that the run reads.
        are_known: False if Orgvue refuses the dataset's properties: then only `_id` is sent.
    """

    stream: str
    rules: ColumnRules
    properties: Mapping[str, Sequence[Property]]
    read: AbstractSet[str]
    are_known: bool = True

    def treatment(self, key: str) -> Treatment:
        """What happens to the values of a property."""
        described = self.properties.get(key)
        if described is None:
            return Treatment.UNKNOWN if self.are_known else Treatment.UNREADABLE
        if not self.are_known and key != ID:
            return Treatment.UNREADABLE
        if any(self.rules.is_excluded(stream, *described) for stream in self._streams):
            return Treatment.EXCLUDED
        if key not in self.read:
            return Treatment.DESELECTED
        if any(self.rules.is_hashed(stream, *described) for stream in self._streams):
            return Treatment.HASH
        return Treatment.SEND

    def declared_type(self, key: str) -> ColumnType:
        """The declared type of a property, which its hashes depend on."""
        types = [each.type for each in self.properties.get(key, ()) if each.type]
        return column_type_of(key, types[0]) if types else ColumnType.TEXT

    @property
    def is_of_links(self) -> bool:
        """True if the dataset has the properties of links."""
        return self.properties.keys() >= _LINK_DATASET

    @property
    def _streams(self) -> tuple[str, str]:
        # A pattern for the stream of actions protects a property in drafts only.
        return self.stream, DRAFT_ACTIONS_STREAM

    def protected_names(self) -> set[str]:
        """Keys and display names of the properties that are excluded or hashed."""
        protected = {key for _, key in self.protections()}
        names = {each.name for key in protected for each in self.properties.get(key, ())}
        return protected | names

    def protections(self) -> list[tuple[str, str]]:
        """Pattern and key of each protected property."""
        return [
            (pattern, key)
            for key, described in self.properties.items()
            for stream in self._streams
            for pattern in self.rules.protections(stream, *described)
        ]


class AnyDatasetRules:
    """The rules for a draft whose dataset is unknown: all datasets' rules together."""

    is_of_links = False

    def __init__(self, datasets: Sequence[DatasetRules]) -> None:
        """Take the rules of every dataset of the tenant."""
        self._datasets = datasets

    def treatment(self, key: str) -> Treatment:
        """What happens to the values of a property; none are hashed.

        A property is sent only if every dataset that has it reads it, and none protects it. Every
        dataset has `_id`.
        """
        found = {each.treatment(key) for each in self._datasets} - {Treatment.UNKNOWN}
        if not found:
            return Treatment.UNKNOWN
        return Treatment.SEND if found == {Treatment.SEND} else Treatment.UNSURE

    def protected_names(self) -> set[str]:
        """Keys and display names of the properties that any dataset protects."""
        return {name for each in self._datasets for name in each.protected_names()}

    @property
    def are_known(self) -> bool:
        """True if Orgvue tells the properties of all datasets."""
        return all(each.are_known for each in self._datasets)

    def declared_type(self, key: str) -> ColumnType:
        """Text: no value is hashed."""
        del key
        return ColumnType.TEXT


class KnownTreatments(dict[str, Treatment]):
    """Property key to treatment; computed at the first access, and kept for 10 000 keys."""

    _MOST = 10_000

    def __init__(self, rules: ChangeRules) -> None:
        """Compute nothing yet."""
        super().__init__()
        self._rules = rules
        self._protected: frozenset[str] | None = None

    def __missing__(self, key: str) -> Treatment:
        """Compute a key's treatment."""
        treatment = self._rules.treatment(key)
        if len(self) < self._MOST:
            self[key] = treatment
        return treatment

    def holds_unsent(self, value: Any) -> bool:
        """True if a nested value has a member named like a property that is not sent as it is."""
        if isinstance(value, list):
            return any(map(self.holds_unsent, value))
        if isinstance(value, dict):
            return any(map(self._is_unsent, value)) or any(map(self.holds_unsent, value.values()))
        return False

    def _is_unsent(self, name: str) -> bool:
        if self._protected is None:
            self._protected = protected_forms(self._rules)
        unsent = self[name] not in {Treatment.SEND, Treatment.UNKNOWN}
        return unsent or not self._protected.isdisjoint(same_forms(name))


def protected_forms(rules: ChangeRules) -> frozenset[str]:
    """The names of protected properties, in the forms in which names are compared."""
    return frozenset(form for name in rules.protected_names() for form in same_forms(name))
