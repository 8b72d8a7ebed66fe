"""State and outcome of the tap's own streams, which are made of no dataset's export."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_orgvue.reporting.run_report import Replication
from tap_orgvue.singer.deferred_versions import DeferredVersionStream
from tap_orgvue.streams.state import STATE_KEY, StreamState

if TYPE_CHECKING:
    from tap_orgvue.streams.source import Source


class OwnStream(DeferredVersionStream):
    """A stream of the tap's own; always a full table."""

    _source: Source

    @cached_property
    def _state(self) -> StreamState:
        return StreamState.from_bookmark(self.stream_state)

    @override
    def next_version(self, now: int) -> int:
        """A version greater than every one before."""
        return self._state.next_version(now)

    def _keep_state(self, rows: int, withheld: str | None) -> None:
        """Keep the state, and note the outcome, after the last row.

        Args:
            rows: The number of rows.
            withheld: Why no rows are removed from the table; None if nothing is withheld.
        """
        outcome = self._source.outcomes.of(self.name)
        self._state.row_count = rows
        outcome.note_deletions(sent=self.version is not None, withheld=withheld)
        self._state.tenant = self._source.tenant
        self.stream_state[STATE_KEY] = self._state.to_json()

    def complete_outcome(self) -> None:
        """Complete the outcome, whether the stream succeeded or not."""
        outcome = self._source.outcomes.of(self.name)
        outcome.replication = Replication(method=self.replication_method)
