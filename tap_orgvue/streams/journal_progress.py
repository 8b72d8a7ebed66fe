"""Writes the progress of a stream's exports into the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from tap_orgvue.exports.progress import ExportProgress
from tap_orgvue.reporting.journal import Stage

if TYPE_CHECKING:
    from tap_orgvue.reporting.journal import StreamJournal


class JournalProgress(ExportProgress):
    """The progress of one stream's exports."""

    def __init__(self, journal: StreamJournal) -> None:
        """Take the stream's part of the journal."""
        self._journal = journal

    @override
    def waiting(self) -> None:
        """Enter the stage."""
        self._journal.enter(Stage.WAITING)

    @override
    def job_started(self) -> None:
        """Enter the stage."""
        self._journal.enter(Stage.JOB)

    @override
    def downloading(self) -> None:
        """Enter the stage."""
        self._journal.enter(Stage.DOWNLOADING)

    @override
    def received(self, count: int) -> None:
        """Count the bytes."""
        self._journal.add_bytes(count)
