"""A generated dbt project on what the real loader has stored: answers compared with Python's."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.dbt import MODELS, dbt
from tests.support.dbt_story import (
    HOSTILE,
    NOT_NUMBERS,
    ODD,
    RING,
    WARNINGS_OF_WORDS,
    Built,
    Story,
    built_twice,
    rows_of,
)
from tests.support.loaders import ROOT
from tests.support.scenarios import figures as by_departments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@pytest.fixture(scope="module")
def story(postgres_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The tenant, twice, for all tests of this file."""
    with built_twice(postgres_uri, tmp_path_factory.mktemp("dbt")) as story:
        yield story


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


def test_links_to_what_is_gone_are_reported(story: Story) -> None:
    """The relationships of parents and ends warn; a link of a removed person leads nowhere."""
    found = {name: n for name, n in story.after.dbt.found.items() if "relationships" in name}
    names = " ".join(found)
    assert "source_relationships_orgvue_people_to_positions_from_id" in names
    assert "source_relationships_orgvue_positions_parent_id" in names
    # POS00031 has an empty text for its parent: a top, which misses none.
    (parents,) = (n for name, n in found.items() if "positions_parent_id" in name)
    assert parents == story.after.dbt.failures["orphans"]
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


def test_keys_that_are_words_of_sql_are_tested(story: Story) -> None:
    """The dataset's key and the tree's are there twice, and one parent is missing, not empty."""
    found = {name: n for name, n in story.before.dbt.found.items() if "order" in name}
    assert found == WARNINGS_OF_WORDS


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
