"""Files of BATCH messages: JSON lines, compressed in a thread while the next are encoded."""

from __future__ import annotations

import os
import queue
import stat
import threading
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from isal import isal_zlib
from upath import UPath

from tap_orgvue.singer.errors import BatchFileFailed, BatchFileVanished, error_message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class Storage(Protocol):
        """The storage of BATCH files, as the SDK reads it from `batch_config`."""

        root: str
        prefix: str | None
        params: dict[str, Any]

        def get_url(self, filename: str) -> str:
            """The URL from which a loader reads the file."""


_COMPRESSION_LEVEL = 1
"""The fastest: a loader reads the file once, soon after it was written."""

_GZIP_WBITS = 31
"""zlib's number for a gzip header and the largest window."""

_QUEUED_CHUNKS = 4
"""Chunks that wait for the thread; more would only take memory."""

_CHUNK_BYTES = 64 * 1024
"""Lines are collected into chunks of this size; a larger block of rows is a chunk itself."""


_PRIVATE_FILE = 0o600
_PRIVATE_FOLDER = 0o700
_GROUP_FILE = 0o640
_GROUP_FOLDER = stat.S_ISGID | stat.S_IRGRP | stat.S_IXGRP
"""The permissions of a folder that was made for a group: its new files belong to that group."""


class BatchFile:
    """One file, written chunk by chunk by a thread of its own, which also compresses.

    Only the user of this process may read a local file. In a folder that was made for a group
    (`install -d -m 2750 -g GROUP FOLDER`), the group may, too.
    """

    def __init__(self, folder: UPath, name: str, address: str, *, compress: bool) -> None:
        """Write nothing yet.

        Args:
            folder: The folder of the file, local or in an object store.
            name: The file's name in the folder.
            address: The file's URL in the BATCH message.
            compress: True to write gzip.
        """
        self._address = address
        self._compressor = (
            isal_zlib.compressobj(_COMPRESSION_LEVEL, wbits=_GZIP_WBITS) if compress else None
        )
        self._folder = folder
        self._path = folder / name
        self._is_local = folder.protocol in {"", "file", "local"}
        self._local_path = Path((folder / name).path)
        self._file: Any = None
        self._chunks: queue.Queue[bytes | bytearray | None] = queue.Queue(_QUEUED_CHUNKS)
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Create the file, and its folder if there is none.

        Raises:
            OSError: It cannot be created.
            BatchFileFailed: The object store refuses it.
        """
        # The SDK writes to the system's temporary folder first, and leaves that file there if the
        # process is killed.
        with _named_failures():
            self._file = self._open_local() if self._is_local else self._open_remote()
        self._thread = threading.Thread(target=self._write_chunks, daemon=True)
        self._thread.start()

    def write(self, chunk: bytes | bytearray) -> None:
        """Append whole lines. The caller must not change them later: a thread reads them."""
        self._chunks.put(chunk)

    def close(self) -> str:
        """Finish the file.

        Returns:
            Its URL.

        Raises:
            OSError: It could not be written.
            BatchFileFailed: The object store refuses it.
            BatchFileVanished: It was removed or replaced since it was created.
        """
        self._join_thread()
        with _named_failures():
            if self._failure is not None:
                raise self._failure
            if self._is_local:
                self._file.flush()
                self._check_presence()
            self._file.close()
            if not self._is_local:
                self._file.commit()
        return self._address

    def discard(self) -> None:
        """Remove a file that no BATCH message will name."""
        self._join_thread()
        if self._file is not None:
            # What the disk has no room for is not missed.
            with suppress(OSError):
                self._file.close()
        if self._is_local:
            self.unlink()
        elif self._file is not None:
            self._file.discard()

    def unlink(self) -> None:
        """Remove a local file at once, even while its thread writes. Safe in a signal handler."""
        if self._is_local:
            with suppress(OSError):
                self._local_path.unlink()

    def _open_local(self) -> Any:
        folder = self._local_path.parent
        # For every file: a clean-up after a load may have removed the folder.
        for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
            # Another run may create it at the same time.
            missing.mkdir(_PRIVATE_FOLDER, exist_ok=True)
        is_for_group = folder.stat().st_mode & _GROUP_FOLDER == _GROUP_FOLDER
        mode = _GROUP_FILE if is_for_group else _PRIVATE_FILE
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        return os.fdopen(os.open(self._local_path, flags, mode), "wb")

    def _open_remote(self) -> Any:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder.fs.open(self._path.path, "wb", autocommit=False)

    def _check_presence(self) -> None:
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(self._file.fileno()), self._local_path.stat()):
                return
        raise BatchFileVanished(
            f"The BATCH file {self._local_path} was removed before its message was written. Let "
            "nothing clean up the folder of `batch_config` during a run."
        )

    def _join_thread(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            self._chunks.put(None)
            self._thread.join()

    def _write_chunks(self) -> None:
        while (chunk := self._chunks.get()) is not None:
            # After a failure, chunks are taken and dropped: `write` must not wait for ever.
            if self._failure is None:
                self._try_write(chunk)
        if self._failure is None and self._compressor is not None:
            self._try_write(b"", end=True)

    def _try_write(self, chunk: bytes | bytearray, *, end: bool = False) -> None:
        try:
            if self._compressor is not None:
                chunk = self._compressor.flush() if end else self._compressor.compress(chunk)
            self._file.write(chunk)
        except Exception as error:  # noqa: BLE001 - raised by `close`
            self._failure = error


@contextmanager
def _named_failures() -> Iterator[None]:
    """Distinguish errors of an object store's software from all other errors of a stream."""
    try:
        yield
    except (OSError, BatchFileFailed):
        raise
    except Exception as error:
        raise BatchFileFailed(error_message(error)) from error


