"""Sends a response: all of it, a part, or byte by byte without an end."""

from __future__ import annotations

import itertools
import os
import re
import socket
import struct
from typing import TYPE_CHECKING

from tap_orgvue.simulator.trouble import HangUp, Lie

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_orgvue.simulator.messages import Body, Response
    from tap_orgvue.simulator.trouble import Drip, Instead

CHUNK = 65536
_GZIP = b"\x1f\x8b"


def packaged(
    response: Response, accepted: str | None, trouble: Instead | None, drip: Drip | None
) -> tuple[dict[str, str], Body, int | None]:
    """Decide which part of a response is sent.

    Args:
        response: The response.
        accepted: The request's `Accept-Encoding`; passed over where bytes have to be readable.
        trouble: What breaks the response, if anything.
        drip: How slowly it is sent, if so.

    Returns:
        The headers, the body, and how many of its bytes are sent: `None` for all, 0 for not even
        the status line.
    """
    readable = bool(drip) or (isinstance(trouble, HangUp) and trouble.behind is not None)
    headers, body = response.encoded(None if readable else accepted)
    length = len(body) + (trouble.by if isinstance(trouble, Lie) else 0)
    cut = _cut(trouble, body) if isinstance(trouble, HangUp) else None
    if drip and cut is None and not drip.head and drip.seconds is not None:
        return {"Transfer-Encoding": "chunked", **headers}, body, cut
    if isinstance(trouble, HangUp) and not trouble.tells_length:
        return {"Connection": "close", **headers}, body, cut
    return {"Content-Length": str(length), **headers}, body, cut


def _cut(trouble: HangUp, body: Body) -> int:
    if trouble.behind is not None:
        whole = b"".join(body.pieces(CHUNK))
        found = re.finditer(re.escape(trouble.behind.encode()), whole)
        return [match.end() for match in found][trouble.place]
    after = trouble.after if trouble.after >= 0 else len(body) + trouble.after
    return max(0, min(after, len(body) - 1))


def dripping(body: Body, after: int) -> Iterator[bytes]:
    """Give the chunks of a body that does not end.

    The first are the bytes that are sent at once, then comes each byte alone, then padding: white
    space, or the zeros that may follow a gzip file.
    """
    whole = b"".join(body.pieces(CHUNK))
    padding = b"\0" if whole.startswith(_GZIP) else b" "
    at_once = [whole[:after]] if after else []
    singly = (whole[place : place + 1] for place in range(after, len(whole)))
    for piece in itertools.chain(at_once, singly, itertools.repeat(padding)):
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def shut(connection: socket.socket) -> None:
    """End a connection in both directions; harmless when it has ended."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def reset(connection: socket.socket) -> None:
    """Reset a connection.

    Closed with a linger time of zero, TCP does so. The buffers of http.server hold on to the
    socket object, so the descriptor itself is closed.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(connection.detach())
