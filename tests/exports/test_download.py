"""Downloads: verified as complete, unnamed, readable by the tap only, gone when it ends."""

from __future__ import annotations

import gzip
import io
import os
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from unittest.mock import create_autospec

import pytest
import requests
import urllib3

from tap_orgvue.exports.download import DownloadedFile, download
from tap_orgvue.orgvue.errors import OrgvueError, RequestInfo, TruncatedResponse
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.simulator import Dataset
from tests.support.datasets import people
from tests.support.exports import READ, fetched
from tests.support.files import written
from tests.support.mocked_exports import document
from tests.support.runs import WARM_START, command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_orgvue.simulator import Orgvue
    from tests.support.warm_start import WarmProcess

    Serve = Callable[..., Orgvue]


INFO = RequestInfo("GET", "https://orgvue.test/api/v1/ACME/x?X-Amz-Signature=5ec2e7")
BODY = document()["content"]
PACKED = gzip.compress(BODY, mtime=0)


def reply(body: bytes) -> requests.Response:
    """A streamed response, its body unread."""
    response = requests.Response()
    response.raw = urllib3.HTTPResponse(io.BytesIO(body), preload_content=False)
    return response


@pytest.mark.parametrize(
    "body",
    [BODY, PACKED, b" \r\n" + BODY + b"\n" * 1000, PACKED + bytes(9)],
)
def test_a_complete_body_is_on_disk_as_it_was_sent(body: bytes) -> None:
    """The file has the body's own bytes, compressed or not, and is at its beginning."""
    with download(reply(body), INFO).file as file:
        assert file.read() == body


def test_an_array_is_complete_with_its_own_bracket() -> None:
    """A document begins with the bracket that the caller expects, and is closed."""
    with download(reply(b"[{}]"), INFO, bracket=b"[").file as file:
        assert file.read() == b"[{}]"
    for body in (b"[{}", b"{}", b"[1", b"[["):
        with pytest.raises(TruncatedResponse):
            download(reply(body), INFO, bracket=b"[")


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"<html>", b"[]", b"\xef\xbb\xbf{}", gzip.compress(b"", mtime=0)]
)
def test_a_body_that_does_not_begin_as_requested_is_an_error(body: bytes) -> None:
    """A body of another form is an error that names the request without its query string."""
    with pytest.raises(TruncatedResponse) as caught:
        download(reply(body), INFO)
    assert str(caught.value) == (
        "The response is not the requested JSON, from its first byte. It is the response to GET "
        "/api/v1/ACME/x."
    )


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_body_that_stops_is_an_error(pack: Callable[[bytes], bytes]) -> None:
    """A body without its last bracket is an error that says after how many bytes it stops."""
    cut = BODY[:-1]
    with pytest.raises(TruncatedResponse, match=f"of its JSON, after {len(cut)} bytes"):
        download(reply(pack(cut)), INFO)


CUT = {
    "behind an object": b'{"headers":[],"rows":[[{"a":1}',
    "behind a nested array": b'{"headers":[],"rows":[[{"a":[[1]]}',
    "behind a header": b'{"headers":[{"key":"_id"}',
    "in a text": b'{"headers":[],"rows":[["]]}',
    "behind a member": b'{"headers":[],"rows":[],"more":{}',
}


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_body_that_is_cut_behind_a_bracket_is_an_error(
    name: str, pack: Callable[[bytes], bytes]
) -> None:
    """A body that ends with a closing bracket is complete only if that closes the document."""
    with pytest.raises(TruncatedResponse, match=f"after {len(CUT[name])} bytes") as caught:
        download(reply(pack(CUT[name])), INFO)
    assert caught.value.retryable


@pytest.mark.slow
def test_a_large_body_is_written_and_checked_in_chunks() -> None:
    """A body of many chunks is on disk byte by byte, and its last bracket is found."""
    rows = [[str(i), str(i) * 30] for i in range(20_000)]
    body = document(rows)["content"]
    assert len(body) > 3 * 256 * 1024
    with download(reply(body), INFO).file as file:
        assert file.read() == body
    with pytest.raises(TruncatedResponse, match=f"after {len(body) - 1} bytes"):
        download(reply(body[:-1]), INFO)


@pytest.mark.parametrize("value,may_be_lossy", [("a\0", True), ("a", False), (10**20, True)])
def test_a_download_says_whether_typed_decoding_may_alter_it(
    value: object, *, may_be_lossy: bool
) -> None:
    """The scan covers the decompressed body."""
    packed = gzip.compress(document([["1", value]])["content"])
    found = download(reply(packed), INFO)
    found.file.close()
    assert found.may_be_lossy is may_be_lossy


def test_a_file_that_nobody_scanned_may_be_altered() -> None:
    """Without a scan each cell is decoded with care."""
    assert DownloadedFile(io.BytesIO()).may_be_lossy


def test_a_failed_download_closes_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fails, the disk is freed."""
    files: list[BinaryIO] = []

    make: Callable[..., BinaryIO] = tempfile.TemporaryFile

    def temporary(**options: Any) -> BinaryIO:
        files.append(make(**options))
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", temporary)
    for body in (b"{", b"\x1f\x8b"):
        with pytest.raises(TruncatedResponse):
            download(reply(body), INFO)
    broken = reply(b"")
    broken.raw = create_autospec(urllib3.HTTPResponse, instance=True)
    broken.raw.stream.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        download(broken, INFO)
    assert [file.closed for file in files] == [True] * 3


def test_a_full_disk_is_an_error_that_names_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be written is one error, in the system's words."""
    full = create_autospec(BinaryIO, instance=True)
    full.write.side_effect = OSError(28, "No space left on device")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(OrgvueError, match=r"cannot be written .*No space left.*`temp_dir`"):
        download(reply(BODY), INFO)
    full.close.assert_called_once_with()


