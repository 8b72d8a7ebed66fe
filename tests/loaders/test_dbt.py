"""A generated dbt project on what the real loaders have stored: dbt against Postgres, fakesnow."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo.figures import Figures
from tap_orgvue.simulator import Dataset, Orgvue, Property, demo_tenant
from tests.support.dbt import MODELS, Dbt, dbt, generated
from tests.support.loaders import ROOT, Database, load, make_database
from tests.support.runs import discover
from tests.support.snowflake import Snowflake, running_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RING = ("POS00020", "POS00021", "POS00022")
"""Positions of one level, which are put in a ring."""

HOSTILE = (
    *("{{ 1 / 0 }}", "{% raw %}", "{# nothing #}", "two\nlines", 'it\'s "quoted"', "-- no; /*"),
    *("order", "user", "select", "copy number", "rescued data", "a: b, [c] & *d !e %f `g`", "備考"),
)
"""Keys and display names that YAML, Jinja or SQL could take for their own."""


def odd_datasets() -> list[Dataset]:
    """A dataset of hostile names, and one with numbers for keys, which links name."""
    return [
        Dataset(
            'Hostile {{ 1 / 0 }} {% endif %}\n"name" -- */',
            type="OTHER {{",
            properties=[Property(key, name=f"{key} {{{{ name }}}}\n") for key in HOSTILE],
            rows=[{key: key for key in HOSTILE}],
        ),
        Dataset(
            "Contracts",
            type="OTHER",
            properties=[Property("no", "number", auto_id=True)],
            rows=[{"no": 101}, {"no": 102}],
        ),
        Dataset(
            "Contracts to Positions",
            type="LINKS",
            properties=[Property("from_id", "number"), Property("to_id")],
            rows=[{"from_id": 101, "to_id": "POS00001"}, {"from_id": 7, "to_id": "POS00001"}],
        ),
    ]


@dataclass(frozen=True)
class Built:
    """A load, and the `dbt build` after it.

    Attributes:
        figures: What the tenant's rows say.
        dbt: What dbt did.
        tables: Model to its rows, by the names of its columns.
        moment: When the build had ended, by the database's clock.
    """

    figures: Figures
    dbt: Dbt
    tables: dict[str, list[dict[str, Any]]]
    moment: datetime

    def column(self, model: str, key: str, value: str) -> dict[Any, Any]:
        """Two columns of a model, as a dict."""
        return {row[key]: row[value] for row in self.tables[model]}


@dataclass(frozen=True)
class Story:
    """A tenant that is loaded and built, changed, and loaded and built again."""

    database: Database
    project: Path
    before: Built
    after: Built


ASKED = (
    *("org_hierarchy", "org_closure", "span_of_control", "layers", "headcount", "cost"),
    *("vacancies", "reporting_lines"),
)


def built(orgvue: Orgvue, database: Database, project: Path) -> Built:
    """Build the project."""
    done = dbt(project, "build", database=database)
    tables = {model: rows_of(database, model) for model in ASKED}
    ((moment,),) = database.ask("select clock_timestamp()")
    return Built(Figures(orgvue.tenant), done, tables, moment)


def rows_of(database: Database, model: str) -> list[dict[str, Any]]:
    """The rows of a model."""
    found = database.ask(f"select to_jsonb(m) from {MODELS}.{model} m")  # noqa: S608
    return [row for (row,) in found]


def change(orgvue: Orgvue) -> None:
    """Remove people, positions and links; make a ring of positions, and one that is its own."""
    people, positions = orgvue.dataset("People"), orgvue.dataset("Positions")
    numbers = {row["id"]: number for number, row in enumerate(positions.rows)}
    for position, parent in zip(RING, (*RING[1:], RING[0]), strict=True):
        positions.update(numbers[position], parent_id=parent)
    positions.update(numbers["POS00030"], parent_id="POS00030")
    positions.update(numbers["POS00031"], parent_id="")
    for number in (500, 400, 300):
        people.remove(number)
    positions.remove(1000)
    orgvue.dataset("People to Positions").remove(700)


@pytest.fixture(scope="module")
def story(postgres_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The demo tenant with odd datasets beside, twice."""
    database = make_database(postgres_uri, f"answers_{uuid.uuid4().hex}")
    tenant = demo_tenant()
    for dataset in odd_datasets():
        tenant.add(dataset)
    target = {**database.target_config, "use_copy": True, "validate_records": False}
    with Orgvue(tenant) as orgvue:
        config = {**orgvue.config, "emit_activate_version_messages": True}
        catalog = discover(config)
        project = generated(catalog, tmp_path_factory.mktemp("dbt"))
        first = load("target-postgres", target, config, catalog)
        assert first.codes == (0, 0), first.log
        before = built(orgvue, database, project)
        change(orgvue)
        second = load("target-postgres", target, config, catalog, first.state)
        assert second.codes == (0, 0), second.log
        yield Story(database, project, before, built(orgvue, database, project))


