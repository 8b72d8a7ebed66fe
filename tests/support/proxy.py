"""A proxy on this machine, as companies have them: it tunnels, it looks inside, or it refuses."""

from __future__ import annotations

import select
import socket
import ssl
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import trustme
    from typing_extensions import Self

_CHUNK = 65536


class Proxy(ThreadingHTTPServer):
    """Opens tunnels to hosts whose names only it knows.

    Attributes:
        routes: `host:port`, as it is asked for, to the port of this machine that is meant.
        asked: What it was asked for, in order, each with the credentials that came along.
        refuses: The status that every tunnel is refused with; None where it opens them.
        hangs_up: Whether it closes connections instead of answering.
        seen: Host to what went there, where it looks inside.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self,
        *,
        inspecting: tuple[trustme.CA, trustme.CA] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Find a free port.

        Args:
            inspecting: A CA of its own, which it makes certificates with in the name of every
                host, and the CA that it trusts itself. It then ends TLS and begins it anew.
            tls: With it the proxy itself is spoken to by TLS.
        """
        super().__init__(("127.0.0.1", 0), _Handler)
        self.routes: dict[str, int] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.refuses: int | None = None
        self.hangs_up = False
        self.seen: dict[str, bytes] = defaultdict(bytes)
        self.inspecting = inspecting
        self._tls = tls

    @property
    def hosts(self) -> set[str]:
        """The hosts that tunnels were asked for."""
        return {target for target, _ in self.asked}

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Its address, as in HTTPS_PROXY."""
        return f"{'http' if self._tls is None else 'https'}://localhost:{self.port}"

    @override
    def __enter__(self) -> Self:
        """Serve."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.shutdown()
        self.server_close()

    @override
    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: connections that break are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:  # the name http.server calls
        """Note that something came in the clear, and refuse it."""
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_error(501)

    do_POST = do_GET  # noqa: N815  # as above

    def do_CONNECT(self) -> None:  # as above
        """Open a tunnel."""
        server = self.server
        server.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        self.close_connection = True
        if server.hangs_up:
            return
        if server.refuses is not None:
            self.send_response(server.refuses, "A Reason of the Proxy's Own")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with socket.create_connection(("127.0.0.1", server.routes[self.path])) as there:
            self.send_response(200, "Connection Established")
            self.end_headers()
            if server.inspecting is None:
                _pump(self.connection, there)
                return
            host = self.path.partition(":")[0]
            here, inside = self._ended(host, there, *server.inspecting)
            with here, inside:
                for data in _pumped(here, inside):
                    server.seen[host] += data

    def _ended(
        self, host: str, there: socket.socket, own: trustme.CA, trusted: trustme.CA
    ) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
        """End the client's TLS here, with a certificate in the host's name, and begin another."""
        towards_client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.issue_cert(host).configure_cert(towards_client)
        here = towards_client.wrap_socket(self.connection, server_side=True)
        towards_host = ssl.create_default_context()
        trusted.configure_trust(towards_host)
        return here, towards_host.wrap_socket(there, server_hostname=host)


def _pump(one: socket.socket, other: socket.socket) -> None:
    for _ in _pumped(one, other):
        pass


def _pumped(client: socket.socket, host: socket.socket) -> Iterator[bytes]:
    """Pass on what either side says until one ends; what the client said is told."""
    while True:
        buffered = [s for s in (client, host) if isinstance(s, ssl.SSLSocket) and s.pending()]
        for source in buffered or select.select([client, host], [], [])[0]:
            # What has come may be TLS's own, and no data: that must not be waited for.
            source.settimeout(0)
            try:
                data = source.recv(_CHUNK)
            except ssl.SSLWantReadError:
                continue
            finally:
                source.settimeout(None)
            if not data:
                return
            (host if source is client else client).sendall(data)
            if source is client:
                yield data
