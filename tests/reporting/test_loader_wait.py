"""Whether the loader is slower than the tap, judged by the time that writing took."""

from __future__ import annotations

from tap_orgvue.reporting.loader_wait import WINDOW_SECONDS, LoaderWait


def test_more_than_half_of_a_window_is_long() -> None:
    """Half of it is not; each window is judged by itself."""
    written_for = 10.0
    loader = LoaderWait(lambda: written_for, 100.0)
    for share, is_long in ((0.5, False), (0.6, True), (0.4, False)):
        written_for += 10 * share
        assert loader.is_long(100.0 + 10) is is_long
        loader = LoaderWait(lambda: written_for, 100.0)


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
