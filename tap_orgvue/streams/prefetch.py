"""Exports fetched before their turn: several waits at once, results in the order of the streams."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from tap_orgvue.orgvue.thread_pool import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tap_orgvue.exports.response import ExportAnswer


class Closable(Protocol):
    """Something that holds disk until it is closed."""

    def close(self) -> None:
        """Give the disk back."""


T = TypeVar("T", bound=Closable)


class FetchedAhead(Generic[T]):
    """Keeps a bounded number of exports in flight or waiting on disk.

    A stream's first page is fetched ahead; further pages are fetched when they are needed.
    """

    def __init__(self, in_flight: int) -> None:
        """Fetch nothing yet.

        Args:
            in_flight: How many exports may be fetched or wait for their turn at once.
        """
        self._in_flight = in_flight
        self._workers = Workers(in_flight)
        self._planned: deque[tuple[str, Callable[[], T]]] = deque()
        self._fetched: dict[str, Future[T]] = {}

    def expect(self, name: str, fetch: Callable[[], T]) -> None:
        """Plan a fetch; what is planned is fetched in that order."""
        self._planned.append((name, fetch))

    def take(self, name: str) -> T | None:
        """Wait for what was planned under a name, and hand it over.

        Returns:
            None where nothing was planned, or where it was taken before.

        Raises:
            OrgvueError: What the fetch raised.
        """
        self._top_up()
        future = self._fetched.pop(name, None)
        self._top_up()
        return future.result() if future is not None else None

    def close(self) -> None:
        """Drop what nobody took."""
        self._planned.clear()
        for future in self._fetched.values():
            if not future.cancel():
                future.add_done_callback(_close_result)
        self._fetched.clear()
        self._workers.close()

    def _top_up(self) -> None:
        while self._planned and len(self._fetched) < self._in_flight:
            name, fetch = self._planned.popleft()
            self._fetched[name] = self._workers.submit(fetch)


def _close_result(future: Future[T]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().close()


class First(msgspec.Struct, frozen=True):
    """What was fetched ahead for a stream.

    Attributes:
        answer: Its first page; None where the dataset is unchanged.
        cache_key: The dataset's cache key before it was exported, where that matters.
    """

    answer: ExportAnswer | None
    cache_key: str | None

    def close(self) -> None:
        """Give the disk back."""
        if self.answer is not None:
            self.answer.close()
