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
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy

from tap_orgvue.orgvue.errors import MalformedResponse, Misconfigured, RequestInfo, refusal_of
from tap_orgvue.orgvue.network_errors import connection_failed
from tap_orgvue.orgvue.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from requests.adapters import BaseAdapter
    from requests.auth import AuthBase


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


class Transport:
    """HTTP to one kind of host."""

    def __init__(
        self,
        auth: AuthBase,
        *,
        user_agent: str,
        timeout: float,
        max_connections: int,
        adapter: BaseAdapter | None = None,
    ) -> None:
        """Open no connection yet.

        Args:
            auth: Adds the credentials to each request.
            user_agent: The `User-Agent` of every request.
            timeout: Seconds to wait for the next bytes of a response.
            max_connections: Connections to keep open.
            adapter: Sends the requests; HTTP over the network by default.
        """
        self.auth = auth
        self._timeout = (min(CONNECT_TIMEOUT, timeout), timeout)
        self._session = requests.Session()
        self._session.auth = auth
        self._session.headers.clear()
        self._session.headers["User-Agent"] = user_agent
        # Many threads share the session: it keeps no cookies, which Orgvue does not use.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = adapter or HTTPAdapter(pool_maxsize=max_connections)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def prepare(self, method: str, url: str, **parts: Any) -> requests.PreparedRequest:
        """Build a request with this transport's headers and credentials.

        Raises:
            MalformedResponse: The address is none.
        """
        try:
            return self._session.prepare_request(requests.Request(method, url, **parts))
        except ValueError:
            # Its own text has the address in it, which may be presigned.
            raise MalformedResponse("Orgvue gave a link that is not an address.") from None

    @contextmanager
    def open(self, request: requests.PreparedRequest) -> Iterator[requests.Response]:
        """Send a request once and give its answer, body unread; the connection ends with it.

        Raises:
            Refusal: The answer has an error status.
            ConnectionFailed: No answer, or its body broke off while it was read.
            Misconfigured: The environment names certificates that cannot be read.
        """
        asked = RequestInfo(str(request.method), str(request.url))
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
                        asked, response.status_code, response.headers, read_start(response)
                    )
                yield response
        except _NETWORK_ERRORS as error:
            raise connection_failed(asked, error, select_proxy(asked.url, proxies)) from None

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


def iter_raw(response: requests.Response, size: int) -> Iterator[bytes]:
    """A body's bytes as they come, compressed as they are."""
    with _negative_chunk_sizes():
        yield from response.raw.stream(size, decode_content=False)


def read_start(response: requests.Response, limit: int = _ERROR_BODY_BYTES) -> bytes:
    """A body's first bytes, decoded."""
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
    """Take the one error that urllib3 lets out as it is, of chunks with sizes below nothing."""
    try:
        yield
    except ValueError as error:
        raise urllib3.exceptions.ProtocolError(str(error)) from None
