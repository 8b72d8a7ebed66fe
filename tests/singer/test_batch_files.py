"""BATCH files: whole or not at all, in folders and in object stores."""

from __future__ import annotations

import gzip
import json
import os
import random
import stat
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from upath import UPath

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.simulator import Dataset
from tap_orgvue.singer.batch_files import BatchFile, BatchWriter
from tap_orgvue.singer.errors import BatchFileFailed, BatchFileVanished
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.object_store import object_store
from tests.support.runs import command, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue


MEMORY = "fsspec.implementations.memory"
"""The module of a store that is a part of the process."""


def batch_config(root: str, *, size: int = 10_000, **storage: Any) -> dict[str, Any]:
    """A config's part that switches BATCH files on."""
    return {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": root, **storage},
            "batch_size": size,
        }
    }


@pytest.mark.slow
@pytest.mark.parametrize("count", [1500, 60_000])
def test_files_in_an_object_store(serve: Callable[..., Orgvue], count: int) -> None:
    """Files go to S3-style storage as they go to a folder, at once or in parts."""
    tenant = serve(people(count))
    with object_store() as store:
        storage = {
            "params": {"key": "k", "secret": "s", "endpoint_url": store.url},
            "prefix": "nightly/",
        }
        run = sync({**tenant.config, **batch_config("s3://lake/orgvue", size=count, **storage)})
    [message] = run.of_type("BATCH")
    [address] = message["manifest"]
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("s3", "lake")
    assert parts.path.startswith("/orgvue/nightly/tap-orgvue--people-")
    lines = gzip.decompress(store.objects[f"/lake{parts.path}"]).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"P{i}" for i in range(count)]
    assert "secret" not in json.dumps(run.messages)


