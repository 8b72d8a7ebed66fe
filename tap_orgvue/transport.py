"""HTTP to one kind of host: who gets the token, which proxy and certificates hold, what failed.

What the environment says is heeded for every host alike: HTTPS_PROXY, ALL_PROXY and NO_PROXY;
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE. Certificates are always verified.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from contextlib import contextmanager
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import select_proxy
from typing_extensions import override
from urllib3.util import parse_url

from tap_orgvue.errors import Asked, BrokenAnswer, ConnectionFailed, Misconfigured, refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from tap_orgvue.settings import Settings

CONNECT_TIMEOUT = 30
"""Seconds until a connection must stand."""

_ERROR_BODY_BYTES = 64 * 1024
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""In the order in which they are heeded; `requests` does not know the last one."""
_NETWORK_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)


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


class Transport:
    """HTTP to one kind of host."""

    def __init__(self, auth: AuthBase, settings: Settings) -> None:
        """Open no connection yet."""
        self.auth = auth
        self._timeout = (min(CONNECT_TIMEOUT, settings.request_timeout), settings.request_timeout)
        self._session = requests.Session()
        self._session.auth = auth
        self._session.headers.clear()
        # One session serves many threads: it keeps no cookies, which Orgvue does not use.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers["User-Agent"] = settings.user_agent
        adapter = HTTPAdapter(pool_maxsize=settings.max_parallel_requests + 1)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def prepare(self, method: str, url: str, **parts: Any) -> requests.PreparedRequest:
        """Build a request with this transport's headers and credentials.

        Raises:
            BrokenAnswer: The address is none.
        """
        try:
            return self._session.prepare_request(requests.Request(method, url, **parts))
        except ValueError:
            # Its own text has the address in it, which may be presigned.
            raise BrokenAnswer("Orgvue gave a link that is not an address.") from None

    @contextmanager
    def open(self, request: requests.PreparedRequest) -> Iterator[requests.Response]:
        """Send a request once and give its answer, body unread; the connection ends with it.

        Raises:
            Refusal: The answer has an error status.
            ConnectionFailed: No answer, or its body broke off while it was read.
            Misconfigured: The environment names certificates that cannot be read.
        """
        asked = Asked(str(request.method), str(request.url))
        is_secure = origin_of(asked.url)[0] == "https"
        proxies = self._proxies(asked.url) if is_secure else {}
        try:
            # Not by the session, which would read what a redirect says and where it leads.
            with self._session.get_adapter(asked.url).send(
                request,
                stream=True,
                timeout=self._timeout,
                proxies=proxies,
                verify=self._certificates if is_secure else True,
            ) as response:
                if response.status_code >= 300:  # noqa: PLR2004 - redirects are refused as well
                    raise refusal_of(
                        asked, response.status_code, response.headers, beginning(response)
                    )
                yield response
        except _NETWORK_ERRORS as error:
            raise _connection_failed(asked, error, select_proxy(asked.url, proxies)) from None

    def _proxies(self, url: str) -> MutableMapping[str, str]:
        """What the environment says of proxies to a host.

        Not asked for plain http, which is for this machine alone: a proxy would be told the token
        in the clear.
        """
        environment = self._session.merge_environment_settings(
            url, {}, stream=True, verify=True, cert=None
        )
        proxies: MutableMapping[str, str] = environment["proxies"]
        return proxies

    @cached_property
    def _certificates(self) -> str | bool:
        """The file or folder of the CAs to trust; True for those that `requests` brings."""
        for variable in _CA_VARIABLES:
            path = os.environ.get(variable)
            if not path:
                continue
            if not os.path.isdir(path):  # noqa: PTH112 - kept as it was given
                try:
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
                except OSError as error:
                    why = "holds no certificate" if isinstance(error, ssl.SSLError) else "cannot be"
                    why += "" if isinstance(error, ssl.SSLError) else f" read ({error.strerror})"
                    raise Misconfigured(
                        f"{variable} is set to {path!r}, which {why}: set it to a file with the "
                        "certificates of the CAs to trust, as PEM."
                    ) from None
            return path
        return True

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()


