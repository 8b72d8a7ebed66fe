"""HTTP connections whose responses have a deadline as a whole, however slowly bytes arrive.

A socket's timeout bounds the wait for the next byte only: one byte a minute never times out.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tap_orgvue.orgvue.deadlines import Deadline, earliest

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator


class ResponseTimer:
    """Bounds the time of one response.

    Its head, the status and the headers, has the read timeout as a whole; its body has the time
    until a deadline, if there is one.

    Attributes:
        received: Called with the number of bytes of each read.
    """

    def __init__(
        self,
        deadline: Deadline | None,
        head_limit: str,
        *,
        received: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Start no time yet.

        Args:
            deadline: The end of the whole response.
            head_limit: The limit of the head in the words of a message.
            received: Called with the number of bytes of each read.
        """
        self.received = received
        self._whole = self._current = deadline
        self._head_limit = head_limit

    def start_head(self, seconds: float | None) -> None:
        """Begin to wait for the head."""
        if seconds is not None:
            self._current = earliest(self._whole, Deadline(seconds, self._head_limit))

    def start_body(self, deadline: Deadline | None = None) -> None:
        """Begin to read the body.

        Args:
            deadline: A deadline of the body alone.
        """
        self._current = earliest(self._whole, deadline)

    def left(self) -> float | None:
        """The seconds that the next read may take; None for any time."""
        return self._current.left() if self._current else None

    @property
    def exceeded(self) -> Deadline | None:
        """The deadline that is over, if any."""
        return self._current if self._current and self._current.left() <= 0 else None


_thread = threading.local()


@contextmanager
def timed(timer: ResponseTimer) -> Iterator[None]:
    """Let a timer bound the responses that this thread requests."""
    _thread.timer = timer
    try:
        yield
    finally:
        del _thread.timer


class TimedAdapter(HTTPAdapter):
    """Sends requests over connections that heed `timed`."""

    @override
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    @override
    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _TimedReader(RawIOBase):
    """The bytes of a socket until a timer is over."""

    def __init__(self, sock: socket.socket, timer: ResponseTimer) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._timer = timer
        timer.start_head(self._timeout)

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Any) -> int | None:
        size = self._read(buffer)
        if size:
            self._timer.received(size)
        return size

    def _read(self, buffer: Any) -> int | None:
        left = self._timer.left()
        if left is None:
            return self._raw.readinto(buffer)
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(min(left, self._timeout or left))
        try:
            return self._raw.readinto(buffer)
        finally:
            # The connection may serve further requests.
            self._sock.settimeout(self._timeout)

    @override
    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """As much of a socket as a response needs."""

    def __init__(self, sock: socket.socket, timer: ResponseTimer) -> None:
        self._sock, self._timer = sock, timer

    def makefile(self, _: str) -> BufferedReader:
        return BufferedReader(_TimedReader(self._sock, self._timer))


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        timer = getattr(_thread, "timer", None)
        timed_sock: Any = _TimedSocket(sock, timer) if timer else sock
        super().__init__(timed_sock, *args, **kwargs)


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse


class _TimedSecureConnection(HTTPSConnection):
    response_class = _TimedResponse


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedSecurePool(HTTPSConnectionPool):
    ConnectionCls = _TimedSecureConnection


_POOLS = {"http": _TimedPool, "https": _TimedSecurePool}
