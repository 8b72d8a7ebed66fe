"""The short record path against the SDK's own: the same messages, whatever a user sets."""

from __future__ import annotations

import gzip
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from singer_sdk.helpers._state import StateWriter
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.io_base import SingerWriter
from singer_sdk.singerlib import StateMessage

from tap_orgvue.simulator import Dataset, Property
from tap_orgvue.singer.output import BufferedWriter
from tap_orgvue.streams.dataset_stream import DatasetStream
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.runs import discover, entry, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

SETTINGS: dict[str, dict[str, Any]] = {
    "nothing set": {},
    "a renamed stream": {"stream_maps": {"people": {"__alias__": "staff"}}},
    "computed columns": {
        "stream_maps": {"people": {"mark": "md5(str(id))", "salary": "float(salary or 0) * 2"}},
    },
    "a removed column": {"stream_maps": {"people": {"salary": None}}},
    "filtered rows": {"stream_maps": {"people": {"__filter__": "on_leave"}}},
    "nothing but what is named": {
        "stream_maps": {"people": {"id": "id", "__else__": None, "__key_properties__": ["id"]}},
    },
    "a stream of a stream": {"stream_maps": {"copy": {"__source__": "people"}}},
    "a removed stream": {"stream_maps": {"people": None}},
    "no stream but those named": {"stream_maps": {"links": {}, "__else__": None}},
    "an invented name": {
        "stream_maps": {"people": {"full_name": "fake.name()"}},
        "faker_config": {"seed": 7, "locale": "en_US"},
    },
    "flattened": {"flattening_enabled": True, "flattening_max_depth": 2},
    "versions": {"emit_activate_version_messages": True},
    "versions and maps": {
        "emit_activate_version_messages": True,
        "stream_maps": {"people": {"__alias__": "staff", "salary": None}},
    },
    "Orgvue's names": {"column_names": "original", "stream_maps": {"people": {"id": "id"}}},
}