@pytest.fixture(params=["before", "after"])
def each(request: pytest.FixtureRequest, story: Story) -> Built:
    """The first and the second build."""
    found: Built = getattr(story, request.param)
    return found


def test_dbt_builds_it(each: Built) -> None:
    """Every model, snapshot and test runs, without an error or a deprecated form."""
    assert each.dbt.code == 0, each.dbt.log
    assert {*each.dbt.results.values()} == {"success", "pass", "warn"}
    assert "deprecat" not in each.dbt.log.lower()
    assert len(each.dbt.results) > 70


def test_the_hierarchy_is_the_tenants(each: Built) -> None:
    """Level and status of each position are those that walking up in Python gives."""
    figures = each.figures
    assert each.column("org_hierarchy", "node_key", "status") == {
        position: figures.status(position) for position in figures.positions
    }
    assert each.column("org_hierarchy", "node_key", "level") == {
        position: figures.level(position) for position in figures.positions
    }
    for row in each.tables["org_hierarchy"]:
        if row["level"] is not None:
            way = [row["node_key"], *figures.way_up(row["node_key"])][::-1]
            assert row["path"] == " / ".join(way)
            titles = [figures.positions[key]["title"] for key in way[:-1]]
            assert row["manager_chain"] == " > ".join(titles)


def test_the_hierarchys_levels_are_orgvues(story: Story) -> None:
    """Orgvue's own `_depth` is one less than the level, of all positions, below an orphan too."""
    depths = {key: row["_depth"] for key, row in story.before.figures.positions.items()}
    levels = story.before.column("org_hierarchy", "node_key", "level")
    assert {key: level - 1 for key, level in levels.items()} == depths


def test_the_closure_is_every_way_up(each: Built) -> None:
    """Each position with itself, and with each above it at its distance; no cycles."""
    figures = each.figures
    expected = {
        (above, position, distance)
        for position in figures.positions
        if figures.level(position) is not None
        for distance, above in enumerate([position, *figures.way_up(position)])
    }
    found = [
        (row["ancestor_key"], row["descendant_key"], row["distance"])
        for row in each.tables["org_closure"]
    ]
    assert len(found) == len(expected)
    assert {*found} == expected


def test_spans_and_layers(each: Built) -> None:
    """Direct and all reports of each manager, and the width of each layer."""
    figures = each.figures
    direct: dict[str, int] = {}
    everyone: dict[str, int] = {}
    for position in figures.positions:
        if figures.level(position) is None:
            continue
        for distance, above in enumerate(figures.way_up(position)):
            everyone[above] = everyone.get(above, 0) + 1
            direct[above] = direct.get(above, 0) + (distance == 0)
    assert each.column("span_of_control", "node_key", "direct_reports") == direct
    assert each.column("span_of_control", "node_key", "all_reports") == everyone
    assert each.column("layers", "level", "nodes") == figures.layers()


def test_headcount_and_cost(each: Built) -> None:
    """Both by department, weighted by the links' allocations; cost by currency as well."""
    rows = [r for r in each.tables["headcount"] if r["dimension"] == "position_department"]
    headcount = {row["value"]: row["headcount"] for row in rows}
    expected = each.figures.headcount()
    assert headcount == {key: float(value) for key, value in expected.items()}
    (whole,) = (row for row in each.tables["headcount"] if row["dimension"] == "all")
    assert whole["headcount"] == float(sum(expected.values()))
    rows = [r for r in each.tables["cost"] if r["dimension"] == "position_department"]
    cost = {(row["value"], row["currency"]): row["cost"] for row in rows}
    assert cost == {key: pytest.approx(float(v)) for key, v in each.figures.cost().items()}


