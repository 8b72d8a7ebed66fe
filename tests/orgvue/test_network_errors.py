"""Network errors as messages: the cause, what to do, whether a retry may help, and no secret."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import requests
import urllib3.exceptions

from tap_orgvue.orgvue.errors import ConnectionFailed, RequestInfo
from tap_orgvue.orgvue.network_errors import connection_failed

GET = RequestInfo("GET", "https://files.test/x?X-Amz-Signature=secret")

E = requests.exceptions
U = urllib3.exceptions
POOL: Any = None


def certificate_error(code: int) -> ssl.SSLCertVerificationError:
    """OpenSSL's error with a verify code."""
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code = code
    return error


def described(error: Exception, proxy: str | None = None) -> ConnectionFailed:
    """The error for the user."""
    return connection_failed(GET, error, proxy)


def unconnected(cause: OSError) -> Exception:
    """An error of `requests`, as it and urllib3 raise it from the error of a socket."""
    error = U.NewConnectionError(POOL, "x")
    error.__cause__ = cause
    retried = U.MaxRetryError(POOL, "/x?secret", error)
    retried.__cause__ = error
    return E.ConnectionError(retried)


TRANSIENT: dict[str, tuple[Exception, str, bool]] = {
    # raised; the message; whether a wait became too long
    "a proxy": (E.ProxyError("x"), "the proxy cannot be reached", False),
    "TLS": (E.SSLError("x"), "the TLS handshake failed", False),
    "no connection in time": (E.ConnectTimeout("x"), "the connection timed out", False),
    "no response in time": (E.ReadTimeout("x"), "no response came in time", True),
    "a stalled body": (E.ConnectionError(U.ReadTimeoutError(POOL, "", "x")), "stalled", True),
    "a stalled file": (U.ReadTimeoutError(POOL, "", "x"), "the response stalled", True),
    "a stalled socket": (TimeoutError("x"), "the response stalled", True),
    "damaged gzip": (E.ContentDecodingError("x"), "compression is damaged", False),
    "a cut body": (E.ChunkedEncodingError("x"), "the response broke off", False),
    "a cut file": (U.ProtocolError("x"), "the response broke off", False),
    "no such host": (unconnected(socket.gaierror()), "DNS here does not know the host", False),
    "a closed port": (unconnected(ConnectionRefusedError()), "the host refused", False),
    "a reset": (E.ConnectionError(ConnectionResetError("x")), "failed or was closed", False),
    "anything else": (E.RequestException("x"), "the connection failed (RequestException)", False),
}


@pytest.mark.parametrize("kind", TRANSIENT)
def test_transient_errors(kind: str) -> None:
    """Each kind of network error has its own words and can be retried."""
    error, words, timed_out = TRANSIENT[kind]
    failed = described(error)
    assert str(failed).startswith("GET /x at files.test failed: ")
    assert words in str(failed)
    assert "secret" not in str(failed)
    assert failed.retryable
    assert failed.timed_out is timed_out


@pytest.mark.parametrize(
    "code,words",
    [
        *((9, "not valid yet"), (10, "it has expired"), (62, "another host")),
        *((64, "another address"), (20, "a CA that is not known here")),
    ],
)
def test_certificates(code: int, words: str) -> None:
    """A rejected certificate has its reason and is not retried; a proxy's is named as such."""
    failed = described(E.SSLError(U.SSLError(certificate_error(code))))
    assert "failed: its TLS certificate is not accepted, because " in str(failed)
    assert words in str(failed)
    assert not failed.retryable
    failed = described(E.ProxyError(certificate_error(code)), "https://proxy.test:8080")
    assert "the proxy's own TLS certificate is not accepted" in str(failed)
    assert not failed.retryable


@pytest.mark.parametrize(
    "status,words,retryable",
    [
        (403, "it does not allow this host", False),
        (407, "it wants a user name and a password", False),
        (418, "ask who runs it", False),
        (499, "ask who runs it", False),
        (500, "ask who runs it", True),
        (502, "ask who runs it", True),
    ],
)
def test_a_refused_tunnel(status: int, words: str, retryable: object) -> None:
    """A proxy's refusal has its status and advice; a server error of a proxy can be retried."""
    failed = described(E.ProxyError(OSError(f"Tunnel connection failed: {status} x")), "http://p:1")
    assert f"the proxy responded with {status}: {words}" in str(failed)
    assert failed.retryable is retryable


@pytest.mark.parametrize(
    "error",
    [E.InvalidProxyURL("x"), E.InvalidURL("x"), E.InvalidSchema("x")],
)
def test_an_address_that_is_no_proxys(error: Exception) -> None:
    """A proxy's address of another form is told with the right form, and not retried."""
    failed = described(error, "nonsense")
    assert "HTTPS_PROXY is not a proxy's address, as in http://host:port" in str(failed)
    assert not failed.retryable


def test_a_proxy_without_tls() -> None:
    """A proxy with an https address that speaks http is told so, and not retried."""
    text = "Your proxy appears to only use HTTP and not HTTPS"
    failed = described(E.ProxyError(U.ProxyError(text, OSError())))
    assert "begin HTTPS_PROXY with http://" in str(failed)
    assert not failed.retryable
    other = described(E.ProxyError(U.ProxyError("Cannot connect to proxy", OSError())))
    assert "the proxy cannot be reached" in str(other)


@pytest.mark.parametrize(
    "proxy,place",
    [
        ("http://me:pass-word@proxy.test:3128", " through the proxy proxy.test:3128 failed"),
        ("http://me:pass-word@proxy.test", " through the proxy proxy.test failed"),
        ("http://[::pass-word", " at files.test failed"),
        ("http://", " at files.test failed"),
        (None, " at files.test failed"),
    ],
)
def test_a_proxy_is_named_without_its_password(proxy: str | None, place: str) -> None:
    """A message names the proxy's host and port, but neither its user name nor its password."""
    message = str(described(E.ConnectionError("x"), proxy))
    assert place in message
    assert "pass-word" not in message


def test_causes_are_found_however_deep() -> None:
    """The cause counts wherever libraries wrapped it, even if errors lead in a circle."""
    inner = certificate_error(10)
    chained = E.ConnectionError("x")
    chained.__context__ = OSError("y")
    chained.__context__.__cause__ = inner
    inner.__context__ = chained
    assert "it has expired" in str(described(chained))
