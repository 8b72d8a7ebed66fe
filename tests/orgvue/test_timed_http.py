"""Responses have a deadline as a whole: a byte now and then does not keep a run waiting."""

from __future__ import annotations

import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_orgvue.orgvue.client import Client, ClientOptions
from tap_orgvue.orgvue.deadlines import Deadline
from tap_orgvue.orgvue.errors import ConnectionFailed, OrgvueError
from tap_orgvue.orgvue.timed_http import (
    ResponseTimer,
    TimedAdapter,
    _TimedReader,
    _TimedResponse,
    timed,
)
from tap_orgvue.orgvue.transport import iter_raw, read_start
from tests.support.mocked_orgvue import PROBE, FastForward

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 0.6
"""Seconds: the `request_timeout` here."""

PAUSE = 0.05
"""Seconds between two drops, much less than the limit."""


# --- the timer alone


def test_without_a_deadline_a_body_may_take_any_time() -> None:
    """The head has the read timeout as a whole; the body of a large response has no end."""
    timer = ResponseTimer(None, "`request_timeout`")
    assert timer.left() is None
    timer.start_head(None)
    assert timer.left() is None
    timer.start_head(60)
    left = timer.left()
    assert left is not None
    assert 0 < left <= 60
    timer.start_body()
    assert timer.left() is None
    assert timer.exceeded is None


def test_the_earlier_deadline_counts() -> None:
    """A response's own deadline holds for head and body, unless theirs is earlier."""
    time = FastForward()
    whole = Deadline(10, "the whole", clock=time.clock)
    timer = ResponseTimer(whole, "the head")
    timer.start_head(1000)
    assert timer.left() == 10
    timer.start_body(Deadline(4, "the body", clock=time.clock))
    assert timer.left() == 4
    timer.start_body()
    time.now = 9
    assert timer.left() == 1
    assert timer.exceeded is None
    time.now = 10
    assert timer.exceeded is whole


@pytest.mark.parametrize("timeout,seconds", [(1000, 10), (4, 4), (None, 10)])
def test_each_read_has_the_time_that_is_left(timeout: float | None, seconds: float) -> None:
    """A read waits no longer than its timeout and its deadline; the connection keeps its own."""
    time = FastForward()
    timer = ResponseTimer(Deadline(10, "the whole", clock=time.clock), "the head")
    sock = RecordingSocket()
    sock.settimeout(timeout)
    with sock, _TimedReader(sock, timer) as reader:
        timer.start_body()
        sock.timeouts.clear()
        assert reader.readable()
        assert reader.read(2) == b"ab"
        assert sock.timeouts == [seconds, timeout]
        time.now = 10
        with pytest.raises(TimeoutError):
            reader.read(1)
    assert reader.closed


def test_a_response_that_is_read_lets_its_socket_go() -> None:
    """A connection that is closed while a response is read ends with the response, not later."""
    sock = RecordingSocket()
    reader = _TimedReader(sock, ResponseTimer(None, "the head"))
    sock.close()
    assert reader.read(1) == b"a"
    assert sock.fileno() != -1
    reader.close()
    assert sock.fileno() == -1


def test_a_timer_holds_for_its_block_only() -> None:
    """Responses that are requested after the block of a timer have none."""
    readers: list[Any] = []
    with RecordingSocket() as sock:
        with timed(ResponseTimer(None, "the head")):
            readers.append(_TimedResponse(sock).fp)
        readers.append(_TimedResponse(sock).fp)
        assert [isinstance(reader.raw, _TimedReader) for reader in readers] == [True, False]
        for reader in readers:
            reader.close()


