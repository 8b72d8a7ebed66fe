"""The property that owns each column name of a table, from run to run.

The state keeps a digest of every name and key instead of the texts: a few bytes a column. Only a
name that differs from the key's own fresh name is kept as text. Where the state has the key itself
(see `known_properties`), its digest is left out.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.naming import RESCUED, column_names, own_column_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_orgvue.schema.columns import Column

_DIGEST_LENGTH = 5
"""Characters of 6 bits: one of a billion for two columns to be mistaken for one another."""
_RECORD_LENGTH = 1 + 2 * _DIGEST_LENGTH
_UNKNOWN = "." * _DIGEST_LENGTH
_NO_COLUMN = "."

_CODES = {
    ColumnType.TEXT: "t",
    ColumnType.NUMBER: "n",
    ColumnType.BOOLEAN: "b",
    ColumnType.DATE: "d",
    ColumnType.DATE_TIME: "i",
}
_TYPES = {code: column_type for column_type, code in _CODES.items()}
_HASHED, _HASHED_AFTER_CLEAR = "h", "x"


class OwnedColumn(msgspec.Struct, frozen=True):
    """A column that earlier runs loaded.

    Attributes:
        key_digest: Digest of the owner's key; `.....` if an older version wrote the state.
        type: The type that its table was made with.
        hashed: True if it holds hashes.
        was_clear: True if it held clear values at any time.
        is_read: True if a run since the last complete read has read it.
    """

    key_digest: str
    type: ColumnType
    hashed: bool = False
    was_clear: bool = True
    is_read: bool = True

    @property
    def code(self) -> str:
        """One character; a capital where the column is not read."""
        if self.hashed:
            code = _HASHED_AFTER_CLEAR if self.was_clear else _HASHED
        else:
            code = _CODES[self.type]
        return code if self.is_read else code.upper()

    @classmethod
    def from_code(cls, code: str, key_digest: str) -> OwnedColumn | None:
        """Read a record; None if the code is unknown."""
        kind, is_read = code.lower(), code.islower()
        if kind in {_HASHED, _HASHED_AFTER_CLEAR}:
            was_clear = kind == _HASHED_AFTER_CLEAR
            return cls(key_digest, ColumnType.TEXT, True, was_clear, is_read)  # noqa: FBT003
        if kind not in _TYPES:
            return None
        return cls(key_digest, _TYPES[kind], is_read=is_read)


class ColumnOwners:
    """The columns of one stream's table and the properties that own them.

    Attributes:
        names: Property key to column name, where it is not the key's own fresh name.
    """

    def __init__(self) -> None:
        """Start without columns."""
        self._columns: dict[str, OwnedColumn] = {}
        self.names: dict[str, str] = {}

    @classmethod
    def from_json(
        cls, columns: object, names: object, owned: object = "", keys: Sequence[str] = ()
    ) -> ColumnOwners:
        """Read what `to_json` wrote; values of another form are read as no columns."""
        owners = cls()
        text = columns if isinstance(columns, str) else ""
        for start in range(0, len(text) - _RECORD_LENGTH + 1, _RECORD_LENGTH):
            record = text[start : start + _RECORD_LENGTH]
            owners._read(record[: 1 + _DIGEST_LENGTH], record[1 + _DIGEST_LENGTH :])
        text, start = owned if isinstance(owned, str) else "", 0
        for key in keys:
            if text[start : start + 1] == _NO_COLUMN:
                start += 1
            else:
                owners._read(text[start : start + 1 + _DIGEST_LENGTH], _digest(key))
                start += 1 + _DIGEST_LENGTH
        for pair in names if isinstance(names, list) else ():
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair):  # noqa: PLR2004
                owners.names[pair[0]] = pair[1]
        return owners

    def _read(self, record: str, key_digest: str) -> None:
        """Read a code and the digest of a name."""
        column = OwnedColumn.from_code(record[:1], key_digest)
        if column is not None:
            self._columns[record[1:]] = column

    @classmethod
    def from_types(cls, types: Mapping[str, Any]) -> ColumnOwners:
        """Read the state of version 0.0, which knew types by column name, but no owners."""
        owners = cls()
        for column_type in ColumnType:
            names = types.get(column_type.value)
            for name in names if isinstance(names, list) else ():
                owners._columns[_digest(str(name))] = OwnedColumn(_UNKNOWN, column_type)
        return owners

    def to_json(self, keys: Sequence[str] = ()) -> tuple[str, list[list[str]], str]:
        """Texts and a list, which survive the deep merge of `meltano run --full-refresh`.

        Args:
            keys: The keys that the state has beside them, in the same order.

        Returns:
            The columns of other keys, the names, and the column of each of the keys.
        """
        rest = {
            name_digest: f"{owned.code}{name_digest}"
            for name_digest, owned in self._columns.items()
        }
        by_key = {owned.key_digest: digest for digest, owned in self._columns.items()}
        owned = []
        for key in keys:
            name_digest = by_key.pop(_digest(key), None)
            owned.append(_NO_COLUMN if name_digest is None else rest.pop(name_digest))
        columns = "".join(
            record + self._columns[name_digest].key_digest for name_digest, record in rest.items()
        )
        return columns, [[key, name] for key, name in self.names.items()], "".join(owned)

    @property
    def is_empty(self) -> bool:
        """True if no column was loaded before."""
        return not self._columns

    def column(self, name: str) -> OwnedColumn | None:
        """The column of a name, if it was loaded before."""
        return self._columns.get(_digest(name))

    def earlier_type(self, name: str) -> ColumnType | None:
        """The type of a column that was loaded before; None for a hashed one, which is text."""
        owned = self.column(name)
        return None if owned is None or owned.hashed else owned.type

    def name_of(self, key: str) -> str | None:
        """The column name that a property owns, or None."""
        if key in self.names:
            return self.names[key]
        own = own_column_name(key)
        owned = self.column(own)
        return own if owned is not None and owned.key_digest == _digest(key) else None

    def is_foreign(self, name: str, key: str) -> bool:
        """True if a column name belongs to another property."""
        if any(owned == name and owner != key for owner, owned in self.names.items()):
            return True
        owned = self.column(name)
        return owned is not None and owned.key_digest not in {_UNKNOWN, _digest(key)}

    def names_for(
        self,
        keys: Collection[str],
        *,
        pins: Mapping[str, str],
        catalog: Mapping[str, str],
    ) -> dict[str, str]:
        """Name a column for each key: by its pin, its owned name, its catalog name, or anew.

        Args:
            keys: Property keys of one dataset, unique.
            pins: Key to the name that the user chose.
            catalog: Key to the name in the catalog; ignored where it belongs to another property.
        """
        owners = dict(self.names)
        for key in keys:
            name = self.name_of(key)
            if name is None and key in catalog and not self.is_foreign(catalog[key], key):
                name = catalog[key]
            if name is not None:
                owners[key] = name
        reserved = {
            own
            for key in keys
            if key not in owners and self.is_foreign(own := own_column_name(key), key)
        }
        return column_names(keys, owners, pins, reserved)

    def remember(self, columns: Iterable[Column], *, complete: bool) -> None:
        """Keep the columns of a run.

        Args:
            columns: The columns of the run's records.
            complete: True if the run read all rows: columns that it did not read then count as
                not read.
        """
        if complete:
            self._columns = {
                digest: msgspec.structs.replace(owned, is_read=False)
                for digest, owned in self._columns.items()
            }
        for column in columns:
            before = self.column(column.name)
            was_clear = before is not None and before.was_clear
            self._columns[_digest(column.name)] = OwnedColumn(
                _digest(column.key),
                column.type,
                hashed=column.hashed,
                was_clear=was_clear or not column.hashed,
            )
            if column.name == own_column_name(column.key):
                self.names.pop(column.key, None)
            else:
                self.names[column.key] = column.name


class ColumnNaming(msgspec.Struct, frozen=True):
    """How the columns of one stream are named.

    Attributes:
        owners: The columns that earlier runs loaded.
        pins: Property key to the name that the user chose: the setting `property_names`.
        original: True if columns are named by Orgvue's keys: `column_names: original`.
    """

    owners: ColumnOwners = msgspec.field(default_factory=ColumnOwners)
    pins: Mapping[str, str] = msgspec.field(default_factory=dict)
    original: bool = False

    def names(
        self, keys: Collection[str], catalog: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Property key to column name.

        Args:
            keys: Property keys of one dataset, unique.
            catalog: Key to its name in the catalog, which counts where no earlier run, no pin and
                no other property stands against it.
        """
        catalog = catalog or {}
        if not self.original:
            return self.owners.names_for(keys, pins=self.pins, catalog=catalog)
        reserved = {RESCUED: column_names([RESCUED])[RESCUED]}
        return {
            key: self.pins.get(key) or catalog.get(key) or reserved.get(key, key) for key in keys
        }


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest)[:_DIGEST_LENGTH].decode()
