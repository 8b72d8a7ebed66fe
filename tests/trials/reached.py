"""Notes which functions a run reaches, in all of its processes.

A file for the root of a project's copy, whose modules `traced` has altered: each function calls
`reached` when it is entered. The notes are lines of a file beside this one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NOTES = Path(__file__).with_name("reached.txt")

ANY = "*"
"""Begins the note on a function whose result may be used without a call: it is reached anywhere."""

_seen: set[str] = set()
_importing = 0


def reached(name: str) -> None:
    """Note a function, unless this process has done so since the last `notes`."""
    if _importing:
        name = ANY + name.lstrip(ANY)
    if name in _seen:
        return
    _seen.add(name)
    # A test may have used up or forbidden files: then a later one notes the function.
    with suppress(OSError):
        file = os.open(NOTES, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(file, f"{name}\n".encode())
        os.close(file)


def importing(change: int) -> None:
    """Count the modules that are being imported: what they call, they call once."""
    global _importing  # noqa: PLW0603 - one count for the process
    _importing += change


def notes() -> set[str]:
    """All names noted since the last call."""
    _seen.clear()
    if not NOTES.exists():
        return set()
    text = NOTES.read_text(encoding="utf-8")
    NOTES.unlink()
    return set(text.splitlines())


# A process that is forked for each run has notes of its own.
os.register_at_fork(after_in_child=_seen.clear)
