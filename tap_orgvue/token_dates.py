"""When a token begins and ends, read from the token itself without verifying it.

A token is a JWT with a start and an end date (API guide, "Servers"). What does not parse is left
for Orgvue to judge.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta, timezone

import msgspec

WARN_BEFORE = timedelta(days=14)

_PARTS_OF_A_JWT = 3


class TokenDates(msgspec.Struct, frozen=True):
    """A token's first and last moment, as far as it tells them."""

    starts: datetime | None = None
    ends: datetime | None = None

    def refusal(self, now: datetime, tokens_page: str) -> str | None:
        """Why Orgvue would refuse the token now; None where nothing speaks against it."""
        if self.ends is not None and now >= self.ends:
            return f"expired on {_told(self.ends)}; make a new one at {tokens_page}."
        if self.starts is not None and now < self.starts:
            return f"is not active before {_told(self.starts)}."
        return None

    def warning(self, now: datetime, tokens_page: str) -> str | None:
        """What to say of a token that ends soon."""
        if self.ends is None or self.ends - now > WARN_BEFORE:
            return None
        days = (self.ends - now).days
        return (
            f"The token ends in {days} days, on {_told(self.ends)}: make a new one at "
            f"{tokens_page} before then."
        )


def read_token_dates(token: str) -> TokenDates:
    """Read the dates of a token.

    Returns:
        What it tells; nothing where it is not a JWT.
    """
    parts = token.split(".")
    if len(parts) != _PARTS_OF_A_JWT:
        return TokenDates()
    padded = parts[1] + "=" * (-len(parts[1]) % 4)
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(padded))
    except (binascii.Error, ValueError, RecursionError):
        return TokenDates()
    if not isinstance(claims, dict):
        return TokenDates()
    return TokenDates(_moment(claims.get("nbf")), _moment(claims.get("exp")))


def _moment(claim: object) -> datetime | None:
    if isinstance(claim, bool) or not isinstance(claim, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(claim, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _told(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
