"""Records all requests, their times and their number at once, and checks the limits."""

from __future__ import annotations

import itertools
import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.messages import Request


class Ledger:
    """Every request in order, with the measures of those to the API."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Start empty, with the limits of `behaviour`."""
        self._behaviour = behaviour
        self._lock = Lock()
        self._requests: list[Request] = []
        self._at_once = 0
        self._counted = 0
        self._arrived: deque[float] = deque()
        self._admitted: deque[float] = deque()
        self.most_at_once = 0
        self.most_in_a_second = 0

    @property
    def requests(self) -> list[Request]:
        """The requests so far."""
        with self._lock:
            return list(self._requests)

    def enter(self, request: Request) -> None:
        """Note a request's arrival.

        Raises:
            RefusalError: It is one too many. It was noted all the same.
        """
        with self._lock:
            request.started = now = time.monotonic()
            self._requests.append(request)
            if request.origin != "api":
                return
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.most_in_a_second = max(self.most_in_a_second, _add(self._arrived, now))
            self._check(now)

    def leave(self, request: Request, status: int | None) -> None:
        """Note the end of a request, once."""
        with self._lock:
            if request.ended is not None:
                return
            request.status = request.status if status is None else status
            request.ended = time.monotonic()
            if request.origin == "api":
                self._at_once -= 1

    def _check(self, now: float) -> None:
        behaviour = self._behaviour
        if self._at_once > behaviour.concurrency_limit:
            raise RefusalError("42901", message="Too many concurrent requests.")
        if _recent(self._admitted, now) >= behaviour.rate_limit:
            raise RefusalError("42901", message="Too many requests in a second.")
        if self._counted >= behaviour.daily_quota:
            raise RefusalError("42902")
        # What is refused uses up nothing, or a client that retries would never get through.
        self._admitted.append(now)
        self._counted += 1


def _recent(moments: deque[float], now: float) -> int:
    while moments and now - moments[0] >= 1:
        moments.popleft()
    return len(moments)


def _add(moments: deque[float], now: float) -> int:
    moments.append(now)
    return _recent(moments, now)


def most_at_once(requests: Sequence[Request]) -> int:
    """Count the most of these requests that were under way at one moment."""
    steps = [(request.started, 1) for request in requests]
    steps += [(request.ended, -1) for request in requests if request.ended is not None]
    # An end and a beginning at one moment were not at once: ends sort first.
    return max(itertools.accumulate((step for _, step in sorted(steps)), initial=0))
