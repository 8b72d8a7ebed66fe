"""Requests a second for all threads; a throttle pauses all of them."""

from __future__ import annotations

import threading
import time

REQUESTS_A_SECOND = 90
"""A little under the documented 100, because requests do not travel equally long."""


class Pace:
    """When the next request may leave: a number of requests a second, for all threads.

    They leave evenly, because a burst that waits somewhere on its way arrives with the next.
    """

    def __init__(self, a_second: int = REQUESTS_A_SECOND) -> None:
        """Begin with nothing sent."""
        self._step = 1.0 / a_second
        self._next = self._resume_at = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> None:
        """Return when it is this request's turn, or when the run ends."""
        turn = self._take_turn()
        while not stop.is_set():
            now = time.monotonic()
            if now < turn:
                stop.wait(turn - now)
            elif now < self._resume_at:
                # A throttle came in between.
                turn = self._take_turn()
            else:
                return

    def _take_turn(self) -> float:
        with self._lock:
            turn = max(time.monotonic(), self._next, self._resume_at)
            self._next = turn + self._step
            return turn

    def pause(self, seconds: float) -> None:
        """Let nobody ask anything for a while: one worker's throttle is everybody's."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)
