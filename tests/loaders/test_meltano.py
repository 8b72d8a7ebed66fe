"""What `meltano run` does with the tap as users have it: installed from its wheel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Orgvue, Property
from tests.support.datasets import people
from tests.support.meltano import into

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.loaders import Database
    from tests.support.meltano import Project


def test_select_rules_choose_streams_and_columns(
    project: Project, serve: Callable[..., Orgvue], database: Database
) -> None:
    """Meltano's `select` decides what is loaded, and what is asked of Orgvue at all.

    And `property_types` what it is loaded as, also by a pattern that Meltano cuts at its dot.
    """
    orgvue = serve(people(), people(3, "Leavers"))
    project.configure(
        select=["people.*", "!people.salary"],
        config={"property_types": {"people.startDate": "text"}},
    )
    project.run(orgvue, "target-postgres", **into(database))
    assert database.tables() == ["people"]
    assert database.count("people") == 5
    assert "salary" not in database.columns("people")
    assert database.columns("people")["start_date"] == "text"
    asked = [json.dumps(request.body) for request in orgvue.requests_to("export") if request.body]
    assert asked
    assert not any('"salary"' in body for body in asked)


def test_a_column_that_is_new_in_orgvue_arrives(
    project: Project, orgvue: Orgvue, database: Database
) -> None:
    """An installed tap discovers before each run, because of `use_cached_catalog: false`."""
    # Without discovery the tap would leave the column out.
    settings = {**into(database), "TAP_ORGVUE_NEW_PROPERTIES": "ignore"}
    project.run(orgvue, "target-postgres", **settings)
    assert "bonus" not in database.columns("people")
    orgvue.dataset("People").add_property(Property("Bonus", "number"), [1, 2, 3, 4, 5])
    project.run(orgvue, "target-postgres", **settings)
    assert database.columns("people")["bonus"] == "numeric"
    assert database.ask("select bonus from people order by id") == [(1,), (2,), (3,), (4,), (5,)]


def test_replication_is_set_in_the_metadata_extra(
    project: Project, orgvue: Orgvue, tmp_path: Path
) -> None:
    """Meltano's `metadata` makes a stream incremental: the next run asks for what has changed."""
    incremental = {"replication-method": "INCREMENTAL", "replication-key": "_modified_at"}
    project.configure(metadata={"people": incremental}, select=["people.*"])
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        orgvue.dataset("People").update(3, salary=1)
        settings = {"TARGET_JSONL_DESTINATION_PATH": str(tmp_path / run)}
        project.run(orgvue, "target-jsonl", **settings)
    assert len(_records(tmp_path / "first")) == 5
    assert [record["id"] for record in _records(tmp_path / "second")] == ["P3"]


def test_a_configuration_is_tested(project: Project, serve: Callable[..., Orgvue]) -> None:
    """`meltano config test` finds a good configuration valid, however much there is to send.

    Meltano takes the first record, asks the tap to end, and reads no further.
    """
    orgvue = serve(people(20_000))
    done = project.meltano(orgvue, "config", "test", "tap-orgvue")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plugin configuration is valid" in done.stdout + done.stderr


def test_a_configuration_that_is_wrong(project: Project, orgvue: Orgvue) -> None:
    """`meltano config test` tells the tap's own sentence: the cause, with what to do."""
    env = {"TAP_ORGVUE_API_TOKEN": "a-token-that-nobody-made"}
    done = project.meltano(orgvue, "config", "test", "tap-orgvue", **env)
    assert done.returncode == 1
    _, verdict = (done.stdout + done.stderr).split("Plugin configuration is invalid")
    assert "40102 ApiTokenInvalid" in verdict
    assert "Copy `api_token` whole" in verdict
    assert "a-token-that-nobody-made" not in done.stdout + done.stderr


def test_the_connection_check_in_a_project(project: Project, orgvue: Orgvue) -> None:
    """`meltano invoke tap-orgvue --test` checks by stages, with the project's settings."""
    done = project.meltano(orgvue, "invoke", "tap-orgvue", "--test")
    assert done.returncode == 0, done.stdout + done.stderr
    stages = [line for line in done.stdout.splitlines() if line.startswith("✓")]
    assert len(stages) == 9


