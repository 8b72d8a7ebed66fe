"""Who fetches an export tells how far it is."""

from __future__ import annotations

from typing import Protocol

from typing_extensions import override


class ExportProgress(Protocol):
    """Told of the stages of one export, in any thread; a stage may be told again."""

    def waiting(self) -> None:
        """A request is sent, or a retry is waited for."""

    def job_started(self) -> None:
        """Orgvue accepted an export job."""

    def downloading(self) -> None:
        """The head of the export's response arrived."""

    def received(self, count: int) -> None:
        """Some more bytes of the export arrived, compressed as they were sent."""


class Untold(ExportProgress):
    """The progress of an export that nobody watches."""

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


UNTOLD = Untold()
