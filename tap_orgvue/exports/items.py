"""Reads items, the stored values of a dataset, as if they were an export's rows.

The items endpoint responds with an array of objects; an absent key means an empty value (API guide,
"Items").
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, TypeVar

import msgspec
from typing_extensions import override

from tap_orgvue.exports.json_rows import COMMA, JsonRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tap_orgvue.orgvue.models import Property


T = TypeVar("T")

_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])

_EMPTY = b"null"


class ItemRows(JsonRows):
    """The items of a dataset: each is a row with a cell for each header."""

    row_break = re.compile(rb"\}%b\{" % COMMA)

    def __init__(self, chunks: Iterable[bytes], headers: Sequence[Property]) -> None:
        """Read nothing yet.

        Args:
            chunks: The decompressed JSON array of items.
            headers: The properties to read; other keys of an item are ignored.
        """
        declared = msgspec.json.encode(
            [{"key": each.key, "name": each.name, "type": each.type} for each in headers]
        )
        opening = b'{"headers":%b,"rows":' % declared
        super().__init__(itertools.chain([opening], chunks, [b"}"]))
        self._keys = [header.key for header in headers]

    @override
    def blocks(self, decode: Callable[[bytes], list[T]]) -> Iterator[list[T]]:
        """Read all items as rows; see `JsonRows.blocks`."""
        return super().blocks(lambda block: decode(self._as_rows(block)))

    def _as_rows(self, block: bytes) -> bytes:
        """Rewrite a JSON array of items as a JSON array of rows."""
        rows = [
            b"[%b]" % b",".join(bytes(item.get(key, _EMPTY)) for key in self._keys)
            for item in _OBJECTS.decode(block)
        ]
        return b"[%b]" % b",".join(rows)
