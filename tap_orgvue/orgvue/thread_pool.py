"""Threads that wait for Orgvue: work is done in the order given, and dropped when a run ends."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


T = TypeVar("T")

A = TypeVar("A")


class DaemonThreadPool:
    """A few threads that fetch.

    They are daemons: one that waits for a server that never answers does not keep a run that
    ends from ending, which the standard library's executor would.
    """

    def __init__(self, count: int) -> None:
        """Start no thread yet."""
        self._count = count
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have something done as soon as a thread is free."""
        future: Future[T] = Future()

        def do() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is the waiting thread's to handle
                future.set_exception(error)
            else:
                future.set_result(result)

        self._work.put(do)
        if len(self._threads) < self._count:
            thread = threading.Thread(target=self._run, name="orgvue", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def map(self, work: Callable[[A], T], arguments: Iterable[A]) -> Iterator[T]:
        """Do the same for many, giving the results in the order of the arguments.

        Raises:
            BaseException: What the first of them raised; the others are cancelled.
        """
        futures: list[Future[T]] = []

        def cancel() -> None:
            for future in futures:
                future.cancel()

        def do(argument: A) -> T:
            try:
                return work(argument)
            except BaseException:
                # At once, not when its turn comes: all others that wait come after it.
                cancel()
                raise

        for argument in arguments:
            # One by one: the first may fail before the last is there.
            futures.append(self.submit(partial(do, argument)))  # noqa: PERF401
        try:
            for future in futures:
                yield future.result()
        finally:
            cancel()

    def close(self) -> None:
        """Let the threads end once they are idle."""
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (do := self._work.get()) is not None:
            do()
            # What it made is not to be held while there is nothing to do.
            del do
