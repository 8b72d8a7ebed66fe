"""How a process ends: with which code and which last words, by an error, a signal or neither."""

from __future__ import annotations

import errno
import inspect
import io
import logging
import signal
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_orgvue import __main__ as start
from tap_orgvue import cli, tap_command
from tap_orgvue.orgvue.errors import ConnectionFailed, Misconfigured, OrgvueError
from tap_orgvue.reporting.live_display import LiveDisplay
from tap_orgvue.run_ending import ending_of
from tap_orgvue.settings import SettingsError
from tap_orgvue.singer.errors import OutputFailed
from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS, Terminated
from tap_orgvue.tap import TapOrgvue
from tap_orgvue.tap_command import StreamsFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from tap_orgvue.simulator import Orgvue


class Exited(BaseException):
    """The process would end."""


@pytest.fixture
def _exits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end at once is an exception here."""

    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr("os._exit", leave)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("_exits")
def test_a_signal_while_the_tap_is_imported(number: int) -> None:
    """The process ends with the signal's exit code, and no traceback."""
    with pytest.raises(Exited) as ended:
        start._end(number, None)  # noqa: SLF001 - a handler of signals
    assert ended.value.args == (128 + number,)


def test_a_signal_before_the_first_stream() -> None:
    """It ends the run as one during a stream does."""
    with pytest.raises(Terminated) as ended:
        cli._end(signal.SIGTERM, None)  # noqa: SLF001 - a handler of signals
    assert ending_of(ended.value).exit_code == 143


@pytest.fixture
def end(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], int]:
    """Runs the command line with this in place of the tap; the exit code of the process."""
    monkeypatch.setattr(cli, "tune_process", lambda: None)
    # Of Python itself at first, and as before afterwards.
    monkeypatch.setattr(logging.Logger, "makeRecord", inspect.unwrap(logging.Logger.makeRecord))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))

    def ended(happen: Callable[[], object]) -> int:
        tap = type("Replaced", (TapOrgvue,), {"cli": staticmethod(happen)})
        monkeypatch.setattr(cli, "TapOrgvue", tap)
        with pytest.raises((SystemExit, Exited)) as raised:
            cli.run()
        (code,) = raised.value.args
        return int(code)

    return ended


def raising(error: BaseException) -> Callable[[], object]:
    """What fails."""

    def fail() -> object:
        raise error

    return fail


NO_ROOM = OSError(errno.ENOSPC, "No space left on device")
LAST_WORDS: dict[str, tuple[BaseException, int, list[str]]] = {
    "nothing": (SystemExit(0), 0, []),
    "a command line that is wrong": (SystemExit(2), 2, []),
    "settings": (
        SettingsError(["a: is wrong.", "b: is wrong."]),
        3,
        ["a: is wrong.", "b: is wrong."],
    ),
    "an error of Orgvue": (Misconfigured("Nothing."), 3, ["Nothing."]),
    "a mistake of the tap": (KeyError("x"), 1, ["KeyError: 'x'"]),
    "streams": (
        StreamsFailed({"a": OrgvueError("No.\nNo."), "b": OrgvueError("Nor b.")}, 3),
        5,
        ["2 of 3 streams failed:\n  a: No.\\nNo.\n  b: Nor b."],
    ),
    "a file": (
        FileNotFoundError(errno.ENOENT, "No such file or directory", "x.json"),
        1,
        ["No such file or directory: x.json"],
    ),
    "a pipe of click's": (
        NO_ROOM,
        6,
        ["Standard output cannot be written: No space left on device."],
    ),
    "an output": (OutputFailed("No room."), 6, ["No room."]),
}


