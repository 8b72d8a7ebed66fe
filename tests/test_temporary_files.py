"""Exports on disk: unnamed, readable by the tap alone, and gone with it however it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset
from tests.conftest import people
from tests.running import command, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_orgvue.simulator import Orgvue


@contextmanager
def underway(config: dict[str, object], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The command, running; ended with the block if it did not end by itself."""
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    with subprocess.Popen(
        [sys.executable, "-m", "tap_orgvue", "--config", str(path)],
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
