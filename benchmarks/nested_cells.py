"""Rows with nested arrays in their cells: `python -m benchmarks.nested_cells` prints a table.

Nested arrays look like the ends of rows, and a cell can be larger than a block. The time must grow
as the size does: twice the bytes, twice the seconds.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.json_rows import JsonRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEGABYTES = (1, 2, 4, 8, 16)
CHUNK_BYTES = 256 * 1024
HEADERS = [{"key": "_id"}, {"key": "x"}]
DECODE = msgspec.json.Decoder(list[list[msgspec.Raw]]).decode

CELLS: dict[str, Callable[[int], Iterator[Any]]] = {
    "short arrays": lambda size: ([[1], [2], [3]] for _ in range(size // 22)),
    "arrays of 64 KB": lambda size: ([[i] for i in range(8000)] for _ in range(size // 55_000 + 1)),
    "one array": lambda size: iter([[[i] for i in range(size // 10)]]),
    "texts like arrays": lambda size: ("],[" * 20 for _ in range(size // 71)),
    "one text": lambda size: iter(["],[" * (size // 3)]),
}
"""Kind of cell to a function that makes the cells of about so many bytes."""


def document(cells: Iterator[Any]) -> bytes:
    """An export with a row for each cell."""
    rows = [[str(i), cell] for i, cell in enumerate(cells)]
    return json.dumps({"headers": HEADERS, "rows": rows}, separators=(",", ":")).encode()


def seconds(body: bytes) -> float:
    """The processor time of reading all rows."""
    chunks = (body[i : i + CHUNK_BYTES] for i in range(0, len(body), CHUNK_BYTES))
    begin = time.process_time()
    for _ in JsonRows(chunks).blocks(DECODE):
        pass
    return time.process_time() - begin


def main() -> None:
    """Print the seconds of each kind and size."""
    print(f"{'seconds':20}", *(f"{size:>5} MB" for size in MEGABYTES))
    for kind, cells in CELLS.items():
        times = [seconds(document(cells(size * 10**6))) for size in MEGABYTES]
        print(f"{kind:20}", *(f"{each:8.2f}" for each in times), flush=True)


if __name__ == "__main__":
    main()
