"""All files of a tenant's dbt project: generated ones, and fixed ones of `dbt/project/`."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from tap_orgvue.dbt.catalog import dataset_tables
from tap_orgvue.dbt.drafts import (
    draft_tables,
    has_scenarios,
    headcount_by_scenario_model,
    people_to_be_model,
)
from tap_orgvue.dbt.org import (
    assignments_model,
    headcount_dimensions,
    nodes_model,
    people_model,
    positions_model,
)
from tap_orgvue.dbt.readme import readme
from tap_orgvue.dbt.staging import sources_yml, staging_model, staging_yml
from tap_orgvue.dbt.text import yaml_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_orgvue.dbt.catalog import Table
    from tap_orgvue.dbt.roles import Roles

ALWAYS = (
    "macros/as_of.sql",
    "macros/live_rows.sql",
    "macros/raw_column.sql",
    "macros/rescued.sql",
)

OF_TREE = (
    "models/org/org_nodes.yml",
    "models/marts/hierarchy.yml",
    "models/marts/layers.sql",
    "models/marts/org_closure.sql",
    "models/marts/org_hierarchy.sql",
    "models/marts/span_of_control.sql",
    "snapshots/org_hierarchy_history.yml",
    "tests/quality/cycles.sql",
    "tests/quality/orphans.sql",
)
"""Files for a hierarchical dataset."""

OF_PEOPLE = (
    "analyses/headcount_as_of.sql",
    "models/org/assignments.yml",
    "models/org/people.yml",
    "models/marts/cost.sql",
    "models/marts/headcount.sql",
    "models/marts/headcount.yml",
    "snapshots/assignments_history.yml",
)
"""Files for people."""

OF_LINKS = (
    "models/marts/vacancies.sql",
    "models/marts/vacancies.yml",
    "tests/quality/people_in_more_than_one_whole.sql",
    "tests/quality/people_without_position.sql",
    "tests/quality/positions_held_twice.sql",
)
"""Files for links between people and positions."""

OF_LINKS_IN_A_TREE = (
    "models/marts/reporting_lines.sql",
    "models/marts/reporting_lines.yml",
)
"""Files for links to positions that are the hierarchy."""

OF_DRAFTS = (
    "macros/draft_values.sql",
    "models/drafts/draft_items.sql",
    "models/drafts/draft_steps.sql",
    "models/drafts/draft_values.sql",
    "models/drafts/drafts.yml",
)
"""Files for drafts and their changes."""

_PROJECT_YML = """\
# A dbt project for one tenant of Orgvue. It was written by `tap-orgvue-dbt`, and is yours from then
# on: see README.md.
name: {project}
version: "1.0.0"
config-version: 2
require-dbt-version: [">=1.10.6", "<2.0.0"]
profile: {project}

flags:
  send_anonymous_usage_stats: false

models:
  {project}:
    staging:
      +materialized: view
    org:
      +materialized: table
    marts:
      +materialized: table

data_tests:
  {project}:
    # These find mistakes in the data, not in the run: they warn, and the run goes on.
    # `error` makes the run fail instead.
    quality:
      +severity: warn

vars:
  # Whether rows with `_sdc_deleted_at` are left out: true, false, or auto to look for the column.
  soft_deletes: auto
  # Columns of `assignments` by which the models `headcount` and `cost` count.
  headcount_dimensions:{dimensions}
  # Values that did not fit their column, unpacked into `<column>_rescued` of the staging model:
  # the column's name in the raw table, by the table's name, as in {{people: [salary]}}.
  rescued: {{}}
"""

_RESCUED_TEST = """\
-- Rows with values that do not fit their column, by table. Those values are in `rescued_data`; the
-- variable `rescued` unpacks them, and the tap's setting `property_types` makes a column of text.
"""

_GITIGNORE = "/target/\n/logs/\n/dbt_packages/\n/profiles.yml\n"


def project_files(
    tables: Sequence[Table], roles: Roles, *, project: str, schema: str
) -> dict[str, str]:
    """The project's files.

    Args:
        tables: The tables of the catalog.
        roles: The roles of tables and columns.
        project: The project's name, and its profile's.
        schema: The schema of the raw tables.

    Returns:
        Path in the project, with `/`, to the file's text; sorted by path, and equal for equal
        arguments.
    """
    made = {
        "dbt_project.yml": _PROJECT_YML.format(
            project=project, dimensions=_dimensions(headcount_dimensions(roles))
        ),
        "profiles.example.yml": _packaged("profiles.example.yml").replace("__PROJECT__", project),
        "README.md": readme(tables, roles, project=project, schema=schema),
        ".gitignore": _GITIGNORE,
        **{name: _packaged(name) for name in fixed_files(roles)},
        **dict(_staging_files(tables, roles, schema)),
        **dict(_org_files(roles)),
        **dict(_draft_files(tables, roles)),
    }
    return dict(sorted(made.items()))


def fixed_files(roles: Roles) -> list[str]:
    """The files that are the same for every tenant with these roles."""
    is_held = roles.has_links and roles.tree == roles.positions
    return [
        *ALWAYS,
        *(OF_TREE if roles.tree else ()),
        *(OF_PEOPLE if roles.people else ()),
        *(["models/org/positions.yml"] if roles.positions else ()),
        *(OF_LINKS if roles.has_links else ()),
        *(OF_LINKS_IN_A_TREE if is_held else ()),
    ]


def _packaged(name: str) -> str:
    return files("tap_orgvue.dbt").joinpath("project", *name.split("/")).read_text("utf-8")


def _dimensions(names: Sequence[str]) -> str:
    return " []" if not names else "\n" + "\n".join(yaml_lines(list(names), 4))


def _staging_files(tables: Sequence[Table], roles: Roles, schema: str) -> Iterator[tuple[str, str]]:
    staged = [*dataset_tables(tables), *draft_tables(tables)]
    yield "models/staging/sources.yml", sources_yml(tables, roles.ends, schema)
    yield "models/staging/staging.yml", staging_yml(staged, roles.ends)
    for table in staged:
        yield f"models/staging/{table.model}.sql", staging_model(table)
    rescuing = [table for table in staged if table.has_rescued]
    if rescuing:
        yield (
            "tests/quality/rescued_values.sql",
            _RESCUED_TEST + "\nunion all\n\n".join(_rescued_rows(table) for table in rescuing),
        )


def _rescued_rows(table: Table) -> str:
    return (
        f"select\n    '{table.name}' as table_name,\n    rescued_data\n"
        f"from {{{{ ref('{table.model}') }}}}\nwhere rescued_data is not null\n"
    )


def _org_files(roles: Roles) -> Iterator[tuple[str, str]]:
    models: Mapping[str, str | None] = {
        "people": people_model(roles.people, roles) if roles.people else None,
        "positions": positions_model(roles.positions) if roles.positions else None,
        "assignments": assignments_model(roles) if roles.people else None,
        "org_nodes": nodes_model(roles.tree) if roles.tree else None,
    }
    for name, text in models.items():
        if text is not None:
            yield f"models/org/{name}.sql", text


def _draft_files(tables: Sequence[Table], roles: Roles) -> Iterator[tuple[str, str]]:
    if draft_tables(tables):
        for name in OF_DRAFTS:
            yield name, _packaged(name)
    if roles.people and has_scenarios(tables, roles):
        yield "models/drafts/scenarios.yml", _packaged("models/drafts/scenarios.yml")
        yield "models/drafts/people_to_be.sql", people_to_be_model(roles.people, roles)
        yield (
            "models/drafts/headcount_by_scenario.sql",
            headcount_by_scenario_model(roles.people),
        )
