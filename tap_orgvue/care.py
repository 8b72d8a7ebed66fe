"""Whether JSON may hold what decoding by type would change: NUL characters, very long numbers.

A float keeps 15 digits of a number, and nothing below about 1e-308; databases store no NUL. Such
bytes are rare and quickly ruled out, so that the rest can be decoded without looking at cells.
"""

from __future__ import annotations

import re

_EXACT_DIGITS = 15
_RUN = _EXACT_DIGITS + 1
_NUMBER_SIGNS = b"0123456789.eE-,[]{}:"
_SIEVE = bytes.maketrans(b"123456789.E]}", b"0000000000e,,")
_OTHER_SIGNS = bytes(sign for sign in range(256) if sign not in _NUMBER_SIGNS)
_LONG_RUN = b"0" * _RUN
_TINY_END = b"0e-000,"
_LONG_NUMBER = re.compile(rb"[\[,:]\s*-?[\d.]{%d}" % _RUN)
_NUL_ESCAPE = b"\\u0000"
_OVERLAP = 64


def needs_care(block: bytes) -> bool:
    """Whether a block of JSON may hold such a value; now and then it holds none after all."""
    if b"\\" in block and _NUL_ESCAPE in block:
        return True
    # Digits become zeros and the text between them goes, so that two short searches are enough.
    sieved = block.translate(_SIEVE, _OTHER_SIGNS)
    if _TINY_END in sieved:
        return True
    return _LONG_RUN in sieved and _LONG_NUMBER.search(block) is not None


class CareSieve:
    """Looks at a whole body while it passes by.

    Attributes:
        needed: Whether any of it needs care.
    """

    def __init__(self) -> None:
        """Nothing has passed yet."""
        self.needed = False
        self._end = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes, and at what the last ones may have begun."""
        if not self.needed:
            self.needed = needs_care(self._end + chunk[:_OVERLAP]) or needs_care(chunk)
            self._end = chunk[-_OVERLAP:]
