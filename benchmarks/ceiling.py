"""The practical ceiling: jsonRows decoded and RECORD messages encoded by msgspec, nothing else.

`python -m benchmarks.ceiling FILE WAY` prints rows and seconds. The clock runs over bytes that are
already in memory and decompressed; messages go into a buffer that is thrown away. There is no
HTTP, no disk, no gzip, no check or change of any value but its JSON type, no state, no pipe.
"""

from __future__ import annotations

import gzip
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.data import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK_BYTES = 256 * 1024
_ROW_BREAK = b"],["
_BEFORE, _AFTER = b'{"type":"RECORD","stream":"wide_00","record":', b"}\n"
_TYPES: dict[str, Any] = {
    "text": str | None,
    "number": int | float | None,
    "date": str | None,
    "boolean": bool | None,
}
_FIELDS = [(key, _TYPES[declared]) for key, declared in COLUMNS]

ArrayRow = msgspec.defstruct("ArrayRow", _FIELDS, array_like=True, gc=False)
"""A row as it stands in jsonRows."""
ObjectRow = msgspec.defstruct("ObjectRow", _FIELDS, gc=False)
"""The same row as it stands in a RECORD message."""

Rows = list[Any]


def as_structs(rows: Rows) -> Iterable[Any]:
    """Rows as structs that encode as objects: the fastest, but no stream map could use them."""
    return [ObjectRow(*row) for row in rows]


def as_dicts(rows: Rows) -> Iterable[Any]:
    """Rows as dictionaries, which is what the SDK calls a record."""
    return map(msgspec.structs.asdict, rows)


WAYS: dict[str, tuple[Any, Callable[[Rows], Iterable[Any]]]] = {
    "structs": (list[tuple[tuple(kind for _, kind in _FIELDS)]], as_structs),  # type: ignore[misc]
    "dicts": (list[ArrayRow], as_dicts),  # type: ignore[valid-type]
}
"""What a block is decoded as, and what is encoded of it."""


def blocks(body: bytes) -> Iterator[bytes]:
    """Arrays of whole rows; no text of these datasets looks like a break between rows."""
    at = body.index(b'"rows": [') + len(b'"rows": [')
    end = len(body) - len(b"]}")
    while at < end:
        right = end
        if at + BLOCK_BYTES < end:
            right = body.rindex(_ROW_BREAK, at, at + BLOCK_BYTES) + 1
        yield b"[%b]" % body[at:right]
        at = right + 1


def decode_and_encode(body: bytes, way: str) -> int:
    """Make a RECORD message of every row; how many there were."""
    shape, records_of = WAYS[way]
    decode = msgspec.json.Decoder(shape).decode
    encode_into = msgspec.json.Encoder().encode_into
    count = 0
    for block in blocks(body):
        buffer = bytearray()
        rows: Rows = decode(block)
        for record in records_of(rows):
            buffer += _BEFORE
            encode_into(record, buffer, -1)
            buffer += _AFTER
        count += len(rows)
    return count


def main(path: str, way: str) -> None:
    """Print rows and seconds."""
    body = gzip.decompress(Path(path).read_bytes())
    begin = time.perf_counter()
    rows = decode_and_encode(body, way)
    print(rows, time.perf_counter() - begin)


if __name__ == "__main__":
    main(*sys.argv[1:])
