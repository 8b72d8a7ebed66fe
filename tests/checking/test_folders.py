"""Folders and object stores that the check looks at."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.checking.folders import (
    check_batch_root,
    check_report_folder,
    check_temp_dir,
    is_remote,
)
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.singer.errors import BatchFileFailed

if TYPE_CHECKING:
    from pathlib import Path

NO_REPORT = "run_report: no report can be written there"
NO_FILE = "batch_config: no file can be written below storage.root"


@pytest.mark.parametrize(
    "root,remote",
    [
        ("s3://bucket/path", True),
        ("gs://bucket", True),
        ("file:///srv/batches", False),
        ("local:///srv", False),
        ("/srv/batches", False),
        ("batches", False),
    ],
)
def test_batch_files_in_an_object_store(root: str, *, remote: bool) -> None:
    """A root with another scheme than those of folders is one."""
    assert is_remote({"storage": {"root": root}}) is remote


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in an otherwise empty folder: nothing can be made below it."""
    file = tmp_path / "file"
    file.touch()
    return file


def below(root: object, **storage: Any) -> str | None:
    """Why no BATCH file can be written below a root; None if one can."""
    try:
        check_batch_root({"storage": {"root": str(root), **storage}})
    except BatchFileFailed as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", [".", "new", "new/and/deeper"])
def test_folders_are_left_as_they_are(
    file: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that is there, and one that a run would make, can be written to."""
    monkeypatch.chdir(file.parent)
    folder = file.parent / name
    for root in (folder, f"file://{folder}", f"local://{folder}", name):
        assert below(root) is None
        assert below(root, prefix="more/a-") is None
        assert below(root, prefix=None, params=None) is None
    assert check_report_folder(str(folder)) is None
    assert check_report_folder(name) is None
    check_temp_dir(str(file.parent))
    check_temp_dir(None)
    assert list(file.parent.iterdir()) == [file]


def test_folders_that_cannot_be_made(file: Path) -> None:
    """Each is told by its setting, with the system's reason."""
    folder = file / "folder"
    assert below(folder) == f"{NO_FILE} (Not a directory)."
    assert below(file.parent, prefix="file/a-") == f"{NO_FILE} (Not a directory)."
    assert check_report_folder(str(folder)) == f"{NO_REPORT} (Not a directory)."
    long = file.parent / ("long" * 64)
    assert below(long) == f"{NO_FILE} ({os.strerror(errno.ENAMETOOLONG)})."
    assert check_report_folder(str(long)) == f"{NO_REPORT} ({os.strerror(errno.ENAMETOOLONG)})."
    with pytest.raises(OrgvueError, match="`temp_dir`"):
        check_temp_dir(str(folder))


@pytest.mark.parametrize("making", ["NamedTemporaryFile", "mkdtemp"])
def test_what_a_run_makes_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, making: str
) -> None:
    """A file in a folder that is there; a folder where there is none yet."""

    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(f"tempfile.{making}", refuse)
    refused = f"{NO_REPORT} (Permission denied)."
    there, new = (check_report_folder(str(each)) for each in (tmp_path, tmp_path / "new"))
    assert (there, new) == ((refused, None) if making == "NamedTemporaryFile" else (None, refused))


@pytest.mark.parametrize(
    "root,kind", [("gs://bucket", "ImportError"), ("unknown://bucket", "ValueError")]
)
def test_a_store_that_fails_in_its_own_way(root: str, kind: str) -> None:
    """An error that is none of the system's is told by its sort: its text may name a secret."""
    assert below(root) == f"{NO_FILE} ({kind})."
