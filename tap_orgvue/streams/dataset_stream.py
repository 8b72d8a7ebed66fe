"""The stream of a dataset: what is asked of its export, and what becomes of the answer."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import requests
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams.rest import HTTPRequest, PageContext
from typing_extensions import override

from tap_orgvue import __version__
from tap_orgvue.exports.items import ItemRows
from tap_orgvue.orgvue.client import HEADERS
from tap_orgvue.orgvue.errors import BrokenAnswer, DatasetRefusal, OrgvueError, Refusal
from tap_orgvue.orgvue.models import EXPORT_FORMAT, ID, ITEMS, MODIFIED_AT, Property
from tap_orgvue.records.record_maker import RecordMaker, encodes_itself
from tap_orgvue.schema.columns import Catalogued, columns_in, stream_schema
from tap_orgvue.schema.evolution import Settled, settle
from tap_orgvue.schema.naming import RESCUED
from tap_orgvue.singer.fast_stream import FastRecords
from tap_orgvue.streams.deletion_guard import let_go
from tap_orgvue.streams.export_query import Questions
from tap_orgvue.streams.pagination import ExportPages, Link, Page
from tap_orgvue.streams.prefetch import First
from tap_orgvue.streams.session import ExportAdapter
from tap_orgvue.streams.state import IN_STATE, Memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.helpers.types import Auth, Record, RequestFunc
    from singer_sdk.singerlib.catalog import MetadataMapping, SelectionMask

    from tap_orgvue.exports.response import ExportAnswer
    from tap_orgvue.tap import TapOrgvue


_SHAPING_SETTINGS = (
    "stream_maps",
    "stream_map_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)
"""The SDK's own settings that decide what a loader is sent of a row."""


