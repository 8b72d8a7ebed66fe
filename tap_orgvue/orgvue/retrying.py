"""Which failures are retried, how often, and after how long."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from tap_orgvue.orgvue.errors import ConnectionFailed, CutAnswer, OrgvueError, Refusal

FIRST_WAIT = 0.5

LONGEST_WAIT = 60.0
"""Seconds: the bounds of the waits between tries."""

LONGEST_ASKED_WAIT = 3600.0
"""Seconds that are waited at most, whatever `Retry-After` says."""


def _may_pass(error: OrgvueError) -> bool:
    if isinstance(error, (Refusal, ConnectionFailed)):
        return error.may_pass
    return isinstance(error, CutAnswer)


def _wait_after(tried: int, error: OrgvueError) -> float:
    """Exponential with full jitter, but never less than what Orgvue asked for."""
    # Jitter is for spreading, not for secrets.
    seconds = random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tried - 1)))  # noqa: S311
    asked_for = _retry_after(error.retry_after) if isinstance(error, Refusal) else 0.0
    return max(seconds, asked_for)


def _retry_after(header: str | None) -> float:
    """Seconds of a `Retry-After`, given as a number or as a date."""
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            until = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return 0.0
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        seconds = (until - datetime.now(timezone.utc)).total_seconds()
    # Written so that a NaN is no wait.
    return min(seconds, LONGEST_ASKED_WAIT) if seconds > 0 else 0.0
