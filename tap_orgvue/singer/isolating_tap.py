"""A tap whose streams fail one by one, and which signals end cleanly."""

from __future__ import annotations

import copy
import os
import signal
import time
from typing import TYPE_CHECKING

from singer_sdk import Tap
from typing_extensions import override

from tap_orgvue.singer.errors import in_words
from tap_orgvue.singer.fast_stream import FastRecords
from tap_orgvue.singer.output import BufferedWriter

if TYPE_CHECKING:
    from types import FrameType

IMPATIENT_SECONDS = 1.0
"""A signal to end that comes so long after the first ends the process on the spot."""


class Terminated(BaseException):
    """The process was asked to end: unwinds everything, past handlers of errors.

    Attributes:
        code: The exit code, 128 and the signal's number.
    """

    def __init__(self, signum: int) -> None:
        """Keep which signal it was."""
        super().__init__(f"Ended by {signal.Signals(signum).name}.")
        self.code = 128 + signum


class IsolatingTap(Tap):
    """A tap in which one stream's failure does not stop the others."""

    run_ending: tuple[type[Exception], ...] = ()
    """Errors that every other stream would meet too."""

    _ending_since: float | None = None
    """When the first signal to end came."""

    def run(self) -> dict[str, Exception]:
        """Sync all selected streams, as the SDK's `sync_all` does, but each for itself.

        A stream that fails keeps its old bookmark.

        Returns:
            Stream name to what it failed with.

        Raises:
            Exception: One of `run_ending`; what was sent before it stays sent.
        """
        failed: dict[str, Exception] = {}
        undone = [stream.name for stream in self.streams.values() if stream.selected]
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
                undone.remove(stream.name)
            except Exception as error:
                stream.stream_state.clear()
                stream.stream_state.update(before)
                if isinstance(error, (*self.run_ending, BrokenPipeError)):
                    self.logger.error("The run stops. Not delivered: %s.", ", ".join(undone))  # noqa: TRY400 - as below
                    raise
                # Without the way there, which holds on to what was read of the export.
                error.__traceback__ = error.__cause__ = error.__context__ = None
                failed[stream.name] = error
                self.logger.error("%s", in_words(error))  # noqa: TRY400 - a user's line, not a traceback
        for stream in self.streams.values():
            stream.log_sync_costs()
        self.flush()
        return failed

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Unwind, instead of exiting with 0 and a state that is ahead of its records."""
        # The SDK takes signals before it has made the writer.
        writer, now = getattr(self, "message_writer", None), time.monotonic()
        terminated = Terminated(signum)
        if self._ending_since is not None:
            # One that follows at once is the same wish: a terminal tells the whole pipe. A later
            # one does not wait for a loader that is stuck.
            if now - self._ending_since > IMPATIENT_SECONDS:
                os._exit(terminated.code)
            return
        self._ending_since = now
        if isinstance(writer, BufferedWriter) and writer.is_writing:
            writer.interruption = terminated
            return
        raise terminated

    def flush(self) -> None:
        """Let out what the writer holds."""
        if isinstance(self.message_writer, BufferedWriter):
            self.message_writer.flush()

    def write_last_state(self) -> None:
        """Let out what is held, and repeat the last STATE that was sent."""
        if isinstance(self.message_writer, BufferedWriter):
            self.message_writer.repeat_state()

    def write_catalog_schemas(self) -> None:
        """Write a SCHEMA message for every stream, asking for no export."""
        for stream in self.streams.values():
            stream.selected = True
            if isinstance(stream, FastRecords):
                stream.write_catalog_schema()
            else:
                stream._write_schema_message()  # noqa: SLF001 - what the SDK's own mode calls
