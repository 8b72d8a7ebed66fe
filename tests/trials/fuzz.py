"""Random and broken exports through the parsers: right records, a rescue, or one clear error.

`python -m tests.trials.fuzz --seconds 60` goes on for a while; `test_fuzz.py` does a bounded
number.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_orgvue.exports.byte_streams import decompressed
from tap_orgvue.exports.items import ItemRows
from tap_orgvue.exports.jobs import JobTicket
from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import OrgvueError, RequestInfo
from tap_orgvue.orgvue.models import Dataset, Metadata
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.singer.output import ENCODER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KINDS = tuple(ColumnType)

WORDS = (
    *("", " ", "x", "N/A", "NaN", "true", "false", "12", "1e5", "-0", "2022-01-02", "0000-00-00"),
    *(
        "2022-01-02T00:00:00.000Z",
        "2022-02-30",
        "2022-01-02T23:59:60Z",
        "\x00",
        "a\x00b",
        "é",
        "🎉",
    ),
    *("\ud800", "x\udc00", "\u2028", '"', "\\", "],[", '"],["', "}", "{", "],", "\ufeff", "9" * 40),
)
NUMBERS = (
    *(0, 1, -1, 2**53, 2**53 + 1, 2**70, -(2**63), 1e300, 0.1, 1e-320, -0.0),
    *(float("nan"), float("inf"), float("-inf"), True, False, None),
)
BETWEEN = (
    b"][",
    b"],\x0b[",
    b"] [",
    b"],null,[",
    b"],,[",
    b'],"],[",[',
    b"],{},[",
    b"],[],[",
    b"]:[",
    b"};[",
)
LITERALS = (b"NaN", b"1e400", b"0.1000000000000000000001", b"9" * 5000, b'"\\ud800"', b"[[],{}]")


class Chance:
    """Makes documents and breaks them, by dice that can be thrown again."""

    def __init__(self, seed: int) -> None:
        """Start the dice."""
        self.dice = random.Random(seed)  # noqa: S311 - not for secrets

    def value(self, depth: int = 0) -> Any:
        """Any JSON value, of the odd ones rather many."""
        throw = self.dice.randrange(12 if depth < 3 else 9)
        if throw < 5:
            return self.dice.choice(WORDS)
        if throw < 9:
            return self.dice.choice(NUMBERS)
        if throw == 9:
            return {self.dice.choice(WORDS): self.value(depth + 1) for _ in range(2)}
        return [self.value(depth + 1) for _ in range(self.dice.randrange(4))]

    def document(self, kinds: Sequence[ColumnType], count: int) -> bytes:
        """A whole export with a cell of any kind in each place."""
        headers = [
            {"key": f"k{i}", "name": "n", "type": kind.value} for i, kind in enumerate(kinds)
        ]
        rows = [[self.value() for _ in kinds] for _ in range(count)]
        separators = self.dice.choice([(",", ":"), (", ", ": "), (" ,\n", " : ")])
        plain = self.dice.random() < 0.5
        text = json.dumps(
            {"headers": headers, "rows": rows}, separators=separators, ensure_ascii=plain
        )
        return text.encode("utf-8", "surrogatepass")

    def broken(self, body: bytes) -> bytes:
        """A document with something changed: bytes, order, shape, end."""
        changed = bytearray(body)
        for _ in range(self.dice.randrange(1, 4)):
            at = self.dice.randrange(len(changed) + 1)
            way = self.dice.randrange(7)
            if way == 0:
                del changed[at:]
            elif way == 1:
                changed[at : at + 1] = bytes([self.dice.randrange(256)])
            elif way == 2:
                del changed[at : at + self.dice.randrange(20)]
            elif way == 3:
                changed[at:at] = self.dice.choice([b"]", b"[", b'"', b",", b"}", b"\xff", b"\xc3"])
            elif way == 4:
                changed[at:at] = self.dice.choice(LITERALS)
            elif way == 5 and (between := changed.find(b"],[", at)) >= 0:
                changed[between : between + 3] = self.dice.choice(BETWEEN)
            else:
                changed[at:at] = changed[at : at + self.dice.randrange(60)]
        return bytes(changed)

    def chunks(self, body: bytes) -> Iterator[bytes]:
        """The bytes in pieces of any size."""
        at = 0
        while at < len(body):
            size = self.dice.choice([1, 2, 7, 100, 10_000])
            yield body[at : at + size]
            at += size


def read(chunks: Iterator[bytes], *, written: bool = False) -> list[dict[str, Any]]:
    """Make records of an export's bytes, with each column as its header declares it.

    Args:
        chunks: The bytes.
        written: Whether to write them first, as the tap does where nothing changes them; their
            numbers are texts then.

    Raises:
        OrgvueError: The export is broken.
    """
    rows = JsonRows(decompressed(chunks))
    columns = [
        Column(
            f"c{i}",
            header.key,
            ColumnType(header.type) if header.type in _NAMES else ColumnType.TEXT,
        )
        for i, header in enumerate(rows.headers)
    ]
    maker = RecordMaker(rows.headers, columns)
    if written:
        return [record for block in rows.blocks(maker.rows) for record in as_written(block)]
    return [record for records in rows.blocks(maker.records) for record in records]


def as_written(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows or records as they are written, their numbers as texts, to the last digit."""
    lines = ENCODER.encode_lines(rows).splitlines()
    return [json.loads(line, parse_int=str, parse_float=str) for line in lines]


_NAMES = {kind.value for kind in KINDS}


