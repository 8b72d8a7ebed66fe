"""A pool of daemon threads for requests."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future, wait
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


T = TypeVar("T")

A = TypeVar("A")

_SIGNALS_SECONDS = 0.5
"""The longest time for which a signal can go unnoticed."""


class _Task(Future[T]):
    """A future that is waited for in pieces.

    The system may hand a signal to any thread, as it does with the second of two at once. Python
    handles it in the main thread, which no signal wakes then from a wait without end.
    """

    @override
    def result(self, timeout: float | None = None) -> T:
        if timeout is None:
            while not wait((self,), _SIGNALS_SECONDS).done:
                pass
        return super().result(timeout)


class DaemonThreadPool:
    """Threads that run tasks in the order of their submission.

    They are daemons, so that a thread without a response cannot delay the exit; the threads of
    `concurrent.futures` would.
    """

    def __init__(self, count: int) -> None:
        """Start no thread yet.

        Args:
            count: The maximum number of threads.
        """
        self._count = count
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run a task on the next free thread."""
        future: Future[T] = _Task()

        def do() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - raised again by `result`
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
        """Run a task once for each argument.

        Yields:
            The results in the order of the arguments.

        Raises:
            BaseException: The error of the first task that failed; waiting tasks are cancelled.
        """
        futures: list[Future[T]] = []

        def cancel() -> None:
            for future in futures:
                future.cancel()

        def do(argument: A) -> T:
            try:
                return work(argument)
            except BaseException:
                # At once, not when its result is due: every waiting task comes after it.
                cancel()
                raise

        for argument in arguments:
            # One by one: the first task may fail before the last is submitted.
            futures.append(self.submit(partial(do, argument)))  # noqa: PERF401
        try:
            for future in futures:
                yield future.result()
        finally:
            cancel()

    def close(self) -> None:
        """Let the threads exit after the submitted tasks."""
        for _ in self._threads:
            self._work.put(None)

    def _run(self) -> None:
        while (do := self._work.get()) is not None:
            do()
            # An idle thread keeps no result alive.
            del do
