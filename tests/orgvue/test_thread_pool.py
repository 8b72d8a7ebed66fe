"""The thread pool: results in order, the first error at once, no thread that delays the exit."""

from __future__ import annotations

import os
import signal
import threading
import weakref
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.thread_pool import DaemonThreadPool

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10
"""Seconds after which a test fails that would wait for ever."""


@pytest.fixture
def pool() -> Iterator[DaemonThreadPool]:
    """A pool of two threads."""
    pool = DaemonThreadPool(2)
    yield pool
    pool.close()


def threads() -> set[threading.Thread]:
    """The threads of pools that are alive."""
    return {thread for thread in threading.enumerate() if thread.name == "orgvue"}


def test_results_come_in_the_order_of_the_arguments(pool: DaemonThreadPool) -> None:
    """A task that takes longer than the next one still gives its result first."""
    second_done = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second_done.wait(PATIENCE)
        if number == 1:
            second_done.set()
        return number * 10

    assert list(pool.map(work, [0, 1, 2, 3])) == [0, 10, 20, 30]


def test_no_more_threads_than_set() -> None:
    """Tasks share the threads; all are daemons, and exit once the pool is closed."""
    before = threads()
    pool = DaemonThreadPool(2)
    assert threads() == before
    names: SimpleQueue[threading.Thread] = SimpleQueue()
    list(pool.map(lambda _: names.put(threading.current_thread()), range(20)))
    started = threads() - before
    assert len(started) == 2
    assert all(thread.daemon for thread in started)
    assert {names.get() for _ in range(20)} <= started
    pool.close()
    for thread in started:
        thread.join(PATIENCE)
    assert threads() & started == set()


def test_submitted_tasks_are_finished_after_the_close() -> None:
    """Closing a pool drops no task."""
    pool = DaemonThreadPool(1)
    futures = [pool.submit(lambda: 7) for _ in range(5)]
    pool.close()
    assert [future.result(PATIENCE) for future in futures] == [7] * 5


def test_an_error_is_raised_by_its_result(pool: DaemonThreadPool) -> None:
    """What a task raises, the future raises; the thread goes on with the next task."""
    failed = pool.submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failed.result(PATIENCE)
    assert pool.submit(lambda: 5).result(PATIENCE) == 5


def test_the_first_error_cancels_what_waits() -> None:
    """After a failed task no later one is started, and the error is raised."""
    pool, done = DaemonThreadPool(1), []

    def work(number: int) -> int:
        done.append(number)
        if number == 1:
            raise ValueError(number)
        return number

    ready = threading.Event()
    blocker = pool.submit(lambda: ready.wait(PATIENCE))

    def arguments() -> Iterator[int]:
        yield from range(50)
        # All tasks wait behind the blocker until the last is submitted.
        ready.set()

    results = pool.map(work, arguments())
    assert next(results) == 0
    with pytest.raises(ValueError, match="1"):
        next(results)
    assert blocker.result(PATIENCE)
    assert pool.submit(lambda: 3).result(PATIENCE) == 3
    assert done == [0, 1]
    pool.close()


def test_a_map_that_is_left_cancels_what_waits() -> None:
    """Whoever stops reading results starts no further task."""
    pool, done = DaemonThreadPool(1), []
    entered, ready = threading.Event(), threading.Event()

    def work(number: int) -> None:
        done.append(number)
        if number == 1:
            entered.set()
            assert ready.wait(PATIENCE)

    results = pool.map(work, range(50))
    next(results)
    assert entered.wait(PATIENCE)
    results.close()  # type: ignore[attr-defined]
    ready.set()
    pool.submit(lambda: None).result(PATIENCE)
    assert done == [0, 1]
    pool.close()


def test_an_idle_thread_keeps_no_result(pool: DaemonThreadPool) -> None:
    """A result is freed as soon as its reader lets go of it."""

    class Result:
        pass

    reference = weakref.ref(pool.submit(Result).result(PATIENCE))
    # The threads are at their next task, or idle.
    for future in [pool.submit(int), pool.submit(int)]:
        future.result(PATIENCE)
    assert reference() is None


def test_a_signal_that_another_thread_takes_is_noticed() -> None:
    """The main thread wakes to handle it, however long it would wait for a result."""
    pool, handled, may_begin = DaemonThreadPool(1), threading.Event(), threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: handled.set())

    def work() -> bool:
        may_begin.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGUSR1)
        return handled.wait(PATIENCE)

    try:
        future = pool.submit(work)
        # Only other threads can take it now.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        may_begin.set()
        assert future.result()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        signal.signal(signal.SIGUSR1, before)
        pool.close()
