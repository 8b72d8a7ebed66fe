"""Answers that do not end: dripping bodies, dripping headers, stalled downloads."""

from __future__ import annotations

import gzip
import http.client
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests
from urllib3.exceptions import ReadTimeoutError

if TYPE_CHECKING:
    from tests.simulator.conftest import Client


def asked(client: Client, path: str = "", dataset: str | None = None) -> http.client.HTTPConnection:
    """Ask for something over a bare connection."""
    connection = http.client.HTTPConnection(urlsplit(client.orgvue.api_url).netloc, timeout=20)
    headers = {name: str(value) for name, value in client.session.headers.items()}
    connection.request("GET", urlsplit(client.url(path, dataset)).path, headers=headers)
    return connection


def test_dripping(client: Client) -> None:
    """A body comes byte by byte, is followed by white space, and never ends."""
    plain = client.get("", "Empty", Accept_Encoding="identity").content
    client.orgvue.drip(on="metadata", dataset="Empty", seconds=0.0005)
    with closing(asked(client, "", "Empty")) as connection:
        response = connection.getresponse()
        assert response.read(len(plain) + 20) == plain + b" " * 20
        assert client.orgvue.requests[-1].ended is None
    assert client.get("", "Empty").status_code == 200


def test_dripping_refusals(client: Client) -> None:
    """A drip is taken besides other trouble: the body of a refusal can drip."""
    client.orgvue.refuse("403601", on="list")
    client.orgvue.drip(on="list", after=10, seconds=0.0005)
    with closing(asked(client)) as connection:
        response = connection.getresponse()
        assert response.status == 403
        assert response.read(30).startswith(b'{"errors": [{"name"')


def test_dripping_files(client: Client) -> None:
    """A gzip file that drips is followed by zeros, as one may be."""
    client.orgvue.drip(on="download", seconds=0.0005, after=200)
    result = requests.get(client.completed()["_links"]["result"]["url"], stream=True, timeout=20)
    with result:
        packed = b"".join(result.raw.read(1) for _ in range(600))
    assert packed.endswith(b"\0" * 50)
    assert gzip.decompress(packed).startswith(b'{"headers"')


def test_dripping_headers(client: Client) -> None:
    """The headers themselves may never end."""
    client.orgvue.drip(on="list", head=True, seconds=0.0005)
    with closing(asked(client)) as connection:
        assert isinstance(connection.sock, socket.socket)
        received = b""
        while len(received) < 80:
            received += connection.sock.recv(1)
    assert received.startswith(b"HTTP/1.1 200 Slow\r\nX-Slow: ....")


def test_stalling(client: Client) -> None:
    """So many bytes of a download come, of as many as were told, and then nothing."""
    client.orgvue.stall(on="download", after=20, dataset="People")
    url = client.completed()["_links"]["result"]["url"]
    with requests.get(url, stream=True, timeout=(20, 0.1)) as stalled:
        assert len(stalled.raw.read(20)) == 20
        assert int(stalled.headers["Content-Length"]) > 20
        with pytest.raises(ReadTimeoutError):
            stalled.raw.read(1)
    while client.orgvue.requests[-1].ended is None:
        time.sleep(0.005)
    assert client.orgvue.requests[-1].status == 200


@pytest.mark.parametrize("stalls", [False, True])
def test_stopping_ends_them(client: Client, *, stalls: bool) -> None:
    """A server that is stopped ends its answers."""
    if stalls:
        client.orgvue.stall(on="list", after=5)
    else:
        client.orgvue.drip(on="list", seconds=3600)
    with closing(asked(client)) as connection:
        response = connection.getresponse()
        client.orgvue.stop()
        with pytest.raises((OSError, http.client.HTTPException)):
            response.read()
