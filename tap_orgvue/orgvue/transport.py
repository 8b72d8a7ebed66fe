"""HTTP to one kind of host: credentials, proxies, certificates, timeouts.

Environment variables apply to every host alike: HTTPS_PROXY, ALL_PROXY and NO_PROXY;
REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE. Certificates are always verified.
"""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager
from functools import cached_property
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import requests
import urllib3.exceptions
from requests.utils import select_proxy

from tap_orgvue.orgvue.deadlines import Deadline, earliest
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import MalformedResponse, Misconfigured, RequestInfo
from tap_orgvue.orgvue.network_errors import connection_failed
from tap_orgvue.orgvue.timed_http import ResponseTimer, TimedAdapter, timed
from tap_orgvue.orgvue.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from requests.adapters import BaseAdapter
    from requests.auth import AuthBase

    from tap_orgvue.orgvue.request_log import RequestMeter


CONNECT_TIMEOUT = 30
"""Seconds to wait for a connection."""

_ERROR_BODY_BYTES = 64 * 1024
"""The length of an error body or a job ticket that is read."""

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The first that is set counts; `requests` itself does not know the last one."""

_NETWORK_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)


class Transport:
    """HTTP to one kind of host."""

    def __init__(  # noqa: PLR0913 - what connections depend on
        self,
        auth: AuthBase,
        *,
        user_agent: str,
        timeout: float,
        max_connections: int,
        adapter: BaseAdapter | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        """Open no connection yet.

        Args:
            auth: Adds the credentials to each request.
            user_agent: The `User-Agent` of every request.
            timeout: Seconds to wait for the head of a response, for the next bytes of its body,
                and for the whole body of a refusal.
            max_connections: Connections to keep open.
            adapter: Sends the requests; HTTP over the network by default.
            deadline: The end of every response; none by default.
        """
        self.auth = auth
        self._timeout = timeout
        self._deadline = deadline
        self._session = requests.Session()
        self._session.auth = auth
        self._session.headers.clear()
        self._session.headers["User-Agent"] = user_agent
        # Many threads share the session: it keeps no cookies, which Orgvue does not use.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = adapter or TimedAdapter(pool_maxsize=max_connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def prepare(self, method: str, url: str, **parts: Any) -> requests.PreparedRequest:
        """Build a request with this transport's headers and credentials.

        Raises:
            MalformedResponse: The URL is invalid.
        """
        try:
            return self._session.prepare_request(requests.Request(method, url, **parts))
        except ValueError:
            # The error's own text contains the URL, which may be presigned.
            raise MalformedResponse("Orgvue's response has a link that is not a URL.") from None

    @contextmanager
    def open(
        self,
        request: requests.PreparedRequest,
        meter: RequestMeter,
        *,
        deadline: Deadline | None = None,
    ) -> Iterator[requests.Response]:
        """Send a request once.

        Args:
            request: The request.
            meter: Counts the request and the bytes of its response.
            deadline: The end of the whole response, however slowly it arrives.

        Yields:
            The response, its body unread; it is closed at the end of the `with` block.

        Raises:
            Refusal: The response has an error status, or is a redirect.
            ConnectionFailed: No response arrived, or its body broke off in the `with` block.
            Misconfigured: The environment names certificates that cannot be read.
        """
        info = RequestInfo(str(request.method), str(request.url))
        is_secure = origin_of(info.url)[0] == "https"
        proxies = self._proxies(info.url) if is_secure else {}
        timeout_limit = f"`request_timeout` ({self._timeout:g} seconds)"
        timer = ResponseTimer(
            earliest(self._deadline, deadline), timeout_limit, received=meter.received
        )
        verify = self._certificates if is_secure else True
        try:
            with timed(timer):
                meter.sent()
                # Not by the session, which would prepare to follow a redirect.
                response = self._session.get_adapter(info.url).send(
                    request,
                    stream=True,
                    timeout=self._timeouts(timer),
                    proxies=proxies,
                    verify=verify,
                )
            with response:
                timer.start_body()
                if response.status_code >= 300:  # noqa: PLR2004 - redirects are refused as well
                    timer.start_body(Deadline(self._timeout, timeout_limit))
                    raise refusal_of(
                        info, response.status_code, response.headers, read_start(response)
                    )
                yield response
        except _NETWORK_ERRORS as error:
            proxy = select_proxy(info.url, proxies)
            raise connection_failed(info, error, proxy, timer.exceeded) from None

    def _timeouts(self, timer: ResponseTimer) -> tuple[float, float]:
        """The seconds to wait for a connection, and for the next bytes."""
        left = timer.left()
        # A timeout of 0 would mean none.
        timeout = self._timeout if left is None else max(0.001, min(self._timeout, left))
        return min(CONNECT_TIMEOUT, timeout), timeout

    def _proxies(self, url: str) -> MutableMapping[str, str]:
        """The environment's proxies for a URL.

        Plain http, which is for this machine only, uses none: a proxy would see the token.
        """
        environment = self._session.merge_environment_settings(
            url, {}, stream=True, verify=True, cert=None
        )
        proxies: MutableMapping[str, str] = environment["proxies"]
        return proxies

    @cached_property
    def _certificates(self) -> str | bool:
        """The file or folder with the trusted CAs; True for those of `requests`."""
        for variable in _CA_VARIABLES:
            path = os.environ.get(variable)
            if not path:
                continue
            if not os.path.isdir(path):  # noqa: PTH112 - a Path would change the text
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


def iter_raw(response: requests.Response, size: int) -> Iterator[bytes]:
    """A body's bytes as they arrive, not decompressed.

    Args:
        response: A response with an unread body.
        size: The maximum size of a chunk, in bytes.
    """
    with _negative_chunk_sizes():
        yield from response.raw.stream(size, decode_content=False)


def read_start(response: requests.Response, limit: int = _ERROR_BODY_BYTES) -> bytes:
    """The start of a body, decompressed: `limit` bytes and at most one chunk more."""
    parts, size = [], 0
    with _negative_chunk_sizes():
        for chunk in response.iter_content(64 * 1024):
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                break
    return b"".join(parts)


@contextmanager
def _negative_chunk_sizes() -> Iterator[None]:
    """Turn the ValueError of urllib3 for a negative chunk size into one of its own errors."""
    try:
        yield
    except ValueError as error:
        raise urllib3.exceptions.ProtocolError(str(error)) from None
