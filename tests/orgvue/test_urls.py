"""Origins and loopback hosts."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.addresses import tenant_key
from tap_orgvue.orgvue.urls import is_loopback, origin_of


@pytest.mark.parametrize(
    "url,origin",
    [
        ("https://orgvue.test/a?b#c", ("https", "orgvue.test", 443)),
        ("HTTPS://ORGVUE.test:443", ("https", "orgvue.test", 443)),
        ("https://user:word@orgvue.test:444/", ("https", "orgvue.test", 444)),
        ("http://127.0.0.1", ("http", "127.0.0.1", 80)),
        ("http://[::1]:81/x", ("http", "[::1]", 81)),
        ("ftp://orgvue.test", ("ftp", "orgvue.test", None)),
        ("/path", ("", "", None)),
        ("", ("", "", None)),
    ],
)
def test_origins(url: str, origin: tuple[str, str, int | None]) -> None:
    """Scheme, host and port are lower case and complete, so that equal origins are equal."""
    assert origin_of(url) == origin


@pytest.mark.parametrize("text", ["http://[::1", "http://h:99999/", "https://[/x"])
def test_a_text_that_is_no_url(text: str) -> None:
    """A text without a readable host is a ValueError."""
    with pytest.raises(ValueError, match=r"."):
        origin_of(text)


@pytest.mark.parametrize(
    "host,loopback",
    [
        *(("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("[::1]", True)),
        *(("orgvue.test", False), ("10.0.0.1", False), ("[::2]", False), ("", False)),
        *(("localhost.evil.test", False), ("127.0.0.1.evil.test", False)),
    ],
)
def test_loopback_hosts(host: str, loopback: bool) -> None:  # noqa: FBT001 - a table's column
    """Only `localhost` and loopback addresses are this machine."""
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "url,key",
    [
        ("https://orgvue.test", "orgvue.test/ACME"),
        ("https://orgvue.test:444", "orgvue.test:444/ACME"),
        ("http://127.0.0.1:8080", "ACME"),
        ("http://localhost", "ACME"),
    ],
)
def test_a_tenant_is_named_with_its_server(url: str, key: str) -> None:
    """Two servers may have tenants of one id; a simulator's server does not count."""
    assert tenant_key(url, "ACME") == key
