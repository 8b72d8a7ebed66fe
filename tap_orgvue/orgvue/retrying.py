"""The retries of failed requests: which, how many, after which wait. `backoff` runs the loop."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import backoff

from tap_orgvue.orgvue.errors import (
    DeadlineExceeded,
    OrgvueError,
    Refusal,
    RetryAfterTooLong,
)

if TYPE_CHECKING:
    import logging
    import threading
    from collections.abc import Callable
    from typing import Any

    from tap_orgvue.orgvue.deadlines import Deadline
    from tap_orgvue.orgvue.rate_limit import RateLimiter
    from tap_orgvue.orgvue.request_log import Purpose, RequestLog

T = TypeVar("T")

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds: the upper bound of the first wait, and of any later one."""

LONGEST_RETRY_AFTER = 366 * 86400.0
"""Seconds: a longer `Retry-After` counts as this one."""


class Retrier:
    """Retries retryable failures. Thread safe."""

    def __init__(
        self,
        stop: threading.Event,
        rate_limiter: RateLimiter,
        requests: RequestLog,
        logger: logging.Logger,
        *,
        max_wait: float,
    ) -> None:
        """Keep the dependencies.

        Args:
            stop: Ends every wait when it is set.
            rate_limiter: Paused for all threads after a throttle.
            requests: Counts the retries, and knows the names of datasets.
            logger: Logs each retry, at INFO: a retry that succeeds needs no action.
            max_wait: The longest `Retry-After` that is waited for, in seconds.
        """
        self._stop = stop
        self._rate_limiter = rate_limiter
        self._requests = requests
        self._logger = logger
        self._max_wait = max_wait

    def call(
        self,
        attempt: Callable[[], T],
        purpose: Purpose,
        *,
        tries: int,
        deadline: Deadline | None = None,
    ) -> T:
        """Call until it succeeds, while its failures are retryable.

        Args:
            attempt: Sends a request once.
            purpose: What the request is for.
            tries: The maximum number of calls, at least 1.
            deadline: No wait lasts longer.

        Raises:
            RetryAfterTooLong: A retryable response asks for a longer wait than `max_wait`.
            DeadlineExceeded: The next wait would last beyond the deadline.
            OrgvueError: The first error that is not retryable, the error of the last attempt, or,
                when the run ends during a wait, the error before the wait.
        """
        retried = backoff.on_exception(
            # `backoff` would sleep on after the end of a run: `_wait` waits instead.
            backoff.constant,
            OrgvueError,
            interval=0,
            jitter=None,
            max_tries=tries,
            giveup=lambda error: not error.retryable,
            on_backoff=lambda details: self._wait(details, purpose, tries, deadline),
            logger=None,
        )(attempt)
        return retried()

    def _wait(self, details: Any, purpose: Purpose, tries: int, deadline: Deadline | None) -> None:
        error, tried = details["exception"], details["tries"]
        seconds = wait_before_retry(tried, error)
        if seconds > max(self._max_wait, LONGEST_WAIT):
            raise RetryAfterTooLong(
                f"{error} Its `Retry-After` is longer than `max_retry_wait` ({self._max_wait:g} "
                f"seconds): run again after {_in_utc(seconds)}.",
                cause=error,
            ) from None
        if deadline and deadline.left() <= seconds:
            raise DeadlineExceeded(
                f"{error} A retry would follow in {seconds:.0f} seconds, beyond the limit of "
                f"{deadline.limit}.",
                cause=error,
            ) from None
        name = self._requests.subject(purpose)
        if isinstance(error, Refusal) and error.throttled:
            self._logger.info("%s: throttled by Orgvue, waiting %s s", name, _rounded(seconds))
            self._logger.debug("%s", error)
            self._rate_limiter.pause(seconds)
        else:
            self._logger.info(
                "%s: retrying in %s s (attempt %d of %d): %s",
                *(name, _rounded(seconds), tried + 1, tries, error),
            )
        if self._stop.wait(seconds):
            raise error
        self._requests.meter(purpose).retried()


def _rounded(seconds: float) -> str:
    return f"{round(seconds, 1):.10g}"


def wait_before_retry(tried: int, error: OrgvueError) -> float:
    """Seconds to wait: exponential with full jitter, but no less than `Retry-After`.

    Args:
        tried: Attempts so far, at least 1.
        error: The error of the last attempt.
    """
    # Jitter spreads requests; it protects no secret.
    seconds = random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tried - 1)))  # noqa: S311
    requested = parse_retry_after(error.retry_after) if isinstance(error, Refusal) else 0.0
    return max(seconds, requested)


def parse_retry_after(header: str | None) -> float:
    """Seconds of a `Retry-After` header, a number or an HTTP date (RFC 9110, 10.2.3).

    Returns:
        0 without a readable header, at most `LONGEST_RETRY_AFTER`.
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
    # A NaN is not greater than 0 either.
    return min(seconds, LONGEST_RETRY_AFTER) if seconds > 0 else 0.0


def _in_utc(seconds: float) -> str:
    at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
