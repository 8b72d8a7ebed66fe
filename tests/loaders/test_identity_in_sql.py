"""Names and states as they are in Postgres: before a change in Orgvue, after it, loaded anew."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property, Tenant
from tests.support.datasets import people
from tests.support.meltano import into

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.loaders import Database
    from tests.support.meltano import Project

    Serve = Callable[..., Orgvue]

STATE_ID = "dev:tap-orgvue-to-target-postgres"
INCREMENTAL = {"people": {"replication-method": "INCREMENTAL", "replication-key": "_modified_at"}}


@dataclass(frozen=True)
class Pipeline:
    """`meltano run tap-orgvue target-postgres`, with the state that the runs before left.

    Attributes:
        project: The Meltano project.
        database: What is loaded into.
    """

    project: Project
    database: Database

    def run(
        self, orgvue: Orgvue, *options: str, code: int = 0, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """Run it, expect an exit code, and give the lines of the log."""
        words = ("run", *options, "tap-orgvue", "target-postgres")
        done = self.project.meltano(orgvue, *words, **{**into(self.database), **(env or {})})
        log = done.stdout + done.stderr
        assert done.returncode == code, log
        return log.splitlines()

    def saved_state(self, orgvue: Orgvue) -> dict[str, Any]:
        """The bookmarks that Meltano has saved."""
        done = self.project.meltano(orgvue, "state", "get", STATE_ID)
        assert done.returncode == 0, done.stderr
        bookmarks: dict[str, Any] = json.loads(done.stdout)["singer_state"]["bookmarks"]
        return bookmarks

    def save_state(self, orgvue: Orgvue, bookmarks: dict[str, Any]) -> None:
        """Put a state in place of the saved one."""
        state = json.dumps({"singer_state": {"bookmarks": bookmarks}})
        done = self.project.meltano(orgvue, "state", "set", "--force", STATE_ID, state)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def pipeline(project: Project, database: Database) -> Pipeline:
    """A pipeline into an empty database."""
    return Pipeline(project, database)


def warnings(log: list[str], *words: str) -> list[str]:
    """The warnings of the tap that hold all these words, in discovery and in the run."""
    told = [line for line in log if "tap-orgvue" in line and "warning" in line.lower()]
    return [line for line in told if all(word in line for word in words)]


def money(*keys: str) -> Dataset:
    """A dataset of two rows whose values tell its number properties apart."""
    return Dataset(
        "Money",
        properties=[Property(key, "number") for key in keys],
        rows=[{key: (i + 1) * 10**at for at, key in enumerate(keys)} for i in range(2)],
    )


def suffixed(database: Database, table: str, name: str) -> str:
    """The column whose name is this one with a suffix."""
    (found,) = [each for each in database.columns(table) if each.startswith(f"{name}_")]
    return found


def test_a_column_keeps_its_property(pipeline: Pipeline, serve: Serve, database: Database) -> None:
    """A newcomer that would have the column's name gets a suffix, even where the owner is gone.

    A full refresh names by the rule for fresh names, and the run after it keeps those names.
    """
    dataset = money("Bonus %", "Cost Centre")
    orgvue = serve(dataset)
    pipeline.run(orgvue)
    owned = "select bonus_pct, cost_centre from money order by bonus_pct"
    assert database.ask(owned) == [(1, 10), (2, 20)]

    dataset.add_property(Property("bonus_pct", "number"), [70, 80])
    dataset.remove_property("Cost Centre")
    dataset.add_property(Property("cost_centre", "number"), [700, 800])
    log = pipeline.run(orgvue)
    assert database.ask(owned) == [(1, 10), (2, 20)]
    bonus, cost = (suffixed(database, "money", name) for name in ("bonus_pct", "cost_centre"))
    newcomers = f"select {bonus}, {cost} from money order by bonus_pct"  # noqa: S608
    assert database.ask(newcomers) == [(70, 700), (80, 800)]
    for name in ("bonus_pct", "cost_centre"):
        told = warnings(log, f"'{name}'", "property_names")
        assert len([line for line in told if "since the last run" not in line]) == 1

    database.ask("drop table money")
    pipeline.run(orgvue, "--full-refresh")
    bonus = suffixed(database, "money", "bonus_pct")
    fresh = f"select bonus_pct, {bonus}, cost_centre from money order by bonus_pct"  # noqa: S608
    assert database.ask(fresh) == [(70, 1, 700), (80, 2, 800)]
    columns = database.columns("money")
    pipeline.run(orgvue)
    assert database.ask(fresh) == [(70, 1, 700), (80, 2, 800)]
    assert database.columns("money") == columns


def test_a_stream_keeps_its_dataset(pipeline: Pipeline, serve: Serve, database: Database) -> None:
    """`select` finds the first dataset under its name, whatever others and it itself are called.

    A full refresh knows of no earlier names: a rule that then matches nothing is an error, and the
    pin that the warning named lets it match again.
    """
    first = people(3)
    orgvue = serve(first)
    pipeline.project.configure(select=["people.*"])
    pipeline.run(orgvue)
    assert database.count("people") == 3

    newcomer = people(1)
    newcomer.dataset_id = "11111111-2222-4333-8444-555555555555"
    orgvue.tenant.add(newcomer)
    first.update(0, salary=1)
    log = pipeline.run(orgvue)
    assert database.tables() == ["people"]
    assert database.ask("select salary from people order by id") == [(1,), (1001,), (1002,)]
    assert len(warnings(log, "'people'", "people_11111111", "stream_names")) == 1

    log = pipeline.run(orgvue, "--full-refresh", code=1)
    assert any("selects no stream" in line for line in log)
    first.update(1, salary=2)
    pipeline.project.configure(
        select=["people.*", "people_11111111.*"],
        config={"stream_names": {first.dataset_id: "people"}},
    )
    pipeline.run(orgvue, "--full-refresh")
    assert database.ask("select salary from people order by id") == [(1,), (2,), (1002,)]
    assert database.count("people_11111111") == 1

    pipeline.project.configure(select=["people.*", "people_11111111.*"])
    first.rename("Staff")
    first.update(2, salary=3)
    pipeline.run(orgvue)
    assert database.tables() == ["people", "people_11111111"]
    assert database.ask("select salary from people order by id") == [(1,), (2,), (3,)]


def test_a_full_refresh_accepts_types_and_names(
    pipeline: Pipeline, orgvue: Orgvue, database: Database
) -> None:
    """A table that is loaded anew has the new types and names, and the next run keeps them.

    `--full-refresh` merges the new state into the old one, in which the old types were.
    """
    pipeline.run(orgvue)
    assert database.columns("people")["salary"] == "numeric"

    dataset = orgvue.dataset("People")
    dataset.replace_property("salary", Property("salary", "text"))
    for number in range(5):
        dataset.update(number, salary=f"band {number}")
    dataset.change_property("Full Name", key="Name")
    pipeline.run(orgvue)
    columns = database.columns("people")
    assert columns["salary"] == "numeric"
    assert {"full_name", "name"} <= columns.keys()
    assert database.ask("select distinct salary from people") == [(None,)]

    database.ask("drop table people")
    pipeline.run(orgvue, "--full-refresh")
    loaded = "select salary, name from people order by id"
    assert database.ask(loaded) == [(f"band {i}", f"Person {i}") for i in range(5)]
    columns = database.columns("people")
    assert columns["salary"] == "text"
    assert "full_name" not in columns

    dataset.update(0, salary="band 9")
    log = pipeline.run(orgvue)
    assert database.ask(loaded)[0] == ("band 9", "Person 0")
    assert database.columns("people") == columns
    assert not warnings(log)


def test_a_state_belongs_to_a_tenant(pipeline: Pipeline, serve: Serve, database: Database) -> None:
    """Meltano's state id is the same for two tenants of a project: the second one is refused."""
    pipeline.run(serve(people(3)))
    with Orgvue(Tenant([people(1)], tenant_id="BETA")) as other:
        log = pipeline.run(other, code=1)
        assert database.count("people") == 3
        refusal = next(line for line in log if "belongs to the tenant DEMO" in line)
        for word in ("BETA", "--state-id-suffix", "meltano state clear", "--state-strategy"):
            assert word in refusal
        elsewhere = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "beta"}
        pipeline.run(other, "--state-id-suffix=beta", env=elsewhere)
    assert database.ask("select count(*) from beta.people") == [(1,)]
    assert database.count("people") == 3


