"""The stream of a dataset: one run, from the state of the last run to that of the next."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_orgvue import __version__
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import (
    MalformedResponse,
    Misconfigured,
    Refusal,
)
from tap_orgvue.records.report import warnings_of
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.reporting.run_report import Status
from tap_orgvue.schema.columns import stream_schema
from tap_orgvue.schema.evolution import reconcile
from tap_orgvue.singer.bookmarks import replication_bound
from tap_orgvue.singer.stream_maps import has_filter
from tap_orgvue.streams.deletion_guard import activate_version_if_safe
from tap_orgvue.streams.prefetch import PrefetchedExport
from tap_orgvue.streams.reload import bookmark_mistakes, clear_values_left, column_changes
from tap_orgvue.streams.reported_stream import ReportedStream
from tap_orgvue.streams.state import (
    ORIGINAL,
    SHAPING_SETTINGS,
    SNAKE_CASE,
    STATE_KEY,
    ExportScope,
    StreamState,
    fingerprint_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Tap

    from tap_orgvue.exports.response import ExportResponse
    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.columns import Column
    from tap_orgvue.streams.discovery import StreamDefinition
    from tap_orgvue.streams.source import Source


class DatasetStream(ReportedStream):
    """One dataset's run.

    Attributes:
        state: The tap's own state of the stream.
    """

    def __init__(self, tap: Tap, source: Source, definition: StreamDefinition) -> None:
        """Make a stream; see `ExportStream`."""
        super().__init__(tap, source, definition)
        self.state = StreamState()
        self._cache_key: str | None = None
        self._server_date: datetime | None = None
        self._reload_reasons: list[str] = []
        self._drops_bookmark = False

    # -- the first page

    @override
    def fetch_unless_unchanged(self) -> PrefetchedExport:
        """Fetch the first page, unless the dataset is unchanged."""
        self.check_request()
        cache_key = None
        if self._settings.skip_unchanged:
            metadata = self._source.client.metadata(self.dataset_id)
            self._source.dataset_names.note(self.dataset_id, metadata.name)
            cache_key = metadata.cache_key
            if self.is_unchanged(cache_key):
                return PrefetchedExport(None, cache_key)
        if self._source.discovery.has_catalog and self.queries.hides_new_properties:
            self.all_headers = self._source.headers.read(self.dataset_id)
            self.queries.request_new_properties(self.all_headers)
        server_time = self._source.client.server_time()
        self._server_date = server_time.date if server_time else None
        try:
            response = self._fetch(self.first_request())
        except Refusal as refusal:
            if not self._names_missing_properties(refusal):
                raise
            response = self._fetch(self.first_request())
        return PrefetchedExport(response, cache_key)

    def check_request(self) -> None:
        """Check, without a request, that the stream's export can be requested.

        Raises:
            Misconfigured: The table holds another dataset, or the query is impossible.
        """
        self.use_run_names()
        self._check_owner()
        self.queries.check()
        self._must_reload(self.columns.selected)

    @override
    def replication_bound(self) -> datetime:
        """The latest possible bookmark: by Orgvue's clock before the export was requested."""
        return replication_bound(
            super().replication_bound(), self._server_date, has_key=bool(self.primary_keys)
        )

    # -- the start of a run

    @override
    def prepare(self) -> bool:
        """Take the export's first page, and resolve the columns of the records.

        Returns:
            False if the dataset is unchanged, and nothing is sent.
        """
        self.state = self._source.earlier.state_of(self.name, self.dataset_id)
        first = self._source.prefetcher.take(self.name) or self.fetch_first()
        if not self._resolve(first):
            self.outcome.status = Status.UNCHANGED
            return False
        if self.must_begin_again():
            # The headers have a new column: its values are needed for all rows.
            first.close()
            self._resolve(self.fetch_first())
        for warning in self.start_warnings():
            self.logger.warning("%s", warning)
        if self._begins_anew:
            self.stream_state.clear()
        elif self._drops_bookmark:
            self.stream_state.pop("replication_key_value")
        columns, rescue = self._resolved.columns, self._settings.rescue_data
        self.use_schema(stream_schema(columns, self.primary_keys, rescue=rescue))
        self.begin_report(self.state, comparable=self._scope.sees_as(self.state.scope))
        self.journal.enter(Stage.SENDING)
        return True

    def _resolve(self, first: PrefetchedExport) -> bool:
        """Take the first page, and resolve the columns of the run by its headers.

        Returns:
            False if the dataset is unchanged.
        """
        self._first, self._cache_key = first, first.cache_key
        if first.response is None:
            return False
        try:
            self.resolve(self._headers_of(first.response))
        except BaseException:
            first.close()
            raise
        return True

    def resolve(self, headers: Sequence[Property]) -> Sequence[Column]:
        """Resolve the columns of the run.

        Args:
            headers: The export's columns.

        Returns:
            The columns of every record.

        Raises:
            OrgvueError: The stream cannot be sent with these columns.
        """
        self._headers = headers
        self._check_keys()
        self._resolved = reconcile(
            self.columns.catalog, headers, self._source.rules, self.columns.naming
        )
        self.queries.replication_column(self._resolved.columns, headers)
        return self._resolved.columns

    def must_begin_again(self) -> bool:
        """True if the headers show that all rows must be read again; keeps the reasons."""
        return self._must_reload(self._resolved.columns)

    @property
    def _begins_anew(self) -> bool:
        """True if the table holds another dataset, and the user gave its name to this one."""
        owner = self._source.earlier.dataset_of(self.name)
        return owner is not None and owner != self.dataset_id.upper()

    def _check_owner(self) -> None:
        """Check that the table is this dataset's.

        Raises:
            Misconfigured: It holds another one, and `stream_names` does not give it to this one.
        """
        pinned = self._settings.stream_names.get(self.dataset_id.upper())
        if self._begins_anew and pinned != self.name:
            owner = self._source.earlier.dataset_of(self.name)
            raise Misconfigured(
                f"Stream '{self.name}': its table holds the dataset {owner}, and the catalog has "
                f"the dataset {self.dataset_id} under that name. Nothing was sent. Run "
                "`--discover` with the state, or give each dataset a name with `stream_names`."
            )

    def _must_reload(self, columns: Sequence[Column]) -> bool:
        """True if unchanged rows must be read again, and are not yet; keeps the reasons."""
        earlier, queries = self._source.earlier.state_of(self.name, self.dataset_id), self.queries
        if not queries.has_bookmark:
            return False
        reasons = bookmark_mistakes(queries.bookmark, now=datetime.now(timezone.utc))
        self._drops_bookmark = bool(reasons)
        if earlier.scope is not None:
            hashes = any(column.hashed for column in columns)
            reasons += self._scope.changes(earlier.scope, hashes=hashes)
            reasons += column_changes(self.columns.naming.owners, columns)
        self._reload_reasons = reasons
        if reasons:
            queries.read_everything()
        return bool(reasons)

    @property
    def _scope(self) -> ExportScope:
        settings = self._settings
        return ExportScope.of(
            self.queries.user_filter,
            self.queries.linking,
            include_calculations=settings.include_calculations,
            hash_key=settings.hash_key,
        )

    def start_warnings(self) -> Iterator[str]:
        """Warnings before the first row, once the columns are resolved."""
        if self._begins_anew:
            owner = self._source.earlier.dataset_of(self.name)
            yield (
                f"Stream '{self.name}' now has the dataset {self.dataset_id} and begins anew; its "
                f"table still holds the rows of the dataset {owner}."
            )
        if self._reload_reasons:
            reasons = " and ".join(self._reload_reasons)
            yield f"Stream '{self.name}': all rows are read once more, because {reasons}."
        bookmark, start_date = self.queries.bookmark, self._settings.start_date
        if bookmark is not None and start_date is not None and start_date > bookmark:
            yield (
                f"Stream '{self.name}': `start_date` is later than the bookmark and does not "
                "count; rows since the bookmark are read."
            )
        if self.replication_method == REPLICATION_INCREMENTAL and not self.primary_keys:
            yield (
                f"Stream '{self.name}' has no key, so rows that are read again would be doubled: "
                "the bookmark has no margin, and a row that changes during the export may be "
                "missed. Replicate the full table instead."
            )
        yield from self._resolved.warnings
        yield from self.queries.unknown_filter_keys(self._headers)
        yield from self.columns.warnings()
        yield from clear_values_left(
            self.name,
            self.columns.naming.owners,
            self.columns.all,
            self._resolved.columns,
        )

    def _headers_of(self, response: ExportResponse) -> Sequence[Property]:
        """The export's columns; requested on their own if the response lacks them."""
        if response.rows is not None and self._settings.include_calculations:
            return response.rows.headers
        return self._source.headers.read(self.dataset_id)

    def _check_keys(self) -> None:
        """Check that the export has the key.

        Raises:
            MalformedResponse: It lacks a column of it: no table could hold its rows.
        """
        delivered = {header.key for header in self._headers}
        for column in self.columns.catalog.columns:
            if column.name in self.primary_keys and column.key not in delivered:
                raise MalformedResponse(
                    f"Stream '{self.name}': the export's headers lack {column.key!r}, which is its "
                    f"key '{column.name}'. Run `--discover` again, or set another key in the "
                    "catalog.",
                    remedy=Remedy.PERSON,
                )

    # -- the end of a run

    @override
    def finish(self) -> None:
        """Report misfits, activate the version, keep the state."""
        for warning in warnings_of(self.name, self._resolved.columns, self._counts):
            self.logger.warning("%s", warning)
        is_complete = self.queries.bookmark is None
        self.state.remember_columns(self._resolved.columns, complete=is_complete)
        self.state.tenant = self._source.tenant
        self.state.dataset = self.dataset_id.upper()
        self.state.naming = ORIGINAL if self.columns.naming.original else SNAKE_CASE
        self.state.scope = self._scope
        self.state.protected = self._protected()
        duplicates = self._duplicates.count if self._id_column else 0
        if duplicates:
            self.report_duplicates(duplicates)
            self.state.version = self.version or self.state.version
        withheld = None
        if not duplicates and self.is_full_export:
            withheld = activate_version_if_safe(
                self,
                self.state,
                self._counts.rows,
                permissioned=self.version is not None and self._is_permissioned(),
                guard_percent=self._settings.delete_guard_percent,
            )
            self.outcome.note_deletions(sent=self.version is not None, withheld=withheld)
        complete = not duplicates and withheld is None
        self.finish_report(self.state, complete=not duplicates)
        if self._cache_key is not None and complete:
            self.state.remember_export(self._cache_key, self._fingerprint())
        self.stream_state[STATE_KEY] = self.state.to_json()

    def _protected(self) -> list[tuple[str, str]]:
        """Pattern and key of each protected property, those that are gone included."""
        rules = self._source.rules
        known = [*(column.property for column in self.columns.all), *self._headers]
        now = [
            (pattern, declared.key)
            for declared in known
            for pattern in rules.protections(self.name, declared)
        ]
        patterns = {*rules.excluded, *rules.hashed}
        before = [pair for pair in self.state.protected if pair[0] in patterns]
        return list(dict.fromkeys([*before, *now]))

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """True if the table is to mirror the dataset: filtered rows say nothing of the others."""
        return self._settings.emit_activate_version_messages and not self.is_filtered

    @override
    def next_version(self, now: int) -> int:
        """A version greater than every one before."""
        return self.state.next_version(now)

    @property
    @override
    def is_filtered(self) -> bool:
        """True if rows of the dataset are left out, by Orgvue or by a stream map."""
        maps = self.config.get("stream_maps") or {}
        return bool(self.queries.user_filter) or has_filter(maps, self.name)

    def _is_permissioned(self) -> bool:
        dataset = self._source.discovery.datasets_by_id.get(self.dataset_id.upper())
        return dataset is not None and dataset.is_permissioned_view

    def is_unchanged(self, cache_key: str | None) -> bool:
        """True if a new export would deliver the same as the last one."""
        return self._source.earlier.state_of(self.name, self.dataset_id).is_unchanged(
            cache_key,
            self._fingerprint(),
            now=datetime.now(timezone.utc),
            max_days=self._settings.max_unchanged_days,
        )

    def _fingerprint(self) -> str:
        settings = self._settings
        return fingerprint_of(
            __version__,
            self._source.tenant,
            self.dataset_id,
            self.columns.catalog.columns,
            sorted(self.columns.catalog.selected),
            self.queries.user_filter,
            self.queries.linking,
            settings.include_calculations,
            settings.new_properties,
            settings.property_types,
            settings.rescue_data,
            settings.exclude_properties,
            settings.hash_properties,
            hashlib.sha256(settings.hash_key or b"").hexdigest(),
            self.replication_method,
            settings.start_date,
            self.emit_activate_version_messages,
            *(self.config.get(name) for name in SHAPING_SETTINGS),
        )
