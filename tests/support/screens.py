"""Real pseudo-terminals for the command, and what a person sees on them."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from tests.support.files import written
from tests.support.runs import TIMEOUT, WARM_START, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.warm_start import WarmProcess

_PIECE = re.compile(
    r"\x1b\[(?P<numbers>[?\d;]*)(?P<command>[A-Za-z])|(?P<plain>[^\x1b])", re.DOTALL
)

_INCOMPLETE = re.compile(r"\x1b(\[[?\d;]*)?\Z")
"""The beginning of a command at the end of what came."""


class Screen:
    """What a terminal makes of text and of the few commands that the tap sends.

    Attributes:
        lines: All lines ever shown, those that scrolled out at the top included.
        row: The cursor's line, as an index of them.
        column: The cursor's column.
        wraps: Whether text goes on in the next line at the right border.
    """

    def __init__(self, columns: int, rows: int) -> None:
        """Show nothing yet."""
        self.columns, self.rows = columns, rows
        self.lines: list[list[str]] = [[]]
        self.continued: set[int] = set()
        self.row = self.column = 0
        self.wraps = True
        self.frames: list[list[str]] = []

    def feed(self, text: str) -> None:
        """Take text; a command that is not known here is an error."""
        position = 0
        while position < len(text):
            found = _PIECE.match(text, position)
            assert found, text[position : position + 20].encode()
            position = found.end()
            if found["plain"]:
                self._put(found["plain"])
            else:
                self._do(found["command"], found["numbers"])

    def _do(self, command: str, numbers: str) -> None:
        if command == "J" and numbers in {"", "0"}:
            if self._below():
                self.frames.append(self._below())
            del self.lines[self.row + 1 :]
            del self.lines[self.row][self.column :]
            self.continued = {row for row in self.continued if row < len(self.lines)}
        elif command == "A":
            top = max(0, len(self.lines) - self.rows)
            self.row = max(top, self.row - int(numbers or 1))
        elif command in "hl" and numbers == "?7":
            self.wraps = command == "h"
        else:
            assert command == "m", (command, numbers)

    def _below(self) -> list[str]:
        """The lines below the cursor."""
        return ["".join(line) for line in self.lines[self.row + 1 :]]

    def _put(self, sign: str) -> None:
        if sign == "\r":
            self.column = 0
        elif sign == "\n":
            self._next_line()
        else:
            assert sign.isprintable(), sign.encode()
            width = 2 if unicodedata.east_asian_width(sign) in "WF" else 1
            if self.column + width > self.columns:
                if not self.wraps:
                    return
                self.column = 0
                self._next_line()
                self.continued.add(self.row)
            line = self.lines[self.row]
            line += [" "] * (self.column - len(line))
            line[self.column : self.column + width] = [sign, *[""] * (width - 1)]
            self.column += width

    def _next_line(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    @property
    def text(self) -> list[str]:
        """The lines, those that were wrapped put together again."""
        found: list[str] = []
        for row, line in enumerate(self.lines):
            if row in self.continued:
                found[-1] += "".join(line)
            else:
                found.append("".join(line))
        return found


class Terminal:
    """A pseudo-terminal that a process writes to.

    Attributes:
        side: The process's side, a file descriptor.
    """

    def __init__(self, columns: int, rows: int) -> None:
        """Open it, and read all that comes."""
        self._own, self.side = pty.openpty()
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, size)
        self._received = bytearray()
        self._screen = Screen(columns, rows)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending, self._shown, self._lock = "", 0, Lock()
        self._reader = Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._own, 65536):
                self._received += data
        except OSError:
            # Nobody has the other side open any more.
            return

    def type(self, keys: bytes) -> None:
        """Type on its keyboard."""
        os.write(self._own, keys)

    def hang_up(self) -> None:
        """Leave the process's side to the process."""
        if self.side >= 0:
            os.close(self.side)
            self.side = -1

    def read_all(self) -> None:
        """Wait for the rest of what comes: no process has it open any more."""
        self.hang_up()
        self._reader.join()

    def close(self) -> None:
        """Close it."""
        self.read_all()
        os.close(self._own)

    @property
    def received(self) -> str:
        """All that came."""
        return self._received.decode("utf-8", "replace")

    @property
    def screen(self) -> Screen:
        """What can be seen."""
        with self._lock:
            # A command that has not come as a whole is left for the next look.
            text = self._decoder.decode(bytes(self._received[self._shown :]))
            self._shown = len(self._received)
            self._pending += text
            whole = _INCOMPLETE.search(self._pending)
            end = whole.start() if whole else len(self._pending)
            self._screen.feed(self._pending[:end])
            self._pending = self._pending[end:]
        return self._screen


@contextmanager
def terminal(columns: int = 100, rows: int = 24) -> Iterator[Terminal]:
    """A pseudo-terminal, until the block ends."""
    opened = Terminal(columns, rows)
    try:
        yield opened
    finally:
        opened.close()


def on_terminal(
    opened: Terminal,
    config: dict[str, Any],
    *words: str,
    catalog: dict[str, Any] | None = None,
    records_too: bool = False,
    **env: str | None,
) -> Run:
    """Run the command with standard error on a terminal.

    Args:
        opened: The terminal.
        config: The settings.
        words: Further words of the command line.
        catalog: What it is given.
        records_too: Whether standard output is the same terminal.
        env: Variables that differ from this process's; None removes one.

    Returns:
        What it sent, unless to the terminal, and what it wrote to the terminal, raw.
    """
    device = Path(os.ttyname(opened.side))
    with TemporaryDirectory() as name:
        files = written(Path(name), config=config, catalog=catalog)
        done = WARM_START.run(
            [*words, *files],
            _variables(env),
            Path(name),
            TIMEOUT,
            stdout=device if records_too else None,
            stderr=device,
        )
    opened.read_all()
    return Run(done.stdout, opened.received, done.returncode)


def _variables(changed: dict[str, str | None]) -> dict[str, str]:
    """This process's environment as it is on a terminal; None removes a variable."""
    merged = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": None, **changed}
    return {name: value for name, value in merged.items() if value is not None}


def start_on(  # noqa: PLR0913 - what a command is started with
    opened: Terminal,
    folder: Path,
    config: dict[str, Any],
    *words: str,
    catalog: dict[str, Any] | None = None,
    stdout: int = subprocess.PIPE,
    first: str = "",
    **env: str | None,
) -> WarmProcess:
    """Start the real command with standard error on a terminal.

    Args:
        opened: The terminal.
        folder: A temporary one, for the files that the command is given.
        config: The settings.
        words: Further words of the command line.
        catalog: What it is given.
        stdout: Where records go.
        first: Python that it runs before the command.
        env: Variables that differ from this process's; None removes one.
    """
    files = written(folder, config=config, catalog=catalog)
    return WARM_START.start(
        [*words, *files], env=_variables(env), stdout=stdout, stderr=opened.side, first=first
    )


def ended(process: WarmProcess, opened: Terminal) -> Run:
    """Wait for a process; what it sent, and what it wrote to the terminal, raw."""
    opened.hang_up()
    with process:
        out, _ = process.communicate(timeout=TIMEOUT)
    opened.read_all()
    return Run(out.decode(), opened.received, process.wait())
