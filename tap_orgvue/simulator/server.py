"""The sockets: takes requests off the wire and puts answers on it, whole or broken as ordered."""

from __future__ import annotations

import os
import socket
import struct
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_orgvue.simulator.messages import JSON, Answer, Content, Request, parsed
from tap_orgvue.simulator.refusals import RefusalError
from tap_orgvue.simulator.trouble import HangUp, Lie, Refuse, Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.ledger import Ledger
    from tap_orgvue.simulator.refusals import Reason
    from tap_orgvue.simulator.trouble import Trouble, Troubles

_CHUNK = 65536


@dataclass(frozen=True)
class Shared:
    """What the two origins have in common."""

    behaviour: Behaviour
    ledger: Ledger
    troubles: Troubles
    trace_id: Callable[[], str]


class Site(Protocol):
    """What an origin serves."""

    #: `api` or `files`.
    name: str

    def route(self, method: str, path: str) -> tuple[str, str | None]:
        """Give a request's route and dataset."""

    def answer(self, request: Request) -> Answer:
        """Answer a request, or raise `RefusalError`."""


class Origin(ThreadingHTTPServer):
    """A server for one site, its threads and connections gone when it is closed."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, site: Site, port: int, shared: Shared, tls: ssl.SSLContext | None = None
    ) -> None:
        """Bind to a port of the loopback address; 0 finds a free one."""
        super().__init__(("127.0.0.1", port), Handler)
        self._tls = tls
        self.site = site
        self.shared = shared
        self.closing = Event()
        self._lock = Lock()
        self._cut = False
        self._connections: set[socket.socket] = set()

    @property
    def url(self) -> str:
        """The origin."""
        # Certificates are made for names.
        host = "http://127.0.0.1" if self._tls is None else "https://localhost"
        return f"{host}:{self.server_address[1]}"

    @override
    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its handshake is done where its first byte is read."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def open(self) -> None:
        """Serve in the background."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop serving; connections that are open are cut."""
        self.shutdown()
        self.server_close()
        with self._lock:
            self._cut = True
            for connection in self._connections:
                _shut(connection)
        self.closing.set()

    def connected(self, connection: socket.socket) -> None:
        """Remember an open connection; one that was accepted just before the end is cut."""
        with self._lock:
            self._connections.add(connection)
            if self._cut:
                _shut(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._connections.discard(connection)

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; mistakes of the simulator are told."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Head and body of a small answer leave in one packet.
    wbufsize = _CHUNK
    server: Origin

    @override
    def setup(self) -> None:
        """Take the connection."""
        super().setup()
        self.server.connected(self.connection)

    @override
    def finish(self) -> None:
        """Let it go."""
        self.server.disconnected(self.connection)
        super().finish()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:  # the name http.server calls
        """Answer a request of whatever method."""
        request = self._read()
        try:
            self._serve(request)
        finally:
            self.server.shared.ledger.leave(request, None)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # as above

    def _serve(self, request: Request) -> None:
        shared = self.server.shared
        try:
            shared.ledger.enter(request)
        except RefusalError as refusal:
            self._send(request, _refused(refusal, shared.behaviour.retry_after), None)
            return
        self._wait(request)
        trouble = shared.troubles.take(request)
        self._send(request, self._answer(request, trouble), trouble)

    def _read(self) -> Request:
        """Read the request off the wire."""
        target = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        route, dataset_id = self.server.site.route(self.command, target.path)
        return Request(
            origin=self.server.site.name,
            route=route,
            method=self.command,
            path=target.path,
            query=parse_qs(target.query, keep_blank_values=True),
            headers=list(self.headers.items()),
            body=parsed(raw),
            raw=raw,
            dataset_id=dataset_id,
        )

    def _wait(self, request: Request) -> None:
        """Take the server time and the pauses; a server that closes waits for nothing."""
        shared = self.server.shared
        usual = shared.behaviour.seconds if request.origin == "api" else 0.0
        seconds = shared.behaviour.seconds_of.get(request.route, usual)
        self.server.closing.wait(seconds + shared.troubles.pause(request))

    def _answer(self, request: Request, trouble: Trouble | None) -> Answer:
        if isinstance(trouble, Refuse):
            return _refusal(trouble.reason, trouble.retry_after)
        if isinstance(trouble, Reply):
            headers = {"Content-Type": "text/html", **trouble.headers}
            return Answer(trouble.status, Content(trouble.body), headers, compressible=False)
        try:
            return self.server.site.answer(request)
        except RefusalError as refusal:
            return _refused(refusal)

    def _send(self, request: Request, answer: Answer, trouble: Trouble | None) -> None:
        """Send an answer, or as much of it as the trouble lets through."""
        headers, body = answer.encoded(request.header("Accept-Encoding"))
        cut = _cut(trouble, len(body))
        if cut != 0:
            length = len(body) + (trouble.by if isinstance(trouble, Lie) else 0)
            self._send_head(answer.status, {"Content-Length": str(length), **headers})
            self._send_body(request, answer.status, body[:cut])
        self.server.shared.ledger.leave(request, None)
        if cut is not None or isinstance(trouble, Lie):
            self._break_off(reset=isinstance(trouble, HangUp) and trouble.reset)

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        # The documented header stands in every answer of the API; object stores have their own.
        trace = "X-Amzn-Trace-Id" if self.server.site.name == "api" else "x-amz-request-id"
        for name, value in {trace: self.server.shared.trace_id(), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, request: Request, status: int, body: bytes) -> None:
        """Send the body, and count the request as ended before its last bytes leave.

        The client may ask again the moment it has them: counted later, the two would look as if
        they had been made at once.
        """
        rate = self.server.shared.behaviour.trickle
        chunk = _CHUNK if rate is None else max(1, int(rate / 20))
        for start in range(0, max(len(body), 1), chunk):
            if start + chunk >= len(body):
                self.server.shared.ledger.leave(request, status)
            self.wfile.write(body[start : start + chunk])
            if rate is not None:
                self.wfile.flush()
                self.server.closing.wait(chunk / rate)
        self.wfile.flush()

    def _break_off(self, *, reset: bool) -> None:
        """End the connection."""
        self.close_connection = True
        if not reset:
            _shut(self.connection)
            return
        # Closed with a linger time of zero, TCP resets the connection. The buffers of http.server
        # hold on to the socket object, so the descriptor itself is closed.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.server.disconnected(self.connection)
        os.close(self.connection.detach())


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _refusal(reason: Reason, retry_after: str | float | None) -> Answer:
    if not isinstance(reason, int):
        return _refused(RefusalError(reason), retry_after)
    answer = Answer.of_status(reason)
    answer.headers.update(_retry(retry_after))
    return answer


def _refused(refusal: RefusalError, retry_after: str | float | None = None) -> Answer:
    headers = {"Content-Type": JSON, **_retry(retry_after)}
    return Answer(refusal.status, Content(refusal.body()), headers)


def _retry(after: str | float | None) -> dict[str, str]:
    return {} if after is None else {"Retry-After": str(after)}


def _cut(trouble: Trouble | None, length: int) -> int | None:
    """Say how much of a body is sent; `None` for all of it, 0 for not even the status line."""
    if not isinstance(trouble, HangUp):
        return None
    after = trouble.after if trouble.after >= 0 else length + trouble.after
    return max(0, min(after, length - 1))
