"""ACTIVATE_VERSION messages after the records.

The SDK writes the message before the first record: a loader then deletes first, and the table
stays empty if the run dies.
"""

from __future__ import annotations

import time

from typing_extensions import override

from tap_orgvue.singer.stream_log import QuietStream
from tap_orgvue.singer.stream_maps import MappedStream

_PROCESS_START = int(time.time())
"""Seconds since 1970."""


class DeferredVersionStream(MappedStream, QuietStream):
    """A stream that activates its version once all of its records are sent."""

    def next_version(self, now: int) -> int:
        """The version of this run's records.

        Args:
            now: Seconds since 1970.
        """
        return now

    @property
    def version(self) -> int | None:
        """The version of this run's records; None if they carry none."""
        # Private: the SDK puts it into RECORD messages and offers no other way to it.
        return self._stream_version

    def activate_version(self) -> None:
        """Write the ACTIVATE_VERSION message: rows of other versions are gone."""
        if self._stream_version is not None:
            super()._write_activate_version_message(self._stream_version)

    @override
    def _write_activate_version_message(self, full_table_version: int) -> None:
        """Set the version without a message.

        Private: the SDK calls it before the first record.

        Loaders keep versions in 32 bits, so that they count seconds. A killed run leaves its
        version in the table, but not in the state. This run's must be greater: it is later than
        the second in which this process started, which was after the other's last record.
        """
        later = _PROCESS_START + 1
        # One second at most, even if the clock was changed.
        time.sleep(min(1.0, max(0.0, later - time.time())))
        self._stream_version = self.next_version(max(int(time.time()), later))