@pytest.mark.slow
@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"broken": {"n": "md5(_id)"}}}])
def test_a_file_that_is_not_whole_is_dropped(
    serve: Callable[..., Orgvue],
    tmp_path: Path,
    maps: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a stream fails, its files that were announced stay, and nothing else is left."""
    rows = b'["a"],' * 25_000
    broken = b'{"headers":[{"key":"_id","type":"text"}],"rows":[%b["b","c"]]}' % rows
    tenant = serve(Dataset("Broken", body=broken), people(10))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    files = tmp_path / "files"
    run = command({**tenant.config, **maps, **batch_config(files.as_uri(), size=10_000)})
    assert run.code == 5
    announced = [
        Path(urlsplit(address).path).name
        for message in run.of_type("BATCH")
        for address in message["manifest"]
    ]
    assert sorted(announced) == sorted(path.name for path in files.iterdir())
    assert len(announced) == 3
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.slow
def test_an_upload_of_a_stream_that_fails_is_aborted(serve: Callable[..., Orgvue]) -> None:
    """An upload in parts that is begun when a stream fails is aborted: nothing is stored."""
    ids = b",".join(b'["%b"]' % os.urandom(24).hex().encode() for _ in range(200_000))
    broken = b'{"headers":[{"key":"_id","type":"text"}],"rows":[%b,["b","c"]]}' % ids
    tenant = serve(Dataset("Broken", body=broken))
    with object_store() as store:
        params = {"key": "k", "secret": "s", "endpoint_url": store.url}
        config = batch_config("s3://lake/x", size=10**6, params=params)
        with pytest.raises(OrgvueError, match="Row 200001"):
            sync({**tenant.config, **config})
        assert store.objects == {}
        assert store.uploads == {"aborted": 1}


def test_a_folder_that_cannot_be_written_is_reported(
    serve: Callable[..., Orgvue], tmp_path: Path
) -> None:
    """Where files cannot be written, the run ends with one line, before any request."""
    (tmp_path / "taken").write_text("a file")
    tenant = serve(people(10))
    run = command({**tenant.config, **batch_config((tmp_path / "taken" / "x").as_uri())})
    assert run.code == 3
    assert "Traceback" not in run.stderr
    assert "batch_config: storage.root cannot be written to" in run.stderr.splitlines()[-1]
    assert tenant.requests == []


@pytest.mark.parametrize("size", [0, -1, "many"])
def test_a_size_that_holds_nothing(size: Any) -> None:
    """Files of no records are refused before anything is asked for."""
    with pytest.raises(SettingsError, match="batch_config: batch_size"):
        TapOrgvue(
            config={
                "api_url": "http://localhost:1",
                "tenant_id": "ACME",
                "api_token": "a-token",
                **batch_config("file:///tmp/x", size=size),
            },
            setup_mapper=False,
        )


# --- without a run


@dataclass
class Folder:
    """A storage as the SDK reads it from `batch_config`."""

    root: str
    prefix: str | None = None
    params: dict[str, Any] = field(default_factory=dict)

    def get_url(self, filename: str) -> str:
        """The URL of a file."""
        return f"{self.root}/{filename}"


def contents(url: str | None) -> bytes:
    """What a file holds, unpacked."""
    assert url is not None
    data = Path(urlsplit(url).path).read_bytes()
    return gzip.decompress(data) if url.endswith(".gz") else data


@pytest.mark.parametrize("compress", [False, True])
def test_lines_are_distributed_over_files(tmp_path: Path, compress: bool) -> None:  # noqa: FBT001
    """A file is full at its size; the next one begins with the next line, under another name."""
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=3, compress=compress)
    assert writer.finish() is None
    assert (writer.room, writer.add(b"1\n2\n", 2)) == (3, None)
    first = (writer.room, writer.add(b"3\n", 1))
    assert first[0] == 1
    assert (writer.room, writer.add(b"4\n", 1)) == (3, None)
    second = writer.finish()
    assert (contents(first[1]), contents(second)) == (b"1\n2\n3\n", b"4\n")
    assert writer.finish() is None
    assert writer.room == 3
    ending = ".json.gz" if compress else ".json"
    names = [str(url).removesuffix(ending).rpartition("/x-")[2] for url in (first[1], second)]
    # A UUID, and a number.
    assert [name[36:] for name in names] == ["-1", "-2"]
    assert len(list(tmp_path.iterdir())) == 2


def test_long_and_short_lines_stay_in_order(tmp_path: Path) -> None:
    """Whether lines are collected or passed on at once, a file has them in their order."""
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=10**6, compress=True)
    dice, pieces = random.Random(5), []  # noqa: S311 - not for secrets
    for number in range(200):
        length = dice.choice([1, 100, 20_000, 65_536, 65_535, 150_000])
        pieces.append(b"%d" % (number % 10) * length + b"\n")
        writer.add(pieces[-1], 1)
    assert contents(writer.finish()) == b"".join(pieces)


def test_names_of_two_writers_differ(tmp_path: Path) -> None:
    """Two runs may write into one folder; the prefix stands in front."""
    names = set()
    for _ in range(2):
        storage = Folder(tmp_path.as_uri(), prefix="nightly-")
        writer = BatchWriter(storage, "x", size=1, compress=False)
        names.add(writer.add(b"1\n", 1))
    assert len(names) == 2
    assert all(Path(str(name)).name.startswith("nightly-x-") for name in names)


@pytest.mark.parametrize("written", [b"1\n", b"1" * 10**6])
def test_a_file_that_is_discarded_is_gone(tmp_path: Path, written: bytes) -> None:
    """Whether anything was written or not; twice is as good as once, and no thread is left."""
    threads = set(threading.enumerate())
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=10, compress=False)
    writer.discard()
    writer.add(written, 1)
    writer.discard()
    writer.discard()
    assert list(tmp_path.iterdir()) == []
    assert set(threading.enumerate()) <= threads


def test_a_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    """A clean-up after a load may remove it between two files."""
    folder = tmp_path / "files"
    writer = BatchWriter(Folder(folder.as_uri()), "x", size=1, compress=False)
    Path(urlsplit(str(writer.add(b"1\n", 1))).path).unlink()
    writer.announced()
    folder.rmdir()
    assert contents(writer.add(b"2\n", 1)) == b"2\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("chunks", [1, 100])
def test_a_full_disk_is_an_error(tmp_path: Path, chunks: int, compress: bool) -> None:  # noqa: FBT001
    """However much follows behind the write that failed; afterwards the file is gone."""
    (tmp_path / "x.json").symlink_to("/dev/full")
    file = BatchFile(UPath(tmp_path), "x.json", "file:///x.json", compress=compress)
    file.open()
    for _ in range(chunks):
        file.write(os.urandom(200_000))
    with pytest.raises(OSError, match="No space left"):
        file.close()
    file.discard()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_behind_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later chunk would leave a hole in the file; the first error is the one that is raised."""
    tried: list[bytes] = []

    def write(_: object, data: bytes) -> None:
        tried.append(bytes(data))
        raise OSError(f"Error {len(tried)}.")

    monkeypatch.setattr(f"{MEMORY}.MemoryFile.write", write)
    file = BatchFile(UPath(f"memory:///{uuid4()}"), "x.json", "x.json", compress=False)
    file.open()
    for chunk in (b"1\n", b"2\n"):
        file.write(chunk)
    with pytest.raises(OSError, match="Error 1"):
        file.close()
    assert tried == [b"1\n"]
    file.discard()


def test_a_file_that_was_never_opened_is_discarded(tmp_path: Path) -> None:
    """A signal may come between the two."""
    BatchFile(UPath(tmp_path), "x.json", "file:///x.json", compress=True).discard()
    assert list(tmp_path.iterdir()) == []


def raising(error: Exception) -> Callable[..., None]:
    """A function that fails, whatever it is called with."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("remote", [False, True])
def test_a_file_that_cannot_be_opened_is_discarded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    remote: bool,  # noqa: FBT001
) -> None:
    """Its error is not followed by another one."""
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr(f"{MEMORY}.MemoryFileSystem.mkdir", raising(NotADirectoryError()))
    folder = UPath("memory:///taken/x") if remote else UPath(tmp_path / "taken" / "x")
    file = BatchFile(folder, "x.json", "x.json", compress=False)
    with pytest.raises(NotADirectoryError):
        file.open()
    file.discard()


def _written(file: BatchFile) -> None:
    file.open()
    file.close()


@pytest.mark.parametrize("call", ["MemoryFileSystem._open", "MemoryFile.commit"])
def test_errors_of_a_store_are_told_from_errors_of_the_tap(
    monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A store's software has errors of its own, which end a stream as a full disk does."""
    monkeypatch.setattr(f"{MEMORY}.{call}", raising(KeyError("bucket")))
    file = BatchFile(UPath(f"memory:///{uuid4()}"), "x.json", "x.json", compress=False)
    with pytest.raises(BatchFileFailed, match="KeyError: 'bucket'") as failed:
        _written(file)
    assert isinstance(failed.value.__cause__, KeyError)


def test_a_remote_file_is_no_file_of_this_machine(tmp_path: Path) -> None:
    """In a signal handler a remote file is left alone, and so is a local one of its path."""
    local = tmp_path / "x.json"
    local.write_text("1")
    file = BatchFile(UPath(f"memory://{tmp_path}"), "x.json", "x.json", compress=False)
    file.open()
    file.unlink()
    file.discard()
    assert local.read_text() == "1"


def test_lines_do_not_wait_for_the_end(tmp_path: Path) -> None:
    """They are passed on by the chunk: a file of any size takes little memory."""
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=10**6, compress=False)
    writer.add(b"1\n", 1)
    assert list(tmp_path.iterdir()) == []
    for _ in range(70):
        writer.add(b"1" * 1000 + b"\n", 1)
    assert len(list(tmp_path.iterdir())) == 1
    writer.discard()


