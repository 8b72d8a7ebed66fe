"""As-is and to-be in SQL: the views of the documentation, over what the real loader stored."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.schema.naming import DRAFT_STREAMS
from tap_orgvue.simulator import Dataset, Draft, Orgvue, Property, Tenant, demo_tenant
from tests.support.drafts import links
from tests.support.loaders import load
from tests.support.runs import discover, only, select
from tests.support.scenarios import applied, figures, layer
from tests.support.snowflake import Snowflake, running_sql

if TYPE_CHECKING:
    from tests.support.loaders import Database

PAGE = Path(__file__).parents[2] / "docs" / "as-is-and-to-be.md"
HARD = {"use_copy": True, "validate_records": False}
NUMBER_IN_POSTGRES = """case
      when cell.value ~ '^[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]{1,2})?$'
        then cell.value::numeric
    end as as_number"""
ITEM = "7918D0B4-0000-4000-8000-00000000000{}"


def statements(heading: str) -> list[str]:
    """The SQL statements below a heading of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"### {heading}\n")[2].partition("\n### ")[0]
    blocks = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    return [each.strip() for block in blocks for each in block.split(";\n") if each.strip()]


def make_views(database: Database) -> None:
    """Create the views of the page."""
    for statement in statements("Postgres"):
        database.ask(statement)


def loaded(database: Database, orgvue: Orgvue, **settings: Any) -> Any:
    """Load datasets and drafts, and expect that all goes well."""
    config = {**orgvue.config, "drafts": ["*"], **settings}
    state = config.pop("state", None)
    found = load(
        "target-postgres",
        {**database.target_config, **HARD},
        config,
        catalog_of_all(config),
        state,
    )
    assert found.codes == (0, 0), found.log
    return found.state


def catalog_of_all(config: dict[str, Any]) -> dict[str, Any]:
    """A catalog that selects the datasets' stream as well."""
    catalog = discover(config)
    return select(catalog, "orgvue_datasets", selected=True)


def scenario(
    database: Database, name: str, draft: Draft | None = None
) -> dict[str | None, tuple[int, float]]:
    """The same from the view, of one draft of several of this name."""
    query = "select department, headcount, cost from headcount_and_cost where scenario = %s"
    found = (
        database.ask(query, name)
        if draft is None
        else database.ask(f"{query} and draft_id = %s", name, draft.draft_id)
    )
    return {department: (int(count), float(cost or 0)) for department, count, cost in found}


def test_headcount_and_cost_today_and_after_each_draft(database: Database) -> None:
    """The views of the page give the figures of the demo tenant, draft by draft."""
    tenant = demo_tenant(400, 160)
    today = tenant.dataset("People").rows
    with Orgvue(tenant) as orgvue:
        loaded(database, orgvue)
    make_views(database)
    assert scenario(database, "today") == figures(today)
    for draft in tenant.drafts:
        layers = [layer(draft, key) for key in ("default", *sorted(draft.layers))]
        to_be = scenario(database, draft.name)
        assert to_be == figures(applied(today, layers))
        assert to_be != scenario(database, "today")
    (query,) = statements("The question")
    names = [name for name, _, _ in database.ask(query)]
    assert names == ["today", "Hiring plan 2026/27", "Technology reorganisation"]


WORDS: list[tuple[str, int | None, dict[str, object]]] = [
    ("update", 10, {"salary": 5, "department": "Lost"}),
    ("replace", 10, {"salary": 6}),
    ("createOrUpdate", 10, {"weekly hours": 40}),
    ("delete", 11, {}),
    ("update", 11, {"salary": 5, "department": "Lost"}),
    ("createOrUpdate", 11, {"weekly hours": 40}),
    ("update", 1, {"salary": 10}),
    ("update", 1, {"salary": None, "department": "B"}),
    ("delete", 2, {}),
    ("update", 2, {"salary": 5}),
    ("replace", 3, {"department": "R", "weekly hours": 20}),
    ("delete", 4, {}),
    ("create", 4, {"department": "Back", "salary": 4, "weekly hours": 40}),
    ("create", None, {"department": "New", "salary": 40, "weekly hours": 20}),
    ("create", None, {"department": "New", "salary": 60, "weekly hours": 40}),
    ("createOrUpdate", 5, {"department": "E"}),
    ("createOrUpdate", 8, {"department": "E", "salary": 8, "weekly hours": 40}),
    ("createOrReplace", 6, {"department": "F"}),
    ("createOrReplace", 9, {"department": "F", "leaver": True}),
    ("update", 7, {"leaver": True}),
    ("update", 7, {"salary": "n/a", "weekly hours": ""}),
    ("noop", 7, {}),
]


