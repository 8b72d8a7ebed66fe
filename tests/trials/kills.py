"""The real command, killed at many points and run again from the last STATE: no row is lost.

`python -m tests.trials.kills --points 100` tells the figures; `test_kills.py` does a bounded
number.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.files import written
from tests.support.runs import discover, select

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

KILLS_A_LIFE = 3
"""How often a tap is killed before it is let through."""

FULL, INCREMENTAL = ("staff", "roles"), ("moves", "posts")
"""The streams, by how they are replicated; `posts` has more rows than records between two
STATEs."""

COLUMNS = {
    "_id": "_id",
    "id": "id",
    "full_name": "Full Name",
    "salary": "salary",
    "start_date": "startDate",
    "_modified_at": "_modifiedAt",
}
"""Column to property key."""

WAYS: tuple[dict[str, Any], ...] = (
    {"export_mode": "sync"},
    {"export_mode": "async"},
    {"export_mode": "paged"},
    {"export_mode": "auto", "batches": True},
)
"""The settings of a life, in turn."""


@dataclass(frozen=True)
class Point:
    """When a tap is killed, and how.

    Attributes:
        after: `bytes` read from it, `states` read from it, or `requests` that it made.
        count: How many of them.
        signum: SIGKILL, SIGTERM or SIGHUP.
        drained: Whether the loader still reads what is in the pipe.
    """

    after: str
    count: int
    signum: signal.Signals
    drained: bool


@dataclass
class Loader:
    """What a loader that upserts by key, and removes what an activated version lacks, would hold.

    Attributes:
        rows: Stream to key to record.
        versions: Stream to key to the version that the record came with.
        state: The last STATE; None before the first.
        states: The number of STATEs.
        files: The names of the files of BATCH messages.
    """

    rows: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    versions: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    state: dict[str, Any] | None = None
    states: int = 0
    files: set[str] = field(default_factory=set)

    def take(self, line: bytes) -> None:
        """Take a whole line."""
        message = json.loads(line)
        stream = message.get("stream", "")
        if message["type"] == "RECORD":
            self._upsert(stream, message["record"], message.get("version"))
        elif message["type"] == "BATCH":
            for address in message["manifest"]:
                self.files.add(Path(urlsplit(address).path).name)
                for row in gzip.decompress(Path(urlsplit(address).path).read_bytes()).splitlines():
                    record = json.loads(row)
                    self._upsert(stream, record, record.get("_sdc_table_version"))
        elif message["type"] == "ACTIVATE_VERSION":
            versions = self.versions[stream]
            for key in [key for key in versions if versions[key] != message["version"]]:
                del versions[key], self.rows[stream][key]
        elif message["type"] == "STATE":
            self.state = message["value"]
            self.states += 1

    def _upsert(self, stream: str, record: dict[str, Any], version: int | None) -> None:
        self.rows[stream][record["_id"]] = {name: record[name] for name in COLUMNS}
        self.versions[stream][record["_id"]] = version


@dataclass
class Life:
    """A tenant, and a loader that is fed by taps that are killed.

    Attributes:
        way: One of `WAYS`.
        kinds: What the next points are counted by.
        told: What happened, for the figures.
        wrong: What must not have happened, in words.
    """

    orgvue: Orgvue
    dice: random.Random
    folder: Path
    way: dict[str, Any]
    kinds: Iterator[str]
    loader: Loader = field(default_factory=Loader)
    told: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def live(self) -> None:
        """Be killed, see rows change, be killed again, and be let through in the end."""
        catalog = discover(self.orgvue.config)
        for stream in INCREMENTAL:
            select(
                catalog, stream, replication_method="INCREMENTAL", replication_key="_modified_at"
            )
        documents = {"config": self._config(), "catalog": catalog}
        for number in range(KILLS_A_LIFE):
            self._run(self._point(first=number == 0), documents)
            self._see_that_the_state_is_not_ahead()
            self._change_rows()
        self._run(None, documents)
        self._compare()

    def _config(self) -> dict[str, Any]:
        config = {**self.orgvue.config, "emit_activate_version_messages": True, **self.way}
        if config.pop("batches", False):
            config["batch_config"] = {
                "encoding": {"format": "jsonl", "compression": "gzip"},
                "storage": {"root": (self.folder / "batches").as_uri()},
                "batch_size": 700,
            }
        return config

    def _point(self, *, first: bool) -> Point:
        """Anywhere: while it starts, asks, waits, downloads, sends, and between two streams."""
        after = next(self.kinds)
        most = {
            "bytes": 5_000_000 if first else 1_100_000,
            "states": len(FULL + INCREMENTAL),
            "requests": len(FULL + INCREMENTAL) * (3 if self.way["export_mode"] == "async" else 1),
        }
        if self.way.get("batches"):
            most["bytes"] = 5_000
        signum = self.dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
        return Point(after, self.dice.randint(1, most[after]), signum, self.dice.random() < 0.5)

    # -- a run

    def _run(self, point: Point | None, documents: dict[str, Any]) -> None:
        words = written(self.folder, **documents, state=self.loader.state)
        self.told["runs"] += 1
        files, gone = self._files(), Event()
        with (
            (self.folder / "log").open("wb") as log,
            subprocess.Popen(
                [sys.executable, "-m", "tap_orgvue", *words],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
            ) as tap,
        ):
            if point is not None and point.after == "requests":
                wanted = len(self.orgvue.requests) + point.count
                Thread(target=self._kill_at_request, args=(tap, point, wanted, gone)).start()
            try:
                rest = self._feed(tap, point)
            finally:
                gone.set()
        killed = point is not None and tap.returncode in {-point.signum, 128 + point.signum}
        self.told["runs that ended by themselves"] += not killed
        if killed and point is not None:
            self.told["points"] += 1
            self.told[f"by {point.signum.name}"] += 1
            self.told[f"after {point.after}"] += 1
        elif tap.returncode:
            self.wrong.append(f"exit code {tap.returncode}: {(self.folder / 'log').read_text()}")
        if point is None or point.signum is not signal.SIGKILL:
            if rest:
                self.wrong.append(f"an ordered end left a cut line: {rest[-80:]!r}")
            if unknown := self._files() - files - self.loader.files:
                self.wrong.append(f"an ordered end left files without a message: {unknown}")

    def _feed(self, tap: subprocess.Popen[bytes], point: Point | None) -> bytes:
        """Feed the loader with whole lines until the tap is gone; what is left of the last."""
        assert tap.stdout is not None
        pending, count, killed = b"", 0, False
        states = self.loader.states
        while True:
            size = 65536
            if point is not None and point.after == "bytes" and not killed:
                size = max(1, min(size, point.count - count))
            data = os.read(tap.stdout.fileno(), size)
            if not data:
                return pending
            _narrow(tap.stdout.fileno())
            count += len(data)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                self.loader.take(line)
                seen = self.loader.states - states
                if self._is_due(point, count, seen) and not killed and point is not None:
                    killed = True
                    tap.send_signal(point.signum)
                    if point.signum is signal.SIGKILL and not point.drained:
                        return b""

    @staticmethod
    def _is_due(point: Point | None, count: int, states: int) -> bool:
        reached = {"bytes": count, "states": states}
        return point is not None and reached.get(point.after, -1) >= point.count

    def _kill_at_request(
        self, tap: subprocess.Popen[bytes], point: Point, wanted: int, gone: Event
    ) -> None:
        while len(self.orgvue.requests) < wanted:
            if gone.wait(0.002):
                return
        tap.send_signal(point.signum)

    def _files(self) -> set[str]:
        """The names of the BATCH files that there are."""
        return {path.name for path in self.folder.glob("batches/*")}

    # -- what must be so

    def _change_rows(self) -> None:
        """Edit and add rows everywhere, remove some where that can be seen."""
        for stream in FULL + INCREMENTAL:
            dataset = self.orgvue.dataset(stream)
            for _ in range(15):
                number = self.dice.randrange(len(dataset.rows))
                dataset.update(number, salary=self.dice.randrange(10**6))
            for _ in range(3):
                dataset.add({"id": f"new {self.dice.random()}", "salary": 1})
            if stream in FULL:
                dataset.remove(self.dice.randrange(len(dataset.rows)))

    def _wanted(self, stream: str) -> dict[str, Any]:
        return {
            str(row["_id"]): {name: row.get(key) for name, key in COLUMNS.items()}
            for row in self.orgvue.dataset(stream).rows
        }

    def _see_that_the_state_is_not_ahead(self) -> None:
        """Whatever the last STATE says is done, the loader has."""
        bookmarks = (self.loader.state or {}).get("bookmarks", {})
        for stream in FULL + INCREMENTAL:
            bookmark, held = bookmarks.get(stream, {}), self.loader.rows[stream]
            if len(held) < (bookmark.get("orgvue", {}).get("rows") or 0):
                self.wrong.append(f"{stream}: the state counts more rows than there are")
            until = bookmark.get("replication_key_value", "")
            ahead = sum(
                record["_modified_at"] <= until and held.get(key) != record
                for key, record in self._wanted(stream).items()
            )
            self.told["rows that a state was ahead of"] += ahead
            if ahead:
                self.wrong.append(f"{stream}: the state is ahead of {ahead} rows")

    def _compare(self) -> None:
        for stream in FULL + INCREMENTAL:
            held, wanted = self.loader.rows[stream], self._wanted(stream)
            lost = [key for key, record in wanted.items() if held.get(key) != record]
            left = [key for key in held if key not in wanted]
            self.told["rows compared"] += len(wanted)
            self.told["rows lost"] += len(lost)
            self.told["rows left over"] += len(left)
            if lost or left:
                self.wrong.append(f"{stream}: {len(lost)} rows lost, {len(left)} left over")


def _narrow(pipe: int) -> None:
    """Undo the tap's widening, so that what it is at is near to what was read of it."""
    # Refused while more is held; the next read tries again.
    with suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, 65536)


