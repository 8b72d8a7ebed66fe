"""The reporting of a dataset's stream: its stages, its outcome, the changes in Orgvue."""

from __future__ import annotations

from abc import abstractmethod
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.records.filled_columns import FilledColumns
from tap_orgvue.reporting.journal import WAITS, Stage
from tap_orgvue.reporting.run_report import (
    COLUMN_EMPTIED,
    DATASET_RENAMED,
    Change,
    Replication,
    Status,
)
from tap_orgvue.streams.changes import (
    SeenProperties,
    describe,
    property_changes,
    rows_change,
)
from tap_orgvue.streams.export_stream import ExportStream
from tap_orgvue.timestamps import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_sdk import Tap

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.reporting.outcomes import StreamOutcome
    from tap_orgvue.schema.columns import Column
    from tap_orgvue.schema.known_properties import KnownProperties
    from tap_orgvue.streams.discovery import StreamDefinition
    from tap_orgvue.streams.prefetch import PrefetchedExport
    from tap_orgvue.streams.source import Source
    from tap_orgvue.streams.state import StreamState


class ReportedStream(ExportStream):
    """A dataset's stream whose run is reported.

    Attributes:
        all_headers: All columns of the dataset's export, if the run has read them although it
            requests only some; else None.
    """

    all_headers: Sequence[Property] | None = None
    _has_warned = False

    def __init__(self, tap: Tap, source: Source, definition: StreamDefinition) -> None:
        """Make a stream; see `ExportStream`."""
        super().__init__(tap, source, definition)
        self._changes: list[Change] = []
        self._seen = SeenProperties(())
        self._filled = FilledColumns()

    @property
    def outcome(self) -> StreamOutcome:
        """The stream's outcome so far."""
        return self._source.outcomes.of(self.name)

    @property
    @abstractmethod
    def is_filtered(self) -> bool:
        """True if rows of the dataset are left out, by Orgvue or by a stream map."""

    @property
    def is_full_export(self) -> bool:
        """True if the export has every row: its rows can be compared with the last one's."""
        return self.replication_method == REPLICATION_FULL_TABLE and not self.is_filtered

    # -- the first page

    def fetch_first(self) -> PrefetchedExport:
        """Fetch the first page, unless the dataset is unchanged. Runs in any thread."""
        self.journal.enter(Stage.WAITING)
        try:
            first = self.fetch_unless_unchanged()
        except BaseException:
            # The error, too, waits for the stream's turn.
            self.journal.enter(Stage.PLANNED)
            raise
        self.journal.enter(Stage.FETCHED)
        self._source.dataset_names.request()
        return first

    @abstractmethod
    def fetch_unless_unchanged(self) -> PrefetchedExport:
        """Fetch the first page."""

    # -- the start of a run

    @property
    @override
    def waited_before(self) -> float:
        """Seconds that Orgvue took for the stream while others were sent."""
        return self.journal.seconds_in(*WAITS)

    def begin_report(self, state: StreamState, *, comparable: bool) -> None:
        """Note which rows are requested, and compare the properties with the last run's.

        Args:
            state: The stream's state after its last run.
            comparable: False if the last run could see other properties.
        """
        self._seen = self._seen_properties(state.properties)
        self._begin_replication()
        if comparable:
            titles = {column.key: column.title for column in self.columns.all}
            self._changes = property_changes(state.properties, self._seen, titles)
        if self.is_full_export:
            known = state.properties
            had = {
                column.name
                for column in self._resolved.columns
                if (found := known.find(column.key)) is not None and found.filled
            }
            delivered = {header.key for header in self._headers}
            names = {column.name for column in self._resolved.columns if column.key in delivered}
            self._filled = FilledColumns(had & names, names)

    def _begin_replication(self) -> None:
        is_incremental = self.replication_method == REPLICATION_INCREMENTAL
        since = (self.queries.bookmark or self._settings.start_date) if is_incremental else None
        self.outcome.replication = Replication(
            method=self.replication_method,
            key=self.replication_key if is_incremental else None,
            start=None if since is None else format_instant(since),
        )

    def _seen_properties(self, known: KnownProperties) -> SeenProperties:
        """The properties that exist now, as far as this run sees them."""
        if self.queries.query().projection is None:
            return SeenProperties(self._headers)
        requested = {column.key for column in self.columns.selected}
        gone = requested - {header.key for header in self._headers}
        others = [column for column in self.columns.all if column.key not in gone]
        # Without a catalog, discovery has just read all of them.
        fresh = not self._source.discovery.has_catalog
        seen = _seen(self._headers, others, is_complete=fresh)
        if not fresh and self.all_headers is None and known.others(seen.keys)[1]:
            # In neither the projection nor the catalog: the full headers show if they are gone.
            try:
                self.all_headers = self._source.headers.read(self.dataset_id)
            except OrgvueError:
                return seen
        if self.all_headers is None:
            return seen
        # Headers may come from metadata, which lacks generated properties.
        generated = [column for column in others if column.key.startswith("_")]
        return _seen([*self._headers, *self.all_headers], generated, is_complete=True)

    # -- the rows

    @override
    def start_page(self) -> None:
        """Called before the rows of each page."""
        super().start_page()
        self._filled.start_page()

    @override
    def look_at(self, records: Sequence[Any], fields: Mapping[str, str] | None = None) -> None:
        """Count records that were sent, and look for the first value of each column."""
        self.journal.rows += len(records)

        def reader(name: str) -> Callable[[Any], Any] | None:
            if fields is None:
                return itemgetter(name)
            return attrgetter(fields[name]) if name in fields else None

        self._filled.look_at(records, reader)

    # -- the end of a run

    def finish_report(self, state: StreamState, *, complete: bool) -> None:
        """Compare rows and values with the last complete export, and keep them in the state.

        Args:
            state: The stream's state, to be updated.
            complete: False if the export may lack rows.
        """
        filled = None
        if complete and self.is_full_export:
            percent = self._settings.row_change_warn_percent
            rows = self._counts.rows
            self._changes += rows_change(self.name, state.row_count, rows, percent)
            state.row_count = rows
            if rows:
                names = self._filled.filled | self._counts.misfits.keys()
                filled = {c.key for c in self._resolved.columns if c.name in names}
                emptied = self._filled.emptied - names
                self._changes += [
                    Change(kind=COLUMN_EMPTIED, name=column.name)
                    for column in self._resolved.columns
                    if column.name in emptied
                ]
        state.properties = self._seen.remembered(state.properties, filled)
        self._changes = [*self._renamed(state), *self._changes]
        self.warn_of_changes()

    def report_duplicates(self, count: int) -> None:
        """Report rows that came twice: others may be missing."""
        self.logger.error(
            "Stream '%s': %d rows have the `_id` of an earlier row, so the export may lack "
            "others: no rows are removed from the table. Run again; if it happens again, contact "
            "Orgvue's support.",
            self.name,
            count,
        )
        if self.version is not None:
            reason = f"{count} rows have the `_id` of an earlier row"
            self.outcome.note_deletions(sent=False, withheld=reason)

    def _renamed(self, state: StreamState) -> list[Change]:
        names = self._source.dataset_names
        before, now = state.dataset_name, names.now(self.dataset_id)
        state.dataset_name = now or before or names.in_catalog(self.dataset_id)
        if before is None or now is None or before == now:
            return []
        return [Change(kind=DATASET_RENAMED, name=now, before=before, now=now)]

    def warn_of_changes(self) -> None:
        """Warn of the changes, once."""
        if self._changes and not self._has_warned:
            self._has_warned = True
            self.logger.warning(
                "%s",
                describe(
                    self.name,
                    self._changes,
                    new_properties=self._settings.new_properties.value,
                    rows_percent=self._settings.row_change_warn_percent,
                ),
            )

    def complete_outcome(self) -> None:
        """Complete the outcome, whether the stream succeeded or not."""
        outcome, names = self.outcome, self._source.dataset_names
        outcome.dataset_name = names.now(self.dataset_id) or names.in_catalog(self.dataset_id)
        outcome.rescued = dict(self._counts.misfits) if self._settings.rescue_data else {}
        outcome.delivery = self._source.fetcher.delivery_of(self._url)
        outcome.changes = self._changes
        if outcome.status is Status.FAILED:
            # The changes may be the cause.
            self.warn_of_changes()
        elif outcome.replication is not None and outcome.replication.key is not None:
            end = self.stream_state.get("replication_key_value")
            outcome.replication = msgspec.structs.replace(
                outcome.replication, end=None if end is None else str(end)
            )


def _seen(
    headers: Iterable[Property], others: Iterable[Column], *, is_complete: bool
) -> SeenProperties:
    """Each property once: by its header, which has more than a column, if there is one."""
    by_key = {header.key: header for header in reversed([*headers])}
    others = [column for column in others if column.key not in by_key]
    return SeenProperties([*reversed(by_key.values())], others, is_complete)
