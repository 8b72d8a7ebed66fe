"""Messages on standard output: records by the buffer, all others at once.

A loader reads whole lines as before; only fewer, larger writes carry them. Records always precede
the STATE that covers them, since one buffer holds both.
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

FLUSH_SECONDS = 1.0
"""A buffer goes out when it is this large, or its first message this old."""


def _encode_other(value: Any) -> Any:
    """What the SDK's own writer does with values that JSON does not know."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


ENCODER = msgspec.json.Encoder(enc_hook=_encode_other, decimal_format="number")


def lines_of(records: Sequence[Any], before: bytes, after: bytes) -> tuple[bytes | memoryview, ...]:
    """Lines of JSON, each with the same bytes around it, in pieces that follow one another.

    Args:
        records: What encodes as JSON; at least one.
        before: What each line begins with.
        after: What it ends with, before the line break.
    """
    # One call for all of them, and one that puts the rest between: JSON has no other line breaks.
    lines = ENCODER.encode_lines(records)
    around = lines.replace(b"\n", after + b"\n" + before)
    return before, memoryview(around)[: len(around) - len(before)]


def lines_with(records: Sequence[Any], more: bytes) -> bytes | bytearray:
    """Lines of JSON, each with the same members behind a record's own.

    Args:
        records: What encodes as JSON objects; not empty ones, where there is more.
        more: Members as JSON, without brackets around them; none where it is empty.
    """
    if not more:
        return ENCODER.encode_lines(records)
    # Not one call, and a search for what ends the lines, as above: two bytes are looked for so
    # much more slowly than one that it would cost more than encoding does.
    lines, ending = bytearray(), b"," + more + b"}\n"
    for record in records:
        ENCODER.encode_into(record, lines, -1)
        lines.pop()
        lines += ending
    return lines


class BufferedWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to standard output.

    Attributes:
        is_writing: Whether the buffer or the output holds half of something, so that a signal
            must wait.
        interruption: What to raise once it does not.
        last_state: The last STATE that was written, as a line; None before the first.
    """

    def __init__(self) -> None:
        """Begin with an empty buffer."""
        self.is_writing = False
        self.interruption: BaseException | None = None
        self.last_state: bytes | None = None
        self._buffer = bytearray()
        self._oldest = 0.0

    @override
    def serialize_message(self, message: Message) -> bytes:
        """A message as a line of JSON."""
        return ENCODER.encode(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        """Write a message; one that loaders act on goes out at once, with all before it."""
        line = self.serialize_message(message)
        with self._undisturbed():
            self.write_lines(line)
            if isinstance(message, StateMessage):
                self.last_state = line
            if not isinstance(message, RecordMessage):
                self.flush()

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Write encoded messages that may wait for others, in pieces that are whole together."""
        with self._undisturbed():
            if not self._buffer:
                self._oldest = time.monotonic()
            for piece in pieces:
                self._buffer += piece
            waited = time.monotonic() - self._oldest
            if len(self._buffer) >= FLUSH_BYTES or waited >= FLUSH_SECONDS:
                self._let_out()

    def flush(self) -> None:
        """Let out what is held."""
        with self._undisturbed():
            if self._buffer:
                self._let_out()

    def repeat_state(self) -> None:
        """Write the last STATE again, behind everything else that is held."""
        with self._undisturbed():
            self._buffer += self.last_state or b""
            self.flush()

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Let a signal wait until nothing is half done: a cut line would cost the loader all."""
        outer, self.is_writing = self.is_writing, True
        try:
            yield
        finally:
            self.is_writing = outer
        if self.interruption is not None and not outer:
            interruption, self.interruption = self.interruption, None
            raise interruption

    def _let_out(self) -> None:
        # Emptied first: what a closed pipe refused must not be sent again by a later flush.
        data, self._buffer = self._buffer, bytearray()
        _write_out(data)


def _write_out(data: bytearray) -> None:
    out = getattr(sys.stdout, "buffer", None)
    if out is None:
        # A test or a notebook replaced standard output by one for text.
        sys.stdout.write(data.decode())
        sys.stdout.flush()
        return
    # Where Python is told not to buffer, a write that a signal interrupts is one of a part.
    rest = memoryview(data)
    while rest:
        rest = rest[out.write(rest) or 0 :]
    out.flush()
