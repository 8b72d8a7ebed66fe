"""Makes records of item actions: `{"_action": …, "_id": …, property key: value}`.

The API guide ("Drafts") documents this form. A value stays the JSON text that Orgvue sent, unless
it is hashed or contains NUL characters, NaN or lone surrogates, which databases refuse.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.lossy_json import holds_nul
from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import ID
from tap_orgvue.records.values import Counts, Fitter, Misfit, json_text, read_cell
from tap_orgvue.schema.change_rules import LINK_KEYS, KnownTreatments, Treatment
from tap_orgvue.schema.column_types import ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.schema.change_rules import ChangeRules

Record = dict[str, Any]

ACTION = "_action"
"""The key of an action's word."""

KNOWN_ACTIONS = (
    "create",
    "update",
    "replace",
    "delete",
    "noop",
    "createOrUpdate",
    "createOrReplace",
)
"""The words that the API guide documents ("Drafts")."""

_MOST_KEYS = 1000
"""The most keys that are counted one by one."""
_NULL, _QUOTE = b"null", b'"'
_NESTED = frozenset({b"{", b"["})
_UNREADABLE = "an action is not UTF-8 text, or nested too deeply"

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def elements_of(block: bytes) -> list[bytes]:
    """The JSON text of each element of an array; it may hold NaN and lone surrogates.

    Raises:
        msgspec.DecodeError: The block is no array, or ends within an element.
    """
    try:
        return [bytes(element) for element in _ELEMENTS.decode(block)]
    except msgspec.DecodeError:
        try:
            elements = read_cell(block)
        except (ValueError, RecursionError):
            elements = None
        if not isinstance(elements, list):
            raise
    return [json_text(element).encode() for element in elements]


class ActionCounts(msgspec.Struct):
    """Totals of the actions of a run.

    Attributes:
        rows: The number of actions.
        unknown_words: The number of actions whose word is not documented, or missing.
        left_out: Treatment and key to the number of values that were left out.
        other_keys: The number of values left out of further keys, which are not counted by key.
        cells: Holds the number of NUL characters removed.
    """

    rows: int = 0
    unknown_words: int = 0
    left_out: Counter[tuple[Treatment, str]] = msgspec.field(default_factory=Counter)
    other_keys: int = 0
    cells: Counts = msgspec.field(default_factory=Counts)

    def leave_out(self, treatment: Treatment, key: str) -> None:
        """Count a value that is left out."""
        if (treatment, key) in self.left_out or len(self.left_out) < _MOST_KEYS:
            self.left_out[treatment, key] += 1
        else:
            self.other_keys += 1


