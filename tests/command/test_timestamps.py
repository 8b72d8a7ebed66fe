"""Timestamps: every documented form is read, one form is written."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tap_orgvue.timestamps import (
    all_plain,
    finer_than_microseconds,
    format_bound,
    format_instant,
    is_plain_day,
    parse_instant,
)


def instant(*parts: int) -> datetime:
    """An instant in UTC."""
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    "text,read",
    [
        ("2022-01-02", instant(2022, 1, 2)),
        (" 2022-01-02 ", instant(2022, 1, 2)),
        ("2022-01-02T03:04", instant(2022, 1, 2, 3, 4)),
        ("2022-01-02 03:04:05", instant(2022, 1, 2, 3, 4, 5)),
        ("2022-01-02T03:04:05Z", instant(2022, 1, 2, 3, 4, 5)),
        ("2022-01-02T03:04:05z", instant(2022, 1, 2, 3, 4, 5)),
        ("2022-01-02T03:04:05.6Z", instant(2022, 1, 2, 3, 4, 5, 600_000)),
        ("2022-01-02T03:04:05,678Z", instant(2022, 1, 2, 3, 4, 5, 678_000)),
        ("2022-01-02T03:04:05.123456789Z", instant(2022, 1, 2, 3, 4, 5, 123_456)),
        ("2022-01-02T03:04:05+02:00", instant(2022, 1, 2, 1, 4, 5)),
        ("2022-01-02T03:04:05-0230", instant(2022, 1, 2, 5, 34, 5)),
        ("2022-01-02T03:04:05+01", instant(2022, 1, 2, 2, 4, 5)),
        ("2024-02-29", instant(2024, 2, 29)),
    ],
)
def test_documented_forms_are_read(text: str, read: datetime) -> None:
    """A date or a date and time, with or without a zone, is read as an instant in UTC."""
    found = parse_instant(text)
    assert found == read
    assert found is not None
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        *("", "soon", "02/01/2022", "2022-1-2", "2022-01-02T", "2022-01-02T03", "20220102"),
        *("2022-13-01", "2023-02-29", "2022-01-02T24:30", "2022-01-02T03:04:60", "0000-01-01"),
        *("2022-01-02T03:04+99:00", "0001-01-01T00:00+01:00", "9999-12-31T23:59-01:00"),
    ],
)
def test_what_names_no_instant_is_none(text: str) -> None:
    """Another form, and a day or time that does not exist, is None."""
    assert parse_instant(text) is None


@pytest.mark.parametrize(
    "text,cut",
    [
        ("2022-01-02T03:04:05.123456Z", False),
        ("2022-01-02T03:04:05.123456000Z", False),
        ("2022-01-02T03:04:05.1234567Z", True),
        (" 2022-01-02T03:04:05.123456001Z", True),
        ("2022-01-02", False),
        ("soon", False),
    ],
)
def test_digits_that_are_cut_are_known(text: str, cut: bool) -> None:  # noqa: FBT001 - a case
    """Only digits other than 0 beyond microseconds are a loss."""
    assert finer_than_microseconds(text) is cut


@pytest.mark.parametrize(
    "given,written",
    [
        (instant(2022, 1, 2), "2022-01-02T00:00:00.000Z"),
        (instant(2022, 1, 2, 3, 4, 5, 6000), "2022-01-02T03:04:05.006Z"),
        (instant(2022, 1, 2, 3, 4, 5, 6007), "2022-01-02T03:04:05.006007Z"),
        (
            datetime(2022, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            "2022-01-02T01:00:00.000Z",
        ),
    ],
)
def test_instants_are_written_in_utc(given: datetime, written: str) -> None:
    """Milliseconds and `Z`; microseconds only where milliseconds would lose digits."""
    assert format_instant(given) == written


@pytest.mark.parametrize("milliseconds", [0, 6, 999])
def test_a_bound_is_rounded_down(milliseconds: int) -> None:
    """A filter's bound is in milliseconds and never later than the instant."""
    given = instant(2022, 1, 2, 3, 4, 5, milliseconds * 1000 + 999)
    assert format_bound(given) == f"2022-01-02T03:04:05.{milliseconds:03}Z"


@pytest.mark.parametrize("text", ["2022-01-31", "2022-04-30", "2022-02-28T00:00:00.000Z"])
def test_plain_days(text: str) -> None:
    """A day is plain in the two forms that Orgvue documents."""
    assert is_plain_day(text)


@pytest.mark.parametrize(
    "text", ["0000-01-01", "2022-04-31", "2024-02-29", "2022-01-31T00:00:00Z", "2022-01-31 ", ""]
)
def test_days_in_doubt_are_not_plain(text: str) -> None:
    """Leap days, days that no calendar has and other forms take the slower way."""
    assert not is_plain_day(text)


def test_plain_instants() -> None:
    """Instants are plain as `format_instant` writes them, and None among them does not count."""
    assert all_plain(["2022-01-31T23:59:59.999Z", None])
    assert all_plain([])
    assert not all_plain(["2022-01-31T23:59:59.999Z", "2022-01-31T24:00:00.000Z"])
    assert not all_plain(["2022-01-31T23:59:59Z"])
    assert not all_plain([""])