def _records(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.iterdir()
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


NESTED: dict[str, Any] = {
    "property_types": {"people.startDate": "text", "roles": {"a.b": "date"}},
    "property_names": {"people": {"a.b": "a_b"}},
    "filters": {"people": {"id": {"$in": ["P1", "P2"]}}},
    "stream_maps": {"people": {"double": "salary * 2"}},
}
"""Objects, whose members Meltano also sets as variables, cut at their dots."""


def test_variables_that_meltano_sets_are_no_mistakes(
    project: Project, orgvue: Orgvue, tmp_path: Path
) -> None:
    """Nested objects and inherited plugins fill the environment, and no run is refused for it."""
    config = {**NESTED, "exclude_properties": ["salary"], "stream_maps": {"people": {"x": "id"}}}
    project.configure(config=config, select=["people.*"])
    project.inherit("tap-orgvue--hr", "tap-orgvue-emea", config={"datasets": ["Peo*"]})
    for tap in ("tap-orgvue", "tap-orgvue--hr", "tap-orgvue-emea"):
        folder = tmp_path / tap
        folder.mkdir()
        settings = {"TARGET_JSONL_DESTINATION_PATH": str(folder)}
        for name, value in orgvue.config.items():
            settings[f"{tap.upper().replace('-', '_')}_{name.upper()}"] = str(value)
        done = project.meltano(orgvue, "run", tap, "target-jsonl", **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "did you mean" not in done.stdout + done.stderr
        records = _records(folder)
        assert [record["id"] for record in records] == ["P1", "P2"]
        assert "salary" not in records[0]


@pytest.mark.parametrize(
    "name,text",
    [
        ("INCLUDE_CALCULATIONS", "maybe"),
        ("RESCUE_DATA", "True "),
        ("EXCLUDE_PROPERTIES", "[salary]"),
        ("EXCLUDE_PROPERTY", '["salary"]'),
    ],
)
def test_what_cannot_be_read_runs_nothing(
    project: Project, orgvue: Orgvue, name: str, text: str
) -> None:
    """A wrong word in a variable ends `meltano run`, instead of becoming false or nothing."""
    done = project.meltano(
        orgvue, "run", "tap-orgvue", "target-jsonl", **{f"TAP_ORGVUE_{name}": text}
    )
    assert done.returncode != 0
    assert orgvue.requests == []


def test_the_taps_exit_code_is_in_meltanos_log(
    project: Project, orgvue: Orgvue, tmp_path: Path
) -> None:
    """`meltano run` ends with 1; its log as JSON has the tap's own code, also of a discovery."""
    project.configure(select=["people.*"])
    run = ("--log-format=json", "run", "tap-orgvue", "target-jsonl")
    env = {"TARGET_JSONL_DESTINATION_PATH": str(tmp_path), "TAP_ORGVUE_MAX_RETRIES": "0"}
    orgvue.refuse(500, on="export", times=None)
    done = project.meltano(orgvue, *run, **env)
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    [ended] = [line for line in lines if line.get("event") == "Block run completed"]
    assert ended["exit_codes"] == {"extractors": 5}
    orgvue.refuse("42902", times=None)
    done = project.meltano(orgvue, *run, **env)
    assert done.returncode == 1
    assert "returned 4 with stderr" in done.stderr


@pytest.mark.parametrize("value", ["no", False])
def test_what_is_on_can_be_switched_off(
    project: Project, orgvue: Orgvue, tmp_path: Path, value: Any
) -> None:
    """A project switches off what is on by default by a word or by a boolean."""
    project.configure(config={"include_calculations": value}, select=["people.*"])
    project.run(orgvue, "target-jsonl", TARGET_JSONL_DESTINATION_PATH=str(tmp_path))
    assert {request.route for request in orgvue.requests_to("items")} == {"items"}
    assert orgvue.requests_to("export") == []
