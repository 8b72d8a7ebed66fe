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
    """

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self.is_writing = False
        self.interruption: BaseException | None = None
        self.last_state: bytes | None = None
        self._buffer = bytearray()
        self._filled_at = 0.0

    @override
    def serialize_message(self, message: Message) -> bytes:
        """Encode a message as a JSON line."""
        return ENCODER.encode(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        """Write a message. Any message but a RECORD flushes the buffer."""
        line = self.serialize_message(message)
        with self._deferring_signals():
            self.write_lines(line)
            if isinstance(message, StateMessage):
                self.last_state = line
            if not isinstance(message, RecordMessage):
                self.flush()

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Buffer encoded messages, given as consecutive pieces of whole lines."""
        with self._deferring_signals():
            if not self._buffer:
                self._filled_at = time.monotonic()
            for piece in pieces:
                self._buffer += piece
            waited = time.monotonic() - self._filled_at
            if len(self._buffer) >= FLUSH_BYTES or waited >= FLUSH_SECONDS:
                self._write_buffer()

    def flush(self) -> None:
        """Write out the buffer."""
        with self._deferring_signals():
            if self._buffer:
                self._write_buffer()

    def repeat_state(self) -> None:
        """Write out the buffer, and the last STATE message again behind it."""
        with self._deferring_signals():
            self._buffer += self.last_state or b""
            self.flush()

    @contextmanager
    def _deferring_signals(self) -> Iterator[None]:
        """Defer a signal's error to the end of the message: loaders fail on a cut line."""
        outer, self.is_writing = self.is_writing, True
        try:
            yield
        finally:
            self.is_writing = outer
        if self.interruption is not None and not outer:
            interruption, self.interruption = self.interruption, None
            raise interruption

    def _write_buffer(self) -> None:
        # Emptied first: after an error, a later flush must not write it again.
        data, self._buffer = self._buffer, bytearray()
        _write_stdout(data)


def _write_stdout(data: bytearray) -> None:
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
