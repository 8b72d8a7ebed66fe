"""Corrects the SDK's own log of a stream: few metrics, correct ones, and no failure.

At INFO a stream has two metrics, at its end: `record_count` with all of its records, and
`sync_duration` with the wait for the source. All other metrics are logged at DEBUG.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream, metrics
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class SyncTimer(metrics.Timer):
    """Times a sync from its beginning; the SDK starts when the first records are there."""

    def __init__(self, stream: str, began: float) -> None:
        """Count from a time of the monotonic clock, in seconds."""
        super().__init__(metrics.Metric.SYNC_DURATION, {metrics.Tag.STREAM: stream})
        self._began = began

    @override
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began


class QuietCounter(metrics.Counter):
    """A counter that is logged once, at DEBUG."""

    def __init__(self, metric: metrics.Metric, **tags: Any) -> None:
        """Start with 0."""
        super().__init__(metric, tags, log_interval=math.inf)

    @override
    def exit(self) -> None:
        """Log the count."""
        self.write(self.value, self.tags)

    def write(self, value: int, tags: dict[str, Any]) -> None:
        """Write the metric's line."""
        self.logger.debug("METRIC: %s", metrics.Point("counter", self.metric, value, tags))


class RequestCounter(QuietCounter):
    """Logs the number of requests for a stream, one line per kind.

    The SDK would count the exports that it receives: from a file, long after the requests.
    """

    def __init__(self, stream: str, counts: Callable[[], Mapping[str, int]]) -> None:
        """Take the function that gives kind and number of the requests."""
        super().__init__(metrics.Metric.HTTP_REQUEST_COUNT, stream=stream)
        self._counts = counts

    @override
    def exit(self) -> None:
        """Log the counts."""
        for kind, count in self._counts().items():
            self.write(count, {**self.tags, metrics.Tag.ENDPOINT: kind})


class QuietStream(Stream):
    """A stream with the corrected log."""

    _began: float | None = None

    def begin(self) -> None:
        """Called when the stream's turn begins, before the wait for its first records."""
        self._began = time.monotonic() - self.waited_before

    @property
    def waited_before(self) -> float:
        """Seconds that the source took for the stream before its turn."""
        return 0.0

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        """Log a line of the SDK, errors at DEBUG: the tap logs errors itself, with their causes."""
        level = logging.DEBUG if level >= logging.ERROR else level
        super().log(message, *args, level=level, **kwargs)

    @override
    def get_sync_timer(self) -> metrics.Timer:
        """Times the whole turn of the stream, and the wait before it."""
        return SyncTimer(self.name, time.monotonic() if self._began is None else self._began)

    @override
    def get_record_counter(
        self, *, endpoint: str | None = None, log_interval: float = math.inf
    ) -> metrics.Counter:
        """Counts all records into one line; the SDK begins anew each minute."""
        return super().get_record_counter(endpoint=endpoint, log_interval=log_interval)

    @override
    def get_batch_counter(self) -> metrics.Counter:
        """Counts BATCH messages."""
        return QuietCounter(metrics.Metric.BATCH_COUNT, stream=self.name)
