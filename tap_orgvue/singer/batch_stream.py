"""A stream that writes BATCH files of JSON lines."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from singer_sdk.helpers._batch import SDKBatchMessage
from typing_extensions import override

from tap_orgvue.singer.batch_files import BatchWriter
from tap_orgvue.singer.fast_stream import FastStream, cut
from tap_orgvue.singer.output import ENCODER, lines_with

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.mapper import StreamMap


class BatchStream(FastStream):
    """A stream whose BATCH files hold the records that RECORD messages would hold.

    The SDK's own files hold records before stream maps, and are slow to compress.
    """

    _batch_map: StreamMap
    """The stream map that wrote the current file."""
    _writers: Sequence[BatchWriter] = ()
    """The writers of the current sync."""

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        """Sync, and remove every file that no message names if the sync fails.

        Private: the SDK leaves such files behind, whether the files or the messages fail.
        """
        try:
            super()._sync_batches(batch_config, context)
        except BaseException:
            with self._deferring_signals():
                for writer in self._writers:
                    writer.discard()
            raise

    def unlink_files(self) -> None:
        """Remove local files that no message names. Safe in a signal handler."""
        for writer in self._writers:
            writer.unlink()

    @override
    def get_batches(
        self, batch_config: BatchConfig, context: Context | None = None
    ) -> Iterator[tuple[BaseBatchFileEncoding, list[str]]]:
        """Write the files, always as JSON lines: the settings refuse every other format."""
        for stream_map, address in self._batch_files(batch_config, context):
            self._batch_map = stream_map
            yield batch_config.encoding, [address]
        if self._prepared:
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
        ]
        self._writers = [writer for _, writer in writers]
        if self._writes_rows(context):
            [(stream_map, writer)] = writers
            yield from ((stream_map, address) for address in self._write_rows(writer))
        else:
            yield from self._write_records(writers, context)
        for stream_map, writer in writers:
            if address := writer.finish():
                yield stream_map, address

    def _write_rows(self, writer: BatchWriter) -> Iterator[str]:
        """Write row structs, block by block.

        Yields:
            The URL of each full file.
        """
        # JSON members without the brackets around them.
        members = ENCODER.encode(self._loader_columns())[1:-1]
        for rows in self._sync_rows():
            for part in cut(rows, writer.room, writer.size):
                if address := writer.add(lines_with(part, members), len(part)):
                    yield address

    def _write_records(
        self, writers: list[tuple[StreamMap, BatchWriter]], context: Context | None
    ) -> Iterator[tuple[StreamMap, str]]:
        """Write one line per record and stream map.

        Yields:
            The stream map and the URL of each full file.
        """
        loader_columns = self._loader_columns()
        for record in super()._sync_records(context, write_messages=False):
            for stream_map, writer in writers:
                mapped = self._mapped(stream_map, record)
                if mapped is None:
                    continue
                line = ENCODER.encode_lines([{**mapped, **loader_columns}])
                if address := writer.add(line, 1):
                    yield stream_map, address

    def _mapped(self, stream_map: StreamMap, record: Record) -> Record | None:
        try:
            return stream_map.transform(dict(record))
        except Exception as error:  # noqa: BLE001 - whatever an expression raises
            failed = error
        raise self.map_error(failed)

    def _loader_columns(self) -> Record:
        """The `_sdc_*` columns, which loaders add to RECORD messages, but not to BATCH lines.

        None without a version. With one, a loader would delete every row whose line lacks it.
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
    def _write_batch_message(self, encoding: BaseBatchFileEncoding, manifest: list[str]) -> None:
        """Write the message, and keep its file.

        Private: a signal between the two would remove a file that a BATCH message names.
        """
        with self._deferring_signals():
            super()._write_batch_message(encoding, manifest)
            for writer in self._writers:
                writer.announced()

    def _deferring_signals(self) -> AbstractContextManager[None]:
        return nullcontext() if self._writer is None else self._writer.deferring_signals()

    @override
    def _generate_batch_messages(
        self, encoding: BaseBatchFileEncoding, manifest: list[str]
    ) -> Generator[SDKBatchMessage, None, None]:
        """The BATCH message of a file, for the stream map that wrote it only.

        Private: the SDK makes one for every stream map.
        """
        yield SDKBatchMessage(
            stream=self._batch_map.stream_alias, encoding=encoding, manifest=manifest
        )
