"""Checks that a run can write to its folders, by making a file and removing it."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from upath import UPath

from tap_orgvue.exports.download import temporary_file
from tap_orgvue.singer.errors import BatchFileFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = ".tap-orgvue-check-"


def check_temp_dir(temp_dir: str | None) -> None:
    """Check that exports can be kept on disk, by the file that a run makes.

    Raises:
        OrgvueError: They cannot.
    """
    temporary_file(temp_dir).close()


def check_batch_root(batches: Mapping[str, Any]) -> None:
    """Check that BATCH files can be written, as `BatchFile` does.

    In an object store an upload is begun and aborted: no object is made, and no event is sent.

    Args:
        batches: The setting `batch_config`, checked.

    Raises:
        BatchFileFailed: They cannot.
    """
    storage = batches["storage"]
    try:
        root = UPath(storage["root"], **(storage.get("params") or {})).resolve()
        file = root / f"{storage.get('prefix') or ''}{_PREFIX.lstrip('.')}{uuid4().hex}"
        if file.protocol in {"", "file", "local"}:
            _probe(Path(file.path).parent)
        else:
            upload = file.fs.open(file.path, "wb", autocommit=False)
            upload.write(b"{}")
            upload.flush(force=True)
            upload.discard()
    except Exception as error:  # noqa: BLE001 - whatever a kind of storage raises
        why = error.strerror if isinstance(error, OSError) else None
        raise BatchFileFailed(
            "batch_config: no file can be written below storage.root "
            f"({why or type(error).__name__})."
        ) from None


def is_remote(batches: Mapping[str, Any]) -> bool:
    """True if BATCH files go to an object store."""
    root = str(batches["storage"]["root"])
    return "://" in root and root.partition("://")[0] not in {"file", "local"}


def check_report_folder(folder: str) -> str | None:
    """Why run reports could not be written; None if they could."""
    try:
        _probe(Path(folder).absolute())
    except OSError as error:
        return f"run_report: no report can be written there ({error.strerror})."
    return None


def _probe(folder: Path) -> None:
    """Make something in a folder, or in the first one above that exists, and remove it.

    Raises:
        OSError: Nothing can be made there.
    """
    with suppress(FileNotFoundError):
        # A name that no folder can have, as one that is too long, fails here as in a run.
        os.lstat(folder)
    # Not `Path.exists`, which fails on folders that may not be read.
    place = next(each for each in (folder, *folder.parents) if os.path.exists(each))  # noqa: PTH110
    if place == folder:
        with tempfile.NamedTemporaryFile(prefix=_PREFIX, dir=place):
            pass
    else:
        Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place)).rmdir()
