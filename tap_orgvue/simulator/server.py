"""The sockets: reads requests, and sends responses whole, or with the trouble that was ordered."""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tap_orgvue.simulator.edits import edited
from tap_orgvue.simulator.messages import JSON, Content, Request, Response, Target, parsed
from tap_orgvue.simulator.refusals import RefusalError, failed_ticket
from tap_orgvue.simulator.sending import CHUNK, dripping, packaged, reset, shut
from tap_orgvue.simulator.trouble import After, Before, Drip, HangUp, Lie, Refuse, Reply

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable

    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.ledger import Ledger
    from tap_orgvue.simulator.messages import Body
    from tap_orgvue.simulator.trouble import Instead, Troubles


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

    def target(self, path: str, body: object) -> Target:
        """Say what a request is for."""

    def answer(self, request: Request) -> Response:
        """Respond to a request, or raise `RefusalError`."""


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
                shut(connection)
        self.closing.set()

    def connected(self, connection: socket.socket) -> None:
        """Remember an open connection; one that was accepted just before the end is cut."""
        with self._lock:
            self._connections.add(connection)
            if self._cut:
                shut(connection)

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
    # Head and body of a small response leave in one packet.
    wbufsize = CHUNK
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
        """Respond to a request of any method."""
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
            self._send(request, _refused(refusal, shared.behaviour.retry_after))
            return
        self._wait(request)
        trouble = shared.troubles.instead(request)
        response = self._respond(request, trouble)
        self._send(request, response, trouble, shared.troubles.take(request, Drip))

    def _read(self) -> Request:
        """Read the request off the wire."""
        url = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = parsed(raw)
        meant = self.server.site.target(url.path, body)
        return Request(
            origin=self.server.site.name,
            route=meant.route,
            method=self.command,
            path=url.path,
            query=parse_qs(url.query, keep_blank_values=True),
            headers=list(self.headers.items()),
            body=body,
            raw=raw,
            dataset_id=meant.dataset_id,
            draft_ids=meant.draft_ids,
        )

    def _wait(self, request: Request) -> None:
        """Take the server time and the pauses; a server that closes waits for nothing."""
        shared = self.server.shared
        usual = shared.behaviour.seconds if request.origin == "api" else 0.0
        seconds = shared.behaviour.seconds_of.get(request.route, usual)
        self.server.closing.wait(seconds + shared.troubles.pause(request))

    def _respond(self, request: Request, trouble: Instead | None) -> Response:
        """Make the response, and call what was ordered before and after that."""
        troubles = self.server.shared.troubles
        before = troubles.take(request, Before)
        if before:
            before.change()
        response = self._made(request, trouble)
        after = troubles.take(request, After)
        if after:
            after.change()
        return response

    def _made(self, request: Request, trouble: Instead | None) -> Response:
        shared = self.server.shared
        if isinstance(trouble, Refuse):
            return _refusal(trouble, shared.trace_id())
        if isinstance(trouble, Reply):
            headers = {"Content-Type": "text/html", **trouble.headers}
            return Response(trouble.status, Content(trouble.body), headers, compressible=False)
        try:
            response = self.server.site.answer(request)
        except RefusalError as refusal:
            return _refused(refusal)
        if response.status < HTTPStatus.BAD_REQUEST:
            for edit in shared.troubles.edits(request):
                response = edited(response, edit)
        return response

    def _send(
        self,
        request: Request,
        response: Response,
        trouble: Instead | None = None,
        drip: Drip | None = None,
    ) -> None:
        """Send a response, or as much of it as the trouble lets through."""
        accepted = request.header("Accept-Encoding")
        headers, body, cut = packaged(response, accepted, trouble, drip)
        if drip and cut is None:
            request.status = response.status
            self._drip(response.status, headers, body, drip)
        elif cut != 0:
            self._send_head(response.status, headers)
            self._send_body(request, response.status, body, cut)
        self.server.shared.ledger.leave(request, None)
        if cut is not None or isinstance(trouble, Lie):
            self._break_off(is_reset=isinstance(trouble, HangUp) and trouble.reset)

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        # The documented header stands in every response of the API; object stores have their own.
        trace = "X-Amzn-Trace-Id" if self.server.site.name == "api" else "x-amz-request-id"
        told = {"Server": self.version_string(), "Date": self._date()}
        told.update({trace: self.server.shared.trace_id(), **headers})
        self.send_response_only(status)
        for name, value in told.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def _date(self) -> str | None:
        """Give the `Date` header."""
        told = self.server.shared.behaviour.date_header
        return self.date_time_string(time.time() + told) if isinstance(told, float | int) else told

    def _send_body(self, request: Request, status: int, body: Body, cut: int | None) -> None:
        """Send the body, and count the request as ended before its last bytes leave.

        The client may ask again the moment it has them: counted later, the two would look as if
        they had been made at once.
        """
        rate = self.server.shared.behaviour.trickle
        left = len(body) if cut is None else cut
        if not left:
            self.server.shared.ledger.leave(request, status)
        for piece in body.pieces(CHUNK if rate is None else max(1, int(rate / 20))):
            if len(piece) >= left:
                self.server.shared.ledger.leave(request, status)
            self.wfile.write(piece[:left])
            left -= len(piece)
            if rate is not None:
                self.wfile.flush()
                self.server.closing.wait(len(piece) / rate)
            if left <= 0:
                break
        self.wfile.flush()

    def _drip(self, status: int, headers: dict[str, str], body: Body, drip: Drip) -> None:
        """Send what is sent at once, then a byte at a time until either side goes away."""
        self.close_connection = True
        chunks = dripping(body, drip.after)
        if drip.head:
            self.wfile.write(b"HTTP/1.1 %d Slow\r\nX-Slow: " % status)
            chunks = itertools.repeat(b".")
        else:
            self._send_head(status, headers)
        if drip.seconds is None:
            self.wfile.write(b"".join(body.pieces(CHUNK))[: drip.after])
            self.wfile.flush()
            self.rfile.read(1)  # returns when the client has gone, or this connection is shut
            return
        for chunk in chunks:
            self.wfile.write(chunk)
            self.wfile.flush()
            if self.server.closing.wait(drip.seconds):
                return

    def _break_off(self, *, is_reset: bool) -> None:
        """End the connection."""
        self.close_connection = True
        if is_reset:
            self.server.disconnected(self.connection)
            reset(self.connection)
        else:
            shut(self.connection)


def _refusal(trouble: Refuse, trace_id: str) -> Response:
    if trouble.as_ticket:
        response = failed_ticket(trouble.reason, trace_id)
    elif isinstance(trouble.reason, int):
        response = Response.of_status(trouble.reason)
    else:
        return _refused(RefusalError(trouble.reason), trouble.retry_after)
    response.headers.update(_retry(trouble.retry_after))
    return response


def _refused(refusal: RefusalError, retry_after: str | float | None = None) -> Response:
    headers = {"Content-Type": JSON, **_retry(retry_after)}
    return Response(refusal.status, Content(refusal.body()), headers)


def _retry(after: str | float | None) -> dict[str, str]:
    return {} if after is None else {"Retry-After": str(after)}
