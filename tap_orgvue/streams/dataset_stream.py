"""The stream of a dataset: the requests of its export, and the records of its responses."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams.rest import HTTPRequest, PageContext
from typing_extensions import override

from tap_orgvue import __version__
from tap_orgvue.exports.items import ItemRows
from tap_orgvue.orgvue.client import HEADERS
from tap_orgvue.orgvue.errors import DatasetRefusal, MalformedResponse, OrgvueError, Refusal
from tap_orgvue.orgvue.models import ID, MODIFIED_AT
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.records.row_layout import can_encode_rows_of
from tap_orgvue.records.values import Counts
from tap_orgvue.schema.columns import CatalogColumns, columns_in, stream_schema
from tap_orgvue.schema.evolution import ResolvedColumns, reconcile
from tap_orgvue.schema.naming import RESCUED
from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.streams.deletion_guard import activate_version_if_safe
from tap_orgvue.streams.export_query import ExportQueryBuilder
from tap_orgvue.streams.pagination import ExportPaginator, Link, Page
from tap_orgvue.streams.prefetch import PrefetchedExport
from tap_orgvue.streams.session import ExportSession
from tap_orgvue.streams.state import STATE_KEY, StreamState, fingerprint_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import requests
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Record, RequestFunc
    from singer_sdk.singerlib.catalog import MetadataMapping, SelectionMask

    from tap_orgvue.exports.response import ExportResponse
    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.streams.discovery import StreamDefinition
    from tap_orgvue.streams.source import Source

_SHAPING_SETTINGS = (
    "stream_maps",
    "stream_map_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)
"""The SDK's own settings that change what a loader gets of a row."""


