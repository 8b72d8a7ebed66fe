"""The progress of an export, reported by the code that fetches it."""

from __future__ import annotations

from typing import Protocol

from typing_extensions import override


class ExportProgress(Protocol):
    """Receives the progress of one export, in any thread; a stage may be reported again."""

    def waiting(self) -> None:
        """The wait for a response began, or the wait before a retry."""

    def job_started(self) -> None:
        """Orgvue accepted an export job."""

    def downloading(self) -> None:
        """The head of the export's response arrived."""

    def received(self, count: int) -> None:
        """More bytes of the export arrived.

        Args:
            count: Their number, compressed as they were sent.
        """


class Unwatched(ExportProgress):
    """Ignores all progress."""

    @override
    def waiting(self) -> None:
        """Do nothing."""

    @override
    def job_started(self) -> None:
        """Do nothing."""

    @override
    def downloading(self) -> None:
        """Do nothing."""

    @override
    def received(self, count: int) -> None:
        """Do nothing."""


UNWATCHED = Unwatched()
