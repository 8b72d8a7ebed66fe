"""Responses of any shape: what is not HTTP, not a list, or larger than it looks."""

from __future__ import annotations

import contextlib
import gzip
import json
import socketserver
import tracemalloc
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_orgvue.orgvue.errors import OrgvueError
from tests.support.runs import discover, sync

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

JSON = {"Content-Type": "application/json; charset=UTF-8"}
GZIP = {**JSON, "Content-Encoding": "gzip"}


@pytest.mark.parametrize("route", ["list", "metadata"])
def test_a_small_answer_that_is_not_small(orgvue: Orgvue, route: str) -> None:
    """A list or a metadata answer that expands without end is given up, in bounded memory."""
    bomb = gzip.compress(b"[" + b" " * (200 * 1024 * 1024), compresslevel=1)
    orgvue.answer(on=route, body=bomb, headers=GZIP, times=None)
    config = {**orgvue.config, "max_retries": 0, "include_calculations": False}
    tracemalloc.start()
    try:
        with pytest.raises(OrgvueError, match="is not JSON, or only a part of it"):
            discover(config)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 1024 * 1024


# --- not even HTTP


class Wire(socketserver.ThreadingTCPServer):
    """Answers every connection with the same bytes, and ends it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: bytes) -> None:
        """Find a free port."""
        super().__init__(("127.0.0.1", 0), _Wired)
        self.answer = answer

    @property
    def config(self) -> dict[str, Any]:
        """The settings of a tap that asks it."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {"api_url": url, "tenant_id": "DEMO", "api_token": "x" * 40, "max_retries": 0}


class _Wired(socketserver.StreamRequestHandler):
    server: Wire

    @override
    def handle(self) -> None:
        """Take a request, say what is to be said."""
        while self.rfile.readline() not in {b"\r\n", b""}:
            pass
        with contextlib.suppress(OSError):
            self.wfile.write(self.server.answer)


OK = b"HTTP/1.1 200 OK\r\n"
WIRED: dict[str, bytes] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 40,
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "a status of its own": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n[]",
    "no headers": OK,
    "a header too long": OK + b"X: " + b"a" * 100_000 + b"\r\n\r\n[]",
    "too many headers": OK + b"X: a\r\n" * 500 + b"\r\n[]",
    "headers of noise": OK + bytes(range(0x80, 0x100)) + b"\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "a length below nothing": OK + b"Content-Length: -5\r\n\r\n[",
    "a length beyond all": OK + b"Content-Length: 99999999999999999999\r\n\r\n[]",
    "chunks of no size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n[]\r\n",
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
    "a chunk below nothing": OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n",
    "compressed noise": OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b" + b"\xff" * 50,
    "compressed oddly": OK + b"Content-Encoding: " + b"gzip, " * 50 + b"gzip\r\n\r\n[]",
    "promises alone": b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
    "a retry of noise": b"HTTP/1.1 503 No\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    "an error without end": b"HTTP/1.1 403 No\r\n\r\n" + b'{"errors":[' * 9000,
    "an error of noise": b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\n" + b"\x00" * 99,
}


@pytest.mark.parametrize("kind", WIRED)
def test_what_is_not_even_http(kind: str) -> None:
    """Whatever a server says, it is one sentence that names the request."""
    with Wire(WIRED[kind]) as wire:
        Thread(target=wire.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            with pytest.raises(OrgvueError, match="GET /api/v1/DEMO/datasets") as caught:
                discover(wire.config)
        finally:
            wire.shutdown()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# --- small answers


LISTS: dict[str, tuple[Any, str]] = {
    "null": (None, "is not a list"),
    "a number": (5, "is not a list"),
    "an object": ({}, "is not a list"),
    "two lists": ({"a": [], "b": []}, "is not a list"),
    "of nulls": ([None], "without a `datasetId`"),
    "of numbers": ([5], "without a `datasetId`"),
    "of lists": ([[]], "without a `datasetId`"),
    "without ids": ([{"name": "x"}], "without a `datasetId`"),
    "with ids of numbers": ([{"datasetId": 5}], "without a `datasetId`"),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_is_none(orgvue: Orgvue, kind: str) -> None:
    """A list of datasets of another shape is one error, and no tenant without datasets."""
    answer, words = LISTS[kind]
    orgvue.answer(on="list", body=json.dumps(answer).encode(), headers=JSON, times=None)
    with pytest.raises(OrgvueError, match=words):
        discover(orgvue.config)


def test_a_name_with_half_a_character(orgvue: Orgvue) -> None:
    """A dataset whose name ends in half a character is listed all the same."""
    name = json.dumps([{"datasetId": orgvue.dataset("People").dataset_id, "name": "People\ud83c"}])
    orgvue.answer(on="list", body=name.encode(), headers=JSON, times=None)
    run = sync(orgvue.config)
    assert len(run.records["people"]) == 5
