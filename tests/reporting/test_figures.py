"""Numbers, bytes and times as people read them in the log and on the terminal."""

from __future__ import annotations

import pytest

from tap_orgvue.reporting.figures import clock, grouped, megabytes


def test_digits_are_in_groups_of_three() -> None:
    """So that a million is seen at once."""
    assert [grouped(each) for each in (0, 999, 1000, 1234567)] == ["0", "999", "1 000", "1 234 567"]


@pytest.mark.parametrize(
    "count,told",
    [(0, "0.0 MB"), (40_000, "0.0 MB"), (60_000, "0.1 MB"), (10**12, "1000000.0 MB")],
)
def test_a_megabyte_is_a_million_bytes(count: int, told: str) -> None:
    """They have one decimal."""
    assert megabytes(count) == told


@pytest.mark.parametrize(
    "seconds,told",
    [
        (-3.0, "0:00"),
        (0.9, "0:00"),
        (59.9, "0:59"),
        (60.0, "1:00"),
        (3599.9, "59:59"),
        (3600.0, "1:00:00"),
        (93_784.0, "26:03:04"),
    ],
)
def test_a_clock_has_hours_only_where_there_are_any(seconds: float, told: str) -> None:
    """It counts whole seconds that are over, and never goes below zero."""
    assert clock(seconds) == told