def test_a_disk_that_takes_a_part_gets_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that takes fewer bytes than it was given is continued."""
    written: list[bytes] = []

    def write(view: memoryview) -> int:
        written.append(bytes(view[:5]))
        return len(written[-1])

    slow = create_autospec(BinaryIO, instance=True)
    slow.write.side_effect = write
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: slow)
    download(reply(BODY), INFO)
    assert b"".join(written) == BODY


# --- over HTTP, and by a signal


@contextmanager
def underway(config: dict[str, object], folder: Path) -> Iterator[WarmProcess]:
    """The command, running; ended with the block if it did not end by itself."""
    with WARM_START.start(
        written(folder, config=config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def unnamed_files(pid: int, folder: Path) -> list[os.stat_result]:
    """The files of a folder that a process has open and no name leads to."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(link.readlink())
            if target.startswith(str(folder)) and target.endswith(" (deleted)"):
                found.append(link.stat())
        except OSError:
            continue  # Closed since.
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_after_a_signal(
    serve: Callable[..., Orgvue], tmp_path: Path, mode: str, ending: signal.Signals
) -> None:
    """In the middle of a download the file has no name and mode 0600; a signal leaves none."""
    folder, config_folder = tmp_path / "exports", tmp_path / "config"
    folder.mkdir()
    config_folder.mkdir()
    orgvue = serve(people(3000))
    orgvue.job_polls = ("completed",)
    # Rows are slow, an export of none is not.
    orgvue.trickle = 20_000
    config = {**orgvue.config, "export_mode": mode, "temp_dir": str(folder)}
    with underway(config, config_folder) as process:
        until = time.monotonic() + 30
        while not (files := unnamed_files(process.pid, folder)) and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.02)
        assert files
        assert all(stat.S_IMODE(file.st_mode) == 0o600 for file in files)
        assert list(folder.iterdir()) == []
        process.send_signal(ending)
        assert process.wait(60) != 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", ["sync", "async", "paged"])
def test_nothing_is_left_after_success(orgvue: Orgvue, tmp_path: Path, mode: str) -> None:
    """After a run the folder is empty and no export is held open."""
    run = sync({**orgvue.config, "export_mode": mode, "temp_dir": str(tmp_path)})
    assert len(run.records["people"]) == 5
    assert list(tmp_path.iterdir()) == []
    assert unnamed_files(os.getpid(), tmp_path) == []


@pytest.mark.slow
def test_nothing_is_left_after_an_error(serve: Callable[..., Orgvue], tmp_path: Path) -> None:
    """A broken export, a refused one and one that was fetched ahead leave nothing."""
    broken = Dataset("Broken", body=b'{"headers":[{"key":"_id"}],"rows":[["a"],["b"]]]}')
    orgvue = serve(broken, people(3, "Cut"), people(3, "Whole"))
    orgvue.hang_up(on="export", dataset="Cut", after=-3, times=None)
    run = command({**orgvue.config, "temp_dir": str(tmp_path), "max_retries": 1})
    assert run.code == 5
    assert len(run.records["whole"]) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_fails_is_reported(orgvue: Orgvue, tmp_path: Path) -> None:
    """A folder that vanishes is an error that names the setting."""
    gone = tmp_path / "gone"
    run = command({**orgvue.config, "temp_dir": str(gone)})
    assert run.code == 3
    assert "temp_dir: is not a folder" in run.stderr
    assert orgvue.requests == []


@pytest.mark.parametrize("mode", [ExportMode.SYNC, ExportMode.ASYNC, ExportMode.PAGED])
def test_exports_lie_in_files_without_a_name(
    serve: Serve, tmp_path: Path, mode: ExportMode
) -> None:
    """While an export is at hand, its folder shows no file: what has no name leaves no trace."""
    orgvue = serve(people(30))
    orgvue.job_polls = ("completed",)
    answer = fetched(orgvue, mode, temp_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert answer.rows is not None
    assert len(list(chain(*answer.rows.blocks(READ)))) == 30
    # It is in that folder all the same.
    assert os.fstat(answer.raw.fileno()).st_dev == tmp_path.stat().st_dev
    assert os.fstat(answer.raw.fileno()).st_mode & 0o077 == 0
    answer.close()
    assert answer.raw.closed


def test_a_folder_that_is_not_there_is_reported(serve: Serve, tmp_path: Path) -> None:
    """A `temp_dir` that does not exist is an error that names the setting."""
    with pytest.raises(OrgvueError, match="temp_dir"):
        fetched(serve(people()), ExportMode.SYNC, temp_dir=tmp_path / "nowhere")


def test_an_export_is_whole_before_its_first_row_is_sent(serve: Serve) -> None:
    """Where an export never comes whole, none of its rows is sent."""
    orgvue = serve(people(500))
    catalog = discover(orgvue.config)
    orgvue.hang_up(on="export", after=-1, times=None)
    run = command({**orgvue.config, "max_retries": 1}, catalog=catalog)
    assert run.code != 0
    assert run.records == {}
    assert "Traceback" not in run.stderr
