"""When one stream fails, when the run must stop, and when the process is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import people
from tests.running import Run, command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue


@pytest.fixture
def two(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with two datasets."""
    return serve(people(20, "Alpha"), people(30, "Beta"))


def test_the_others_go_on(two: Orgvue) -> None:
    """A stream that fails is named with its reason at the end; the others are complete."""
    catalog = discover(two.config)
    state = sync(two.config, catalog).state
    two.refuse(400, times=None, on="export", dataset="Alpha")
    run = command(two.config, catalog=catalog, state=state)
    assert run.code == 1
    assert len(run.records["beta"]) == 30
    assert "alpha" not in run.records
    assert run.state["bookmarks"]["alpha"] == state["bookmarks"]["alpha"]
    assert "1 of 2 streams failed" in run.stderr
    assert "Traceback" not in run.stderr
    assert "HTTP 400" in run.stderr.splitlines()[-1]


def test_a_failed_stream_activates_nothing(two: Orgvue) -> None:
    """No ACTIVATE_VERSION for a stream whose export broke in its middle."""
    config = {**two.config, "emit_activate_version_messages": True}
    catalog = discover(config)
    two.answer(on="export", dataset="Alpha", times=None, body=b'{"headers":[{"key":"_id"}],"rows":')
    run = command({**config, "max_retries": 0}, catalog=catalog)
    assert run.code == 1
    assert [message["stream"] for message in run.of_type("ACTIVATE_VERSION")] == ["beta"]


@pytest.mark.parametrize("code", ["40302", "42902"])
def test_what_concerns_the_tenant_stops_at_once(two: Orgvue, code: str) -> None:
    """Token and quota errors end the run: nothing else is tried."""
    catalog = discover(two.config)
    two.refuse(code, times=None)
    before = len(two.requests)
    run = command({**two.config, "max_parallel_requests": 1}, catalog=catalog)
    assert run.code == 1
    assert run.records == {}
    assert len(two.requests) - before <= 2
    assert code in run.stderr.splitlines()[-1]


def test_the_users_own_brake(two: Orgvue) -> None:
    """A run ends with an error once it has made as many requests as it may."""
    catalog = discover(two.config)
    run = command({**two.config, "max_requests_per_run": 1}, catalog=catalog)
    assert run.code == 1
    assert "`max_requests_per_run`" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize("signum,code", [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_cleanly(
    serve: Callable[..., Orgvue], tmp_path: Path, signum: signal.Signals, code: int
) -> None:
    """Pending records are out, the last good state is repeated, the code tells of the signal."""
    orgvue = serve(people(50, "Alpha"), people(50, "Beta"))
    catalog = discover(orgvue.config)
    orgvue.pause(on="export", dataset="Beta", seconds=30, times=None)
    files = {"config": orgvue.config, "catalog": catalog}
    words = []
    for option, content in files.items():
        path = tmp_path / f"{option}.json"
        path.write_text(json.dumps(content))
        words += [f"--{option}", str(path)]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "tap_orgvue", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if '"STATE"' in line and '"alpha"' in line:
            break
    process.send_signal(signum)
    rest, told = process.communicate(timeout=60)
    run = Run("".join(lines) + rest, told, process.returncode)
    assert run.code == code
    assert len(run.records["alpha"]) == 50
    assert run.messages[-1]["type"] == "STATE"
    assert "alpha" in run.state["bookmarks"]
    assert "Traceback" not in told
    assert list(temporary.iterdir()) == []


def test_a_loader_that_goes_away(orgvue: Orgvue, tmp_path: Path) -> None:
    """A closed pipe is one line and an error, not a traceback."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(orgvue.config))
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "tap_orgvue", "--config", str(config)],
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(write_end)
    assert done.returncode == 1
    assert "closed the pipe" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