class BatchWriter:
    """Distributes a stream's lines over files with a fixed number of records each.

    Attributes:
        size: Records per file.
    """

    def __init__(self, storage: Storage, name: str, *, size: int, compress: bool) -> None:
        """Write nothing yet.

        Args:
            storage: The storage of the files.
            name: The start of their names.
            size: Records per file.
            compress: True to write gzip.
        """
        self._storage = storage
        self._prefix = f"{storage.prefix or ''}{name}-{uuid4()}"
        self.size = size
        self._compress = compress
        self._number = 0
        self._count = 0
        self._lines = bytearray()
        self._file: BatchFile | None = None
        self._finished: BatchFile | None = None

    @property
    def room(self) -> int:
        """Records that the current file can still take."""
        return self.size - self._count

    def add(self, lines: bytes | bytearray, count: int) -> str | None:
        """Append lines to the current file.

        Args:
            lines: Whole lines. The caller must not change them later.
            count: The number of their records, at most `room`.

        Returns:
            The URL of the file if it is full now.

        Raises:
            OSError: It could not be written.
            BatchFileVanished: It was removed by somebody else.
        """
        self._count += count
        if not self._lines and len(lines) >= _CHUNK_BYTES:
            self._current().write(lines)
        else:
            self._lines += lines
            if len(self._lines) >= _CHUNK_BYTES:
                self._write_lines()
        return self.finish() if self._count >= self.size else None

    def finish(self) -> str | None:
        """Close the current file. It is removed by `discard` until `announced` is called.

        Returns:
            Its URL; None if there is no file.

        Raises:
            OSError: It could not be written.
            BatchFileVanished: It was removed by somebody else.
        """
        if not self._count:
            return None
        self._write_lines()
        address = self._current().close()
        # In this order: whenever a signal comes, one of both names the file.
        self._finished = self._file
        self._file, self._count = None, 0
        return address

    def announced(self) -> None:
        """Keep the file that was finished last: a BATCH message names it."""
        self._finished = None

    def discard(self) -> None:
        """Remove the files that no BATCH message names."""
        for file in self._unannounced():
            file.discard()
        self._file = self._finished = None

    def unlink(self) -> None:
        """Remove the same files where they are local. Safe in a signal handler."""
        for file in self._unannounced():
            file.unlink()

    def _unannounced(self) -> list[BatchFile]:
        return [file for file in (self._file, self._finished) if file is not None]

    def _write_lines(self) -> None:
        if self._lines:
            lines, self._lines = self._lines, bytearray()
            self._current().write(lines)

    def _current(self) -> BatchFile:
        if self._file is None:
            self._number += 1
            name = f"{self._prefix}-{self._number}.json{'.gz' if self._compress else ''}"
            address = self._storage.get_url(name)
            # Assigned before it is created, so that `discard` finds it whatever happens between.
            self._file = BatchFile(self._folder, name, address, compress=self._compress)
            self._file.open()
        return self._file

    @cached_property
    def _folder(self) -> UPath:
        folder: UPath = UPath(self._storage.root, **self._storage.params).resolve()
        return folder
