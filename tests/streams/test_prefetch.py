"""Exports that are fetched before their turn."""

from __future__ import annotations

from threading import Event, Thread, current_thread
from typing import TYPE_CHECKING
from unittest.mock import create_autospec

import pytest

from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.streams.prefetch import PrefetchedExport, Prefetcher
from tests.support.datasets import people
from tests.support.exports import assert_complete
from tests.support.runs import discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


@pytest.fixture
def ten(serve: Serve) -> Iterator[Orgvue]:
    """Ten datasets, each taking some server time."""
    orgvue = serve(*(people(5, f"People {i}") for i in range(10)))
    yield orgvue
    assert orgvue.most_at_once <= 50


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 4])
def test_exports_are_fetched_ahead_within_the_setting(ten: Orgvue, most: int) -> None:
    """As many exports are in flight as `max_parallel_requests` says; streams keep their order."""
    catalog = discover({**ten.config, "max_parallel_requests": 1})
    ten.seconds_of["export"] = 0.2
    run = sync({**ten.config, "max_parallel_requests": most}, catalog)
    assert ten.most_at_once == most
    in_catalog = [found["tap_stream_id"] for found in catalog["streams"]]
    assert list(run.records) == [name for name in in_catalog if name.startswith("people")]
    for i in range(10):
        assert_complete(ten, run, f"people_{i}", f"People {i}")


class Held:
    """A result that tells whether it was closed."""

    def __init__(self) -> None:
        """Open it."""
        self.closed = Event()

    def close(self) -> None:
        """Note it."""
        self.closed.set()


def test_what_nobody_took_is_closed() -> None:
    """The disk of an export is freed although the stream's turn never came."""
    held, fetched = Held(), Event()

    def fetch() -> Held:
        fetched.set()
        return held

    prefetcher = Prefetcher[Held](1)
    prefetcher.plan("people", fetch)
    prefetcher.start()
    assert fetched.wait(60)
    prefetcher.close()
    assert held.closed.wait(60)


def test_an_error_that_ends_the_run_is_raised_for_every_later_export() -> None:
    """The export that met it raises it as well, and no other one is fetched."""
    prefetcher, held = Prefetcher[Held](1, ending=(KeyError,)), Held()

    def fail() -> Held:
        raise KeyError

    prefetcher.plan("people", fail)
    prefetcher.plan("staff", lambda: held)
    for name in ("people", "staff"):
        with pytest.raises(KeyError):
            prefetcher.take(name)
    prefetcher.close()


def test_an_export_is_taken_once() -> None:
    """And only where one was planned: a stream fetches its own otherwise."""
    prefetcher, held = Prefetcher[Held](1), Held()
    prefetcher.plan("people", lambda: held)
    assert prefetcher.take("staff") is None
    assert prefetcher.take("people") is held
    assert prefetcher.take("people") is None
    prefetcher.close()
    assert not held.closed.is_set()


def test_a_taken_export_lets_the_next_one_be_fetched() -> None:
    """Before its rows are sent, but not before its turn."""
    prefetcher, fetched = Prefetcher[Held](1), Event()

    def fetch() -> Held:
        fetched.set()
        return Held()

    prefetcher.plan("people", Held)
    prefetcher.plan("staff", fetch)
    prefetcher.start()
    assert not fetched.wait(0.05)
    prefetcher.take("people")
    assert fetched.wait(60)
    prefetcher.close()


def test_after_closing_nothing_can_be_taken() -> None:
    """Neither what was fetched nor what was only planned; no thread is left."""
    prefetcher, begun = Prefetcher[Held](1), Event()
    threads: list[Thread] = []

    def fetch() -> Held:
        threads.append(current_thread())
        begun.set()
        return Held()

    prefetcher.plan("people", fetch)
    prefetcher.plan("staff", fetch)
    prefetcher.start()
    assert begun.wait(60)
    prefetcher.close()
    assert prefetcher.take("people") is prefetcher.take("staff") is None
    (thread,) = threads
    thread.join(5)
    assert not thread.is_alive()


def test_an_error_that_nobody_took_needs_no_close(caplog: pytest.LogCaptureFixture) -> None:
    """Where a fetch failed, there is nothing to free, and nothing to tell."""
    prefetcher, failed, held = Prefetcher[Held](2), Event(), Held()
    threads: list[Thread] = []

    def fail() -> Held:
        threads.append(current_thread())
        failed.set()
        raise KeyError

    prefetcher.plan("people", fail)
    prefetcher.plan("staff", lambda: held)
    prefetcher.start()
    assert failed.wait(60)
    prefetcher.close()
    threads[0].join(5)
    assert held.closed.wait(60)
    assert not caplog.records


def test_an_unchanged_dataset_holds_no_disk() -> None:
    """Closing it does nothing; closing an export frees its disk."""
    PrefetchedExport(None, "key").close()
    response = create_autospec(ExportResponse, instance=True)
    PrefetchedExport(response, None).close()
    response.close.assert_called_once_with()
