"""Requests a second: as many as Orgvue allows, for all threads together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.datasets import people
from tests.support.runs import discover

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


def test_no_more_requests_a_second_than_orgvue_allows(serve: Serve) -> None:
    """However many datasets there are, no request is refused for being one too many."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(130)))
    catalog = discover({**orgvue.config, "max_parallel_requests": 50})
    assert len(catalog["streams"]) == 132
    assert orgvue.most_in_a_second <= 100
    assert orgvue.most_at_once <= 50
    assert len(orgvue.requests) == 131
