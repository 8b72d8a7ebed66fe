"""Stream and column names that every loader stores, from Orgvue's free-text names and keys.

A name has `a-z`, `0-9` and `_` only, at most 62 bytes, no leading digit, no leading `_sdc_`, and
is unique in any case. Loaders were measured with other names: they split at `-`, fold case,
truncate, or fail.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from collections import Counter, defaultdict
from functools import cache
from typing import TYPE_CHECKING

from anyascii import anyascii

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tap_orgvue.orgvue.models import Dataset

MAX_BYTES = 62
"""Postgres truncates names over 63 bytes; some loaders abbreviate at 63."""

DATASETS_STREAM = "orgvue_datasets"
PROPERTIES_STREAM = "orgvue_properties"
DRAFTS_STREAM = "orgvue_drafts"
DRAFT_ACTIONS_STREAM = "orgvue_draft_actions"
DRAFT_STREAMS = (DRAFTS_STREAM, DRAFT_ACTIONS_STREAM)
RESERVED_STREAMS = (DATASETS_STREAM, PROPERTIES_STREAM, *DRAFT_STREAMS)

RESCUED = "_rescued_data"
"""The column that keeps values which do not fit their own."""

LOADERS_OWN_PREFIX = "_sdc_"

_SAFE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_LETTER_OR_DIGIT = re.compile(r"[^A-Za-z0-9]+")

_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
# Elements of formatted text only: in `Cost <GBP>` the brackets hold a word.
_TAG = re.compile(
    r"</?(?:a|b|big|br|center|code|div|em|font|h[1-6]|hr|i|img|li|mark|ol|p|pre|s|script|small"
    r"|span|strike|strong|style|su[bp]|table|tbody|td|th|thead|tr|u|ul)(?:\s[^<>]*)?/?>|<!--.*?-->",
    re.IGNORECASE | re.DOTALL,
)

_SIGNS = {"%": "pct", "#": "number", "$": "usd"}

# Unicode categories by what they do at a word's end: capital, small, caseless, mark, digit.
_KINDS = {"Lu": "A", "Lt": "A", "Ll": "a", "Lo": "c", "Lm": "'"}
_KINDS |= {"Mn": "'", "Mc": "'", "Me": "'", "Nd": "0", "Nl": "0", "No": "0"}
_SYLLABLE, _SIGN = "S", " "
_WORD_END = re.compile(
    "[ac0]'*(?=A)"  # start|Date, q1|Total
    "|A'*(?=A'*a)"  # HR|Name
    "|[Aa]'*(?=c)|c'*(?=a)"  # scripts with and without case meet
    "|[Aac0S]'*(?=S)|S'*(?=[Aac])"  # a syllable such as 部 is a word
)


def is_safe_name(name: str) -> bool:
    """Whether every loader stores a stream or column of this name as it is."""
    return (
        _SAFE_NAME.fullmatch(name) is not None
        and len(name) <= MAX_BYTES
        and not name.lower().startswith(LOADERS_OWN_PREFIX)
    )


# -- one name


def fold(text: str) -> str:
    """Reduce a dataset's name to `a-z0-9_`; may be empty, and may be too long."""
    return _words(_displayed(text))


def fold_key(key: str) -> str:
    """Reduce a key alike; the leading underscore of Orgvue's generated properties stays."""
    text = _displayed(key)
    name = _words(text)
    generated = text.startswith("_") and name and not name.startswith("_")
    return f"_{name}" if generated and f"{name}_"[:4] != "sdc_" else name


def _displayed(text: str) -> str:
    """The text without markup and format characters, in normal form NFKC."""
    text = _TAG.sub(" ", _ENTITY.sub(lambda entity: html.unescape(entity[0]), text))
    if text.isascii():
        return text
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return unicodedata.normalize("NFKC", visible)


def _words(text: str) -> str:
    """Join the words of a text; they end where the original shows it: `Ж` is one capital."""
    characters = [_transliterate(char) for char in text]
    ends = {end.end() for end in _WORD_END.finditer("".join(kind for kind, _ in characters))}
    parts = (f"_{part}" if i in ends else part for i, (_, part) in enumerate(characters))
    name = _NOT_LETTER_OR_DIGIT.sub("_", "".join(parts)).strip("_").lower()
    return f"_{name}" if name[:1].isdigit() else name


@cache
def _transliterate(char: str) -> tuple[str, str]:
    """Return a character's kind and its ASCII form; a sign is a word of its own."""
    kind, ascii_form = _KINDS.get(unicodedata.category(char), _SIGN), anyascii(char)
    if kind == _SIGN:
        return kind, f"_{_SIGNS.get(char, ascii_form)}_"
    if kind == "c" and ascii_form[:1].isupper():
        kind = _SYLLABLE
    if kind == "a" and len(char.upper()) > 1:
        kind = "'"  # ß has no capital of its own, so it ends no word in GRÖßE
    return kind, _NOT_LETTER_OR_DIGIT.sub("", ascii_form)


