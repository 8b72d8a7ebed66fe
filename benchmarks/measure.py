"""Whole processes, measured from outside: wall time, peak memory, and what their metrics say."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_METRIC = re.compile(rb"METRIC: (\{.*\})")
_READ_BYTES = 1024 * 1024
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MEGABYTE = 1024 * 1024


class Failed(Exception):
    """A measured process ended with an error, or did not deliver what it should."""


@dataclass(frozen=True)
class Usage:
    """What a process took.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: Seconds of processor time, user and system.
        rss_mb: Peak resident memory in MB (2**20 bytes).
    """

    wall: float
    cpu: float
    rss_mb: float


@dataclass(frozen=True)
class Run(Usage):
    """A process that wrote to a pipe.

    Attributes:
        lines: Lines it wrote.
        size: Bytes it wrote.
        records: The sum of the SDK's `record_count` metrics.
        loop_seconds: The sum of its `sync_duration` metrics. This tap's hold the wait for the
            server as well, which sends a finished file.
    """

    lines: int
    size: int
    records: int
    loop_seconds: float

    @property
    def loop_rate(self) -> float:
        """Records a second inside the sync loop."""
        return self.records / self.loop_seconds


def run(words: Sequence[str], *, expect_records: int | None = None) -> Run:
    """Run a command whose standard output is a pipe that is drained at once.

    Peak memory is what the kernel counted for that process. It counts the memory of whoever
    started it too, up to the moment the program is loaded: so this process must stay small, and
    does nothing large itself.

    Args:
        words: The command.
        expect_records: How many records its metrics must count.

    Raises:
        Failed: It ended with an error, or counted another number of records.
    """
    with TemporaryFile() as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors)
        lines, size = _drain(process.stdout)
        usage = _wait(process, begin)
        said = _read_back(errors)
    _check_ended_well(process, words, said)
    metrics: list[dict[str, Any]] = [json.loads(found) for found in _METRIC.findall(said)]
    counted = sum(metric["value"] for metric in metrics if metric["metric"] == "record_count")
    if expect_records is not None and counted != expect_records:
        raise Failed(f"{_name(words)} counted {counted} records instead of {expect_records}.")
    return Run(
        **vars(usage),
        lines=lines,
        size=size,
        records=counted,
        loop_seconds=sum(
            metric["value"] for metric in metrics if metric["metric"] == "sync_duration"
        ),
    )


def run_pipe(source: Sequence[str], target: Sequence[str]) -> tuple[Usage, Usage]:
    """Run two commands, the output of the first being the input of the second.

    Raises:
        Failed: One of them ended with an error.
    """
    with ExitStack() as files:
        errors = [files.enter_context(TemporaryFile()) for _ in (source, target)]
        begin = time.perf_counter()
        reading = subprocess.Popen(source, stdout=subprocess.PIPE, stderr=errors[0])
        loading = subprocess.Popen(
            target, stdin=reading.stdout, stdout=subprocess.DEVNULL, stderr=errors[1]
        )
        if reading.stdout is not None:
            # The loader's end alone stays open: the tap notices when it is gone.
            reading.stdout.close()
        usages = (_wait(reading, begin), _wait(loading, begin))
        for process, words, file in ((loading, target, errors[1]), (reading, source, errors[0])):
            _check_ended_well(process, words, _read_back(file))
    return usages


def interleaved(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """The median of each measure, taken in turns, so that a busy moment meets all of them.

    A first round, in which files are read and compiled for the first time, is not counted.
    """
    taken = [[measure() for measure in measures] for _ in range(rounds + 1)]
    return [median(values) for values in zip(*taken[1:], strict=True)]


def _drain(pipe: IO[bytes] | None) -> tuple[int, int]:
    """Read a pipe to its end; lines and bytes."""
    if pipe is None:  # pragma: no cover - it was asked for
        return 0, 0
    lines = size = 0
    with pipe:
        while data := os.read(pipe.fileno(), _READ_BYTES):
            lines += data.count(b"\n")
            size += len(data)
    return lines, size


def _wait(process: subprocess.Popen[bytes], begin: float) -> Usage:
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        rss_mb=used.ru_maxrss * _MAXRSS_UNIT / _MEGABYTE,
    )


def _read_back(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _check_ended_well(process: subprocess.Popen[bytes], words: Sequence[str], said: bytes) -> None:
    if process.returncode:
        raise Failed(
            f"{_name(words)} ended with {process.returncode}:\n"
            + said[-2000:].decode(errors="replace")
        )


def _name(words: Sequence[str]) -> str:
    return " ".join(words[:4])
