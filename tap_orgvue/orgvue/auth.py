"""The token: which origin it is sent to, and when it is valid."""

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
    """The token of one origin: it is put on requests to that origin and on no others."""

    def __init__(self, token: str, origin: str) -> None:
        """Bind a token to a scheme, host and port."""
        self._token = token
        self._origin = origin_of(origin)

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Authorize a request, if it goes to the token's origin."""
        if r.url is not None and origin_of(r.url) == self._origin:
            r.headers["Authorization"] = f"Bearer {self._token}"
        return r


class NoCredentials(AuthBase):
    """Sends nothing, and keeps `requests` from looking for something in ~/.netrc."""

    @override
    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Leave a request as it is."""
        return r


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
