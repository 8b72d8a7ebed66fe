"""Files of BATCH messages: gzipped JSON lines, encoded here and compressed in a thread beside."""

from __future__ import annotations

import queue
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from isal import isal_zlib
from upath import UPath

if TYPE_CHECKING:
    from typing import Protocol

    class Storage(Protocol):
        """Where batch files go, as the SDK reads it from `batch_config`."""

        root: str
        prefix: str | None
        params: dict[str, Any]

        def get_url(self, filename: str) -> str:
            """The address a loader reads it from."""


_FAST = 1
"""The compression level: the loader reads the file once, in a moment."""

_GZIP_WBITS = 31

_PIECES_AHEAD = 4

_PIECE_BYTES = 64 * 1024
"""A block of rows is passed on as it is; single lines wait for one another."""


class BatchFile:
    """One file, written piece by piece; compression runs beside the encoding of what follows."""

    def __init__(self, folder: UPath, name: str, address: str, *, compress: bool) -> None:
        """Settle where it goes.

        Args:
            folder: Where it goes.
            name: Its name there.
            address: What a loader is told.
            compress: Whether as gzip.
        """
        self._address = address
        self._compress = isal_zlib.compressobj(_FAST, wbits=_GZIP_WBITS) if compress else None
        self._folder = folder
        self._path = folder / name
        self._is_local = folder.protocol in {"", "file", "local"}
        self._file: Any = None
        self._pieces: queue.Queue[bytes | bytearray | None] = queue.Queue(_PIECES_AHEAD)
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Begin the file."""
        # Each time: whoever tidies up behind a loader may have removed it.
        self._folder.mkdir(parents=True, exist_ok=True)
        # The SDK's own way writes to the system's temporary folder first, and leaves that file
        # there when the process is ended.
        self._file = (
            self._path.open("wb")
            if self._is_local
            else self._folder.fs.open(self._path.path, "wb", autocommit=False)
        )
        self._thread = threading.Thread(target=self._write_pieces, daemon=True)
        self._thread.start()

    def write(self, piece: bytes | bytearray) -> None:
        """Add whole lines, which are not to be changed from then on: a thread reads them."""
        self._pieces.put(piece)

    def close(self) -> str:
        """Finish the file; its address.

        Raises:
            OSError: It could not be written.
        """
        self._end()
        if self._failure is not None:
            raise self._failure
        if not self._is_local:
            self._file.commit()
        return self._address

    def discard(self) -> None:
        """Remove a file that nobody will be told of."""
        self._end()
        if self._is_local:
            self._path.unlink(missing_ok=True)
        elif self._file is not None:
            self._file.discard()

    def _end(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._pieces.put(None)
            self._thread.join()
        if self._file is not None:
            self._file.close()

    def _write_pieces(self) -> None:
        while (piece := self._pieces.get()) is not None:
            # After a failure the rest is taken and dropped, so that nobody waits for room.
            if self._failure is None:
                self._try_write(piece)
        if self._failure is None and self._compress is not None:
            self._try_write(b"", end=True)

    def _try_write(self, piece: bytes | bytearray, *, end: bool = False) -> None:
        try:
            if self._compress is not None:
                piece = self._compress.flush() if end else self._compress.compress(piece)
            self._file.write(piece)
        except Exception as error:  # noqa: BLE001 - told where the file is closed
            self._failure = error


class BatchWriter:
    """Cuts a stream's lines into files of a number of records each.

    Attributes:
        size: Records in a file.
    """

    def __init__(self, storage: Storage, name: str, *, size: int, compress: bool) -> None:
        """Write nothing yet.

        Args:
            storage: Where files go.
            name: What their names begin with.
            size: Records in a file.
            compress: Whether as gzip.
        """
        self._storage = storage
        self._name = f"{storage.prefix or ''}{name}-{uuid4()}"
        self.size = size
        self._compress = compress
        self._number = 0
        self._count = 0
        self._lines = bytearray()
        self._file: BatchFile | None = None

    @property
    def room(self) -> int:
        """How many records more go into the file that is begun."""
        return self.size - self._count

    def add(self, lines: bytes | bytearray, count: int) -> str | None:
        """Take lines, no more than there is room for; the address of a file that is full now.

        They are not to be changed from then on.
        """
        self._count += count
        if not self._lines and len(lines) >= _PIECE_BYTES:
            self._begun().write(lines)
        else:
            self._lines += lines
            if len(self._lines) >= _PIECE_BYTES:
                self._pass_on()
        return self.finish() if self._count >= self.size else None

    def finish(self) -> str | None:
        """Close the file that is begun; its address, or None where none is."""
        if not self._count:
            return None
        self._pass_on()
        address = self._begun().close()
        self._file, self._count = None, 0
        return address

    def discard(self) -> None:
        """Drop the file that is begun, if one is."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _pass_on(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, bytearray()
            self._begun().write(lines)

    def _begun(self) -> BatchFile:
        if self._file is None:
            self._number += 1
            name = f"{self._name}-{self._number}.json{'.gz' if self._compress else ''}"
            address = self._storage.get_url(name)
            # Known before it is there, so that whatever ends the run can remove it.
            self._file = BatchFile(self._folder, name, address, compress=self._compress)
            self._file.open()
        return self._file

    @cached_property
    def _folder(self) -> UPath:
        folder: UPath = UPath(self._storage.root, **self._storage.params).resolve()
        return folder
