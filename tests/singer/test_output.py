"""Standard output: whole lines, in order, and none behind an error."""

from __future__ import annotations

import errno
import io
import json
import sys
import uuid
from datetime import date, datetime, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib import RecordMessage, SchemaMessage, StateMessage
from typing_extensions import override

from tap_orgvue.singer import output
from tap_orgvue.singer.errors import LoaderGone, OutputFailed
from tap_orgvue.singer.output import (
    ENCODER,
    BufferedWriter,
    flush_stdout,
    lines_of,
    lines_with,
    write_stdout,
    write_text,
)
from tests.support.small_tap import standard_output

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

RECORD = RecordMessage(stream="s", record={"a": 1})
STATE = StateMessage(value={"bookmarks": {"s": {}}})
SCHEMA = SchemaMessage(stream="s", schema={"properties": {}}, key_properties=[])


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> BufferedWriter:
    """A writer whose buffer is never old."""
    monkeypatch.setattr(output, "FLUSH_SECONDS", 3600.0)
    return BufferedWriter()


def test_records_wait_for_other_messages(patient: BufferedWriter) -> None:
    """A RECORD is buffered; any other message writes out the buffer, in order."""
    with standard_output() as written:
        patient.write_message(RECORD)
        assert written().stdout == ""
        patient.write_message(STATE)
        patient.write_message(RECORD)
        assert [message["type"] for message in written().messages] == ["RECORD", "STATE"]
        patient.write_message(SCHEMA)
        kinds = [message["type"] for message in written().messages]
        assert kinds == ["RECORD", "STATE", "RECORD", "SCHEMA"]


def test_a_full_buffer_is_written(patient: BufferedWriter) -> None:
    """A buffer of `FLUSH_BYTES` is written out, a smaller one waits."""
    with standard_output() as written:
        patient.write_lines(b"x" * (output.FLUSH_BYTES - 1))
        assert written().stdout == ""
        patient.write_lines(b"\n")
        assert len(written().stdout) == output.FLUSH_BYTES


