"""A tenant of many datasets on a bad day: complete, within Orgvue's limits, in flat memory.

`python -m tests.trials.soak` runs the real command against a simulator in a process of its own,
which throttles at random, breaks connections, answers late and fails the first job of each dataset.
Every row that comes out is compared with what it should be. `test_soak.py` does the same, smaller.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, TYPE_CHECKING, Any

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.files import written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
SAMPLE_SECONDS = 0.05
STREAM_NAME = "Dataset {:03}"


@dataclass(frozen=True)
class Size:
    """How much there is, and how bad the day is.

    Attributes:
        datasets: How many.
        rows: Rows of the largest of them; the others have less, some a few.
        parallel: The tap's `max_parallel_requests`.
        refused: Share of requests that are throttled; at the file host, refused.
        broken: Share of connections that are broken.
        slow: Share of answers that come late.
        late: By how many seconds.
        server: Server time of a request, in seconds.
        seed: Of the dice.
    """

    datasets: int = 300
    rows: int = 3000
    parallel: int = 50
    refused: float = 0.05
    broken: float = 0.05
    slow: float = 0.1
    late: float = 2.0
    server: float = 0.5
    seed: int = 1


# -- what there is


def row_count(size: Size, number: int) -> int:
    """Rows of a dataset: every fifth is large, one is empty."""
    share = (1.0, 0.1, 0.02, 0.3, 0.005)[number % 5]
    return int(size.rows * share) if number % 50 != 7 else 0


def row(number: int, line: int) -> dict[str, object]:
    """A row, as it is in Orgvue; now and then a number that is none."""
    return {
        "_id": f"{number:08X}-0000-4000-8000-{line:012X}",
        "name": f"Zoë {number}-{line} ],[ 🎉",
        "pay": "N/A" if line % 97 == 5 else line * 1.25,
        "start": f"20{line % 30:02}-0{line % 9 + 1}-1{line % 10}",
        "away": None if line % 3 else line % 2 == 0,
        "_modifiedAt": f"2026-01-01T00:00:{line % 60:02}.000Z",
    }


def record(number: int, line: int) -> dict[str, Any]:
    """What should come of it."""
    values = row(number, line)
    changed = values.pop("_modifiedAt")
    expected: dict[str, Any] = {**values, "_modified_at": changed, "_rescued_data": None}
    if expected["pay"] == "N/A":
        expected |= {"pay": None, "_rescued_data": '{"pay":"N/A"}'}
    return expected


def tenant(size: Size) -> list[Dataset]:
    """All datasets."""
    properties = [Property("name"), Property("pay", "number"), Property("start", "date")]
    return [
        Dataset(
            STREAM_NAME.format(number),
            properties=[*properties, Property("away", "boolean")],
            rows=[row(number, line) for line in range(row_count(size, number))],
        )
        for number in range(size.datasets)
    ]


def serve(size: Size) -> None:
    """Serve the tenant on a bad day until standard input ends, then tell the figures."""
    with Orgvue(tenant(size)) as orgvue:
        orgvue.sync_limit_bytes = size.rows * 40
        orgvue.fail_first_jobs = True
        orgvue.job_polls = ("completed",)
        orgvue.seconds = size.server
        # One of each kind for certain, the others by chance.
        orgvue.refuse("42901", on="export")
        orgvue.hang_up(on="export", after=40)
        orgvue.pause(on="export", seconds=size.late)
        orgvue.chance(
            refuse=size.refused,
            hang_up=size.broken,
            slow=size.slow,
            seconds=size.late,
            seed=size.seed,
        )
        sys.stdout.write(json.dumps(orgvue.config) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
        figures = {
            "requests": Counter(request.route for request in orgvue.requests),
            "answers": Counter(str(request.status or "none") for request in orgvue.requests),
            "faults": orgvue.faults,
            "most at once": orgvue.most_at_once,
            "most in a second": orgvue.most_in_a_second,
        }
    sys.stdout.write(json.dumps(figures) + "\n")


# -- what came out


@dataclass
class Outcome:
    """What a run of the tap left.

    Attributes:
        seconds: How long it took.
        code: Its exit code.
        rows: Rows that came, each as it should be.
        wrong: Rows that came otherwise, or more than once.
        missing: Rows that did not come.
        streams: Streams that are complete, of how many.
        memory: Stream's number to the tap's resident memory, in MB, as sampled.
        retries: Waits that were logged.
        figures: What the simulator counted.
        log: The tap's log.
    """

    seconds: float = 0.0
    code: int = -1
    rows: int = 0
    wrong: int = 0
    missing: int = 0
    streams: tuple[int, int] = (0, 0)
    memory: list[tuple[int, float]] = field(default_factory=list)
    retries: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    log: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether every row came, once and right, and the tap said that it did."""
        complete, streams = self.streams
        return self.code == 0 and complete == streams and not self.wrong and not self.missing

    def quarters(self) -> list[float]:
        """The memory's median in each quarter of the streams."""
        found = []
        for quarter in range(4):
            first, last = (self.streams[1] * (quarter + i) / 4 for i in range(2))
            found.append(median([mb for at, mb in self.memory if first <= at < last] or [0.0]))
        return found

    @property
    def peak(self) -> float:
        """The most memory that was seen, in MB."""
        return max((mb for _, mb in self.memory), default=0.0)


