"""Standard error on a terminal: text scrolls as usual, and a frame of lines stays below it.

The cursor rests at the top left of the frame, in an empty line. Whatever is written next, by this
process or by a loader on the same terminal, begins there: no line of a log is lost, the cursor is
never hidden, and a process that is killed or suspended leaves the terminal as it should be. To
remove the frame is to clear the screen from the cursor on, whatever the size of the window has
become.
"""

from __future__ import annotations

import logging
import os
import select
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CLEAR = "\r\x1b[J"
"""Clears the screen from the cursor's line on."""

_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"
"""Switch wrapping off and on: a line of unexpected width is cut instead of wrapped."""

_DEFAULT_SIZE = os.terminal_size((80, 24))


class FramedStream:
    """A text stream on a terminal, with a frame below its text. Thread safe.

    It replaces the stream in `sys.stderr` and in the log's handlers.
    """

    def __init__(self, stream: TextIO) -> None:
        """Show no frame yet.

        Args:
            stream: A stream on a terminal.
        """
        self._stream = stream
        self._fd = stream.fileno()
        self._encoding = stream.encoding or "utf-8"
        self._errors = stream.errors or "backslashreplace"
        self._frame = ""
        self._is_line_begun = False
        self._is_abandoned = False
        # Reentrant: a signal handler may log while its thread writes.
        self._lock = threading.RLock()

    # -- the stream

    def __getattr__(self, name: str) -> Any:
        """Everything but writing is the stream's."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write text above the frame; while a line is incomplete, no frame is shown."""
        with self._lock:
            if not self._frame or self._is_abandoned:
                written = self._stream.write(text)
                self._note_end(text)
                return written
            before = "" if self._is_line_begun else _CLEAR
            self._note_end(text)
            after = "" if self._is_line_begun else self._frame
            self._stream.flush()
            self._send(
                before.encode() + text.encode(self._encoding, self._errors) + self._bytes(after)
            )
            return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        """Write several texts."""
        self.write("".join(lines))

    def _note_end(self, text: str) -> None:
        if text:
            self._is_line_begun = not text.endswith("\n")

    def _bytes(self, frame: str) -> bytes:
        # One character for one: no line of the frame may become longer.
        return frame.encode(self._encoding, "replace")

    def _send(self, data: bytes) -> None:
        """Write past Python's buffer, whose lock would hold up the end of the process."""
        while data:
            data = data[os.write(self._fd, data) :]

    # -- the frame

    def size(self) -> os.terminal_size:
        """Columns and lines of the terminal."""
        try:
            size = os.get_terminal_size(self._fd)
        except OSError:
            return _DEFAULT_SIZE
        return size if size.columns and size.lines else _DEFAULT_SIZE

    def show(self, lines: Sequence[str]) -> None:
        """Show a frame of these lines, in place of the one before.

        Args:
            lines: Fewer than the terminal has; none removes the frame.

        Raises:
            OSError: The terminal takes nothing.
        """
        with self._lock:
            if self._is_abandoned:
                return
            if self._is_in_background():
                # The terminal is a shell's now.
                self._frame = ""
                return
            had_frame, self._frame = bool(self._frame), _frame_of(lines)
            if (had_frame or self._frame) and not self._is_line_begun:
                self._stream.flush()
                self._send(_CLEAR.encode() + self._bytes(self._frame))

    def _is_in_background(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) != os.getpgrp()
        except (OSError, AttributeError):
            # No terminal of this session, or a system without process groups.
            return False

    def remove(self) -> None:
        """Remove the frame; waits for as long as the terminal takes nothing, as after Ctrl-S."""
        with self._lock, suppress(OSError):
            self.show(())

    def abandon(self) -> None:
        """Remove the frame, if that does not wait for anything, for good. For signal handlers."""
        self._is_abandoned = True
        with suppress(OSError, ValueError):
            if self._frame and not self._is_line_begun and select.select([], [self._fd], [], 0)[1]:
                os.write(self._fd, _CLEAR.encode())

    # -- its place

    def install(self) -> None:
        """Take the stream's place."""
        for handler in _stream_handlers():
            if handler.stream is self._stream:
                handler.setStream(cast("TextIO", self))
        if sys.stderr is self._stream:
            sys.stderr = cast("TextIO", self)

    def uninstall(self) -> None:
        """Give the stream its place back."""
        if sys.stderr is cast("TextIO", self):
            sys.stderr = self._stream
        for handler in _stream_handlers():
            if handler.stream is self:
                handler.setStream(self._stream)


def _frame_of(lines: Sequence[str]) -> str:
    """The text that shows a frame, and leaves the cursor in the empty line at its top."""
    if not lines:
        return ""
    shown = "".join(f"\r\n{line}" for line in lines)
    return f"{_NO_WRAP}{shown}{_WRAP}\x1b[{len(lines)}A\r"


def _stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    """All handlers of the log that write to a stream."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        if isinstance(logger, logging.Logger):
            for handler in logger.handlers:
                if isinstance(handler, logging.StreamHandler):
                    yield handler
