"""Reads dates and instants in every documented form, and writes instants in one form.

The API guide's examples contain both `2022-01-02` and `2022-01-02T00:00:00.000Z`.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


_FORM = re.compile(
    r"(\d{4}-\d\d-\d\d)"
    r"(?:[T ](\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?\s*(Z|z|[+-]\d\d:?\d\d|[+-]\d\d)?)?",
    re.ASCII,
)

_MICROSECOND_DIGITS = 6

_DAY = (
    r"(?!0000)[0-9]{4}-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)"
    r"|(?:0[13578]|1[02])-31)"
)
"""Any day but 29 February, which only a calendar can check."""

_PLAIN_DAY = re.compile(_DAY + r"(?:T00:00:00\.000Z)?")

_PLAIN_INSTANT = re.compile(_DAY + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z")
"""The form that `format_instant` writes, unless microseconds are needed."""


def parse_instant(text: str) -> datetime | None:
    """Read a date, or a date and time.

    A date is the first moment of its day in UTC; a time without a zone is in UTC.

    Returns:
        The instant in UTC, with digits beyond microseconds cut off; None if the text has another
        form, or names a day or a time that does not exist.
    """
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    day, minutes, seconds, fraction, zone = match.groups()
    iso = f"{day}T{minutes or '00:00'}{seconds or ':00'}"
    if fraction:
        iso += f".{fraction[:_MICROSECOND_DIGITS].ljust(_MICROSECOND_DIGITS, '0')}"
    try:
        return datetime.fromisoformat(iso + _offset(zone)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def finer_than_microseconds(text: str) -> bool:
    """True if `parse_instant` cuts digits other than 0 off the text."""
    match = _FORM.fullmatch(text.strip())
    fraction = (match.group(4) or "") if match else ""
    return bool(fraction[_MICROSECOND_DIGITS:].strip("0"))


def format_instant(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with `Z`.

    It has milliseconds, as Orgvue writes them, or microseconds if milliseconds would lose digits.
    """
    precision = "microseconds" if instant.microsecond % 1000 else "milliseconds"
    return instant.astimezone(timezone.utc).isoformat(timespec=precision).replace("+00:00", "Z")


def is_plain_day(text: str) -> bool:
    """True if a text is a day in one of Orgvue's two forms; False in doubt."""
    return _PLAIN_DAY.fullmatch(text) is not None


def all_plain(values: Iterable[str | None]) -> bool:
    """True if each value is None or an instant as `format_instant` writes it; False in doubt."""
    return all(map(_PLAIN_INSTANT.fullmatch, [value for value in values if value is not None]))


def format_bound(instant: datetime) -> str:
    """Write an instant for a filter: in milliseconds, rounded down."""
    floored = instant.replace(microsecond=instant.microsecond // 1000 * 1000)
    return format_instant(floored)


def _offset(zone: str | None) -> str:
    if zone is None or zone in "Zz":
        return "+00:00"
    hours, minutes = zone[:3], zone[3:].lstrip(":") or "00"
    return f"{hours}:{minutes}"