class DatasetStream(BatchStream):
    """The rows of one dataset's export.

    Attributes:
        dataset_id: Orgvue's id of the dataset.
        state: The tap's own state of the stream.
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
        super().__init__(
            tap,
            name=definition.name,
            schema=dict(definition.schema),
            path=self._url.removeprefix(source.client.base_url),
        )
        self.primary_keys = list(definition.key_columns)
        self._session = ExportSession(self._respond)
        self.state = StreamState()
        self._first: PrefetchedExport | None = None
        self._cache_key: str | None = None
        self._resolved = ResolvedColumns([])
        self._headers: Sequence[Property] = ()
        self._counts = Counts()

    @property
    def _url(self) -> str:
        client = self._source.client
        if self._settings.include_calculations:
            return client.export_url(self.dataset_id)
        return client.items_url(self.dataset_id)

    # -- the catalog

    @cached_property
    def catalog_columns(self) -> CatalogColumns:
        """The columns of the catalog, and which are selected.

        Cached, because a run replaces the stream's schema by that of its records.
        """
        columns = columns_in(self.effective_schema)
        return CatalogColumns(
            self.name,
            columns,
            frozenset(column.name for column in columns if self.mask["properties", column.name]),
        )

    @cached_property
    def queries(self) -> ExportQueryBuilder:
        """Builds the queries of the export."""
        is_incremental = self.replication_method == REPLICATION_INCREMENTAL
        return ExportQueryBuilder(
            self.dataset_id,
            self.catalog_columns,
            self._source.rules,
            self._settings,
            replication_key=self.replication_key if is_incremental else None,
            bookmark=self._bookmark,
        )

    @property
    def _bookmark(self) -> Mapping[str, Any]:
        """The stream's state; unlike `stream_state` this adds nothing, since threads read it."""
        bookmark = self.tap_state.get("bookmarks", {}).get(self.name)
        return bookmark if isinstance(bookmark, dict) else {}

    @property
    @override
    def mask(self) -> SelectionMask:
        """The selection, with all keys: loaders and the next run need them."""
        mask = super().mask
        for name in filter(None, (*self.primary_keys, self.replication_key)):
            mask["properties", name] = True
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
        return mapping

    # -- the start of a run

    @override
    def prepare(self) -> bool:
        """Take the export's first page, and resolve the columns of the records.

        Returns:
            False if the dataset is unchanged, and nothing is sent.
        """
        self.state = StreamState.from_bookmark(self._bookmark)
        self._first = self._source.prefetcher.take(self.name) or self.fetch_first()
        self._cache_key = self._first.cache_key
        if self._first.response is None:
            self.logger.info("'%s' is unchanged since its last export.", self.name)
            return False
        try:
            self._headers = self._headers_of(self._first.response)
            self._check_keys()
            self._resolved = reconcile(
                self.catalog_columns, self._headers, self._source.rules, self.state.types
            )
            self.queries.replication_column(self._resolved.columns, self._headers)
        except BaseException:
            self._first.close()
            raise
        unknown = self.queries.unknown_filter_keys(self._headers)
        for warning in (*self._resolved.warnings, *unknown):
            self.logger.warning("%s", warning)
        columns, rescue = self._resolved.columns, self._settings.rescue_data
        self.use_schema(stream_schema(columns, self.primary_keys, rescue=rescue))
        return True

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
        for column in self.catalog_columns.columns:
            if column.name in self.primary_keys and column.key not in delivered:
                raise MalformedResponse(
                    f"Stream '{self.name}': the export's headers lack {column.key!r}, which is its "
                    f"key '{column.name}'. Run `--discover` again, or set another key in the "
                    "catalog."
                )

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
            request.url = page.next_page_token.url
            return request
        query = self.queries.query(page.next_page_token)
        if not query.is_everything:
            request.method = "POST"
            request.data = query.body()
        return request

    @property
    @override
    def requests_session(self) -> requests.Session:
        """A session that responds with downloaded exports."""
        return self._session

    def fetch_first(self) -> PrefetchedExport:
        """Fetch the first page, unless the dataset is unchanged. Runs in any thread."""
        self.queries.check()
        cache_key = None
        if self._settings.skip_unchanged:
            cache_key = self._source.client.metadata(self.dataset_id).cache_key
            if self._is_unchanged(cache_key):
                return PrefetchedExport(None, cache_key)
        if self._source.discovery.has_catalog and self.queries.hides_new_properties:
            self.queries.request_new_properties(self._source.headers.read(self.dataset_id))
        try:
            response = self._fetch(self._first_request())
        except Refusal as refusal:
            if not self._names_missing_properties(refusal):
                raise
            response = self._fetch(self._first_request())
        return PrefetchedExport(response, cache_key)

    def _names_missing_properties(self, refusal: Refusal) -> bool:
        """True if Orgvue may have refused a projection because a property is gone."""
        if refusal.status != HTTPStatus.BAD_REQUEST or self.queries.query().projection is None:
            return False
        return self.queries.forget_missing_properties(self._source.headers.read(self.dataset_id))

    def _first_request(self) -> requests.PreparedRequest:
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
        return self._fetch(request)

    def _fetch(self, request: requests.PreparedRequest) -> ExportResponse:
        try:
            return self._source.fetcher.fetch(request, self.name)
        except DatasetRefusal as refusal:
            raise OrgvueError(
                f"Stream '{self.name}': its dataset {self.dataset_id} is gone, or the token's user "
                f"may not read it. Deselect the stream, or refresh the catalog. {refusal}"
            ) from refusal

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
            raise OrgvueError(
                f"Stream '{self.name}': the dataset's export is too large for one response, and "
                f"its rows have no {ID} to request them in slices. Set `export_mode` to `async`."
            )

    @property
    @override
    def can_encode_rows(self) -> bool:
        """True if every column's name can be a struct field's name."""
        return can_encode_rows_of(column.name for column in self._resolved.columns)

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        """The records of a page; none of a page that is too large, which is then split."""
        export = cast("ExportResponse", response)
        rows = export.rows
        if rows is None:
            return
        if not self._settings.include_calculations:
            rows = ItemRows(export.chunks(), self._headers)
        self.start_page()
        try:
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
            )
            if self.yields_row_blocks:
                for block in rows.blocks(maker.rows):
                    self.note_replication_values(maker.latest(block, self.replication_key or ""))
                    yield cast("Record", block)
            else:
                for records in rows.blocks(maker.records):
                    yield from records
        except OrgvueError as error:
            raise OrgvueError(
                f"Stream '{self.name}' (dataset {self.dataset_id}): {error}"
            ) from error
        finally:
            response.close()

    # -- the end of a run

    @override
    def finish(self) -> None:
        """Report misfits, activate the version, keep what the next run needs."""
        self._report_misfits()
        self.state.remember_types(self._resolved.columns)
        complete = True
        if self.replication_method == REPLICATION_FULL_TABLE and not self._is_filtered:
            complete = activate_version_if_safe(
                self,
                self.state,
                self._counts.rows,
                permissioned=self.version is not None and self._is_permissioned(),
                guard_percent=self._settings.delete_guard_percent,
            )
        if self._cache_key is not None and complete:
            self.state.remember_export(self._cache_key, self._fingerprint())
        self.stream_state[STATE_KEY] = self.state.to_json()

    def _report_misfits(self) -> None:
        for name, count in self._counts.misfits.items():
            self.logger.warning(
                "'%s': %d values of '%s' did not fit their column; they are kept in %s. "
                "`property_types` can pin another type.",
                self.name,
                count,
                name,
                RESCUED,
            )
        if self._counts.nul_characters:
            self.logger.warning(
                "'%s': %d NUL characters, which no database stores, were removed from text.",
                self.name,
                self._counts.nul_characters,
            )

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """True if the table is to mirror the dataset: filtered rows say nothing of the others.

        The SDK's BATCH encodings other than JSON lines have no place for a version.
        """
        batches = self.get_batch_config(self.config)
        return (
            self._settings.emit_activate_version_messages
            and not self._is_filtered
            and (batches is None or batches.encoding.format == "jsonl")
        )

    @override
    def next_version(self, now: int) -> int:
        """A version greater than every one before."""
        return self.state.next_version(now)

    @property
    def _is_filtered(self) -> bool:
        maps = self.config.get("stream_maps") or {}
        return bool(self.queries.user_filter) or any(
            isinstance(each, dict)
            and each.get("__filter__")
            and fnmatchcase(self.name, each.get("__source__") or name)
            for name, each in maps.items()
        )

    def _is_permissioned(self) -> bool:
        dataset = self._source.discovery.datasets_by_id.get(self.dataset_id.upper())
        return dataset is not None and dataset.is_permissioned_view

    def _is_unchanged(self, cache_key: str | None) -> bool:
        return StreamState.from_bookmark(self._bookmark).is_unchanged(
            cache_key,
            self._fingerprint(),
            now=datetime.now(timezone.utc),
            max_days=self._settings.max_unchanged_days,
        )

    def _fingerprint(self) -> str:
        settings = self._settings
        return fingerprint_of(
            __version__,
            self.catalog_columns.columns,
            sorted(self.catalog_columns.selected),
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
            *(self.config.get(name) for name in _SHAPING_SETTINGS),
        )
