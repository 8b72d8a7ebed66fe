"""The frame of the live display: what it says, and what it does with names and small terminals."""

from __future__ import annotations

import pytest

from tap_orgvue.reporting.frame import FrameMaker
from tap_orgvue.reporting.journal import Journal, Stage
from tap_orgvue.reporting.loader_wait import LoaderWait
from tests.support.screens import Screen


class Shown:
    """A journal whose time is moved by hand, and its frames.

    Attributes:
        time: Seconds since the run began.
        written_for: Seconds of them that went into writing.
    """

    def __init__(self) -> None:
        """Begin a run."""
        self.time = self.written_for = 0.0
        self.journal = Journal(lambda: self.time)
        self.loader = LoaderWait(lambda: self.written_for, 0.0)

    def lines(self, columns: int = 100, rows: int = 24, *, colors: bool = False) -> list[str]:
        """The lines of a frame."""
        frames = FrameMaker(self.journal, self.loader, colors=colors)
        return frames.lines(columns, rows)


@pytest.fixture
def run() -> Shown:
    """A run that began just now."""
    return Shown()


def test_nothing_is_known_yet(run: Shown) -> None:
    """Before anything is requested there is nothing to show."""
    assert run.lines() == []


def test_discovery(run: Shown) -> None:
    """The list is waited for, then datasets are counted."""
    with run.journal.discovery():
        run.time = 5
        assert run.lines() == ["discovery: list of datasets  0:05"]
        run.journal.to_discover = 40
        run.journal.count_discovered()
        assert run.lines() == ["discovery: 1 of 40 datasets  0:05"]


def test_streams_in_work(run: Shown) -> None:
    """Each has a line with its stage, time, bytes, rows and rows a second; the rest is counted.

    The stream whose turn it is comes first.
    """
    names = ("done", "job", "down", "sending", "fetched", "planned", "planned too")
    streams = [run.journal.stream(name) for name in names]
    stages = (Stage.ENDED, Stage.JOB, Stage.DOWNLOADING, Stage.SENDING, Stage.FETCHED)
    for stream, stage in zip(streams, stages, strict=False):
        stream.enter(stage)
        stream.add_bytes(12_300_000 if stage is not Stage.JOB else 0)
    streams[0].rows, streams[3].rows = 1000, 1_000_000
    run.journal.syncing = streams[3]
    run.time = 90
    assert run.lines() == [
        "sending  sending rows         1:30  12.3 MB  1 000 000 rows  11 111 rows/s",
        "job      export job running   1:30",
        "down     downloading          1:30  12.3 MB",
        "1 of 7 streams done, 6 to go (1 fetched)  1:30  1 001 000 rows  49.2 MB",
    ]


def test_a_slow_loader_is_shown(run: Shown) -> None:
    """Rows that wait for the loader are told apart."""
    run.journal.stream("people").enter(Stage.SENDING)
    run.time, run.written_for = 4000, 3000
    assert run.lines() == [
        "people  sending rows, waiting for the loader  1:06:40",
        "0 of 1 streams done, 1 to go  1:06:40  0 rows  0.0 MB",
    ]


def test_a_wide_terminal_has_long_lines(run: Shown) -> None:
    """A stream has one line, however many columns its terminal has."""
    stream = run.journal.stream("x" * 50)
    stream.enter(Stage.SENDING)
    stream.rows, run.time, run.written_for = 1_000_000, 50, 50
    assert run.lines(200)[0] == (
        f"{'x' * 39}…  sending rows, waiting for the loader   0:50  1 000 000 rows  20 000 rows/s"
    )


def test_rows_in_no_time_have_no_speed(run: Shown) -> None:
    """The first rows may come before the clock moves."""
    stream = run.journal.stream("people")
    stream.enter(Stage.SENDING)
    stream.rows = 7
    assert run.lines()[0] == "people  sending rows   0:00  7 rows"


