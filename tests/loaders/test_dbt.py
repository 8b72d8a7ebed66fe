"""A generated dbt project on what the real loaders have stored: dbt against Postgres, fakesnow."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo.figures import Figures
from tap_orgvue.simulator import Dataset, Draft, Orgvue, Property, demo_tenant
from tests.support.dbt import MODELS, Dbt, dbt, generated
from tests.support.loaders import ROOT, Database, load, make_database
from tests.support.runs import discover
from tests.support.scenarios import applied, layer
from tests.support.scenarios import figures as by_departments
from tests.support.snowflake import Snowflake, running_sql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tap_orgvue.simulator import Tenant

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


ODD = ("Odd values", "Links")
NOT_NUMBERS = ("a lot", "1.2.3", "1e999", "", None, True, "12 ", {"a": 1}, "NaN")
"""What is no number in both dialects, or none that all of them hold."""


def odd_drafts(tenant: Tenant) -> list[Draft]:
    """A draft with values that do not fit their columns, and one that removes a link."""
    people, links = tenant.dataset("People"), tenant.dataset("People to Positions")
    changed = [
        {"_action": "update", "_id": row["_id"], "salary": value, "leaver": "perhaps"}
        for row, value in zip(people.rows, NOT_NUMBERS, strict=False)
    ]
    made = {"_action": "create", "salary": "-1.5e3", "leaver": "TRUE", "name": "it's \\ odd"}
    ends = {key: links.rows[0][key] for key in ("from_id", "to_id")}
    return [
        Draft(ODD[0], [*changed, made], base=people),
        Draft(
            ODD[1],
            [{"_action": "update", **ends, "allocation": 1}, {"_action": "delete", **ends}],
            base=links,
        ),
    ]


@dataclass(frozen=True)
class Built:
    """A load, and the `dbt build` after it.

    Attributes:
        figures: What the tenant's rows say.
        people: Name of a draft, or `today`, to its people.
        dbt: What dbt did.
        tables: Model to its rows, by the names of its columns.
        moment: When the build had ended, by the database's clock.
    """

    figures: Figures
    people: dict[str, list[dict[str, Any]]]
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
    *("vacancies", "reporting_lines", "people_to_be", "headcount_by_scenario"),
)


def built(orgvue: Orgvue, database: Database, project: Path) -> Built:
    """Build the project."""
    done = dbt(project, "build", database=database)
    tables = {model: rows_of(database, model) for model in ASKED}
    ((moment,),) = database.ask("select clock_timestamp()")
    people = [*orgvue.dataset("People").snapshot().rows]
    drafts = {
        each.name: scenario_of(each, people)
        for each in orgvue.tenant.drafts
        if each.name not in ODD
    }
    return Built(Figures(orgvue.tenant), {"today": people, **drafts}, done, tables, moment)


def scenario_of(draft: Draft, people: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    """The people of a draft."""
    return applied(people, [layer(draft, key) for key in ("default", *sorted(draft.layers))])


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
    tenant.drafts = [*tenant.drafts, *odd_drafts(tenant)]
    target = {**database.target_config, "use_copy": True, "validate_records": False}
    with Orgvue(tenant) as orgvue:
        config = {**orgvue.config, "emit_activate_version_messages": True, "drafts": ["*"]}
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


def test_headcount_and_cost_of_each_draft(each: Built) -> None:
    """Both by department, today and after each draft, are what the actions make of the rows.

    The cost is calculated in Orgvue and in no draft: it stays that of today, and is unknown for
    the new. What a draft does change is in the columns of `people_to_be`.
    """
    rows = each.tables["headcount_by_scenario"]
    assert {row["scenario"] for row in rows} == {*each.people, ODD[0]}
    for name, people in each.people.items():
        active = [person for person in people if not person["leaver"]]
        mine = [row for row in rows if row["scenario"] == name]
        assert sum(row["headcount"] for row in mine if row["dimension"] == "all") == len(active)
        departments = Counter((person["department"], person["currency"]) for person in active)
        by_department = [row for row in mine if row["dimension"] == "person_department"]
        assert {(r["value"], r["currency"]): r["headcount"] for r in by_department} == departments
        known = [cost for person in active if (cost := person.get("annual cost")) is not None]
        assert sum(row["cost"] or 0 for row in by_department) == pytest.approx(sum(known))
        unknown = sum(row["headcount_without_cost"] for row in by_department)
        assert unknown == len(active) - len(known)
        to_be = [row for row in each.tables["people_to_be"] if row["draft"] == name]
        assert name == "today" or by_departments(map(in_orgvues_words, to_be)) == (
            by_departments(people)
        )


def test_values_of_drafts_that_do_not_fit(each: Built) -> None:
    """What is no number or no boolean is null, and the model is built."""
    rows = [row for row in each.tables["people_to_be"] if row["draft"] == ODD[0]]
    changed = [row for row in rows if row["person_leaver"] is None]
    assert [row["person_salary"] for row in changed] == [None] * len(NOT_NUMBERS)
    assert all(row["is_active"] for row in changed)
    (made,) = (row for row in rows if row["person_key"] is None)
    assert (made["person_name"], made["person_salary"]) == ("it's \\ odd", -1500)
    assert not made["is_active"]


def test_drafts_of_links(story: Story) -> None:
    """All changes of a link are of one item, named as in `link_id`; they change no people."""
    (draft_id,) = {
        row["draft_id"]
        for row in rows_of(story.database, "stg_orgvue_drafts")
        if row["name"] == ODD[1]
    }
    items = [r for r in rows_of(story.database, "draft_items") if r["draft_id"] == draft_id]
    (item,) = items
    links = rows_of(story.database, "stg_people_to_positions")
    assert item["is_deleted"]
    assert item["item"] in {link["link_id"] for link in links}


def in_orgvues_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `people_to_be` by the properties' keys."""
    return {
        "leaver": not row["is_active"],
        "department": row["person_department"],
        "salary": row["person_salary"],
        "weekly hours": row["person_weekly_hours"],
    }


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
    """Each SQL of the page "From tables to answers" runs, and the four answers have rows."""
    page = (ROOT / "docs" / "answers.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    found = [len(story.database.ask(query)) for query in queries]
    # The fifth is about a day that the snapshot may not have seen.
    assert len(found) == 5
    assert all(found[:4])


# --- Snowflake


MODELS_IN_ORDER = (
    *("people", "positions", "org_nodes", "assignments"),
    *("org_hierarchy", "org_closure", "span_of_control", "layers"),
    *("headcount", "cost", "vacancies", "reporting_lines"),
    *("draft_steps", "draft_items", "draft_values", "people_to_be", "headcount_by_scenario"),
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
        config = {**orgvue.config, "drafts": ["*"]}
        catalog = discover(config)
        account = Snowflake(folder, sql)
        account.load(config, catalog)
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
        people = tenant.dataset("People").rows
        for draft in tenant.drafts:
            columns = "not is_active, person_department, person_salary, person_weekly_hours"
            model = f"warehouse.{MODELS}.people_to_be where draft = '{draft.name}'"
            query = f"select {columns} from {model}"  # noqa: S608
            keys = ("leaver", "department", "salary", "weekly hours")
            to_be = [dict(zip(keys, row, strict=True)) for row in account.ask(query)]
            assert by_departments(to_be) == by_departments(scenario_of(draft, people))
        totals = "headcount_by_scenario where dimension = 'all' group by scenario"
        found = column("scenario, sum(headcount)", totals)
        assert {*found} == {"today", *(draft.name for draft in tenant.drafts)}
        for path in compiled.glob("tests/**/*.sql"):
            account.ask(path.read_text(encoding="utf-8"))