@pytest.fixture
def tenant(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with people and links, some cells empty."""
    dataset = people(1000)
    dataset.add({"id": "empty"})
    links = Dataset(
        "Links",
        type="LINKS",
        properties=[Property("from_id", "text"), Property("to_id", "text")],
        rows=[{"from_id": f"P{i}", "to_id": f"P{i + 1}"} for i in range(20)],
    )
    return serve(dataset, links)


def told(output: str) -> list[dict[str, Any]]:
    """Messages without what differs between two runs: moments."""
    # Not `splitlines`: text may hold other signs that end lines, as U+2028.
    messages = [json.loads(line) for line in output.split("\n") if line]
    for message in messages:
        if "time_extracted" in message:
            message["time_extracted"] = "a moment"
        if "version" in message:
            message["version"] = "a version"
        for bookmark in message.get("value", {}).get("bookmarks", {}).values():
            bookmark.get("orgvue", {}).pop("version", None)
    return messages


def columns(catalog: dict[str, Any], stream: str) -> list[str]:
    """The names of a stream's columns."""
    return list(entry(catalog, stream)["schema"]["properties"])


def run_with(writer: Any, config: dict[str, Any], catalog: dict[str, Any]) -> str:
    """What a run writes, with one writer or the other."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(out):
        tap = TapOrgvue(
            config=json.loads(json.dumps(config)), catalog=catalog, message_writer=writer
        )
        assert not tap.run()
        tap.close()
    out.seek(0)
    return out.read()


def both_ways(
    config: dict[str, Any], catalog: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The messages of the short path, and those of the SDK's own with all its checks."""
    short = told(run_with(BufferedWriter(), config, catalog))
    # Objects are left as they are: the SDK drops what a schema does not name in them.
    monkeypatch.setattr(DatasetStream, "TYPE_CONFORMANCE_LEVEL", TypeConformanceLevel.ROOT_ONLY)
    return short, told(run_with(SingerWriter(), config, catalog))


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_messages_are_the_sdks_own(
    tenant: Orgvue, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is set, a loader gets the messages that the SDK's own path would write."""
    config = {**tenant.config, **settings}
    short, own = both_ways(config, discover(config), monkeypatch)
    assert short == own
    assert any(message["type"] == "SCHEMA" for message in short)


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_deselected_columns_and_incremental_streams_too(
    tenant: Orgvue, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with columns deselected, keys among them, and with an incremental stream."""
    config = {**tenant.config, **settings}
    catalog = discover(config)
    select(catalog, "people", "start_date", "full_name", "_id", selected=False)
    changed = next(name for name in columns(catalog, "links") if name.startswith("_modified"))
    select(catalog, "links", replication_method="INCREMENTAL", replication_key=changed)
    select(catalog, "links", changed, selected=False)
    short, own = both_ways(config, catalog, monkeypatch)
    assert short == own


def test_stream_maps_are_given_dates_as_texts(tenant: Orgvue) -> None:
    """An expression finds in a date what a loader would find in it."""
    maps = {"people": {"month": "(start_date or '')[:7]"}}
    records = sync({**tenant.config, "stream_maps": maps}).records["people"]
    assert records[0]["start_date"] == "2022-01-01"
    assert records[0]["month"] == "2022-01"


@pytest.mark.slow
def test_a_stream_by_any_name_too(tenant: Orgvue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for a stream that a user's catalog calls by signs that JSON is made of."""
    catalog = discover(tenant.config)
    named = entry(catalog, "people")
    named["tap_stream_id"] = named["stream"] = 'a{}"b\n'
    short, own = both_ways(tenant.config, catalog, monkeypatch)
    assert short == own


@pytest.mark.slow
def test_a_long_stream_too(serve: Callable[..., Orgvue], monkeypatch: pytest.MonkeyPatch) -> None:
    """STATE comes after as many records as the SDK's own path has it, between blocks and within."""
    dataset = people(7, "Few")
    tenant = serve(people(2500), dataset)
    monkeypatch.setattr(DatasetStream, "STATE_MSG_FREQUENCY", 1000)
    # A state that changes with every message is written with every message.
    monkeypatch.setattr(StateWriter, "write_state", _write_every_state)
    short, own = both_ways(tenant.config, discover(tenant.config), monkeypatch)
    assert short == own
    kinds = [message["type"] for message in short if message.get("stream") != "few"]
    assert kinds.count("STATE") > 4


def _write_every_state(self: StateWriter, state: dict[str, Any]) -> None:
    self._message_writer.write_message(StateMessage(value=state))


def test_odd_values_too(serve: Callable[..., Orgvue], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where values do not fit or are long, and where a name is none that a field has."""
    odd: list[dict[str, Any]] = [
        *({"number": value} for value in ("N/A", 1.5, True, [1], 0.30000000000000004, None)),
        *({"text": value} for value in (5, "a\x00b", "\u2028", {"a": [1.10]}, None)),
        *({"date": value} for value in ("2022-01-02T10:00:00Z", "soon", 5, "2022-01-02", None)),
        *({"_changedAt": value} for value in ("2022-01-02T10:00:00.000Z", "2022-01-02", "x", None)),
    ]
    properties = [
        *(Property("number", "number"), Property("text"), Property("date", "date")),
        *(Property("_changedAt", "date"), Property('with "quotes"', "text")),
    ]
    tenant = serve(Dataset("People", properties=properties, rows=odd))
    for names in ("snake_case", "original"):
        config = {**tenant.config, "column_names": names}
        short, own = both_ways(config, discover(config), monkeypatch)
        assert short == own
        assert sum(message["type"] == "RECORD" for message in short) == len(odd)


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_batch_files_hold_what_records_would(
    tenant: Orgvue, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Files of BATCH messages hold exactly the records that RECORD messages would, in order."""
    config = {**tenant.config, **settings}
    records = sync(config).records
    batch = {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": tmp_path.as_uri(), "prefix": "x-"},
            "batch_size": 400,
        },
    }
    run = sync({**config, **batch})
    found: dict[str, list[dict[str, Any]]] = {}
    for message in run.of_type("BATCH"):
        for address in message["manifest"]:
            path = Path(urlsplit(address).path)
            assert path.name.startswith("x-tap-orgvue--")
            lines = gzip.decompress(path.read_bytes()).splitlines()
            assert 0 < len(lines) <= 400
            found.setdefault(message["stream"], []).extend(json.loads(line) for line in lines)
    for stream_records in found.values():
        for record in stream_records:
            for name in [name for name in record if name.startswith("_sdc_")]:
                assert settings.get("emit_activate_version_messages")
                del record[name]
    assert found == {stream: rows for stream, rows in records.items() if rows}
    assert not run.of_type("RECORD")


def test_uncompressed_batches(tenant: Orgvue, tmp_path: Path) -> None:
    """Compression `none` writes plain lines, as the message says."""
    encoding = {"format": "jsonl", "compression": "none"}
    config = {"batch_config": {"encoding": encoding, "storage": {"root": tmp_path.as_uri()}}}
    run = sync({**tenant.config, **config})
    message = next(m for m in run.of_type("BATCH") if m["stream"] == "people")
    assert message["encoding"] == encoding
    lines = Path(urlsplit(message["manifest"][0]).path).read_bytes().splitlines()
    assert len(lines) == 1001
    assert json.loads(lines[0])["id"] == "P0"
