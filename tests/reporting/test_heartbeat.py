"""Lines of the log about what takes long: when, and in which words. No test waits for one."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tap_orgvue.reporting import heartbeat
from tap_orgvue.reporting.heartbeat import Heartbeat
from tap_orgvue.reporting.journal import Journal, Stage
from tap_orgvue.reporting.loader_wait import LoaderWait
from tap_orgvue.scrubbing import SCRUBBER

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGER = logging.getLogger("tap-orgvue")


class Watched:
    """A journal whose time is moved by hand, and the lines about it.

    Attributes:
        time: Seconds since the run began.
        written_for: Seconds of them that went into writing.
    """

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        """Begin a run."""
        self.time = self.written_for = 0.0
        self.journal = Journal(lambda: self.time)
        loader = LoaderWait(lambda: self.written_for, 0.0)
        self.heartbeat = Heartbeat(self.journal, LOGGER, loader)
        self._caplog = caplog

    def after(self, seconds: float) -> list[str]:
        """Some time later: the lines that are due."""
        self.time += seconds
        self._caplog.clear()
        self.heartbeat.beat()
        assert {record.levelname for record in self._caplog.records} <= {"INFO"}
        return self._caplog.messages


@pytest.fixture
def run(caplog: pytest.LogCaptureFixture) -> Iterator[Watched]:
    """A run that began just now."""
    with caplog.at_level(logging.INFO):
        yield Watched(caplog)


def test_a_stage_is_reported_after_30_seconds_and_every_60(run: Watched) -> None:
    """Nothing of a shorter stage; then a line, and the next one 60 seconds later."""
    run.journal.stream("people").enter(Stage.JOB)
    assert run.after(29.9) == []
    assert run.after(0.1) == ["people: export job running, 30 s"]
    assert run.after(59.9) == []
    assert run.after(0.1) == ["people: export job running, 90 s"]
    assert run.after(60) == ["people: export job running, 150 s"]


def test_the_thread_wakes_when_a_line_is_due(run: Watched) -> None:
    """It sleeps until then, and until no new stage can have become due."""
    assert run.heartbeat.beat() == 30
    run.time = 20
    run.journal.stream("people").enter(Stage.JOB)
    assert run.heartbeat.beat() == 30
    run.time = 45
    assert run.heartbeat.beat() == 5
    run.time = 50
    # A line was written; another stream's stage could begin now.
    assert run.heartbeat.beat() == 30


def test_each_stage_has_its_words(run: Watched) -> None:
    """Streams in work are told, each by itself, with what came so far; others are not."""
    for stage in Stage:
        stream = run.journal.stream(stage.name.lower())
        stream.enter(stage)
        stream.rows = 1234567
        stream.add_bytes(12_345_678)
    assert run.after(30) == [
        "waiting: waiting for Orgvue, 30 s",
        "job: export job running, 30 s",
        "downloading: downloading, 30 s, 12.3 MB so far",
        "sending: sending rows, 30 s, 1 234 567 rows so far",
    ]


def test_a_new_stage_begins_anew(run: Watched) -> None:
    """What was told of one stage does not count for the next."""
    stream = run.journal.stream("people")
    stream.enter(Stage.WAITING)
    assert len(run.after(35)) == 1
    stream.enter(Stage.DOWNLOADING)
    assert run.after(29) == []
    assert run.after(1) == ["people: downloading, 30 s, 0.0 MB so far"]


def test_discovery_is_reported(run: Watched) -> None:
    """First the list is waited for, then the datasets are counted."""
    with run.journal.discovery():
        assert run.after(30) == ["discovery: list of datasets, 30 s"]
        run.journal.to_discover = 40
        for _ in range(12):
            run.journal.count_discovered()
        assert run.after(60) == ["discovery: 12 of 40 datasets, 90 s"]
    assert run.after(30) == []


def test_a_slow_loader_is_reported(run: Watched) -> None:
    """Rows that cannot be sent because the loader does not take them are told apart."""
    run.journal.stream("people").enter(Stage.SENDING)
    run.written_for += 20
    assert run.after(30) == [
        "people: sending rows, waiting for the loader, 30 s, 0 rows so far",
    ]
    run.written_for += 3
    assert run.after(60) == ["people: sending rows, 90 s, 0 rows so far"]


def test_stages_that_change_faster(run: Watched) -> None:
    """Where no stage lasts, a line every 60 seconds says how far the run is."""
    first, second = (run.journal.stream(name) for name in ("alpha", "beta"))
    first.enter(Stage.ENDED)
    with run.journal.turn_of("beta"):
        for stage in (Stage.WAITING, Stage.DOWNLOADING, Stage.SENDING):
            second.enter(stage)
            second.rows += 500
            assert run.after(19) == []
        second.enter(Stage.WAITING)
        assert run.after(3) == [
            "1 of 2 streams done, 1 500 rows, 60 s in all; beta: waiting for Orgvue"
        ]
        assert run.after(20) == []
    assert run.after(40) == ["2 of 2 streams done, 1 500 rows, 120 s in all"]


def test_names_cannot_forge_lines(run: Watched) -> None:
    """A stream of a catalog may have any name: it is part of one line, and a `%` of it nothing."""
    SCRUBBER.install()
    run.journal.stream("100 %s\n2026").enter(Stage.JOB)
    assert run.after(30) == ["100 %s\\n2026: export job running, 30 s"]


def test_the_thread_tells_and_ends(
    run: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In its thread it does the same, and ends with the run."""
    monkeypatch.setattr(heartbeat, "FIRST_BEAT", 0.0)
    told = threading.Event()

    class Handler(logging.Handler):
        @override
        def emit(self, _: logging.LogRecord) -> None:
            told.set()

    handler = Handler()
    LOGGER.addHandler(handler)
    run.journal.stream("people").enter(Stage.JOB)
    try:
        with run.heartbeat as entered:
            assert entered is run.heartbeat
            assert told.wait(60)
            found = [each for each in threading.enumerate() if each.name == "orgvue-heartbeat"]
            assert [thread.daemon for thread in found] == [True], "no process waits for it"
    finally:
        LOGGER.removeHandler(handler)
    assert caplog.messages == ["people: export job running, 0 s"]
    assert "orgvue-heartbeat" not in {thread.name for thread in threading.enumerate()}


def test_a_run_without_streams_yet(run: Watched) -> None:
    """Where no stage is under way, a line tells how far discovery is."""
    assert run.after(59.9) == []
    assert run.after(0.1) == ["discovery: list of datasets, 60 s in all"]
    run.journal.to_discover = 40
    run.journal.count_discovered()
    assert run.after(60) == ["discovery: 1 of 40 datasets, 120 s in all"]