@pytest.mark.parametrize("case", LAST_WORDS.values(), ids=LAST_WORDS.keys())
@pytest.mark.usefixtures("_exits")
def test_the_last_words_of_a_process(
    end: Callable[[Callable[[], object]], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    case: tuple[BaseException, int, list[str]],
) -> None:
    """What is wrong, behind the report of the run; a traceback is for DEBUG."""
    caplog.set_level(logging.DEBUG)
    recorder = Recorder(lambda: TapOrgvue.logger.error("Reported."))
    monkeypatch.setattr(TapOrgvue, "recorder", recorder)
    error, code, lines = case
    assert end(raising(error)) == code
    assert [code for code, _ in recorder.ended] == [code]
    told = [record for record in caplog.records if record.levelno > logging.INFO]
    assert {record.levelno for record in told} == {logging.ERROR}
    assert [record.getMessage() for record in told] == ["Reported.", *lines]
    assert all(record.exc_info is None for record in told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_tap_has_handlers(
    end: Callable[[Callable[[], object]], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    """The process ends with its code, and a warning says what was sent."""

    def arrive() -> None:
        handler: Any = signal.getsignal(number)
        handler(number, None)

    recorder = Recorder(lambda: None)
    monkeypatch.setattr(TapOrgvue, "recorder", recorder)
    assert end(arrive) == 128 + number
    assert recorder.ended == [(128 + number, "terminated")]
    (told,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert told.levelno == logging.WARNING
    assert told.getMessage().startswith(f"Ended by {signal.Signals(number).name}.")
    assert told.getMessage().endswith("What was sent is complete up to its last STATE.")


@pytest.mark.usefixtures("_exits")
def test_a_pipe_that_click_found_closed(
    end: Callable[[Callable[[], object]], int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It puts another standard output in place, and exits with 1: the loader is gone."""

    def exit_as_click() -> None:
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        raise SystemExit(1)

    assert end(exit_as_click) == 6
    assert caplog.messages == ["The reader closed the pipe before everything was written."]


@pytest.mark.usefixtures("_exits")
def test_text_that_stays_in_a_buffer(
    end: Callable[[Callable[[], object]], int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--version` and `--help` succeed once their text is out."""
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    flushed: list[None] = []
    monkeypatch.setattr(out, "flush", lambda: flushed.append(None))
    assert end(raising(SystemExit(0))) == 0
    assert flushed == [None]
    monkeypatch.setattr(out, "flush", raising(NO_ROOM))
    assert end(raising(SystemExit(0))) == 6
    assert caplog.messages == ["Standard output cannot be written: No space left on device."]


@pytest.mark.parametrize(
    "code,ends,reason",
    [(None, 0, "done"), (0, 0, "done"), (2, 2, "usage"), ("No.", 1, "unexpected")],
)
def test_an_exit_of_python(code: int | str | None, ends: int, reason: str) -> None:
    """Its code is a number, none for success, or the text of a failure; it is no error."""
    ending = ending_of(SystemExit(code))
    assert (ending.exit_code, ending.reason, ending.error) == (ends, reason, None)


@pytest.mark.parametrize(
    "error,retryable", [(ConnectionFailed("No."), True), (Misconfigured("No."), False)]
)
def test_the_error_of_an_ending(error: OrgvueError, retryable: bool) -> None:  # noqa: FBT001
    """It tells whether a later run may succeed, as its exit code does."""
    ended = ending_of(error).error
    assert ended is not None
    assert (ended.message, ended.retryable) == ("No.", retryable)


class Recorder:
    """Is told of the end of a run.

    Attributes:
        ended: Exit code and reason of each ending.
    """

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        """Do something while the report is written."""
        self.ended: list[tuple[int, str]] = []
        self._meanwhile = meanwhile

    def watch(self, *_: object) -> None:
        """Look at nothing of a run."""

    def conclude(self, ending: Any, *_: object) -> None:
        """Note the ending."""
        self.ended.append((ending.exit_code, ending.reason))
        self._meanwhile()


@pytest.mark.usefixtures("_exits")
def test_signals_while_the_report_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second signal of a moment changes nothing; a later one ends the process at once."""
    now = 1000.0
    monkeypatch.setattr(cli, "time", SimpleNamespace(monotonic=lambda: now))

    def signals() -> None:
        nonlocal now
        handler: Any = signal.getsignal(signal.SIGTERM)
        handler(signal.SIGTERM, None)
        now += IMPATIENT_SECONDS
        handler(signal.SIGTERM, None)
        now += 0.1
        handler(signal.SIGTERM, None)
        pytest.fail("The process went on.")

    recorder = Recorder(signals)
    monkeypatch.setattr(TapOrgvue, "recorder", recorder)
    with pytest.raises(Exited) as ended:
        cli._conclude(Terminated(signal.SIGINT))  # noqa: SLF001 - the last that a process does
    assert ended.value.args == (130,)
    assert recorder.ended == [(130, "terminated")]


def test_a_report_that_fails_changes_no_exit_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error is logged, and the process ends as it would have; it is told of once."""

    def fail() -> None:
        raise ValueError("why")

    recorder = Recorder(fail)
    monkeypatch.setattr(TapOrgvue, "recorder", recorder)
    cli._conclude(SystemExit(0))  # noqa: SLF001 - the last that a process does
    cli._conclude(SystemExit(0))  # noqa: SLF001 - as above
    assert caplog.messages[-1].startswith("run_report: the report of this run cannot be made: ")
    assert recorder.ended == [(0, "done")]


def test_a_run_that_is_abandoned_before_its_first_stream_is_reported(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No stream has ended then; the report is made once, and the signal is told."""
    recorder = Recorder(lambda: None)
    monkeypatch.setattr(TapOrgvue, "recorder", recorder)
    tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
    tap.abandon(Terminated(signal.SIGTERM))
    tap.close()
    assert recorder.ended == [(143, "terminated")]
    assert TapOrgvue.recorder is None
    assert "SIGTERM" in caplog.text


def test_a_tap_in_a_notebook_that_is_abandoned_reports_nothing(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a run of the command nobody recorded anything."""
    tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
    tap.abandon(Terminated(signal.SIGTERM))
    tap.close()
    assert "SIGTERM" not in caplog.text


def test_a_report_holds_an_abandoned_process_up_only_shortly(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the main thread holds, as the lock of the log, its report may wait for in vain."""
    monkeypatch.setattr(tap_command, "_REPORT_SECONDS", 0.01)
    free = threading.Event()
    monkeypatch.setattr(TapOrgvue, "recorder", recorder := Recorder(free.wait))
    tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
    tap.abandon(Terminated(signal.SIGTERM))
    [waiting] = [each for each in threading.enumerate() if each.name == "orgvue-report"]
    assert waiting.daemon
    free.set()
    waiting.join()
    tap.close()
    assert recorder.ended == [(143, "terminated")]


class Display(LiveDisplay):
    """A display of a terminal that shows nothing.

    Attributes:
        is_shown: True while it would be seen.
    """

    def __init__(self) -> None:
        """Be seen."""
        self.is_shown = True

    @override
    def __enter__(self) -> Self:
        return self

    @override
    def __exit__(self, *_: object) -> None:
        """Stay as it is."""

    @override
    def abandon(self) -> None:
        self.is_shown = False


def test_an_abandoned_process_leaves_no_display(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone before the report, and so is a frame that was under way meanwhile."""
    display, seen = Display(), []

    def draw() -> None:
        seen.append(display.is_shown)
        display.is_shown = True

    monkeypatch.setattr(tap_command, "watch", lambda *_, **__: display)
    monkeypatch.setattr(TapOrgvue, "recorder", Recorder(draw))
    tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
    with tap.watched(sends_records=True):
        tap.abandon(Terminated(signal.SIGTERM))
    tap.close()
    assert seen == [False]
    assert not display.is_shown
