"""The outcomes of a run's streams, collected during the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.reporting.journal import WAITS, Journal, Stage
from tap_orgvue.reporting.run_report import Change, ErrorReport, Replication, Status, StreamReport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_orgvue.orgvue.client import Client

_DIGITS = 3
"""Digits of seconds behind the point."""


class StreamOutcome(msgspec.Struct, kw_only=True):
    """The outcome of one stream; see `StreamReport` for its other attributes.

    Attributes:
        draft_ids: The drafts whose requests are the stream's.
    """

    stream: str
    dataset_id: str | None = None
    dataset_name: str | None = None
    status: Status = Status.NOT_REACHED
    rows_before: int | None = None
    rescued: Mapping[str, int] = msgspec.field(default_factory=dict)
    delivery: str | None = None
    replication: Replication | None = None
    deletions: str = "off"
    deletions_withheld: str | None = None
    changes: Sequence[Change] = ()
    error: ErrorReport | None = None
    draft_ids: Sequence[str] = ()

    def note_deletions(self, *, sent: bool, withheld: str | None) -> None:
        """Note whether an ACTIVATE_VERSION removes missing rows.

        Args:
            sent: True if one was due.
            withheld: Why it was not sent; None if it was, or was not due.
        """
        self.deletions = "withheld" if withheld else "sent" if sent else "off"
        self.deletions_withheld = withheld

    def report(self, journal: Journal, client: Client) -> StreamReport:
        """The stream's part of the run report.

        Args:
            journal: The run's; has rows and times.
            client: The tenant's API; has the requests.
        """
        entry = journal.stream(self.stream)
        ids = [self.dataset_id] if self.dataset_id else self.draft_ids
        requests = client.requests.totals_of(*ids)
        return StreamReport(
            stream=self.stream,
            status=self.status,
            dataset_id=self.dataset_id,
            dataset_name=self.dataset_name,
            rows=entry.rows,
            rows_before=self.rows_before,
            rescued=dict(self.rescued),
            delivery=self.delivery,
            requests=dict(requests.by_kind),
            retries=requests.retries,
            throttles=requests.throttles,
            bytes_received=requests.bytes_received or entry.bytes_received,
            waiting_seconds=round(entry.seconds_in(*WAITS), _DIGITS),
            sending_seconds=round(entry.seconds_in(Stage.SENDING), _DIGITS),
            replication=self.replication,
            deletions=self.deletions,
            deletions_withheld=self.deletions_withheld,
            changes=tuple(self.changes),
            error=self.error,
        )


class Outcomes:
    """The outcomes of a run's streams, in the order in which they were planned."""

    def __init__(self) -> None:
        """Start without streams."""
        self._by_name: dict[str, StreamOutcome] = {}
        self._absent: dict[str, StreamOutcome] = {}

    def of(self, name: str) -> StreamOutcome:
        """A stream's outcome; not reached before the first call."""
        return self._by_name.setdefault(name, StreamOutcome(stream=name))

    def absent(self, dataset: str) -> StreamOutcome:
        """The outcome of a dataset without a stream in this run; made at the first call.

        Args:
            dataset: The dataset's id, else its name.
        """
        return self._absent.setdefault(dataset, StreamOutcome(stream=dataset))

    def reports(self, journal: Journal, client: Client) -> list[StreamReport]:
        """The streams' parts of the run report; absent ones last."""
        return [
            *(each.report(journal, client) for each in self._by_name.values()),
            # Without the journal: a stream of the same name may have been sent.
            *(each.report(Journal(), client) for each in self._absent.values()),
        ]
