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
from singer_sdk.singerlib.encoding.simple import Message, RecordMessage
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


def lines_of(
    records: Sequence[Any], before: bytes = b"", after: bytes = b""
) -> tuple[bytes | memoryview, ...]:
    """Lines of JSON, each with the same bytes around it, in pieces that follow one another.

    Args:
        records: What encodes as JSON; at least one.
        before: What each line begins with.
        after: What it ends with, before the line break.
    """
    # One call for all of them, and one that puts the rest between: JSON has no other line breaks.
    lines = ENCODER.encode_lines(records)
    if not before and not after:
        return (lines,)
    around = lines.replace(b"\n", after + b"\n" + before)
    return before, memoryview(around)[: len(around) - len(before)]


class BufferedWriter(GenericSingerWriter[bytes, Message]):
    """Writes messages to standard output.

    Attributes:
        is_writing: Whether a write is under way, which a signal must not cut.
        interruption: What to raise once it is done.
    """

    def __init__(self) -> None:
        """Begin with an empty buffer."""
        self.is_writing = False
        self.interruption: BaseException | None = None
        self._buffer = bytearray()
        self._oldest = 0.0

    @override
    def serialize_message(self, message: Message) -> bytes:
        """A message as a line of JSON."""
        return ENCODER.encode(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        """Write a message; one that loaders act on goes out at once, with all before it."""
        self.write_lines(self.serialize_message(message))
        if not isinstance(message, RecordMessage):
            self.flush()

    def write_lines(self, *pieces: bytes | memoryview) -> None:
        """Write encoded messages that may wait for others, in pieces that are whole together."""
        with self._uncut():
            if not self._buffer:
                self._oldest = time.monotonic()
            for piece in pieces:
                self._buffer += piece
            waited = time.monotonic() - self._oldest
            if len(self._buffer) >= FLUSH_BYTES or waited >= FLUSH_SECONDS:
                self._let_out()

    def flush(self) -> None:
        """Let out what is held."""
        with self._uncut():
            if self._buffer:
                self._let_out()

    @contextmanager
    def _uncut(self) -> Iterator[None]:
        """Let a signal wait: no line is cut, and none is lost between two places."""
        self.is_writing = True
        try:
            yield
        finally:
            self.is_writing = False
        if self.interruption is not None:
            raise self.interruption

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
    out.write(data)
    out.flush()
