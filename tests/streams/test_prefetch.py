"""Exports that are fetched before their turn."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.streams.prefetch import Prefetcher
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