def test_a_file_is_removed_until_it_is_announced(tmp_path: Path) -> None:
    """A signal may come between the end of a file and its message."""
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=1, compress=False)
    first = writer.add(b"1\n", 1)
    writer.announced()
    writer.add(b"2\n", 1)
    assert len(list(tmp_path.iterdir())) == 2
    writer.discard()
    assert [path.as_uri() for path in tmp_path.iterdir()] == [first]


@pytest.mark.parametrize("announced", [True, False])
def test_files_are_removed_in_a_signal_handler(tmp_path: Path, announced: bool) -> None:  # noqa: FBT001
    """Those that no message names, while their thread still writes; twice does no harm."""
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=2, compress=False)
    writer.add(b"1\n2\n", 2)
    if announced:
        writer.announced()
    writer.add(b"3" * 100_000 + b"\n", 1)
    assert len(list(tmp_path.iterdir())) == 2
    writer.unlink()
    writer.unlink()
    assert len(list(tmp_path.iterdir())) == announced
    writer.discard()


def replace(path: Path) -> None:
    """Put another file in a file's place."""
    (path.parent / "other").write_text("1")
    (path.parent / "other").rename(path)


@pytest.mark.parametrize("happen", [Path.unlink, replace], ids=["removed", "replaced"])
def test_a_file_that_vanished_is_an_error(tmp_path: Path, happen: Callable[[Path], None]) -> None:
    """No message names a file that is not there, or is another one."""
    writer = BatchWriter(Folder(tmp_path.as_uri()), "x", size=10**6, compress=True)
    writer.add(b"1" * 100_000 + b"\n", 1)
    [path] = tmp_path.iterdir()
    happen(path)
    with pytest.raises(BatchFileVanished, match="was removed before its message was written"):
        writer.finish()
    writer.discard()


