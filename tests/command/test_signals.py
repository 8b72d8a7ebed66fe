"""When the process is told to end."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS
from tests.support.datasets import Watched, people
from tests.support.files import written
from tests.support.runs import WARM_START, Run, delivered, discover
from tests.support.warm_start import WarmProcess

if TYPE_CHECKING:
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue


Start = Callable[..., WarmProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the real command; it is gone when the test ends."""
    processes: list[WarmProcess] = []

    def started(
        config: dict[str, Any],
        *words: str,
        catalog: dict[str, Any] | None = None,
        stdout: int = subprocess.PIPE,
        ignored: Sequence[int] = (),
        **env: str,
    ) -> WarmProcess:
        files = written(tmp_path, config=config, catalog=catalog)
        processes.append(
            WARM_START.start(
                [*words, *files], stdout=stdout, env={**os.environ, **env}, ignored=ignored
            )
        )
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        with process:
            process.wait()


def stuck(start: Start, config: dict[str, Any], **more: Any) -> WarmProcess:
    """A tap that has filled its pipe, from which nobody reads yet."""
    reading, writing = os.pipe()
    try:
        process = start(config, catalog=discover(config), stdout=writing, **more)
        process.stdout = os.fdopen(reading, "rb")
        wait_for(lambda: not select.select([], [writing], [], 0)[1], process)
    finally:
        os.close(writing)
    return process


def wait_for(what: Callable[[], object], process: WarmProcess) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not what():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(process: WarmProcess) -> Run:
    """All that a process wrote, every line of it whole."""
    out, told = process.communicate(timeout=60)
    for line in out.split(b"\n")[:-1]:
        json.loads(line)
    assert out[-1:] in {b"\n", b""}
    return Run(out.decode(), told.decode(), process.wait())


SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(
    "route,signum,code",
    [
        *(("export", *each) for each in SIGNALS),
        *((route, *SIGNALS[0]) for route in ("job", "ticket", "result")),
    ],
)
def test_a_signal_ends_cleanly(  # noqa: PLR0913 - three of them are a case
    serve: Callable[..., Orgvue],
    start: Start,
    tmp_path: Path,
    *,
    route: str,
    signum: signal.Signals,
    code: int,
) -> None:
    """Whatever is waited for: what is there is out, the last good state is repeated, no file left.

    The code tells of the signal.
    """
    orgvue = serve(people(50, "Alpha"), people(50, "Beta"))
    orgvue.job_polls = ("completed",)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    catalog = discover(orgvue.config)
    orgvue.pause(on=route, dataset="Beta", seconds=60, times=None)
    before, beta = len(orgvue.requests), orgvue.dataset("Beta").dataset_id
    config = {**orgvue.config, "export_mode": "sync" if route == "export" else "async"}
    process = start(config, catalog=catalog, TMPDIR=str(temporary))
    assert process.stdout is not None
    lines: list[bytes] = []
    while not lines or b'"alpha"' not in lines[-1] or b'"STATE"' not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1]
    wait_for(
        lambda: any((r.route, r.dataset_id) == (route, beta) for r in orgvue.requests[before:]),
        process,
    )
    process.send_signal(signum)
    rest = ended(process)
    run = Run(b"".join(lines).decode() + rest.stdout, rest.stderr, rest.code)
    assert run.code == code
    assert len(run.records["alpha"]) == 50
    assert [message["type"] for message in run.messages[-2:]] == ["STATE", "STATE"]
    assert run.messages[-1] == run.messages[-2]
    assert "Traceback" not in run.stderr
    assert signum.name in run.stderr.splitlines()[-1]
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("signum,code", SIGNALS)
def test_a_signal_cuts_no_line(
    serve: Callable[..., Orgvue],
    start: Start,
    unbuffered: str,
    signum: signal.Signals,
    code: int,
) -> None:
    """While a loader takes its time with a full pipe: what was begun is written to its end."""
    orgvue = serve(people(50, "Alpha"), people(15_000, "Beta"))
    process = stuck(start, orgvue.config, PYTHONUNBUFFERED=unbuffered)
    process.send_signal(signum)
    # A terminal tells everybody, and whoever started the tap tells it again.
    process.send_signal(signum)
    run = ended(process)
    assert run.code == code
    assert len(run.records["alpha"]) == 50
    assert 0 < len(run.records["beta"]) < 15_000
    assert run.messages[-1]["type"] == "STATE"
    assert set(run.state["bookmarks"]) == {"alpha"}


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_a_stuck_loader(
    serve: Callable[..., Orgvue], start: Start, tmp_path: Path
) -> None:
    """Where nobody reads, the first signal waits; one that comes later ends the process.

    That run has a report, too.
    """
    orgvue = serve(people(15_000), people(1, "Staff"))
    process = stuck(start, {**orgvue.config, "run_report": str(tmp_path)})
    process.send_signal(signal.SIGTERM)
    time.sleep(IMPATIENT_SECONDS + 0.2)
    assert process.poll() is None
    deadline = time.monotonic() + 60
    while process.poll() is None:
        # On a busy machine the first may have been noticed a moment ago, and this one with it.
        process.send_signal(signal.SIGTERM)
        assert time.monotonic() < deadline
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
    assert process.returncode == 143
    (path,) = tmp_path.glob("run-*.json")
    report = json.loads(path.read_bytes())
    assert (report["exit_code"], report["reason"]) == (143, "terminated")
    assert [stream["status"] for stream in report["streams"]] == ["failed", "not_reached"]
    assert report["rows"] > 0


