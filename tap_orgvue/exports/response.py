"""A downloaded export as a `requests` response, which the SDK's REST stream can parse."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

import requests
from typing_extensions import override

from tap_orgvue.exports.byte_streams import (
    PIECE_BYTES,
    SMALL_PIECE_BYTES,
    decompressed,
    read_ahead,
    read_chunks,
)
from tap_orgvue.exports.json_rows import JsonRows

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tap_orgvue.exports.download import DownloadedFile


class ExportResponse(requests.Response):
    """A downloaded export, or the fact that it is too large for one response.

    Attributes:
        rows: The export's headers and rows; None where it was refused as too large.
        may_be_lossy: True if typed decoding might alter a cell; see `lossy_json`.
    """

    def __init__(
        self,
        request: requests.PreparedRequest,
        file: DownloadedFile | None,
        *,
        reads_ahead: bool = True,
    ) -> None:
        """Make a response with status 200 and a file, or with status 413 and none.

        Args:
            request: The export's request.
            file: The downloaded body; None if the export is too large for one response.
            reads_ahead: True if a thread decompresses the file while rows are decoded.
        """
        super().__init__()
        self.request = request
        self.url = str(request.url)
        self.status_code = 413 if file is None else 200
        self.reason = "Payload Too Large" if file is None else "OK"
        self.raw = file.file if file else None
        self.may_be_lossy = file is None or file.may_be_lossy
        self._content = b""
        self._reads_ahead = reads_ahead
        self._reader: Generator[bytes, None, None] | None = None
        self.rows = JsonRows(self.chunks(), file.trace_id) if file else None

    def chunks(self) -> Iterator[bytes]:
        """The decompressed body; it can be read once."""
        size = PIECE_BYTES if self._reads_ahead else SMALL_PIECE_BYTES
        chunks = decompressed(read_chunks(cast("BinaryIO", self.raw), size), size)
        if not self._reads_ahead:
            return chunks
        self._reader = read_ahead(chunks)
        return self._reader

    @override
    def close(self) -> None:
        """Stop reading, and free the disk."""
        if self._reader is not None:
            self._reader.close()
        if self.raw is not None:
            self.raw.close()
