"""Judges by the time spent in writing whether the loader is slower than the tap."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_SECONDS = 2.0
"""The shortest window: a single write says little."""


class LoaderWait:
    """The share of writing in the latest window of time."""

    def __init__(self, seconds_writing: Callable[[], float], now: float) -> None:
        """Start the first window.

        Args:
            seconds_writing: Seconds spent in writing since the run began, in any thread.
            now: A monotonic time in seconds.
        """
        self._seconds_writing = seconds_writing
        self._began_at, self._written_for = now, seconds_writing()
        self._is_long = False

    def is_long(self, now: float) -> bool:
        """True if more than half of the latest window went into writing.

        Args:
            now: A monotonic time in seconds.
        """
        elapsed = now - self._began_at
        if elapsed >= WINDOW_SECONDS:
            written_for = self._seconds_writing()
            self._is_long = written_for - self._written_for > elapsed / 2
            self._began_at, self._written_for = now, written_for
        return self._is_long
