"""A believable tenant, the same every time: people, positions, links between them, odd ones."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tap_orgvue.simulator.dataset import Dataset, Property, Row
from tap_orgvue.simulator.demo_drafts import demo_drafts
from tap_orgvue.simulator.demo_names import DEPARTMENTS, FIRST_NAMES, LAST_NAMES, LOCATIONS
from tap_orgvue.simulator.demo_organisation import day, holders, link_rows, position_rows, seats
from tap_orgvue.simulator.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINKS_ID = "5C1A7D52-6F0E-4B7B-9C55-2E8A41D90B13"

_LEAVERS = 0.08
_LONG_KEY = "Anteil der variablen Vergütung am Zielgehalt im laufenden Geschäftsjahr (brutto)"


def demo_tenant(people: int = 3000, positions: int = 2900, seed: int = 2026) -> Tenant:
    """Make the tenant.

    Args:
        people: How many people there are.
        positions: How many positions there are for them.
        seed: What chance begins with; the same seed makes the same tenant.

    Returns:
        A tenant of five datasets: People, Positions (a tree, see `demo_organisation`), the links
        between the two, an empty one, and one with awkward names and cells; every cell is of its
        property's declared type.
        Two drafts change People: a reorganisation of a department, and a hiring plan.
    """
    dice = random.Random(seed)
    rows = position_rows(dice, positions)
    leavers = {each for each in range(people) if dice.random() < _LEAVERS}
    held = seats(dice, [each for each in range(people) if each not in leavers], len(rows))
    first = {person: rows[position] for person, position, _ in reversed(held)}
    people_rows = [
        _person(dice, each, first.get(each), leaver=each in leavers) for each in range(people)
    ]
    links = link_rows(people_rows, rows, held)
    everybody = _people(people_rows)
    datasets = [
        everybody,
        _positions(rows, links),
        _links(links),
        Dataset(
            "Open Requisitions",
            type="ROLES",
            properties=[
                Property("requisition_id", "text", name="Requisition Id", auto_id=True),
                Property("title", "text", name="Title", label_id=True),
                Property("opened", "date", name="Opened"),
                Property("budget", "number", name="Budget"),
            ],
        ),
        _awkward(random.Random(seed)),
    ]
    return Tenant(datasets, demo_drafts(everybody, random.Random(seed)))


def _people(rows: Sequence[Row]) -> Dataset:
    return Dataset(
        "People",
        type="PEOPLE",
        tags=("HRIS", "monthly"),
        properties=[
            Property("id", "text", name="Id", auto_id=True, is_core=True, is_required=True),
            Property("name", "text", name="Name", label_id=True, is_core=True),
            Property("first name", "text", name="First Name"),
            Property("last name", "text", name="Last Name"),
            Property("email", "text", name="E-mail"),
            Property("department", "text", name="Department"),
            Property("jobTitle", "text", name="Job Title"),
            Property("location", "text", name="Location"),
            Property("salary", "number", name="Salary"),
            Property("currency", "text", name="Currency"),
            Property("weekly hours", "number", name="Weekly Hours"),
            Property("startDate", "date", name="Start Date"),
            Property("leaver", "boolean", name="Leaver"),
            Property("leaveDate", "date", name="Leave Date"),
            Property("fte", "number", name="FTE", calculated=True),
            Property("annual cost", "number", name="Annual Cost", calculated=True),
        ],
        rows=rows,
    )


def _positions(rows: Sequence[Row], links: Sequence[Row]) -> Dataset:
    held = holders(links)
    return Dataset(
        "Positions",
        type="POSITIONS",
        tags=("HRIS",),
        properties=[
            Property("id", "text", name="Position Id", auto_id=True, tree_id=True, is_core=True),
            Property("parent_id", "text", name="Reports To", tree_parent_id=True, is_core=True),
            Property("title", "text", name="Title", label_id=True),
            Property("department", "text", name="Department"),
            Property("grade", "number", name="Grade"),
            Property("budgeted", "boolean", name="Budgeted"),
            Property("validFrom", "date", name="Valid From"),
            Property("holders", "number", name="Holders", needs_link=_LINKS_ID),
        ],
        rows=[{**row, "holders": held.get(row["id"], 0)} for row in rows],
        generated=(
            *("_id", "_modifiedAt", "_depth", "_is_leaf", "_is_orphan", "_span_of_control"),
            "_change",
        ),
    )


def _links(rows: Sequence[Row]) -> Dataset:
    return Dataset(
        "People to Positions",
        type="LINKS",
        dataset_id=_LINKS_ID,
        properties=[
            Property("link_id", "text", name="Link Id", auto_id=True, is_core=True),
            Property("from_id", "text", name="From Id", is_core=True),
            Property("to_id", "text", name="To Id", is_core=True),
            Property("allocation", "number", name="Allocation"),
        ],
        rows=rows,
    )


def _person(dice: random.Random, number: int, position: Row | None, *, leaver: bool) -> Row:
    """Make a person, who works where the position is; `position` is None without one."""
    first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
    department = str((position and position["department"]) or dice.choice(list(DEPARTMENTS)))
    hours = dice.choice((40, 40, 40, 37.5, 32, 30, 20))
    salary = dice.randrange(28_000, 140_000, 250)
    fte = round(hours / 40, 4)
    return {
        "id": f"P{number + 1:05}",
        "name": f"{first} {last}",
        "first name": first,
        "last name": last,
        "email": f"p{number + 1:05}@example.com",
        "department": department,
        "jobTitle": position["title"] if position else dice.choice(DEPARTMENTS[department]),
        "location": dice.choice(LOCATIONS),
        "salary": salary + dice.choice((0, 0, 0, 0.5, 0.99)),
        "currency": dice.choice(("GBP", "EUR", "EUR", "CHF", "USD", "AUD")),
        "weekly hours": hours,
        "startDate": day(dice, 2005, 20),
        "leaver": leaver,
        "leaveDate": day(dice, 2026, 0) if leaver else None,
        "fte": fte,
        "annual cost": round(salary * fte * 1.21, 2),
    }


def _awkward(dice: random.Random) -> Dataset:
    """Make the dataset whose name, keys and cells a careless loader stumbles over."""
    odd_texts = (
        "",
        None,
        'She said "no"',
        "two\nlines\r\nand\ta tab",
        "back\\slash, comma; semi",
        "Zoë 🎉 👩‍👩‍👧 日本語 עברית",
        "NULL",
        "null",
        "  spaces around  ",
        "100 % of {braces} and $dollars",
        "';-- drop nothing",
        "<b>&amp;</b>",
        "0012",
        "true",
        "2022-01-02",
        "x" * 4000,
    )
    odd_numbers = (
        0,
        -1,
        0.1,
        0.30000000000000004,
        1e-7,
        2.5,
        9007199254740993,
        12345678901234567890,
        1.5e30,
    )
    nested: tuple[object, ...] = (
        None,
        "plain",
        7,
        True,
        ["a", 1, None],
        {"k": {"deep": ["ü"]}},
        [],
        {},
    )
    odd_dates = ("2022-01-02", "2022-01-02T00:00:00.000Z", None, "1900-02-28", "2099-12-31")
    rows: list[Row] = [
        {
            "Employee ID": f"E-{number:04}",
            "date-of-birth": odd_dates[number % len(odd_dates)],
            "Größe": odd_numbers[number % len(odd_numbers)],
            "salary %": round(dice.uniform(0, 100), 1),
            _LONG_KEY: dice.randrange(100),
            "Status": ("active", "on leave", None)[number % 3],
            "status": number % 2 == 0,
            'quote"d': odd_texts[(number + 3) % len(odd_texts)],
            "備考": odd_texts[number % len(odd_texts)],
            "a.b/c\\d": (True, False, None)[number % 3],
            "custom list": nested[number % len(nested)],
            "2nd approval": odd_dates[(number + 2) % len(odd_dates)],
        }
        for number in range(144)
    ]
    return Dataset(
        'Café – Löhne & "Boni" 100% (2026)',  # noqa: RUF001  # a dash that names do hold
        type="OTHER",
        is_permissioned_view=True,
        tags=("ünïcode", 'quoted "tag"'),
        properties=[
            Property("Employee ID", "text", auto_id=True, label_id=True),
            Property("date-of-birth", "date", name="Date of birth"),
            Property("Größe", "number", name="Größe (cm)"),
            Property("salary %", "number", name="Salary %"),
            Property(_LONG_KEY, "number"),
            Property("Status", "text"),
            Property("status", "boolean", name="Status"),
            Property('quote"d', "text", name='Quote"d'),
            Property("備考", "text"),
            Property("a.b/c\\d", "boolean"),
            Property("custom list", "multiValue", name="Custom list"),
            Property("2nd approval", "date"),
        ],
        rows=rows,
    )