class DatasetStream(FastRecords):
    """The rows of one dataset's export.

    Attributes:
        dataset_id: Orgvue's id of the dataset.
    """

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    """Records satisfy their schema when they are made; see `record_maker`."""

    allow_redirects = False

    def __init__(
        self,
        tap: TapOrgvue,
        *,
        name: str,
        dataset_id: str,
        schema: Mapping[str, Any],
        key_columns: Sequence[str],
    ) -> None:
        """Make a stream.

        Args:
            tap: The tap.
            name: The stream's name.
            dataset_id: Orgvue's id of the dataset.
            schema: Its JSON Schema, from discovery or from a catalog.
            key_columns: Names of the columns that identify a record.
        """
        self.dataset_id = dataset_id
        self._orgvue = tap
        super().__init__(
            tap,
            name=name,
            schema=dict(schema),
            path=f"/datasets/{dataset_id}/"
            + (f"export/{EXPORT_FORMAT}" if tap.settings.include_calculations else ITEMS),
        )
        self.primary_keys = list(key_columns)
        self._exports = self._export_session()
        self.memory = Memory()
        self._first: First | None = None
        self._first_cache_key: str | None = None
        self._settled = Settled([])
        self._headers: Sequence[Property] = ()
        self._misfits: Counter[str] = Counter()
        self._nul_count = 0
        self._row_count = 0

    # -- what the catalog says

    @cached_property
    def catalogued(self) -> Catalogued:
        """The columns of the catalog, and which of them to deliver.

        Kept, because a run replaces the stream's schema by one of what is delivered.
        """
        columns = columns_in(self.effective_schema)
        return Catalogued(
            self.name,
            columns,
            frozenset(column.name for column in columns if self.mask["properties", column.name]),
        )

    @cached_property
    def questions(self) -> Questions:
        """What is to be asked of the dataset's export."""
        is_incremental = self.replication_method == REPLICATION_INCREMENTAL
        return Questions(
            self.dataset_id,
            self.catalogued,
            self._orgvue.rules,
            replication_key=self.replication_key if is_incremental else None,
            bookmark=self._bookmark,
        )

    @property
    def _bookmark(self) -> Mapping[str, Any]:
        """The stream's state; unlike `stream_state` this adds nothing, since threads ask too."""
        bookmark = self._orgvue.state.get("bookmarks", {}).get(self.name)
        return bookmark if isinstance(bookmark, dict) else {}

    @property
    @override
    def mask(self) -> SelectionMask:
        """What is selected; keys are in any case, since a loader and the next run need them."""
        mask = super().mask
        for name in filter(None, (*self.primary_keys, self.replication_key)):
            mask["properties", name] = True
        return mask

    @property
    @override
    def metadata(self) -> MetadataMapping:
        """The standard metadata, with what this tap can do beside."""
        mapping = super().metadata
        if self._orgvue.input_catalog is None:
            mapping.root.valid_replication_keys = [
                column.name
                for column in columns_in(self.effective_schema)
                if column.key == MODIFIED_AT
            ] or None
            if RESCUED in self.effective_schema["properties"]:
                # What does not fit elsewhere must not fall out of sight.
                inclusion = mapping["properties", RESCUED]
                inclusion.inclusion = inclusion.InclusionType.AUTOMATIC
        return mapping

    # -- the beginning of a run

    @override
    def begin(self) -> bool:
        """Settle what every record of this run holds; the export is there then.

        Returns:
            False where the dataset is as it was, and nothing is to be sent.
        """
        self.memory = Memory.from_state(self._bookmark)
        self._first = self._orgvue.ahead.take(self.name) or self.fetch_first()
        self._first_cache_key = self._first.cache_key
        if self._first.answer is None:
            self.logger.info("'%s' is unchanged since its last export.", self.name)
            return False
        try:
            self._headers = self._headers_of(self._first.answer)
            self._check_keys()
            self._settled = settle(
                self.catalogued, self._headers, self._orgvue.rules, self.memory.types
            )
            self.questions.replication_column(self._settled.columns, self._headers)
        except BaseException:
            self._first.close()
            raise
        for warning in (*self._settled.warnings, *self.questions.strange_conditions(self._headers)):
            self.logger.warning("%s", warning)
        columns, rescue = self._settled.columns, self._orgvue.settings.rescue_data
        self.use_schema(stream_schema(columns, self.primary_keys, rescue=rescue))
        return True

    def _headers_of(self, answer: ExportAnswer) -> Sequence[Property]:
        """The columns of the export; where it does not hold them, asked for by themselves."""
        rows = answer.rows
        if rows is not None and self._orgvue.settings.include_calculations:
            return rows.headers
        return self._orgvue.tenant.headers(self.dataset_id)

    def _check_keys(self) -> None:
        """See that the export has what identifies its rows.

        Raises:
            BrokenAnswer: It lacks a key: no table could hold its rows.
        """
        delivered = {header.key for header in self._headers}
        for column in self.catalogued.columns:
            if column.name in self.primary_keys and column.key not in delivered:
                message = (
                    f"Stream '{self.name}': the export's headers lack {column.key!r}, which is its "
                    f"key '{column.name}'. Discover anew, or set another key in the catalog."
                )
                raise BrokenAnswer(message)

    # -- the request of a page

    @property
    @override
    def url_base(self) -> str:
        """The tenant's part of the region's API."""
        return self._orgvue.client.url("")

    @property
    @override
    def authenticator(self) -> Auth:
        """The bearer token, bound to the API's origin."""
        return self._orgvue.client.api.auth

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        """What Orgvue wants with every request."""
        return dict(HEADERS)

    @override
    def get_new_paginator(self) -> ExportPages:
        """Page through the export."""
        return ExportPages(self._orgvue.client.same_origin)

    @override
    def get_http_request(self, *, page: PageContext[Page]) -> HTTPRequest:
        """Ask for everything with a GET, for less of it with a query."""
        request = super().get_http_request(page=page)
        if isinstance(page.next_page_token, Link):
            request.url = page.next_page_token.url
            return request
        query = self.questions.query(page.next_page_token)
        if not query.is_everything:
            request.method = "POST"
            request.data = query.body()
        return request

    # -- its answer

    @property
    @override
    def requests_session(self) -> requests.Session:
        """A session whose requests are answered with whole, landed exports."""
        return self._exports

    def fetch_first(self) -> First:
        """Fetch the first page, unless the dataset is as it was; may run in another thread."""
        self.questions.check()
        settings, cache_key = self._orgvue.settings, None
        if settings.skip_unchanged:
            cache_key = self._orgvue.client.metadata(self.dataset_id).cache_key
            if self._is_unchanged(cache_key):
                return First(None, cache_key)
        try:
            answer = self._fetch_page(self._first_request())
        except Refusal as refusal:
            if not self._learns_of_gone_properties(refusal):
                raise
            answer = self._fetch_page(self._first_request())
        return First(answer, cache_key)

    def _learns_of_gone_properties(self, refusal: Refusal) -> bool:
        """Whether a projection may have been refused because it names what is no longer there."""
        if refusal.status != HTTPStatus.BAD_REQUEST or self.questions.query().projection is None:
            return False
        return self.questions.learn(self._orgvue.tenant.headers(self.dataset_id))

    def _first_request(self) -> requests.PreparedRequest:
        request = self.get_http_request(page=PageContext(stream_context=None, next_page_token=None))
        return self.build_prepared_request(
            method=request.method, url=request.url, headers=request.headers, json=request.data
        )

    def _export_session(self) -> requests.Session:
        """A session whose requests are answered with whole, landed exports."""
        session = requests.Session()
        session.headers.clear()
        session.stream = True
        # What the environment says of proxies and certificates is the client's to heed.
        session.trust_env = False
        for scheme in ("https://", "http://"):
            session.mount(scheme, ExportAdapter(self._answer))
        return session

    def _answer(self, request: requests.PreparedRequest) -> ExportAnswer:
        """Hand over the first page, which is there already, or fetch a further one."""
        first, self._first = self._first, None
        if first is not None and first.answer is not None:
            return first.answer
        # Waiting can take minutes: what is written so far should be on its way.
        self.flush()
        return self._fetch_page(request)

    def _fetch_page(self, request: requests.PreparedRequest) -> ExportAnswer:
        try:
            return self._orgvue.exports.fetch(request, self.name)
        except DatasetRefusal as refusal:
            message = (
                f"Stream '{self.name}': its dataset {self.dataset_id} is gone, or may not be read "
                f"by the token's user. Deselect the stream, or refresh the catalog. {refusal}"
            )
            raise OrgvueError(message) from refusal

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        """Leave a request as it is: the client has asked again already, where that can help."""
        return func

    @override
    def validate_response(self, response: requests.Response) -> None:
        """Let a too large answer through only where the export can be asked for in slices.

        All other refusals were raised by the client, in Orgvue's words.
        """
        if response.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return
        self.questions.check_slices()
        if all(column.key != ID for column in self._settled.columns):
            message = (
                f"Stream '{self.name}': the dataset's export is too large for one answer, and its "
                f"rows have no {ID} to ask for them in slices. Set `export_mode` to `async`."
            )
            raise OrgvueError(message)

    @property
    @override
    def rows_encode(self) -> bool:
        """Whether all columns have names that fields can have."""
        return encodes_itself(column.name for column in self._settled.columns)

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        """Make records of an export's rows, by its headers.

        A refused page has none; its paginator asks for it in slices.
        """
        answer = cast("ExportAnswer", response)
        rows, settings = answer.rows, self._orgvue.settings
        if rows is None:
            return
        if not settings.include_calculations:
            rows = ItemRows(answer.chunks(), self._headers)
        self.start_page()
        try:
            maker = RecordMaker(
                rows.headers,
                self._settled.columns,
                self.primary_keys,
                rescue=settings.rescue_data,
                rescued_keys=self._settled.rescued_keys,
                hashed_keys=self._settled.hashed_keys,
                hash_key=settings.hash_key,
                careful=answer.careful,
            )
            if self.gives_rows:
                for block in rows.blocks(maker.rows):
                    self.note_changes(maker.latest(block, self.replication_key or ""))
                    yield cast("Record", block)
            else:
                for records in rows.blocks(maker.records):
                    yield from records
            self._misfits += maker.misfits
            self._nul_count += maker.nul_count
            self._row_count += maker.row_count
        except OrgvueError as error:
            message = f"Stream '{self.name}' (dataset {self.dataset_id}): {error}"
            raise OrgvueError(message) from error
        finally:
            response.close()

    # -- the end of a run

    @override
    def complete(self) -> None:
        """Say what did not fit, let deletions happen, remember what the next run needs."""
        self._report()
        memory, settings = self.memory, self._orgvue.settings
        memory.remember_types(self._settled.columns)
        settled = True
        if self.replication_method == REPLICATION_FULL_TABLE and not self._is_filtered:
            settled = let_go(
                self,
                memory,
                self._row_count,
                permissioned=self.version is not None and self._is_permissioned(),
                guard_percent=settings.delete_guard_percent,
            )
        if self._first_cache_key is not None and settled:
            memory.remember_export(self._first_cache_key, self._fingerprint())
        self.stream_state[IN_STATE] = memory.to_state()

    def _report(self) -> None:
        for name, count in self._misfits.items():
            self.logger.warning(
                "'%s': %d values of '%s' did not fit their column as they were; they are kept in "
                "%s. `property_types` can pin another type.",
                self.name,
                count,
                name,
                RESCUED,
            )
        if self._nul_count:
            self.logger.warning(
                "'%s': %d NUL characters, which no database stores, were taken out of text.",
                self.name,
                self._nul_count,
            )

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """Whether the table is to mirror the dataset; filtered rows say nothing of the others.

        The SDK's batches of other forms than JSON lines have no place for a version.
        """
        batches = self.get_batch_config(self.config)
        return (
            self._orgvue.settings.emit_activate_version_messages
            and not self._is_filtered
            and (batches is None or batches.encoding.format == "jsonl")
        )

    @override
    def next_version(self, now: int) -> int:
        """A version greater than all before."""
        return self.memory.next_version(now)

    @property
    def _is_filtered(self) -> bool:
        maps = self.config.get("stream_maps") or {}
        return bool(self.questions.wanted) or any(
            isinstance(each, dict)
            and each.get("__filter__")
            and fnmatchcase(self.name, each.get("__source__") or name)
            for name, each in maps.items()
        )

    def _is_permissioned(self) -> bool:
        listed = self._orgvue.tenant.datasets_by_id.get(self.dataset_id.upper())
        return listed is not None and listed.is_permissioned_view

    def _is_unchanged(self, cache_key: str | None) -> bool:
        return Memory.from_state(self._bookmark).is_unchanged(
            cache_key,
            self._fingerprint(),
            now=datetime.now(timezone.utc),
            max_days=self._orgvue.settings.max_unchanged_days,
        )

    def _fingerprint(self) -> str:
        """What else than the dataset decides what is sent: catalog, settings, this program."""
        settings = self._orgvue.settings
        parts = [
            __version__,
            self.catalogued.columns,
            sorted(self.catalogued.selected),
            self.questions.wanted,
            self.questions.linking,
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
        ]
        return hashlib.sha256(repr(parts).encode()).hexdigest()