def test_headcount_by_other_columns(story: Story) -> None:
    """Each dimension that the project names adds up to the whole."""
    totals: dict[str, float] = {}
    for row in story.before.tables["headcount"]:
        totals[row["dimension"]] = totals.get(row["dimension"], 0) + row["headcount"]
    assert {"all", "position_department", "person_location", "position_grade"} <= {*totals}
    assert len({*totals.values()}) == 1


def test_vacancies(each: Built) -> None:
    """Positions that no active person holds, or not wholly."""
    assert each.column("vacancies", "position_key", "status") == each.figures.vacancies()


def test_who_reports_to_whom(each: Built) -> None:
    """Each person in each position reports to the nearest position above that is held."""
    found = {
        (row["person_key"], row["position_key"]): row["reports_to_position"]
        for row in each.tables["reporting_lines"]
    }
    figures = each.figures
    expected = figures.reports_to()
    for (person, position), above in expected.items():
        if figures.level(position) is None:
            expected[person, position] = None
        assert above is None or above in figures.positions
    assert found == expected
    assert any(row["vacant_positions_between"] for row in each.tables["reporting_lines"])


def test_the_quality_tests_find_what_is_there(each: Built) -> None:
    """Orphans, cycles, positions held twice and people without one: as many as in Python."""
    figures = each.figures
    status = [figures.status(position) for position in figures.positions]
    assert {name: each.dbt.failures[name] for name in QUALITY} == {
        "orphans": status.count("orphan"),
        "cycles": status.count("in a cycle"),
        "positions_held_twice": len(figures.held_twice()),
        "people_without_position": len(figures.without_position()),
        "people_in_more_than_one_whole": 0,
    }


QUALITY = (
    *("orphans", "cycles", "positions_held_twice", "people_without_position"),
    "people_in_more_than_one_whole",
)


def test_they_tell_what_was_broken(story: Story) -> None:
    """The ring has three positions, the one that is its own parent is a cycle of one."""
    assert story.before.dbt.failures["cycles"] == 0
    assert story.before.dbt.failures["orphans"] == 1
    assert story.before.dbt.failures["positions_held_twice"] == 1
    assert story.before.dbt.failures["people_without_position"] == 2
    assert story.after.dbt.failures["cycles"] == 4
    status = story.after.column("org_hierarchy", "node_key", "status")
    assert {status[key] for key in (*RING, "POS00030")} == {"in a cycle"}
    assert "below a cycle" in status.values()
    assert status["POS00031"] == "top"


def test_rows_that_were_deleted_do_not_count(story: Story) -> None:
    """The loader keeps them in the raw tables, marked; no staging model has them."""
    for stream, removed in (("people", 3), ("positions", 1), ("people_to_positions", 1)):
        deleted = "count(*) filter (where _sdc_deleted_at is not null)"
        ((marked,),) = story.database.ask(f"select {deleted} from {stream}")  # noqa: S608
        ((raw,),) = story.database.ask(f"select count(*) from {stream}")  # noqa: S608
        ((live,),) = story.database.ask(f"select count(*) from {MODELS}.stg_{stream}")  # noqa: S608
        assert (marked, raw - live) == (removed, removed)


def test_links_to_what_is_gone_are_told(story: Story) -> None:
    """The relationships of parents and ends warn; a link of a removed person leads nowhere."""
    found = {name: n for name, n in story.after.dbt.found.items() if "relationships" in name}
    names = " ".join(found)
    assert "source_relationships_orgvue_people_to_positions_from_id" in names
    assert "source_relationships_orgvue_positions_parent_id" in names
    # Its ends are numbers, which only the staging model has in text.
    assert found["relationships_stg_contracts_to_positions_from_id__no__ref_stg_contracts_"] == 1
    before = [name for name in story.before.dbt.found if "people_to_positions" in name]
    assert before == []


def test_as_of(story: Story) -> None:
    """The snapshot gives headcount and cost as they were before the changes."""
    moment = story.before.moment.astimezone(timezone.utc).replace(tzinfo=None)
    done = dbt(
        story.project,
        *("show", "--select", "headcount_as_of", "--limit", "-1", "--output", "json"),
        *("--vars", f"as_of: '{moment.isoformat()}'"),
        database=story.database,
    )
    assert done.code == 0, done.log
    shown = json.loads(done.log[done.log.index("{") :])["show"]
    expected = story.before.figures.cost()
    assert expected != story.after.figures.cost()
    assert {(row["position_department"], row["cost_currency"]): row["cost"] for row in shown} == {
        key: pytest.approx(float(value)) for key, value in expected.items()
    }
    whole = sum(story.before.figures.headcount().values())
    assert sum(row["headcount"] for row in shown) == float(whole)


