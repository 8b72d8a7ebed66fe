"""The demo tenant's organisation: a hierarchy of positions, and the people in them.

It has what organisations have: vacancies, job shares, people in two positions, a handover in which
two hold one position, two people without any, and a position below one that is gone.
"""

from __future__ import annotations

from collections import deque
from datetime import date, timedelta
from typing import TYPE_CHECKING

from tap_orgvue.simulator.demo_names import DEPARTMENTS

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from tap_orgvue.simulator.dataset import Row

#: The position that has been removed without the one below it.
GONE = "POS90417"

#: person -> positions and the part of the person in each; people and positions by their numbers.
Seats = list[tuple[int, int, float]]

_TODAY = date(2026, 6, 30)
_TOP_GRADE = 12
_BUDGETED = 0.9
_SHARED = 0.02
_SPLIT = 0.04
_LONG_FORM = 0.3
_NOT_SMALL = 40
_WITHOUT_POSITION = 2


def position_rows(dice: random.Random, count: int) -> list[Row]:
    """Make a tree: one head, a head of each department, teams of four to nine below.

    In all but small trees one position in the middle hangs on a position that is gone.
    """
    departments = list(DEPARTMENTS)
    above = deque[tuple[int, int]]()
    rows: list[Row] = []
    for number in range(count):
        parent, level = above.popleft() if number else (-1, 0)
        department = str(rows[parent]["department"]) if level > 1 else None
        if level == 1:
            department = departments[number - 1]
        rows.append(_position(dice, number, parent, level, department))
        below = dice.randrange(4, 10) if level else len(departments)
        above.extend([(number, level + 1)] * below)
    if count >= _NOT_SMALL:
        rows[count // 20]["parent_id"] = GONE
    return rows


def _position(
    dice: random.Random, number: int, parent: int, level: int, department: str | None
) -> Row:
    title = "Chief Executive"
    if department is not None:
        title = f"Head of {department}" if level == 1 else dice.choice(DEPARTMENTS[department])
    return {
        "id": f"POS{number + 1:05}",
        "parent_id": f"POS{parent + 1:05}" if level else None,
        "title": title,
        "department": department,
        "grade": max(1, _TOP_GRADE - 2 * level - dice.randrange(2)) if level else _TOP_GRADE,
        "budgeted": dice.random() < _BUDGETED,
        "validFrom": day(dice, 2015, 11),
    }


def seats(dice: random.Random, people: Sequence[int], positions: int) -> Seats:
    """Give positions to people, some of them in halves; what is left over is vacant.

    Args:
        dice: Chance.
        people: The numbers of those who have not left.
        positions: How many positions there are; if too few, several people hold one.
    """
    if not positions:
        return []
    seated, taking_over = [*people], list[int]()
    if len(seated) >= _NOT_SMALL:
        del seated[-_WITHOUT_POSITION:]
        taking_over.append(seated.pop())
    held: list[list[tuple[int, float]]] = []
    for person in seated:
        chance = dice.random()
        if chance < _SHARED and held and held[-1][0][1] == 1:
            held[-1] = [(held[-1][0][0], 0.5), (person, 0.5)]
        elif chance < _SPLIT:
            held += [[(person, 0.5)], [(person, 0.5)]]
        else:
            held.append([(person, 1)])
    for person in taking_over:
        # Not at the head, and not one that two share.
        place = next(i for i in range(len(held) // 2, len(held)) if held[i][0][1] == 1)
        held[place].append((person, 1))
    vacant = {*dice.sample(range(1, positions), max(0, positions - len(held)))}
    filled = [number for number in range(positions) if number not in vacant]
    return [
        (person, filled[place % len(filled)], share)
        for place, holders in enumerate(held)
        for person, share in holders
    ]


def link_rows(people: Sequence[Row], positions: Sequence[Row], held: Seats) -> list[Row]:
    """Make the links of people to positions."""
    return [
        {
            "link_id": f"[{people[person]['id']},{positions[position]['id']}]",
            "from_id": people[person]["id"],
            "to_id": positions[position]["id"],
            "allocation": share,
        }
        for person, position, share in held
    ]


def holders(links: Sequence[Mapping[str, object]]) -> dict[object, int]:
    """Count the links to each position."""
    counts: dict[object, int] = {}
    for link in links:
        counts[link["to_id"]] = counts.get(link["to_id"], 0) + 1
    return counts


def day(dice: random.Random, year: int, years: int) -> str:
    """Throw a day from the start of a year on, in either of the documented forms."""
    start = date(year, 1, 1)
    span = min((date(year + years, 12, 31) - start).days, (_TODAY - start).days)
    found = (start + timedelta(days=dice.randrange(span))).isoformat()
    return f"{found}T00:00:00.000Z" if dice.random() < _LONG_FORM else found
