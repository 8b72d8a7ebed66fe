"""Bytes of a response or a file: decompressed, and read ahead by a thread."""

from __future__ import annotations

import itertools
import queue
import threading
from hashlib import sha512
from typing import TYPE_CHECKING, BinaryIO, cast

from isal import isal_zlib

from tap_orgvue.orgvue.errors import MalformedResponse, TruncatedResponse

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator


GZIP_MAGIC = b"\x1f\x8b"

PIECE_BYTES = 256 * 1024
"""Plain bytes that are made at once: more than a processor's cache holds is slower."""

SMALL_PIECE_BYTES = 64 * 1024
"""The same where nothing is made ahead: no thread waits for another, so that less is better."""

_CHUNKS_AHEAD = 4

_LAST_READ_SECONDS = 1.0
"""How long a thread that reads ahead is waited for: a disk answers at once, a network may not."""

_SUSPICIOUS_BYTES = 1024**3

_MOST_EXPANSION = 500
"""Rows have an id that does not compress; what expands further holds none."""

_GZIP_WBITS = 31

_Damaged = cast("type[Exception]", isal_zlib.error)  # typed as one, not as a type of them


def decompressed(chunks: Iterable[bytes], piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """Give a body as plain bytes, whether it came as gzip or not.

    Object stores do not say reliably whether a file is compressed: its first bytes do.

    Args:
        chunks: The body; what is not compressed is passed on in these.
        piece_bytes: How much is decompressed at once, at most.

    Raises:
        TruncatedResponse: A gzip body is damaged or has no end.
    """
    chunks = iter(chunks)
    first = next(chunks, b"")
    while len(first) < len(GZIP_MAGIC) and (more := next(chunks, b"")):
        first += more
    if not first:
        return
    everything = itertools.chain([first], chunks)
    if first.startswith(GZIP_MAGIC):
        yield from _gunzipped(everything, piece_bytes)
    else:
        yield from everything


def _gunzipped(chunks: Iterable[bytes], piece_bytes: int) -> Iterator[bytes]:
    """Decompress by pieces of a bounded size, checking gzip's own checksum and length."""
    unzip = isal_zlib.decompressobj(_GZIP_WBITS)
    packed, plain, pending = 0, 0, b""
    for chunk in chunks:
        pending += chunk
        packed += len(chunk)
        while pending:
            if unzip.eof:
                # What follows a member's end is another member, or padding.
                if pending == GZIP_MAGIC[:1]:
                    break
                if not pending.startswith(GZIP_MAGIC):
                    pending = b""
                    break
                unzip = isal_zlib.decompressobj(_GZIP_WBITS)
            try:
                data = unzip.decompress(pending, piece_bytes)
            except _Damaged:
                message = f"The gzip compression of an answer is damaged, before byte {packed}."
                raise TruncatedResponse(message) from None
            _leave_wide_registers()
            plain += len(data)
            if plain > _SUSPICIOUS_BYTES and plain > _MOST_EXPANSION * packed:
                raise MalformedResponse(
                    f"An answer expands beyond what an export can: {packed} bytes to {plain}."
                )
            if data:
                yield data
            pending = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if not unzip.eof:
        message = f"The gzip compression of an answer has no end; it came to byte {packed}."
        raise TruncatedResponse(message)


def _leave_wide_registers() -> None:
    """Tell the processor that the wide halves of its registers are free again.

    The checksums of isal's library end without doing so, on x86 (intel/isa-l, issue 24). All that
    their thread does from then on is slower: decoding rows takes a third longer, as measured.
    OpenSSL's SHA-512 does it; elsewhere this costs a third of a microsecond.
    """
    sha512(usedforsecurity=False).digest()


def read_chunks(file: BinaryIO, chunk_bytes: int) -> Iterator[bytes]:
    """A landed file's bytes, as they came."""
    while chunk := file.read(chunk_bytes):
        yield chunk


def read_ahead(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """The same chunks, made in a thread beside while the last ones are worked on.

    Close it before what the chunks are read from.
    """
    # What comes in one piece or two, as most answers do, needs no thread.
    for _ in range(2):
        begun = next(chunks, None)
        if begun is None:
            return
        yield begun
    ready: queue.Queue[bytes | BaseException | None] = queue.Queue(_CHUNKS_AHEAD)
    stop = threading.Event()

    def fill() -> None:
        try:
            for chunk in chunks:
                ready.put(chunk)
                if stop.is_set():
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where the chunks are read
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
        # Make room, in case the thread waits for it.
        while not ready.empty():
            ready.get_nowait()
        # The number of a file that is closed under a read may be another file's by then.
        thread.join(_LAST_READ_SECONDS)
