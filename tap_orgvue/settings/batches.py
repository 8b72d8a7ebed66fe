"""Checks the setting `batch_config` early: the SDK reads it only during the sync."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tap_orgvue.settings.readers import Mistake

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBERS: Mapping[str, frozenset[str]] = {
    "batch_config": frozenset({"encoding", "storage", "batch_size"}),
    "encoding": frozenset({"format", "compression"}),
    "storage": frozenset({"root", "prefix", "params"}),
}
"""The members of `batch_config` and of the objects in it."""

_EXAMPLES = {
    "encoding": '{"format": "jsonl", "compression": "gzip"}',
    "storage": '{"root": "file:///path/to/a/folder"}',
}

_EXTRAS = {"s3": "s3", "s3a": "s3"}
"""Scheme of an address to the tap's extra that installs the software for it."""


def read_batch_config(batches: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the setting; its value is returned unchanged.

    Raises:
        Mistake: A member is missing, unknown or of no use, or `root` cannot be written to.
    """
    _check_members("batch_config", batches)
    for name, example in _EXAMPLES.items():
        member = batches.get(name)
        if not isinstance(member, dict):
            raise Mistake(f"needs `{name}`, for example {example}.")
        _check_members(name, member)
    _check_encoding(batches["encoding"])
    _check_storage(batches["storage"])
    size = batches.get("batch_size")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 1):
        raise Mistake("batch_size must be a whole number, at least 1.")
    return batches


def _check_members(name: str, table: Mapping[str, Any]) -> None:
    unknown = sorted(table.keys() - _MEMBERS[name])
    if unknown:
        raise Mistake(f"{unknown[0]!r} is none of {', '.join(sorted(_MEMBERS[name]))}.")


def _check_encoding(encoding: Mapping[str, Any]) -> None:
    form = encoding.get("format")
    if form == "parquet":
        raise Mistake(
            "encoding.format must be jsonl: types in parquet files would be guessed from values."
        )
    if form != "jsonl":
        raise Mistake("encoding needs `format`: jsonl.")


def _check_storage(storage: Mapping[str, Any]) -> None:
    root, prefix = storage.get("root"), storage.get("prefix") or ""
    if not isinstance(root, str) or not root or "\x00" in root:
        raise Mistake("storage needs `root`, the address of a folder.")
    if not isinstance(storage.get("params", {}), (dict, type(None))):
        raise Mistake("storage.params must be an object.")
    if not isinstance(prefix, str):
        raise Mistake("storage.prefix must be a text.")
    if prefix.startswith(("/", "\\")) or ".." in PurePosixPath(prefix).parts:
        raise Mistake("storage.prefix must lead to files below the root.")
    scheme = urlsplit(root).scheme if "://" in root else ""
    if scheme == "memory":
        raise Mistake("storage.root must not be memory://, which is gone when the tap ends.")
    if scheme in {"", "file", "local"}:
        _check_folder(Path(unquote(urlsplit(root).path) if scheme else root))
    else:
        _check_installed(scheme)


def _check_folder(folder: Path) -> None:
    """Check that a folder exists, or could be made, and can be written to."""
    # Not `Path.exists`, which fails on names that are too long.
    place = next(each for each in (folder, *folder.absolute().parents) if os.path.exists(each))  # noqa: PTH110
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise Mistake(
            f"storage.root cannot be written to: {str(place)!r} is no folder to write in."
        )


def _check_installed(scheme: str) -> None:
    # Not at start-up: it is slow, and rarely needed. It has no types.
    fsspec = import_module("fsspec")
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        advice = f"install the tap with its extra: tap-orgvue[{extra}]" if extra else str(error)
        raise Mistake(f"storage.root: {scheme}:// needs more software; {advice}.") from None
    except ValueError:
        raise Mistake(f"storage.root: {scheme}:// is no kind of storage that is known.") from None
