"""What is exported in the benchmarks: tenants of generated datasets, 50 columns wide."""

from __future__ import annotations

import json
import random
import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS, NUMBERS, DATES, FLAGS = 30, 10, 5, 4
"""How many columns of each declared type stand beside `_id`."""

COLUMNS: tuple[tuple[str, str], ...] = (
    ("_id", "text"),
    *((f"text{i:02d}", "text") for i in range(TEXTS)),
    *((f"number{i:02d}", "number") for i in range(NUMBERS)),
    *((f"date{i:02d}", "date") for i in range(DATES)),
    *((f"flag{i:02d}", "boolean") for i in range(FLAGS)),
)
"""Key and declared type of every column; the keys already are what columns are called."""

HEADERS = [{"key": key, "name": key, "type": declared} for key, declared in COLUMNS]

BLOCK_ROWS = 10_000
"""Rows that are generated one by one; longer datasets repeat them under other ids."""

_BLOCK_MARK = b"@@@@"
_SEED = 20_260_101
_FIRST_DAY = date(2004, 1, 1)
_DAYS = 8000
_EMPTY = 0.05
_VOCABULARY = """
    Advisor Analyst Berlin Chief Delivery Director Engineering Finance Global Head Human
    Integration Junior Küche Lead London Manager Northern Office Operations Partner People
    Planning Region Research Resources São Sales Senior Singapore Strategy Supply Team
"""
_WORDS = _VOCABULARY.split()


@dataclass(frozen=True)
class Tenant:
    """A tenant whose datasets are all alike.

    Attributes:
        name: Its id.
        rows: Rows of each dataset; above `BLOCK_ROWS`, a multiple of it.
        datasets: How many there are.
        seconds: How long the server takes before an export's first byte, also of one of nothing.
    """

    name: str
    rows: int
    datasets: int = 1
    seconds: float = 0.0

    @property
    def dataset_ids(self) -> list[str]:
        """The ids of the datasets, upper case as in Orgvue's examples."""
        return [str(uuid5(NAMESPACE_URL, f"{self.name}/{i}")).upper() for i in range(self.datasets)]

    def dataset_name(self, number: int) -> str:
        """The name of a dataset, and of its stream."""
        return f"{self.name.lower()}_{number:02d}"

    def body(self, folder: Path) -> Path:
        """The file that holds the gzip-compressed export of each of its datasets."""
        return folder / f"{self.name}.json.gz"


WIDE = Tenant("WIDE", rows=100_000)
SMALL = Tenant("SMALL", rows=20_000)
LARGE = Tenant("LARGE", rows=2_000_000)
MANY = Tenant("MANY", rows=100, datasets=40, seconds=1.0)
CROWD = Tenant("CROWD", rows=1, datasets=200, seconds=0.25)
TENANTS = {tenant.name: tenant for tenant in (WIDE, SMALL, LARGE, MANY, CROWD)}
"""100 000 rows, about 13 MB, about 1.3 GB (100 times that), 40 slow little datasets, and 200."""


def write_body(tenant: Tenant, folder: Path) -> None:
    """Write the export that all datasets of a tenant answer with, compressed."""
    # Level 1: what is measured is the reader.
    gzip = zlib.compressobj(1, zlib.DEFLATED, 31)
    with tenant.body(folder).open("wb") as file:
        for piece in jsonrows(tenant.rows):
            file.write(gzip.compress(piece))
        file.write(gzip.flush())


def jsonrows(rows: int) -> Iterator[bytes]:
    """The pieces of a jsonRows document; the same bytes on every machine."""
    yield b'{"headers": %b, "rows": [' % json.dumps(HEADERS).encode()
    block = _block(min(rows, BLOCK_ROWS))
    for number in range(max(1, rows // BLOCK_ROWS)):
        if number:
            yield b","
        yield block.replace(_BLOCK_MARK, b"%04X" % number)
    yield b"]}"


def _block(rows: int) -> bytes:
    # Chance makes the rows differ; it protects nothing.
    chance = random.Random(_SEED)  # noqa: S311
    made = (
        json.dumps(_row(chance, i), ensure_ascii=False, separators=(",", ":")) for i in range(rows)
    )
    return ",".join(made).encode()


def _row(chance: random.Random, number: int) -> list[Any]:
    cells = [
        *(f"{chance.choice(_WORDS)} {chance.choice(_WORDS)}" for _ in range(TEXTS - 10)),
        *(f"{chance.randrange(10**6):06d}" for _ in range(10)),
        *(chance.randrange(100_000) for _ in range(NUMBERS - 4)),
        *(round(chance.uniform(0, 200_000), 2) for _ in range(4)),
        *(_day(chance) for _ in range(DATES - 1)),
        f"{_day(chance)}T00:00:00.000Z",
        *(chance.random() < 0.5 for _ in range(FLAGS)),  # noqa: PLR2004 - one of two
    ]
    cells = [None if chance.random() < _EMPTY else cell for cell in cells]
    return [f"{number:08X}-{_BLOCK_MARK.decode()}-4000-8000-000000000000", *cells]


def _day(chance: random.Random) -> str:
    return (_FIRST_DAY + timedelta(days=chance.randrange(_DAYS))).isoformat()
