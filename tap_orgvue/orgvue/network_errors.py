"""Turns network errors into messages: the cause, and what to do."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

import requests
import urllib3.exceptions
from urllib3.util import parse_url

from tap_orgvue.orgvue.errors import ConnectionFailed, RequestInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_orgvue.orgvue.deadlines import Deadline


_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")
_PROXY_ADVICE = {
    403: "it does not allow this host, so have it allowed",
    407: "it wants a user name and a password, which HTTPS_PROXY holds before its host",
}
_SERVER_ERROR = 500

_CERTIFICATE_ADVICE = {
    # OpenSSL's X509_V_ERR_…
    9: "it is not valid yet; check this machine's clock",
    10: "it has expired; whoever runs that host must renew it",
    62: "it is made for another host; check `api_url`, or ask who runs the network",
    64: "it is made for another address; check `api_url`, or ask who runs the network",
}
_UNKNOWN_CA = (
    "it is signed by a CA that is not known here; if it is your company's, set REQUESTS_CA_BUNDLE "
    "to a file with that CA's certificate"
)
_INVALID_PROXY_URL = (
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)
_CLOSED = "the connection failed or was closed"
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy cannot be reached; check HTTPS_PROXY"),
    (requests.exceptions.SSLError, "the TLS handshake failed"),
    (requests.exceptions.ConnectTimeout, "the connection timed out"),
    (requests.exceptions.Timeout, "no response came in time; `request_timeout` is the limit"),
    (urllib3.exceptions.TimeoutError, "the response stalled; `request_timeout` is the limit"),
    (TimeoutError, "the response stalled; `request_timeout` is the limit"),
    (requests.exceptions.ContentDecodingError, "the response's compression is damaged"),
    (requests.exceptions.ChunkedEncodingError, "the response broke off"),
    (urllib3.exceptions.ProtocolError, "the response broke off"),
    (requests.exceptions.ConnectionError, _CLOSED),
)
_CONNECTING: tuple[tuple[type[BaseException], str], ...] = (
    (
        socket.gaierror,
        "DNS here does not know the host; check its name, or set HTTPS_PROXY if there is a proxy",
    ),
    (
        ConnectionRefusedError,
        "the host refused the connection; check the address, firewalls and HTTPS_PROXY",
    ),
)
"""Causes of a connection that was never made."""
_TIMEOUTS = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
_UNCONNECTED = (
    requests.exceptions.ConnectTimeout,
    # Also of a connection that was refused, which urllib3 counts as a timeout.
    urllib3.exceptions.ConnectTimeoutError,
)


def connection_failed(
    request: RequestInfo, error: Exception, proxy: str | None, exceeded: Deadline | None = None
) -> ConnectionFailed:
    """Describe a network error by its type: its own text may hold a presigned URL.

    Args:
        request: The request that failed.
        error: Raised by `requests`, urllib3 or a socket.
        proxy: The URL of the proxy; None without one.
        exceeded: The response's deadline, if it is over.

    Returns:
        An error without query string and credentials, to be raised.
    """
    causes = list(_causes(error))
    reason, retryable = _permanent_reason(causes) or (_transient_reason(error, causes), True)
    timed_out = any(isinstance(cause, _TIMEOUTS) for cause in causes)
    if exceeded and timed_out:
        reason = f"the response was not complete in time; {exceeded.limit} is the limit"
    address = _address(proxy or "")
    through = f" through the proxy {address}" if address else ""
    return ConnectionFailed(
        f"{request} at {parse_url(request.url).host}{through} failed: {reason}.",
        timed_out=timed_out and not any(isinstance(cause, _UNCONNECTED) for cause in causes),
        retryable=retryable,
    )


def _permanent_reason(causes: list[BaseException]) -> tuple[str, bool] | None:
    """The fault of a certificate or a proxy, and True if a retry may help; else None."""
    by_proxy = any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            whose = "the proxy's own" if by_proxy else "its"
            advice = _CERTIFICATE_ADVICE.get(cause.verify_code, _UNKNOWN_CA)
            return f"{whose} TLS certificate is not accepted, because {advice}", False
        if isinstance(cause, OSError) and (refused := _TUNNEL_REFUSED.match(str(cause))):
            status = int(refused[1])
            advice = _PROXY_ADVICE.get(status, "ask who runs it")
            return f"the proxy responded with {status}: {advice}", status >= _SERVER_ERROR
        if isinstance(cause, urllib3.exceptions.ProxyError) and "only use HTTP" in str(cause):
            return "the proxy speaks no TLS itself; begin HTTPS_PROXY with http://", False
        if isinstance(cause, _INVALID_PROXY_URL):
            return "HTTPS_PROXY is not a proxy's address, as in http://host:port", False
    return None


def _transient_reason(error: Exception, causes: Sequence[BaseException]) -> str:
    """What went wrong, by the error and what it was made of, or else by what caused it."""
    direct = [error, *(arg for arg in error.args if isinstance(arg, BaseException))]
    reason = _first(_REASONS, direct) or f"the connection failed ({type(error).__name__})"
    return (_first(_CONNECTING, causes) or reason) if reason == _CLOSED else reason


def _first(
    reasons: Sequence[tuple[type[BaseException], str]], causes: Sequence[BaseException]
) -> str | None:
    """The words of the first kind of error that is among the causes."""
    found = (words for kind, words in reasons for cause in causes if isinstance(cause, kind))
    return next(found, None)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all errors that it wraps."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [arg for arg in cause.args if isinstance(arg, BaseException)]
        waiting += [cause.__cause__, cause.__context__]


def _address(proxy: str) -> str:
    """Host and port of a proxy, without its user name and password."""
    try:
        parts = parse_url(proxy)
    except ValueError:
        return ""
    return f"{parts.host}:{parts.port}" if parts.host and parts.port else parts.host or ""
