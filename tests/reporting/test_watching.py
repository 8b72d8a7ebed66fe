"""How a run is watched: which way is taken, and the live display from its begin to its end."""

from __future__ import annotations

import io
import logging
import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest
from typing_extensions import override

from tap_orgvue.reporting import live_display
from tap_orgvue.reporting.heartbeat import Heartbeat
from tap_orgvue.reporting.journal import Journal, Stage
from tap_orgvue.reporting.live_display import LiveDisplay
from tap_orgvue.reporting.loader_wait import LoaderWait
from tap_orgvue.reporting.watching import watch
from tests.support.screens import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOGGER = logging.getLogger("tap-orgvue")


class Tty(io.StringIO):
    """Says that it is a terminal, and has no descriptor."""

    @override
    def isatty(self) -> bool:
        if self.closed:
            raise ValueError
        return True


@contextmanager
def stream_of(opened: Terminal) -> Iterator[TextIO]:
    """A stream on a terminal."""
    with os.fdopen(os.dup(opened.side), "w", encoding="utf-8") as stream:
        yield stream


TERMINAL = object()


def watched(
    stderr: object = TERMINAL, stdout: object = None, *, sends_records: bool = True
) -> LiveDisplay | Heartbeat:
    """What tells how far a run is: with standard error on a terminal, unless it is given."""
    with terminal() as opened, stream_of(opened) as stream, pytest.MonkeyPatch.context() as patch:
        # Not in a fixture: pytest has streams of its own in their places afterwards.
        patch.setattr(sys, "stderr", stream if stderr is TERMINAL else stderr)
        patch.setattr(sys, "stdout", stdout)
        return watch(Journal(), LOGGER, seconds_writing=lambda: 0.0, sends_records=sends_records)


@pytest.fixture(autouse=True)
def _moves_its_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal is one that most people have."""
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_shows_a_run_live() -> None:
    """Where standard error is a terminal that moves its cursor."""
    assert isinstance(watched(), LiveDisplay)


@pytest.mark.parametrize("name", ["", "dumb", "unknown", None])
def test_a_terminal_that_moves_no_cursor(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets lines of the log."""
    monkeypatch.delenv("TERM") if name is None else monkeypatch.setenv("TERM", name)
    assert isinstance(watched(), Heartbeat)


@pytest.mark.parametrize("stderr", [None, io.StringIO(), Tty()])
def test_what_is_no_terminal(stderr: TextIO | None) -> None:
    """A file, a stream of a notebook and a process without standard error get lines of the log."""
    assert isinstance(watched(stderr), Heartbeat)


def test_a_closed_stream_is_no_terminal() -> None:
    """It breaks nothing, a stream of a descriptor no more than one without."""
    with Path(os.devnull).open("w", encoding="utf-8") as file, Tty() as tty:
        pass
    assert [type(watched(closed)) for closed in (file, tty)] == [Heartbeat] * 2


def test_records_on_the_same_terminal(caplog: pytest.LogCaptureFixture) -> None:
    """No display comes between them, and the log tells where to send them."""
    with caplog.at_level(logging.INFO):
        assert isinstance(watched(stdout=Tty()), Heartbeat)
        assert "Records are written to a terminal. Pipe them into a loader" in caplog.text
        caplog.clear()
        assert isinstance(watched(stdout=Tty(), sends_records=False), LiveDisplay)
    assert caplog.text == ""


@pytest.mark.parametrize("value,colors", [(None, True), ("", True), ("1", False), ("0", False)])
def test_colours(value: str | None, monkeypatch: pytest.MonkeyPatch, *, colors: bool) -> None:
    """`NO_COLOR` with any text switches them off."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if value is not None:
        monkeypatch.setenv("NO_COLOR", value)
    given = []
    monkeypatch.setattr(
        "tap_orgvue.reporting.watching.LiveDisplay", lambda *_, colors: given.append(colors)
    )
    watched()
    assert given == [colors]


# -- the display


class Pauses:
    """Ends a display after some frames.

    Attributes:
        seconds: How long it waited, frame by frame.
    """

    def __init__(self, frames: int) -> None:
        """Let it make some frames."""
        self.frames = frames
        self.seconds: list[float] = []

    def is_set(self) -> bool:
        """True once it has waited often enough."""
        return len(self.seconds) >= self.frames

    def wait(self, seconds: float) -> None:
        """Wait not at all."""
        self.seconds.append(seconds)

    def set(self) -> None:
        """Ignored: every frame is made."""


@contextmanager
def displayed(
    frames: int, start: Callable[[], None] | None = None
) -> Iterator[tuple[Terminal, Pauses]]:
    """A terminal on which a display was shown and removed; a line is logged meanwhile."""
    journal = Journal()
    journal.stream("people").enter(Stage.WAITING)
    with terminal(columns=60, rows=8) as opened:
        with stream_of(opened) as stream, pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            display = LiveDisplay(journal, stream, LoaderWait(lambda: 0.0, 0.0), colors=False)
            pauses = Pauses(frames)
            patch.setattr(display, "_stop", pauses)
            if start:
                patch.setattr(display._thread, "start", start)  # noqa: SLF001 - has failed to start
            with display as entered:
                assert entered is display
                assert sys.stderr is not stream, "lines of the log come above the frame"
                sys.stderr.write("a line of the log\n")
            assert sys.stderr is stream, "the stream has its place back"
        opened.read_all()
        yield opened, pauses


def test_the_display_is_below_the_log() -> None:
    """Frames come at their pace; nothing of them is left, and every line of the log is."""
    with displayed(3) as (opened, pauses):
        assert pauses.seconds == [live_display.REFRESH_SECONDS] * 3
        assert opened.screen.text == ["a line of the log", ""]
        assert any("people" in line for frame in opened.screen.frames for line in frame)


def test_the_thread_of_a_display_ends_with_it() -> None:
    """Nothing is drawn after the run, and a process that ends at once waits for no display."""
    with terminal() as opened:
        with stream_of(opened) as stream:
            display = LiveDisplay(Journal(), stream, LoaderWait(lambda: 0.0, 0.0), colors=False)
            with display:
                [thread] = (each for each in threading.enumerate() if each.name == "orgvue-display")
                assert thread.daemon
            assert not thread.is_alive()
        opened.read_all()


def test_a_display_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run goes on without it."""
    monkeypatch.setattr("tap_orgvue.reporting.frame.FrameMaker.lines", None)
    with displayed(3) as (opened, pauses):
        assert pauses.seconds == []
        assert opened.screen.text == ["a line of the log", ""]


def test_no_thread_for_a_display() -> None:
    """Where a system grants no further thread, a run has no display, and is a run."""

    def refuse() -> None:
        raise RuntimeError

    with displayed(1, refuse) as (opened, _):
        assert opened.screen.frames == []
        assert opened.screen.text == ["a line of the log", ""]


def test_a_display_is_abandoned_at_once() -> None:
    """A signal handler removes the frame without waiting for the thread."""
    journal = Journal()
    journal.stream("people").enter(Stage.WAITING)
    with terminal() as opened:
        with stream_of(opened) as stream:
            display = LiveDisplay(journal, stream, LoaderWait(lambda: 0.0, 0.0), colors=False)
            display._terminal.show(["frame"])  # noqa: SLF001 - as its thread does
            display.abandon()
        opened.read_all()
        assert opened.screen.text == [""]