def test_a_dataset_that_is_gone(pipeline: Pipeline, serve: Serve, database: Database) -> None:
    """The others are loaded and their state is saved, the run fails until the stream is retired."""
    orgvue = serve(people(3), people(2, "Staff"))
    pipeline.project.configure(select=["people.*", "staff.*"], metadata=INCREMENTAL)
    pipeline.run(orgvue)

    orgvue.tenant.remove("Staff")
    orgvue.dataset("People").update(0, salary=7)
    log = pipeline.run(orgvue, code=1)
    assert any("'staff'" in line and "retired_streams" in line for line in log)
    assert database.ask("select salary from people where id = 'P0'") == [(7,)]
    last = orgvue.dataset("People").rows[0]["_modifiedAt"]
    saved = pipeline.saved_state(orgvue)
    assert saved["people"]["replication_key_value"] == last
    assert "staff" in saved

    retired = {"TAP_ORGVUE_RETIRED_STREAMS": '["staff"]'}
    pipeline.run(orgvue, env=retired)
    assert "staff" not in pipeline.saved_state(orgvue)
    assert database.count("staff") == 2


def test_another_question_loads_every_row(
    pipeline: Pipeline, orgvue: Orgvue, database: Database
) -> None:
    """An incremental table has the new form in all rows after one run, and none is left out.

    What is left in clear, the SQL of the warning removes.
    """
    before = {"people": {"id": {"$in": ["P0", "P1", "P2"]}}}
    select, dataset = ["people.*"], orgvue.dataset("People")
    pipeline.project.configure(metadata=INCREMENTAL, select=select, config={"filters": before})
    pipeline.run(orgvue)
    assert database.count("people") == 3

    dataset.remove(0)
    config = {
        "hash_properties": ["Full Name"],
        "hash_key": "0123456789abcdef",
        "exclude_properties": ["salary"],
    }
    pipeline.project.configure(metadata=INCREMENTAL, select=select, config=config)
    log = pipeline.run(orgvue)
    assert len(warnings(log, "read once more", "filter", "'full_name' is hashed now")) == 1
    lengths = "select id, length(full_name) from people order by id"
    hashed = [(f"P{i}", 64) for i in range(1, 5)]
    assert database.ask(lengths) == [("P0", len("Person 0")), *hashed]
    clear = "select id from people where salary is not null order by id"
    assert database.ask(clear) == [("P0",), ("P1",), ("P2",)]

    (warning,) = warnings(log, "earlier values")
    statements = re.findall(r'update "people" set .*?;', warning)
    assert len(statements) == 2
    for statement in statements:
        database.ask(statement)
    assert database.ask(lengths) == [("P0", None), *hashed]
    assert database.ask(clear) == []

    dataset.update(0, onLeave=True)
    database.ask("truncate people")
    pipeline.run(orgvue)
    assert database.ask("select id from people order by id") == [("P1",), ("P4",)]


