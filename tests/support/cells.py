"""Compares what a loader stored with what the tap sent, cell by cell."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tap_orgvue.simulator import Dataset, Orgvue, Property, demo_tenant
from tests.support.files import written
from tests.support.loaders import LOADERS, TIMEOUT, Loaded
from tests.support.runs import sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tap_orgvue.simulator.dataset import Row

    Rows = dict[str, list[dict[str, Any]]]
    """Stream or table to its rows."""

TEXTS = (
    *("", " ", "NULL", "null", "None", "true", "007", "=1+1", "a,b;c\td|e"),
    *("'q' \"q\" `q`", "\\", "\\N", "\\n", 'ends in \\"', "{}", "[1]"),
    *("two\nlines", "two\r\nlines", "old\rline", "\x0b\x0c\x85\u2028", "bell \x07"),
    *("Zoë", "Zoe\u0308", "日本語", "🎉", "\u200bno width", "long " * 2000),
)
NUMBERS = (0, -0.1, 1e-7, 1e21, 2**53 - 1, 2**53 + 1, 12345678901234567890, 0.1 + 0.2, -1.5e300)
DATES = ("0001-01-01", "1899-12-31", "1969-12-31", "2022-07-02", "2024-02-29", "9999-12-31")


def awkward_cells() -> Dataset:
    """A dataset whose every cell is easily damaged."""
    kinds = {"t": "text", "n": "number", "d": "date", "b": "boolean", "misfit": "number"}
    numbers, dates, booleans = cycle(NUMBERS), cycle(DATES), cycle((True, False, None))
    misfits = cycle((1, "N/A", None, 'a "quoted"\nreason'))
    cells = zip(TEXTS, numbers, dates, booleans, misfits)  # noqa: B905 - as many as texts
    rows: list[Row] = [dict(zip(kinds, row, strict=True)) for row in cells]
    for second, row in enumerate(rows):
        row["_modifiedAt"] = f"2026-03-01T23:59:{second:02d}.123Z"
    rows.append(dict.fromkeys(kinds))
    properties = [Property(key, kind) for key, kind in kinds.items()]
    return Dataset("Awkward cells", properties=properties, rows=rows)


def keyless() -> Dataset:
    """A dataset whose rows nothing identifies, two being equal."""
    rows: list[Row] = [{"n": 1, "t": "a"}, {"n": 1, "t": "a"}, {"n": 2, "t": "b"}]
    properties = [Property("n", "number"), Property("t", "text")]
    return Dataset("Keyless", generated=(), properties=properties, rows=rows)


def tenant() -> Orgvue:
    """The demo tenant, with awkward cells and with rows that nothing identifies."""
    datasets = demo_tenant(people=30, positions=12).datasets
    return Orgvue([*datasets, awkward_cells(), keyless()])


@dataclass(frozen=True)
class Sent:
    """What the tap sent.

    Attributes:
        messages: Its standard output.
        rows: Stream to records, with numbers as exact as in the messages.
        types: Stream to column to type: string, number, boolean, date or date-time.
    """

    messages: str
    rows: Rows
    types: dict[str, dict[str, str]]

    def stored(self, store: Callable[[Any, str], Any]) -> Rows:
        """The rows as a loader should have stored them.

        Args:
            store: What the loader makes of a value, and of its column's type.
        """
        return {
            stream: in_order(
                {name: store(value, self.types[stream][name]) for name, value in row.items()}
                for row in rows
            )
            for stream, rows in self.rows.items()
        }


def send(orgvue: Orgvue, state: dict[str, Any] | None = None, **settings: Any) -> Sent:
    """Run the tap.

    Args:
        orgvue: What it reads.
        state: What it is given.
        settings: The tap's settings, beside those of Orgvue.
    """
    run = sync({**orgvue.config, **settings}, state=state)
    types = {stream: column_types(message) for stream, message in run.schemas.items()}
    rows: Rows = {stream: [] for stream in types}
    for line in run.stdout.split("\n"):
        if line.startswith('{"type":"RECORD"'):
            message = json.loads(line, parse_float=Decimal)
            rows[message["stream"]].append(message["record"])
    return Sent(run.stdout, rows, types)


def column_types(message: dict[str, Any]) -> dict[str, str]:
    """The columns of a SCHEMA message: string, number, boolean, date or date-time."""
    return {
        name: schema.get("format") or next(kind for kind in schema["type"] if kind != "null")
        for name, schema in message["schema"]["properties"].items()
    }


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows by their key; by a number where they have none."""
    return sorted(rows, key=lambda row: row.get("_id") or str(row["n"]))


def differences(stored: Rows, expected: Rows) -> list[str]:
    """What a loader stored otherwise than expected: one line for each cell, or for more."""
    if stored.keys() != expected.keys():
        return [f"Tables are {sorted(stored)}, not {sorted(expected)}."]
    found = []
    for table, rows in expected.items():
        if len(stored[table]) != len(rows):
            found.append(f"{table} has {len(stored[table])} rows, not {len(rows)}.")
            continue
        for row, other in zip(stored[table], rows, strict=True):
            if row.keys() != other.keys():
                found.append(f"{table} has the columns {sorted(row)}, not {sorted(other)}.")
                break
            found += [
                f"{table}.{name} is {row[name]!r}, not {value!r}."
                for name, value in other.items()
                if row[name] != value
            ]
    return found


def feed(loader: str | Sequence[str], config: dict[str, Any], sent: Sent) -> Loaded:
    """Give a loader what the tap sent.

    Args:
        loader: The loader's name, or the words that start it.
        config: The loader's settings.
        sent: What it reads on standard input.
    """
    program = [str(LOADERS / loader / "bin" / loader)] if isinstance(loader, str) else loader
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [*program, *written(Path(folder), config=config)],
            input=sent.messages.encode(),
            capture_output=True,
            cwd=folder,
            check=False,
            timeout=TIMEOUT,
            # The tap's coverage measurement, if there is any, is not the loader's.
            env={k: v for k, v in os.environ.items() if not k.startswith("COV")},
        )
    states = done.stdout.decode().splitlines()
    state = json.loads(states[-1]) if states else None
    return Loaded((0, done.returncode), done.stderr.decode(), state)
