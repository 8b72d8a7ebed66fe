"""Origins and loopback hosts of URLs."""

from __future__ import annotations

import ipaddress

from urllib3.util import parse_url


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL, comparable.

    Read by what connections are made by: two readers could be told two stories by one URL.

    Raises:
        ValueError: It is no URL.
    """
    parts = parse_url(url)
    scheme = parts.scheme or ""
    return scheme, (parts.host or "").lower(), parts.port or {"https": 443, "http": 80}.get(scheme)


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
