"""ACTIVATE_VERSION: after the records, and with a version above every one before."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tap_orgvue.singer import deferred_versions
from tests.support.small_tap import small_tap, standard_output

if TYPE_CHECKING:
    import pytest

SDK_HOOK = "_write_activate_version_message"
"""What the SDK calls before the first record."""


def test_the_message_is_written_only_when_it_is_asked_for() -> None:
    """The SDK's call before the first record sets the version and writes nothing."""
    stream = small_tap().first
    assert stream.version is None
    with standard_output() as written:
        getattr(stream, SDK_HOOK)(5)
        assert written().messages == []
        stream.activate_version()
        assert written().messages == [
            {"type": "ACTIVATE_VERSION", "stream": "first", "version": stream.version}
        ]


def test_without_a_version_nothing_is_activated() -> None:
    """A stream whose records carry no version writes no message: it would delete them all."""
    with standard_output() as written:
        small_tap().first.activate_version()
        assert written().messages == []


class Clock:
    """A clock that passes only while somebody sleeps, or is set back by that."""

    def __init__(self, now: float) -> None:
        """Start at this time, in seconds since 1970."""
        self.now = now
        self.slept = 0.0

    def time(self) -> float:
        """The time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0
        self.slept += seconds
        self.now += seconds


def version_at(monkeypatch: pytest.MonkeyPatch, clock: Clock, start: int) -> int | None:
    """The version of a stream in a process that started in this second."""
    monkeypatch.setattr(deferred_versions, "_PROCESS_START", start)
    monkeypatch.setattr(deferred_versions, "time", clock)
    stream = small_tap().first
    getattr(stream, SDK_HOOK)(5)
    return stream.version


def test_a_version_is_later_than_the_start_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed in the second in which this one starts has a smaller version."""
    clock = Clock(1000.25)
    assert version_at(monkeypatch, clock, 1000) == 1001
    assert clock.now == 1001.0


def test_a_version_is_the_current_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders keep versions in 32 bits; nobody waits where time has passed."""
    clock = Clock(5000.75)
    assert version_at(monkeypatch, clock, 1000) == 5000
    assert clock.slept == 0.0


def test_a_clock_that_was_set_back_delays_nobody_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version is later than the start of the process, though the clock says otherwise."""
    clock = Clock(1000.0)
    assert version_at(monkeypatch, clock, 5000) == 5001
    assert clock.slept == 1.0


def test_the_process_started_before_now() -> None:
    """In whole seconds."""
    start = deferred_versions._PROCESS_START  # noqa: SLF001 - what the others replace
    assert isinstance(start, int)
    assert time.time() - start >= 0
