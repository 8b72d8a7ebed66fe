"""A believable tenant, the same every time: people, positions, links between them, odd ones."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tap_orgvue.simulator.dataset import Dataset, Property, Row
from tap_orgvue.simulator.demo_drafts import demo_drafts
from tap_orgvue.simulator.demo_names import DEPARTMENTS, FIRST_NAMES, LAST_NAMES, LOCATIONS
from tap_orgvue.simulator.tenant import Tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

_LINKS_ID = "5C1A7D52-6F0E-4B7B-9C55-2E8A41D90B13"

_TODAY = date(2026, 6, 30)
_LONG_KEY = "Anteil der variablen Vergütung am Zielgehalt im laufenden Geschäftsjahr (brutto)"


def demo_tenant(people: int = 3000, positions: int = 1200, seed: int = 2026) -> Tenant:
    """Make the tenant.

    Args:
        people: How many people there are.
        positions: How many positions there are for them.
        seed: What chance begins with; the same seed makes the same tenant.

    Returns:
        A tenant of five datasets: People, Positions (a tree), the links between the two, an empty
        one, and one with awkward names and cells; every cell is of its property's declared type.
        Two drafts change People: a reorganisation of a department, and a hiring plan.
    """
    dice = random.Random(seed)
    position_rows = _position_rows(dice, positions)
    people_rows = _people_rows(dice, people, position_rows)
    link_rows = _link_rows(dice, people_rows, position_rows)
    everybody = _people(people_rows)
    datasets = [
        everybody,
        _positions(position_rows, link_rows),
        _links(link_rows),
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
        _awkward(dice),
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
    holders: dict[object, int] = {}
    for link in links:
        holders[link["to_id"]] = holders.get(link["to_id"], 0) + 1
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
        rows=[{**row, "holders": holders.get(row["id"], 0)} for row in rows],
        generated=("_id", "_modifiedAt", "_depth", "_is_leaf", "_span_of_control", "_change"),
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
            Property("share", "number", name="Share"),
        ],
        rows=rows,
    )


def _position_rows(dice: random.Random, count: int) -> list[Row]:
    """Make a tree: one head, a head of each department, teams of about seven below."""
    departments = list(DEPARTMENTS)
    rows: list[Row] = []
    for number in range(count):
        above = max(0, (number - 1) // 7)
        department = departments[number % len(departments)]
        if above:
            department = str(rows[above]["department"])
        title = dice.choice(DEPARTMENTS[department])
        grade = 12
        if number:
            grade = max(1, 12 - 2 * _level(number) - dice.randrange(2))
        if 0 < number <= len(departments):
            title = f"Head of {department}"
        rows.append(
            {
                "id": f"POS{number + 1:05}",
                "parent_id": f"POS{above + 1:05}" if number else None,
                "title": title if number else "Chief Executive",
                "department": department if number else None,
                "grade": grade,
                "budgeted": dice.random() < 0.9,  # noqa: PLR2004  # a share
                "validFrom": _day(dice, 2015, 11),
            }
        )
    return rows


def _level(number: int) -> int:
    """Count the steps from a position up to the head."""
    level = 0
    while number:
        number, level = (number - 1) // 7, level + 1
    return level


def _people_rows(dice: random.Random, count: int, positions: Sequence[Row]) -> list[Row]:
    rows: list[Row] = []
    for number in range(count):
        first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
        department = dice.choice(list(DEPARTMENTS))
        if positions:
            department = str(positions[number % len(positions)]["department"] or department)
        hours = dice.choice((40, 40, 40, 37.5, 32, 30, 20))
        salary = dice.randrange(28_000, 140_000, 250)
        leaver = dice.random() < 0.08  # noqa: PLR2004  # a share
        fte = round(hours / 40, 4)
        rows.append(
            {
                "id": f"P{number + 1:05}",
                "name": f"{first} {last}",
                "first name": first,
                "last name": last,
                "email": f"p{number + 1:05}@example.com",
                "department": department,
                "jobTitle": dice.choice(DEPARTMENTS[department]),
                "location": dice.choice(LOCATIONS),
                "salary": salary + dice.choice((0, 0, 0, 0.5, 0.99)),
                "currency": dice.choice(("GBP", "EUR", "EUR", "CHF", "USD", "AUD")),
                "weekly hours": hours,
                "startDate": _day(dice, 2005, 20),
                "leaver": leaver,
                "leaveDate": _day(dice, 2026, 0) if leaver else None,
                "fte": fte,
                "annual cost": round(salary * fte * 1.21, 2),
            }
        )
    return rows


def _link_rows(dice: random.Random, people: Sequence[Row], positions: Sequence[Row]) -> list[Row]:
    """Join everybody who has not left to a position."""
    rows: list[Row] = []
    for number, person in enumerate(people):
        if person["leaver"] or not positions:
            continue
        position = positions[number % len(positions)]
        rows.append(
            {
                "link_id": f"[{person['id']},{position['id']}]",
                "from_id": person["id"],
                "to_id": position["id"],
                "share": dice.choice((1, 1, 1, 0.5)),
            }
        )
    return rows


def _day(dice: random.Random, year: int, years: int) -> str:
    """Throw a day from the start of a year on, in either of the documented forms."""
    start = date(year, 1, 1)
    span = min((date(year + years, 12, 31) - start).days, (_TODAY - start).days)
    day = (start + timedelta(days=dice.randrange(span))).isoformat()
    return f"{day}T00:00:00.000Z" if dice.random() < 0.3 else day  # noqa: PLR2004  # a share


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
