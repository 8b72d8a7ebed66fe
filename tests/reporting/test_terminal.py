"""A stream on a terminal with a frame below its text."""

from __future__ import annotations

import io
import logging
import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.reporting.terminal import FramedStream
from tests.support.screens import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def framed(
    opened: Terminal,
    encoding: str = "utf-8",
    errors: str = "backslashreplace",
    buffering: int = -1,
) -> Iterator[FramedStream]:
    """A framed stream on a terminal; what was written has come when the block ends."""
    side = os.dup(opened.side)
    with os.fdopen(side, "w", buffering, encoding=encoding, errors=errors) as to:
        yield FramedStream(to)
    opened.read_all()


def test_text_stands_above_the_frame() -> None:
    """Each text is there as a whole, and the latest frame below it."""
    with terminal(columns=20, rows=6) as opened:
        with framed(opened) as stream:
            stream.write("one\n")
            stream.show(["frame 1", "second line"])
            stream.write("two, which is longer than a line of it\n")
            stream.writelines(["three\n", "four\n"])
            stream.show(["frame 2"])
        assert opened.screen.text == [
            *("one", "two, which is longer than a line of it", "three", "four"),
            *("", "frame 2"),
        ]


def test_a_removed_frame_leaves_nothing() -> None:
    """Once the frame is removed the text alone is there, and text is written as ever."""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["frame"] * 5)
            stream.write("one\n")
            stream.remove()
            stream.write("two\n")
            stream.remove()
        assert opened.screen.text == ["one", "two", ""]
        assert opened.received.endswith("two\r\n"), "nothing is removed twice"


def test_text_that_came_before_stands_before() -> None:
    """What the stream holds back as yet comes before the frame, and before later text."""
    with terminal() as opened:
        with framed(opened, buffering=8192) as stream:
            stream.write("one\n")
            stream.show(["frame"])
        assert opened.screen.text == ["one", "", "frame"]
    with terminal() as opened:
        with framed(opened) as stream:
            stream.write("a line")
            stream.show(["frame"])
            stream.write(" of it\n")
        assert opened.screen.text == ["a line of it", "", "frame"]


def test_a_terminal_that_takes_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is written after it."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda to, data: write(to, data[:3]))
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["a frame"])
            stream.write("a line\n")
        assert opened.screen.text == ["a line", "", "a frame"]


def test_no_frame_breaks_a_line() -> None:
    """While a line is incomplete no frame is shown."""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["frame"])
            for text in ("one", " ", "", "line"):
                stream.write(text)
                stream.show(["frame"])
            stream.write("\nrest")
            stream.show(["frame"])
            stream.write(" of it\n")
        assert opened.screen.text == ["one line", "rest of it", "", "frame"]


def test_a_line_that_is_too_wide_is_cut() -> None:
    """A frame takes no more lines than it has, though its text is wider than thought."""
    with terminal(columns=10) as opened:
        with framed(opened) as stream:
            for _ in range(3):
                stream.show(["0123456789abcdef", "second"])
            stream.write("text\n")
        assert opened.screen.text == ["text", "", "0123456789", "second"]


@pytest.mark.parametrize("errors,shown", [("backslashreplace", "B\\xfcro"), ("replace", "B?ro")])
def test_signs_that_the_terminal_lacks(errors: str, shown: str) -> None:
    """A text tells a sign that the encoding lacks as the stream does, a frame one for one."""
    with terminal() as opened:
        with framed(opened, "ascii", errors) as stream:
            stream.show(["na…"])
            stream.write("Büro\n")
        assert opened.screen.text == [shown, "", "na?"]


def test_it_takes_the_place_of_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers of every logger write through it while it is installed, and no longer."""
    with terminal() as opened:
        with os.fdopen(os.dup(opened.side), "w") as to:
            monkeypatch.setattr(sys, "stderr", to)
            handler, other = logging.StreamHandler(to), logging.StreamHandler(sys.stdout)
            logger = logging.getLogger("tap-orgvue.of.test_terminal")
            logger.propagate = False
            logger.handlers = [handler, other, logging.NullHandler()]
            stream = FramedStream(to)
            stream.install()
            places: list[object] = [sys.stderr, handler.stream, other.stream]
            assert places == [stream, stream, sys.stdout]
            stream.show(["frame"])
            logger.warning("one")
            sys.stderr.write("two\n")
            assert sys.stderr.isatty()
            stream.remove()
            stream.uninstall()
            places = [sys.stderr, handler.stream, other.stream]
            assert places == [to, to, sys.stdout]
            logger.handlers = []
        opened.read_all()
        assert opened.screen.text == ["one", "two", ""]


def test_it_takes_no_other_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has put a stream of its own into `sys.stderr` keeps it."""
    with terminal() as opened, framed(opened) as stream:
        own = io.StringIO()
        monkeypatch.setattr(sys, "stderr", own)
        stream.install()
        assert sys.stderr is own
        stream.uninstall()
        assert sys.stderr is own


def test_a_shell_has_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the background no frame is shown, and the frame from before is not shown again."""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["frame"])
            monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
            shown = opened.received
            stream.show(["frame"])
            stream.write("text\n")
            stream.remove()
        assert opened.received.count("frame") == 1
        assert opened.received.startswith(shown)


def test_a_frame_is_abandoned_without_a_wait() -> None:
    """A process that ends at once removes the frame where the terminal takes that, for good."""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["frame"])
            stream.abandon()
            stream.abandon()
            stream.show(["another"])
            stream.write("The last line.\n")
        assert opened.screen.text == ["The last line.", ""]


def test_nothing_is_abandoned_without_a_frame() -> None:
    """Neither where none was shown, nor where it went for a line that is not complete."""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.abandon()
        assert opened.received == ""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["frame"])
            stream.write("a line")
            stream.abandon()
            stream.write(" of it\n")
        assert opened.screen.text == ["a line of it", ""]


def test_a_terminal_that_takes_nothing_keeps_its_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler waits for no terminal, as after Ctrl-S."""
    waits: list[float] = []

    def nothing(*given: Any) -> tuple[list[int], list[int], list[int]]:
        waits.append(given[3])
        return [], [], []

    monkeypatch.setattr(select, "select", nothing)
    with terminal() as opened:
        with framed(opened) as stream:
            stream.show(["frame"])
            stream.abandon()
        assert opened.screen.text == ["", "frame"]
    assert waits == [0]


@pytest.mark.parametrize("columns,rows", [(0, 0), (0, 50), (100, 0)])
def test_a_terminal_that_does_not_tell_its_size(columns: int, rows: int) -> None:
    """It is taken for one of 80 columns and 24 lines; so is a stream that is no terminal."""
    with terminal(columns, rows) as opened, framed(opened) as stream:
        assert stream.size() == (80, 24)
    with terminal(100, 50) as opened, framed(opened) as stream:
        assert stream.size() == (100, 50)
    read, write = os.pipe()
    with os.fdopen(read), os.fdopen(write, "w") as pipe:
        assert FramedStream(pipe).size() == (80, 24)


def test_writing_tells_the_number_of_characters() -> None:
    """As that of any text stream, with a frame and without one."""
    with terminal() as opened, framed(opened) as stream:
        assert stream.write("Büro\n") == 5
        stream.show(["frame"])
        assert stream.write("Büro\n") == 5


def test_an_empty_text_begins_no_line() -> None:
    """The frame stays."""
    with terminal() as opened:
        with framed(opened) as stream:
            stream.write("one\n")
            stream.write("")
            stream.show(["frame"])
        assert opened.screen.text == ["one", "", "frame"]
