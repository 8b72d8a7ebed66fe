"""Finds columns by their names: cost, currency, activity, allocation, dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.schema.column_types import ColumnType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tap_orgvue.dbt.catalog import Table, TableColumn

_COST = (
    *("annual_cost", "total_cost", "total_annual_cost", "cost", "employment_cost"),
    *("total_compensation", "compensation", "annual_salary", "base_salary", "salary"),
)
_ALLOCATION = ("allocation", "share", "weight", "weighting", "fte", "percentage", "percent", "pct")
_LEFT = {"leaver", "is_leaver", "left", "has_left", "terminated", "is_terminated", "inactive"}
_THERE = {"active", "is_active", "employed", "is_employed", "is_current"}
_PERCENT = {"percentage", "percent", "pct"}

_DIMENSIONS = (
    *("department", "division", "function", "team", "unit", "cost_centre", "cost_center"),
    *("location", "country", "region", "site", "city", "grade", "band", "level", "job_title"),
    *("job_family", "contract", "gender", "company", "entity", "category", "status"),
)
MAX_DIMENSIONS = 8


def _by_name(
    columns: Iterable[TableColumn], names: Sequence[str], kinds: Collection[ColumnType]
) -> TableColumn | None:
    """The first column of some types, in the order of the names; exact names come before parts."""
    fitting = [column for column in columns if column.type in kinds]
    for is_it in (str.__eq__, _has_words):
        for name in names:
            for column in fitting:
                if is_it(column.name, name):
                    return column
    return None


def _has_words(name: str, words: str) -> bool:
    return f"_{words}_" in f"_{name}_"


def cost_of(people: Table | None) -> TableColumn | None:
    """The column with the cost of a person."""
    return _by_name(people.columns, _COST, {ColumnType.NUMBER}) if people else None


def currency_of(people: Table | None) -> TableColumn | None:
    """The column with the currency of a person's cost."""
    return _by_name(people.columns, ("currency",), {ColumnType.TEXT}) if people else None


def share_of(links: Table | None) -> TableColumn | None:
    """The column with the share of a person in a position."""
    return _by_name(links.columns, _ALLOCATION, {ColumnType.NUMBER}) if links else None


def is_percentage(column: TableColumn) -> bool:
    """True if a column's name says that 100 is a whole."""
    return bool(_PERCENT & {*column.name.split("_")}) or "%" in column.title


def leaver_of(people: Table | None) -> tuple[TableColumn, bool] | None:
    """The column of activity; with True if it is true for active people, False for leavers."""
    for column in people.columns if people else ():
        if column.type is ColumnType.BOOLEAN and column.name in _LEFT | _THERE:
            return column, column.name in _THERE
    return None


def dimensions_of(table: Table, taken: Collection[str]) -> list[TableColumn]:
    """The columns to count headcount by: those with the name of a group, not in `taken`."""
    found = [
        column
        for name in _DIMENSIONS
        for column in table.columns
        if column.name not in taken and _is_group(column, name)
    ]
    return list(dict.fromkeys(found))


def _is_group(column: TableColumn, name: str) -> bool:
    if column.type is ColumnType.NUMBER:
        # `grade` may be a number; `grade_salary` is no group.
        return column.name == name
    return column.type in {ColumnType.TEXT, ColumnType.BOOLEAN} and _has_words(column.name, name)
