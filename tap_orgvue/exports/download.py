"""Answers on disk: whole, verified, gone with the process. A broken connection costs a retry.

An export is written to an unnamed file, compressed as it came, before its first row is read, so
that a download that breaks off can neither double a row nor leave one out.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tap_orgvue.exports.byte_streams import decompressed, read_ahead
from tap_orgvue.exports.lossy_json import LossyScan
from tap_orgvue.orgvue.errors import OrgvueError, RequestInfo, TruncatedResponse
from tap_orgvue.orgvue.transport import iter_raw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests


_CHUNK_BYTES = 256 * 1024

_TAIL_BYTES = 1024


class DownloadedFile(msgspec.Struct, frozen=True):
    """A body on disk.

    Attributes:
        file: Readable by this process alone; closing it frees the disk.
        may_be_lossy: True if typed decoding might alter a cell; see `lossy_json`.
    """

    file: BinaryIO
    may_be_lossy: bool = True


def download(
    response: requests.Response,
    asked: RequestInfo,
    *,
    temp_dir: str | None = None,
    brackets: bytes = b"{}",
) -> DownloadedFile:
    """Write an answer's body to an unnamed temporary file and check that it is whole.

    Args:
        response: A streamed answer, its body unread.
        asked: What the answer is to, for messages.
        temp_dir: A folder for the file; the system's by default.
        brackets: What the JSON opens and closes with.

    Returns:
        The file at its beginning.

    Raises:
        TruncatedResponse: The body is not whole, or not JSON.
        OrgvueError: The disk has no room.
    """
    file = _temporary_file(temp_dir)
    try:
        chunks = iter_raw(response, _CHUNK_BYTES)
        scan = LossyScan()
        _check_whole(read_ahead(decompressed(_written(chunks, file))), brackets, scan)
        file.seek(0)
    except TruncatedResponse as error:
        file.close()
        message = f"{error} It was the answer to {asked}."
        raise TruncatedResponse(message) from None
    except BaseException:
        file.close()
        raise
    return DownloadedFile(file, may_be_lossy=scan.found)


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


def _check_whole(plain: Iterable[bytes], brackets: bytes, scan: LossyScan) -> None:
    """Read a body to its end and see that its JSON is closed."""
    head, tail, size = b"", b"", 0
    for data in plain:
        scan.feed(data)
        size += len(data)
        head = head or data.lstrip()[:1]
        tail = (tail + data[-_TAIL_BYTES:])[-_TAIL_BYTES:]
    if head != brackets[:1]:
        message = "The answer is not the JSON that was asked for, from its first byte."
        raise TruncatedResponse(message)
    if not tail.rstrip().endswith(brackets[1:]):
        message = f"The answer ends in the middle of its JSON, after {size} bytes."
        raise TruncatedResponse(message)
