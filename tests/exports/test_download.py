"""Exports on disk: unnamed, readable by the tap alone, and gone with it however it ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.simulator import Dataset
from tests.support.datasets import people
from tests.support.exports import READ, fetched
from tests.support.files import written
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


@contextmanager
def underway(config: dict[str, object], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, running; ended with the block if it did not end by itself."""
    with subprocess.Popen(
        [sys.executable, "-m", "tap_orgvue", *written(folder, config=config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
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
        assert process.wait(20) != 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", ["sync", "async", "paged"])
def test_nothing_is_left_after_success(orgvue: Orgvue, tmp_path: Path, mode: str) -> None:
    """After a run the folder is empty and no export is held open."""
    run = sync({**orgvue.config, "export_mode": mode, "temp_dir": str(tmp_path)})
    assert len(run.records["people"]) == 5
    assert list(tmp_path.iterdir()) == []
    assert unnamed_files(os.getpid(), tmp_path) == []


def test_nothing_is_left_after_an_error(serve: Callable[..., Orgvue], tmp_path: Path) -> None:
    """A broken export, a refused one and one that was fetched ahead leave nothing."""
    broken = Dataset("Broken", body=b'{"headers":[{"key":"_id"}],"rows":[["a"],["b"]]]}')
    orgvue = serve(broken, people(3, "Cut"), people(3, "Whole"))
    orgvue.hang_up(on="export", dataset="Cut", after=-3, times=None)
    run = command({**orgvue.config, "temp_dir": str(tmp_path), "max_retries": 1})
    assert run.code == 1
    assert len(run.records["whole"]) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_fails_is_told(orgvue: Orgvue, tmp_path: Path) -> None:
    """A folder that vanishes is an error that names the setting."""
    gone = tmp_path / "gone"
    run = command({**orgvue.config, "temp_dir": str(gone)})
    assert run.code == 1
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


def test_a_folder_that_is_not_there_is_told(serve: Serve, tmp_path: Path) -> None:
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
