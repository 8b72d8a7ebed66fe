"""Files of BATCH messages: gzipped JSON lines, encoded here and compressed in a thread beside."""

from __future__ import annotations

import queue
import threading
import zlib
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from upath import UPath

if TYPE_CHECKING:
    from typing import Any, Protocol

    class Storage(Protocol):
        """Where batch files go; the SDK's, through fsspec."""

        root: str
        prefix: str | None
        params: dict[str, Any]

        def get_url(self, filename: str) -> str:
            """The address a loader reads it from."""


_FASTEST = 1
"""The compression level: the loader reads the file once, in a moment."""
_GZIP_WBITS = 31
_PIECES_AHEAD = 4
_PIECE_BYTES = 512 * 1024


class BatchFile:
    """One file, written piece by piece; compression runs beside the encoding of what follows."""

    def __init__(self, storage: Storage, filename: str, *, compress: bool) -> None:
        """Make nothing yet.

        Args:
            storage: Where it goes.
            filename: Its name there, without ending.
            compress: Whether as gzip.
        """
        self.filename = f"{storage.prefix or ''}{filename}.json{'.gz' if compress else ''}"
        self._storage = storage
        self._compress = zlib.compressobj(_FASTEST, wbits=_GZIP_WBITS) if compress else None
        # The SDK's own way writes to the system's temporary folder first, and leaves that file
        # there when the run is ended.
        self._root = UPath(storage.root, **storage.params).resolve()
        self._path = self._root / self.filename
        self._file: IO[bytes] | None = None
        self._pieces: queue.Queue[bytes | None] = queue.Queue(_PIECES_AHEAD)
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin the file."""
        self._root.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("wb")
        self._thread = threading.Thread(target=self._write_pieces, args=(self._file,), daemon=True)
        self._thread.start()

    def write(self, piece: bytes) -> None:
        """Add whole lines."""
        self._pieces.put(piece)

    def close(self) -> str:
        """Finish the file; its address.

        Raises:
            OSError: It could not be written.
        """
        self._end()
        if self._failure is not None:
            raise self._failure
        return self._storage.get_url(self.filename)

    def abandon(self) -> None:
        """Remove a file that nobody will be told of."""
        self._end()
        self._path.unlink(missing_ok=True)

    def _end(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()
        if self._file is not None:
            self._file.close()

    def _write_pieces(self, file: IO[bytes]) -> None:
        while (piece := self._pieces.get()) is not None:
            # After a failure the rest is taken and dropped, so that nobody waits for room.
            if self._failure is None:
                self._try_write(file, piece)
        if self._failure is None and self._compress is not None:
            self._try_write(file, b"", end=True)

    def _try_write(self, file: IO[bytes], piece: bytes, *, end: bool = False) -> None:
        try:
            if self._compress is not None:
                piece = self._compress.flush() if end else self._compress.compress(piece)
            file.write(piece)
        except Exception as error:  # noqa: BLE001 - told where the file is closed
            self._failure = error


class BatchWriter:
    """Cuts a stream's lines into files of a number of records each."""

    def __init__(self, storage: Storage, name: str, *, size: int, compress: bool) -> None:
        """Write nothing yet.

        Args:
            storage: Where files go.
            name: What their names begin with.
            size: Records in a file.
            compress: Whether as gzip.
        """
        self._storage = storage
        self._prefix = f"{name}-{uuid4()}"
        self._size = size
        self._compress = compress
        self._number = 0
        self._count = 0
        self._lines = bytearray()
        self._file: BatchFile | None = None

    @property
    def lines(self) -> bytearray:
        """Where the next line is to be appended, before `line_added` is called."""
        return self._lines

    def line_added(self) -> str | None:
        """Take a line; the address of a file that it has filled, if it has."""
        self._count += 1
        if self._count >= self._size:
            return self.finish()
        if len(self._lines) >= _PIECE_BYTES:
            self._pass_on()
        return None

    def finish(self) -> str | None:
        """Close the file that is begun; its address, or None where none is."""
        if not self._count:
            return None
        self._pass_on()
        address = self._begun().close()
        self._file, self._count = None, 0
        return address

    def abandon(self) -> None:
        """Remove the file that is begun, if one is."""
        if self._file is not None:
            self._file.abandon()
            self._file = None

    def _pass_on(self) -> None:
        self._begun().write(bytes(self._lines))
        self._lines.clear()

    def _begun(self) -> BatchFile:
        if self._file is None:
            self._number += 1
            # Known before it is there, so that whatever ends the run can remove it.
            self._file = BatchFile(
                self._storage, f"{self._prefix}-{self._number}", compress=self._compress
            )
            self._file.open()
        return self._file
