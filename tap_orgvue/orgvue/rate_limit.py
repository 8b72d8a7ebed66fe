"""Requests a second for all threads of a client; a throttle pauses all of them."""

from __future__ import annotations

import threading
import time

REQUESTS_PER_SECOND = 90
"""A little under the documented 100 (API guide, "Limits"): requests do not travel equally long."""


class RateLimiter:
    """Spaces requests evenly over time. Thread safe.

    Evenly, because a burst that is delayed on its way arrives together with the next one.
    """

    def __init__(self, per_second: int = REQUESTS_PER_SECOND) -> None:
        """Start with no request sent.

        Args:
            per_second: Requests a second, for all threads together.
        """
        self._step = 1.0 / per_second
        self._next = self._resume_at = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> None:
        """Return when the next request may be sent, or when the run ends."""
        turn = self._take_turn()
        while not stop.is_set():
            now = time.monotonic()
            if now < turn:
                stop.wait(turn - now)
            elif now < self._resume_at:
                # Another thread was throttled in the meantime.
                turn = self._take_turn()
            else:
                return

    def pause(self, seconds: float) -> None:
        """Hold back the requests of all threads for some seconds."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + seconds)

    def _take_turn(self) -> float:
        with self._lock:
            turn = max(time.monotonic(), self._next, self._resume_at)
            self._next = turn + self._step
            return turn
