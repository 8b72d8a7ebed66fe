"""Which failures are retried, how often, and after how long. The retry loop is `backoff`'s."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import backoff

from tap_orgvue.orgvue.errors import OrgvueError, Refusal

if TYPE_CHECKING:
    import logging
    import threading
    from collections.abc import Callable
    from typing import Any

    from tap_orgvue.orgvue.rate_limit import RateLimiter

T = TypeVar("T")

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds: the upper bound of the first wait, and of any later one."""

LONGEST_RETRY_AFTER = 3600.0
"""Seconds: the longest `Retry-After` that is honoured."""


class Retrier:
    """Retries what may succeed later. Thread safe."""

    def __init__(
        self, stop: threading.Event, rate_limiter: RateLimiter, logger: logging.Logger
    ) -> None:
        """Keep what the waits depend on.

        Args:
            stop: Ends every wait when it is set.
            rate_limiter: Paused for all threads after a throttle.
            logger: Told of each retry, as a warning.
        """
        self._stop = stop
        self._rate_limiter = rate_limiter
        self._logger = logger

    def call(self, attempt: Callable[[], T], *, tries: int) -> T:
        """Call until it succeeds, as long as its failures are retryable.

        Args:
            attempt: Sends a request once.
            tries: The most calls, at least 1.

        Raises:
            OrgvueError: The first error that is not retryable, the error of the last attempt, or
                the error that was waited after when the run ended.
        """
        retried = backoff.on_exception(
            # `backoff` sleeps where the end of a run cannot wake it: `_wait` waits instead.
            backoff.constant,
            OrgvueError,
            interval=0,
            jitter=None,
            max_tries=tries,
            giveup=lambda error: not getattr(error, "retryable", False),
            on_backoff=lambda details: self._wait(details, tries),
            logger=None,
        )(attempt)
        return retried()

    def _wait(self, details: Any, tries: int) -> None:
        error, tried = details["exception"], details["tries"]
        seconds = wait_before_retry(tried, error)
        self._logger.warning(
            "Retrying in %.1f seconds (attempt %d of %d): %s", seconds, tried + 1, tries, error
        )
        if isinstance(error, Refusal) and error.throttled:
            self._rate_limiter.pause(seconds)
        if self._stop.wait(seconds):
            raise error


def wait_before_retry(tried: int, error: OrgvueError) -> float:
    """Seconds to wait: exponential with full jitter, but no less than `Retry-After`.

    Args:
        tried: Attempts so far, at least 1.
        error: What the last attempt failed with.
    """
    # Jitter spreads requests; it protects no secret.
    seconds = random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tried - 1)))  # noqa: S311
    requested = parse_retry_after(error.retry_after) if isinstance(error, Refusal) else 0.0
    return max(seconds, requested)


def parse_retry_after(header: str | None) -> float:
    """Seconds of a `Retry-After` header, a number or an HTTP date (RFC 9110, 10.2.3).

    Returns:
        0 where there is none or it cannot be read, at most `LONGEST_RETRY_AFTER`.
    """
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
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else 0.0
