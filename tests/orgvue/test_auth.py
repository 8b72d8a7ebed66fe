"""The token: who receives it, and the dates between which it is valid."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
import requests

from tap_orgvue.orgvue.auth import BearerToken, NoCredentials, TokenDates, read_token_dates
from tests.support.runs import command

if TYPE_CHECKING:
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def token(**claims: object) -> str:
    """A JWT with these claims."""
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.c2ln"


DEEP = f"a.{base64.urlsafe_b64encode(b'[' * 90_000).decode()}.c"


def authorization(auth: requests.auth.AuthBase, url: str) -> str | None:
    """The `Authorization` header of a request."""
    return requests.Request("GET", url, auth=auth).prepare().headers.get("Authorization")


@pytest.mark.parametrize(
    "url,sent",
    [
        *(("https://orgvue.test/x", True), ("https://ORGVUE.test:443/", True)),
        *(("https://orgvue.test:444/", False), ("http://orgvue.test/", False)),
        *(("https://evil.test/", False), ("https://orgvue.test.evil.test/", False)),
    ],
)
def test_the_token_goes_to_its_origin_only(url: str, sent: object) -> None:
    """Requests to the token's scheme, host and port carry it; all others do not."""
    token = BearerToken("the-token", "https://orgvue.test/api")
    assert authorization(token, url) == ("Bearer the-token" if sent else None)


def test_no_credentials_of_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The file host gets no credentials of ~/.netrc, which `requests` would add."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine files.test login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    session = requests.Session()
    request = requests.Request("GET", "https://files.test/x")
    assert "Authorization" in session.prepare_request(request).headers
    session.auth = NoCredentials()
    assert "Authorization" not in session.prepare_request(request).headers


def test_dates_are_read() -> None:
    """The dates are `nbf` and `exp` in UTC; each may be absent."""
    dates = read_token_dates(token(nbf=NOW.timestamp(), exp=(NOW + timedelta(1)).timestamp()))
    assert dates == TokenDates(NOW, NOW + timedelta(1))
    assert read_token_dates(token(nbf=NOW.timestamp())) == TokenDates(NOW, None)
    assert read_token_dates(token(exp=NOW.timestamp())) == TokenDates(None, NOW)
    # One of each length of padding.
    for i in range(4):
        assert read_token_dates(token(sub="x" * i, exp=1.5)).expires == EPOCH + timedelta(0, 1.5)


def test_a_token_outside_its_dates_is_refused() -> None:
    """A token is valid from its start, inclusive, until it expires, exclusive."""
    dates, second = TokenDates(NOW, NOW + timedelta(1)), timedelta(seconds=1)
    assert dates.refusal(NOW, "page") is None
    assert dates.refusal(NOW + timedelta(1) - second, "page") is None
    assert dates.refusal(NOW - second, "page") == "is not active before 2026-01-01 00:00 UTC."
    expired = "expired on 2026-01-02 00:00 UTC; make a new one at page."
    assert dates.refusal(NOW + timedelta(1), "page") == expired
    assert TokenDates().refusal(NOW, "page") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "a.b.c",
        "a.b",
        f"{token(exp=1)}.d",
        token(exp=[1]),
        "a.!!.c",
        token(exp="soon"),
        token(exp=True),
        token(exp=1e40),
        "a.W10.c",
        DEEP,
    ],
)
def test_a_token_of_another_form(text: str) -> None:
    """A token of another form has no dates, and is no error: Orgvue decides."""
    assert read_token_dates(text) == TokenDates()


def test_a_token_that_expires_soon_draws_a_warning() -> None:
    """The warning comes fourteen days before a token expires, not sooner."""
    second = timedelta(seconds=1)
    assert TokenDates(None, NOW + timedelta(14) + second).warning(NOW, "page") is None
    assert TokenDates(None, NOW + timedelta(14)).warning(NOW, "page") is not None
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
def test_a_token_outside_its_dates_ends_a_run(
    orgvue: Orgvue, claims: dict[str, int], words: str
) -> None:
    """A run with such a token ends before its first request; the message hides the token."""
    text = token(**claims)
    run = command({**orgvue.config, "api_token": text}, "--discover")
    assert run.code == 3
    assert words in run.stderr.splitlines()[-1]
    assert text not in run.stderr
    assert orgvue.requests == []


def test_the_warning_is_logged(orgvue: Orgvue) -> None:
    """A run with a token that expires soon goes on, and warns."""
    ends = datetime.now(timezone.utc) + timedelta(3)
    run = command({**orgvue.config, "api_token": token(exp=ends.timestamp())})
    assert "The token expires in" in run.stderr
