"""BATCH messages: each names the files of one stream map, whose lines are its records."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from singer_sdk.io_base import SingerWriter

from tap_orgvue.singer import isolating_tap, output
from tap_orgvue.singer.batch_files import BatchWriter
from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.singer.errors import OutputFailed, StreamMapFailed
from tap_orgvue.singer.isolating_tap import Terminated
from tests.support.small_tap import letters, run_of, signalled, small_tap, standard_output

if TYPE_CHECKING:
    from tests.support.runs import Run
    from tests.support.small_tap import SmallTap


def batching(
    folder: Path, size: int = 2, message_writer: SingerWriter | None = None, **config: Any
) -> SmallTap:
    """A tap that writes files into a folder, uncompressed."""
    return small_tap(
        {
            "batch_config": {
                "encoding": {"format": "jsonl", "compression": "none"},
                "storage": {"root": folder.as_uri()},
                "batch_size": size,
            },
            **config,
        },
        message_writer=message_writer,
    )


def lines_by_file(run: Run, stream: str) -> list[list[dict[str, Any]]]:
    """The records of each file that a stream's BATCH messages name."""
    return [
        [json.loads(line) for line in Path(urlsplit(address).path).read_bytes().splitlines()]
        for message in run.of_type("BATCH")
        if message["stream"] == stream
        for address in message["manifest"]
    ]


def letters_in(files: list[list[dict[str, Any]]]) -> list[list[str]]:
    """The letters of each file."""
    return [[record["letter"] for record in lines] for lines in files]


EVERY_WAY = [{}, {"stream_maps": {"first": {"number": "number"}}}]
"""By the block of rows, and record by record."""


@pytest.mark.parametrize("config", EVERY_WAY)
def test_files_of_a_size(tmp_path: Path, config: dict[str, Any]) -> None:
    """Each file has `batch_size` records but the last, and a STATE message follows each."""
    _, run = run_of(batching(tmp_path, **config))
    assert letters_in(lines_by_file(run, "first")) == [["a", "b"], ["c"]]
    kinds = [message["type"] for message in run.messages if message.get("stream") != "second"]
    assert kinds[:4] == ["SCHEMA", "BATCH", "STATE", "BATCH"]
    named = [address for message in run.of_type("BATCH") for address in message["manifest"]]
    assert len(named) == len(set(named)) == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize("config", EVERY_WAY)
def test_a_file_ends_within_a_block(tmp_path: Path, config: dict[str, Any]) -> None:
    """Blocks of rows are cut where a file is full."""
    tap = batching(tmp_path, 3, **config)
    tap.first.pages = [letters(*"abcdefgh")]
    _, run = run_of(tap)
    assert letters_in(lines_by_file(run, "first")) == [list("abc"), list("def"), list("gh")]


def test_rows_that_stay_are_written_by_the_block(tmp_path: Path) -> None:
    """As RECORD messages are."""
    seen: list[bool] = []
    tap = batching(tmp_path)
    tap.first.happen = lambda: seen.append(tap.first.yields_row_blocks)
    run_of(tap)
    assert seen == [True]


@pytest.mark.parametrize("fails", [False, True])
def test_messages_of_another_writer_name_the_same_files(tmp_path: Path, fails: bool) -> None:  # noqa: FBT001
    """Files do not depend on who writes the messages; after a failure none is left over."""
    tap = batching(tmp_path, message_writer=SingerWriter())
    tap.second.selected = False
    if fails:
        tap.first.happen = lambda: 1 / 0
    failed, run = run_of(tap)
    assert list(failed) == ["first"] * fails
    named = letters_in(lines_by_file(run, "first"))
    assert named == ([["a", "b"]] if fails else [["a", "b"], ["c"]])
    assert len(list(tmp_path.iterdir())) == len(named)


def test_each_stream_map_has_files_of_its_own(tmp_path: Path) -> None:
    """The message names the alias; a removed stream has no file."""
    maps = {
        "first": {"__alias__": "one", "number": None, "__filter__": "letter != 'b'"},
        "copy": {"__source__": "first"},
        "second": None,
    }
    _, run = run_of(batching(tmp_path, stream_maps=maps))
    one = [{"letter": "a", "changed": None}, {"letter": "c", "changed": None}]
    assert lines_by_file(run, "one") == [one]
    assert letters_in(lines_by_file(run, "copy")) == [["a", "b"], ["c"]]
    assert {message["stream"] for message in run.of_type("BATCH")} == {"one", "copy"}
    names = sorted(path.name.split("-")[3] for path in tmp_path.iterdir())
    assert names == ["copy", "copy", "one"]


def test_a_failed_stream_map_leaves_no_file(tmp_path: Path) -> None:
    """Its error shows no value; the files that were named before stay."""
    maps = {"first": {"number": "float(letter)"}, "second": None}
    failed, run = run_of(batching(tmp_path, stream_maps=maps))
    assert isinstance(failed["first"], StreamMapFailed)
    assert failed["first"].__cause__ is failed["first"].__context__ is None
    assert "raised ValueError" in str(failed["first"])
    assert run.of_type("BATCH") == []
    assert list(tmp_path.iterdir()) == []


