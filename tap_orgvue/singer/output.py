"""Messages on standard output: records are buffered, all other messages flush the buffer.

A loader reads the same lines as without a buffer. Records precede the STATE message that covers
them, since one buffer holds both.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage, StateMessage
from typing_extensions import override

from tap_orgvue.singer.errors import LoaderGone, OutputFailed, error_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


FLUSH_BYTES = 256 * 1024
"""The buffer is written out at this size."""

FLUSH_SECONDS = 1.0
"""The buffer is written out when its first message is this old."""


def _encode_other(value: Any) -> Any:
    """Encode a value that JSON has no type for, as the SDK's own writer does."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


ENCODER = msgspec.json.Encoder(enc_hook=_encode_other, decimal_format="number")


def lines_of(records: Sequence[Any], before: bytes, after: bytes) -> tuple[bytes | memoryview, ...]:
    """Encode records as JSON lines between constant bytes.

    Args:
        records: Values that msgspec encodes; at least one.
        before: The bytes before each record.
        after: The bytes after each record, without the line break.

    Returns:
        Consecutive pieces of the lines.
    """
    # One call encodes, one inserts the bytes: JSON on one line holds no other line break.
    lines = ENCODER.encode_lines(records)
    around = lines.replace(b"\n", after + b"\n" + before)
    return before, memoryview(around)[: len(around) - len(before)]


def lines_with(records: Sequence[Any], more: bytes) -> bytes | bytearray:
    """Encode records as JSON lines, each with the same additional members at its end.

    Args:
        records: Values that msgspec encodes as objects, with at least one member if there are
            additional ones.
        more: The additional members as JSON, without brackets; may be empty.
    """
    if not more:
        return ENCODER.encode_lines(records)
    # Not as above: a search for two bytes is so much slower than for one that it would take
    # longer than encoding.
    lines, ending = bytearray(), b"," + more + b"}\n"
    for record in records:
        ENCODER.encode_into(record, lines, -1)
        lines.pop()
        lines += ending
    return lines


class BufferedWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to standard output.

    Attributes:
        is_writing: True while a message may be half written: a signal handler must not raise.
        interruption: An error of a signal handler, raised once the message is complete.
        last_state: The line of the last STATE message; None before the first.
        failure: The error of standard output; nothing is written after it.
    """

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self.is_writing = False
        self.interruption: BaseException | None = None
        self.last_state: bytes | None = None
        self.failure: OutputFailed | None = None
        self._buffer = bytearray()
        self._filled_at = 0.0
        self._written_for = 0.0
        self._writing_since: float | None = None

    @override
    def serialize_message(self, message: Message) -> bytes:
        """Encode a message as a JSON line."""
        return ENCODER.encode(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        """Write a message. Any message but a RECORD flushes the buffer."""
        line = self.serialize_message(message)
        with self.deferring_signals():
            self.write_lines(line)
            if isinstance(message, StateMessage):
                self.last_state = line
            if not isinstance(message, RecordMessage):
                self.flush()

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Buffer encoded messages, given as consecutive pieces of whole lines."""
        with self.deferring_signals():
            if not self._buffer:
                self._filled_at = time.monotonic()
            for piece in pieces:
                self._buffer += piece
            waited = time.monotonic() - self._filled_at
            if len(self._buffer) >= FLUSH_BYTES or waited >= FLUSH_SECONDS:
                self._write_buffer()

    def flush(self) -> None:
        """Write out the buffer."""
        with self.deferring_signals():
            if self._buffer:
                self._write_buffer()

    def repeat_state(self) -> None:
        """Write out the buffer, and the last STATE message again behind it."""
        with self.deferring_signals():
            self._buffer += self.last_state or b""
            self.flush()

    @contextmanager
    def deferring_signals(self) -> Iterator[None]:
        """Defer a signal's error to the end of the block: loaders fail on a cut line."""
        outer, self.is_writing = self.is_writing, True
        try:
            yield
        finally:
            self.is_writing = outer
        if self.interruption is not None and not outer:
            interruption, self.interruption = self.interruption, None
            raise interruption

    def _write_buffer(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        if self.failure is not None:
            # The last line may be cut: nothing may follow it.
            raise self.failure
        self._writing_since = began = time.monotonic()
        try:
            write_stdout(data)
        except OutputFailed as error:
            self.failure = error
            raise
        finally:
            self._writing_since = None
            self._written_for += time.monotonic() - began

    def seconds_writing(self) -> float:
        """Seconds spent in writing so far, the current write included. For any thread.

        Most of it is waiting for a loader that reads more slowly than rows are made.
        """
        written_for, since = self._written_for, self._writing_since
        return written_for + (0.0 if since is None else time.monotonic() - since)


def write_stdout(data: bytes | bytearray) -> None:
    """Write to standard output, and flush it.

    Raises:
        OutputFailed: It does not take all of it.
    """
    with _told_in_words():
        _write(data)


def write_text(text: str) -> None:
    """Write text for people to standard output, in its own encoding.

    Raises:
        OutputFailed: It does not take all of it.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    # A console may lack a character of it.
    write_stdout(text.encode(encoding, "replace"))


def flush_stdout() -> None:
    """Flush what others wrote to standard output.

    Raises:
        OutputFailed: It does not take all of it.
    """
    with _told_in_words():
        sys.stdout.flush()


@contextmanager
def _told_in_words() -> Iterator[None]:
    if sys.stdout is None:
        # Python's sign for a descriptor that was closed when the process began.
        raise OutputFailed("Standard output is closed: nothing can be delivered.")
    try:
        yield
    except BrokenPipeError:
        raise LoaderGone("The loader closed the pipe before everything was sent.") from None
    except OSError as error:
        why = error_message(error)
        raise OutputFailed(f"Standard output cannot be written: {why}.") from None
    except ValueError:
        raise OutputFailed("Standard output was closed during the run.") from None


def _write(data: bytes | bytearray) -> None:
    out = getattr(sys.stdout, "buffer", None)
    if out is None:
        # Tests and notebooks replace standard output by a text stream.
        sys.stdout.write(data.decode())
        sys.stdout.flush()
        return
    # With PYTHONUNBUFFERED, a write that a signal interrupts is incomplete.
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) or 0 :]
    out.flush()
