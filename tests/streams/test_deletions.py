"""ACTIVATE_VERSION: sent after a complete export, and withheld where rows may not be gone."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.datasets import people
from tests.support.runs import Run, command, discover, entry, only, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue


def mirrored(orgvue: Orgvue, **settings: Any) -> dict[str, Any]:
    """A config that lets deletions happen."""
    return {**orgvue.config, "emit_activate_version_messages": True, **settings}


def test_it_comes_after_the_records_and_before_the_last_state(orgvue: Orgvue) -> None:
    """Records carry the version that is activated behind the last of them."""
    run = sync(mirrored(orgvue))
    kinds = [message["type"] for message in run.messages]
    assert kinds == ["SCHEMA", *["RECORD"] * 5, "ACTIVATE_VERSION", "STATE"]
    (activated,) = run.of_type("ACTIVATE_VERSION")
    assert {record["version"] for record in run.of_type("RECORD")} == {activated["version"]}


@pytest.mark.slow
def test_versions_strictly_increase(orgvue: Orgvue) -> None:
    """Runs within a second, or after a clock was set back, have rising versions."""
    first = sync(mirrored(orgvue))
    state, versions = first.state, [activated(first)]
    for _ in range(3):
        run = sync(mirrored(orgvue), state=state)
        state = run.state
        versions.append(activated(run))
    assert versions == sorted(set(versions))
    state["bookmarks"]["people"]["orgvue"]["version"] += 1000
    last = sync(mirrored(orgvue), state=state)
    assert activated(last) == versions[-1] + 1001
    assert activated(last) < 2**31


@pytest.mark.slow
def test_versions_increase_without_a_state(orgvue: Orgvue) -> None:
    """Also where the run before left no state, as when it was killed, and one follows at once."""
    catalog = discover(orgvue.config)
    runs = [command(mirrored(orgvue), catalog=catalog, fresh=True) for _ in range(2)]
    versions = [activated(run) for run in runs]
    assert versions == sorted(set(versions))


def activated(run: Run) -> int:
    """The one version that a run activated."""
    (message,) = run.of_type("ACTIVATE_VERSION")
    version = message["version"]
    assert isinstance(version, int)
    return version


def test_without_the_setting_nothing_is_activated(orgvue: Orgvue) -> None:
    """By default records carry no version, and no table loses a row."""
    run = sync(orgvue.config)
    assert not run.of_type("ACTIVATE_VERSION")
    assert not any("version" in message for message in run.of_type("RECORD"))


def test_an_empty_dataset_empties_its_table(serve: Callable[..., Orgvue]) -> None:
    """A complete export of no rows is activated too, where there were none before."""
    orgvue = serve(people(0))
    first = sync(mirrored(orgvue))
    assert [m["type"] for m in first.messages] == ["SCHEMA", "ACTIVATE_VERSION", "STATE"]
    assert activated(sync(mirrored(orgvue), state=first.state)) > activated(first)


FILTERS: dict[str, dict[str, Any]] = {
    "filters": {"filters": {"people": {"salary": {"$gt": 1001}}}},
    "a map": {"stream_maps": {"people": {"__filter__": "salary > 1001"}}},
    "a map by pattern": {"stream_maps": {"peo*": {"__filter__": "salary > 1001"}}},
    "a copy": {
        "stream_maps": {"few": {"__source__": "people", "__filter__": "salary > 1001"}},
    },
}


@pytest.mark.parametrize("how", FILTERS)
def test_filtered_rows_delete_nothing(orgvue: Orgvue, how: str) -> None:
    """What was not asked for, or not passed on, is not taken to be gone."""
    run = sync(mirrored(orgvue, **FILTERS[how]))
    assert run.of_type("RECORD")
    assert not run.of_type("ACTIVATE_VERSION")
    assert not any("version" in message for message in run.of_type("RECORD"))


def test_incremental_streams_delete_nothing(orgvue: Orgvue) -> None:
    """A stream that is asked for what is new says nothing of the rest."""
    catalog = discover(orgvue.config)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    assert not sync(mirrored(orgvue), catalog).of_type("ACTIVATE_VERSION")


# --- the guard


def fewer(orgvue: Orgvue, rows: int) -> None:
    """Leave so many rows in People."""
    while len(orgvue.dataset("People").rows) > rows:
        orgvue.dataset("People").remove(0)


def errors(log: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the level error."""
    return [r.getMessage() for r in log.records if r.levelno == logging.ERROR]