class Check:
    """Compares rows with what they should be, as they come."""

    def __init__(self, size: Size) -> None:
        """Expect every row of every dataset."""
        self._numbers = {
            STREAM_NAME.format(i).lower().replace(" ", "_"): i for i in range(size.datasets)
        }
        self._seen = {i: bytearray(row_count(size, i)) for i in range(size.datasets)}
        self.rows = self.wrong = self.stream = 0

    def take(self, message: dict[str, Any]) -> None:
        """Look at a message."""
        number = self._numbers.get(message.get("stream", ""))
        if number is None:
            return
        self.stream = number
        if message["type"] != "RECORD":
            return
        found = message["record"]
        line = int(found["_id"].rpartition("-")[2], 16)
        seen = self._seen[number]
        if line < len(seen) and not seen[line] and found == record(number, line):
            seen[line] = 1
            self.rows += 1
        else:
            self.wrong += 1

    def missing(self) -> dict[int, int]:
        """How many rows of each dataset did not come."""
        return {number: seen.count(0) for number, seen in self._seen.items()}


def soak(size: Size) -> Outcome:
    """Serve a tenant on a bad day, read all of it, compare it."""
    words = [word for name, value in vars(size).items() for word in (f"--{name}", str(value))]
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.trials.soak", "--serve", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with server, tempfile.TemporaryDirectory() as folder:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            config = json.loads(server.stdout.readline())
            outcome = _read_all(size, config, Path(folder))
            server.stdin.close()
            outcome.figures = json.loads(server.stdout.readline())
        except BaseException:
            server.kill()
            raise
    return outcome


def _read_all(size: Size, config: dict[str, Any], folder: Path) -> Outcome:
    """Run the tap as a user does, once, without a catalog."""
    log = folder / "log"
    words = written(folder, config={**config, "max_parallel_requests": size.parallel})
    outcome, check = Outcome(), Check(size)
    begun = time.monotonic()
    with log.open("w") as stderr:
        tap = subprocess.Popen(
            [sys.executable, "-m", "tap_orgvue", *words],
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
        )
        with tap, _sampled(tap.pid, check, outcome.memory):
            assert tap.stdout is not None
            _compare(tap.stdout, check)
    outcome.seconds, outcome.code = time.monotonic() - begun, tap.returncode
    missing = check.missing()
    outcome.rows, outcome.wrong, outcome.missing = check.rows, check.wrong, sum(missing.values())
    outcome.streams = list(missing.values()).count(0), size.datasets
    outcome.log = log.read_text()
    outcome.retries = len(re.findall(": retrying in |: throttled by ", outcome.log))
    return outcome


def _compare(lines: IO[bytes], check: Check) -> None:
    for line in lines:
        check.take(json.loads(line))


@contextlib.contextmanager
def _sampled(pid: int, check: Check, memory: list[tuple[int, float]]) -> Iterator[None]:
    """Look at a process's memory now and then, and at which stream it is."""
    done = threading.Event()

    def look() -> None:
        while not done.wait(SAMPLE_SECONDS):
            with contextlib.suppress(OSError, IndexError):
                status = Path(f"/proc/{pid}/status").read_text()
                kilobytes = status.partition("VmRSS:")[2].split()[0]
                memory.append((check.stream, int(kilobytes) / 1024))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# -- the command


def report(size: Size, outcome: Outcome) -> str:
    """The figures, for people."""
    figures, faults = outcome.figures, outcome.figures["faults"]
    complete, streams = outcome.streams
    quarters = ", ".join(f"{mb:.0f}" for mb in outcome.quarters())
    verdict = "complete" if outcome.is_complete else "NOT COMPLETE"
    wrong, missing = outcome.wrong, outcome.missing
    at_once, a_second = figures["most at once"], figures["most in a second"]
    lines = [
        f"{verdict}, exit code {outcome.code}, in {outcome.seconds:.0f} s",
        f"  streams   {complete} of {streams} complete",
        f"  rows      {outcome.rows} as they should be, {wrong} otherwise, {missing} missing",
        f"  requests  {_listed(figures['requests'])}",
        f"  answers   {_listed(figures['answers'])}",
        f"  faults    {_listed(faults)}; {outcome.retries} waits logged",
        f"  limits    at most {at_once} at once (of 50), {a_second} in a second (of 100)",
        f"  memory    {quarters} MB in the quarters of the run, {outcome.peak:.0f} MB at most",
        f"  setting   max_parallel_requests {size.parallel}, seed {size.seed}",
    ]
    return "\n".join(lines)


def _listed(counts: dict[str, int]) -> str:
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{sum(counts.values())}: {told}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, and tell how it went.

    Args:
        arguments: The command line; that of the process without one.

    Returns:
        The exit code: 1 when anything is missing, wrong, or beyond the limits.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.trials.soak", description=__doc__)
    for name, default in vars(Size()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--serve", action="store_true", help="be the simulator of a soak")
    options = vars(parser.parse_args(arguments))
    serves = options.pop("serve")
    size = Size(**options)
    if serves:
        serve(size)
        return 0
    outcome = soak(size)
    sys.stdout.write(report(size, outcome) + "\n")
    if not outcome.is_complete:
        sys.stdout.write(outcome.log[-4000:])
    figures = outcome.figures
    within = figures["most at once"] <= 50 and figures["most in a second"] <= 100
    return 0 if outcome.is_complete and within else 1


if __name__ == "__main__":
    sys.exit(main())
