"""Formats rows, bytes and times for the log and the terminal."""

from __future__ import annotations

_MEGABYTE = 1_000_000
_MINUTE = 60
_HOUR = 3600


def grouped(number: int) -> str:
    """A whole number with its digits in groups of three: 1 234 567."""
    return f"{number:,}".replace(",", " ")


def megabytes(count: int) -> str:
    """Bytes in megabytes with one decimal: 12.3 MB."""
    return f"{count / _MEGABYTE:.1f} MB"


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds, and hours if there are any: 1:30, 2:01:30."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // _HOUR, whole % _HOUR // _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
