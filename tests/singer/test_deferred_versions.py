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


def test_a_version_is_later_than_the_start_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was killed in the second in which this one starts has a smaller version."""
    start = int(time.time())
    monkeypatch.setattr(deferred_versions, "_PROCESS_START", start)
    stream = small_tap().first
    getattr(stream, SDK_HOOK)(5)
    assert stream.version is not None
    assert start < stream.version <= time.time()


def test_a_version_is_the_current_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaders keep versions in 32 bits."""
    monkeypatch.setattr(deferred_versions, "_PROCESS_START", int(time.time()) - 3600)
    stream, before = small_tap().first, int(time.time())
    getattr(stream, SDK_HOOK)(5)
    assert stream.version is not None
    assert before <= stream.version <= time.time()


def test_a_clock_that_was_set_back_delays_nobody_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version is later than the start of the process, though the clock says otherwise."""
    start = int(time.time()) + 10**6
    monkeypatch.setattr(deferred_versions, "_PROCESS_START", start)
    stream = small_tap().first
    getattr(stream, SDK_HOOK)(5)
    assert stream.version == start + 1