class RecordingSocket(socket.socket):
    """One end of a connection that has received `abc`.

    Attributes:
        timeouts: The timeouts that were set.
    """

    def __init__(self) -> None:
        """Connect."""
        self.timeouts: list[float | None] = []
        own, other = socket.socketpair()
        super().__init__(fileno=own.detach())
        with other:
            other.sendall(b"abc")

    @override
    def settimeout(self, value: float | None) -> None:
        self.timeouts.append(value)
        super().settimeout(value)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_connection_heeds_the_timer(scheme: str) -> None:
    """Connections to hosts and through proxies bound their responses."""
    adapter = TimedAdapter()
    for manager in (adapter.poolmanager, adapter.proxy_manager_for("http://proxy.test:1")):
        pool = manager.connection_from_host("orgvue.test", 1, scheme)
        assert issubclass(pool.ConnectionCls.response_class, _TimedResponse)
    adapter.close()


# --- over HTTP


class Dripping(socketserver.ThreadingTCPServer):
    """Sends the same bytes to every connection: some at once, the others slowly, for ever.

    Attributes:
        ended: Set when nothing is to be sent any more.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, at_once: bytes, drop: bytes) -> None:
        """Find a free port."""
        super().__init__(("127.0.0.1", 0), _Drip)
        self.at_once, self.drop = at_once, drop
        self.ended = threading.Event()

    def client(self, *, request_timeout: float = 60, **options: float) -> Client:
        """A client of this server, without retries."""
        return Client(
            ClientOptions(
                api_url=f"http://127.0.0.1:{self.server_address[1]}",
                tenant_id="ACME",
                api_token="x" * 40,
                max_retries=0,
                request_timeout=request_timeout,
                total_timeout=options.get("total_timeout"),
            )
        )


class _Drip(socketserver.StreamRequestHandler):
    server: Dripping

    @override
    def handle(self) -> None:
        """Take a request and respond."""
        while self.rfile.readline() not in {b"\r\n", b""}:
            pass
        try:
            self.wfile.write(self.server.at_once)
            while not self.server.ended.wait(PAUSE):
                self.wfile.write(self.server.drop)
        except OSError:
            pass


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

DRIPS: dict[str, tuple[bytes, bytes]] = {
    # what comes at once, and what comes every moment
    "a status without an end": (b"", b"H"),
    "a header without an end": (OK + b"X: ", b"x"),
    "headers without an end": (OK, b"X: y\r\n"),
    "promises": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": (OK + b"Content-Length: 9999\r\n\r\n[", b" "),
    "a body without a length": (OK + b"\r\n[", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "the length of a chunk": (CHUNKED, b"0"),
    "a refusal": (b"HTTP/1.1 403 No\r\nContent-Length: 9999\r\n\r\n{", b" "),
}


@pytest.fixture
def dripping(request: pytest.FixtureRequest) -> Iterator[Dripping]:
    """A server of one of these kinds."""
    with Dripping(*DRIPS[request.param]) as server:
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        yield server
        server.ended.set()
        server.shutdown()


@pytest.mark.parametrize("dripping", DRIPS, indirect=True)
def test_a_small_response_that_drips(dripping: Dripping) -> None:
    """A list that arrives a byte at a time ends at `request_timeout`, whichever part drips."""
    with pytest.raises(ConnectionFailed) as caught:
        dripping.client(request_timeout=LIMIT).datasets()
    assert caught.value.timed_out
    assert "not complete in time; `request_timeout` (0.6 seconds) is the limit" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("dripping", DRIPS, indirect=True)
def test_a_client_whose_time_is_over(dripping: Dripping) -> None:
    """`total_timeout` ends any response, of either host."""
    client = dripping.client(total_timeout=LIMIT)
    # Either the response ends, or the time is over before the request.
    with pytest.raises(OrgvueError, match=r"0\.6 seconds in all is the limit"):
        client.metadata("X")
    client = dripping.client(total_timeout=LIMIT)
    request = client.files.prepare("GET", client.base_url)
    with (
        pytest.raises(OrgvueError, match=r"0\.6 seconds in all"),
        client.open_file(request, PROBE) as response,
    ):
        list(iter_raw(response, 4096))


@pytest.mark.parametrize(
    "dripping", ["a header without an end", "headers without an end", "a refusal"], indirect=True
)
def test_a_large_response_begins_in_time(dripping: Dripping) -> None:
    """Of a large response the head, and the body of a refusal, end at `request_timeout`."""
    client = dripping.client(request_timeout=LIMIT)
    with (
        pytest.raises(ConnectionFailed, match="`request_timeout`"),
        client.open(client.prepare("GET", client.base_url), PROBE),
    ):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("dripping", ["a body", "chunks"], indirect=True)
def test_a_large_response_may_take_long(dripping: Dripping) -> None:
    """A large response is read beyond `request_timeout`, as long as bytes arrive in time."""
    client = dripping.client(request_timeout=LIMIT)
    with client.open(client.prepare("GET", client.base_url), PROBE) as response:
        chunks = iter_raw(response, 1)
        got = b"".join(next(chunks) for _ in range(36))
    assert len(got) * PAUSE > 2 * LIMIT


@pytest.mark.parametrize("dripping", ["a body", "chunks"], indirect=True)
def test_a_deadline_of_the_caller(dripping: Dripping) -> None:
    """A caller's deadline ends the body of any response, and is named."""
    client = dripping.client()
    deadline = client.deadline(LIMIT, "`job_timeout` (0.6 seconds)")
    request = client.prepare("GET", client.base_url)
    message = r"`job_timeout` \(0.6 seconds\) is the limit"
    with (
        pytest.raises(ConnectionFailed, match=message),
        client.open(request, PROBE, deadline=deadline) as response,
    ):
        list(iter_raw(response, 4096))
    with (
        pytest.raises(ConnectionFailed, match=message),
        client.open(request, PROBE, deadline=deadline),
    ):
        # The deadline is over before the request is sent.
        pass


