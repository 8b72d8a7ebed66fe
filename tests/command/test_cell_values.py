"""Values of cells are in no log, error or metric, whichever way a run goes wrong.

`exports/test_hostile.py` looks at the same for what is wrong with an export itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.command.test_secrets import everything_logged
from tests.support.runs import Run, command, discover, into_closed_pipe, only, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME, PAY, BORN, CHANGED = "Ada-Secret-Lovelace", "90125.25", "1987-06-05", "2026-03-04T05:06:07"
MARKS = (NAME, PAY, BORN, CHANGED)


def marked(name: str = "People") -> Dataset:
    """A dataset in which every value but the ids would be known again; some do not fit."""
    rows: list[dict[str, object]] = [
        {
            "name": NAME,
            "pay": float(PAY),
            "born": BORN,
            "away": True,
            "_modifiedAt": f"{CHANGED}.{i:03}Z",
        }
        for i in range(20)
    ]
    rows[7] |= {"pay": NAME, "born": f"{BORN}T11:12:13", "away": PAY}
    rows[8] |= {"name": {"nested": [NAME]}, "pay": [float(PAY)], "born": NAME}
    properties = [Property("name"), Property("pay", "number"), Property("born", "date")]
    return Dataset(name, properties=[*properties, Property("away", "boolean")], rows=rows)


@dataclass(frozen=True)
class Way:
    """A way that a run goes.

    Attributes:
        settings: The settings it takes.
        told: What stderr says of it, so that it was gone.
        arrange: What is done to the tenant and the catalog before.
        code: How it ends.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    told: str = ""
    arrange: Callable[[Orgvue, dict[str, Any]], object] = lambda *_: None
    code: int = 5


def maps(**of_people: str) -> dict[str, Any]:
    """Settings with stream maps for People."""
    return {"stream_maps": {"people": of_people}}


NOWHERE: dict[str, Any] = {
    "key": "k",
    "secret": "s",
    "endpoint_url": "http://127.0.0.1:9",
    "config_kwargs": {"retries": {"max_attempts": 0}},
}
"""Parameters of an object store that nobody serves."""


def batches(root: str, **params: Any) -> dict[str, Any]:
    """Settings with BATCH files."""
    return {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": root, "params": params},
        }
    }


def incremental(_: Orgvue, catalog: dict[str, Any]) -> None:
    """Replicate People by what has changed."""
    select(
        catalog,
        "people",
        replication_method="INCREMENTAL",
        replication_key="_modified_at",
    )


def key(column: str) -> Callable[[Orgvue, dict[str, Any]], object]:
    """Have a column identify the rows, though its values do not fit."""

    def arrange(_: Orgvue, catalog: dict[str, Any]) -> None:
        for stream in catalog["streams"]:
            if stream["tap_stream_id"] == "people":
                stream["key_properties"] = [column]

    return arrange


def broken(orgvue: Orgvue, _: dict[str, Any]) -> None:
    """Break every answer in its last bytes."""
    orgvue.job_status_word = "completed"
    orgvue.hang_up(on=["export", "result", "items"], after=-9, times=None)


def refused(*on: str) -> Callable[[Orgvue, dict[str, Any]], object]:
    """Refuse what is asked for."""
    return lambda orgvue, _: orgvue.refuse("400606", on=on, times=None)


def grown(orgvue: Orgvue, _: dict[str, Any]) -> None:
    """Add a property that the catalog does not know."""
    orgvue.dataset("People").add_property(Property("secret"), [NAME] * 20)


