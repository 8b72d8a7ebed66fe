"""Decompresses the bytes of a response or a file, and reads them ahead in a thread."""

from __future__ import annotations

import itertools
import queue
import threading
from collections import deque
from hashlib import sha512
from typing import TYPE_CHECKING, BinaryIO, cast

from isal import isal_zlib

from tap_orgvue.orgvue.errors import MalformedResponse, TruncatedResponse

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator


GZIP_MAGIC = b"\x1f\x8b"

PIECE_BYTES = 256 * 1024
"""Most bytes decompressed at once: more than the processor's cache holds is slower."""

SMALL_PIECE_BYTES = 64 * 1024
"""The same without a reading thread: there is no hand-over for which larger pieces would pay."""

_CHUNKS_AHEAD = 4
"""Chunks that wait between the reading thread and its caller."""

_LAST_READ_SECONDS = 1.0
"""Seconds to wait for the reading thread: a disk responds at once, a network may not."""

_SUSPICIOUS_BYTES = 1024**3
"""Decompressed bytes up to which any ratio is accepted."""

_MAX_RATIO = 500
"""Decompressed to compressed bytes: each row has an id, which does not compress that far."""

_GZIP_WBITS = 31
"""zlib's `wbits` for a gzip header and trailer."""

_Damaged = cast("type[Exception]", isal_zlib.error)  # its stub declares an instance


def decompressed(chunks: Iterable[bytes], piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """Decompress a body if it is gzip.

    The first two bytes decide, because object stores serve gzip files with and without
    `Content-Encoding` (API guide, "Asynchronous export"; which of both is not documented).

    Args:
        chunks: The body, in chunks of any size.
        piece_bytes: Most bytes of a decompressed piece.

    Yields:
        The decompressed pieces of a gzip body; the chunks of any other body.

    Raises:
        TruncatedResponse: The gzip stream is damaged or incomplete.
        MalformedResponse: The gzip stream expands further than an export can.
    """
    chunks = iter(chunks)
    first = next(chunks, b"")
    while len(first) < len(GZIP_MAGIC) and (more := next(chunks, b"")):
        first += more
    if not first:
        return
    body = itertools.chain([first], chunks)
    if first.startswith(GZIP_MAGIC):
        yield from _gunzipped(body, piece_bytes)
    else:
        yield from body


def _gunzipped(chunks: Iterator[bytes], piece_bytes: int) -> Iterator[bytes]:
    """Decompress in pieces of bounded size, with gzip's checksum and length verified."""
    unzip = isal_zlib.decompressobj(_GZIP_WBITS)
    packed, plain, pending = 0, 0, b""
    for chunk in chunks:
        pending += chunk
        packed += len(chunk)
        while pending:
            if unzip.eof:
                # Another member or padding follows a member's end.
                if pending == GZIP_MAGIC[:1]:
                    break
                if not pending.startswith(GZIP_MAGIC):
                    # Read the padding to its end, so that a broken connection is noticed.
                    deque(chunks, maxlen=0)
                    return
                unzip = isal_zlib.decompressobj(_GZIP_WBITS)
            try:
                data = unzip.decompress(pending, piece_bytes)
            except _Damaged:
                message = f"The gzip stream of a response is damaged before byte {packed}."
                raise TruncatedResponse(message) from None
            _leave_wide_registers()
            plain += len(data)
            if plain > _SUSPICIOUS_BYTES and plain > _MAX_RATIO * packed:
                raise MalformedResponse(
                    f"A response expands further than an export can: {packed} bytes to {plain}."
                )
            if data:
                yield data
            pending = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if not unzip.eof:
        message = f"The gzip stream of a response is incomplete: it stops at byte {packed}."
        raise TruncatedResponse(message)


def _leave_wide_registers() -> None:
    """Clear the upper halves of the processor's vector registers.

    On x86, isal's checksum leaves them in use (intel/isa-l, issue 24), which slows all later work
    of the thread: decoding rows took a third longer, as measured. OpenSSL's SHA-512 clears them.
    On other processors the call costs a third of a microsecond.
    """
    sha512(usedforsecurity=False).digest()


def read_chunks(file: BinaryIO, chunk_bytes: int) -> Iterator[bytes]:
    """Read a file to its end in chunks, compressed as it is."""
    while chunk := file.read(chunk_bytes):
        yield chunk


def read_ahead(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Produce chunks in a thread while the caller works on earlier ones.

    The generator must be closed before the source of its chunks is.

    Args:
        chunks: Consumed by the thread, except for the first two.

    Yields:
        The same chunks in the same order.

    Raises:
        Exception: Whatever the iteration of `chunks` raised.
    """
    # Most responses have one chunk or two, for which a thread is not worth its start.
    for _ in range(2):
        early = next(chunks, None)
        if early is None:
            return
        yield early
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_CHUNKS_AHEAD)
    stop = threading.Event()

    def fill() -> None:
        try:
            for chunk in chunks:
                ready.put(chunk)
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised in the reading thread's caller
            ready.put(error)

    thread = threading.Thread(target=fill, name="orgvue-read", daemon=True)
    thread.start()
    try:
        while (chunk := ready.get()) is not None:
            if isinstance(chunk, BaseException):
                raise chunk
            yield chunk
    finally:
        stop.set()
        # Make room: the thread may wait for it.
        while not ready.empty():
            ready.get_nowait()
        # A file descriptor closed during a read may be another file's by then.
        thread.join(_LAST_READ_SECONDS)