def test_each_action_word_and_a_cleared_draft(database: Database) -> None:
    """Each documented word does what the page says; rows marked as deleted are in no view.

    The order of layers is not that of their names.
    """
    base = Dataset(
        "People",
        properties=[
            Property("id", "text", auto_id=True),
            Property("department", "text"),
            Property("salary", "number"),
            Property("weekly hours", "number"),
            Property("leaver", "boolean"),
        ],
        rows=[
            {
                "_id": ITEM.format(number),
                "id": f"P{number}",
                "department": "A",
                "salary": 100 * number,
                "weekly hours": 40,
                "leaver": False,
            }
            for number in (*range(1, 8), 11)
        ],
    )
    actions = [
        {"_action": word, **({"_id": ITEM.format(number)} if number else {}), **cells}
        for word, number, cells in WORDS
    ]
    later = [{"_action": "update", "_id": ITEM.format(1), "salary": 11}]
    unknown = [{"_action": "merge", "_id": ITEM.format(1), "salary": 12}, *later, {}]
    draft = Draft("Words", actions, base=base, layers={"a later one": unknown})
    rows = [dict(row) for row in base.rows]
    hire = {"_action": "create", "department": "B", "salary": 2, "weekly hours": 40}
    plans = [Draft(name, [hire, hire], base=base) for name in ("One", "Two")]
    # Names are not unique, and the list may tell none.
    alike = [
        Draft("One", [hire], base=base, draft_id=ITEM.format(end), tells=("datasetId", *has_name))
        for end, has_name in (("A", ["name"]), ("B", []))
    ]
    between = links()
    ends = {"from_id": 1, "to_id": "9"}
    moves = Draft(
        "Links",
        [{"_action": "update", **ends, "share": 0.5}, {"_action": "delete", **ends}],
        base=between,
    )
    drafts = [draft, Draft("Nothing", base=base), *plans, *alike, moves]
    with Orgvue(Tenant([base, between], drafts)) as orgvue:
        state = loaded(database, orgvue, emit_activate_version_messages=True)
        make_views(database)
        assert scenario(database, "Words") == figures(applied(rows, [actions, later]))
        assert scenario(database, "Nothing") == scenario(database, "today") == figures(rows)
        assert scenario(database, "One", plans[0]) == {**figures(rows), "B": (2, 4)}
        assert scenario(database, "One", alike[0]) == {**figures(rows), "B": (1, 2)}
        assert scenario(database, alike[1].draft_id) == {**figures(rows), "B": (1, 2)}
        found = database.ask(
            "select item, is_deleted from orgvue_draft_items where draft_id = %s", moves.draft_id
        )
        assert found == [(between.rows[0]["link_id"], True)]
        plans[0].actions = [hire]
        orgvue.tenant.remove_draft("Two")
        loaded(database, orgvue, emit_activate_version_messages=True, state=state)
    assert scenario(database, "One", plans[0]) == {**figures(rows), "B": (1, 2)}
    assert scenario(database, "Two") == {}
    assert scenario(database, "Words") == figures(applied(rows, [actions, later]))


def test_the_same_in_snowflake(tmp_path: Path) -> None:
    """What fakesnow makes of Snowflake's statements are the same figures."""
    tenant = demo_tenant(120, 48)
    today = tenant.dataset("People").rows
    folder = tmp_path / "account"
    folder.mkdir()
    with running_sql() as sql, Orgvue(tenant) as orgvue:
        config = {**orgvue.config, "drafts": ["*"]}
        catalog = only(catalog_of_all(config), "people", "orgvue_datasets", *DRAFT_STREAMS)
        account = Snowflake(folder, sql)
        account.load(config, catalog)
        for statement in statements("Snowflake"):
            account.ask(statement)
        found = account.ask("select scenario, department, headcount, cost from headcount_and_cost")
    scenarios: dict[str, dict[str | None, tuple[int, float]]] = defaultdict(dict)
    for name, department, count, cost in found:
        scenarios[name][department] = (int(count), float(cost))
    assert scenarios["today"] == figures(today)
    for draft in tenant.drafts:
        layers = [layer(draft, key) for key in ("default", *sorted(draft.layers))]
        assert scenarios[draft.name] == figures(applied(today, layers))


def test_the_figures_of_the_page() -> None:
    """What the page shows of the demo tenant is what the actions make of it."""
    tenant = demo_tenant()
    today = tenant.dataset("People").rows
    scenarios = {"today": figures(today)}
    for draft in tenant.drafts:
        layers = [layer(draft, key) for key in ("default", *sorted(draft.layers))]
        scenarios[draft.name] = figures(applied(today, layers))
    text = PAGE.read_text(encoding="utf-8")
    for name, departments in scenarios.items():
        counts, costs = zip(*departments.values(), strict=True)
        assert f"| {name} | {sum(counts)} | {int(sum(map(float, costs)))} |\n" in text
    reorganised, before = scenarios["Technology reorganisation"], scenarios["today"]
    told = " ".join(text.split())
    moved = reorganised["Operations"][0] - before["Operations"][0]
    assert f"a department of {reorganised['Data & AI'][0]} with a head" in told
    assert f"moves {moved} support engineers to Operations" in told


@pytest.mark.parametrize("heading", ["Postgres", "Snowflake"])
def test_the_page_has_the_views(heading: str) -> None:
    """Four views for each of both."""
    assert [each.split()[2] for each in statements(heading)] == [
        *("orgvue_draft_steps", "orgvue_draft_items", "people_to_be", "headcount_and_cost"),
    ]


def test_both_say_the_same() -> None:
    """Snowflake's statements are those that are tested here, but for JSON and the number type."""
    made = [
        each.replace("cell.value,", "cell.value::varchar as value,")
        .replace("items.begins\n  cross join", "items.begins,\n ")
        .replace(
            "lateral jsonb_each_text(steps.changes::jsonb) as cell (key, value)",
            "lateral flatten(input => parse_json(steps.changes)) as cell",
        )
        .replace(NUMBER_IN_POSTGRES, "try_to_double(cell.value::varchar) as as_number")
        for each in statements("Postgres")
    ]
    assert made == statements("Snowflake")
