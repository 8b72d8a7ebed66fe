"""Requests a second: as many as Orgvue allows, for all threads together."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tap_orgvue.orgvue.rate_limit import RateLimiter
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.mocked_orgvue import TENANT, FastForward, MockedOrgvue
from tests.support.runs import discover

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


def test_requests_are_evenly_spaced() -> None:
    """The first request is sent at once, each later one a step after the one before."""
    time = FastForward()
    limiter = RateLimiter(10, clock=time.clock)
    sent = []
    for _ in range(5):
        limiter.wait(time)
        sent.append(time.now)
    assert sent == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_no_second_has_more_than_orgvue_allows() -> None:
    """In no second, whenever it begins, are more than 100 requests sent; nor far fewer."""
    time = FastForward()
    limiter = RateLimiter(clock=time.clock)
    sent = []
    for _ in range(500):
        limiter.wait(time)
        sent.append(time.now)
    seconds = [later - one for one, later in zip(sent, sent[100:], strict=False)]
    assert all(1 < each < 1.25 for each in seconds)


@pytest.mark.parametrize("most", [1, 4, 100])
def test_a_client_keeps_to_its_requests_a_second(most: int) -> None:
    """`max_requests_per_second` spaces the requests of a client, retries included."""
    orgvue = MockedOrgvue(max_requests_per_second=most, max_retries=0)
    orgvue.serve("GET", f"{TENANT}/datasets", {"json": []})
    for _ in range(4):
        orgvue.client.datasets()
    assert orgvue.stop.waits == pytest.approx([1 / most] * 3)


def test_the_setting_reaches_the_client(orgvue: Orgvue) -> None:
    """A run is told by `max_requests_per_second`, without which it takes 90."""
    for given, taken in (({}, 90), ({"max_requests_per_second": 7}, 7)):
        tap = TapOrgvue(config={**orgvue.config, **given}, setup_mapper=False)
        assert tap.source.client.options.max_requests_per_second == taken


def test_unused_time_is_not_saved_up() -> None:
    """After a quiet time requests are spaced as before: there is no burst."""
    time = FastForward()
    limiter = RateLimiter(10, clock=time.clock)
    limiter.wait(time)
    time.now = 60
    for _ in range(3):
        limiter.wait(time)
    assert time.now == pytest.approx(60.2)
    assert time.waits == pytest.approx([0.1, 0.1])


def test_a_pause_delays_the_next_requests() -> None:
    """After a pause requests are spaced again, not sent together."""
    time = FastForward()
    limiter = RateLimiter(10, clock=time.clock)
    limiter.pause(7)
    limiter.wait(time)
    assert time.now == pytest.approx(7)
    limiter.wait(time)
    assert time.now == pytest.approx(7.1)


def test_a_shorter_pause_shortens_no_longer_one() -> None:
    """Of two pauses the one that ends later counts."""
    time = FastForward()
    limiter = RateLimiter(10, clock=time.clock)
    limiter.pause(7)
    limiter.pause(2)
    limiter.wait(time)
    assert time.now == pytest.approx(7)


def test_a_request_that_waits_already_is_paused_too() -> None:
    """A throttle of one thread holds back a thread that waits for its turn."""
    time = PausedMeanwhile()
    limiter = time.limiter = RateLimiter(10, clock=time.clock)
    limiter.wait(time)
    limiter.wait(time)
    assert time.now == pytest.approx(5.1)


class PausedMeanwhile(FastForward):
    """During the first wait, another thread pauses the limiter for 5 seconds."""

    limiter: RateLimiter

    @override
    def wait(self, timeout: float | None = None) -> bool:
        ended = super().wait(timeout)
        if len(self.waits) == 1:
            self.limiter.pause(5)
        return ended


def test_the_end_of_a_run_ends_the_wait() -> None:
    """A run that ends does not wait for its turn."""
    time = FastForward(ends_after=1)
    limiter = RateLimiter(10, clock=time.clock)
    limiter.pause(3600)
    limiter.wait(time)
    assert time.waits == [3600]
    ended = threading.Event()
    ended.set()
    RateLimiter(1).wait(ended)


@pytest.mark.slow
def test_no_more_requests_a_second_than_orgvue_allows(serve: Serve) -> None:
    """However many datasets there are, no request is sent too soon, nor too many at once."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(65)))
    # On a busy machine requests that were sent one after another may arrive together.
    orgvue.rate_limit = 1000
    began = monotonic()
    catalog = discover({**orgvue.config, "max_parallel_requests": 50})
    assert monotonic() - began >= 130 / 100
    assert len(catalog["streams"]) == 67
    assert orgvue.most_at_once <= 50
    assert len(orgvue.requests) == 131  # the list, and two for each dataset
