"""A tap whose streams fail one by one, and which ends cleanly on a signal."""

from __future__ import annotations

import copy
import os
import signal
import time
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk.helpers._classproperty import classproperty
from typing_extensions import override

from tap_orgvue.singer.errors import error_message
from tap_orgvue.singer.fast_stream import FastStream
from tap_orgvue.singer.output import BufferedWriter

if TYPE_CHECKING:
    from types import FrameType

IMPATIENT_SECONDS = 1.0
"""A second signal after this time ends the process at once."""


class Terminated(BaseException):
    """A signal ends the run. No `except Exception` stops it.

    Attributes:
        code: The exit code: 128 and the signal's number.
    """

    def __init__(self, signum: int) -> None:
        """Take the signal's number."""
        super().__init__(f"Ended by {signal.Signals(signum).name}.")
        self.code = 128 + signum


class IsolatingTap(Tap):
    """A tap in which one stream's failure does not stop the others."""

    run_ending: tuple[type[Exception], ...] = ()
    """Errors that every other stream would meet too."""

    _signalled_at: float | None = None
    """When the first signal came."""

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - a class is what it gets
        """None: the settings of the environment are in the config already.

        Private: the SDK takes a list that it cannot read for another one, and any word for false.
        """
        return {}

    def run(self) -> dict[str, Exception]:
        """Sync all selected streams, as the SDK's `sync_all` does, but each on its own.

        A stream that fails keeps its old bookmark.

        Returns:
            Stream name to its error, for each stream that failed.

        Raises:
            Exception: One of `run_ending`; messages sent before it stay sent.
        """
        failed: dict[str, Exception] = {}
        unfinished = [stream.name for stream in self.streams.values() if stream.selected]
        # Private: `sync_all` begins with it.
        self._reset_state_progress_markers()
        if self.state:
            self.state_writer.write_state(self.state)
        for stream in self.streams.values():
            if not stream.selected:
                self.logger.info("Skipping deselected stream '%s'.", stream.name)
                continue
            before = copy.deepcopy(stream.stream_state)
            try:
                stream.sync()
                stream.finalize_state_progress_markers()
                unfinished.remove(stream.name)
            except Exception as error:
                stream.stream_state.clear()
                stream.stream_state.update(before)
                if isinstance(error, (*self.run_ending, BrokenPipeError)):
                    self.logger.error("The run ends. Not sent: %s.", ", ".join(unfinished))  # noqa: TRY400 - as below
                    raise
                # A traceback holds on to the part of the export that was read.
                error.__traceback__ = error.__cause__ = error.__context__ = None
                failed[stream.name] = error
                self.logger.error("%s", error_message(error))  # noqa: TRY400 - a user's line, not a traceback
        for stream in self.streams.values():
            stream.log_sync_costs()
        self.flush()
        return failed

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Raise `Terminated`.

        Private: the SDK exits with 0 here, after a STATE that is ahead of its records.
        """
        # The SDK installs its handlers before it makes the writer.
        writer, now = getattr(self, "message_writer", None), time.monotonic()
        terminated = Terminated(signum)
        if self._signalled_at is not None:
            # A terminal signals the whole pipe, a supervisor repeats itself: one wish. A later
            # signal does not wait for a loader that is stuck.
            if now - self._signalled_at > IMPATIENT_SECONDS:
                os._exit(terminated.code)
            return
        self._signalled_at = now
        if isinstance(writer, BufferedWriter) and writer.is_writing:
            writer.interruption = terminated
            return
        raise terminated

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
            stream.selected = True
            if isinstance(stream, FastStream):
                stream.write_catalog_schema()
            else:
                # Private: the SDK's `--test=schema` calls it.
                stream._write_schema_message()  # noqa: SLF001
