"""The patterns of all settings: `*` and `?` are wildcards, every other character is literal."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def matches(pattern: str, names: Iterable[str]) -> bool:
    """True if a pattern matches one of several names.

    Pattern and names are compared without regard to case, to the Unicode form of a character
    (NFKC), to invisible format characters, and to the kind and amount of white space.

    Args:
        pattern: `*` is any text, also none; `?` is one character.
        names: Free text: keys, display names, names of datasets.
    """
    return any(
        regex.match(form)
        for name in names
        for regex, form in zip(_regexes(pattern), _forms(name), strict=True)
    )


def same_forms(text: str) -> frozenset[str]:
    """The forms of a text in which names are compared: equal names share one."""
    return frozenset(_forms(text))


@lru_cache(maxsize=4096)
def _regexes(pattern: str) -> tuple[re.Pattern[str], ...]:
    # `fnmatch` knows one more wildcard, the character class: in `[[]` it is its own literal.
    return tuple(re.compile(fnmatch.translate(f.replace("[", "[[]"))) for f in _forms(pattern))


@lru_cache(maxsize=65536)
def _forms(text: str) -> tuple[str, str]:
    """A text in lower case, and with its case folded: `ß` is one character, or equals `SS`."""
    composed = unicodedata.normalize("NFKC", text)
    visible = "".join(char for char in composed if unicodedata.category(char) != "Cf")
    folded = " ".join(visible.split())
    return folded.lower(), unicodedata.normalize("NFKC", folded.casefold())
