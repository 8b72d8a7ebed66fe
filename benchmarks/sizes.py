"""Time and memory of exports whose values do not fit, over their sizes: both grow with the bytes.

`python -m benchmarks.sizes` prints a table. Times are those of the processor.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import TYPE_CHECKING

from tap_orgvue.orgvue.models import Property
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COLUMN_COUNTS = (100, 400, 1600, 6400)
"""Number columns that hold text in each of two rows."""
TEXT_SIZES = (10, 100, 1000, 10_000)
"""Characters of the distinct texts in a date column."""
BLOCKS, ROWS = 50, 200


def maker(column_type: ColumnType, count: int = 1) -> RecordMaker:
    """A maker of records with columns of one type."""
    keys = [f"property {i}" for i in range(count)]
    headers = [Property(key, key, column_type.value) for key in keys]
    return RecordMaker(headers, [Column(key, key, column_type) for key in keys])


def seconds(made: RecordMaker, blocks: Sequence[bytes]) -> float:
    """The processor's seconds for these blocks."""
    start = time.process_time()
    for block in blocks:
        made.rows(block)
    return time.process_time() - start


def date_blocks(size: int) -> Iterator[bytes]:
    """Blocks of rows with a distinct text of a size in each."""
    for block in range(BLOCKS):
        texts = [f"{block}/{row} ".ljust(size, "x") for row in range(ROWS)]
        yield json.dumps([[text] for text in texts]).encode()


def held_bytes(blocks: Iterator[bytes]) -> int:
    """The memory that a date column's maker holds after these blocks."""
    made = maker(ColumnType.DATE)
    tracemalloc.start()
    try:
        for block in blocks:
            made.rows(block)
        del block
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def main() -> None:
    """Print the table."""
    print("number columns of text   ms for two rows   µs per cell")
    for count in COLUMN_COUNTS:
        block = json.dumps([["text"] * count] * 2).encode()
        taken = min(seconds(maker(ColumnType.NUMBER, count), [block]) for _ in range(3))
        print(f"{count:22} {taken * 1e3:17.1f} {taken * 1e6 / count / 2:13.1f}")
    print("characters of a date     µs per row        KB held")
    for size in TEXT_SIZES:
        taken = seconds(maker(ColumnType.DATE), list(date_blocks(size)))
        held = held_bytes(date_blocks(size))
        print(f"{size:20} {taken * 1e6 / BLOCKS / ROWS:14.1f} {held / 1e3:14.0f}")


if __name__ == "__main__":
    main()
