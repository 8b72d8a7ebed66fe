"""Folders and object stores that the check looks at."""

from __future__ import annotations

import pytest

from tap_orgvue.checking.folders import is_remote


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
