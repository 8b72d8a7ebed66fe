"""When one stream fails, when the run must stop, and when the process is told to."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.simulator import Dataset
from tap_orgvue.simulator.refusals import RefusalError
from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS
from tap_orgvue.tap import TapOrgvue
from tests.conftest import Watched, people
from tests.running import Run, command, delivered, discover, into_closed_pipe, sync

if TYPE_CHECKING:
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


def test_a_failed_stream_holds_on_to_nothing(serve: Callable[..., Orgvue]) -> None:
    """What was read of an export that fails in its middle is gone before the run ends."""
    plain = people(8000)
    rows = [*plain.rows[:4000], {"salary": "much"}, *plain.rows[4000:]]
    datasets = [Dataset(name, properties=plain.properties, rows=rows) for name in ("Alpha", "Beta")]
    config: dict[str, Any] = {**serve(*datasets).config, "rescue_data": False}
    tap = TapOrgvue(config=config, catalog=discover(config))
    before = _exports_being_read()
    with contextlib.redirect_stdout(io.StringIO()):
        failed = tap.run()
    assert list(failed) == ["alpha", "beta"]
    assert _exports_being_read() <= before
    assert "orgvue-read" not in [thread.name for thread in threading.enumerate()]
    tap.close()


def _exports_being_read() -> int:
    """How many objects there are that hold something of an export."""
    gc.collect()
    return sum(isinstance(thing, (RecordMaker, JsonRows)) for thing in gc.get_objects())


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


def test_every_failure_is_named_at_the_end(serve: Callable[..., Orgvue]) -> None:
    """The summary has a line with its reason for each stream that failed, and no other."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"), people(3, "Gamma"), people(3, "Delta"))
    catalog = discover(orgvue.config)
    orgvue.refuse(400, times=None, on="export", dataset="Alpha")
    orgvue.dataset("Gamma").hidden_because = (403, "403601", "DatasetAccessDenied", "No.")
    run = command(orgvue.config, catalog=catalog)
    assert run.code == 1
    assert set(run.records) == {"beta", "delta"}
    summary, alpha, gamma = run.stderr.splitlines()[-3:]
    assert "2 of 4 streams failed" in summary
    assert alpha.startswith("  alpha: ")
    assert "HTTP 400" in alpha
    assert gamma.startswith("  gamma: ")
    assert "403601" in gamma


def test_a_failed_stream_activates_nothing_after_some_of_its_records(
    serve: Callable[..., Orgvue],
) -> None:
    """Records of a version that is never activated remove nothing; the next run has a later one."""
    dataset = Watched.people(200)
    orgvue = serve(dataset)
    config = {
        **orgvue.config,
        "export_mode": "paged",
        "emit_activate_version_messages": True,
        "max_retries": 0,
    }
    catalog = discover(config)
    state = sync(config, catalog).state

    def refuse() -> None:
        if delivered(orgvue, before):
            raise RefusalError("400606")

    before, orgvue.sync_limit_bytes, dataset.happen = len(orgvue.requests), 8000, refuse
    failed = command(config, catalog=catalog, state=state)
    assert failed.code == 1
    versions = {message["version"] for message in failed.of_type("RECORD")}
    assert len(versions) == 1
    assert not failed.of_type("ACTIVATE_VERSION")
    assert failed.state["bookmarks"] == state["bookmarks"]


def test_a_stream_that_fails_behind_its_last_record(two: Orgvue) -> None:
    """Where it cannot be known whether rows are gone, none is removed, and the state stays."""
    config = {**two.config, "emit_activate_version_messages": True, "max_retries": 0}
    catalog = discover(config)
    state = sync(config, catalog).state
    two.refuse(500, on="list", times=None)
    run = command(config, catalog=catalog, state=state)
    assert run.code == 1
    assert {stream: len(found) for stream, found in run.records.items()} == {
        "alpha": 20,
        "beta": 30,
    }
    assert not run.of_type("ACTIVATE_VERSION")
    assert run.state == state


def test_what_stops_a_run_leaves_what_is_delivered(serve: Callable[..., Orgvue]) -> None:
    """A token that expires midway: streams before are whole, with state; the others are named."""
    second = Watched.people(20, "Beta")
    orgvue = serve(people(20, "Alpha"), second, people(20, "Gamma"))
    catalog = discover(orgvue.config)

    def expire() -> None:
        orgvue.refuse("40302", times=None)
        raise RefusalError("40302")

    second.happen = expire
    run = command({**orgvue.config, "max_parallel_requests": 1}, catalog=catalog)
    assert run.code == 1
    assert {stream: len(records) for stream, records in run.records.items()} == {"alpha": 20}
    assert "rows" in run.state["bookmarks"]["alpha"]["orgvue"]
    *_, told, last = run.stderr.splitlines()
    assert "beta, gamma" in told
    assert "alpha" not in told
    assert "40302" in last


# --- signals


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the real command; it is gone when the test ends."""
    processes: list[subprocess.Popen[bytes]] = []

    def started(
        config: dict[str, Any],
        *words: str,
        catalog: dict[str, Any] | None = None,
        stdout: int = subprocess.PIPE,
        **env: str,
    ) -> subprocess.Popen[bytes]:
        arguments = [*words]
        for option, content in {"config": config, "catalog": catalog}.items():
            if content is not None:
                path = tmp_path / f"{option}.json"
                path.write_text(json.dumps(content))
                arguments += [f"--{option}", str(path)]
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tap_orgvue", *arguments],
                stdout=stdout,
                stderr=subprocess.PIPE,
                env={**os.environ, **env},
            )
        )
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        with process:
            process.wait()


def stuck(start: Start, config: dict[str, Any], **env: str) -> subprocess.Popen[bytes]:
    """A tap that has filled its pipe, from which nobody reads yet."""
    reading, writing = os.pipe()
    try:
        process = start(config, catalog=discover(config), stdout=writing, **env)
        process.stdout = os.fdopen(reading, "rb")
        wait_for(lambda: not select.select([], [writing], [], 0)[1], process)
    finally:
        os.close(writing)
    return process


def wait_for(what: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + 60
    while not what():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ended(process: subprocess.Popen[bytes]) -> Run:
    """All that a process wrote, every line of it whole."""
    out, told = process.communicate(timeout=60)
    for line in out.split(b"\n")[:-1]:
        json.loads(line)
    assert out[-1:] in {b"\n", b""}
    return Run(out.decode(), told.decode(), process.returncode)


SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]


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


def test_a_second_signal_does_not_wait_for_a_stuck_loader(
    serve: Callable[..., Orgvue], start: Start
) -> None:
    """Where nobody reads, the first signal waits; one that comes later ends the process."""
    orgvue = serve(people(15_000))
    process = stuck(start, orgvue.config)
    process.send_signal(signal.SIGTERM)
    time.sleep(IMPATIENT_SECONDS + 0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 143


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


def test_a_loader_that_goes_away(orgvue: Orgvue, tmp_path: Path) -> None:
    """A closed pipe is one line and an error, not a traceback."""
    done = into_closed_pipe(orgvue.config, tmp_path)
    assert done.returncode == 1
    assert "closed the pipe" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
