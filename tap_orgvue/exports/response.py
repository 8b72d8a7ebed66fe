"""A downloaded export as a `requests` response."""

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

    from tap_orgvue.exports.download import Landed


class ExportAnswer(requests.Response):
    """An export that is whole and at hand.

    Attributes:
        rows: Its headers and rows; None where the export was refused as too large.
        careful: Whether a cell may be what decoding by type would change; see `care`.
    """

    def __init__(
        self,
        request: requests.PreparedRequest,
        landed: Landed | None,
        *,
        reads_ahead: bool = True,
    ) -> None:
        """Answer a request with a landed file, or with the word that it is too large.

        Args:
            request: What was asked.
            landed: The file.
            reads_ahead: Whether a thread decompresses it while rows are worked on.
        """
        super().__init__()
        self.request = request
        self.url = str(request.url)
        self.status_code = 413 if landed is None else 200
        self.reason = "Payload Too Large" if landed is None else "OK"
        self.raw = landed.file if landed else None
        self.careful = landed is None or landed.careful
        self._content = b""
        self._reads_ahead = reads_ahead
        self._reading: Generator[bytes, None, None] | None = None
        self.rows = JsonRows(self.chunks()) if landed else None

    def chunks(self) -> Iterator[bytes]:
        """The body's plain bytes; to be read once."""
        size = PIECE_BYTES if self._reads_ahead else SMALL_PIECE_BYTES
        chunks = decompressed(read_chunks(cast("BinaryIO", self.raw), size), size)
        if not self._reads_ahead:
            return chunks
        self._reading = read_ahead(chunks)
        return self._reading

    @override
    def close(self) -> None:
        """Give the disk back."""
        if self._reading is not None:
            self._reading.close()
        if self.raw is not None:
            self.raw.close()
