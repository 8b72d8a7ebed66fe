"""Deadlines of waits, responses and clients, each with the name of its limit."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A point in time.

    Attributes:
        limit: The limit in the words of a message, for example "`job_timeout` (3600 seconds)".
    """

    def __init__(
        self, seconds: float, limit: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin now.

        Args:
            seconds: The time until the deadline.
            limit: The limit in the words of a message.
            clock: Gives the time in seconds, monotonic.
        """
        self.limit = limit
        self._clock = clock
        self._at = clock() + seconds

    def left(self) -> float:
        """The seconds until the deadline; negative after it."""
        return self._at - self._clock()


def earliest(*deadlines: Deadline | None) -> Deadline | None:
    """The deadline with the least time left; None stands for no deadline."""
    return min((each for each in deadlines if each), key=Deadline.left, default=None)
