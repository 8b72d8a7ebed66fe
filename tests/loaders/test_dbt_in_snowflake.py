"""The generated dbt project in Snowflake's dialect: compiled by dbt, run in fakesnow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from demo.figures import Figures
from tap_orgvue.simulator import Orgvue, demo_tenant
from tests.support.dbt import MODELS, dbt, generated
from tests.support.dbt_story import WARNINGS_OF_WORDS, scenario_of, words_of_sql
from tests.support.runs import discover
from tests.support.scenarios import figures as by_departments
from tests.support.snowflake import Snowflake, running_sql

if TYPE_CHECKING:
    from pathlib import Path

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
    tenant.add(words_of_sql())
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
            *("--vars", '{soft_deletes: true, rescued: {people: [salary, "2nd Pay %"]}}'),
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
        checks = [*compiled.glob("tests/**/*.sql"), *compiled.glob("models/**/*.yml/*.sql")]
        rows = {path.stem: len(account.ask(path.read_text(encoding="utf-8"))) for path in checks}
        assert {name: count for name, count in rows.items() if name in WARNINGS_OF_WORDS} == (
            WARNINGS_OF_WORDS
        )
        status = [figures.status(position) for position in figures.positions]
        assert (rows["orphans"], rows["cycles"]) == (status.count("orphan"), 2)
