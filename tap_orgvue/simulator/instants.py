"""Dates and instants as Orgvue writes them."""

from __future__ import annotations

from datetime import datetime, timezone


def instant(moment: datetime) -> str:
    """Write a moment as Orgvue does: `2022-06-29T20:28:04.274Z`."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def moment_of(value: object) -> datetime | None:
    """Read a date in either documented form as a moment in UTC; `None` where it is neither."""
    if not isinstance(value, str) or not value[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
