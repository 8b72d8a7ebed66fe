"""Waits of hundredths of a second before retries, job polls and frames on a terminal.

Nothing is learnt from longer ones.

The one place where tests change how long the tap waits. A command that is started afresh waits as
ever, and so does a test that takes the fixture `real_waits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.exports import jobs
from tap_orgvue.orgvue import retrying
from tap_orgvue.reporting import live_display

if TYPE_CHECKING:
    from collections.abc import Callable

REAL = [
    (retrying, "FIRST_WAIT", retrying.FIRST_WAIT),
    (jobs, "FIRST_POLL", jobs.FIRST_POLL),
    (live_display, "REFRESH_SECONDS", live_display.REFRESH_SECONDS),
]
"""Module, name and value of each first wait; the later ones are multiples of it."""

SHORT = 0.01


def shorten(assign: Callable[[Any, str, float], object] = setattr) -> None:
    """Shorten the waits of this process.

    Args:
        assign: Sets an attribute of a module.
    """
    for module, name, _ in REAL:
        assign(module, name, SHORT)


def restore(assign: Callable[[Any, str, float], object]) -> None:
    """Wait as the tap does; arguments as for `shorten`."""
    for module, name, seconds in REAL:
        assign(module, name, seconds)