def row_count(body: bytes) -> int | None:
    """How many rows a quite different reader sees in a document; None where it is no export."""
    try:
        # What is not UTF-8 may stand in a member that nobody reads.
        text = body.decode("utf-8", "surrogateescape")
        document = json.loads(text, parse_int=str, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    names = [name for name, _ in document] if isinstance(document, tuple) else []
    if names.count("rows") != 1 or "headers" not in names:
        return None
    at = names.index("rows")
    (_, rows), before = document[at], [value for name, value in document[:at] if name == "headers"]
    headers = (before or [value for name, value in document[at:] if name == "headers"])[-1]
    if type(headers) is not list or type(rows) is not list:
        return None
    whole = all(type(row) is list and len(row) == len(headers) for row in rows)
    return len(rows) if whole else None


def whole_export(seed: int) -> str:
    """A whole document, however odd its cells: every row is a record, every value has its type."""
    chance = Chance(seed)
    kinds = [chance.dice.choice(KINDS) for _ in range(chance.dice.randrange(1, 5))]
    count = chance.dice.randrange(8)
    body = chance.document(kinds, count)
    if b"\xed" in body:
        # Halves of characters as bytes are not UTF-8: an error is in order.
        return _one_error(body, chance)
    chunks = chance.chunks(gzip.compress(body) if seed % 3 == 0 else body)
    records = read(chunks, written=chance.dice.random() < 0.5)
    assert len(records) == count, "rows are missing"
    for record in records:
        for i, kind in enumerate(kinds):
            value = record[f"c{i}"]
            assert value is None or isinstance(value, _PYTHON[kind]), "a value has another type"
            # What is null stays so, all else is in its column or in the rescue.
            json.dumps(record, default=str).encode()
    return "whole"


_PYTHON: dict[ColumnType, Any] = dict.fromkeys(KINDS, str) | {
    ColumnType.NUMBER: object,
    ColumnType.BOOLEAN: bool,
}


def broken_export(seed: int) -> str:
    """A damaged document: an error, or every row that an independent reader sees."""
    chance = Chance(seed)
    kinds = [chance.dice.choice(KINDS) for _ in range(chance.dice.randrange(1, 4))]
    return _one_error(chance.broken(chance.document(kinds, chance.dice.randrange(6))), chance)


def _one_error(body: bytes, chance: Chance) -> str:
    try:
        records = read(chance.chunks(body), written=chance.dice.random() < 0.5)
    except OrgvueError as error:
        assert str(error), "an error without words"  # noqa: PT017 - as right as rows
        return "told"
    expected = row_count(body)
    assert expected is not None, "what is no export was read"
    assert len(records) == expected, "rows are missing"
    return "read"


def broken_gzip(seed: int) -> str:
    """A damaged gzip body: an error, or exactly the records that were packed."""
    chance = Chance(seed)
    body = chance.document([ColumnType.TEXT, ColumnType.NUMBER], 5).replace(b"\xed", b"?")
    packed = bytearray(gzip.compress(body))
    packed[chance.dice.randrange(len(packed))] ^= 1 << chance.dice.randrange(8)
    try:
        got = list(decompressed(chance.chunks(bytes(packed))))
    except OrgvueError:
        return "told"
    # Only the header's fields, which nothing depends on, may change unnoticed; or the magic, and
    # then it is not JSON.
    assert b"".join(got) in {body, bytes(packed)}, "damage went unnoticed"
    return "read"


def small_answers(seed: int) -> str:
    """Any JSON as list entry, metadata, ticket, error body or items: a value or an error."""
    chance = Chance(seed)
    names = ("datasetId", "name", "type", "properties", "key", "tags", "errors", "_links", "url")
    answer = {name: chance.value() for name in names} if seed % 4 else chance.value()
    if isinstance(answer, dict):
        answer["properties"] = chance.dice.choice([None, [], [{"key": "a"}], [chance.value()]])
        answer["jobStatus"] = chance.dice.choice(["running", "failed", chance.value()])
    told = 0
    readers: tuple[Callable[[Any], object], ...] = (
        Dataset.from_json,
        Metadata.from_json,
        JobTicket.from_json,
    )
    for reader in readers:
        try:
            reader(answer)
        except OrgvueError:
            told += 1
    body = json.dumps({"errors": answer if seed % 2 else [answer]}).encode()
    str(refusal_of(RequestInfo("GET", "https://h.test/p"), 400, {}, chance.broken(body)))
    items = chance.broken(json.dumps([{"a": chance.value()} for _ in range(4)]).encode())
    header = Metadata.from_json({"properties": [{"key": "a", "name": "a", "type": "text"}]})
    try:
        rows = ItemRows(chance.chunks(items), header.properties)
        maker = RecordMaker(rows.headers, [Column("a", "a", ColumnType.TEXT)])
        list(rows.blocks(maker.records))
    except OrgvueError:
        told += 1
    return "told" if told else "read"


PROMISES: tuple[Callable[[int], str], ...] = (
    whole_export,
    broken_export,
    broken_gzip,
    small_answers,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until the time is up.

    Args:
        arguments: The command line; that of the process without one.

    Returns:
        The exit code: 1 when a promise was not kept.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.trials.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="begin with this one")
    options = parser.parse_args(arguments)
    first = int(time.time()) * 1000 if options.seed is None else options.seed
    until, seed, seen = time.monotonic() + options.seconds, first, Counter[str]()
    while time.monotonic() < until:
        for promise in PROMISES:
            try:
                seen[f"{promise.__name__}: {promise(seed)}"] += 1
            except Exception as error:  # noqa: BLE001 - any at all is what is looked for
                told = f"{promise.__name__}({seed}) broke: {type(error).__name__}: {error}\n"
                sys.stderr.write(told)
                return 1
        seed += 1
    sys.stdout.write(f"{sum(seen.values())} inputs in {options.seconds:g} seconds, from {first}:\n")
    for name, count in sorted(seen.items()):
        sys.stdout.write(f"  {name:<22} {count}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
