"""Orgvue's clock, read from the `Date` header of its responses."""

from __future__ import annotations

from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

import msgspec


class ServerTime(msgspec.Struct, frozen=True):
    """Orgvue's clock.

    Attributes:
        date: The `Date` of a response, with a time zone; whole seconds.
        read_at: The time at which its head arrived, by the client's monotonic clock, in seconds.
    """

    date: datetime
    read_at: float

    @classmethod
    def from_header(cls, header: str, read_at: float) -> ServerTime | None:
        """Read the `Date` header of a response; None if it cannot be read."""
        try:
            date = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        # RFC 5322 reads `-0000` as UTC of an unknown zone; HTTP dates are in UTC.
        return cls(date if date.tzinfo else date.replace(tzinfo=timezone.utc), read_at)