class ActionMaker:
    """Makes the records of the actions of one draft."""

    def __init__(self, rules: ChangeRules, *, hash_key: bytes | None, counts: ActionCounts) -> None:
        """Keep the rules; each key's treatment is decided when the key first occurs.

        Args:
            rules: What happens to the values of each key.
            hash_key: The secret key of the hashes.
            counts: The totals of the run, which the maker adds to.
        """
        self._rules = rules
        self._treatments = KnownTreatments(rules)
        self._hash_key = hash_key or b""
        self._counts = counts
        self._fitter = Fitter(counts.cells)
        self._names: dict[str, bytes] = {}

    def record(self, raw: bytes) -> Record:
        """The members `action`, `item_id`, `from_id`, `to_id` and `changes` of a record.

        Args:
            raw: The JSON text of an action.

        Raises:
            MalformedResponse: It is no object, no UTF-8 or nested too deeply; the message contains
                no part of it.
        """
        try:
            return self._record(raw)
        except (UnicodeDecodeError, RecursionError):
            raise MalformedResponse(_UNREADABLE) from None

    def _record(self, raw: bytes) -> Record:
        members, is_strict = self._members(raw)
        action = self._word(members.pop(ACTION, _NULL))
        self._counts.rows += 1
        ids = {ID: members.pop(ID)} if ID in members else {}
        if all(key in members for key in LINK_KEYS) and (not ids or self._rules.is_of_links):
            ids |= {key: members.pop(key) for key in LINK_KEYS}
        sent = {key: self._sent_id(key, cell, is_strict=is_strict) for key, cell in ids.items()}
        return {
            "action": action,
            "item_id": self._text(sent.get(ID)),
            "from_id": self._text(sent.get(LINK_KEYS[0])),
            "to_id": self._text(sent.get(LINK_KEYS[1])),
            "changes": self._changes(members, is_strict=is_strict),
        }

    def _members(self, raw: bytes) -> tuple[dict[str, bytes], bool]:
        """Key to the JSON text of its value, and True if all of it is strict JSON."""
        try:
            return {key: bytes(cell) for key, cell in _MEMBERS.decode(raw).items()}, True
        except msgspec.DecodeError:
            # NaN or a lone surrogate, or no object.
            whole = read_cell(raw)
        if not isinstance(whole, dict):
            raise MalformedResponse("an action is not an object")
        return {key: json_text(cell).encode() for key, cell in whole.items()}, False

    def _word(self, raw: bytes) -> str | None:
        """The action's word; None if the value is no text."""
        word = self._text(raw) if raw.startswith(_QUOTE) else None
        if word not in KNOWN_ACTIONS:
            self._counts.unknown_words += 1
        return word

    def _sent(self, key: str, raw: bytes, *, is_strict: bool) -> bytes | None:
        """The JSON text to send for a value; None if it is left out."""
        treatment = self._treatments[key]
        if treatment is Treatment.SEND and raw[:1] in _NESTED:
            nested = self._treatments.holds_unsent(read_cell(raw))
            treatment = Treatment.NESTED if nested else treatment
        if treatment is Treatment.SEND:
            return self._storable(raw, is_strict=is_strict)
        if treatment is Treatment.HASH:
            return self._hash(self._rules.declared_type(key), raw)
        self._counts.leave_out(treatment, key)
        return None

    def _sent_id(self, key: str, raw: bytes, *, is_strict: bool) -> bytes | None:
        """The JSON text to send for an id; None for a nested value, which may hold properties."""
        if raw[:1] in _NESTED:
            self._counts.leave_out(Treatment.NO_ID, key)
            return None
        return self._sent(key, raw, is_strict=is_strict)

    def _changes(self, members: Mapping[str, bytes], *, is_strict: bool) -> str:
        parts = []
        for key, raw in members.items():
            sent = self._sent(key, raw, is_strict=is_strict)
            if sent is not None:
                parts.append(self._name(key) + sent)
        return (b"{%b}" % b",".join(parts)).decode()

    def _name(self, key: str) -> bytes:
        """The JSON text of a key of the dataset, with its colon."""
        if key not in self._names:
            text = json.dumps(self._fitter.storable(key), ensure_ascii=False)
            self._names[key] = text.encode() + b":"
        return self._names[key]

    def _storable(self, raw: bytes, *, is_strict: bool) -> bytes:
        """A value's JSON text as received, without what databases refuse in JSON."""
        if is_strict and not holds_nul(raw):
            return raw
        return json_text(self._fitter.storable(read_cell(raw))).encode()

    def _text(self, raw: bytes | None) -> str | None:
        """The text of a cell; None if it is null or left out."""
        if raw is None or raw == _NULL:
            return None
        if raw.startswith(_QUOTE) and b"\\" not in raw:
            return raw[1:-1].decode()
        fitted = self._fitter.fit(ColumnType.TEXT, raw)
        return str(fitted.fitted if isinstance(fitted, Misfit) else fitted)

    def _hash(self, declared: ColumnType, raw: bytes) -> bytes:
        """The hash of a value, as the column of its property has it, in JSON."""
        hashed = self._fitter.hashed(declared, raw, self._hash_key)
        return _NULL if hashed is None else b'"%b"' % hashed.encode()
