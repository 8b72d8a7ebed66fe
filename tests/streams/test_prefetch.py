"""Exports that are fetched before their turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
