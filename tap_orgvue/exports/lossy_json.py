"""Whether JSON may hold what decoding by type would change: NUL characters, very long numbers.

A float keeps 15 digits of a number, and nothing below about 1e-308; databases store no NUL. Such
bytes are rare and quickly ruled out, so that the rest can be decoded without looking at cells.
"""

from __future__ import annotations

import re

_EXACT_DIGITS = 15

_RUN = _EXACT_DIGITS + 1

_SIEVE = bytes.maketrans(b"123456789.E]} \t\r\n", b"0000000000e,,,,,,")
"""Digits become zeros, what may end a number a comma: two short searches are enough then."""

_LONG_RUN = b"0" * _RUN

_LONG_NUMBER = re.compile(rb"[\[,:\s]-?[\d.]{%d}" % _RUN)

_TINY = b"e-000"

_END_OF_TINY = re.compile(rb"0*,|0{40}")

_NUL_ESCAPE = b"\\u0000"

_OVERLAP = 64


def holds_nul(block: bytes) -> bool:
    """Whether a block of JSON holds a NUL character."""
    return b"\\" in block and _NUL_ESCAPE in block


def holds_long_number(block: bytes) -> bool:
    """Whether a block of JSON may hold a number that a float does not; in doubt it does."""
    sieved = block.translate(_SIEVE)
    # Backwards, here and below: Python's search is the faster one then.
    if sieved.rfind(_LONG_RUN) >= 0 and _LONG_NUMBER.search(block):
        return True
    return _has_tiny_number(sieved)


def _has_tiny_number(sieved: bytes) -> bool:
    """Whether an exponent of three digits below zero is there; ids hold what looks like one."""
    at = sieved.rfind(_TINY)
    while at >= 0:
        if _END_OF_TINY.match(sieved, at + len(_TINY)):
            return True
        at = sieved.rfind(_TINY, 0, at)
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
        """Scan the next chunk, and its seam with the ones before."""
        if not self.found:
            seam = self._end + chunk[:_OVERLAP]
            self.found = any(holds_nul(b) or holds_long_number(b) for b in (seam, chunk))
            # Several chunks together may be shorter than the overlap.
            self._end = (self._end + chunk[-_OVERLAP:])[-_OVERLAP:]
