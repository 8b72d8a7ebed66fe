"""The command on a real terminal: live progress below whole lines of the log, and nothing left."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS
from tests.support.datasets import people
from tests.support.files import written
from tests.support.runs import TIMEOUT, command, completed, discover
from tests.support.screens import Terminal, ended, on_terminal, start_on, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue
    from tests.support.warm_start import WarmProcess

    Serve = Callable[..., Orgvue]

LINE = re.compile(r"\d{4}-\d\d-\d\d [\d:,]+ \| [A-Z]+ +\| ")
"""The beginning of a line of the log."""


def shows(opened: Terminal, *words: str) -> bool:
    """Whether a frame with all these words was shown."""
    frames = ["\n".join(frame) for frame in opened.screen.frames]
    return any(all(word in frame for word in words) for frame in frames)


def until(what: Callable[[], bool]) -> Callable[[], None]:
    """What waits until something is so, in a thread of the server; the test looks whether it is."""

    def wait() -> None:
        deadline = time.monotonic() + 120
        while not what() and time.monotonic() < deadline:
            time.sleep(0.02)

    return wait


def assert_whole(opened: Terminal, *last: str) -> None:
    """Only whole lines of the log are left on the terminal; the last of them with these words."""
    screen = opened.screen
    assert (screen.column, screen.text[-1], screen.wraps) == (0, "", True)
    for line in screen.text[:-1]:
        assert LINE.match(line), line
        assert len(LINE.findall(line)) == 1
        if "METRIC: " in line:
            json.loads(line.partition("METRIC: ")[2])
    assert "\x1b[?25l" not in opened.received, "the cursor is never hidden"
    assert all(word in screen.text[-2] for word in last)


@pytest.mark.slow
def test_a_run_is_shown(serve: Serve) -> None:
    """Discovery, then the stages of each stream, and how far the run is; the log alone is left.

    Nothing of it is on standard output.
    """
    orgvue = serve(people(5, "Alpha"), people(2000, "Beta"))
    with terminal(columns=90) as opened:
        stages = (
            ("export", " of 2 datasets"),
            ("job", "alpha  waiting for Orgvue"),
            ("ticket", "alpha  export job running"),
            ("ticket", "0 of 2 streams done, 2 to go"),
        )
        for route, words in stages:
            seen = until(lambda words=words: shows(opened, words))  # type: ignore[misc]
            orgvue.meanwhile(seen, on=route, dataset="Alpha")
        run = on_terminal(opened, {**orgvue.config, "export_mode": "async"})
        for _, words in stages:
            assert shows(opened, words)
        assert_whole(opened)
    assert run.code == 0
    sent = {name: len(rows) for name, rows in run.records.items()}
    assert sent == {"alpha": 5, "beta": 2000}
    assert all(line.startswith('{"type":') for line in run.stdout.splitlines())


@pytest.mark.slow
def test_rows_are_shown_and_whether_they_wait(
    serve: Serve, start: Callable[..., WarmProcess]
) -> None:
    """While a loader takes nothing, the stream waits for the loader; what was sent is counted."""
    orgvue = serve(people(15_000))
    reading, writing = os.pipe()
    with terminal() as opened, os.fdopen(reading, "rb") as out:
        process = start(opened, orgvue.config, stdout=writing)
        os.close(writing)
        until(lambda: shows(opened, "people  sending rows, waiting for the loader"))()
        assert shows(opened, "people  sending rows, waiting for the loader", " rows/s", " MB")
        sent = out.read()
        ended(process, opened)
        assert_whole(opened)
    assert sent.count(b'{"type":"RECORD"') == 15_000


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., WarmProcess]]:
    """Starts the command on a terminal; it is gone when the test ends."""
    processes: list[WarmProcess] = []

    def started(opened: Terminal, *words: Any, **more: Any) -> WarmProcess:
        processes.append(start_on(opened, tmp_path, *words, **more))
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        with process:
            process.wait()


def test_discovery_is_shown(orgvue: Orgvue) -> None:
    """`--discover` shows how far it is, and writes the catalog after that, also to a terminal."""
    with terminal() as opened:
        orgvue.meanwhile(until(lambda: shows(opened, "discovery: list of datasets")), on="list")
        on_terminal(opened, orgvue.config, "--discover", records_too=True)
        screen = opened.screen
    assert shows(opened, "discovery: list of datasets")
    text = "\n".join(screen.text)
    assert json.loads(text[text.index("{") : text.rindex("}") + 1])["streams"]
    assert "discovery" not in text


@pytest.mark.parametrize("term", ["dumb", "unknown", "", None])
def test_a_terminal_that_cannot_move_its_cursor(orgvue: Orgvue, term: str | None) -> None:
    """There the log is all there is, without a single command for the terminal."""
    with terminal() as opened:
        run = on_terminal(opened, orgvue.config, TERM=term)
        assert_whole(opened)
    assert run.code == 0
    assert "\x1b" not in run.stderr


@pytest.mark.slow
def test_no_color(orgvue: Orgvue) -> None:
    """With `NO_COLOR` it is live, and has no colour or other emphasis."""
    styles = re.compile(r"\x1b\[[\d;]*m")
    told = []
    for value in ("1", "", None):
        with terminal() as opened:
            seen = until(lambda opened=opened: shows(opened, "waiting for Orgvue"))  # type: ignore[misc]
            orgvue.meanwhile(seen, on="export", skip=1)
            told.append(on_terminal(opened, orgvue.config, NO_COLOR=value).stderr)
            assert shows(opened, "waiting for Orgvue")
    assert [bool(styles.search(each)) for each in told] == [False, True, True]


def test_records_to_a_terminal(orgvue: Orgvue) -> None:
    """Where records go to a terminal it is said once what to do, and nothing is shown live."""
    with terminal(columns=1000) as opened:
        run = on_terminal(opened, orgvue.config, records_too=True)
    assert run.code == 0
    assert run.stderr.count("Pipe them into a loader") == 1
    assert "\x1b" not in run.stderr
    assert run.stderr.count('{"type":"RECORD"') == 5


def test_without_a_terminal_there_is_nothing_of_it(orgvue: Orgvue) -> None:
    """Where standard error is no terminal, nothing is shown live and nothing said of pipes."""
    run = command(orgvue.config, env={"TERM": "xterm-256color", "FORCE_COLOR": "1"})
    assert run.code == 0
    assert "\x1b" not in run.stderr
    assert "Pipe them" not in run.stderr
    assert "streams done" not in run.stderr


TELLS_OF_RICH = """
import atexit, sys
atexit.register(lambda: print("rich is", "imported" if "rich" in sys.modules else "left"))
"""


@pytest.mark.parametrize("words", [["--about"], ["--version"], ["--help"], []])
def test_rich_is_for_terminals(orgvue: Orgvue, tmp_path: Path, words: list[str]) -> None:
    """What only a live display needs is not imported before there is one, nor by a whole run."""
    files = written(tmp_path, config=orgvue.config)
    done = completed([*words, *files], first=TELLS_OF_RICH)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "rich is left"


@pytest.mark.slow
def test_rich_is_imported_for_a_terminal(orgvue: Orgvue, tmp_path: Path) -> None:
    """What the test above looks for is there where there is something to show."""
    with terminal() as opened:
        process = start_on(opened, tmp_path, orgvue.config, first=TELLS_OF_RICH)
        run = ended(process, opened)
    assert run.stdout.splitlines()[-1] == "rich is imported"


def test_a_failure_is_the_last_line(orgvue: Orgvue) -> None:
    """An error that ends the run stands below everything, and the display is gone."""
    with terminal(columns=60, rows=10) as opened:
        shown = until(lambda: shows(opened, "list of datasets"))
        orgvue.meanwhile(shown, on="list")
        orgvue.refuse("40302", on="list", times=None)
        run = on_terminal(opened, orgvue.config)
        assert_whole(opened, "ERROR", "40302")
    assert run.code != 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_removes_it(
    orgvue: Orgvue,
    start: Callable[..., WarmProcess],
    signum: signal.Signals,
) -> None:
    """After a signal the terminal is as it was, with the log on it."""
    catalog = discover(orgvue.config)
    orgvue.pause(on="export", seconds=60, times=None)
    with terminal() as opened:
        process = start(opened, orgvue.config, catalog=catalog)
        until(lambda: shows(opened, "people  waiting for Orgvue"))()
        process.send_signal(signum)
        run = ended(process, opened)
        assert_whole(opened, "WARNING", signum.name)
    assert run.code == 128 + signum


@pytest.mark.slow
def test_a_second_signal_removes_it(serve: Serve, start: Callable[..., WarmProcess]) -> None:
    """A process that ends at once, because its loader is stuck, leaves no display, either."""
    orgvue = serve(people(15_000))
    reading, writing = os.pipe()
    with terminal() as opened:
        process = start(opened, orgvue.config, stdout=writing)
        os.close(writing)
        until(lambda: shows(opened, "waiting for the loader"))()
        process.send_signal(signal.SIGTERM)
        time.sleep(IMPATIENT_SECONDS + 0.2)
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        ended(process, opened)
        assert_whole(opened)
    os.close(reading)


@pytest.mark.slow
def test_others_on_the_terminal_lose_no_line(orgvue: Orgvue) -> None:
    """What a loader writes to the same terminal stays there, whole."""
    catalog = discover(orgvue.config)
    with terminal(rows=8) as opened:

        def loader_writes() -> None:
            for i in range(30):
                os.write(opened.side, f"The loader says {i}.\r\n".encode())
                until(lambda i=i: "\x1b[J" in opened.received.partition(f"says {i}.")[2])()  # type: ignore[misc]

        orgvue.meanwhile(loader_writes, on="export")
        on_terminal(opened, orgvue.config, catalog=catalog)
        lines = opened.screen.text
    said = [line for line in lines if "loader" in line]
    assert said == [f"The loader says {i}." for i in range(30)]


@pytest.mark.slow
def test_hostile_names(serve: Serve) -> None:
    """Names of streams with commands, line feeds and markup do nothing to the terminal."""
    names = ["\x1b[2Jgone", "two\r\nlines", "[bold]loud[/bold]", "部门" * 30]
    orgvue = serve(*(people(2, f"Dataset {i}") for i in range(4)))
    pinned = {orgvue.dataset(f"Dataset {i}").dataset_id: name for i, name in enumerate(names)}
    catalog = discover(orgvue.config)
    for found in catalog["streams"]:
        name = pinned.get(found.get("table_name", ""))
        if name is not None:
            found["stream"] = found["tap_stream_id"] = name
    with terminal(columns=80) as opened:
        words = ("\\x1b[2Jgone", "two\\r\\nlines", "[bold]loud[/bold]", "部门")
        all_shown = until(lambda: shows(opened, *words))
        orgvue.meanwhile(all_shown, on="export", times=4)
        run = on_terminal(opened, orgvue.config, catalog=catalog)
        assert shows(opened, *words)
        assert_whole(opened)
    assert set(run.records) == set(names)


BROKEN = """
class Broken:
    def __init__(self, *_, **__): pass
    def lines(self, *_): raise ValueError("no frame")
