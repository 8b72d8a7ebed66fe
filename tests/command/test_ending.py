"""How a process ends: by a signal before the tap is there, and while its report is written."""

from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue import __main__ as start
from tap_orgvue import cli
from tap_orgvue.run_ending import ending_of
from tap_orgvue.singer.isolating_tap import IMPATIENT_SECONDS, Terminated
from tap_orgvue.singer.signals import ending_signals
from tap_orgvue.tap import TapOrgvue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_orgvue.simulator import Orgvue


class Exited(BaseException):
    """The process would end."""


@pytest.fixture
def _exits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An end at once is an exception here."""

    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr("os._exit", leave)


@pytest.fixture
def _handlers() -> Iterator[None]:
    """The handlers of signals are as before, afterwards."""
    before = {number: signal.getsignal(number) for number in ending_signals()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


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


@pytest.mark.usefixtures("_exits", "_handlers")
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


@pytest.mark.usefixtures("_handlers")
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