WAYS: dict[str, Way] = {
    "all is well": Way(told="(property 'pay'): ", code=0),
    "misfits are errors": Way({"rescue_data": False}, "does not fit its column", code=3),
    "a key does not fit": Way(told="A value of the key 'born'", arrange=key("born")),
    "answers break off": Way(told="broke off", arrange=broken),
    "results break off": Way({"export_mode": "async"}, "could not be fetched completely", broken),
    "items break off": Way({"include_calculations": False}, "broke off", broken),
    "items do not fit": Way(
        {"include_calculations": False, "rescue_data": False}, "does not fit its column", code=3
    ),
    "a filter is refused": Way(
        {"filters": {"people": {"name": NAME, "born": {"$gt": BORN}, "pay": float(PAY)}}},
        "400606 FilterIsNotValid",
        refused("export"),
    ),
    "a filter is refused in a job": Way(
        {"filters": {"people": {"name": {"$in": [NAME, PAY]}}}, "export_mode": "async"},
        "400606 FilterIsNotValid",
        refused("job"),
    ),
    "what has changed": Way(told="METRIC", arrange=incremental, code=0),
    "in slices": Way({"export_mode": "paged"}, "METRIC", code=0),
    "a new property is not wanted": Way({"new_properties": "fail"}, "has new properties", grown, 3),
    "a new property is rescued": Way({"new_properties": "rescue"}, "`new_properties` is", grown, 0),
    "columns are hashed": Way(
        {"hash_properties": ["name", "pay"], "hash_key": "k" * 16}, "METRIC", code=0
    ),
    "a map raises": Way(
        maps(x="int(name)"), "`stream_maps` failed on a record. It raised Value", code=3
    ),
    "a map looks for a value": Way(maps(x="record[name]"), "It raised KeyError", code=3),
    "a map cannot": Way(
        maps(x="name.nothing"), "`stream_maps` failed on a record. Failed to", code=3
    ),
    "a map is too large": Way(maps(x="pay ** 999999"), "`stream_maps` failed on a record.", code=3),
    "a map filters": Way(maps(__filter__="name"), "METRIC", code=0),
    "a map raises in a batch": Way(
        {**maps(x="int(name)"), **batches("file:///{folder}")}, "It raised ValueError", code=3
    ),
    "a batch has no place": Way(batches("s3://lake", **NOWHERE), "people: ", code=6),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_no_value_is_reported(tmp_path: Path, way: str) -> None:
    """Misfits, refusals, broken answers, maps: with everything logged, no cell's value is told."""
    gone = WAYS[way]
    with Orgvue([marked()]) as orgvue:
        catalog = only(discover(orgvue.config), "people")
        gone.arrange(orgvue, catalog)
        given = json.dumps({**orgvue.config, "max_retries": 0, **gone.settings})
        config = json.loads(given.replace("{folder}", str(tmp_path)))
        run = command(config, catalog=catalog, env=everything_logged(tmp_path, "plain"))
    assert run.code == gone.code, run.stderr
    assert gone.told in run.stderr
    assert ("Traceback" in run.stderr) == bool(gone.code)
    assert_discreet(run.stderr)


def assert_discreet(told: str) -> None:
    """No cell's value is in a text."""
    assert "DEBUG" in told or '"level":"debug"' in told
    for mark in MARKS:
        assert mark not in told


@pytest.mark.slow
@pytest.mark.parametrize("way", ["all is well", "misfits are errors", "a map raises"])
def test_nor_as_json(tmp_path: Path, way: str) -> None:
    """The same where the log is structured, which shows exceptions that text does not."""
    gone = WAYS[way]
    with Orgvue([marked()]) as orgvue:
        catalog = only(discover(orgvue.config), "people")
        config = {**orgvue.config, **gone.settings}
        run = command(config, catalog=catalog, env=everything_logged(tmp_path, "structured"))
    assert run.code == gone.code
    assert gone.told in run.stderr
    assert all(json.loads(line) for line in run.stderr.splitlines())
    assert_discreet(run.stderr)


def test_nor_where_the_loader_goes_away(tmp_path: Path) -> None:
    """The same where nobody takes what is sent."""
    with Orgvue([marked()]) as orgvue:
        done = into_closed_pipe(orgvue.config, tmp_path, everything_logged(tmp_path, "plain"))
    assert done.returncode == 6
    assert "closed the pipe" in done.stderr.splitlines()[-1]
    assert_discreet(done.stderr)


def test_the_marks_are_there() -> None:
    """Where they belong they are: the tests above look for what was really sent."""
    with Orgvue([marked()]) as orgvue:
        run: Run = command(orgvue.config)
    assert all(mark in run.stdout for mark in MARKS)
