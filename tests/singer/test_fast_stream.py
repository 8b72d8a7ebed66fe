"""Blocks of rows leave as the messages that the SDK writes, and a bookmark is left in the end."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.helpers._state import StateWriter
from singer_sdk.io_base import SingerWriter
from singer_sdk.singerlib import StateMessage
from typing_extensions import override

from tap_orgvue.singer import output
from tap_orgvue.singer.errors import OutputFailed, StreamMapFailed
from tap_orgvue.singer.fast_stream import cut
from tests.support.small_tap import (
    First,
    SmallStream,
    SmallTap,
    letters,
    run_of,
    small_tap,
    standard_output,
)

if TYPE_CHECKING:
    from pathlib import Path

    from singer_sdk import Stream


def _write_every_state(self: StateWriter, state: dict[str, Any]) -> None:
    self._message_writer.write_message(StateMessage(value=state))


# --- the messages


def test_blocks_of_rows_are_messages() -> None:
    """Each row is a RECORD with its stream's alias, the time, and no version without one."""
    maps = {"stream_maps": {"second": None}}
    _, run = run_of(small_tap(maps))
    assert run.records == {"first": letters(*"abc")}
    for message in run.of_type("RECORD"):
        assert datetime.fromisoformat(message["time_extracted"]).utcoffset() == timedelta(0)
        assert "version" not in message


@pytest.mark.parametrize("maps", [{}, {"first": {"number": "number"}}])
@pytest.mark.parametrize("block", [1, 2, 5, 12])
def test_state_messages_come_in_between(
    monkeypatch: pytest.MonkeyPatch, maps: dict[str, Any], block: int
) -> None:
    """After so many records, however blocks are cut, and once in the end."""
    monkeypatch.setattr(SmallStream, "STATE_MSG_FREQUENCY", 5)
    monkeypatch.setattr(StateWriter, "write_state", _write_every_state)
    tap = small_tap({"stream_maps": maps})
    alphabet = "abcdefghijkl"
    tap.first.pages = [letters(*alphabet[i : i + block]) for i in range(0, 12, block)]
    tap.second.selected = False
    _, run = run_of(tap)
    kinds = "".join(message["type"][0:2] for message in run.messages)
    assert kinds.startswith("SC" + "RE" * 5 + "ST" + "RE" * 5 + "ST" + "RE" * 2 + "ST")


def test_metrics_count_records(caplog: pytest.LogCaptureFixture) -> None:
    """The SDK's metrics know of every record of a block, and of no context."""
    caplog.set_level("INFO", logger="singer_sdk.metrics")
    tap = small_tap()
    tap.first.pages = [letters(*"abcde"), letters(*"fgh")]
    run_of(tap)
    points = [json.loads(text.removeprefix("METRIC: ")) for text in caplog.messages if "{" in text]
    [count] = [
        point
        for point in points
        if (point["metric"], point["tags"]["stream"]) == ("record_count", "first")
    ]
    assert count["value"] == 8
    assert count["tags"]["context"] == {}
    timers = [point for point in points if point["metric"] == "sync_duration"]
    assert [point["tags"]["context"] for point in timers] == [{}, {}]


