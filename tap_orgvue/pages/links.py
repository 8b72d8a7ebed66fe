"""Finds the two datasets that a LINKS dataset joins, by its name: Orgvue's API has no such fact."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_orgvue.orgvue.models import Dataset

LINKS = "LINKS"
"""The type of datasets that join two others."""

_SEPARATOR = re.compile(r"\s+to\s+|_to_|\s*(?:->|=>|<->|→|↔|⇄|>)\s*", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
_GENERIC = frozenset({"dataset", "data", "link", "relation", "relationship", "the"})
_PERSON = frozenset({"person", "people"})
_SHORTEST_PLURAL = 4

_Words = tuple[str, ...]


def link_ends(link: Dataset, datasets: Sequence[Dataset]) -> tuple[Dataset, Dataset] | None:
    """The two datasets that a LINKS dataset joins, in the order of its name.

    The name must contain the names of exactly two datasets, as "People to Positions" does; or have,
    on both sides of "to", a name or a type that only one dataset has.

    Args:
        link: The LINKS dataset.
        datasets: The datasets of the tenant; LINKS datasets among them are no ends.

    Returns:
        Two different datasets, or None if the name does not determine both.
    """
    ends = [each for each in datasets if each.type != LINKS]
    sides = _SEPARATOR.split(link.name)
    if len(sides) == 1:
        found = list(_named(_words(link.name), ends))
    else:
        found = [_end(side, ends) for side in sides]
    if len(found) != 2:  # noqa: PLR2004 - the two ends
        return None
    first, second = found
    return (first, second) if first and second and first is not second else None


def _end(text: str, datasets: Sequence[Dataset]) -> Dataset | None:
    """The one dataset that one side of a name names."""
    words = _words(text)
    named = list(_named(words, datasets))
    if named:
        return named[0] if len(named) == 1 else None
    of_type = [each for each in datasets if each.type and _words(each.type) == words]
    return of_type[0] if len(of_type) == 1 else None


def _named(words: _Words, datasets: Iterable[Dataset]) -> Iterator[Dataset | None]:
    """The datasets whose names are in a text; longer names are matched first.

    Yields:
        In the order of the text; None for a name that several datasets have.
    """
    by_name: dict[_Words, list[Dataset]] = {}
    for dataset in datasets:
        if name := _words(dataset.name):
            by_name.setdefault(name, []).append(dataset)
    left: list[str | None] = list(words)
    found: list[tuple[int, Dataset | None]] = []
    for name in sorted(by_name, key=len, reverse=True):
        for start in range(len(left) - len(name) + 1):
            if tuple(left[start : start + len(name)]) == name:
                left[start : start + len(name)] = [None] * len(name)
                holders = by_name[name]
                found.append((start, holders[0] if len(holders) == 1 else None))
    yield from (dataset for _, dataset in sorted(found, key=lambda each: each[0]))


def _words(text: str) -> _Words:
    """The words of a name, without case and plural, and without generic words such as `dataset`."""
    visible = unicodedata.normalize("NFKC", _CAMEL.sub(" ", text))
    words = [_singular(word) for word in _WORD.findall(visible.casefold())]
    return tuple(word for word in words if word not in _GENERIC) or tuple(words)


def _singular(word: str) -> str:
    if word in _PERSON:
        return "person"
    if len(word) < _SHORTEST_PLURAL or not word.endswith("s") or word.endswith("ss"):
        return word
    return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]
