"""How Orgvue's free-text names become stream and column names that every loader stores.

`a-z`, `0-9` and `_`, at most 63 bytes, never beginning with a digit or `_sdc_`, unique. What
loaders do with other names was measured: they split on `-`, fold case, cut and fail.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from typing import TYPE_CHECKING

from anyascii import anyascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.orgvue.models import Dataset


MAX_BYTES = 63
"""Postgres cuts longer identifiers."""

DATASETS_STREAM = "orgvue_datasets"

PROPERTIES_STREAM = "orgvue_properties"

RESERVED_STREAMS = (DATASETS_STREAM, PROPERTIES_STREAM)

RESCUED = "_rescued_data"
"""The column that keeps values which do not fit their own."""

LOADERS_OWN_PREFIX = "_sdc_"

_NOT_LETTER_OR_DIGIT = re.compile(r"[^a-z0-9]+")

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_ID_DIGITS = 8

_KEY_DIGITS = 6

_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_safe_name(name: str) -> bool:
    """Whether every loader stores a stream or column of this name as it is."""
    return (
        _SAFE_NAME.fullmatch(name) is not None
        and len(name) <= MAX_BYTES
        and not name.lower().startswith(LOADERS_OWN_PREFIX)
    )


def fold(text: str) -> str:
    """A name reduced to `a-z0-9_`; may be empty, and may be too long."""
    name = _NOT_LETTER_OR_DIGIT.sub("_", anyascii(text).lower()).strip("_")
    return f"_{name}" if name[:1].isdigit() else name


def stream_names(datasets: Iterable[Dataset], pinned: Mapping[str, str]) -> dict[str, str]:
    """Name a stream for each dataset.

    Args:
        datasets: All datasets of the tenant that are looked at.
        pinned: Dataset id (upper case) to the name that the user chose; wins over all.

    Returns:
        Dataset id to stream name. Where names collide, every one of them carries a part of its
        dataset's id, so that the outcome does not depend on the order of the list.
    """
    taken = {name.casefold() for name in pinned.values()} | set(RESERVED_STREAMS)
    folded = {
        dataset.dataset_id: fold(dataset.name)
        for dataset in datasets
        if dataset.dataset_id.upper() not in pinned
    }
    wanted = {
        dataset_id: name or f"dataset_{_short(dataset_id)}" for dataset_id, name in folded.items()
    }
    counts = Counter(wanted.values())
    names = {}
    for dataset_id, name in wanted.items():
        clear = name not in taken and counts[name] == 1 and len(name) <= MAX_BYTES
        names[dataset_id] = name if clear else _with_suffix(name, _short(dataset_id))
    _settle_leftover_collisions(names, taken)
    for dataset in datasets:
        if dataset.dataset_id.upper() in pinned:
            names[dataset.dataset_id] = pinned[dataset.dataset_id.upper()]
    return names


def _settle_leftover_collisions(names: dict[str, str], taken: set[str]) -> None:
    """Lengthen what still collides: a dataset may be called as another's suffixed name is."""
    counts = Counter(names.values())
    for dataset_id, name in names.items():
        if counts[name] > 1 or name in taken:
            names[dataset_id] = _with_suffix(name, dataset_id.replace("-", "").lower())


def column_names(keys: Sequence[str], taken: Mapping[str, str] | None = None) -> dict[str, str]:
    """Name a column for each property key of one dataset.

    Args:
        keys: The keys, unique.
        taken: Keys that already have a column name, from a catalog; they keep it.

    Returns:
        Key to column name. Of keys that fold to the same name, the one that already is in that
        form keeps it, the others carry a part of a hash of their key: stable, whatever is added.
    """
    names = dict(taken or {})
    used = set(names.values())
    fresh = [key for key in keys if key not in names]
    folded = {key: _fold_key(key) for key in fresh}
    counts = Counter(folded.values())
    # Keys in the right form first, so that they keep it whatever the order is.
    for key in sorted(fresh, key=lambda key: folded[key] != key):
        name = folded[key]
        clear = name and (counts[name] == 1 or name == key)
        if not clear or name in used or name == RESCUED or len(name) > MAX_BYTES:
            name = _hashed(name or "property", key, used)
        names[key] = name
        used.add(name)
    return {key: names[key] for key in keys}


def _fold_key(key: str) -> str:
    ascii_key = anyascii(key)
    # Orgvue's generated properties begin with one underscore: it tells them from the user's own.
    generated = ascii_key.startswith("_")
    name = fold(_WORD_BREAK.sub("_", ascii_key))
    if generated and name and not name.startswith("_") and f"{name}_"[:4] != "sdc_":
        return f"_{name}"
    return name


def _hashed(name: str, key: str, used: set[str]) -> str:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    for digits in range(_KEY_DIGITS, len(digest) + 1):
        candidate = _with_suffix(name, digest[:digits])
        if candidate not in used:
            return candidate
    return digest[:MAX_BYTES]  # pragma: no cover - needs 59 equal suffixes


def _with_suffix(name: str, suffix: str) -> str:
    if name.endswith(f"_{suffix}"):
        return name
    return f"{name[: MAX_BYTES - len(suffix) - 1].rstrip('_')}_{suffix}"


def _short(dataset_id: str) -> str:
    return dataset_id.lower()[:_ID_DIGITS]
