"""Finds the roles of datasets: people, positions, the links between them, the hierarchy.

The user's options decide, else the catalog's facts: types, trees, names.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.dbt.catalog import dataset_tables
from tap_orgvue.dbt.columns import cost_of, currency_of, leaver_of, share_of
from tap_orgvue.schema import naming
from tap_orgvue.settings.checks import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_orgvue.dbt.catalog import Table, TableColumn

TABLE_ROLES = ("people", "positions", "links", "tree")
COLUMN_ROLES = ("cost", "currency", "active", "leaver", "allocation")

_NONE = "none"
"""The value of an option for a role that no table or column has."""


class Ends(msgspec.Struct, frozen=True):
    """The two tables that a LINKS dataset joins.

    Attributes:
        start: The table that `from_id` names.
        end: The table that `to_id` names.
        why: The source of this fact, as a clause.
    """

    start: Table
    end: Table
    why: str


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """The table or column of each role; None without one.

    Attributes:
        people: Of type PEOPLE.
        positions: Of type POSITIONS.
        links: The LINKS dataset that joins the two.
        tree: The hierarchical dataset.
        ends: Stream name of each LINKS dataset to the tables that it joins, where known.
        cost: The cost of a person; of people.
        currency: The currency of `cost`; of people.
        activity: The column of activity, and True if it is true for active people, False for
            leavers; of people.
        allocation: The share of a person in a position; of links.
        notes: Sentences for the user about the choice.
    """

    people: Table | None
    positions: Table | None
    links: Table | None
    tree: Table | None
    ends: Mapping[str, Ends]
    cost: TableColumn | None
    currency: TableColumn | None
    activity: tuple[TableColumn, bool] | None
    allocation: TableColumn | None
    notes: tuple[str, ...] = ()

    @property
    def links_are_reversed(self) -> bool:
        """True if links lead from positions to people."""
        return self.links is not None and self.ends[self.links.stream].start is self.positions

    @property
    def has_links(self) -> bool:
        """True if people, positions and the links between them are there."""
        return None not in {self.people, self.positions, self.links}


class RoleFinder:
    """Finds the roles of a catalog's tables."""

    def __init__(
        self, tables: Sequence[Table], chosen: Mapping[str, str], joins: Mapping[str, str]
    ) -> None:
        """Keep tables and options, and find the ends of links.

        Args:
            tables: All tables.
            chosen: Role to the name of a stream, or of a column.
            joins: Name of a LINKS stream to `FROM:TO`, the names of the streams that it joins.

        Raises:
            SettingsError: There is no such role, table or column.
        """
        self._tables = list(dataset_tables(tables))
        self._chosen = chosen
        self._notes: list[str] = []
        roles = (*TABLE_ROLES, *COLUMN_ROLES)
        if unknown := [role for role in chosen if role not in roles]:
            raise SettingsError([f"--roles: {unknown[0]!r} is no role. Roles: {', '.join(roles)}."])
        self._ends = dict(self._find_ends(joins))

    def find(self) -> Roles:
        """Find all roles.

        Raises:
            SettingsError: A table or column that the user named does not fit.
        """
        people = self._table("people", "PEOPLE")
        positions = self._table("positions", "POSITIONS")
        links = self._links(people, positions)
        tree = self._tree(people, positions)
        for role, table in (("people", people), ("positions", positions)):
            if table and table.auto_id is None:
                self._notes.append(
                    f"The {role} ({table.stream}) have no key of their own in the catalog, which "
                    f"links name them by: no models of {role}. A catalog of a new --discover "
                    "has the key; its column must be selected."
                )
        people = people if people and people.auto_id else None
        positions = positions if positions and positions.auto_id else None
        links = links if people and positions else None
        return Roles(
            people=people,
            positions=positions,
            links=links,
            tree=tree,
            ends=self._ends,
            cost=self._column("cost", people, cost_of(people)),
            currency=self._column("currency", people, currency_of(people)),
            activity=self._activity(people),
            allocation=self._column("allocation", links, share_of(links)),
            notes=tuple(self._notes),
        )

    # -- tables

    def _named(self, option: str, name: str) -> Table:
        """The table that a user names: by its stream, its dataset's id or its dataset's name.

        Raises:
            SettingsError: There is none, or several of that name.
        """
        for found in (
            [table for table in self._tables if name == table.stream],
            [table for table in self._tables if name.upper() == table.dataset_id.upper()],
            [table for table in self._tables if name.casefold() == table.title.casefold()],
        ):
            if len(found) == 1:
                return found[0]
        streams = ", ".join(table.stream for table in self._tables)
        raise SettingsError(
            [f"{option}: no selected stream of the catalog is {name!r}. There are: {streams}."]
        )

    def _table(self, role: str, kind: str) -> Table | None:
        if role in self._chosen:
            return self._given(role)
        candidates = [table for table in self._tables if table.facts.type.upper() == kind]
        joined = [
            table
            for table in candidates
            if any(table in {ends.start, ends.end} for ends in self._ends.values())
        ]
        return self._first(role, joined or candidates)

    def _given(self, role: str) -> Table | None:
        name = self._chosen[role]
        return None if name == _NONE else self._named(f"--roles {role}", name)

    def _first(self, role: str, candidates: Sequence[Table]) -> Table | None:
        if len(candidates) > 1:
            others = ", ".join(table.stream for table in candidates[1:])
            self._notes.append(
                f"{role}: {candidates[0].stream} is taken; --roles {role}=NAME takes another one "
                f"of {others}."
            )
        return candidates[0] if candidates else None

    def _links(self, people: Table | None, positions: Table | None) -> Table | None:
        """The LINKS dataset between people and positions; sets its ends if the user names it."""
        if people is None or positions is None:
            return None
        if "links" in self._chosen:
            links = self._given("links")
            if links is None:
                return None
            _check_ends("--roles links", links)
            ends = self._ends.get(links.stream)
            if ends is None or {ends.start.stream, ends.end.stream} != {
                people.stream,
                positions.stream,
            }:
                self._ends[links.stream] = Ends(people, positions, "--roles says so")
            return links
        both = {people.stream, positions.stream}
        joining = [
            table
            for table in self._tables
            if (ends := self._ends.get(table.stream))
            and {ends.start.stream, ends.end.stream} == both
        ]
        return self._first("links", joining)

    def _tree(self, people: Table | None, positions: Table | None) -> Table | None:
        if "tree" in self._chosen:
            table = self._given("tree")
            if table and table.tree is None:
                mistake = (
                    f"--roles tree: the catalog has no hierarchy of {table.stream}: no treeId "
                    "and treeParentId, or their columns are not selected."
                )
                raise SettingsError([mistake])
            return table
        trees = [table for table in self._tables if table.tree and not table.is_links]
        # `False` sorts first: positions, then people, then others in the catalog's order.
        trees.sort(key=lambda table: (table != positions, table != people))
        return self._first("tree", trees)

    # -- ends of links

    def _find_ends(self, joins: Mapping[str, str]) -> Iterator[tuple[str, Ends]]:
        given = dict(self._given_ends(links, ends) for links, ends in joins.items())
        others = [table for table in self._tables if not table.is_links]
        for table in self._tables:
            if table.stream in given:
                yield table.stream, given[table.stream]
            elif table.is_links and table.ends == (None, None):
                self._notes.append(
                    f"{table.stream} joins nothing: its columns from_id and to_id must be selected."
                )
            elif table.is_links:
                named = tables_named_in(table.title, others) or tables_named_in(
                    table.stream, others
                )
                if len(named) == 2:  # noqa: PLR2004 - a link has two ends
                    yield table.stream, Ends(named[0], named[1], "its name says so")
                elif ends := self._only_pair(others):
                    yield table.stream, ends
                else:
                    self._notes.append(
                        f"{table.stream}: the two datasets that it joins are unknown; name them "
                        f"with --joins {table.stream}=FROM:TO."
                    )

    def _given_ends(self, links: str, ends: str) -> tuple[str, Ends]:
        """A stream that a user names, and the tables that it joins.

        Raises:
            SettingsError: A name is none, or the stream has no ends.
        """
        table = self._named("--joins", links)
        start, colon, end = ends.partition(":")
        if not colon:
            raise SettingsError([f"--joins {links}: takes {links}=FROM:TO, two streams."])
        tables = [self._named(f"--joins {links}", name) for name in (start, end)]
        _check_ends(f"--joins {links}", table)
        return table.stream, Ends(tables[0], tables[1], "--joins says so")

    def _only_pair(self, others: Sequence[Table]) -> Ends | None:
        """People and positions, if there is one of each, and one LINKS dataset."""
        people, positions = (
            [table for table in others if table.facts.type.upper() == kind]
            for kind in ("PEOPLE", "POSITIONS")
        )
        links = [table for table in self._tables if table.is_links]
        if len(people) == len(positions) == len(links) == 1:
            return Ends(people[0], positions[0], "assumed: it is the only one, from people on")
        return None

    # -- columns

    def _column(
        self, role: str, table: Table | None, found: TableColumn | None
    ) -> TableColumn | None:
        if role not in self._chosen or table is None:
            return found
        name = self._chosen[role]
        if name == _NONE:
            return None
        for column in table.columns:
            if name in {column.raw, column.name, column.key}:
                return column
        raise SettingsError([f"--roles {role}: {table.stream} has no column {name!r}."])

    def _activity(self, people: Table | None) -> tuple[TableColumn, bool] | None:
        for role in ("active", "leaver"):
            if role in self._chosen:
                column = self._column(role, people, None)
                return (column, role == "active") if column else None
        return leaver_of(people)


def _check_ends(option: str, links: Table) -> None:
    """Check that a table has the columns of its two ends.

    Raises:
        SettingsError: It lacks one of them.
    """
    if links.ends == (None, None):
        raise SettingsError([f"{option}: {links.stream} has no columns from_id and to_id."])


def tables_named_in(title: str, tables: Sequence[Table]) -> list[Table]:
    """The tables whose datasets the name of a LINKS dataset contains, in its order.

    `People to Positions` contains `People` and `Positions`. The longest names are matched first, so
    that `People 2026 to Positions` does not match `People`.
    """
    text = f"_{naming.fold(title)}_"
    places: dict[int, Table] = {}
    for table in sorted(tables, key=lambda table: -len(naming.fold(table.title))):
        name = naming.fold(table.title)
        for form in (name, name.removesuffix("s"), f"{name}s"):
            # A name without a letter or digit folds to nothing.
            if name and form and f"_{form}_" in text:
                places[text.index(f"_{form}_")] = table
                # Two of them in a row share the sign between them.
                text = re.sub(f"_{form}(?=_)", f"_{' ' * len(form)}", text)
                break
    return [places[place] for place in sorted(places)]
