"""Exports fetched before their turn: many waits at once, results in the order of the streams."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from tap_orgvue.orgvue.thread_pool import DaemonThreadPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tap_orgvue.exports.response import ExportResponse


class Closable(Protocol):
    """Holds disk until it is closed."""

    def close(self) -> None:
        """Free the disk."""


T = TypeVar("T", bound=Closable)


class PrefetchedExport(msgspec.Struct, frozen=True):
    """The first page of a stream's export.

    Attributes:
        response: The page; None if the dataset is unchanged.
        cache_key: The dataset's cache key before the export, with `skip_unchanged` only.
    """

    response: ExportResponse | None
    cache_key: str | None

    def close(self) -> None:
        """Free the disk."""
        if self.response is not None:
            self.response.close()


class Prefetcher(Generic[T]):
    """Keeps a bounded number of exports in flight or waiting on disk.

    Only first pages are prefetched; further pages are fetched when they are needed.
    """

    def __init__(self, in_flight: int, *, ending: tuple[type[Exception], ...] = ()) -> None:
        """Fetch nothing yet.

        Args:
            in_flight: The most exports that are being fetched or wait for their turn.
            ending: Errors after which no other fetch starts: they are raised for its export, too.
        """
        self._in_flight = in_flight
        self._ending = ending
        self._ended: Exception | None = None
        self._pool = DaemonThreadPool(in_flight)
        self._planned: deque[tuple[str, Callable[[], T]]] = deque()
        self._fetched: dict[str, Future[T]] = {}

    def plan(self, name: str, fetch: Callable[[], T]) -> None:
        """Plan a fetch; fetches start in the order of their plans."""
        self._planned.append((name, fetch))

    def start(self) -> None:
        """Start the first fetches; `take` starts them as well."""
        self._top_up()

    def take(self, name: str) -> T | None:
        """Wait for the fetch that was planned under a name, and hand over its result.

        Returns:
            None if nothing was planned, or it was taken before.

        Raises:
            OrgvueError: The fetch failed.
        """
        self._top_up()
        future = self._fetched.pop(name, None)
        self._top_up()
        return future.result() if future is not None else None

    def close(self) -> None:
        """Drop the exports that nobody took."""
        self._planned.clear()
        for future in self._fetched.values():
            if not future.cancel():
                future.add_done_callback(_close_result)
        self._fetched.clear()
        self._pool.close()

    def _top_up(self) -> None:
        while self._planned and len(self._fetched) < self._in_flight:
            name, fetch = self._planned.popleft()
            self._fetched[name] = self._pool.submit(partial(self._fetch, fetch))

    def _fetch(self, fetch: Callable[[], T]) -> T:
        if self._ended:
            raise self._ended
        try:
            return fetch()
        except self._ending as error:
            # At once: the run ends only when this export's turn comes.
            self._ended = error
            raise


def _close_result(future: Future[T]) -> None:
    """Close what a fetch gave that could not be cancelled."""
    if future.exception() is None:
        future.result().close()
