"""A dataset's export as the SDK's REST stream: its requests, and the records of its responses."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from singer_sdk.streams.rest import HTTPRequest, PageContext
from typing_extensions import override

from tap_orgvue.exports.items import ItemRows
from tap_orgvue.orgvue.client import HEADERS
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    Misconfigured,
    OrgvueError,
    Refusal,
)
from tap_orgvue.orgvue.models import ID, MODIFIED_AT
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.records.duplicates import DuplicateIds
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.records.row_layout import can_encode_rows_of
from tap_orgvue.records.values import Counts
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.columns import columns_in
from tap_orgvue.schema.evolution import ResolvedColumns
from tap_orgvue.schema.naming import RESCUED
from tap_orgvue.schema.page_headers import check_same_headers
from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.streams.export_query import ExportQueryBuilder
from tap_orgvue.streams.journal_progress import JournalProgress
from tap_orgvue.streams.pagination import ExportPaginator, Link, Page
from tap_orgvue.streams.session import ExportSession
from tap_orgvue.streams.stream_columns import StreamColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import requests
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Record, RequestFunc
    from singer_sdk.singerlib.catalog import MetadataMapping, SelectionMask

    from tap_orgvue.exports.response import ExportResponse
    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.reporting.journal import StreamJournal
    from tap_orgvue.streams.discovery import StreamDefinition
    from tap_orgvue.streams.prefetch import PrefetchedExport
    from tap_orgvue.streams.source import Source


class ExportStream(BatchStream):
    """The rows of one dataset's export.

    Attributes:
        dataset_id: Orgvue's id of the dataset.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    """Records satisfy their schema when they are made; see `record_maker`."""

    allow_redirects = False

    def __init__(self, tap: Tap, source: Source, definition: StreamDefinition) -> None:
        """Make a stream.

        Args:
            tap: The tap.
            source: What all streams of the run share.
            definition: Name, dataset, schema and key, from discovery or from a catalog.
        """
        self.dataset_id = definition.dataset_id
        self._source = source
        self._settings = source.settings
        source.client.requests.names[self.dataset_id.upper()] = definition.name
        super().__init__(
            tap,
            name=definition.name,
            schema=dict(definition.schema),
            path=self._url.removeprefix(source.client.base_url),
        )
        self.primary_keys = list(definition.key_columns)
        self._session = ExportSession(self._respond)
        self._first: PrefetchedExport | None = None
        self._resolved = ResolvedColumns([])
        self._headers: Sequence[Property] = ()
        self._counts = Counts()
        self._duplicates = DuplicateIds()
        self._has_run_names = False

    @property
    def _url(self) -> str:
        client = self._source.client
        if self._settings.include_calculations:
            return client.export_url(self.dataset_id)
        return client.items_url(self.dataset_id)

    @property
    def journal(self) -> StreamJournal:
        """The stream's part of the journal."""
        return self._source.journal.stream(self.name)

    # -- the catalog

    @cached_property
    def columns(self) -> StreamColumns:
        """The columns of the catalog.

        Cached, because a run replaces the stream's schema by that of its records.
        """
        return StreamColumns(
            self.name,
            self.effective_schema,
            naming=self._source.discovery.naming_of(self.name, self.dataset_id),
            rules=self._source.rules,
            is_selected=lambda name: bool(self.mask["properties", name]),
        )

    def use_run_names(self) -> None:
        """Name the key and the replication key as this run does."""
        if self._has_run_names:
            return
        self._has_run_names = True
        names = self.columns.run_names
        self.primary_keys = [names.get(name, name) for name in self.primary_keys]
        if self.replication_key:
            self.replication_key = names.get(self.replication_key, self.replication_key)

    @cached_property
    def queries(self) -> ExportQueryBuilder:
        """Builds the queries of the export."""
        is_incremental = self.replication_method == REPLICATION_INCREMENTAL
        return ExportQueryBuilder(
            self.dataset_id,
            self.columns.catalog,
            self._source.rules,
            self._settings,
            replication_key=self.replication_key if is_incremental else None,
            bookmark=self._bookmark,
        )

    @property
    def _bookmark(self) -> Mapping[str, Any]:
        """The stream's state, empty if it belongs to another dataset.

        Unlike `stream_state` this adds nothing, since threads read it.
        """
        if self._source.earlier.dataset_of(self.name) not in {None, self.dataset_id.upper()}:
            return {}
        bookmark = self.tap_state.get("bookmarks", {}).get(self.name)
        return bookmark if isinstance(bookmark, dict) else {}

    @property
    @override
    def mask(self) -> SelectionMask:
        """The selection, with all keys: loaders and the next run need them."""
        mask = super().mask
        keys = {*self.primary_keys, self.replication_key}
        for declared, name in self.columns.run_names.items():
            if keys & {declared, name}:
                mask["properties", declared] = mask["properties", name] = True
        return mask

    @property
    @override
    def metadata(self) -> MetadataMapping:
        """The standard metadata, with valid replication keys."""
        mapping = super().metadata
        if not self._source.discovery.has_catalog:
            mapping.root.valid_replication_keys = [
                column.name
                for column in columns_in(self.effective_schema)
                if column.key == MODIFIED_AT
            ] or None
            if RESCUED in self.effective_schema["properties"]:
                # A deselected column would drop values that do not fit elsewhere.
                inclusion = mapping["properties", RESCUED]
                inclusion.inclusion = inclusion.InclusionType.AUTOMATIC
            for column in columns_in(self.effective_schema):
                if self._source.rules.is_excluded(self.name, column.property):
                    inclusion = mapping["properties", column.name]
                    inclusion.inclusion = inclusion.InclusionType.UNSUPPORTED
        return mapping

    # -- requests

    @property
    @override
    def url_base(self) -> str:
        """The tenant's part of the region's API."""
        return self._source.client.base_url

    @property
    @override
    def authenticator(self) -> Auth:
        """The bearer token, bound to the API's origin."""
        return self._source.client.api.auth

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        """The headers of every request."""
        return dict(HEADERS)

    @override
    def get_new_paginator(self) -> ExportPaginator:
        """Pages through the export."""
        return ExportPaginator(self._source.client.same_origin)

    @override
    def get_http_request(self, *, page: PageContext[Page]) -> HTTPRequest:
        """The request of a page: a GET for everything, a POST with a query for less."""
        request = super().get_http_request(page=page)
        if isinstance(page.next_page_token, Link):
            link = page.next_page_token
            request.url, request.method, request.data = link.url, link.method, link.query
            return request
        query = self.queries.query(page.next_page_token)
        if not query.is_everything:
            request.method = "POST"
            request.data = query.body()
        return request

    @cached_property
    @override
    def user_agent(self) -> str:
        """The setting `user_agent`; the SDK's looks up its own version first, in each stream."""
        return self._settings.user_agent

    @property
    @override
    def requests_session(self) -> requests.Session:
        """A session that responds with downloaded exports."""
        return self._session

    def _names_missing_properties(self, refusal: Refusal) -> bool:
        """True if Orgvue may have refused a projection because a property is gone."""
        if refusal.status != HTTPStatus.BAD_REQUEST or self.queries.query().projection is None:
            return False
        return self.queries.forget_missing_properties(self._source.headers.read(self.dataset_id))

    def first_request(self) -> requests.PreparedRequest:
        """The request of the first page, as a synchronous export's."""
        request = self.get_http_request(page=PageContext(stream_context=None, next_page_token=None))
        return self.build_prepared_request(
            method=request.method, url=request.url, headers=request.headers, json=request.data
        )

    def _respond(self, request: requests.PreparedRequest) -> ExportResponse:
        """Hand over the first page, or fetch a further one."""
        first, self._first = self._first, None
        if first is not None and first.response is not None:
            return first.response
        # The wait can take minutes: send what is buffered.
        self.flush()
        try:
            return self._fetch(request)
        finally:
            self.journal.enter(Stage.SENDING)

    def _fetch(self, request: requests.PreparedRequest) -> ExportResponse:
        try:
            return self._source.fetcher.fetch(
                request, self.name, self.export_purpose, JournalProgress(self.journal)
            )
        except DatasetRefusal as refusal:
            raise self.forbidden(refusal) from refusal

    @property
    def export_purpose(self) -> Purpose:
        """The purpose of the export's requests."""
        with_calculations = self._settings.include_calculations
        kind = RequestKind.EXPORT if with_calculations else RequestKind.ITEMS
        return Purpose(kind, self.dataset_id)

    def forbidden(self, refusal: DatasetRefusal) -> OrgvueError:
        """The stream's error after a refusal of its dataset."""
        return refusal.with_message(
            f"Stream '{self.name}': its dataset {self.dataset_id} is gone, or the token's user "
            f"may not read it. Deselect the stream, or refresh the catalog. {refusal}"
        )

    @override
    def request_counts(self) -> Mapping[str, int]:
        """The requests about the dataset, discovery's and prefetched ones included."""
        return self._source.client.requests.totals_of(self.dataset_id).by_kind

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        """No retries here: the client has made them."""
        return func

    # -- responses

    @override
    def validate_response(self, response: requests.Response) -> None:
        """Accept status 413 only if the export can be requested in slices.

        The client has raised all other refusals, in Orgvue's words.
        """
        if response.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return
        self.queries.check_slices()
        if all(column.key != ID for column in self._resolved.columns):
            raise Misconfigured(
                f"Stream '{self.name}': the dataset's export is too large for one response, and "
                f"its rows have no {ID} to request them in slices. Set `export_mode` to `async`."
            )

    @property
    @override
    def can_encode_rows(self) -> bool:
        """True if every column's name can be a struct field's name."""
        return can_encode_rows_of(column.name for column in self._resolved.columns)

    @cached_property
    def _id_column(self) -> str:
        """The column of Orgvue's `_id`; empty without one."""
        return next((column.name for column in self._resolved.columns if column.key == ID), "")

    def _check_headers(self, page: Sequence[Property]) -> None:
        """Check that a page has the columns of the first page.

        Raises:
            MalformedResponse: A column appeared, is gone, or has another type.
        """
        sent = {column.key for column in self._resolved.columns} | self._resolved.rescued_keys
        unused = {column.key for column in self.columns.all} - sent
        if self._source.rules.new_properties is NewProperties.IGNORE:
            unused |= {header.key for header in page} - sent
        changes = check_same_headers(self._headers, page, unused=unused)
        if changes:
            self.logger.info(
                "'%s': the export changed between its pages: %s.", self.name, changes.describe()
            )

    def look_at(self, records: Sequence[Any], fields: Mapping[str, str] | None = None) -> None:
        """Called with each block of records once they were sent.

        Args:
            records: Row structs, or dicts.
            fields: Column name to the struct field of its values; None for dicts.
        """

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        """The records of a page; none of a page that is too large, which is then split."""
        export = cast("ExportResponse", response)
        rows = export.rows
        if rows is None:
            return
        if not self._settings.include_calculations:
            rows = ItemRows(export.chunks(), self._headers)
        journal = self.journal
        journal.enter(Stage.SENDING)
        self.start_page()
        try:
            self._check_headers(rows.headers)
            maker = RecordMaker(
                rows.headers,
                self._resolved.columns,
                self.primary_keys,
                counts=self._counts,
                rescue=self._settings.rescue_data,
                rescued_keys=self._resolved.rescued_keys,
                hashed_keys=self._resolved.hashed_keys,
                hash_key=self._settings.hash_key,
                may_be_lossy=export.may_be_lossy,
                decimals=not self.has_custom_map,
            )
            if self.yields_row_blocks:
                fields = maker.fields
                for block in rows.blocks(maker.rows):
                    changes = maker.texts(block, self.replication_key or "")
                    self.note_replication_values(changes, len(block))
                    self._duplicates.add(maker.values(block, self._id_column))
                    yield cast("Record", block)
                    self.look_at(block, fields)
            else:
                for records in rows.blocks(maker.records):
                    self._duplicates.add(record.get(self._id_column) for record in records)
                    yield from records
                    self.look_at(records)
        except OrgvueError as error:
            raise error.with_message(
                f"Stream '{self.name}' (dataset {self.dataset_id}): {error}"
            ) from error
        finally:
            response.close()
