"""Writes pages: whole or not at all, readable for their owner only."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from tap_orgvue.reporting.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST = 80
"""Characters: a file's name may have 255 bytes."""


def file_name_part(text: str) -> str:
    """A text as a part of a file name; different texts give different names."""
    safe = _UNSAFE.sub("_", text)
    if safe == text and len(safe) <= _LONGEST:
        return safe
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{safe[:_LONGEST]}-{digest[:8]}"


def write_page(path: Path, html: str) -> Path:
    """Write a page, in place of an earlier one, with the mode 0600.

    Args:
        path: The page's file; its folder is made if it is missing.
        html: The page.

    Returns:
        The path.

    Raises:
        OSError: It cannot be written; an earlier page is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, html.encode("utf-8", "backslashreplace"))
    return path