# -- the names of all


def stream_names(
    datasets: Collection[Dataset],
    pinned: Mapping[str, str],
    owners: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Name a stream for each dataset.

    Args:
        datasets: All datasets of the tenant, whichever the settings select.
        pinned: Dataset id in upper case to the name that the user chose.
        owners: Dataset id in upper case to the name that an earlier run gave, with the datasets
            that are gone.

    Returns:
        Dataset id, as listed, to stream name. Pins win over owners, owners over fresh names; a
        pinned or owned name is never given to another dataset. Fresh names that collide all
        carry a part of the dataset's id, so the order of the list does not matter.
    """
    wanted = {dataset.dataset_id.upper(): fold(dataset.name) for dataset in datasets}
    names = _assign(wanted, pinned, owners or {}, RESERVED_STREAMS, _with_id)
    return {dataset.dataset_id: names[dataset.dataset_id.upper()] for dataset in datasets}


def column_names(
    keys: Collection[str],
    owners: Mapping[str, str] | None = None,
    pins: Mapping[str, str] | None = None,
    reserved: Iterable[str] = (),
) -> dict[str, str]:
    """Name a column for each property key of one dataset.

    Args:
        keys: The keys, unique.
        owners: Key to the name that an earlier run or a catalog gave, with the keys that are gone.
        pins: Key to the name that the user chose.
        reserved: Names that no key is newly given.

    Returns:
        Key to column name. Pins and owners win as in `stream_names`. Of fresh names that
        collide, a key that already has that form keeps it; the others carry a part of a hash.
    """
    wanted = {key: fold_key(key) for key in keys}
    names = _assign(wanted, pins or {}, owners or {}, (RESCUED, *reserved), _with_hash)
    return {key: names[key] for key in keys}


def own_stream_name(dataset: Dataset) -> str:
    """The name of a dataset's stream where no pin, owner or other dataset interferes."""
    return stream_names([dataset], {})[dataset.dataset_id]


def own_column_name(key: str) -> str:
    """The name of a key's column where no pin, owner or other key interferes."""
    return column_names([key])[key]


def shared_names(names: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, list[str]]:
    """Find the names that newcomers share with each other or with an earlier owner.

    Args:
        names: Dataset id to stream name, or key to column name, with the owners that are gone.
        wanted: The newcomers, which have neither a pin nor an owned name, to their folded names.

    Returns:
        Folded name to all that have it or wanted it, at least two, in the order of `names`.
    """
    claims = defaultdict(list)
    for holder, name in names.items():
        claims[wanted.get(holder, name.casefold())].append(holder)
    return {name: holders for name, holders in claims.items() if name and len(holders) > 1}


def _assign(
    wanted: Mapping[str, str],
    pins: Mapping[str, str],
    owners: Mapping[str, str],
    reserved: Iterable[str],
    suffixed: Callable[[str, str], Iterator[str]],
) -> dict[str, str]:
    """Holder to name: pinned, else owned, else as wanted, else the first free one with a suffix."""
    names = {**_still_owned(owners, pins), **pins}
    used = {name.casefold() for name in (*names.values(), *owners.values(), *reserved)}
    fresh = {holder: name for holder, name in wanted.items() if holder not in names}
    counts = Counter(fresh.values())
    for holder, name in fresh.items():
        alone = counts[name] == 1 or name == holder
        if alone and name not in used and 0 < len(name) <= MAX_BYTES:
            names[holder] = name
    used.update(names.values())
    for holder in sorted(fresh.keys() - names.keys()):
        names[holder] = next(name for name in suffixed(holder, fresh[holder]) if name not in used)
        used.add(names[holder])
    return names


def _still_owned(owners: Mapping[str, str], pins: Mapping[str, str]) -> dict[str, str]:
    """Owned names that no pin takes; of two owners of one name the first in order has it."""
    pinned = {name.casefold() for name in pins.values()}
    owner_of = {name: owner for owner, name in sorted(owners.items(), reverse=True)}
    return {owner: name for name, owner in owner_of.items() if name.casefold() not in pinned}


def _with_id(dataset_id: str, name: str) -> Iterator[str]:
    return _with_suffix(name or "dataset", dataset_id.replace("-", "").lower(), shortest=8)


def _with_hash(key: str, name: str) -> Iterator[str]:
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return _with_suffix(name or "property", digest, shortest=6)


def _with_suffix(name: str, digits: str, shortest: int) -> Iterator[str]:
    """The name, cut where it must be, with ever more of the digits."""
    for count in range(shortest, 33):
        yield f"{name[: MAX_BYTES - count - 1].rstrip('_')}_{digits[:count]}"
