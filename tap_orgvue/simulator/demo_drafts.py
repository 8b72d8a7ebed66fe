"""The demo tenant's drafts: a reorganisation of one department, and a hiring plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.simulator.demo_names import DEPARTMENTS, FIRST_NAMES, LAST_NAMES, LOCATIONS
from tap_orgvue.simulator.drafts import Draft
from tap_orgvue.simulator.ids import made_id

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tap_orgvue.simulator.dataset import Dataset
    from tap_orgvue.simulator.drafts import Action

_NEW_DEPARTMENT = "Data & AI"
_FULL_TIME = 40
_HALF_TIME = 20
_HIRES = 24
_HIRES_LATER = 12


def demo_drafts(people: Dataset, dice: random.Random) -> list[Draft]:
    """Make the drafts; both are based on People, and name stored properties alone."""
    active = [row for row in people.rows if not row["leaver"]]
    first = len(people.rows)
    return [
        Draft(
            "Technology reorganisation",
            _moves(_in_department(active, "Technology")),
            base=people,
            layers={"sites": _closure(_in_department(active, "Technology"))},
        ),
        Draft(
            "Hiring plan 2026/27",
            [
                *_hires(dice, first, _HIRES, "2026-10-01"),
                *_extended(_in_department(active, "Sales")),
            ],
            base=people,
            layers={"2027": _hires(dice, first + _HIRES, _HIRES_LATER, "2027-04-01")},
        ),
    ]


def _in_department(people: Sequence[Action], department: str) -> list[Action]:
    return [row for row in people if row["department"] == department]


def _moves(technology: Sequence[Action]) -> list[Action]:
    """Make the data engineers a department with a head; support goes to Operations or ends.

    The head is moved first and promoted last: of two updates of an item the later one counts.
    """
    data = [row for row in technology if row["jobTitle"] == "Data Engineer"]
    support = [row for row in technology if row["jobTitle"] == "Support Engineer"]
    ending = [row for row in support if row["weekly hours"] == _HALF_TIME]
    staying = [row for row in support if row["weekly hours"] != _HALF_TIME]
    head = {"jobTitle": f"Head of {_NEW_DEPARTMENT}", "salary": 138_000}
    return [
        *(_update(row, department=_NEW_DEPARTMENT) for row in data),
        *(_update(row, department="Operations", jobTitle="Shift Lead") for row in staying),
        *({"_action": "delete", "_id": row["_id"]} for row in ending),
        *({"_action": "noop", "_id": row["_id"]} for row in technology[:1]),
        *(_update(row, **head) for row in data[:1]),
    ]


def _closure(technology: Sequence[Action]) -> list[Action]:
    """Close the site in Sydney: its developers move to London."""
    developers = [row for row in technology if row["jobTitle"] == "Developer"]
    moving = [row for row in developers if row["location"] == "Sydney"]
    return [_update(row, location="London", currency="GBP") for row in moving]


def _extended(sales: Sequence[Action]) -> list[Action]:
    """Give three part-timers full hours."""
    part_timers = [row for row in sales if row["weekly hours"] == _HALF_TIME]
    return [_update(row, **{"weekly hours": _FULL_TIME}) for row in part_timers[:3]]


def _update(row: Action, **cells: object) -> Action:
    return {"_action": "update", "_id": row["_id"], **cells}


def _hires(dice: random.Random, first: int, count: int, start: str) -> list[Action]:
    """Make creates of people, numbered on from those there are; every fourth has an `_id`."""
    made: list[Action] = []
    for number in range(first + 1, first + count + 1):
        department = ("Sales", "Technology")[number % 2]
        name = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
        known = {} if number % 4 else {"_id": made_id("hire", number)}
        made.append(
            {
                "_action": "create",
                **known,
                "id": f"P{number:05}",
                "name": " ".join(name),
                "first name": name[0],
                "last name": name[1],
                "email": f"p{number:05}@example.com",
                "department": department,
                "jobTitle": dice.choice(DEPARTMENTS[department]),
                "location": dice.choice(LOCATIONS),
                "salary": dice.randrange(42_000, 96_000, 500),
                "currency": "GBP",
                "weekly hours": _FULL_TIME,
                "startDate": start,
                "leaver": False,
            }
        )
    return made
