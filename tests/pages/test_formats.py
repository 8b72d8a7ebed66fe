"""Numbers, times and sizes read the same in every locale."""

from __future__ import annotations

import pytest

from tap_orgvue.pages import formats
from tap_orgvue.pages.tenant_page import shortened


@pytest.mark.parametrize(
    "value, text",
    [
        (0, "0 s"),
        (0.04, "0 s"),
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (10.4, "10 s"),
        (46.2, "46 s"),
        (59.7, "1 min"),
        (3599.4, "59 min 59 s"),
        (3599.5, "1 h"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (-1, "0 s"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    """Durations have at most two units; a negative one, of a clock set back, is none."""
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    "now, before, text",
    [
        (120, 100, "+20 (+20 %)"),
        (50, 100, "\N{MINUS SIGN}50 (\N{MINUS SIGN}50 %)"),
        (100, 100, "same"),
        (100, None, ""),
        (100, 0, "+100"),
        (1_000_001, 1_000_000, "+1 (under 0.1 %)"),
    ],
)
def test_differences(now: int, before: int | None, text: str) -> None:
    """A difference has its share of the rows before, where there were any."""
    assert formats.difference(now, before) == text


@pytest.mark.parametrize(
    "number, text",
    [
        (0, "0 B"),
        (812, "812 B"),
        (1000, "1.0 kB"),
        (4_200_000, "4.2 MB"),
        (10**7, "10 MB"),
        (18 * 10**9, "18 GB"),
        (12 * 10**15, "12000 TB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    """Sizes have the unit that suits them."""
    assert formats.size(number) == text


def test_instants() -> None:
    """Instants are told in words, in UTC; what is none stays as it is."""
    assert formats.instant("2026-01-31T02:05:00Z") == "31 Jan 2026, 02:05 UTC"
    assert formats.instant("2026-01-31T02:05:00+01:00") == "31 Jan 2026, 01:05 UTC"
    assert formats.instant("some day") == "some day"
    assert formats.day("2026-12-01") == "1 Dec 2026"
    assert formats.day("some day") == "some day"


def test_counts() -> None:
    """Thousands are parted by a space that breaks no line."""
    assert formats.count(7092) == "7\u202f092"
    assert formats.counted(1, "row") == "1 row"
    assert formats.counted(0, "row") == "0 rows"


@pytest.mark.parametrize(
    "part, whole, text",
    [
        (0, 0, "0 %"),
        (0, 7, "0 %"),
        (1, 10_000, "under 0.1 %"),
        (1, 1000, "0.1 %"),
        (42, 1000, "4.2 %"),
        (1, 10, "10 %"),
        (124, 1000, "12 %"),
        (1, 1, "100 %"),
    ],
)
def test_shares(part: float, whole: float, text: str) -> None:
    """One decimal below ten, none above, and no share is shown as none."""
    assert formats.percent(part, whole) == text


@pytest.mark.parametrize(
    "text, longest, shown",
    [
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("abc  def", 6, "abc…"),
        ("日本", 4, "日本"),
        ("日本語", 5, "日…"),
        ("日本", 1, "日…"),
    ],
)
def test_texts_that_are_too_wide(text: str, longest: int, shown: str) -> None:
    """They are cut, with a sign for that; wide characters count twice."""
    assert shortened(text, longest) == shown