def test_the_history_goes_on(story: Story) -> None:
    """Rows that changed or went have an end; those that are there now have none."""
    ((now,),) = story.database.ask(
        f"select sum(allocation) from {MODELS}.assignments_history where dbt_valid_to is null"  # noqa: S608
    )
    assert now == sum(story.after.figures.headcount().values())
    ((levels,),) = story.database.ask(
        f"select count(distinct level) from {MODELS}.org_hierarchy_history "  # noqa: S608
        "where node_key = 'POS00020' and dbt_valid_to is not null"
    )
    assert levels == 1


def test_names_from_orgvue_are_data(story: Story) -> None:
    """Values under hostile names arrive under clean ones, in a model with a harmless comment."""
    (model,) = story.project.glob("models/staging/stg_hostile*.sql")
    (row,) = rows_of(story.database, model.stem)
    assert {*HOSTILE} <= {*row.values()}
    assert all(name.isidentifier() and name == name.lower() for name in row)


def test_keys_that_are_numbers_are_text(story: Story) -> None:
    """A link names its ends in text or in numbers; both sides are text in the staging models."""
    assert {row["no"] for row in rows_of(story.database, "stg_contracts")} == {"101", "102"}


def test_the_documented_answers(story: Story) -> None:
    """Each SQL of the page "From tables to answers" runs, and the three answers have rows."""
    page = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    found = [len(story.database.ask(query)) for query in queries]
    # The fourth is about a day that the snapshot may not have seen.
    assert len(found) == 4
    assert all(found[:3])


# --- Snowflake


MODELS_IN_ORDER = (
    *("people", "positions", "org_nodes", "assignments"),
    *("org_hierarchy", "org_closure", "span_of_control", "layers"),
    *("headcount", "cost", "vacancies", "reporting_lines"),
)


def test_the_models_run_in_snowflakes_dialect(tmp_path: Path) -> None:
    """What dbt compiles for Snowflake gives the same answers there: in fakesnow, which parses it.

    dbt itself cannot sign in to fakesnow, so the compiled models are run in their order.
    """
    tenant = demo_tenant(people=80, positions=70)
    positions = tenant.dataset("Positions")
    positions.update(20, parent_id=positions.rows[21]["id"])
    positions.update(21, parent_id=positions.rows[20]["id"])
    folder = tmp_path / "account"
    folder.mkdir()
    with running_sql() as sql, Orgvue(tenant) as orgvue:
        catalog = discover(orgvue.config)
        account = Snowflake(folder, sql)
        account.load(orgvue.config, catalog)
        project = generated(catalog, tmp_path)
        done = dbt(
            project,
            *("--no-populate-cache", "compile", "--no-introspect", "--target", "snowflake"),
            *("--vars", "{soft_deletes: true, rescued: {people: [salary]}}"),
        )
        assert done.code == 0, done.log
        account.ask(f"create schema if not exists {MODELS}")
        compiled = project / "target" / "compiled" / "orgvue"
        staged = [path.stem for path in compiled.rglob("stg_*.sql")]
        for model in (*staged, *MODELS_IN_ORDER):
            (path,) = compiled.glob(f"models/*/{model}.sql")
            text = path.read_text(encoding="utf-8")
            account.ask(f"create table warehouse.{MODELS}.{model} as {text}")
        figures = Figures(tenant)

        def column(columns: str, model: str) -> dict[Any, Any]:
            query = f"select {columns} from warehouse.{MODELS}.{model}"  # noqa: S608
            return dict(account.ask(query))

        assert column("node_key, status", "org_hierarchy") == {
            position: figures.status(position) for position in figures.positions
        }
        assert column("level, nodes", "layers") == figures.layers()
        assert column("position_key, status", "vacancies") == figures.vacancies()
        headcount = column("value, headcount", "headcount where dimension = 'position_department'")
        assert headcount == {key: float(value) for key, value in figures.headcount().items()}
        for path in compiled.glob("tests/**/*.sql"):
            account.ask(path.read_text(encoding="utf-8"))