import tap_orgvue.reporting.frame
tap_orgvue.reporting.frame.FrameMaker = Broken
"""


@pytest.mark.slow
def test_a_broken_display_breaks_no_run(orgvue: Orgvue, tmp_path: Path) -> None:
    """Where the display fails it is switched off; the run goes on and says nothing of it."""
    with terminal() as opened:
        process = start_on(opened, tmp_path, orgvue.config, first=BROKEN)
        run = ended(process, opened)
        assert_whole(opened)
    assert run.code == 0
    assert len(run.records["people"]) == 5
    assert "\x1b" not in run.stderr


BEATS = """
import tap_orgvue.reporting.heartbeat as heartbeat
heartbeat.FIRST_BEAT = heartbeat.NEXT_BEAT = 0.0
heartbeat._SHORTEST_SLEEP = 0.05
"""


def test_a_run_without_a_terminal_has_a_heartbeat(orgvue: Orgvue, tmp_path: Path) -> None:
    """What lasts long is told in the log, here with no time at all taken for long."""
    log = tmp_path / "log"

    def told(*words: str) -> bool:
        return any(
            all(word in line for word in words) for line in log.read_text("utf-8").splitlines()
        )

    lines = {
        "list": "discovery: list of datasets, 0 s",
        "export": "discovery: 0 of 1 datasets, 0 s",
        "job": "people: waiting for Orgvue, 0 s",
        "ticket": "people: export job running, ",
    }
    for route, words in lines.items():
        orgvue.meanwhile(until(lambda words=words: told("INFO", words)), on=route)  # type: ignore[misc]
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**orgvue.config, "export_mode": "async"}), encoding="utf-8")
    with log.open("wb") as stderr:
        done = completed(["--config", str(config)], stderr=stderr.fileno(), first=BEATS)
    assert done.returncode == 0
    assert all(told("INFO", words) for words in lines.values())
    assert done.stdout.count('{"type":"RECORD"') == 5


@pytest.mark.slow
def test_a_terminal_that_takes_nothing_holds_no_run_up(
    orgvue: Orgvue, start: Callable[..., WarmProcess]
) -> None:
    """After Ctrl-S the display stands still, and the run goes on to its end."""
    catalog = discover(orgvue.config)
    with terminal() as opened:

        def stopped() -> None:
            until(lambda: shows(opened, "people  waiting for Orgvue"))()
            opened.type(b"\x13")

        orgvue.meanwhile(stopped, on="export")
        process = start(opened, orgvue.config, catalog=catalog, LOGLEVEL="ERROR")
        out, _ = process.communicate(timeout=TIMEOUT)
        opened.type(b"\x11")
    assert process.returncode == 0
    assert out.count(b'{"type":"RECORD"') == 5