def arriving(response: requests.Response, size: int) -> Iterator[bytes]:
    """A body's bytes as they come, compressed as they are."""
    with _sizes_that_are_none():
        yield from response.raw.stream(size, decode_content=False)


def beginning(response: requests.Response, limit: int = _ERROR_BODY_BYTES) -> bytes:
    """A body's first bytes, decoded."""
    parts, size = [], 0
    with _sizes_that_are_none():
        for chunk in response.iter_content(64 * 1024):
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                break
    return b"".join(parts)


@contextmanager
def _sizes_that_are_none() -> Iterator[None]:
    """Take the one error that urllib3 lets out as it is, of chunks with sizes below nothing."""
    try:
        yield
    except ValueError as error:
        raise urllib3.exceptions.ProtocolError(str(error)) from None


# -- what failed, in words

_TUNNEL_REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")
_REFUSALS_OF_PROXIES = {
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

_NO_PROXY_URL = (
    requests.exceptions.InvalidProxyURL,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
)
_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (requests.exceptions.ProxyError, "the proxy cannot be reached; check HTTPS_PROXY"),
    (requests.exceptions.SSLError, "no TLS connection came about"),
    (requests.exceptions.ConnectTimeout, "no connection came about in time"),
    (requests.exceptions.Timeout, "no answer came in time; `request_timeout` is the limit"),
    (urllib3.exceptions.TimeoutError, "the answer stalled; `request_timeout` is the limit"),
    (TimeoutError, "the answer stalled; `request_timeout` is the limit"),
    (requests.exceptions.ContentDecodingError, "the answer's compression is damaged"),
    (requests.exceptions.ChunkedEncodingError, "the answer broke off"),
    (urllib3.exceptions.ProtocolError, "the answer broke off"),
    (requests.exceptions.ConnectionError, "the connection failed or was closed"),
)
_TIMEOUTS = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


def _connection_failed(asked: Asked, error: Exception, proxy: str | None) -> ConnectionFailed:
    """Word a network error by its kind: its own text may hold a presigned URL."""
    causes = list(_causes(error))
    why, may_pass = _lasting(causes) or (_passing(error), True)
    address = _address(proxy or "")
    through = f" through the proxy {address}" if address else ""
    return ConnectionFailed(
        f"{asked} at {parse_url(asked.url).host}{through} failed: {why}.",
        timed_out=any(isinstance(cause, _TIMEOUTS) for cause in causes)
        and not isinstance(error, requests.exceptions.ConnectTimeout),
        may_pass=may_pass,
    )


def _lasting(causes: list[BaseException]) -> tuple[str, bool] | None:
    """What asking again does not mend, and whether it may pass all the same."""
    by_proxy = any(isinstance(cause, requests.exceptions.ProxyError) for cause in causes)
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            whose = "the proxy's own" if by_proxy else "its"
            advice = _CERTIFICATE_ADVICE.get(cause.verify_code, _UNKNOWN_CA)
            return f"{whose} TLS certificate is not accepted, because {advice}", False
        if isinstance(cause, OSError) and (told := _TUNNEL_REFUSED.match(str(cause))):
            status = int(told[1])
            advice = _REFUSALS_OF_PROXIES.get(status, "ask who runs it")
            return f"the proxy answered {status}: {advice}", status >= _SERVER_ERROR
        if isinstance(cause, urllib3.exceptions.ProxyError) and "only use HTTP" in str(cause):
            return "the proxy speaks no TLS itself; begin HTTPS_PROXY with http://", False
        if isinstance(cause, _NO_PROXY_URL):
            return "HTTPS_PROXY is not a proxy's address, as in http://host:port", False
    return None


def _passing(error: Exception) -> str:
    causes = [error, *(arg for arg in error.args if isinstance(arg, BaseException))]
    return next(
        (words for kind, words in _WHY for cause in causes if isinstance(cause, kind)),
        f"the connection failed ({type(error).__name__})",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it was raised for: libraries wrap one in another."""
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
    """Host and port of a proxy, without the password that may stand before them."""
    try:
        parts = parse_url(proxy)
    except ValueError:
        return ""
    return f"{parts.host}:{parts.port}" if parts.host and parts.port else parts.host or ""
