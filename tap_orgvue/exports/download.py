"""Downloads a body to an unnamed file and verifies that it is complete.

The file is complete before its first row is read: a download that breaks off is retried, and can
neither duplicate a row nor lose one. The file is compressed as it was sent, and vanishes with the
process.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from tap_orgvue.exports.byte_streams import decompressed, read_ahead, read_chunks
from tap_orgvue.exports.completeness import EndOfExport, is_closed
from tap_orgvue.exports.lossy_json import LossyScan
from tap_orgvue.exports.progress import UNWATCHED
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.error_body import one_line
from tap_orgvue.orgvue.errors import (
    TRACE_HEADER,
    OrgvueError,
    RequestInfo,
    TruncatedResponse,
)
from tap_orgvue.orgvue.transport import iter_raw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests

    from tap_orgvue.exports.progress import ExportProgress

_CHUNK_BYTES = 256 * 1024


class DownloadedFile(msgspec.Struct, frozen=True):
    """A body on disk.

    Attributes:
        file: At its beginning, readable by this process only; closing it frees the disk.
        may_be_lossy: True if typed decoding might alter a cell; see `lossy_json`.
        trace_id: Orgvue's `X-Amzn-Trace-Id` of the response or the job; may be empty.
    """

    file: BinaryIO
    may_be_lossy: bool = True
    trace_id: str = ""


def download(
    response: requests.Response,
    request: RequestInfo,
    *,
    temp_dir: str | None = None,
    bracket: bytes = b"{",
    progress: ExportProgress = UNWATCHED,
) -> DownloadedFile:
    """Write a response's body to an unnamed temporary file, and verify that it is complete.

    Args:
        response: A streamed response, its body unread.
        request: The request, for messages.
        temp_dir: Folder for the file; the system's by default.
        bracket: The first byte of the JSON document; several for either of them.
        progress: Receives the download and its bytes; a wait if the download fails.

    Returns:
        The file, compressed as it was sent.

    Raises:
        TruncatedResponse: The body is incomplete or not JSON.
        MalformedResponse: The body expands further than an export can.
        OrgvueError: The file cannot be made or written.
    """
    file = temporary_file(temp_dir)
    progress.downloading()
    try:
        chunks = iter_raw(response, _CHUNK_BYTES)
        plain = read_ahead(decompressed(_written(chunks, file, progress)))
        may_be_lossy = _check_complete(file, plain, bracket)
    except TruncatedResponse as error:
        file.close()
        progress.waiting()
        message = f"{error} It is the response to {request}."
        raise TruncatedResponse(message) from None
    except BaseException:
        file.close()
        progress.waiting()
        raise
    trace_id = one_line(response.headers.get(TRACE_HEADER))
    return DownloadedFile(file, may_be_lossy, trace_id)


def _written(chunks: Iterable[bytes], file: BinaryIO, progress: ExportProgress) -> Iterator[bytes]:
    """Write each chunk to the file, then pass it on."""
    for chunk in chunks:
        _write(file, chunk)
        progress.received(len(chunk))
        yield chunk


def temporary_file(temp_dir: str | None) -> BinaryIO:
    """An unnamed file for an export.

    Args:
        temp_dir: Folder for the file; the system's by default.

    Raises:
        OrgvueError: It cannot be made.
    """
    try:
        # Unbuffered: the chunks are large already.
        return tempfile.TemporaryFile(dir=temp_dir, prefix="tap-orgvue-", buffering=0)
    except OSError as error:
        message = f"No temporary file can be made ({error.strerror}); see `temp_dir`."
        raise OrgvueError(message, remedy=Remedy.PERSON) from None


def _write(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    try:
        while view:
            view = view[file.write(view) :]
    except OSError as error:
        message = f"An export cannot be written to disk ({error.strerror}); see `temp_dir`."
        raise OrgvueError(message, remedy=Remedy.PERSON) from None


def _check_complete(file: BinaryIO, plain: Iterable[bytes], bracket: bytes) -> bool:
    """Read a body to its end, and check that it is a complete document of the requested form.

    Args:
        file: The file that has the body once all of it is read.
        plain: The decompressed body.
        bracket: The first byte of the JSON document; several for either of them.

    Returns:
        True if typed decoding might alter a cell.

    Raises:
        TruncatedResponse: The body has another form, or is incomplete.
    """
    head, size, scan, end = b"", 0, LossyScan(), EndOfExport()
    for data in plain:
        scan.feed(data)
        end.feed(data)
        size += len(data)
        head = head or data.lstrip()[:1]
    if not head or head not in bracket:
        message = "The response is not the requested JSON, from its first byte."
        raise TruncatedResponse(message)
    file.seek(0)
    if not end.is_certain() and not is_closed(decompressed(read_chunks(file, _CHUNK_BYTES))):
        message = f"The response ends in the middle of its JSON, after {size} bytes."
        raise TruncatedResponse(message)
    file.seek(0)
    return scan.found
