"""Logs long stages, for runs without a live display."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tap_orgvue.reporting.figures import grouped, megabytes
from tap_orgvue.reporting.journal import Stage

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from typing_extensions import Self

    from tap_orgvue.reporting.journal import Journal, StreamJournal
    from tap_orgvue.reporting.loader_wait import LoaderWait

FIRST_BEAT = 30.0
"""Seconds that a stage lasts until it is logged."""

NEXT_BEAT = 60.0
"""Seconds from one line about a stage to the next, and the longest silence of a run."""

IN_WORK = frozenset({Stage.WAITING, Stage.JOB, Stage.DOWNLOADING, Stage.SENDING})
"""Stages that make progress; in the others a stream waits for another one."""

_SHORTEST_SLEEP = 0.01
_LAST_LINE_SECONDS = 1.0
"""Seconds to wait at the end for a line that is being written."""

_DISCOVERY = ""
"""The subject of discovery's lines; the others are the names of streams."""


class Heartbeat:
    """Logs each stage that lasts over 30 seconds, and again every 60 seconds.

    A thread sleeps until the next line may be due. Where stages change faster than that, one line
    every 60 seconds says how far the run is.
    """

    def __init__(self, journal: Journal, logger: logging.Logger, loader: LoaderWait) -> None:
        """Start nothing yet.

        Args:
            journal: The run's journal; its clock counts.
            logger: Takes the lines, at INFO.
            loader: Says whether rows wait for the loader.
        """
        self._journal = journal
        self._logger = logger
        self._loader = loader
        self._logged: dict[str, tuple[float, float]] = {}
        self._last_line_at = journal.now()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orgvue-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        with suppress(RuntimeError):
            # A system may grant no further thread.
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread."""
        self._stop.set()
        with suppress(RuntimeError):
            self._thread.join(_LAST_LINE_SECONDS)

    def _run(self) -> None:
        pause = FIRST_BEAT
        while not self._stop.wait(pause):
            pause = max(_SHORTEST_SLEEP, self.beat())

    def beat(self) -> float:
        """Log the lines that are due.

        Returns:
            Seconds until the next line may be due.
        """
        now = self._journal.now()
        # A stage that begins from now on is not due before.
        next_due = now + FIRST_BEAT
        for subject, line, since in self._stages(now):
            logged_since, logged_at = self._logged.get(subject, (None, 0.0))
            due = logged_at + NEXT_BEAT if logged_since == since else since + FIRST_BEAT
            if now >= due:
                self._logger.info("%s", line)
                self._logged[subject] = since, now
                self._last_line_at = now
                due = now + NEXT_BEAT
            next_due = min(next_due, due)
        if now >= self._last_line_at + NEXT_BEAT:
            self._logger.info("%s", self._run_line())
            self._last_line_at = now
        return min(next_due, self._last_line_at + NEXT_BEAT) - now

    def _stages(self, now: float) -> Iterator[tuple[str, str, float]]:
        """Each stage under way: its subject, its line, and the time at which it began."""
        journal = self._journal
        since = journal.discovering_since
        if since is not None:
            yield _DISCOVERY, f"discovery: {discovered(journal)}, {now - since:.0f} s", since
        for stream in journal.streams:
            stage, since = stream.current
            if stage in IN_WORK:
                doing = self._doing(stage, now)
                line = f"{stream.name}: {doing}, {now - since:.0f} s{_so_far(stream, stage)}"
                yield stream.name, line, since

    def _doing(self, stage: Stage, now: float) -> str:
        awaits_loader = stage is Stage.SENDING and self._loader.is_long(now)
        return f"{stage.value}, waiting for the loader" if awaits_loader else stage.value

    def _run_line(self) -> str:
        """How far the run is."""
        journal = self._journal
        streams, syncing = journal.streams, journal.syncing
        if not streams:
            return f"discovery: {discovered(journal)}, {journal.seconds():.0f} s in all"
        done = sum(stream.stage is Stage.ENDED for stream in streams)
        rows = sum(stream.rows for stream in streams)
        current = "" if syncing is None else f"; {syncing.name}: {syncing.stage.value}"
        return (
            f"{done} of {len(streams)} streams done, {grouped(rows)} rows, "
            f"{journal.seconds():.0f} s in all{current}"
        )


def discovered(journal: Journal) -> str:
    """How far discovery is: 12 of 40 datasets."""
    if not journal.to_discover:
        return "list of datasets"
    return f"{journal.discovered} of {journal.to_discover} datasets"


def _so_far(stream: StreamJournal, stage: Stage) -> str:
    if stage is Stage.SENDING:
        return f", {grouped(stream.rows)} rows so far"
    if stage is Stage.DOWNLOADING:
        return f", {megabytes(stream.bytes_received)} so far"
    return ""
