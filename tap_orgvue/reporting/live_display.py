"""The live display of a run: a thread that draws frames on a terminal, and fails no run."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from tap_orgvue.reporting.terminal import FramedStream

if TYPE_CHECKING:
    from typing_extensions import Self

    from tap_orgvue.reporting.journal import Journal
    from tap_orgvue.reporting.loader_wait import LoaderWait

REFRESH_SECONDS = 0.25
"""From one frame to the next. A frame takes a third of a millisecond."""

_STOP_SECONDS = 1.0
"""Seconds to wait for the removal: a terminal may take nothing, as after Ctrl-S."""


class LiveDisplay:
    """Shows the progress of a run below the lines of the log."""

    def __init__(
        self, journal: Journal, stream: TextIO, loader: LoaderWait, *, colors: bool
    ) -> None:
        """Show nothing yet.

        Args:
            journal: The run's journal.
            stream: Standard error, a terminal.
            loader: Says whether rows wait for the loader.
            colors: False for a display without colours.
        """
        self._journal = journal
        self._loader = loader
        self._colors = colors
        self._terminal = FramedStream(stream)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="orgvue-display", daemon=True)

    def __enter__(self) -> Self:
        """Show it."""
        self._terminal.install()
        with suppress(RuntimeError):
            # A system may grant no further thread.
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Remove it: lines written from now on are the only ones."""
        self._stop.set()
        try:
            with suppress(RuntimeError):
                self._thread.join(_STOP_SECONDS)
        finally:
            # A signal may have come meanwhile.
            self._terminal.uninstall()

    def abandon(self) -> None:
        """Remove it, if that does not wait for anything. For signal handlers."""
        self._terminal.abandon()

    def _run(self) -> None:
        try:
            with suppress(Exception):
                # A run goes on without its display.
                self._draw()
        finally:
            self._terminal.remove()

    def _draw(self) -> None:
        from tap_orgvue.reporting.frame import FrameMaker  # noqa: PLC0415 - imports rich

        frames = FrameMaker(self._journal, self._loader, colors=self._colors)
        while not self._stop.is_set():
            size = self._terminal.size()
            self._terminal.show(frames.lines(size.columns, size.lines))
            self._stop.wait(REFRESH_SECONDS)
