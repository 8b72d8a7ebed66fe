"""Whether the loader is slower than the tap, judged by the time that writing took."""

from __future__ import annotations

import pytest

from tap_orgvue.reporting.loader_wait import WINDOW_SECONDS, LoaderWait


@pytest.mark.parametrize("seconds,is_long", [(0.0, False), (5.0, False), (5.1, True), (10, True)])
def test_more_than_half_of_a_window_is_long(seconds: float, *, is_long: bool) -> None:
    """Half of it is not; what was written before it does not count."""
    written_for = 10.0
    loader = LoaderWait(lambda: written_for, 100.0)
    written_for += seconds
    assert loader.is_long(110.0) is is_long


def test_a_single_write_says_little() -> None:
    """Before the shortest window is over, the judgement of the one before it stands."""
    written_for = 0.0
    loader = LoaderWait(lambda: written_for, 0.0)
    written_for = 0.9
    assert not loader.is_long(1.0)
    written_for = WINDOW_SECONDS
    assert loader.is_long(WINDOW_SECONDS + 0.1)
    assert loader.is_long(2 * WINDOW_SECONDS)
    assert not loader.is_long(3 * WINDOW_SECONDS)