def test_a_state_of_version_0_0(pipeline: Pipeline, serve: Serve, database: Database) -> None:
    """It keeps its bookmark, and a pin keeps a column that the rule would name otherwise."""
    dataset = people()
    dataset.add_property(Property("Bonus %", "number"), [1, 2, 3, 4, 5])
    orgvue = serve(dataset)
    bookmark = {
        "replication_key": "_modified_at",
        "replication_key_value": dataset.rows[-1]["_modifiedAt"],
        "orgvue": {"types": {"number": ["salary", "bonus"]}, "rows": 5},
    }
    pipeline.save_state(orgvue, {"people": bookmark})
    dataset.update(0, salary=7)
    pins = {"property_names": {"people": {"Bonus %": "bonus"}}}
    pipeline.project.configure(metadata=INCREMENTAL, select=["people.*"], config=pins)
    log = pipeline.run(orgvue)
    loaded = "select id, salary, bonus from people order by id"
    assert database.ask(loaded) == [("P0", 7, 1), ("P4", 1004, 5)]
    assert len(warnings(log, "older version", "people", "CHANGELOG")) == 1

    dataset.update(1, salary=8)
    pipeline.project.configure(metadata=INCREMENTAL, select=["people.*"])
    assert not warnings(pipeline.run(orgvue))
    assert database.ask(loaded) == [("P0", 7, 1), ("P1", 8, 2), ("P4", 1004, 5)]
