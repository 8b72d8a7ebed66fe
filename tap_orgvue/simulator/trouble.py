"""Trouble on demand, as data: its kinds, the requests that meet it, and trouble by chance."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tap_orgvue.simulator.messages import KINDS, PARTS, ROUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tap_orgvue.simulator.messages import Request
    from tap_orgvue.simulator.refusals import Reason


@dataclass(frozen=True)
class Refuse:
    """Respond with a refusal, whose body is a failed job ticket where `as_ticket` is set."""

    word: ClassVar[str] = "refused"

    reason: Reason
    retry_after: str | float | None = None
    as_ticket: bool = False


@dataclass(frozen=True)
class Reply:
    """Respond with these bytes."""

    word: ClassVar[str] = "answered otherwise"

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
        behind: Cut the plain body right behind this text, instead of after so many bytes.
        place: Which occurrence of the text, as an index: 0 the first, -1 the last.
        tells_length: Whether `Content-Length` is told; without it the cut looks like the end.
    """

    word: ClassVar[str] = "broken off"

    after: int = 0
    reset: bool = False
    behind: str | None = None
    place: int = 0
    tells_length: bool = True


@dataclass(frozen=True)
class Lie:
    """Tell a Content-Length that is `by` bytes off, and close the connection after the body."""

    word: ClassVar[str] = "of a wrong length"

    by: int


@dataclass(frozen=True)
class Pause:
    """Wait before responding."""

    word: ClassVar[str] = "slow"

    seconds: float


@dataclass(frozen=True)
class Drip:
    """Send a response byte by byte, and never end it.

    Attributes:
        seconds: Between two bytes; `None` sends nothing more at all.
        after: Bytes of the body sent at once before.
        head: Whether the headers already do so.
    """

    word: ClassVar[str] = "dripped"

    seconds: float | None
    after: int = 0
    head: bool = False


@dataclass(frozen=True)
class Amend:
    """Alter the members of a successful JSON response.

    Attributes:
        put: Members set.
        remove: Members removed, before.
        headers: HTTP headers set.
        entry: The entry of a list that is altered instead of the whole: a name, an id, an index.
        to: What stands in its place; the ellipsis leaves it there.
    """

    word: ClassVar[str] = "altered"

    put: Mapping[str, object] = field(default_factory=dict)
    remove: Collection[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    entry: str | int | None = None
    to: object = ...


@dataclass(frozen=True)
class Reshape:
    """Alter the columns of a successful jsonRows response.

    Attributes:
        drop: Keys of columns removed.
        add: Key of a column added -> its value in every row.
        rename: Key -> another key.
        retype: Key -> another declared type.
        first: Keys of the columns that come first, in this order.
        keyless: Keys of columns whose header has no `key`.
    """

    word: ClassVar[str] = "altered"

    drop: Collection[str] = ()
    add: Mapping[str, object] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    retype: Mapping[str, str] = field(default_factory=dict)
    first: Sequence[str] = ()
    keyless: Collection[str] = ()


@dataclass(frozen=True)
class JobPlan:
    """What a job will tell: its statuses, the last one repeating, and errors with the last."""

    word: ClassVar[str] = "jobs planned"

    statuses: Sequence[str]
    errors: Sequence[Mapping[str, object]] = ()


@dataclass(frozen=True)
class Before:
    """Call something after a request came, before its response is made."""

    word: ClassVar[str] = "changed before"

    change: Callable[[], object]


@dataclass(frozen=True)
class After:
    """Call something after a response is made, before it is sent."""

    word: ClassVar[str] = "changed after"

    change: Callable[[], object]


#: Other responses, and other ends of the sending. A request meets one of these at most.
Instead = Refuse | Reply | HangUp | Lie
#: Changes of a response. A request meets all of these that were ordered for it.
Edit = Amend | Reshape
Trouble = Instead | Edit | Pause | Drip | JobPlan | Before | After

_Kind = TypeVar("_Kind", Pause, Drip, JobPlan, Before, After)


@dataclass
class Order:
    """Trouble, and the requests that it meets.

    Attributes:
        trouble: What happens to them.
        on: Routes, kinds or parts of requests, see `messages`; `None` for every route of the API.
        dataset_id: Only requests that name this dataset.
        draft_id: Only requests that name this draft.
        times: How many requests it meets; `None` for all.
        skip: How many requests that fit are spared before.
        share: The share of the requests that fit which it meets, by dice.
    """

    trouble: Trouble
    on: Collection[str] | None = None
    dataset_id: str | None = None
    draft_id: str | None = None
    times: int | None = 1
    skip: int = 0
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse names that no request has.

        Raises:
            ValueError: There is one.
        """
        unknown = {*(self.on or ())} - {*ROUTES, *KINDS, *PARTS}
        if unknown:
            message = f"no request is called {', '.join(sorted(unknown))}"
            raise ValueError(message)

    def fits(self, request: Request) -> bool:
        """True if the request is one of those that the order is for."""
        if self.dataset_id and (request.dataset_id or "").upper() != self.dataset_id.upper():
            return False
        if self.draft_id and self.draft_id.upper() not in map(str.upper, request.draft_ids):
            return False
        return request.origin == "api" if self.on is None else not request.names.isdisjoint(self.on)

    def meets(self, request: Request, dice: random.Random) -> bool:
        """True if the request is met now; that counts."""
        if self.times == 0 or not self.fits(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.share < 1 and dice.random() >= self.share:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Troubles:
    """What has been ordered, and what chance brings. Safe to use from many threads.

    Attributes:
        met: How often requests met trouble, by its kind.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._lock = Lock()
        self._orders: list[Order] = []
        self._refuse = self._hang_up = self._slow = self._seconds = 0.0
        self._random = random.Random(0)  # dice that can be thrown again
        self.met: Counter[str] = Counter()

    def order(self, order: Order) -> None:
        """Order trouble for requests to come."""
        with self._lock:
            self._orders.append(order)

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

    def take(self, request: Request, kind: type[_Kind]) -> _Kind | None:
        """Take the first trouble of a kind that was ordered for a request."""
        with self._lock:
            return next(self._met(request, kind), None)

    def pause(self, request: Request) -> float:
        """Take the first pause ordered for a request, or chance's, in seconds; 0 without one."""
        taken = self.take(request, Pause)
        with self._lock:
            if taken is None and self._slow and self._random.random() < self._slow:
                taken = Pause(self._seconds)
                self.met[taken.word] += 1
        return taken.seconds if taken else 0.0

    def instead(self, request: Request) -> Instead | None:
        """Take the first other response ordered for a request, or one by chance."""
        with self._lock:
            taken: Instead | None = next(self._met(request, Refuse, Reply, HangUp, Lie), None)
            if taken is None:
                taken = self._throw(request)
                self.met.update([taken.word] if taken else [])
        return taken

    def edits(self, request: Request) -> list[Edit]:
        """Take all that was ordered to be altered in a request's response."""
        with self._lock:
            return list(self._met(request, Amend, Reshape))

    def _met(self, request: Request, *kinds: type[Any]) -> Iterator[Any]:
        for order in self._orders:
            if isinstance(order.trouble, kinds) and order.meets(request, self._random):
                self.met[order.trouble.word] += 1
                yield order.trouble

    def _throw(self, request: Request) -> Instead | None:
        if not self._refuse and not self._hang_up:
            return None
        dice, place = self._random.random(), self._random.randrange(-2000, 2000)
        if dice < self._refuse:
            return Refuse("42901" if request.origin == "api" else 503)
        hangs_up = dice < self._refuse + self._hang_up
        return HangUp(place, reset=place % 2 == 0) if hangs_up else None