def test_an_old_buffer_is_written(patient: BufferedWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first message of a buffer waits for `FLUSH_SECONDS` at most: a later one sends both."""
    with standard_output() as written:
        patient.write_lines(b"1\n")
        # A moment counts as long from here on.
        monkeypatch.setattr(output, "FLUSH_SECONDS", 0.0)
        patient.write_lines(b"2\n")
        assert written().stdout == "1\n2\n"


def test_a_buffer_is_as_old_as_its_first_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time that a buffer was empty does not count."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(output, "FLUSH_SECONDS", 1.0)
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: clock.now))
    writer = BufferedWriter()
    with standard_output() as written:
        writer.write_lines(b"1\n")
        writer.flush()
        assert written().stdout == "1\n"
        clock.now = 500.0
        writer.write_lines(b"2\n")
        clock.now = 500.9
        writer.write_lines(b"3\n")
        assert written().stdout == "1\n"
        clock.now = 501.0
        writer.write_lines(b"4\n")
        assert written().stdout == "1\n2\n3\n4\n"


def test_seconds_of_writing_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a write takes is told afterwards, after a failure too, and while it lasts."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: clock.now))
    writer, told = BufferedWriter(), []

    def write(_: bytes) -> None:
        clock.now += 2
        told.append(writer.seconds_writing())
        clock.now += 3
        if len(told) == 2:
            raise OutputFailed("No.")

    monkeypatch.setattr(output, "write_stdout", write)
    writer.write_lines(b"1\n")
    assert writer.seconds_writing() == 0
    writer.flush()
    writer.write_lines(b"2\n")
    with pytest.raises(OutputFailed):
        writer.flush()
    clock.now += 50
    assert told == [2, 7]
    assert writer.seconds_writing() == 10


def test_the_last_state_is_repeated(patient: BufferedWriter) -> None:
    """It is written again behind all that was buffered; nothing is, before the first."""
    with standard_output() as written:
        patient.repeat_state()
        assert written().stdout == ""
        patient.write_message(SCHEMA)
        patient.repeat_state()
        assert [message["type"] for message in written().messages] == ["SCHEMA"]
        patient.write_message(STATE)
        patient.write_message(RECORD)
        patient.repeat_state()
        kinds = [message["type"] for message in written().messages]
        assert kinds == ["SCHEMA", "STATE", "RECORD", "STATE"]


class Interrupting(io.BytesIO):
    """Standard output on which a signal arrives with every write."""

    def __init__(self, writer: BufferedWriter) -> None:
        """Take the writer that is interrupted."""
        super().__init__()
        self._writer = writer
        self.seen: list[bool] = []

    @override
    def write(self, data: Any) -> int:
        """Write, and let a signal arrive, as `IsolatingTap` takes it."""
        self.seen.append(self._writer.is_writing)
        self._writer.interruption = KeyboardInterrupt()
        return super().write(data)


@pytest.mark.parametrize("call", ["write_message", "write_lines", "flush", "repeat_state"])
def test_a_signal_waits_for_the_end_of_a_message(
    patient: BufferedWriter, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Its error is raised once, behind the whole message, and the writer goes on afterwards."""
    raw = Interrupting(patient)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    patient.last_state = b"4\n"
    if call in {"flush", "repeat_state"}:
        patient.write_lines(b"1\n")
    words: dict[str, Sequence[Any]] = {
        "write_message": [STATE],
        "write_lines": [b"5" * output.FLUSH_BYTES, b"\n"],
    }
    with pytest.raises(KeyboardInterrupt):
        getattr(patient, call)(*words.get(call, ()))
    assert raw.seen == [True]
    assert raw.getvalue().endswith(b"\n")
    assert not patient.is_writing
    assert patient.interruption is None
    patient.write_lines(b"6\n")


class Refusing(io.BytesIO):
    """Standard output that fails."""

    def __init__(self, error: Exception) -> None:
        """Take the error."""
        super().__init__()
        self._error = error

    @override
    def write(self, data: Any) -> int:
        """Refuse."""
        raise self._error


@pytest.mark.parametrize(
    "error,kind,words",
    [
        (BrokenPipeError(), LoaderGone, "The loader closed the pipe"),
        (OSError(errno.ENOSPC, "No space left on device"), OutputFailed, "No space left on device"),
        (OSError(errno.EIO, "Input/output error"), OutputFailed, "Input/output error"),
        (OSError(errno.EBADF, "Bad file descriptor"), OutputFailed, "Bad file descriptor"),
        (OSError("Odd."), OutputFailed, r"cannot be written: OSError: Odd\."),
        (ValueError("I/O operation on closed file."), OutputFailed, "was closed during the run"),
    ],
)
def test_a_failure_is_reported_in_words(
    patient: BufferedWriter,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    kind: type[Exception],
    words: str,
) -> None:
    """Whatever standard output does but take all: an error without Python's own words."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Refusing(error), encoding="utf-8"))
    with pytest.raises(OutputFailed, match=words) as raised:
        patient.write_message(STATE)
    assert type(raised.value) is kind
    assert not patient.is_writing
    assert raised.value.__suppress_context__


def test_nothing_follows_a_cut_line(
    patient: BufferedWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failure every later message fails the same way, though there is room again."""
    error = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(Refusing(error), encoding="utf-8"))
        with pytest.raises(OutputFailed):
            patient.write_message(STATE)
    with standard_output() as written:
        patient.flush()
        patient.write_message(RECORD)
        for call in (patient.flush, patient.repeat_state):
            with pytest.raises(OutputFailed, match="No space left"):
                call()
        assert written().stdout == ""


@pytest.mark.parametrize(
    "call",
    [lambda: write_stdout(b"1"), lambda: write_text("1"), flush_stdout],
    ids=["bytes", "text", "flush"],
)
def test_a_descriptor_that_was_closed_from_the_start(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], None]
) -> None:
    """Python has no standard output then, and would drop all text in silence."""
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputFailed, match="Standard output is closed"):
        call()