def modes(*paths: Path) -> list[str]:
    """The permissions of files and folders."""
    return [f"{stat.S_IMODE(path.stat().st_mode):o}" for path in paths]


def test_files_and_folders_are_private(tmp_path: Path) -> None:
    """Whatever the umask lets others do; a folder that exists keeps its permissions."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a").chmod(0o755)
    folder = tmp_path / "a" / "b" / "c"
    before = os.umask(0)
    try:
        writer = BatchWriter(Folder(folder.as_uri()), "x", size=1, compress=False)
        writer.add(b"1\n", 1)
    finally:
        os.umask(before)
    [file] = folder.iterdir()
    paths = (tmp_path / "a", tmp_path / "a" / "b", folder, file)
    assert modes(*paths) == ["755", "700", "700", "600"]


@pytest.mark.parametrize(
    "mode,of_file",
    [(0o2750, "640"), (0o2770, "640"), (0o2700, "600"), (0o750, "600"), (0o777, "600")],
)
def test_a_folder_for_a_group(tmp_path: Path, mode: int, of_file: str) -> None:
    """A loader of another user reads files by the group of a folder that was made for it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(mode)
    before = os.umask(0)
    try:
        BatchWriter(Folder(folder.as_uri()), "x", size=1, compress=False).add(b"1\n", 1)
    finally:
        os.umask(before)
    [file] = folder.iterdir()
    assert modes(file) == [of_file]
    assert file.stat().st_gid == folder.stat().st_gid


def test_the_folders_of_a_remote_file_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are missing: as over SFTP, a folder may need the one above it."""
    root = UPath(f"memory:///{uuid4()}")
    make = type(root.fs).mkdir

    def made(files: Any, path: str, create_parents: bool = True, **options: Any) -> None:  # noqa: FBT001, FBT002 - as fsspec calls it
        if not create_parents and not files.exists(path.rpartition("/")[0]):
            raise FileNotFoundError(path)
        make(files, path, create_parents=create_parents, **options)

    monkeypatch.setattr(type(root.fs), "mkdir", made)
    writer = BatchWriter(Folder(f"{root}/deep/folder"), "x", size=1, compress=False)
    address = writer.add(b"1\n", 1)
    assert UPath(str(address)).read_bytes() == b"1\n"
    root.fs.rm(root.path, recursive=True)
