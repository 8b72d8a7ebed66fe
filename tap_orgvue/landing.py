"""Answers on disk: whole, verified, gone with the process. A broken connection costs a retry.

An export is written to an unnamed file, compressed as it came, before its first row is read, so
that a download that breaks off can neither double a row nor leave one out.
"""

from __future__ import annotations

import itertools
import queue
import tempfile
import threading
from hashlib import sha512
from typing import TYPE_CHECKING, BinaryIO, cast

import msgspec
from isal import isal_zlib

from tap_orgvue.care import CareSieve
from tap_orgvue.errors import Asked, BrokenAnswer, CutAnswer, OrgvueError
from tap_orgvue.transport import arriving

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    import requests

GZIP_MAGIC = b"\x1f\x8b"
_CHUNK_BYTES = 256 * 1024
PIECE_BYTES = 256 * 1024
"""Plain bytes that are made at once: more than a processor's cache holds is slower."""
SMALL_PIECE_BYTES = 64 * 1024
"""The same where nothing is made ahead: no thread waits for another, so that less is better."""
_TAIL_BYTES = 1024
_CHUNKS_AHEAD = 4
_LAST_READ_SECONDS = 1.0
"""How long a thread that reads ahead is waited for: a disk answers at once, a network may not."""
_SUSPICIOUS_BYTES = 1024**3
_MOST_EXPANSION = 500
"""Rows have an id that does not compress; what expands further holds none."""
_GZIP_WBITS = 31
_Damaged = cast("type[Exception]", isal_zlib.error)  # typed as one, not as a type of them


class Landed(msgspec.Struct, frozen=True):
    """A body on disk.

    Attributes:
        file: Readable by this process alone; closing it frees the disk.
        careful: Whether it holds what `care` looks for.
    """

    file: BinaryIO
    careful: bool = True


def land(
    response: requests.Response,
    asked: Asked,
    *,
    temp_dir: str | None = None,
    brackets: bytes = b"{}",
) -> Landed:
    """Write an answer's body to an unnamed temporary file and check that it is whole.

    Args:
        response: A streamed answer, its body unread.
        asked: What the answer is to, for messages.
        temp_dir: A folder for the file; the system's by default.
        brackets: What the JSON opens and closes with.

    Returns:
        The file at its beginning.

    Raises:
        CutAnswer: The body is not whole, or not JSON.
        OrgvueError: The disk has no room.
    """
    file = _temporary_file(temp_dir)
    try:
        chunks = arriving(response, _CHUNK_BYTES)
        sieve = CareSieve()
        _check_whole(read_ahead(decompressed(_written(chunks, file))), brackets, sieve)
        file.seek(0)
    except CutAnswer as error:
        file.close()
        message = f"{error} It was the answer to {asked}."
        raise CutAnswer(message) from None
    except BaseException:
        file.close()
        raise
    return Landed(file, careful=sieve.needed)


def _written(chunks: Iterable[bytes], file: BinaryIO) -> Iterator[bytes]:
    """The same chunks, each on disk before it is looked at."""
    for chunk in chunks:
        _write(file, chunk)
        yield chunk


def _temporary_file(temp_dir: str | None) -> BinaryIO:
    try:
        # Unbuffered: the chunks are large already.
        return tempfile.TemporaryFile(dir=temp_dir, prefix="tap-orgvue-", buffering=0)
    except OSError as error:
        message = f"No temporary file can be made ({error.strerror}); see `temp_dir`."
        raise OrgvueError(message) from None


def _write(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        message = f"An export cannot be written to disk ({error.strerror}); see `temp_dir`."
        raise OrgvueError(message) from None


def decompressed(chunks: Iterable[bytes], piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """Give a body as plain bytes, whether it came as gzip or not.

    Object stores do not say reliably whether a file is compressed: its first bytes do.

    Args:
        chunks: The body; what is not compressed is passed on in these.
        piece_bytes: How much is decompressed at once, at most.

    Raises:
        CutAnswer: A gzip body is damaged or has no end.
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
                raise CutAnswer(message) from None
            _leave_wide_registers()
            plain += len(data)
            if plain > _SUSPICIOUS_BYTES and plain > _MOST_EXPANSION * packed:
                raise BrokenAnswer(
                    f"An answer expands beyond what an export can: {packed} bytes to {plain}."
                )
            if data:
                yield data
            pending = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
    if not unzip.eof:
        message = f"The gzip compression of an answer has no end; it came to byte {packed}."
        raise CutAnswer(message)


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


def _check_whole(plain: Iterable[bytes], brackets: bytes, sieve: CareSieve) -> None:
    """Read a body to its end and see that its JSON is closed."""
    head, tail, size = b"", b"", 0
    for data in plain:
        sieve.feed(data)
        size += len(data)
        head = head or data.lstrip()[:1]
        tail = (tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
    if head != brackets[:1]:
        message = "The answer is not the JSON that was asked for, from its first byte."
        raise CutAnswer(message)
    if not tail.rstrip().endswith(brackets[1:]):
        message = f"The answer ends in the middle of its JSON, after {size} bytes."
        raise CutAnswer(message)
