"""The journal of a run: the current stage of each stream, and the seconds in each stage.

The threads that fetch exports and the thread that sends records write it. The live display,
heartbeats and the run report read it. Nothing here is done per record.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Stage(str, Enum):
    """A stage of a stream; its value is its name for people."""

    PLANNED = "planned"
    WAITING = "waiting for Orgvue"
    JOB = "export job running"
    DOWNLOADING = "downloading"
    FETCHED = "fetched, waiting for its turn"
    SENDING = "sending rows"
    ENDED = "ended"


WAITS = frozenset({Stage.WAITING, Stage.JOB, Stage.DOWNLOADING})
"""Stages of waiting for Orgvue."""


class StreamJournal:
    """One stream's part of the journal. Thread safe.

    Attributes:
        name: The stream's name.
        stage: Its current stage.
        since: The time at which the stage was entered, by the journal's clock, in seconds.
        rows: Rows sent so far.
        bytes_received: Bytes of its exports received so far.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        """Start as planned."""
        self.name = name
        self.stage = Stage.PLANNED
        self.since = clock()
        self.rows = 0
        self.bytes_received = 0
        self._clock = clock
        self._seconds = dict.fromkeys(Stage, 0.0)
        self._lock = threading.Lock()

    def enter(self, stage: Stage) -> None:
        """Enter a stage, which ends the one before.

        To enter the current stage changes nothing: all attempts at a request are one wait.
        """
        with self._lock:
            if stage is self.stage:
                return
            now = self._clock()
            self._seconds[self.stage] += now - self.since
            self.stage, self.since = stage, now

    @property
    def current(self) -> tuple[Stage, float]:
        """The stage, and the time at which it was entered."""
        with self._lock:
            return self.stage, self.since

    def add_bytes(self, count: int) -> None:
        """Count bytes of an export."""
        with self._lock:
            self.bytes_received += count

    def seconds_in(self, *stages: Stage) -> float:
        """Seconds in some stages, the current one included."""
        with self._lock:
            current = self._clock() - self.since if self.stage in stages else 0.0
            return current + sum(self._seconds[stage] for stage in stages)


class Journal:
    """The journal of a run. Thread safe.

    Attributes:
        discovered: Datasets whose columns were read, or could not be.
        to_discover: Datasets that discovery reads; 0 before and without discovery.
        discovering_since: The time at which discovery began, by the journal's clock, in seconds;
            None while nothing is discovered.
        syncing: The stream whose turn it is, or None.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the run.

        Args:
            clock: Gives the time in seconds, monotonic.
        """
        self.discovered = 0
        self.to_discover = 0
        self.discovering_since: float | None = None
        self.syncing: StreamJournal | None = None
        self._clock = clock
        self._began = clock()
        self._streams: dict[str, StreamJournal] = {}
        self._lock = threading.Lock()

    def stream(self, name: str) -> StreamJournal:
        """A stream's part; made at the first call."""
        with self._lock:
            if name not in self._streams:
                self._streams[name] = StreamJournal(name, self._clock)
            return self._streams[name]

    @property
    def streams(self) -> list[StreamJournal]:
        """The parts of all streams, in the order of their first calls of `stream`."""
        with self._lock:
            return list(self._streams.values())

    @contextmanager
    def discovery(self) -> Iterator[None]:
        """The context of discovery: datasets are listed, and their columns read."""
        self.discovering_since = self._clock()
        try:
            yield
        finally:
            self.discovering_since = None

    def count_discovered(self) -> None:
        """Count a dataset whose columns were read, or could not be."""
        with self._lock:
            self.discovered += 1

    @contextmanager
    def turn_of(self, name: str) -> Iterator[None]:
        """The context of a stream's sync; the stream has ended after it, also by an error."""
        self.syncing = stream = self.stream(name)
        try:
            yield
        finally:
            stream.enter(Stage.ENDED)
            self.syncing = None

    def now(self) -> float:
        """The time by the journal's clock, in seconds."""
        return self._clock()

    def seconds(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began