def test_a_flush_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text that Python still buffers is lost at its end, in silence."""

    class Full(io.StringIO):
        @override
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OutputFailed, match="No space left"):
        flush_stdout()


@pytest.mark.parametrize(
    "encoding,data", [("utf-8", "ä → b".encode()), ("latin-1", "ä ? b".encode("latin-1"))]
)
def test_text_for_people(monkeypatch: pytest.MonkeyPatch, encoding: str, data: bytes) -> None:
    """In the encoding of the console, which may lack a character."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    write_text("ä → b")
    assert raw.getvalue() == data


@pytest.mark.parametrize("taken", [1, 3, 1000])
def test_a_write_of_a_part_is_continued(
    patient: BufferedWriter, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Where standard output takes a part of the buffer, or nothing, the rest follows."""

    class Partial(io.BytesIO):
        refuses = False

        @override
        def write(self, data: Any) -> int:
            self.refuses = not self.refuses
            if self.refuses:
                return None  # type: ignore[return-value]
            return super().write(bytes(data)[:taken])

    raw = Partial()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="utf-8"))
    patient.write_lines(b"a line\n", b"another\n")
    patient.flush()
    assert raw.getvalue() == b"a line\nanother\n"


def test_standard_output_may_be_for_text(
    patient: BufferedWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is in a notebook; it is flushed like any other."""
    out = io.StringIO()
    flushed: list[str] = []
    monkeypatch.setattr(out, "flush", lambda: flushed.append(out.getvalue()))
    monkeypatch.setattr(sys, "stdout", out)
    patient.write_message(RECORD)
    patient.flush()
    assert flushed == [out.getvalue()]
    assert json.loads(out.getvalue()) == {"type": "RECORD", "stream": "s", "record": {"a": 1}}


def test_each_flush_reaches_the_loader(patient: BufferedWriter, tmp_path: Path) -> None:
    """Nothing stays in a buffer of Python's."""
    path = tmp_path / "out"
    with path.open("w", encoding="utf-8") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        patient.write_message(STATE)
        assert json.loads(path.read_text()) == {"type": "STATE", "value": STATE.value}


@pytest.mark.parametrize("records", [[{"a": 1}], [{"a": "\n"}, {"b": 2}, {"c": [3]}]])
def test_bytes_around_records(records: list[Any]) -> None:
    """Each record stands between the same bytes, on a line of its own."""
    lines = b"".join(lines_of(records, b'{"x":', b',"y":1}'))
    assert lines.endswith(b"\n")
    told = [json.loads(line) for line in lines.splitlines()]
    assert told == [{"x": record, "y": 1} for record in records]


@pytest.mark.parametrize("more,members", [(b"", {}), (b'"y":1,"z":2', {"y": 1, "z": 2})])
def test_members_behind_records(more: bytes, members: Mapping[str, Any]) -> None:
    """Each record has the additional members, if there are any."""
    records: list[dict[str, Any]] = [{"a": 1}, {"a": "}\n"}]
    lines = bytes(lines_with(records, more))
    told = [json.loads(line) for line in lines.splitlines()]
    assert told == [{**record, **members} for record in records]


class Moment(datetime):
    """An instant of another library, as some expressions return it."""


@pytest.mark.parametrize(
    "value,text",
    [
        (Decimal("0.10"), "0.10"),
        (Moment(2026, 1, 2, 3, tzinfo=timezone.utc), '"2026-01-02T03:00:00+00:00"'),
        (datetime(2026, 1, 2, 3, tzinfo=timezone.utc), '"2026-01-02T03:00:00Z"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (uuid.UUID(int=0), f'"{uuid.UUID(int=0)}"'),
        (1 + 2j, '"(1+2j)"'),
    ],
)
def test_values_of_stream_maps(value: Any, text: str) -> None:
    """Whatever an expression returns is written as the SDK writes it; numbers stay exact."""
    assert ENCODER.encode(value).decode() == text
