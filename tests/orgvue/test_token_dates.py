"""What a token says of its own beginning and end."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.auth import TokenDates, read_token_dates
from tests.support.runs import command

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def token(**claims: object) -> str:
    """A JWT with these claims."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.c2ln"


DEEP = f"a.{base64.urlsafe_b64encode(b'[' * 90_000).decode()}.c"


def test_dates_are_read() -> None:
    """Start and end are told in UTC."""
    dates = read_token_dates(token(nbf=NOW.timestamp(), exp=(NOW + timedelta(1)).timestamp()))
    assert dates == TokenDates(NOW, NOW + timedelta(1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "a.b.c",
        "a.!!.c",
        token(exp="soon"),
        token(exp=True),
        token(exp=1e40),
        "a.W10.c",
        DEEP,
    ],
)
def test_what_does_not_parse_is_left_to_orgvue(text: str) -> None:
    """A token of another form has no dates, and is no error."""
    assert read_token_dates(text) == TokenDates()


def test_when_it_warns() -> None:
    """Within fourteen days of its end a token is warned of, not before."""
    assert TokenDates(None, NOW + timedelta(15)).warning(NOW, "page") is None
    assert TokenDates().warning(NOW, "page") is None
    told = TokenDates(None, NOW + timedelta(13, 60)).warning(NOW, "the/tokens")
    assert told is not None
    assert "13 days" in told
    assert "the/tokens" in told


@pytest.mark.parametrize(
    "claims,words",
    [
        ({"exp": 1_600_000_000}, "expired on 2020-09-13"),
        ({"nbf": 4_000_000_000}, "not active before 2096-10-02"),
    ],
)
def test_a_token_out_of_its_time_is_told_first(
    orgvue: Orgvue, claims: dict[str, int], words: str
) -> None:
    """Expired or not active yet is said before the first request, without the token."""
    text = token(**claims)
    run = command({**orgvue.config, "api_token": text}, "--discover")
    assert run.code == 1
    assert words in run.stderr.splitlines()[-1]
    assert text not in run.stderr
    assert orgvue.requests == []


def test_a_token_that_ends_soon_is_warned_of(orgvue: Orgvue) -> None:
    """A run with a token that ends within days goes on, and says when it ends."""
    ends = datetime.now(timezone.utc) + timedelta(3)
    run = command({**orgvue.config, "api_token": token(exp=ends.timestamp())})
    assert "The token ends in" in run.stderr
