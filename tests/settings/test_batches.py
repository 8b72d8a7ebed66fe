"""`batch_config`: what no file could be written by is refused before any request."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.settings.batches import read_batch_config
from tap_orgvue.settings.readers import Mistake

if TYPE_CHECKING:
    from pathlib import Path

ENCODING = {"format": "jsonl", "compression": "gzip"}


def batches(root: object = "file:///tmp", **changed: Any) -> dict[str, Any]:
    """A `batch_config`, changed; None leaves a member out."""
    whole = {"encoding": ENCODING, "storage": {"root": root}, "batch_size": 10, **changed}
    return {name: value for name, value in whole.items() if value is not None}


def mistake(given: dict[str, Any]) -> str:
    """What is said of a `batch_config`."""
    with pytest.raises(Mistake) as caught:
        read_batch_config(given)
    return str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"batch_size": None},
        {"batch_size": 1},
        {"encoding": {"format": "jsonl"}},
        {"storage": {"root": "s3://lake/x", "prefix": "nightly/a-", "params": {"key": "k"}}},
        {"storage": {"root": "x", "prefix": None, "params": None}},
        {"storage": {"root": "not/yet/there"}},
        {"storage": {"root": "local:///not-yet"}},
    ],
)
def test_a_batch_config_that_works(changed: dict[str, Any]) -> None:
    """Folders that can be made, object stores whose software is installed, any prefix below."""
    given = batches(**changed)
    assert read_batch_config(given) == given


@pytest.mark.parametrize(
    "changed,told",
    [
        ({"encoding": None}, 'needs `encoding`, for example {"format": "jsonl"'),
        ({"encoding": "jsonl"}, "needs `encoding`"),
        ({"storage": None}, 'needs `storage`, for example {"root": "file:///'),
        ({"encoding": {}}, "encoding needs `format`: jsonl."),
        ({"encoding": {"format": "csv"}}, "encoding needs `format`: jsonl."),
        ({"encoding": {"format": "parquet"}}, "encoding.format must be jsonl"),
        ({"encoding": {"forma": "jsonl"}}, "'forma' is none of compression, format."),
        ({"batchsize": 1}, "'batchsize' is none of batch_size, encoding, storage."),
        ({"storage": {}}, "storage needs `root`"),
        ({"storage": {"root": ""}}, "storage needs `root`"),
        ({"storage": {"root": 5}}, "storage needs `root`"),
        ({"storage": {"root": "x", "path": 1}}, "'path' is none of params, prefix, root."),
        ({"storage": {"root": "x", "params": []}}, "storage.params must be an object."),
        ({"storage": {"root": "x", "prefix": "/x"}}, "storage.prefix must lead to files below"),
        ({"storage": {"root": "x", "prefix": "a/../../x"}}, "storage.prefix must lead to files"),
        ({"storage": {"root": "x", "prefix": "\\x"}}, "storage.prefix must lead to files below"),
        ({"storage": {"root": "x", "prefix": 5}}, "storage.prefix must be a text."),
        ({"storage": {"root": "a\x00b"}}, "storage needs `root`"),
        ({"storage": {"root": "memory://x"}}, "storage.root must not be memory://"),
        ({"storage": {"root": "nope://x"}}, "nope:// is no kind of storage that is known."),
        ({"batch_size": 0}, "batch_size must be a whole number, at least 1."),
        ({"batch_size": "10"}, "batch_size must be a whole number, at least 1."),
        ({"batch_size": True}, "batch_size must be a whole number, at least 1."),
    ],
)
def test_a_batch_config_that_is_refused(changed: dict[str, Any], told: str) -> None:
    """Each mistake is told by its member."""
    assert told in mistake(batches(**changed))


def test_a_root_that_is_no_folder(tmp_path: Path) -> None:
    """A root at or below a file cannot be written to; white space in it is no mistake."""
    file = tmp_path / "a file"
    file.touch()
    for root in (file, file / "x"):
        assert f"cannot be written to: {str(file)!r}" in mistake(batches(root.as_uri()))
    assert read_batch_config(batches((tmp_path / "a folder").as_uri()))


def test_a_root_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that this process may not write to is refused."""
    monkeypatch.setattr("os.access", lambda _, mode: not mode & os.W_OK)
    assert "cannot be written to" in mistake(batches(str(tmp_path)))


@pytest.mark.parametrize(
    "scheme,told",
    [
        ("s3", "install the tap with its extra: tap-orgvue[s3]."),
        ("gs", "gs:// needs more software; Install x."),
    ],
)
def test_software_that_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, scheme: str, told: str
) -> None:
    """What an address needs is named before the first request, not after the last."""

    def missing(_: str) -> None:
        raise ImportError("Install x")

    monkeypatch.setattr("fsspec.get_filesystem_class", missing)
    assert told in mistake(batches(f"{scheme}://lake/x"))