@pytest.mark.parametrize("columns,name", [(120, "x" * 30), (30, f"{'x' * 9}…"), (5, "…"), (2, "…")])
def test_a_name_has_a_third_of_a_narrow_terminal(run: Shown, columns: int, name: str) -> None:
    """A longer one is cut, so that the stage is seen, too."""
    run.journal.stream("x" * 30).enter(Stage.JOB)
    assert run.lines(columns)[0].startswith(f"{name}  ex"[: columns - 1])


@pytest.mark.parametrize(
    "streams,rows,shown,more",
    [(20, 24, 20, 0), (21, 24, 19, 2), (1, 5, 1, 0), (300, 6, 1, 299), (300, 4, 0, 300)],
)
def test_what_does_not_fit_is_counted(
    run: Shown, streams: int, rows: int, shown: int, more: int
) -> None:
    """As many streams as fit have a line; where some do not, the line after them says how many."""
    for i in range(streams):
        run.journal.stream(f"stream_{i}").enter(Stage.WAITING)
    *lines, _ = run.lines(rows=rows)
    assert lines[shown:] == ([f"and {more} more"] if more else [])
    assert all(line.startswith(f"stream_{i} ") for i, line in enumerate(lines[:shown]))


@pytest.mark.parametrize("columns,rows", [(100, 24), (40, 10), (12, 5), (1, 3), (20, 2), (5, 1)])
def test_300_streams_fit_every_terminal(run: Shown, columns: int, rows: int) -> None:
    """A frame is never wider nor higher than its terminal; the totals are the last to go."""
    for i in range(300):
        run.journal.stream(f"a_rather_long_name_of_a_stream_{i}").enter(Stage.WAITING)
    shown = run.lines(columns, rows)
    assert len(shown) <= max(0, rows - 2)
    assert all(len(line) <= columns for line in shown)
    if rows > 2:
        assert "0 of 300 streams done, 300 to go".startswith(shown[-1][: min(30, columns - 1)])
    if rows == 24:
        assert len(shown) == 21
        assert shown[-2] == "and 281 more"


HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "two\r\nlines\ttab",
    "[bold red]markup[/] :smile:",
    "\u202eright to left\u202c",
    "部门" * 40,
    "x" * 500,
    "e\u0301\u200b\u2028\x00\x9b2J",
    "مرحبا",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("colors", [False, True])
def test_names_are_harmless(run: Shown, name: str, *, colors: bool) -> None:
    """Whatever a stream's name holds: no command reaches the terminal, no line is too wide."""
    run.journal.stream(name).enter(Stage.WAITING)
    run.journal.syncing = run.journal.streams[0]
    lines = run.lines(80, colors=colors)
    screen = Screen(80, 24)
    for line in lines:
        if not colors:
            assert not set(line) & set("\x1b\x07\x00\x9b\r\n\t")
        screen.feed(f"{line.replace(chr(0x301), '').replace(chr(0x200B), '')}\r\n")
    assert len(screen.text) == 3
    assert "waiting for Orgvue" in screen.text[0]
    if name.startswith("[bold"):
        assert screen.text[0].startswith("[bold red]markup[/] :smil…")


def test_without_colors_there_is_no_style(run: Shown) -> None:
    """Without colours a frame is plain text, with them it has some."""
    run.journal.stream("people").enter(Stage.WAITING)
    assert "\x1b" not in "".join(run.lines())
    assert "\x1b[33m" in "".join(run.lines(colors=True))


def test_emphasis(run: Shown) -> None:
    """The stream whose turn it is and the totals are bold, and only where colours are wanted."""
    for name in ("people", "positions"):
        run.journal.stream(name).enter(Stage.WAITING)
    with run.journal.turn_of("people"):
        assert ["\x1b[1m" in line for line in run.lines(colors=True)] == [True, False, True]
        assert "\x1b" not in "".join(run.lines())


def test_discovery_has_a_time_of_its_own(run: Shown) -> None:
    """It is that since discovery began, not that of the run."""
    run.time = 60
    with run.journal.discovery():
        run.time = 65
        assert run.lines() == ["discovery: list of datasets  0:05"]
