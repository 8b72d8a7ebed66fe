"""The plan of a run: each stream's treatment, by the tap's own discovery and checks."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from tap_orgvue.checking.report import Access, DraftPlan, DraftsPlan, StreamPlan
from tap_orgvue.drafts.selection import DraftListUnavailable
from tap_orgvue.drafts.streams import DraftStream
from tap_orgvue.exports.headers import NotReached
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    OrgvueError,
    RequestLimitReached,
    TenantRefusal,
)
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.singer.errors import error_message
from tap_orgvue.streams.dataset_stream import DatasetStream
from tap_orgvue.streams.metadata_streams import MetadataStream

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_sdk import Stream

    from tap_orgvue.checking.headers import CheckedHeaders
    from tap_orgvue.drafts.selection import Drafts, DraftSelection
    from tap_orgvue.exports.headers import HeaderReader
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.drafts import Draft
    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.source import Source

    class CheckedTap(Protocol):
        """The tap, as a check uses it."""

        settings: Settings
        source: Source
        drafts: Drafts | None

        @property
        def logger(self) -> logging.Logger:
            """The tap's logger."""

        @property
        def config(self) -> Mapping[str, Any]:
            """The config that the SDK has."""

        @property
        def streams(self) -> dict[str, Stream]:
            """All streams; discovered at the first call."""

        def use_source(self, client: Client | None, headers: HeaderReader | None) -> None:
            """Read the tenant through these."""

        def setup_mapper(self) -> None:
            """Make the stream maps."""

        def selected_streams(self) -> list[Stream]:
            """The streams of a run."""

        def check_patterns(self) -> None:
            """Check that each property named for protection exists."""

        def not_sent(self) -> Iterable[tuple[str, Exception]]:
            """Datasets that a run should have sent and could not."""

        def close(self) -> None:
            """End what is under way."""


