"""A stream on a terminal with a frame below its text."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_orgvue.reporting.terminal import FramedStream
from tests.support.screens import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


@contextmanager
def framed(opened: Terminal, encoding: str = "utf-8") -> Iterator[FramedStream]:
    """A framed stream on a terminal; what was written has come when the block ends."""
    with os.fdopen(os.dup(opened.side), "w", encoding=encoding, errors="backslashreplace") as to:
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
        assert opened.screen.text == ["one", "two", ""]


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


def test_signs_that_the_terminal_lacks() -> None:
    """Where the encoding lacks a sign, the text tells it in letters, a frame one for one."""
    with terminal() as opened:
        with framed(opened, "ascii") as stream:
            stream.show(["na…"])
            stream.write("Büro\n")
        assert opened.screen.text == ["B\\xfcro", "", "na?"]


def test_it_takes_the_place_of_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers of every logger write through it while it is installed, and no longer."""
    with terminal() as opened:
        with os.fdopen(os.dup(opened.side), "w") as to:
            monkeypatch.setattr(sys, "stderr", to)
            handler, other = logging.StreamHandler(to), logging.StreamHandler(sys.stdout)
            logger = logging.getLogger("tap-orgvue.test_terminal")
            logger.propagate = False
            logger.handlers = [handler, other]
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
            places = [sys.stderr, handler.stream]
            assert places == [to, to]
            logger.handlers = []
        opened.read_all()
        assert opened.screen.text == ["one", "two", ""]


def test_a_terminal_of_unknown_size() -> None:
    """A terminal that does not tell its size is taken for one of 80 columns and 24 lines."""
    with terminal(columns=0, rows=0) as opened, framed(opened) as stream:
        assert stream.size() == (80, 24)


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
            stream.show(["another"])
            stream.write("The last line.\n")
            stream.abandon()
        assert opened.screen.text == ["The last line.", ""]


def test_a_terminal_that_does_not_tell_its_size() -> None:
    """It is taken for one of the usual size; so is a stream that is no terminal."""
    with terminal(columns=0, rows=0) as opened, framed(opened) as stream:
        assert stream.size() == (80, 24)
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
