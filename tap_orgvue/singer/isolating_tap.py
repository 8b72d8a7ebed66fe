"""A tap in which a failed stream does not stop the others, and which ends cleanly on a signal."""

from __future__ import annotations

import copy
import io
import os
import signal
import threading
import time
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk.helpers._catalog import get_selected_schema
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.mapper import PluginMapper
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from typing_extensions import override

from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.singer.errors import OutputFailed, StreamMapsInvalid, error_message
from tap_orgvue.singer.fast_stream import FastStream
from tap_orgvue.singer.output import BufferedWriter, write_stdout, write_text
from tap_orgvue.singer.signals import ending_signals
from tap_orgvue.singer.stream_maps import (
    MappableStream,
    find_mistakes,
    register,
    shared_tables,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType

    from singer_sdk import Stream
    from singer_sdk.singerlib import CatalogEntry, SelectionMask

STREAM_FAILED = "stream_failed"
"""The event of the log record about a failed stream."""

IMPATIENT_SECONDS = 1.0
"""A second signal after this time ends the process at once."""


class Terminated(BaseException):
    """A signal ends the run. `except Exception` does not catch it.

    Attributes:
        code: The exit code: 128 and the signal's number.
    """

    def __init__(self, signum: int) -> None:
        """Keep the signal's number."""
        super().__init__(f"Ended by {signal.Signals(signum).name}.")
        self.code = 128 + signum


class IsolatingTap(Tap):
    """A tap in which one stream's failure does not stop the others."""

    run_ending: tuple[type[Exception], ...] = ()
    """Errors that every other stream would raise as well: they end the run."""

    _syncing: Stream | None = None
    """The stream of the current sync."""

    _signalled_at: float | None = None
    """The monotonic time of the first signal."""

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - a class is what it gets
        """None: the settings of the environment are in the config already.

        Private: the SDK misreads unreadable lists, and reads any other word as false.
        """
        return {}

    @property
    def all_streams_known(self) -> bool:
        """False if other streams may exist, which this run leaves out."""
        return True

    @override
    def setup_mapper(self) -> None:
        """Make the stream maps.

        The SDK fails on a map of a deselected stream, whose schema it takes to be empty.

        Raises:
            StreamMapsInvalid: With one line for each mistake.
        """
        maps = copy.deepcopy(self.config.get("stream_maps") or {})
        entries = [(entry, entry.metadata.resolve_selection()) for entry in self.catalog.streams]
        if maps:
            self._check_stream_maps(maps, entries)
        self.mapper = PluginMapper({**self.config, "stream_maps": maps}, self.logger)
        selected = {}
        for entry, mask in entries:
            if mask.get((), True):
                name = _name_of(entry)
                schema = get_selected_schema(name, entry.schema.to_dict(), mask)
                register(self.mapper, name, schema, entry.key_properties)
                selected[name] = self.mapper.stream_maps[name]
        names = [_name_of(entry) for entry, _ in entries]
        if maps and (mistakes := list(shared_tables(selected, names, self._emits_versions))):
            raise StreamMapsInvalid("\n".join(mistakes))

    def _check_stream_maps(
        self, maps: dict[str, Any], entries: list[tuple[CatalogEntry, SelectionMask]]
    ) -> None:
        if not isinstance(maps, dict):
            raise StreamMapsInvalid("stream_maps: must be an object.")
        streams = [
            MappableStream(
                name=_name_of(entry),
                columns=entry.schema.to_dict().get("properties", {}),
                keys=entry.key_properties or (),
                selected=mask.get((), True),
            )
            for entry, mask in entries
        ]
        mistakes, warnings = find_mistakes(maps, streams, all_known=self.all_streams_known)
        for warning in warnings:
            self.logger.warning("%s", warning)
        if mistakes:
            raise StreamMapsInvalid("\n".join(mistakes))

    def _emits_versions(self, name: str) -> bool:
        stream = self.streams.get(name)
        return (
            stream is not None
            and stream.replication_method == REPLICATION_FULL_TABLE
            and stream.emit_activate_version_messages
        )

    def turn_of(self, stream: Stream) -> AbstractContextManager[None]:  # noqa: ARG002 - a hook
        """Entered before a stream's sync, exited after it, also after a failure."""
        return nullcontext()

    def run(self) -> dict[str, Exception]:
        """Sync all selected streams, as the SDK's `sync_all` does, but go on after a failure.

        A stream that fails keeps its old bookmark. Its error is logged at INFO; the caller logs it
        at ERROR at the end of the run.

        Returns:
            Stream name to its error, for each stream that failed, and those of `not_sent`.

        Raises:
            Exception: One of `run_ending`. Complete streams before it keep their new state.
            OutputFailed: Standard output takes no more.
        """
        failed: dict[str, Exception] = {}
        try:
            self._sync_all(failed)
            failed.update(self.not_sent())
        except BaseException:
            # The last line will be the error that ends the run.
            for name, error in failed.items():
                self.logger.error("%s: %s", name, error_message(error))  # noqa: TRY400 - of a stream, not of the run
            raise
        return failed

    def not_sent(self) -> Iterable[tuple[str, Exception]]:
        """Names and errors of datasets without a stream in this run; called after the streams."""
        return ()

    def _sync_all(self, failed: dict[str, Exception]) -> None:
        """Sync all selected streams; see `run`."""
        unfinished = [stream.name for stream in self.streams.values() if stream.selected]
        # Private: the first step of `sync_all`.
        self._reset_state_progress_markers()
        if self.state:
            self.state_writer.write_state(self.state)
        for stream in self.streams.values():
            if not stream.selected:
                self.logger.info("Skipping deselected stream '%s'.", stream.name)
                continue
            before = copy.deepcopy(stream.stream_state)
            self._syncing = stream
            try:
                with self.turn_of(stream):
                    stream.sync()
                stream.finalize_state_progress_markers()
                unfinished.remove(stream.name)
            except BaseException as error:
                self.stream_ended(stream, error)
                if not isinstance(error, Exception):
                    raise
                stream.stream_state.clear()
                stream.stream_state.update(before)
                if self.keep_of_failed(stream):
                    self.state_writer.write_state(self.state)
                if isinstance(error, (*self.run_ending, OutputFailed)):
                    self.logger.error("The run ends. Not sent: %s.", ", ".join(unfinished))  # noqa: TRY400 - as below
                    raise
                # A traceback would keep the rows that were read in memory.
                error.__traceback__ = error.__cause__ = error.__context__ = None
                failed[stream.name] = error
                self.logger.info(
                    "%s failed; the other streams continue: %s",
                    stream.name,
                    error_message(error),
                    extra={"event_name": STREAM_FAILED, "stream_name": stream.name},
                )
            else:
                self.stream_ended(stream, None)
        for stream in self.streams.values():
            stream.log_sync_costs()
        self.flush()

    def stream_ended(self, stream: Stream, error: BaseException | None) -> None:
        """Called once a selected stream's turn is over.

        Args:
            stream: The stream; after a failure its state is still that of the failed sync.
            error: What ended it early, a signal included; None if it is complete.
        """

    def keep_of_failed(self, stream: Stream) -> bool:  # noqa: ARG002 - a hook
        """Called once the old state of a failed stream is restored.

        Returns:
            True if something was added to it that the next run needs all the same.
        """
        return False

    @override
    def run_discovery(self) -> str:
        """Write the catalog to standard output, in UTF-8 whatever the locale.

        Returns:
            The catalog as JSON.

        Raises:
            OutputFailed: Standard output does not take all of it.
        """
        catalog = self.catalog_json_text
        write_stdout(f"{catalog}\n".encode())
        return catalog

    @classmethod
    @override
    def print_about(cls, output_format: str | None = None) -> None:
        """Write the tap's settings and capabilities to standard output.

        Args:
            output_format: `json` or `markdown`; plain text by default.

        Raises:
            OutputFailed: Standard output does not take all of it.
        """
        with redirect_stdout(io.StringIO()) as about:
            super().print_about(output_format)
        write_text(about.getvalue())

    @override
    def _setup_signal_handlers(self) -> None:
        """Handle every signal that ends a run. Private: the SDK lets SIGHUP kill the process."""
        if threading.current_thread() is threading.main_thread():
            for signum in ending_signals():
                signal.signal(signum, self._handle_termination)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Raise `Terminated`.

        Private: the SDK exits with 0 here, after a STATE that is ahead of its records.
        """
        # The SDK installs its handlers before it creates the writer.
        writer, now = getattr(self, "message_writer", None), time.monotonic()
        terminated = Terminated(signum)
        if self._signalled_at is not None:
            # A terminal signals every process of the pipe, and a supervisor repeats the signal:
            # within a second it is the same one. A later one does not wait for a stuck loader.
            if now - self._signalled_at > IMPATIENT_SECONDS:
                if isinstance(self._syncing, BatchStream):
                    self._syncing.unlink_files()
                self.abandon(terminated)
                os._exit(terminated.code)
            return
        self._signalled_at = now
        if isinstance(writer, BufferedWriter) and writer.is_writing:
            writer.interruption = terminated
            return
        raise terminated

    def abandon(self, terminated: Terminated) -> None:
        """Called in a signal handler before the process ends at once."""

    def flush(self) -> None:
        """Write out the buffer."""
        if isinstance(self.message_writer, BufferedWriter):
            self.message_writer.flush()

    def write_last_state(self) -> None:
        """Write out the buffer, and repeat the last STATE message."""
        if isinstance(self.message_writer, BufferedWriter):
            self.message_writer.repeat_state()

    def write_catalog_schemas(self) -> None:
        """Write a SCHEMA message for every stream, without an export."""
        for stream in self.streams.values():
            if isinstance(stream, FastStream):
                stream.write_catalog_schema()
            else:
                # Private: the SDK's `--test=schema` calls it.
                stream._write_schema_message()  # noqa: SLF001


def _name_of(entry: CatalogEntry) -> str:
    return entry.stream or entry.tap_stream_id
