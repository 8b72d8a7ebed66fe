"""Trouble on demand: refusals, odd answers, broken connections, wrong lengths, pauses."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tap_orgvue.simulator.messages import Request
    from tap_orgvue.simulator.refusals import Reason


@dataclass(frozen=True)
class Refuse:
    """Answer with a refusal."""

    reason: Reason
    retry_after: str | float | None = None


@dataclass(frozen=True)
class Reply:
    """Answer with these bytes."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class HangUp:
    """Break the connection.

    Attributes:
        after: Bytes of the body sent before; 0 is before the status line; negative counts from
            the end. A body that is shorter loses its last byte.
        reset: Whether the connection is reset, rather than closed.
    """

    after: int = 0
    reset: bool = False


@dataclass(frozen=True)
class Lie:
    """Tell a Content-Length that is `by` bytes off, and close the connection after the body."""

    by: int


@dataclass(frozen=True)
class Pause:
    """Wait before answering."""

    seconds: float


Trouble = Refuse | Reply | HangUp | Lie | Pause

_KINDS: Mapping[type[Trouble], str] = {
    Refuse: "refused",
    Reply: "answered otherwise",
    HangUp: "broken off",
    Lie: "of a wrong length",
    Pause: "slow",
}


@dataclass
class _Order:
    trouble: Trouble
    on: str | Collection[str] | None
    dataset_id: str | None
    times: int | None

    def fits(self, request: Request) -> bool:
        if self.times == 0:
            return False
        if self.dataset_id and (request.dataset_id or "").upper() != self.dataset_id.upper():
            return False
        if self.on is None:
            return request.origin == "api"
        return request.route == self.on if isinstance(self.on, str) else request.route in self.on


class Troubles:
    """What has been ordered, and what chance brings. Safe to use from many threads.

    Attributes:
        met: How often requests met trouble, by its kind.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._lock = Lock()
        self._orders: list[_Order] = []
        self._refuse = self._hang_up = self._slow = self._seconds = 0.0
        self._random = random.Random(0)  # dice that can be thrown again
        self.met: Counter[str] = Counter()

    def order(
        self,
        trouble: Trouble,
        on: str | Collection[str] | None,
        dataset_id: str | None,
        times: int | None,
    ) -> None:
        """Order trouble for the next `times` requests that fit; forever with `None`."""
        with self._lock:
            self._orders.append(_Order(trouble, on, dataset_id, times))

    def chance(self, refuse: float, hang_up: float, slow: tuple[float, float], seed: int) -> None:
        """Set the shares of requests to refuse, to hang up on, to make wait and for how long."""
        with self._lock:
            self._refuse, self._hang_up = refuse, hang_up
            self._slow, self._seconds = slow
            self._random = random.Random(seed)

    def clear(self) -> None:
        """Forget every order and all chance."""
        with self._lock:
            self._orders.clear()
            self._refuse = self._hang_up = self._slow = 0.0

    def pause(self, request: Request) -> float:
        """Take the first pause ordered for a request, in seconds; 0 without one."""
        with self._lock:
            taken = self._take(request, pauses=True)
            if taken is None and self._slow and self._random.random() < self._slow:
                taken = Pause(self._seconds)
            self._count(taken)
        return taken.seconds if isinstance(taken, Pause) else 0.0

    def take(self, request: Request) -> Trouble | None:
        """Take the first other trouble ordered for a request, or what chance brings."""
        with self._lock:
            taken = self._take(request, pauses=False) or self._throw(request)
            self._count(taken)
        return taken

    def _count(self, taken: Trouble | None) -> None:
        if taken is not None:
            self.met[_KINDS[type(taken)]] += 1

    def _take(self, request: Request, *, pauses: bool) -> Trouble | None:
        for order in self._orders:
            if isinstance(order.trouble, Pause) == pauses and order.fits(request):
                if order.times is not None:
                    order.times -= 1
                return order.trouble
        return None

    def _throw(self, request: Request) -> Trouble | None:
        if not self._refuse and not self._hang_up:
            return None
        dice, place = self._random.random(), self._random.randrange(-2000, 2000)
        if dice < self._refuse:
            return Refuse("42901" if request.origin == "api" else 503)
        hangs_up = dice < self._refuse + self._hang_up
        return HangUp(place, reset=place % 2 == 0) if hangs_up else None
