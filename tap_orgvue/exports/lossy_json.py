"""Detects JSON values that typed decoding would alter: NUL characters and numbers beyond a float.

A float keeps 15 digits and nothing below about 1e-308; databases store no NUL. Such values are rare
and quickly ruled out for a whole body, which is then decoded without a check of each cell.
"""

from __future__ import annotations

import re

_EXACT_DIGITS = 15

_RUN = _EXACT_DIGITS + 1

_CLASSES = bytes.maketrans(b"123456789.E]} \t\r\n", b"0000000000e,,,,,,")
"""Makes any digit a zero and any end of a number a comma, so that two plain searches suffice."""

_LONG_RUN = b"0" * _RUN

_LONG_NUMBER = re.compile(rb"[\[,:\s]-?[\d.]{%d}" % _RUN)

_TINY = b"e-000"

_END_OF_TINY = re.compile(rb"0*,|0{40}")

_NUL_ESCAPE = b"\\u0000"

_OVERLAP = 64
"""Bytes of earlier chunks that are scanned again: longer than what is searched for."""


def holds_nul(block: bytes) -> bool:
    """True if a block of JSON may hold a NUL character."""
    return b"\\" in block and _NUL_ESCAPE in block


def holds_long_number(block: bytes) -> bool:
    """True if a block of JSON may hold a number that a float would alter."""
    classes = block.translate(_CLASSES)
    # Backwards, here and below: Python's `rfind` is faster than its `find`.
    if classes.rfind(_LONG_RUN) >= 0 and _LONG_NUMBER.search(block):
        return True
    return _has_tiny_number(classes)


def _has_tiny_number(classes: bytes) -> bool:
    """True if there is an exponent of three digits below zero: ids hold similar text."""
    at = classes.rfind(_TINY)
    while at >= 0:
        if _END_OF_TINY.match(classes, at + len(_TINY)):
            return True
        at = classes.rfind(_TINY, 0, at)
    return False


class LossyScan:
    """Scans a whole body, chunk by chunk.

    Attributes:
        found: True once a chunk may hold something that typed decoding would alter.
    """

    def __init__(self) -> None:
        """Start before the first chunk."""
        self.found = False
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        """Scan the next chunk, and the bytes around its start."""
        if not self.found:
            seam = self._end + chunk[:_OVERLAP]
            self.found = any(holds_nul(b) or holds_long_number(b) for b in (seam, chunk))
            # Several chunks together may be shorter than the overlap.
            self._end = (self._end + chunk[-_OVERLAP:])[-_OVERLAP:]