@pytest.mark.slow
def test_the_guard(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """An export with too few rows deletes nothing, says so each time, until the user allows it."""
    state = sync(mirrored(orgvue)).state
    fewer(orgvue, 2)
    for times in (1, 2):
        run = sync(mirrored(orgvue), state=state)
        assert len(run.of_type("RECORD")) == 2
        assert not run.of_type("ACTIVATE_VERSION")
        assert len(errors(caplog)) == times
        state = run.state
    for word in ("'people'", "2 rows", "50 %", "5 of", "`delete_guard_percent` 0"):
        assert word in errors(caplog)[-1]
    allowed = sync(mirrored(orgvue, delete_guard_percent=0), state=state)
    assert activated(allowed) > run.of_type("RECORD")[0]["version"]
    assert sync(mirrored(orgvue), state=allowed.state).of_type("ACTIVATE_VERSION")


def test_the_guard_compares_with_what_the_table_mirrors(orgvue: Orgvue) -> None:
    """A run with filters, one without the setting and one that failed do not lower the count."""
    state = sync(mirrored(orgvue)).state
    between: list[dict[str, Any]] = [
        mirrored(orgvue, filters={"people": {"id": "P4"}}),
        {**orgvue.config},
    ]
    for config in between:
        state = sync(config, state=state).state
        fewer(orgvue, 2)
    assert not sync(mirrored(orgvue), state=state).of_type("ACTIVATE_VERSION")


def test_the_count_is_kept_before_anything_is_activated(orgvue: Orgvue) -> None:
    """The first run with the setting is compared with the last one without."""
    state = sync(orgvue.config).state
    fewer(orgvue, 2)
    assert not sync(mirrored(orgvue), state=state).of_type("ACTIVATE_VERSION")


# --- permissioned views


@pytest.mark.slow
def test_a_view_that_became_permissioned(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """A user who sees only a part of a dataset now deletes nothing of the rest, until allowed."""
    state = sync(mirrored(orgvue)).state
    orgvue.dataset("People").is_permissioned_view = True
    fewer(orgvue, 4)
    for _ in range(2):
        run = sync(mirrored(orgvue), state=state)
        assert not run.of_type("ACTIVATE_VERSION")
        state = run.state
    assert "sees only a part" in errors(caplog)[-1]
    allowed = sync(mirrored(orgvue, delete_guard_percent=0), state=state)
    assert allowed.of_type("ACTIVATE_VERSION")
    fewer(orgvue, 3)
    assert sync(mirrored(orgvue), state=allowed.state).of_type("ACTIVATE_VERSION")


def test_a_view_that_always_was_permissioned(orgvue: Orgvue) -> None:
    """A part that stays a part is mirrored; that it shrinks is for the guard to see."""
    orgvue.dataset("People").is_permissioned_view = True
    state = sync(mirrored(orgvue)).state
    fewer(orgvue, 4)
    run = sync(mirrored(orgvue), state=state)
    assert run.of_type("ACTIVATE_VERSION")
    fewer(orgvue, 1)
    assert not sync(mirrored(orgvue), state=run.state).of_type("ACTIVATE_VERSION")


def test_a_view_that_is_whole_again(orgvue: Orgvue) -> None:
    """A user who sees everything again may delete, and is remembered as one who does."""
    orgvue.dataset("People").is_permissioned_view = True
    state = sync(mirrored(orgvue)).state
    orgvue.dataset("People").is_permissioned_view = False
    state = sync(mirrored(orgvue), state=state).state
    orgvue.dataset("People").is_permissioned_view = True
    assert not sync(mirrored(orgvue), state=state).of_type("ACTIVATE_VERSION")


def test_a_catalog_may_write_ids_in_lower_case(orgvue: Orgvue) -> None:
    """A view is recognised however the catalog writes the dataset's id."""
    catalog = discover(orgvue.config)
    state = sync(mirrored(orgvue), catalog).state
    found = entry(catalog, "people")
    found["table_name"] = found["table_name"].lower()
    orgvue.dataset("People").is_permissioned_view = True
    assert not sync(mirrored(orgvue), catalog, state).of_type("ACTIVATE_VERSION")


# --- the streams about the datasets


def about(orgvue: Orgvue) -> dict[str, Any]:
    """A catalog of the two streams that describe the datasets."""
    return only(discover(orgvue.config), "orgvue_datasets", "orgvue_properties")


def kinds(run: Run, stream: str) -> list[str]:
    """The types of a stream's messages, each once, in order."""
    found = [message["type"] for message in run.messages if message.get("stream") == stream]
    return list(dict.fromkeys(found))


def test_descriptions_of_what_is_gone_are_removed(serve: Callable[..., Orgvue]) -> None:
    """The two streams about the datasets activate their version behind their records too."""
    gone = people(2, "Gone")
    orgvue = serve(people(), gone)
    first = sync(mirrored(orgvue), about(orgvue))
    orgvue.tenant.remove(gone)
    second = sync(mirrored(orgvue), about(orgvue), first.state)
    for stream in ("orgvue_datasets", "orgvue_properties"):
        for run in (first, second):
            assert kinds(run, stream) == ["SCHEMA", "RECORD", "ACTIVATE_VERSION"]
        versions = [
            message["version"]
            for run in (first, second)
            for message in run.of_type("ACTIVATE_VERSION")
            if message["stream"] == stream
        ]
        assert versions[0] < versions[1]


def test_descriptions_that_are_not_all_there_delete_nothing(
    serve: Callable[..., Orgvue], tmp_path: Path
) -> None:
    """Not where metadata is refused, `datasets` leaves some out, or batches hold no version."""
    hidden = people(2, "Hidden")
    orgvue = serve(people(), hidden)
    catalog = about(orgvue)
    encoding = {"format": "jsonl", "compression": "gzip"}
    batches = {"batch_config": {"encoding": encoding, "storage": {"root": tmp_path.as_uri()}}}
    assert not sync(mirrored(orgvue, **batches), catalog).of_type("ACTIVATE_VERSION")
    assert not sync(mirrored(orgvue, datasets=["Peo*"]), catalog).of_type("ACTIVATE_VERSION")
    hidden.hidden_because = (403, "403601", "DatasetAccessDenied", "No.")
    run = sync(mirrored(orgvue), catalog)
    assert len(run.records["orgvue_datasets"]) == 1
    assert not run.of_type("ACTIVATE_VERSION")


@pytest.mark.slow
@pytest.mark.parametrize("setting", [True, False])
def test_the_report_tells_whether_missing_rows_are_removed(
    orgvue: Orgvue, tmp_path: Path, *, setting: bool
) -> None:
    """They are if the setting says so."""
    settings = {"emit_activate_version_messages": setting, "run_report": str(tmp_path)}
    command({**orgvue.config, **settings})
    (file,) = tmp_path.glob("*.json")
    (told,) = json.loads(file.read_text())["streams"]
    assert told["deletions"] == ("sent" if setting else "off")
