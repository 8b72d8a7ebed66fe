"""Chooses how a run shows its progress: live on a terminal, else by log lines."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

from tap_orgvue.reporting.heartbeat import Heartbeat
from tap_orgvue.reporting.live_display import LiveDisplay
from tap_orgvue.reporting.loader_wait import LoaderWait

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from tap_orgvue.reporting.journal import Journal

_UNABLE_TERMINALS = {"", "dumb", "unknown"}
"""Values of `TERM` for terminals that cannot move the cursor."""


def watch(
    journal: Journal,
    logger: logging.Logger,
    *,
    seconds_writing: Callable[[], float],
    sends_records: bool,
) -> LiveDisplay | Heartbeat:
    """The live display or the heartbeat of a run; works while its context is entered.

    Args:
        journal: The run's journal.
        logger: Takes the lines of the heartbeat.
        seconds_writing: Seconds spent in writing to the loader so far, in any thread.
        sends_records: False if nothing is written to standard output.
    """
    loader = LoaderWait(seconds_writing, journal.now())
    is_mixed = sends_records and _is_terminal(sys.stdout)
    if is_mixed:
        logger.info(
            "Records are written to a terminal. Pipe them into a loader, as in `tap-orgvue "
            "--config config.json | target-jsonl`, or into a file with `> records.jsonl`."
        )
    if not is_mixed and _is_terminal(sys.stderr) and _moves_cursor():
        # https://no-color.org: any text but an empty one.
        colors = not os.environ.get("NO_COLOR")
        # A stream in its place, as notebooks have one, may have no descriptor.
        with suppress(OSError, AttributeError):
            return LiveDisplay(journal, sys.stderr, loader, colors=colors)
    return Heartbeat(journal, logger, loader)


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        # It is closed.
        return False


def _moves_cursor() -> bool:
    return os.environ.get("TERM", "") not in _UNABLE_TERMINALS
