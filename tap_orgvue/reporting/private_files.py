"""Files that only this user may read, written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

_LONGEST = 100
"""Characters of the name that the temporary name repeats: names have 255 bytes at most."""


def write_private(path: Path, content: bytes) -> None:
    """Write a file, in place of an earlier one, with the mode 0600.

    Args:
        path: The file; its folder is there.
        content: The whole file.

    Raises:
        OSError: It cannot be written; an earlier file is unchanged.
    """
    # Has the mode 0600 from the start.
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name[:_LONGEST]}-", suffix=".part"
    )
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise
