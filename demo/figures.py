"""Answers from a tenant's rows, in plain Python: dbt's models are compared with them."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_orgvue.simulator.tenant import Tenant

Row = dict[str, Any]

WHOLE = 1


class Assignment(msgspec.Struct, frozen=True):
    """An active person in a position, both of which exist."""

    person: Row
    position: Row
    allocation: Decimal


class Figures:
    """What the demo tenant's People, Positions and People to Positions say."""

    def __init__(self, tenant: Tenant) -> None:
        """Take the rows as they are now."""

        def rows(name: str) -> list[Row]:
            return [*tenant.dataset(name).snapshot().rows]

        self.people = {str(row["id"]): row for row in rows("People")}
        self.positions = {str(row["id"]): row for row in rows("Positions")}
        self.assignments = [
            Assignment(
                self.people[link["from_id"]],
                self.positions[link["to_id"]],
                Decimal(str(link["allocation"])),
            )
            for link in rows("People to Positions")
            if link["to_id"] in self.positions
            and not self.people.get(link["from_id"], {"leaver": True})["leaver"]
        ]

    # -- the hierarchy

    def way_up(self, position: str) -> list[str]:
        """The ids of the positions above, the nearest first; ends where one comes again."""
        way: list[str] = []
        parent = self.positions[position]["parent_id"]
        while parent in self.positions and parent not in way:
            way.append(parent)
            parent = self.positions[parent]["parent_id"]
        return way

    def status(self, position: str) -> str:
        """How a position hangs in the hierarchy, in the words of the model `org_hierarchy`."""
        way = self.way_up(position)
        if position in way:
            return "in a cycle"
        top = way[-1] if way else position
        if self.positions[top]["parent_id"] in self.positions:
            return "below a cycle"
        if self.positions[top]["parent_id"]:
            return "below an orphan" if way else "orphan"
        return "reports" if way else "top"

    def level(self, position: str) -> int | None:
        """1 at a top; None in and below a cycle."""
        return None if self.status(position).endswith("cycle") else len(self.way_up(position)) + 1

    def layers(self) -> dict[int, int]:
        """Level to the number of positions, below the tops alone."""
        counts: dict[int, int] = defaultdict(int)
        for position in self.positions:
            if self.status(position) in {"top", "reports"}:
                counts[self.level(position) or 0] += 1
        return dict(sorted(counts.items()))

    def reports_to(self) -> dict[tuple[str, str], str | None]:
        """Person and position to the nearest position above that is held, or None."""
        held = {each.position["id"] for each in self.assignments}
        return {
            (each.person["id"], each.position["id"]): next(
                (above for above in self.way_up(each.position["id"]) if above in held), None
            )
            for each in self.assignments
        }

    # -- headcount, cost, vacancies

    def headcount(self) -> dict[str | None, Decimal]:
        """Department of the position to the sum of allocations."""
        return _sums((each.position["department"], each.allocation) for each in self.assignments)

    def cost(self) -> dict[tuple[str | None, str], Decimal]:
        """Department of the position, and currency, to the sum of allocated costs."""
        return _sums(
            (
                (each.position["department"], each.person["currency"]),
                each.allocation * Decimal(str(each.person["annual cost"])),
            )
            for each in self.assignments
        )

    def filled(self) -> Mapping[str, Decimal]:
        """Position to the sum of its holders' allocations."""
        return _sums((each.position["id"], each.allocation) for each in self.assignments)

    def vacancies(self) -> dict[str, str]:
        """Position to `vacant` or `partly filled`, for those that are not filled."""
        filled = self.filled()
        return {
            position: "partly filled" if position in filled else "vacant"
            for position in self.positions
            if filled.get(position, 0) < WHOLE
        }

    def held_twice(self) -> set[str]:
        """Positions whose holders are more than one whole."""
        return {position for position, part in self.filled().items() if part > WHOLE}

    def without_position(self) -> set[str]:
        """Active people without an assignment."""
        assigned = {each.person["id"] for each in self.assignments}
        return {
            number
            for number, person in self.people.items()
            if not person["leaver"] and number not in assigned
        }


def _sums(pairs: Iterable[tuple[Any, Decimal]]) -> dict[Any, Decimal]:
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for key, part in pairs:
        sums[key] += part
    return dict(sums)
