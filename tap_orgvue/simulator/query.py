"""The query of an export: its filter of rows, its projection of columns, its links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_orgvue.simulator.instants import moment_of
from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from tap_orgvue.simulator.dataset import Property, Row, Snapshot

    Test = Callable[[object], bool]


@dataclass(frozen=True)
class Manners:
    """What the documents leave open, as the simulator was told to do it.

    Attributes:
        unknown_projection: `ignore` or `refuse` a projection of a property that does not exist.
        unknown_filter: `nothing` is found by a filter over one, or it is `refuse`d.
        ignores_filters: The filter is checked but not applied.
        ignores_projections: Every column is exported, whatever the projection names.
        unfilterable: Keys of the properties over which a filter is refused.
    """

    unknown_projection: str = "ignore"
    unknown_filter: str = "nothing"
    ignores_filters: bool = False
    ignores_projections: bool = False
    unfilterable: Collection[str] = ()


@dataclass(frozen=True)
class Query:
    """A request body's wishes, unchecked against any dataset.

    Attributes:
        filter: The MongoDB-style filter; empty without one.
        projection: Property key -> number; `None` without one.
        replaces: Whether nothing but what the projection names is exported.
        links: The ids, in upper case, of the LINKS datasets to calculate through.
    """

    filter: Mapping[str, object]
    projection: Mapping[str, int] | None
    replaces: bool
    links: frozenset[str]

    @property
    def is_whole(self) -> bool:
        """Whether it asks for the whole dataset as it stands."""
        return not self.filter and self.projection is None and not self.links

    def columns(self, snapshot: Snapshot, manners: Manners) -> tuple[Property, ...]:
        """Choose the columns.

        Raises:
            RefusalError: A property that does not exist is named, where that is refused.
        """
        if self.projection is None:
            return snapshot.columns
        columns = snapshot.askable
        known = {each.key for each in columns}
        strangers = [key for key in self.projection if key not in known]
        if strangers and manners.unknown_projection == "refuse":
            message = f"The projection names an unknown property: {strangers[0]}"
            raise RefusalError("400607", message=message, property=strangers[0])
        if manners.ignores_projections:
            return snapshot.columns
        if not self.replaces:
            return tuple(each for each in snapshot.columns if self.projection.get(each.key, 1))
        order = self.projection
        named = [each for each in columns if order.get(each.key)]
        return tuple(sorted(named, key=lambda each: order[each.key]))

    def rows(self, snapshot: Snapshot, manners: Manners) -> Sequence[Row]:
        """Choose the rows.

        Raises:
            RefusalError: The filter is not one, or names a property that does not exist, where
                that is refused.
        """
        known = {each.key: each for each in snapshot.askable}
        tests: list[tuple[str, Test]] = []
        nothing = False
        for key, condition in self.filter.items():
            if key in manners.unfilterable:
                message = f"The property cannot be filtered by: {key}"
                raise RefusalError("400606", message=message, property=key)
            column = known.get(key)
            made = _tests(key, condition, column.type if column else None)
            if column is None:
                if manners.unknown_filter == "refuse":
                    message = f"The filter names an unknown property: {key}"
                    raise RefusalError("400606", message=message, property=key)
                nothing = True
            elif column.source(self.links) is None:
                nothing = nothing or not all(test(None) for test in made)
            else:
                tests += [(key, test) for test in made]
        if manners.ignores_filters:
            return snapshot.rows
        if nothing:
            return ()
        return [row for row in snapshot.rows if all(test(row.get(key)) for key, test in tests)]


def read_query(body: object, *, asynchronous: bool) -> Query:
    """Read a request body.

    Args:
        body: The parsed JSON, `{"query": {"output": {filter, projection, projectionMode}},
            "linkingRelationships": […]}`, each part optional; `None` for no body.
        asynchronous: Whether the rules of asynchronous exports apply: the projection adds to all
            columns unless its mode is `replace`, and its numbers remove (0) or order columns.

    Raises:
        RefusalError: It is not of that form.
    """
    top = _object({} if body is None else body, "400601", "The body")
    output = _object(
        _object(top.get("query", {}), "400601", "query").get("output", {}), "400601", "output"
    )
    projection = None
    if "projection" in output:
        projection = _projection(output["projection"], asynchronous=asynchronous)
    mode = output.get("projectionMode", "add") if asynchronous else "replace"
    if mode not in {"add", "replace"}:
        raise RefusalError("400607", message="projectionMode must be add or replace.")
    return Query(
        filter=_object(output.get("filter", {}), "400606", "filter"),
        projection=projection,
        replaces=mode == "replace",
        links=_links(top.get("linkingRelationships", [])) if asynchronous else frozenset(),
    )


def _object(value: object, code: str, what: str) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    raise RefusalError(code, message=f"{what} must be a JSON object.")


def _projection(value: object, *, asynchronous: bool) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for key, number in _object(value, "400607", "projection").items():
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise RefusalError("400607", message=f"The projection of {key} must be a number.")
        if number != 1 and not asynchronous:
            raise RefusalError("400607", message=f"The projection of {key} can only be 1 here.")
        numbers[key] = number
    return numbers


def _links(value: object) -> frozenset[str]:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return frozenset(each.upper() for each in value)
    raise RefusalError("400601", message="linkingRelationships must be a list of ids.")


def _tests(key: str, condition: object, type_: str | None) -> list[Test]:
    """Make the tests a cell must pass, from `value` or `{"$operator": operand, …}`."""
    if not isinstance(condition, dict):
        return [_equals(condition, type_)]
    made = []
    for operator, operand in condition.items():
        maker = _OPERATORS.get(operator)
        if maker is None:
            raise RefusalError("400606", message=f"{key}: {operator} is not an operator.")
        made.append(maker(operand, type_))
    return made


def _comparable(cell: object, type_: str | None) -> tuple[str, object]:
    """Give what a cell is compared by, with a word for what it can be compared to."""
    moment = moment_of(cell) if type_ == "date" else None
    if moment is not None:
        return "date", moment
    if isinstance(cell, bool):
        return "boolean", cell
    if isinstance(cell, (int, float)):
        return "number", cell
    # Python compares text by code point, and so does the simulator.
    return ("text" if isinstance(cell, str) else type(cell).__name__), cell


def _equals(operand: object, type_: str | None) -> Test:
    wanted = _comparable(operand, type_)
    return lambda cell: _comparable(cell, type_) == wanted


def _among(operand: object, type_: str | None) -> Test:
    if not isinstance(operand, list):
        raise RefusalError("400606", message="$in and $nin take a list.")
    wanted = [_comparable(each, type_) for each in operand]
    quick = {each for each in wanted if each[0] not in {"list", "dict"}}
    if len(quick) == len(wanted):
        return lambda cell: not isinstance(cell, (list, dict)) and _comparable(cell, type_) in quick
    return lambda cell: _comparable(cell, type_) in wanted


def _ordered(accept: Callable[[int], bool]) -> Callable[[object, str | None], Test]:
    """Make an operator of order; cells of another kind than the operand are never in order."""

    def maker(operand: object, type_: str | None) -> Test:
        kind, bound = _comparable(operand, type_)
        if kind not in {"date", "number", "text"}:
            raise RefusalError("400606", message="$gt, $gte, $lt, $lte take a text or a number.")

        def test(cell: object) -> bool:
            cell_kind, value = _comparable(cell, type_)
            if cell_kind != kind:
                return False
            return accept((value > bound) - (value < bound))  # type: ignore[operator]

        return test

    return maker


def _not(
    maker: Callable[[object, str | None], Test],
) -> Callable[[object, str | None], Test]:
    def negated(operand: object, type_: str | None) -> Test:
        test = maker(operand, type_)
        return lambda cell: not test(cell)

    return negated


_OPERATORS: Mapping[str, Callable[[object, str | None], Test]] = {
    "$gt": _ordered(lambda sign: sign > 0),
    "$gte": _ordered(lambda sign: sign >= 0),
    "$lt": _ordered(lambda sign: sign < 0),
    "$lte": _ordered(lambda sign: sign <= 0),
    "$in": _among,
    "$nin": _not(_among),
    "$ne": _not(_equals),
}