@pytest.mark.parametrize(
    "change",
    [
        {"stream_maps": {"first": {"number": "number"}}},
        {"stream_maps": {"copy": {"__source__": "first"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
    ],
)
def test_rows_that_change_are_records(change: dict[str, Any]) -> None:
    """Where a map changes rows, or a stream is sent twice, they leave as records."""
    seen: list[bool] = []
    tap = small_tap(change)
    tap.first.happen = lambda: seen.append(tap.first.yields_row_blocks)
    run_of(tap)
    assert seen == [False]


def test_rows_that_stay_are_blocks() -> None:
    """Without maps rows leave by the block; the flag is off when the stream ends."""
    seen: list[bool] = []
    tap = small_tap({"flattening_enabled": True, "flattening_max_depth": 0})
    tap.first.happen = lambda: seen.append(tap.first.yields_row_blocks)
    run_of(tap)
    assert seen == [True]
    assert not tap.first.yields_row_blocks


def test_a_block_that_fails_leaves_no_flag() -> None:
    """A stream that is read again after a failure yields records."""
    tap = small_tap()

    def fail() -> None:
        raise ValueError

    tap.first.happen = fail
    run_of(tap)
    assert not tap.first.yields_row_blocks
    tap.first.happen = list
    assert list(tap.first.get_records(None)) == letters(*"abc")


@pytest.mark.parametrize(
    "name,value",
    [
        ("ABORT_AT_RECORD_COUNT", 1),
        ("can_encode_rows", False),
        ("partitions", [{"part": 1}]),
    ],
)
def test_the_sdks_own_loop_takes_over(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any
) -> None:
    """With a limit of records, names that no struct has, or partitions."""
    monkeypatch.setattr(First, name, value)
    seen: list[bool] = []
    tap = small_tap()
    tap.first.happen = lambda: seen.append(tap.first.yields_row_blocks)
    _, run = run_of(tap)
    assert seen in ([False], [])
    assert len(run.records["first"]) == (1 if name.startswith("ABORT") else 3)


def test_a_deselected_column_is_left_to_the_sdk() -> None:
    """It stands in no record."""
    tap = small_tap()
    tap.first.metadata["properties", "number"].selected = False
    _, run = run_of(tap)
    assert run.records["first"] == [{"letter": letter, "changed": None} for letter in "abc"]


def test_another_writer_is_left_to_the_sdk() -> None:
    """Blocks are for the buffered writer only; without it, flushing does nothing."""
    tap = small_tap(message_writer=SingerWriter())
    _, run = run_of(tap)
    assert run.records["first"] == letters(*"abc")
    tap.first.flush()
    tap.flush()
    tap.write_last_state()


# --- the replication key


def incremental(tap: SmallTap, *changed: str | None) -> None:
    """Make the first stream incremental, with pages of one row that changed at these times."""
    tap.first.replication_key = "changed"
    tap.first.forced_replication_method = "INCREMENTAL"
    tap.first.pages = [[{**letters("a")[0], "changed": value}] for value in changed]
    tap.second.selected = False


@pytest.mark.parametrize("maps", [{}, {"first": {"number": "number"}}])
def test_the_bookmark_is_of_the_first_page(maps: dict[str, Any]) -> None:
    """By the block and by the record alike."""
    tap = small_tap({"stream_maps": maps})
    incremental(tap, "2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z")
    _, run = run_of(tap)
    assert run.state["bookmarks"]["first"] == {
        "replication_key": "changed",
        "replication_key_value": "2026-01-02T00:00:00Z",
    }


@pytest.mark.parametrize("maps", [{}, {"first": {"number": "number"}}])
def test_without_values_the_bookmark_stays(maps: dict[str, Any]) -> None:
    """Rows without a value of the replication key move nothing."""
    last = {"replication_key": "changed", "replication_key_value": "2026-01-02T00:00:00Z"}
    state = {"bookmarks": {"first": last}}
    tap = small_tap({"stream_maps": maps}, state=state)
    incremental(tap, None)
    _, run = run_of(tap)
    assert run.state == state


def test_a_bookmark_is_not_after_the_start() -> None:
    """A value in the future is replaced by the time at which the sync began."""
    tap, before = small_tap(), datetime.now(timezone.utc)
    incremental(tap, "9999-01-01T00:00:00Z")
    _, run = run_of(tap)
    bookmark = run.state["bookmarks"]["first"]["replication_key_value"]
    start = datetime.fromisoformat(bookmark.replace("Z", "+00:00"))
    assert before - timedelta(seconds=1) <= start <= datetime.now(timezone.utc)


@pytest.mark.parametrize("maps", [{}, {"first": {"number": "number"}}])
def test_rows_without_a_value_are_reported(
    caplog: pytest.LogCaptureFixture, maps: dict[str, Any]
) -> None:
    """Once a stream, with their number; none is, where there are none, or for a full table."""
    words = "have no value of the replication key 'changed'"
    tap = small_tap({"stream_maps": maps})
    incremental(tap, None, "2026-01-02T00:00:00Z", None)
    run_of(tap)
    told = [message for message in caplog.messages if words in message]
    assert len(told) == 1
    assert told[0].startswith("'first': 2 rows")
    caplog.clear()
    incremental(tap := small_tap({"stream_maps": maps}), "2026-01-02T00:00:00Z")
    run_of(tap)
    run_of(small_tap({"stream_maps": maps}))
    assert not [message for message in caplog.messages if words in message]


@pytest.mark.parametrize("value", ["2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"])
def test_a_stream_bounds_its_bookmark(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A stream that knows how far its rows are complete says so."""
    bound = datetime(2026, 1, 2, tzinfo=timezone.utc)
    monkeypatch.setattr(First, "replication_bound", lambda _: bound)
    tap = small_tap()
    incremental(tap, value)
    _, run = run_of(tap)
    bookmark = run.state["bookmarks"]["first"]["replication_key_value"]
    assert bookmark == min(value, "2026-01-02T00:00:00.000Z")


def test_an_odd_bookmark_ends_no_run() -> None:
    """A bookmark that is no instant is left to the stream, which requests by it."""
    tap = small_tap(state={"bookmarks": {"first": {"replication_key_value": {"a": 1}}}})
    incremental(tap, "2026-01-02T00:00:00Z")
    failed, run = run_of(tap)
    assert failed == {}
    assert len(run.records["first"]) == 1


def test_a_full_table_has_no_bookmark() -> None:
    """Nothing is noted of its rows."""
    tap = small_tap()
    tap.first.pages = [[{**letters("a")[0], "changed": "2026-01-02T00:00:00Z"}]]
    _, run = run_of(tap)
    assert run.state["bookmarks"]["first"] == {}


def test_what_is_buffered_is_sent_before_a_wait() -> None:
    """A stream flushes before it waits for a page."""
    tap = small_tap()
    with standard_output() as written:
        seen: list[int] = []

        def wait() -> None:
            tap.first.flush()
            seen.append(len(written().records["first"]))

        tap.first.happen = wait
        tap.run()
    assert seen == [3]


def test_a_stream_that_ended_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its records are out before anything is said of its end, also where no STATE follows them."""
    monkeypatch.setattr(output, "FLUSH_SECONDS", 3600.0)
    sent: list[tuple[str, int]] = []
    with standard_output() as written:

        def note(_: object, stream: Stream, __: object) -> None:
            sent.append((stream.name, len(written().records[stream.name])))

        monkeypatch.setattr(SmallTap, "stream_ended", note)
        small_tap(state={"bookmarks": {"first": {"own": 1}, "second": {"own": 2}}}).run()
    assert sent == [("first", 3), ("second", 3)]


@pytest.mark.parametrize(
    "config,calculates",
    [
        ({}, False),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, False),
        ({"stream_maps": {"second": {"more": "letter"}}}, False),
        ({"stream_maps": {"first": {"more": "letter"}}}, True),
        ({"stream_maps": {"copy": {"__source__": "first", "number": None}}}, True),
    ],
)
def test_maps_that_may_calculate(config: dict[str, Any], calculates: bool) -> None:  # noqa: FBT001
    """Those of a stream, whether they do or not; flattening only names columns."""
    assert small_tap(config).first.has_custom_map is calculates


# --- hooks


class Hooked(SmallStream):
    """A stream that tells when its hooks are called."""

    name = "hooked"
    sends = True
    calls: list[str]

    @override
    def prepare(self) -> bool:
        """Say whether there is anything to send."""
        self.calls.append("prepare")
        return self.sends

    @override
    def finish(self) -> None:
        """Note the end."""
        self.calls.append("finish")


class HookedTap(SmallTap):
    """A tap of that stream."""

    @override
    def discover_streams(self) -> list[SmallStream]:
        """Make it."""
        stream = Hooked(self)
        stream.calls = []
        stream.happen = lambda: stream.calls.append("end of records")
        return [stream]


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("sends", [True, False])
def test_hooks_are_called_once(tmp_path: Path, batch: bool, sends: bool) -> None:  # noqa: FBT001
    """Before the SCHEMA message and behind the last record; a stream without news sends nothing."""
    config = {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "none"},
            "storage": {"root": tmp_path.as_uri()},
        }
    }
    tap = HookedTap(config=config if batch else {})
    stream = tap.streams["hooked"]
    assert isinstance(stream, Hooked)
    stream.sends = sends
    _, run = run_of(tap)
    assert stream.calls == (["prepare", "end of records", "finish"] if sends else ["prepare"])
    kinds = {message["type"] for message in run.messages}
    assert kinds == ({"SCHEMA", "STATE", "BATCH" if batch else "RECORD"} if sends else {"STATE"})


def test_records_without_a_sync() -> None:
    """As a notebook reads them: the stream prepares itself."""
    tap = HookedTap(config={})
    stream = tap.streams["hooked"]
    assert isinstance(stream, Hooked)
    assert list(stream.get_records(None)) == letters(*"abc")
    assert stream.calls == ["prepare", "end of records", "finish"]


# --- the schema of a run


@pytest.mark.parametrize("with_catalog", [False, True])
def test_a_schema_replaces_the_catalogs(with_catalog: bool) -> None:  # noqa: FBT001
    """The SCHEMA message and the stream maps are made of it."""
    catalog = json.loads(small_tap().catalog_json_text) if with_catalog else None
    maps = {"stream_maps": {"second": {"more": "str(letter)"}}}
    tap = small_tap(maps, catalog=catalog)
    schema = {
        "type": "object",
        "properties": {"letter": {"type": ["string", "null"]}},
    }
    for stream in (tap.first, tap.second):
        assert "number" in stream.schema["properties"]
        assert stream.stream_maps
        stream.pages = [[{"letter": "a"}]]
        stream.use_schema(schema)
        if with_catalog:
            assert set(stream.effective_schema["properties"]) == {"letter"}
    _, run = run_of(tap)
    assert set(run.schemas["first"]["schema"]["properties"]) == {"letter"}
    assert set(run.schemas["second"]["schema"]["properties"]) == {"letter", "more"}
    assert run.records == {"first": [{"letter": "a"}], "second": [{"letter": "a", "more": "a"}]}


# --- errors of stream maps


def test_the_error_of_a_map_shows_no_value() -> None:
    """The stream and the kind of the error; for the SDK's own errors the expression."""
    maps = {"first": {"x": "float(letter)"}, "second": {"x": "nowhere"}}
    failed, _ = run_of(small_tap({"stream_maps": maps}))
    first, second = failed["first"], failed["second"]
    assert str(first) == "Stream 'first': `stream_maps` failed on a record. It raised ValueError."
    assert isinstance(second, StreamMapFailed)
    assert "nowhere" in str(second)
    assert first.__cause__ is first.__context__ is None


def test_an_error_of_standard_output_is_no_error_of_a_map(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A pipe that is closed between two records ends the run."""

    def refuse(data: bytes) -> None:
        if b'"RECORD"' in data:
            raise OutputFailed

    monkeypatch.setattr(output, "write_stdout", refuse)
    monkeypatch.setattr(output, "FLUSH_SECONDS", 0.0)
    tap = small_tap({"stream_maps": {"first": {"x": "letter"}}})
    tap.second.selected = False
    with pytest.raises(OutputFailed):
        tap.run()
    assert "The run ends. Not sent: first." in caplog.messages


@pytest.mark.parametrize(
    "first,size,parts",
    [(5, 5, ["abcde"]), (2, 2, ["ab", "cd", "e"]), (1, 3, ["a", "bcd", "e"]), (9, 3, ["abcde"])],
)
def test_cut(first: int, size: int, parts: list[str]) -> None:
    """The first part may be shorter; the others have a size, the last what is left."""
    assert ["".join(part) for part in cut(list("abcde"), first, size)] == parts
    assert list(cut([], first, size)) == []


def test_a_stream_counts_no_requests_by_itself() -> None:
    """Only a stream that knows of its requests tells of some."""
    assert small_tap().first.request_counts() == {}
