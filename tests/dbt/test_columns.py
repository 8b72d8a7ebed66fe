"""Which column is what, by its name and type."""

from __future__ import annotations

import pytest

from tap_orgvue.dbt.catalog import tables_in
from tap_orgvue.dbt.columns import (
    cost_of,
    currency_of,
    dimensions_of,
    is_percentage,
    leaver_of,
    share_of,
)
from tests.support.catalogs import catalog, stream


def named(columns: str) -> list[str | None]:
    """Cost, currency, share and who is active or has left, of a table of people."""
    (table,) = tables_in(catalog(stream("people", columns, "PEOPLE")))
    leaver, _ = leaver_of(table) or (None, False)
    found = (cost_of(table), currency_of(table), share_of(table), leaver)
    return [each.name if each else None for each in found]


@pytest.mark.parametrize(
    "columns,expected",
    [
        ("salary:n currency fte:n leaver:b", ["salary", "currency", "fte", "leaver"]),
        ("salary currency:n fte leaver", [None] * 4),
        ("salary:n annual_cost:n", ["annual_cost", None, None, None]),
        ("old_annual_cost:n salary:n", ["salary", None, None, None]),
        ("base_salary_eur:n costs:n", ["base_salary_eur", None, None, None]),
        ("pay_currency is_active:b remote:b", [None, "pay_currency", None, "is_active"]),
        ("remote:b terminated:b", [None, None, None, "terminated"]),
        ("name", [None] * 4),
    ],
)
def test_columns_by_name_and_type(columns: str, expected: list[str | None]) -> None:
    """An exact name comes before a part of one, and a column of another type is none."""
    assert named(columns) == expected


def test_without_a_table_there_is_no_column() -> None:
    """A tenant without people has no cost."""
    assert (cost_of(None), currency_of(None), share_of(None), leaver_of(None)) == (None,) * 4


@pytest.mark.parametrize(
    "column,told,expected",
    [
        ("pct_fte", "", True),
        ("percentage", "", True),
        ("percentages", "", False),
        ("share", "Share %", True),
        ("share", "Share", False),
    ],
)
def test_what_is_a_percentage(column: str, told: str, *, expected: bool) -> None:
    """By a word of the name, or by the sign in the title."""
    entry = stream("links", {f"{column}:n": told or f"{column}:n"}, "LINKS")
    (table,) = tables_in(catalog(entry))
    assert is_percentage(table.columns[1]) is expected


def test_columns_to_look_at_headcount_by() -> None:
    """Texts, switches and exact names of numbers, each once, by the order of the words."""
    columns = "grade:n city department_of_city team:b team_lead level_pay:n region:d site"
    (table,) = tables_in(catalog(stream("people", columns, "PEOPLE")))
    assert [column.name for column in dimensions_of(table, {"site"})] == [
        *("department_of_city", "team", "team_lead", "city", "grade"),
    ]
