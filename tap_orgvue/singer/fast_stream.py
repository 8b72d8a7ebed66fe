"""Fast messages: the SDK's record path, shorter. The only file that uses private SDK members.

Each is used for a reason that is said beside it. The SDK's minor version is pinned, and
`tests/test_records.py` compares this path with the SDK's own, so that a change there shows here.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, cast

import singer_sdk.singerlib as singer
from singer_sdk.exceptions import MapExpressionError
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.helpers._state import PROGRESS_MARKERS
from singer_sdk.mapper import RemoveRecordTransform, SameRecordTransform
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.singer.batch_files import BatchWriter
from tap_orgvue.singer.bookmarks import _is_later
from tap_orgvue.singer.deferred_versions import HeldVersions
from tap_orgvue.singer.output import ENCODER, BufferedWriter, lines_of, lines_with
from tap_orgvue.timestamps import format_instant

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.mapper import StreamMap

    Rows = list[Any]
    """Objects that msgspec encodes as records."""


class FastRecords(HeldVersions, RESTStream[Any]):
    """A stream without children whose records already satisfy its schema."""

    gives_rows = False
    """Whether responses are now to be parsed into lists of rows, instead of into records."""
    _is_incremental = False
    _has_begun: bool | None = None
    """None before a run; False where nothing is to be sent."""
    _page_number = 0
    _latest: str | None = None
    """The latest change on the first page."""
    _batch_map: StreamMap | None = None

    # -- what a stream does beside the SDK's own

    def begin(self) -> bool:
        """Prepare for a run: called once, before the SCHEMA message is written.

        Returns:
            Whether there is anything to send.
        """
        return True

    def complete(self) -> None:
        """Called once after the last record is on its way, before the final STATE."""

    @property
    def rows_encode(self) -> bool:
        """Whether there are rows that encode as this run's records do."""
        return True

    # -- for the stream's use

    @property
    def _writer(self) -> BufferedWriter | None:
        """The tap's writer, where it is the fast one."""
        writer = self._tap.message_writer
        return writer if isinstance(writer, BufferedWriter) else None

    def flush(self) -> None:
        """Let out what the writer holds, before waiting for something."""
        if self._writer is not None:
            self._writer.flush()

    def use_schema(self, schema: dict[str, Any]) -> None:
        """Send this schema, as far as it is not deselected, instead of the catalog's.

        The SDK's maps were made from the catalog; they are made anew.
        """
        if self._input_schema is None:
            self._schema = schema
        else:
            self._input_schema = schema
        self._tap.mapper.register_raw_stream_schema(self.name, schema, self.primary_keys)
        self._stream_maps = None

    def start_page(self) -> None:
        """Called before the rows of each page."""
        self._page_number += 1

    # -- the SDK's steps, in the order of a sync

    @override
    def _write_schema_message(self) -> None:
        """Write the SCHEMA message once the export's headers are known.

        The SDK writes it before it asks for records; and one complete SCHEMA per stream and run
        is what loaders can do with.
        """
        self._has_begun = self.begin()
        if self._has_begun:
            self.write_catalog_schema()

    def write_catalog_schema(self) -> None:
        """Write the SCHEMA message as it is known, asking nothing."""
        super()._write_schema_message()

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        """The records of the run, if there is anything to send."""
        if self._has_begun is None:
            # Asked for without a sync, as tests and notebooks do.
            self._has_begun = self.begin()
        self._is_incremental = self.replication_method == REPLICATION_INCREMENTAL
        if self._has_begun:
            yield from super().get_records(context)
            if not self.get_batch_config(self.config):
                self._end()

    def _end(self) -> None:
        if self._is_incremental and self._latest is not None:
            self._mark_progress(self._latest)
        self.complete()
        # A state that is as before is not written again, and would not take the records along.
        self.flush()

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        """Send rows by the block, where records leave as they are.

        The SDK's own loop conforms types cell by cell, removes columns that were never asked for,
        and makes a message object of every record. Counting, timing, STATE messages and the end
        of a stream are as there.
        """
        if not write_messages or not self._sends_rows(context):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        writer, often = cast("BufferedWriter", self._writer), self.STATE_MSG_FREQUENCY
        count = 0
        for rows in self._sync_rows():
            before, after = self._envelope(writer)
            for part in _cut(rows, often - count % often, often):
                writer.write_lines(*lines_of(part, before, after))
                self.state_manager.is_flushed = False
                count += len(part)
                if count % often == 0:
                    self._write_state_message()
        self._write_state_message()

    def _sends_rows(self, context: Context | None) -> bool:
        """Whether records leave as rows encode: one map that changes nothing, nothing deselected.

        A limit of records, which the SDK sets to try a stream, is left to the SDK too.
        """
        return (
            not context
            and not self.partitions
            and self._writer is not None
            and self.ABORT_AT_RECORD_COUNT is None
            and self.rows_encode
            and self._is_passed_through()
            and all(self.mask["properties", name] for name in self.schema["properties"])
        )

    def _is_passed_through(self) -> bool:
        only, *others = self.stream_maps
        return not others and type(only) is SameRecordTransform and not only.flattening_enabled

    def _sync_rows(self) -> Iterator[Rows]:
        """What `_sync_records` does around its loop, with a list of rows where it has a record."""
        with self.get_record_counter() as counter, self.get_sync_timer() as timer:
            counter.with_context({})
            timer.with_context({})
            self.gives_rows = True
            try:
                for rows in cast("Iterable[Rows]", self.get_records(None)):
                    yield rows
                    counter.increment(len(rows))
            finally:
                self.gives_rows = False
            self._finalize_state(self.get_context_state(None))
        self._finalize_state(self.stream_state)

    def _envelope(self, writer: BufferedWriter) -> tuple[bytes, bytes]:
        """What stands before and after the record in the RECORD messages of this moment."""
        message = singer.RecordMessage(
            stream=self.stream_maps[0].stream_alias,
            record={},
            version=self._stream_version,
            time_extracted=datetime.now(timezone.utc),
        )
        # From the end: the stream's name, in front, is free text.
        before, _, after = writer.serialize_message(message).rpartition(b"{}")
        return before, after.rstrip()

    @override
    def _process_record(
        self,
        record: Record,
        child_context: Context | None = None,
        partition_context: Context | None = None,
    ) -> None:
        """Do nothing: the SDK's looks for child streams, for every record."""

    @override
    def _increment_stream_state(
        self, latest_record: Record, *, context: Context | None = None
    ) -> None:
        """Keep the latest change.

        The SDK compares texts, and warns of every record that has none. For full tables there is
        nothing to keep.
        """
        value = latest_record.get(self.replication_key or "")
        if value is not None:
            self.note_changes([value])

    def note_changes(self, values: Iterable[str]) -> None:
        """Keep the latest of these instants, compared as such: their texts differ in length.

        Pages are fetched one after another: a row of the first that changes while a later one is
        fetched would lie before a later page's latest change, and be missed for ever. Whatever
        changes after the first page is later than all that is on it.
        """
        if not self._is_incremental or self._page_number > 1:
            return
        latest: dict[int, str] = {}
        for value in values:
            if value > latest.get(len(value), ""):
                latest[len(value)] = value
        for value in latest.values():
            if self._latest is None or _is_later(value, self._latest):
                self._latest = value

    def _mark_progress(self, latest: str) -> None:
        """Leave the bookmark where the SDK promotes it from, once the stream is finished.

        Never after the run's beginning: a change that is dated ahead would hide all before it.
        Never before the last bookmark: all until there was sent.
        """
        state, key = self.stream_state, self.replication_key
        began = format_instant(datetime.fromtimestamp(self._initialized_at / 1000, timezone.utc))
        value = began if _is_later(latest, began) else latest
        last = state.get("replication_key_value")
        if state.get("replication_key") == key and last and not _is_later(value, str(last)):
            value = str(last)
        state[PROGRESS_MARKERS] = {"replication_key": key, "replication_key_value": value}

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Leave no mark in the state: the bookmark's bound is kept by `_mark_progress`."""

    @override
    def _write_starting_replication_value(self, context: Context | None) -> None:
        """Leave no mark here either: nobody reads it, and an odd bookmark would stop the run."""

    @override
    def _write_record_message(self, record: Record) -> None:
        """Write a record as the SDK does, and tell no cell's value where a stream map fails."""
        try:
            super()._write_record_message(record)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever an expression raises
            failed = error
        else:
            return
        raise self._unmapped(failed)

    def _unmapped(self, failed: Exception) -> OrgvueError:
        """Tell that a stream map failed, without the cell's value that may be in its words.

        To be raised where nothing is handled: what it came from would be told as well.
        """
        ours = isinstance(failed, MapExpressionError)
        why = str(failed) if ours else f"It raised {type(failed).__name__}."
        return OrgvueError(f"Stream '{self.name}': `stream_maps` failed on a record. {why}")

    # -- batches

    @override
    def get_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> Iterator[tuple[BaseBatchFileEncoding, list[str]]]:
        """Write the records that RECORD messages would hold into files.

        The SDK's own files hold records before stream maps, and are compressed at leisure.
        """
        if batch_config.encoding.format != "jsonl":
            yield from super().get_batches(batch_config, context)
        else:
            for stream_map, address in self._batch_files(batch_config, context):
                self._batch_map = stream_map
                yield batch_config.encoding, [address]
        if self._has_begun:
            self._end()

    def _batch_files(
        self, batch_config: BatchConfig, context: Context | None
    ) -> Iterator[tuple[StreamMap, str]]:
        writers = [
            (
                stream_map,
                BatchWriter(
                    batch_config.storage,
                    f"{self.tap_name}--{stream_map.stream_alias}",
                    size=batch_config.batch_size,
                    compress=batch_config.encoding.compression == "gzip",
                ),
            )
            for stream_map in self.stream_maps
            if not isinstance(stream_map, RemoveRecordTransform)
        ]
        try:
            if self._sends_rows(context):
                [(stream_map, writer)] = writers
                yield from ((stream_map, address) for address in self._written_rows(writer))
            else:
                yield from self._written_records(writers, context)
            for stream_map, writer in writers:
                if address := writer.finish():
                    yield stream_map, address
        except BaseException:
            for _, writer in writers:
                writer.discard()
            raise

    def _written_rows(self, writer: BatchWriter) -> Iterator[str]:
        """Write lines by the block; the addresses of the files that are filled on the way."""
        loaders_own = self._loaders_own_columns()
        # Its members, without the brackets.
        more = ENCODER.encode(loaders_own)[1:-1]
        for rows in self._sync_rows():
            for part in _cut(rows, writer.room, writer.size):
                if address := writer.add(lines_with(part, more), len(part)):
                    yield address

    def _written_records(
        self, writers: list[tuple[StreamMap, BatchWriter]], context: Context | None
    ) -> Iterator[tuple[StreamMap, str]]:
        """Write a line for each record, as the stream maps make it."""
        loaders_own = self._loaders_own_columns()
        for record in super()._sync_records(context, write_messages=False):
            for stream_map, writer in writers:
                mapped = self._mapped(stream_map, record)
                if mapped is None:
                    continue
                if address := writer.add(ENCODER.encode_lines([{**mapped, **loaders_own}]), 1):
                    yield stream_map, address

    def _mapped(self, stream_map: StreamMap, record: Record) -> Record | None:
        try:
            return stream_map.transform(dict(record))
        except Exception as error:  # noqa: BLE001 - whatever an expression raises
            failed = error
        raise self._unmapped(failed)

    def _loaders_own_columns(self) -> Record:
        """What a loader adds to RECORD messages, but not to the lines of a batch.

        Without the version, a loader that is told to activate it deletes every row.
        """
        if self._stream_version is None:
            return {}
        now = datetime.now(timezone.utc)
        return {
            "_sdc_extracted_at": now.isoformat(),
            "_sdc_received_at": now.isoformat(),
            "_sdc_batched_at": now.isoformat(),
            "_sdc_deleted_at": None,
            "_sdc_sequence": int(now.timestamp() * 1000),
            "_sdc_table_version": self._stream_version,
            "_sdc_sync_started_at": self._initialized_at,
        }

    @override
    def _generate_batch_messages(
        self, encoding: BaseBatchFileEncoding, manifest: list[str]
    ) -> Generator[SDKBatchMessage, None, None]:
        """Announce a file for the map that it was written for; the SDK's would for every map."""
        if self._batch_map is None:
            yield from super()._generate_batch_messages(encoding, manifest)
            return
        yield SDKBatchMessage(
            stream=self._batch_map.stream_alias, encoding=encoding, manifest=manifest
        )


def _cut(rows: Rows, first: int, size: int) -> Iterator[Rows]:
    """Cut rows into parts: the first of at most so many, all others of a size; none is empty."""
    start, end = 0, first
    while start < len(rows):
        yield rows[start:end]
        start, end = end, end + size