@pytest.mark.slow
def test_a_signal_leaves_no_half_batch(
    serve: Callable[..., Orgvue], start: Start, tmp_path: Path
) -> None:
    """Of a batch that nobody is told of, no file is left, neither there nor in a temporary one."""
    dataset = Watched.people(8000)
    orgvue = serve(dataset)
    temporary, root = tmp_path / "temporary", tmp_path / "batches"
    for folder in (temporary, root):
        folder.mkdir()
    config = {
        **orgvue.config,
        "export_mode": "paged",
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": root.as_uri()},
            "batch_size": 1_000_000,
        },
    }
    second_slice, gone = Event(), Event()

    def wait() -> None:
        if delivered(orgvue, before):
            second_slice.set()
            gone.wait(60)

    catalog = discover(config)
    before, orgvue.sync_limit_bytes, dataset.happen = len(orgvue.requests), 600_000, wait
    process = start(config, catalog=catalog, TMPDIR=str(temporary))
    wait_for(second_slice.is_set, process)
    assert len(list(root.iterdir())) == 1
    assert list(temporary.iterdir()) == []
    process.send_signal(signal.SIGTERM)
    run = ended(process)
    assert run.code == 143
    assert not run.of_type("BATCH")
    assert list(root.iterdir()) == list(temporary.iterdir()) == []
    gone.set()


@pytest.mark.parametrize("signum,code", SIGNALS)
def test_a_signal_while_it_discovers(
    serve: Callable[..., Orgvue], start: Start, signum: signal.Signals, code: int
) -> None:
    """Before anything is sent the code tells of the signal as well."""
    orgvue = serve(people())
    orgvue.pause(on="list", seconds=60, times=None)
    process = start(orgvue.config, "--discover")
    wait_for(lambda: orgvue.requests, process)
    process.send_signal(signum)
    run = ended(process)
    assert run.code == code
    assert run.stdout == ""
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_a_hangup_under_nohup(serve: Callable[..., Orgvue], start: Start) -> None:
    """A signal that was ignored when the process began stays so: the run goes on to its end."""
    orgvue = serve(people(15_000))
    process = stuck(start, orgvue.config, ignored=[signal.SIGHUP])
    process.send_signal(signal.SIGHUP)
    run = ended(process)
    assert run.code == 0
    assert len(run.records["people"]) == 15_000