def test_lines_with_a_version(tmp_path: Path) -> None:
    """They have the columns that a loader adds to RECORD messages, but not to BATCH lines."""
    tap = batching(tmp_path, 1000)
    tap.first.next_version = lambda now: now  # type: ignore[method-assign]
    type(tap.first).emit_activate_version_messages = True  # type: ignore[method-assign,assignment]
    try:
        _, run = run_of(tap)
    finally:
        del type(tap.first).emit_activate_version_messages
    [lines] = lines_by_file(run, "first")
    for line in lines:
        assert line["_sdc_table_version"] == tap.first.version
        assert line["_sdc_deleted_at"] is None
        moments = {line["_sdc_extracted_at"], line["_sdc_received_at"], line["_sdc_batched_at"]}
        (moment,) = map(datetime.fromisoformat, moments)
        assert moment.utcoffset() == timedelta(0)
        assert line["_sdc_sequence"] == int(moment.timestamp() * 1000)
        assert line["_sdc_sequence"] >= line["_sdc_sync_started_at"] > 10**12
    assert lines_by_file(run, "second") == [letters(*"abc")]


def test_an_empty_stream_has_no_file(tmp_path: Path) -> None:
    """Neither a file nor a message."""
    tap = batching(tmp_path)
    tap.first.pages = tap.second.pages = []
    _, run = run_of(tap)
    assert run.of_type("BATCH") == []
    assert list(tmp_path.iterdir()) == []


# --- no file that nobody was told of


def announced(run: Run) -> list[str]:
    """The names of the files that messages name."""
    return sorted(
        Path(urlsplit(address).path).name
        for message in run.of_type("BATCH")
        for address in message["manifest"]
    )


def stored(folder: Path) -> list[str]:
    """The names of the files in a folder."""
    return sorted(path.name for path in folder.iterdir())


SIGNAL_AT = {
    "a file is finished": (BatchWriter, "finish"),
    "its message is made": (BatchStream, "_generate_batch_messages"),
    "it is written": (BatchStream, "_write_batch_message"),
    "its state is written": (BatchStream, "_write_state_message"),
    "all is sent": (BatchStream, "finish"),
}


@pytest.mark.parametrize("config", EVERY_WAY)
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("owner,name", SIGNAL_AT.values(), ids=SIGNAL_AT.keys())
def test_a_signal_leaves_no_file(  # noqa: PLR0913 - four of them are a case
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    owner: type,
    name: str,
    behind: bool,
    config: dict[str, Any],
) -> None:
    """Whenever it comes: the files that are there are those that messages name."""
    tap = batching(tmp_path, **config)
    method = getattr(owner, name)

    def interrupted(self: Any, *words: Any, **named: Any) -> Any:
        if not behind:
            signalled(tap)
        result = method(self, *words, **named)
        if behind:
            signalled(tap)
        return result

    monkeypatch.setattr(owner, name, interrupted)
    with standard_output() as written:
        with pytest.raises(Terminated):
            tap.run()
        assert announced(written()) == stored(tmp_path)


def test_a_failed_message_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where standard output takes no more."""
    tap = batching(tmp_path)

    def refuse(data: bytes) -> None:
        if b'"BATCH"' in data:
            raise OutputFailed

    monkeypatch.setattr(output, "write_stdout", refuse)
    with pytest.raises(OutputFailed):
        tap.run()
    assert stored(tmp_path) == []


def test_a_second_signal_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It ends the process at once, while the loader is stuck with the message."""
    tap = batching(tmp_path)
    now = 100.0
    left: list[tuple[int, list[str]]] = []

    def end(code: int) -> None:
        left.append((code, stored(tmp_path)))

    monkeypatch.setattr(isolating_tap, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(isolating_tap, "os", SimpleNamespace(_exit=end))

    def get_stuck(data: bytes) -> None:
        nonlocal now
        if b'"BATCH"' in data:
            assert len(stored(tmp_path)) == 1
            signalled(tap)
            now += 10
            signalled(tap)

    monkeypatch.setattr(output, "write_stdout", get_stuck)
    with pytest.raises(Terminated):
        tap.run()
    assert left == [(143, [])]


def test_a_file_that_vanished_fails_its_stream(tmp_path: Path) -> None:
    """The other streams go on; the message says what to do."""
    tap = batching(tmp_path, 10**6)
    tap.first.pages = [[{"letter": "x" * 100_000}]]
    tap.first.happen = lambda: next(tmp_path.iterdir()).unlink()
    failed, run = run_of(tap)
    assert "was removed before its message was written" in str(failed["first"])
    assert announced(run) == stored(tmp_path)
    assert {message["stream"] for message in run.of_type("BATCH")} == {"second"}


def test_a_signal_while_a_message_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names its file, so that the file stays."""
    tap, write = batching(tmp_path), output.write_stdout

    def interrupted(data: bytes) -> None:
        write(data)
        if b'"BATCH"' in data:
            signalled(tap)

    monkeypatch.setattr(output, "write_stdout", interrupted)
    with standard_output() as written, pytest.raises(Terminated):
        tap.run()
    assert len(announced(written())) == 1
    assert announced(written()) == [path.name for path in tmp_path.iterdir()]