def dataset(name: str, rows: int) -> Dataset:
    """A dataset of some rows, which were last changed in another order than they are sent in."""
    return Dataset(
        name,
        properties=[
            Property("id", auto_id=True),
            Property("Full Name"),
            Property("salary", "number"),
            Property("startDate", "date"),
        ],
        rows=[
            {
                "id": f"P{i}",
                "Full Name": f"Person {i} of {name}",
                "salary": i,
                "startDate": f"2022-01-{i % 28 + 1:02d}",
                "_modifiedAt": _moment(i * 7919 % rows),
            }
            for i in range(rows)
        ],
    )


def _moment(seconds: int) -> str:
    hours, seconds = divmod(seconds, 3600)
    return f"2026-01-01T{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}.000Z"


def kill(points: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Kill the tap at this many points.

    Returns:
        The figures, and what went wrong.
    """
    told, wrong = Counter[str](points=0), []
    kinds = itertools.cycle(["bytes", "requests", "states", "bytes", "requests"])
    for number in range(-(-points // KILLS_A_LIFE)):
        dice = random.Random(seed + number)  # noqa: S311 - not for secrets
        datasets = [
            dataset("moves", 2_000),
            dataset("staff", 2_000),
            dataset("posts", 11_000),
            dataset("roles", 2_000),
        ]
        with TemporaryDirectory() as folder, Orgvue(datasets) as orgvue:
            orgvue.job_polls = ("running", "completed") if dice.random() < 0.2 else ("completed",)
            orgvue.sync_limit_bytes = 400_000 if number % len(WAYS) == 2 else None
            life = Life(orgvue, dice, Path(folder), WAYS[number % len(WAYS)], kinds)
            life.live()
        told.update(life.told)
        wrong += [f"seed {seed + number}: {each}" for each in life.wrong]
    return told, wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill the tap, and tell the figures.

    Args:
        arguments: The command line; that of the process without one.

    Returns:
        The exit code: 1 when a row was lost, or a state was ahead of its records.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.trials.kills", description=__doc__)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="begin with this one")
    options = parser.parse_args(arguments)
    seed = int(time.time()) if options.seed is None else options.seed
    told, wrong = kill(options.points, seed)
    sys.stdout.write(f"From seed {seed}:\n")
    for name, count in told.items():
        sys.stdout.write(f"  {name:<31} {count}\n")
    for each in wrong:
        sys.stdout.write(f"{each}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
