"""The properties that earlier runs saw, kept in a few bytes each.

A state has room for 10 characters a property on average. Compressed keys and display names are kept
if they fit, so that messages can name a property that is gone or was renamed; else the keys; else a
digest of each key. Further 12 bits a property hold its type, a digest of its display name, and
whether its column had values.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.schema.column_types import ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TYPES: tuple[ColumnType | None, ...] = (None, *ColumnType)
"""A type's place is its number in states: add a new type at the end."""
_NAME_BITS, _TYPE_BITS = 8, 3
_BITS = _NAME_BITS + _TYPE_BITS + 1
_ROOM = 10
"""Characters a property, on average, for keys and names of a stream."""
_LEAST_ROOM = 1500
"""Characters for keys and names that even a stream of few properties may use."""
_DIGEST_LENGTH = 4
"""Characters of 6 bits: in one of a million streams of 150 properties two digests are equal."""
_NAMED, _DIGESTS = ":", "."
"""The first character of a text with names, and of a text of digests; base 85 has neither."""
_LONGEST = 4_000_000
"""The most bytes that are decompressed of a state's keys."""


class KnownProperty(msgspec.Struct, frozen=True):
    """A property as a run saw it.

    Attributes:
        type: The column type of its declared type; None if no header described it.
        name: Its display name; None if no header described it, or only the digest is known.
        name_digest: Digest of its display name, 1 to 255; 0 if no header described it.
        filled: True if its column had values in the last complete export.
    """

    type: ColumnType | None = None
    name: str | None = None
    name_digest: int = 0
    filled: bool = False

    @classmethod
    def delivered(cls, column_type: ColumnType, name: str, *, filled: bool) -> KnownProperty:
        """A property that a header of the export described."""
        return cls(column_type, name, name_digest(name), filled)

    def is_called(self, name: str) -> bool:
        """True if this is its display name; a digest is also equal for one of 255 other names."""
        return self.name_digest == name_digest(name) and self.name in {None, name}


class KnownProperties:
    """The properties of one stream's dataset, as earlier runs saw them."""

    def __init__(self, properties: Iterable[tuple[str, KnownProperty]] = ()) -> None:
        """Keep the properties.

        Args:
            properties: Property key and property.
        """
        self._by_key = dict(properties)
        self._by_digest: dict[str, KnownProperty] | None = None

    @classmethod
    def from_json(cls, keys: object, details: object) -> KnownProperties:
        """Read what `to_json` wrote; values of another form are read as no properties."""
        known = cls()
        if not isinstance(keys, str) or not isinstance(details, str):
            return known
        try:
            entries = _unpacked(keys)
            found = {
                key: msgspec.structs.replace(each, name=name)
                for (key, name), each in zip(entries, _details(details, len(entries)), strict=True)
            }
        except (ValueError, zlib.error, binascii.Error):
            return known
        if keys.startswith(_DIGESTS):
            known._by_digest = found
        else:
            known._by_key = found
        return known

    def to_json(self) -> tuple[str, str]:
        """The properties as two texts.

        Returns:
            Keys and names, compressed; and the other details in base 85, in the order of the keys.
        """
        text, keys = self._text()
        number = 0
        for key in keys:
            known = self._by_key[key]
            kind = known.name_digest << _TYPE_BITS | _TYPES.index(known.type)
            number = number << _BITS | kind << 1 | known.filled
        size = (len(keys) * _BITS + 7) // 8
        return text, base64.b85encode(number.to_bytes(size, "big")).decode()

    def _text(self) -> tuple[str, list[str]]:
        """The most detailed text that fits, and the keys in its order."""
        keys = sorted(self._by_key)
        room = max(_LEAST_ROOM, _ROOM * len(keys))
        named = _NAMED + _packed((key, self._by_key[key].name) for key in keys)
        if len(named) <= room:
            return named, keys
        plain = _packed((key, None) for key in keys)
        if len(plain) <= room:
            return plain, keys
        return _DIGESTS + "".join(map(_digest, keys)), keys

    def __len__(self) -> int:
        """The number of properties; 0 before the first run, and in older states."""
        return len(self._by_key if self._by_digest is None else self._by_digest)

    def find(self, key: str) -> KnownProperty | None:
        """A property as earlier runs saw it; None if none did."""
        if self._by_digest is not None:
            return self._by_digest.get(_digest(key))
        return self._by_key.get(key)

    def others(self, keys: Iterable[str]) -> tuple[list[str], int]:
        """The known properties without those of some keys.

        Args:
            keys: The keys to leave out.

        Returns:
            Their keys, none where only digests are known; and their number.
        """
        if self._by_digest is None:
            left = self._by_key.keys() - set(keys)
            return sorted(left), len(left)
        return [], len(self._by_digest.keys() - set(map(_digest, keys)))

    def keys(self) -> list[str]:
        """The keys that `to_json` writes, in its order; none if it writes digests."""
        if self._by_digest is not None:
            return []
        text, keys = self._text()
        return [] if text.startswith(_DIGESTS) else keys


def name_digest(name: str) -> int:
    """A digest of a display name: 1 to 255."""
    return 1 + _sha256(name)[0] % 255


def _packed(entries: Iterable[tuple[str, str | None]]) -> str:
    """Compress keys and names: a line each, escaped to ASCII, key and name separated by a tab.

    A name equal to its key is written as an empty one, an unknown name without the tab.
    """
    lines = []
    for key, name in entries:
        parts = [key] if name is None else [key, "" if name == key else name]
        lines.append(b"\t".join(part.encode("unicode_escape") for part in parts))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(b"\n".join(lines)) + packer.flush()
    return base64.b85encode(packed).decode() if lines else ""


def _unpacked(text: str) -> list[tuple[str, str | None]]:
    """The keys, or digests, and names of a text.

    Raises:
        ValueError: It has another form.
    """
    if text.startswith(_DIGESTS):
        digests = text[len(_DIGESTS) :]
        places = range(0, len(digests), _DIGEST_LENGTH)
        return [(digests[i : i + _DIGEST_LENGTH], None) for i in places]
    packed = base64.b85decode(text.removeprefix(_NAMED))
    if not packed:
        return []
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _LONGEST)
    entries: list[tuple[str, str | None]] = []
    for line in plain.split(b"\n"):
        key, tab, name = (part.decode("unicode_escape") for part in line.partition(b"\t"))
        entries.append((key, (name or key) if tab else None))
    return entries


def _details(text: str, count: int) -> Iterator[KnownProperty]:
    data = base64.b85decode(text)
    if len(data) != (count * _BITS + 7) // 8:
        raise ValueError
    number = int.from_bytes(data, "big")
    for i in reversed(range(count)):
        bits = number >> i * _BITS & (1 << _BITS) - 1
        kind = bits >> 1 & (1 << _TYPE_BITS) - 1
        if kind >= len(_TYPES):
            raise ValueError
        yield KnownProperty(
            type=_TYPES[kind], name_digest=bits >> 1 + _TYPE_BITS, filled=bool(bits & 1)
        )


def _digest(key: str) -> str:
    return base64.urlsafe_b64encode(_sha256(key))[:_DIGEST_LENGTH].decode()


def _sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