@pytest.mark.parametrize("dripping", ["a status without an end"], indirect=True)
def test_a_stalled_response(dripping: Dripping) -> None:
    """A response that sends nothing at all ends at the deadline, too."""
    dripping.drop = b""
    with pytest.raises(ConnectionFailed, match=r"`request_timeout` \(0.6 seconds\)"):
        dripping.client(request_timeout=LIMIT).datasets()


@pytest.mark.parametrize("dripping", ["a body"], indirect=True)
def test_a_stalled_body_before_its_deadline(dripping: Dripping) -> None:
    """A body that stalls ends at `request_timeout`, however much later its deadline is."""
    dripping.drop = b""
    client = dripping.client(request_timeout=LIMIT)
    request, deadline = client.prepare("GET", client.base_url), client.deadline(600, "a limit")
    with (
        pytest.raises(ConnectionFailed, match="the response stalled; `request_timeout`"),
        client.open(request, PROBE, deadline=deadline) as response,
    ):
        read_start(response)


SHORT = 2.0
"""Seconds: the deadline of a first response."""


class _TwoResponses(socketserver.StreamRequestHandler):
    """Responds to a first request in two parts, and to a second one late."""

    @override
    def handle(self) -> None:
        """Respond."""
        for pauses in ((0.0, 0.1), (SHORT + 0.2, 0.0)):
            while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                pass
            if not line:
                return
            for part, seconds in zip(
                (OK + b"Content-Length: 2\r\n\r\n", b"[]"), pauses, strict=True
            ):
                threading.Event().wait(seconds)
                self.wfile.write(part)


@pytest.mark.slow
def test_a_deadline_of_one_response_is_not_the_next_ones() -> None:
    """A connection that is used again has its whole timeout again."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _TwoResponses) as server:
        server.daemon_threads = True
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        options = ClientOptions(
            api_url=f"http://127.0.0.1:{server.server_address[1]}",
            tenant_id="ACME",
            api_token="x" * 40,
            max_retries=0,
        )
        client = Client(options)
        request = client.prepare("GET", client.base_url)
        for seconds in (SHORT, 600):
            deadline = client.deadline(seconds, "a limit")
            with client.open(request, PROBE, deadline=deadline) as response:
                assert read_start(response) == b"[]"
        client.close()
        server.shutdown()
