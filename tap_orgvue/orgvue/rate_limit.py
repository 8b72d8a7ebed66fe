"""Requests a second for all threads of a client; a throttle pauses all of them."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS_PER_SECOND = 90
"""Less than the documented 100 (API guide, "Limits"), because network delays vary."""


class RateLimiter:
    """Spaces requests evenly over time. Thread safe.

    Bursts are avoided: a delayed burst would arrive together with the next one.
    """

    def __init__(
        self,
        per_second: int = REQUESTS_PER_SECOND,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with no request sent.

        Args:
            per_second: Requests a second of all threads together.
            clock: Gives the time in seconds, monotonic.
        """
        self._clock = clock
        self._step = 1.0 / per_second
        self._next = self._resume_at = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> None:
        """Return when the next request may be sent, or when the run ends."""
        turn = self._take_turn()
        while not stop.is_set():
            now = self._clock()
            if now < turn:
                stop.wait(turn - now)
            elif now < self._resume_at:
                # Another thread was throttled in the meantime.
                turn = self._take_turn()
            else:
                return

    def pause(self, seconds: float) -> None:
        """Delay the next requests of all threads by some seconds."""
        with self._lock:
            self._resume_at = max(self._resume_at, self._clock() + seconds)

    def _take_turn(self) -> float:
        with self._lock:
            turn = max(self._clock(), self._next, self._resume_at)
            self._next = turn + self._step
            return turn
