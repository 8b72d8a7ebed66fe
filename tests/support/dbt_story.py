"""A tenant that is loaded and built by dbt, changed, and loaded and built again.

It is the demo tenant with odd datasets and odd drafts beside: hostile names, keys that are numbers,
names that are words of SQL, values that do not fit.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo.figures import Figures
from tap_orgvue.simulator import Dataset, Draft, Orgvue, Property, demo_tenant
from tests.support.dbt import MODELS, Dbt, dbt, generated
from tests.support.loaders import Database, load, make_database
from tests.support.runs import discover
from tests.support.scenarios import applied, layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tap_orgvue.simulator import Tenant

RING = ("POS00020", "POS00021", "POS00022")
"""Positions of one level, which are put in a ring."""

HOSTILE = (
    *("{{ 1 / 0 }}", "{% raw %}", "{# nothing #}", "two\nlines", 'it\'s "quoted"', "-- no; /*"),
    *("order", "user", "select", "copy number", "rescued data", "a: b, [c] & *d !e %f `g`", "備考"),
)
"""Keys and display names that YAML, Jinja or SQL could take for their own."""


def words_of_sql() -> Dataset:
    """A tree whose name and keys are words of SQL: one key twice, one orphan, empty parents."""
    return Dataset(
        "Order",
        type="OTHER",
        properties=[
            Property("user", auto_id=True),
            Property("select", "number", tree_id=True),
            Property("group", tree_parent_id=True),
        ],
        rows=[
            {"user": "1", "select": 1, "group": ""},
            {"user": "1", "select": 2, "group": "1"},
            {"user": "3", "select": 2, "group": "77"},
        ],
    )


WARNINGS_OF_WORDS = {
    "unique_stg_order__user_": 1,
    "unique_stg_order__select_": 1,
    "relationships_stg_order__group___select___ref_stg_order__": 1,
}
"""The tests of its keys and parents that find something, in every dialect."""


def odd_datasets() -> list[Dataset]:
    """A dataset of hostile names, and one with numbers for keys, which links name."""
    return [
        Dataset(
            'Hostile {{ 1 / 0 }} {% endif %}\n"name" -- */',
            type="OTHER {{",
            properties=[Property(key, name=f"{key} {{{{ name }}}}\n") for key in HOSTILE],
            rows=[{key: key for key in HOSTILE}],
        ),
        words_of_sql(),
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


@contextmanager
def built_twice(postgres_uri: str, folder: Path) -> Iterator[Story]:
    """The story, for as long as the tenant is served.

    Args:
        postgres_uri: See `make_database`.
        folder: For the project.
    """
    database = make_database(postgres_uri, f"answers_{uuid.uuid4().hex}")
    tenant = demo_tenant()
    for dataset in odd_datasets():
        tenant.add(dataset)
    tenant.drafts = [*tenant.drafts, *odd_drafts(tenant)]
    target = {**database.target_config, "use_copy": True, "validate_records": False}
    with Orgvue(tenant) as orgvue:
        config = {**orgvue.config, "emit_activate_version_messages": True, "drafts": ["*"]}
        catalog = discover(config)
        project = generated(catalog, folder)
        first = load("target-postgres", target, config, catalog)
        assert first.codes == (0, 0), first.log
        before = built(orgvue, database, project)
        change(orgvue)
        second = load("target-postgres", target, config, catalog, first.state)
        assert second.codes == (0, 0), second.log
        yield Story(database, project, before, built(orgvue, database, project))
