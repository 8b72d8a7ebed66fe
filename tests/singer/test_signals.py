"""Which signals end a run."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.singer.signals import ending_signals

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hangup() -> Iterator[None]:
    """SIGHUP as it is outside of this test, afterwards."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(
    "handler,ends", [(signal.SIG_DFL, True), (signal.SIG_IGN, False), (lambda *_: None, True)]
)
@pytest.mark.usefixtures("hangup")
def test_a_hangup_ends_a_run_unless_it_is_ignored(handler: signal.Handlers, ends: bool) -> None:  # noqa: FBT001
    """A process under `nohup` goes on when its terminal is closed."""
    signal.signal(signal.SIGHUP, handler)
    assert (signal.SIGHUP in ending_signals()) is ends
    assert {signal.SIGINT, signal.SIGTERM} <= set(ending_signals())


def test_a_system_without_hangups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has none."""
    monkeypatch.delattr(signal, "SIGHUP")
    assert ending_signals() == [signal.SIGINT, signal.SIGTERM]
