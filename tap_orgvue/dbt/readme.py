"""The README of a generated project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.dbt.catalog import dataset_tables
from tap_orgvue.dbt.drafts import draft_tables, has_scenarios
from tap_orgvue.dbt.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_orgvue.dbt.catalog import Table
    from tap_orgvue.dbt.roles import Roles

_HEAD = """\
# {project}: Orgvue's tables, in answers

`tap-orgvue-dbt` wrote this dbt project from a catalog of the tap. It is yours: keep it in version
control, change what you like. Another run of the command brings new datasets and keeps what you
have edited; where it would write something else into a file of yours, that is beside it as
`FILE.new`.

## To run it

    cp profiles.example.yml profiles.yml   # and say where your database is
    dbt build --profiles-dir .

After every load: `dbt build` makes views and tables, keeps what has changed in the snapshots, and
runs the tests. dbt-core 1.11 with dbt-postgres or dbt-snowflake runs it. The raw tables are
expected in the schema `{schema}`, see `models/staging/sources.yml`.

## The roles

| role | is | why |
| --- | --- | --- |
"""

_MODELS = """
## The models

| model | contents |
| --- | --- |
"""

_ANSWERS = {
    "tree": (
        ("org_hierarchy", "the level of each node, its path, and the managers above it"),
        ("org_closure", "who is below X, at any distance, without recursion"),
        ("span_of_control", "how many report to each manager, directly and in all"),
        ("layers", "how many layers there are, and how wide each is"),
    ),
    "people": (
        ("assignments", "each person in each position: sum `allocation` by any column"),
        ("headcount", "headcount by the columns that `headcount_dimensions` names"),
        ("cost", "cost by the same columns, and by currency"),
    ),
    "links": (("vacancies", "the positions that nobody holds, or not wholly"),),
    "held": (("reporting_lines", "who reports to whom, over vacant positions"),),
    "drafts": (
        ("draft_items", "each item that a draft creates, changes or deletes"),
        ("draft_values", "the last value of each property that a draft changes"),
    ),
    "scenarios": (
        ("people_to_be", "the people of each draft"),
        ("headcount_by_scenario", "headcount and cost today, and in each draft"),
    ),
}

_TAIL = """
## To change

- Who is active, what a person costs, which part of a person a link is: `models/org/*.sql`, a line
  each. All models behind them follow.
- Headcount by other columns: the variable `headcount_dimensions` in `dbt_project.yml`; any column
  of `assignments` will do.
- Values that did not fit their column: the variable `rescued`.
- Warnings that should stop a run: `severity` in `dbt_project.yml`.
- A model of your own: a file in `models/marts/`.

## How it was

The snapshots `*_history` keep every version of a row since their first run, from `dbt_valid_from`
to `dbt_valid_to`. `where {{ as_of('2026-03-31') }}` takes the rows of a day. Headcount and cost
then:

    dbt show --select headcount_as_of --vars '{as_of: 2026-03-31}'

## The tests

The tests in `tests/quality/` are about the data: orphans, cycles, positions held twice, people
without a position, values that did not fit. They warn. `dbt build --store-failures` keeps the rows
that they find.
"""


def readme(tables: Sequence[Table], roles: Roles, *, project: str, schema: str) -> str:
    """The README's text."""
    lines = [f"| {role} | {what} | {why} |" for role, what, why in _roles(tables, roles)]
    is_held = roles.has_links and roles.tree == roles.positions
    parts = {
        "tree": roles.tree,
        "people": roles.people,
        "links": roles.has_links,
        "held": is_held,
        "drafts": draft_tables(tables),
        "scenarios": has_scenarios(tables, roles),
    }
    answers = [
        f"| `{model}` | {answer} |"
        for part, models in _ANSWERS.items()
        if parts[part]
        for model, answer in models
    ]
    staged = "| `stg_…` | the live rows of each dataset, with clean names |"
    return (
        _HEAD.format(project=project, schema=schema)
        + "\n".join(lines)
        + "\n"
        + _MODELS
        + "\n".join([staged, *answers])
        + "\n"
        + (_TAIL if roles.people else _without_as_of(_TAIL))
    )


def _without_as_of(text: str) -> str:
    return text.replace(
        " Headcount and cost\nthen:\n\n    dbt show --select headcount_as_of --vars "
        "'{as_of: 2026-03-31}'\n",
        "\n",
    )


def _roles(tables: Sequence[Table], roles: Roles) -> Iterator[tuple[str, str, str]]:
    for role, table in (
        ("people", roles.people),
        ("positions", roles.positions),
        ("links", roles.links),
        ("hierarchy", roles.tree),
    ):
        if table:
            kind = one_line(f"{table.title} ({table.facts.type or 'type unknown'})")
            yield role, f"`{table.model}`", _cell(kind)
    for table in dataset_tables(tables):
        if table.is_links:
            ends = roles.ends.get(table.stream)
            joined = f"from `{ends.start.model}` to `{ends.end.model}`" if ends else "not known"
            yield f"what `{table.model}` joins", joined, ends.why if ends else ""
    for role, column in (
        ("cost", roles.cost),
        ("currency of the cost", roles.currency),
        ("who is active", roles.activity and roles.activity[0]),
        ("allocation", roles.allocation),
    ):
        if column:
            yield role, f"`{column.name}`", _cell(one_line(column.title))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
