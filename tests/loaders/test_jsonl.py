"""What arrives in files when the real tap is piped into the real target-jsonl."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_orgvue.simulator import Orgvue, demo_tenant
from tests.support.loaders import load
from tests.support.runs import discover

if TYPE_CHECKING:
    from pathlib import Path


def test_jsonl_files_hold_every_record(orgvue: Orgvue, tmp_path: Path) -> None:
    """target-jsonl writes a line for each row, with the values as Orgvue has them."""
    settings = {"destination_path": str(tmp_path), "do_timestamp_file": False}
    loaded = load("target-jsonl", settings, orgvue.config, discover(orgvue.config))
    assert loaded.codes == (0, 0), loaded.log
    assert [path.name for path in tmp_path.iterdir()] == ["people.jsonl"]
    lines = [json.loads(line) for line in (tmp_path / "people.jsonl").read_text().splitlines()]
    assert len(lines) == 5
    assert lines[1] == {
        "_id": lines[1]["_id"],
        "id": "P1",
        "full_name": "Person 1",
        "salary": 1001,
        "on_leave": False,
        "start_date": "2022-01-02",
        "_modified_at": lines[1]["_modified_at"],
        "_rescued_data": None,
    }


def test_jsonl_takes_the_demo_tenant(tmp_path: Path) -> None:
    """The loader's own validation accepts every record of every dataset, the odd ones too."""
    settings = {"destination_path": str(tmp_path), "do_timestamp_file": False}
    with Orgvue(demo_tenant(people=50, positions=20)) as orgvue:
        loaded = load("target-jsonl", settings, orgvue.config, discover(orgvue.config))
        expected = sum(len(dataset.rows) for dataset in orgvue.tenant.datasets)
    assert loaded.codes == (0, 0), loaded.log
    written = [path.read_text(encoding="utf-8").splitlines() for path in tmp_path.iterdir()]
    assert sum(len(lines) for lines in written) == expected
