"""The token: the origin that receives it, and the dates between which it is valid."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import msgspec
from requests.auth import AuthBase
from typing_extensions import override

from tap_orgvue.orgvue.urls import origin_of

if TYPE_CHECKING:
    import requests


class BearerToken(AuthBase):
    """Authorizes requests to one origin only."""

    def __init__(self, token: str, origin: str) -> None:
        """Bind a token to an origin.

        Args:
            token: The bearer token. A secret.
            origin: A URL; its scheme, host and port count.
        """
        self._token = token
        self._origin = origin_of(origin)

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Authorize a request to the token's origin; leave any other unchanged."""
        if r.url is not None and origin_of(r.url) == self._origin:
            r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class NoCredentials(AuthBase):
    """Sends no credentials, and keeps `requests` from reading ~/.netrc."""

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave a request unchanged."""
        return r


WARN_BEFORE = timedelta(days=14)
"""A token that expires within this time draws a warning."""

_PARTS_OF_A_JWT = 3


class TokenDates(msgspec.Struct, frozen=True):
    """The period in which a token is valid.

    Attributes:
        starts: The JWT's `nbf` in UTC, or None.
        expires: The JWT's `exp` in UTC, or None.
    """

    starts: datetime | None = None
    expires: datetime | None = None

    def refusal(self, now: datetime, tokens_page: str) -> str | None:
        """The reason for which Orgvue would refuse the token, as a predicate; None without one.

        Args:
            now: The current time, with a time zone.
            tokens_page: The URL of the page that makes tokens.
        """
        if self.expires is not None and now >= self.expires:
            return f"expired on {_to_minute(self.expires)}; make a new one at {tokens_page}."
        if self.starts is not None and now < self.starts:
            return f"is not active before {_to_minute(self.starts)}."
        return None

    def warning(self, now: datetime, tokens_page: str) -> str | None:
        """The warning about a token that expires within `WARN_BEFORE`; else None.

        Args:
            now: The current time, with a time zone.
            tokens_page: The URL of the page that makes tokens.
        """
        if self.expires is None or self.expires - now > WARN_BEFORE:
            return None
        days = (self.expires - now).days
        return (
            f"The token expires in {days} days, on {_to_minute(self.expires)}: make a new one at "
            f"{tokens_page} before then."
        )


def read_token_dates(token: str) -> TokenDates:
    """Read the dates of a token; both are None if it is not a JWT.

    A token is a JWT with a start and an end date (API guide, "Servers"); the claims `nbf` and
    `exp` are those of RFC 7519 (inferred).
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
    return TokenDates(_instant(claims.get("nbf")), _instant(claims.get("exp")))


def _instant(claim: object) -> datetime | None:
    if isinstance(claim, bool) or not isinstance(claim, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(claim, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None


def _to_minute(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M UTC")
