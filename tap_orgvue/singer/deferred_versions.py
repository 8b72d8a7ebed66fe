"""ACTIVATE_VERSION messages after the records."""

from __future__ import annotations

import time

from singer_sdk import Stream
from typing_extensions import override

_BEGAN = int(time.time())
"""The second in which this process began."""


class HeldVersions(Stream):
    """A stream that tells which rows there are once all of them are sent.

    The SDK tells it before the first: a loader would then delete first, and keep it so if the run
    dies.
    """

    def next_version(self, now: int) -> int:
        """The version of this run's records."""
        return now

    @property
    def version(self) -> int | None:
        """The version of this run's records, where they carry one."""
        return self._stream_version

    def activate_version(self) -> None:
        """Tell the loader that this run's records are all there are."""
        if self._stream_version is not None:
            super()._write_activate_version_message(self._stream_version)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Hold the message back, and settle the version.

        Loaders keep versions as whole seconds in 32 bits. A run that was killed left no trace of
        its version but in the table: to be greater than that, a version is of a later second than
        this process, which began after the other had sent its records.
        """
        later = _BEGAN + 1
        # At most that second, whatever somebody did to the clock.
        time.sleep(min(1.0, max(0.0, later - time.time())))
        self._stream_version = self.next_version(max(int(time.time()), later))