class Plan:
    """The plan of a run. `make` fills it in one thread, others read it at any time.

    Attributes:
        drafts: The plan for drafts; None if the run requests none, or their list was not read.
        ended: The error that would end the run, or None.
        failed: Stream name, or another subject, to the error that would fail it.
        warnings: The run's warnings that the check does not log.
        done: Set once the plan is complete.
    """

    def __init__(
        self, tap: CheckedTap, headers: CheckedHeaders, about_state: Sequence[str]
    ) -> None:
        """Request nothing yet.

        Args:
            tap: The tap, which reads the tenant through the check's client.
            headers: Reads the headers of exports.
            about_state: The run's warnings about its state.
        """
        self._tap = tap
        self._headers = headers
        self._about_state = about_state
        self._rows: dict[str, StreamPlan] = {}
        self.drafts: DraftsPlan | None = None
        self.ended: Exception | None = None
        self.failed: dict[str, Exception] = {}
        self.warnings: list[str] = []
        self.done = threading.Event()

    def make(self) -> None:
        """Take the steps of a run before its first row, in the run's order."""
        try:
            self._make()
        except NotReached:
            pass
        except Exception as error:  # noqa: BLE001 - whatever ends a run, this describes it
            self.ended = self.ended or error
        finally:
            self.done.set()
            # No further headers will come: end the wait for the first ones.
            self._headers.first.set()

    def _make(self) -> None:
        tap = self._tap
        streams = tap.streams
        self._check(tap.setup_mapper)
        for name, stream in streams.items():
            self._rows[name] = self._row(stream)
        selected = tap.selected_streams()
        self._check(tap.check_patterns)
        self.warnings += self._about_state
        self._check(lambda: self._check_request_limit(selected))
        datasets = [stream for stream in selected if isinstance(stream, DatasetStream)]
        pool = DaemonThreadPool(tap.source.client.options.max_parallel_requests)
        try:
            for stream, outcome in zip(datasets, pool.map(self._preview, datasets), strict=True):
                self._take(stream, outcome)
        finally:
            pool.close()
        if metadata := [each for each in selected if isinstance(each, MetadataStream)]:
            self._read_metadata(metadata)
        self._read_drafts([each for each in selected if isinstance(each, DraftStream)])
        self.failed |= dict(tap.not_sent())

    def _check(self, check: Callable[[], None]) -> None:
        """Keep an error that would end the run, and go on with the plan."""
        try:
            check()
        except Exception as error:  # noqa: BLE001 - whatever ends a run
            self.ended = self.ended or error

    def _check_request_limit(self, selected: Sequence[Stream]) -> None:
        """Check that the setting allows as many requests as the run makes at least.

        Raises:
            RequestLimitReached: It does not.
        """
        source, limit = self._tap.source, self._tap.settings.max_requests_per_run
        discovery = source.discovery
        discovering = 0 if discovery.has_catalog else 1 + len(discovery.datasets)
        needed = discovering + sum(isinstance(stream, DatasetStream) for stream in selected)
        needed += any(isinstance(stream, DraftStream) for stream in selected)
        if limit is not None and needed > limit:
            raise RequestLimitReached(
                f"The run takes {needed} requests at least, and `max_requests_per_run` is {limit}."
            )

    # -- one stream

    def _row(self, stream: Stream) -> StreamPlan:
        """A stream's row as far as it is known without a request for it."""
        if not isinstance(stream, DatasetStream):
            place = "drafts" if isinstance(stream, DraftStream) else "metadata"
            return StreamPlan(stream=stream.name, selected=stream.selected, source=place)
        source = self._tap.source
        # The check has listed the datasets; a run with a catalog does not.
        listed = source.discovery.datasets_by_id.get(stream.dataset_id.upper())
        return StreamPlan(
            stream=stream.name,
            dataset_id=stream.dataset_id,
            dataset_name=listed.name if listed else None,
            selected=stream.selected,
            replication_method=stream.replication_method,
            source="export" if self._tap.settings.include_calculations else "items",
            **self._columns(stream, ()),
        )

    def _columns(self, stream: DatasetStream, headers: Sequence[Property]) -> dict[str, Any]:
        """The members of `StreamPlan` about the stream's columns, by its catalog entry."""
        rules, by_key = self._tap.source.rules, {header.key: header for header in headers}
        excluded, known = [], {column.key for column in stream.columns.all}
        for column in stream.columns.all:
            header = by_key.get(column.key)
            described = (column.property, header) if header else (column.property,)
            if rules.is_excluded(stream.name, *described):
                excluded.append(column.name)
        excluded += [
            header.key
            for header in headers
            if header.key not in known and rules.is_excluded(stream.name, header)
        ]
        columns = stream.columns.selected
        sent = {column.name for column in columns}
        return {
            "columns": [column.name for column in columns],
            "excluded": excluded,
            "hashed": [column.name for column in columns if column.hashed],
            "deselected": [
                column.name
                for column in stream.columns.all
                if column.name not in sent and column.name not in excluded
            ],
        }

    def _preview(self, stream: DatasetStream) -> dict[str, Any] | Exception:
        """The members of `StreamPlan` that a selected stream adds, or its error. In any thread."""
        try:
            return self._previewed_members(stream)
        except TenantRefusal:
            raise
        except DatasetRefusal as refusal:
            return stream.forbidden(refusal)
        except Exception as error:  # noqa: BLE001 - the stream's own, as in a run
            return error

    def _previewed_members(self, stream: DatasetStream) -> dict[str, Any]:
        source, settings = self._tap.source, self._tap.settings
        stream.check_request()
        if settings.skip_unchanged:
            cache_key = source.client.metadata(stream.dataset_id).cache_key
            if stream.is_unchanged(cache_key):
                return {"readable": Access.YES, "unchanged": True}
        headers = source.headers.read(stream.dataset_id)
        queries = stream.queries
        if source.discovery.has_catalog and queries.hides_new_properties:
            queries.request_new_properties(headers)
        request, projection = stream.first_request(), queries.query().projection
        purpose = stream.export_purpose
        failure = self._headers.export_failure(stream.dataset_id, str(request.method))
        if failure is not None and source.fetcher.is_final(request, purpose, failure):
            raise failure
        delivered = [each for each in headers if projection is None or each.key in projection]
        columns = stream.resolve(delivered)
        if stream.must_begin_again():
            columns = stream.resolve(delivered)
        members = self._columns(stream, headers)
        return {
            **members,
            "readable": Access.YES,
            "deliveries": source.fetcher.planned(request, purpose),
            "columns": [column.name for column in columns],
            "hashed": [column.name for column in columns if column.hashed],
        }

    def _take(self, stream: DatasetStream, outcome: dict[str, Any] | Exception) -> None:
        row = self._rows[stream.name]
        if not isinstance(outcome, Exception):
            self._rows[stream.name] = replace(row, **outcome)
            if not outcome.get("unchanged"):
                self.warnings += stream.start_warnings()
        elif not self._is_late(outcome):
            self.failed[stream.name] = outcome
            self._rows[stream.name] = _failing(row, outcome)

    def _is_late(self, error: Exception) -> bool:
        """True if the check's deadline, which a run does not have, caused an error."""
        return isinstance(error, OrgvueError) and isinstance(
            self._headers.judged(error), NotReached
        )

    def _read_metadata(self, streams: Sequence[Stream]) -> None:
        """Request the metadata that the tap's own streams are made of."""
        error: OrgvueError | None = None
        try:
            for _ in self._tap.source.discovery.metadata():
                pass
        except TenantRefusal:
            raise
        except OrgvueError as failure:
            if self._is_late(failure):
                return
            error = failure
        for stream in streams:
            row = self._rows[stream.name]
            if error is None:
                self._rows[stream.name] = replace(row, readable=Access.YES)
            else:
                self.failed[stream.name] = error
                self._rows[stream.name] = _failing(row, error)

    def _read_drafts(self, streams: Sequence[DraftStream]) -> None:
        """List the drafts, and check each stream of drafts that a run would send."""
        drafts = self._tap.drafts
        for stream in streams:
            row = self._rows[stream.name]
            try:
                stream.check()
            except OrgvueError as error:
                cause = error.cause if isinstance(error, DraftListUnavailable) else error
                if not self._is_late(cause):
                    self.failed[stream.name] = error
                    self._rows[stream.name] = _failing(row, error)
            else:
                self._rows[stream.name] = replace(row, readable=Access.YES)
        if streams and drafts is not None:
            with suppress(OrgvueError):
                self.drafts = planned_drafts(drafts.selection(streams[0].name))

    def without_jobs(self, error: OrgvueError) -> None:
        """Fail the streams that need an export job, as no job has a result."""
        for name, row in self._rows.items():
            if row.deliveries == ("job",) and name not in self.failed:
                self.failed[name] = error.with_message(
                    f"Stream '{name}' needs an export job. {error}"
                )
                self._rows[name] = _failing(row, error)

    # -- the rows

    def dataset_streams(self) -> list[DatasetStream]:
        """The selected streams of datasets, as far as they are known."""
        if not self._rows:
            return []
        streams = self._tap.streams.values()
        return [each for each in streams if isinstance(each, DatasetStream) and each.selected]

    def rows(self) -> list[StreamPlan]:
        """A row for each stream, and for each dataset that has none because it was not read."""
        rows = list(self._rows.values())
        discovery = self._tap.source.discovery
        if discovery.has_catalog:
            return rows
        streams = {row.dataset_id for row in rows}
        own = [row for row in rows if row.dataset_id is None]
        found = {row.dataset_id: row for row in rows}
        for dataset in discovery.datasets:
            if dataset.dataset_id in streams:
                continue
            headers = self._headers.found.get(dataset.dataset_id.upper())
            skipped = [each for each in discovery.skipped if each.dataset is dataset]
            reason = skipped[0].error if skipped else headers
            is_error = isinstance(reason, OrgvueError) and not isinstance(reason, NotReached)
            is_skipped = bool(skipped) and skipped[0].forbidden
            readable = Access.YES if isinstance(headers, tuple) else Access.NOT_CHECKED
            found[dataset.dataset_id] = StreamPlan(
                stream=discovery.stream_names[dataset.dataset_id],
                dataset_id=dataset.dataset_id,
                dataset_name=dataset.name,
                source="export" if self._tap.settings.include_calculations else "items",
                readable=Access.NO if is_error else readable,
                reason=str(reason) if is_error else None,
                fails=is_error and not is_skipped,
            )
        return [*(found[dataset.dataset_id] for dataset in discovery.datasets), *own]


def planned_drafts(selection: DraftSelection) -> DraftsPlan:
    """The plan for the drafts that the setting `drafts` matches."""
    matched: list[tuple[Draft, str | None]] = [(draft, None) for draft in selection.sent]
    matched += [(refused.draft, refused.reason) for refused in selection.refused]
    return DraftsPlan(
        listed=selection.listed,
        matched=[
            DraftPlan(
                draft_id=draft.draft_id,
                name=draft.name,
                dataset_id=draft.dataset_id,
                layers=draft.layers,
                sent=reason is None,
                reason=reason,
            )
            for draft, reason in matched
        ],
    )


def _failing(row: StreamPlan, error: Exception) -> StreamPlan:
    """The row of a stream that a run would fail to send."""
    return replace(
        row,
        readable=Access.NO,
        fails=True,
        reason=error_message(error),
        columns=(),
        hashed=(),
    )
