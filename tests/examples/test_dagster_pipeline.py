"""The half of the example for Dagster that knows nothing of it: shards, catalogs, states."""

from __future__ import annotations

import importlib.util
import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

FILE = Path(__file__).resolve().parents[2] / "examples" / "dagster" / "pipeline.py"
FIRST, SECOND = "0B53C2F0-7A5B-4A37-9B65-0C5C6A1F7C11", "0B53C2F0-7A5B-4A37-9B65-0C5C6A1F7C14"
"""Ids of datasets in the shards 0 and 1, of two."""


@pytest.fixture(params=["folder", "object store"])
def pipeline(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModuleType:
    """The module, with a store of its own, and the tenants that come with it."""
    store = str(tmp_path) if request.param == "folder" else f"memory://{uuid.uuid4().hex}"
    monkeypatch.setenv("ORGVUE_STORE", store)
    spec = importlib.util.spec_from_file_location("orgvue_pipeline", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def bookmark(dataset_id: str, rows: int = 1) -> dict[str, Any]:
    """A stream's state."""
    return {"orgvue": {"dataset": dataset_id, "rows": rows}}


def line(**bookmarks: Any) -> str:
    """What a loader writes."""
    return json.dumps({"bookmarks": bookmarks}) + "\n"


def test_a_dataset_stays_in_its_shard(pipeline: ModuleType) -> None:
    """Its id decides, in any case: states and tables of earlier versions depend on it."""
    found = [pipeline.shard_of("acme", each) for each in (FIRST, SECOND, FIRST.lower())]
    assert found == [0, 1, 0]
    assert pipeline.shard_of("globex", SECOND) == 0


def test_the_last_state_of_the_loader_is_kept_if_it_is_one(pipeline: ModuleType) -> None:
    """Streams of other shards are left alone; a line that was cut changes nothing."""
    pipeline.keep_state("acme", 1, line(positions=bookmark(SECOND)))
    older, newer = bookmark(FIRST, 1), bookmark(FIRST, 2)
    written = line(people=older) + line(people=newer, positions=bookmark(SECOND, 7), empty={})
    pipeline.keep_state("acme", 0, written)
    kept = {"people": newer, "positions": bookmark(SECOND)}
    for nothing in ("", written + line(people=older)[:-5], "loaded\n", "[]\n", "{}\n"):
        pipeline.keep_state("acme", 0, nothing)
        assert pipeline.read_bookmarks("acme") == kept
    assert pipeline.read_bookmarks("acme", 0) == {"people": newer}
    assert pipeline.read_bookmarks("globex") == {}
    pipeline.keep_state("acme", 0, line(positions=bookmark(SECOND)))
    assert pipeline.read_bookmarks("acme") == {"positions": bookmark(SECOND)}


def entry(stream: str, dataset_id: str, *, selected: bool = True) -> dict[str, Any]:
    """An entry of a catalog."""
    chosen = {"breadcrumb": [], "metadata": {"selected": selected}}
    return {"tap_stream_id": stream, "table_name": dataset_id, "metadata": [chosen]}


def test_a_shard_selects_its_streams_and_keeps_the_others_in_the_catalog(
    pipeline: ModuleType,
) -> None:
    """Deselected by a person stays deselected; one shard tells of a dataset that was skipped."""
    skipped = [{"dataset_id": FIRST, "name": "A"}, {"dataset_id": SECOND, "name": "B"}]
    streams = [
        entry("people", FIRST),
        entry("pets", FIRST, selected=False),
        entry("jobs", FIRST),
        entry("positions", SECOND),
    ]
    catalog = {"streams": streams, "orgvue": {"skipped": skipped}}
    pipeline.save(pipeline.STORE / "catalogs" / "acme.json", catalog)
    for shard, only, expected in (
        (0, [], ["people", "jobs"]),
        (1, [], ["positions"]),
        (0, ["jobs", "positions"], ["jobs"]),
    ):
        found, selected = pipeline.select("acme", shard, only)
        choices = {
            each["tap_stream_id"]: each["metadata"][0]["metadata"]["selected"]
            for each in found["streams"]
        }
        assert selected == expected
        assert [name for name, is_chosen in choices.items() if is_chosen] == expected
        assert len(choices) == len(streams)
        assert found["orgvue"]["skipped"] == [skipped[shard]]
