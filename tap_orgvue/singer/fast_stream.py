"""The SDK's record path, shorter, for streams whose records already satisfy their schema.

Private SDK members are used in this folder only, each with its reason. The SDK's minor version is
pinned, and a test compares this path with the SDK's own, so that a change there shows here.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

import singer_sdk.singerlib as singer
from singer_sdk.exceptions import MapExpressionError
from singer_sdk.helpers._state import PROGRESS_MARKERS
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_orgvue.singer.bookmarks import ReplicationProgress
from tap_orgvue.singer.deferred_versions import DeferredVersionStream
from tap_orgvue.singer.errors import OutputFailed, StreamMapFailed
from tap_orgvue.singer.output import BufferedWriter, lines_of
from tap_orgvue.singer.stream_log import RequestCounter
from tap_orgvue.singer.stream_maps import register

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.metrics import Counter

    Rows = list[Any]
    """Row structs that msgspec encodes as records."""


class FastStream(DeferredVersionStream, RESTStream[Any]):
    """A stream without children whose records already satisfy its schema."""

    yields_row_blocks = False
    """True while responses are parsed into lists of row structs, instead of into records."""

    _LOG_REQUEST_METRICS = False
    """Private: the SDK would time how it takes a file that was downloaded before."""

    _prepared: bool | None = None
    """None before a run; False if there is nothing to send."""
    _progress: ReplicationProgress | None = None
    """None for a full table."""

    # -- hooks

    def prepare(self) -> bool:
        """Prepare a run: called once, before the SCHEMA message is written.

        Returns:
            False if there is nothing to send.
        """
        return True

    def finish(self) -> None:
        """Called once after the last record is on its way, before the final STATE."""

    def replication_bound(self) -> datetime:
        """The latest possible bookmark: by default the local clock at the start of the run.

        A later value of the replication key, as that of a wrong clock, would hide all changes
        until then.
        """
        # Private: the SDK's start of the sync, in milliseconds since 1970.
        return datetime.fromtimestamp(self._initialized_at / 1000, timezone.utc)

    @property
    def can_encode_rows(self) -> bool:
        """True if row structs serialize to the same JSON as the records."""
        return True

    def request_counts(self) -> Mapping[str, int]:
        """Kind to number of the requests that were sent for this stream, so far."""
        return {}

    # -- for subclasses

    def flush(self) -> None:
        """Write out the buffer, before a wait."""
        if self._writer is not None:
            self._writer.flush()

    def use_schema(self, schema: dict[str, Any]) -> None:
        """Send this schema, without its deselected columns, instead of the catalog's.

        Raises:
            StreamMapsInvalid: `stream_maps` contradict it.

        Private: the SDK makes its stream maps of the catalog's schema, and offers no way to
        replace it once the export's headers are known.
        """
        if self._input_schema is None:
            self._schema = schema
        else:
            self._input_schema = schema
        register(self._tap.mapper, self.name, schema, self.primary_keys)
        self._stream_maps = None

    def start_page(self) -> None:
        """Called before the rows of each page."""
        if self._progress is not None:
            self._progress.start_page()

    def note_replication_values(self, values: Iterable[str], rows: int) -> None:
        """Take the values of the replication key of some rows.

        Args:
            values: ISO 8601 texts, without nulls; not read for a full table.
            rows: The number of rows, those without a value included.
        """
        if self._progress is not None:
            self._progress.note(values, rows)

    def write_catalog_schema(self) -> None:
        """Write the SCHEMA message of the known schema, without a request."""
        super()._write_schema_message()

    # -- the SDK's steps, in the order of a sync

    @override
    def get_http_request_counter(self) -> Counter:
        """A counter that logs `request_counts`."""
        return RequestCounter(self.name, self.request_counts)

    @override
    def _write_schema_message(self) -> None:
        """Write the SCHEMA message once the export's headers are known.

        Private: the SDK writes it before the first request. Loaders need one complete SCHEMA
        message per stream and run.
        """
        self.begin()
        self._prepared = self.prepare()
        if self._prepared:
            self.write_catalog_schema()

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        """The records of the run, if there is anything to send."""
        if self._prepared is None:
            # Called without a sync, as tests and notebooks do.
            self._prepared = self.prepare()
        if self.replication_method == REPLICATION_INCREMENTAL:
            self._progress = ReplicationProgress()
        if self._prepared:
            yield from super().get_records(context)
            if not self.get_batch_config(self.config):
                self._end()

    def _end(self) -> None:
        """Put the bookmark where the SDK promotes it from, and finish."""
        if self._progress is not None:
            state, key = self.stream_state, self.replication_key
            bookmark = self._progress.bookmark(state, key, self.replication_bound())
            if bookmark is not None:
                state[PROGRESS_MARKERS] = {
                    "replication_key": key,
                    "replication_key_value": bookmark,
                }
            if self._progress.nulls:
                self.logger.warning(
                    "'%s': %d rows have no value of the replication key '%s'. Incremental runs "
                    "never request them again; a full refresh does.",
                    self.name,
                    self._progress.nulls,
                    key,
                )
        self.finish()
        # The SDK skips a STATE message equal to the last one, which would have flushed the records.
        self.flush()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        """Write rows by the block, where records leave unchanged.

        Private: the SDK's own loop conforms types cell by cell, removes columns that were never
        requested, and makes a message object of every record. Counting, timing, STATE messages
        and the end of a stream are as there.
        """
        if not write_messages or not self._writes_rows(context):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        writer, interval = cast("BufferedWriter", self._writer), self.STATE_MSG_FREQUENCY
        count = 0
        for rows in self._sync_rows():
            before, after = self._envelope(writer)
            for part in cut(rows, interval - count % interval, interval):
                writer.write_lines(*lines_of(part, before, after))
                self.state_manager.is_flushed = False
                count += len(part)
                if count % interval == 0:
                    self._write_state_message()
        self._write_state_message()

    def _writes_rows(self, context: Context | None) -> bool:
        """True if rows leave unchanged: one map that changes nothing, nothing deselected.

        A limit of records, which the SDK sets to try a stream, is left to the SDK's loop.
        """
        return (
            not context
            and not self.partitions
            and self._writer is not None
            and self.ABORT_AT_RECORD_COUNT is None
            and self.can_encode_rows
            and self._has_identity_map()
            and all(self.mask["properties", name] for name in self.schema["properties"])
        )

    def _has_identity_map(self) -> bool:
        only, *others = self.stream_maps
        return not others and type(only) is SameRecordTransform and not only.flattening_enabled

    @property
    def has_custom_map(self) -> bool:
        """True if a stream map may calculate with the values of records."""
        return any(type(each) is not SameRecordTransform for each in self.stream_maps)

    def _sync_rows(self) -> Iterator[Rows]:
        """Yield blocks of rows, with the metrics and state steps of the SDK's `_sync_records`."""
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            counter.with_context({})
            timer.with_context({})
            self.yields_row_blocks = True
            try:
                for rows in cast("Iterable[Rows]", self.get_records(None)):
                    yield rows
                    counter.increment(len(rows))
            finally:
                self.yields_row_blocks = False
        self._finalize_state(self.stream_state)

    def _envelope(self, writer: BufferedWriter) -> tuple[bytes, bytes]:
        """The bytes before and after the record in a RECORD message, with the current time."""
        message = singer.RecordMessage(
            stream=self.stream_maps[0].stream_alias,
            record={},
            version=self._stream_version,
            time_extracted=datetime.now(timezone.utc),
        )
        # Searched from the end: the stream's name, before it, may hold brackets.
        before, _, after = writer.serialize_message(message).rpartition(b"{}")
        return before, after.rstrip()

    @property
    def _writer(self) -> BufferedWriter | None:
        """The tap's writer, if it is the buffered one."""
        writer = self._tap.message_writer
        return writer if isinstance(writer, BufferedWriter) else None

    @override
    def _process_record(
        self,
        record: Record,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Do nothing. Private: the SDK looks for child streams here, for every record."""

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Keep the latest value of the replication key.

        Private: the SDK compares texts here, and warns of every record that has no value.
        """
        value = latest_record.get(self.replication_key or "")
        self.note_replication_values([] if value is None else [value], 1)

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """None: `ReplicationProgress` bounds the bookmark instead."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Do nothing. Private: an unreadable bookmark would end the run here."""

    @override
    def _write_record_message(self, record: Record) -> None:
        """Write a record as the SDK does; the error of a stream map shows no value.

        Private: the SDK applies the stream maps here.
        """
        try:
            super()._write_record_message(record)
        except OutputFailed:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an expression raises
            failed = error
        else:
            return
        raise self.map_error(failed)

    def map_error(self, error: Exception) -> StreamMapFailed:
        """The error of a stream map without its message, which may hold values.

        Raise it outside the `except` block: its cause would be shown, too.
        """
        from_sdk = isinstance(error, MapExpressionError)
        why = str(error) if from_sdk else f"It raised {type(error).__name__}."
        return StreamMapFailed(f"Stream '{self.name}': `stream_maps` failed on a record. {why}")


def cut(rows: Rows, first: int, size: int) -> Iterator[Rows]:
    """Cut rows into parts: the first with up to `first` rows, the others with up to `size`."""
    start, end = 0, first
    while start < len(rows):
        yield rows[start:end]
        start, end = end, end + size
