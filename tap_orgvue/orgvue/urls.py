"""Origins and loopback hosts of URLs."""

from __future__ import annotations

import ipaddress

from urllib3.util import parse_url


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; equal for equal origins.

    Parsed by urllib3, which makes the connections: two parsers could disagree about one URL.

    Raises:
        ValueError: The text is not a URL.
    """
    parts = parse_url(url)
    scheme = parts.scheme or ""
    return scheme, (parts.host or "").lower(), parts.port or {"https": 443, "http": 80}.get(scheme)


def is_loopback(host: str) -> bool:
    """True if a URL's host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
