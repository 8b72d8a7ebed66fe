"""Counts the requests of a run by kind, in total and for each dataset."""

from __future__ import annotations

import threading
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class RequestKind(str, Enum):
    """The kind of a request; its value is its name in the run report."""

    LIST = "list"
    """A page of the list of datasets."""
    HEADERS = "headers"
    """The columns of an export."""
    METADATA = "metadata"
    EXPORT = "export"
    """A synchronous export, or a slice or page of one."""
    JOB = "job"
    """The start of an export job."""
    POLL = "poll"
    """A job ticket, from the file host."""
    DOWNLOAD = "download"
    """A finished export, from the file host."""
    ITEMS = "items"
    """A page of stored values."""
    DRAFTS = "drafts"
    """A page of the list of drafts."""
    ACTIONS = "actions"
    """The changes of a draft's layer: a job ticket, or the changes themselves."""
    PROBE = "probe"
    """A request that only `--test` sends: to the server, or for an export without rows."""


_LISTS = {RequestKind.LIST: "list of datasets", RequestKind.DRAFTS: "list of drafts"}


class Purpose(msgspec.Struct, frozen=True):
    """The purpose of a request.

    Attributes:
        kind: The kind of request.
        dataset_id: The dataset or draft, in any case; None for a request about the tenant.
    """

    kind: RequestKind
    dataset_id: str | None = None


class RequestTotals(msgspec.Struct, frozen=True):
    """The requests of a run, or of one dataset, so far.

    Attributes:
        by_kind: Kind, a value of `RequestKind`, to the number of requests sent; each attempt
            counts. Kinds without requests are missing.
        retries: Requests that repeated a failed one.
        throttles: Responses that said to slow down (429).
        bytes_received: Bytes read from sockets, compressed as they arrive, without TLS; the heads
            of the responses included.
    """

    by_kind: dict[str, int] = msgspec.field(default_factory=dict)
    retries: int = 0
    throttles: int = 0
    bytes_received: int = 0

    @property
    def count(self) -> int:
        """Requests of all kinds."""
        return sum(self.by_kind.values())


class RequestLog:
    """Counts the requests of a client, to both kinds of hosts. Thread safe.

    Attributes:
        names: Id of a dataset or draft, in upper case, to the name that messages have for it.
    """

    def __init__(self) -> None:
        """Start with no request."""
        self.names: dict[str, str] = {}
        self._counts: dict[str | None, _Counts] = {}
        self._lock = threading.Lock()

    def totals(self) -> RequestTotals:
        """The requests of the run."""
        with self._lock:
            return _sum(self._counts.values())

    def totals_of(self, *ids: str | None) -> RequestTotals:
        """The requests of datasets or drafts; of none of them for None."""
        with self._lock:
            found = [self._counts.get(key) for key in {*map(_key, ids)}]
            return _sum([counts for counts in found if counts is not None])

    def subject(self, purpose: Purpose) -> str:
        """The subject of a request, for a message: a stream's or draft's name, an id, or a list."""
        if purpose.dataset_id is not None:
            return self.names.get(purpose.dataset_id.upper(), f"dataset {purpose.dataset_id}")
        return _LISTS.get(purpose.kind, purpose.kind.value)

    def meter(self, purpose: Purpose) -> RequestMeter:
        """A meter for requests of one purpose."""
        return RequestMeter(self, purpose)

    def add(
        self,
        purpose: Purpose,
        *,
        sent: int = 0,
        retries: int = 0,
        throttles: int = 0,
        size: int = 0,
    ) -> None:
        """Add to the counts of a purpose.

        Args:
            purpose: What the requests are for.
            sent: Requests sent.
            retries: Requests that repeat a failed one.
            throttles: Responses that say to slow down.
            size: Bytes received.
        """
        with self._lock:
            counts = self._counts.setdefault(_key(purpose.dataset_id), _Counts())
            if sent:
                counts.by_kind[purpose.kind.value] += sent
            counts.retries += retries
            counts.throttles += throttles
            counts.bytes_received += size


class RequestMeter:
    """Counts requests of one purpose in a log."""

    def __init__(self, log: RequestLog, purpose: Purpose) -> None:
        """Count nothing yet."""
        self._log = log
        self._purpose = purpose

    def sent(self) -> None:
        """Count a request, which is sent next."""
        self._log.add(self._purpose, sent=1)

    def received(self, size: int) -> None:
        """Count bytes of a response."""
        self._log.add(self._purpose, size=size)

    def throttled(self) -> None:
        """Count a response that says to slow down."""
        self._log.add(self._purpose, throttles=1)

    def retried(self) -> None:
        """Count a request that repeats a failed one."""
        self._log.add(self._purpose, retries=1)


class _Counts:
    def __init__(self) -> None:
        self.by_kind: Counter[str] = Counter()
        self.retries = self.throttles = self.bytes_received = 0


def _sum(counts: Iterable[_Counts]) -> RequestTotals:
    whole = _Counts()
    for each in counts:
        whole.by_kind.update(each.by_kind)
        whole.retries += each.retries
        whole.throttles += each.throttles
        whole.bytes_received += each.bytes_received
    return RequestTotals(dict(whole.by_kind), whole.retries, whole.throttles, whole.bytes_received)


def _key(dataset_id: str | None) -> str | None:
    return dataset_id and dataset_id.upper()
