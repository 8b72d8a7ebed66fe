"""The user's rules for single properties."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType

SALARY = Property("salary", "Base Pay", "number")


@pytest.mark.parametrize(
    "pattern,matches",
    [
        ("salary", True),
        ("SAL*", True),
        ("s?lary", True),
        ("people.salary", True),
        ("PEOPLE.sal*", True),
        ("Base Pay", True),
        ("base*", True),
        ("sal", False),
        ("salary?", False),
        ("leavers.salary", False),
        ("people.base pay", True),
        ("leavers.base pay", False),
    ],
)
def test_how_protected_properties_are_named(pattern: str, matches: bool) -> None:  # noqa: FBT001 - a case
    """Patterns name a key or a display name, in all streams or in one."""
    assert ColumnRules(excluded=(pattern,)).is_excluded("people", SALARY) == matches
    assert ColumnRules(hashed=(pattern,)).is_hashed("people", SALARY) == matches


@pytest.mark.parametrize("pattern", ["salary", "Base Pay", "Compensation", "people.comp*"])
def test_any_description_of_a_property_protects_it(pattern: str) -> None:
    """A property is protected by its display name in the catalog, and by the one it has now."""
    renamed = Property("salary", "Compensation", "number")
    assert ColumnRules(excluded=(pattern,)).is_excluded("people", SALARY, renamed)
    assert ColumnRules(hashed=(pattern,)).is_hashed("people", SALARY, renamed)
    hashed = ColumnRules(hashed=(pattern,))
    assert hashed.pinned_type("people", SALARY, renamed) is ColumnType.TEXT


def test_a_rename_unprotects_nothing() -> None:
    """A pattern that protected a property in an earlier run still does, and only that property."""
    rules = ColumnRules(
        excluded=("pay", "wage"),
        hashed=("pay",),
        remembered={("people", "salary"): frozenset({"pay", "gone from the settings"})},
    )
    assert rules.is_excluded("people", SALARY)
    assert rules.is_hashed("people", SALARY)
    assert rules.protections("people", SALARY) == ["pay", "pay"]
    assert not rules.is_excluded("leavers", SALARY)
    assert not rules.is_excluded("people", Property("bonus", "Base Pay", "number"))
    assert rules.matched == set(), "the pattern matches no name any more"


def test_without_rules_nothing_is_protected() -> None:
    """No property is excluded, hashed or pinned unless a pattern says so."""
    rules = ColumnRules()
    assert not rules.is_excluded("people", SALARY)
    assert not rules.is_hashed("people", SALARY)
    assert rules.pinned_type("people", SALARY) is None
    assert rules.column_type("people", SALARY) is ColumnType.NUMBER


def test_orgvues_id_is_never_excluded() -> None:
    """`_id` is the key of most streams: no pattern excludes it."""
    rules = ColumnRules(excluded=("*",))
    assert not rules.is_excluded("people", Property("_id", "_id", "text"))
    assert rules.is_excluded("people", SALARY)


@pytest.mark.parametrize(
    "patterns,pinned",
    [
        ({"salary": "text"}, "text"),
        ({"salary": "text", "sal*": "date"}, "date"),
        ({"sal*": "date", "salary": "text"}, "text"),
        ({"people.sal*": "boolean", "salary": "text"}, "boolean"),
        ({"leavers.salary": "boolean", "salary": "text"}, "text"),
        ({"people.salary": "boolean", "people.sal*": "text"}, "text"),
        ({"*": "text", "sal*": "date"}, "date"),
        ({"Base Pay": "text"}, None),
    ],
)
def test_which_pin_wins(patterns: dict[str, str], pinned: str | None) -> None:
    """A pattern that names the stream wins, then the last; display names pin nothing."""
    rules = ColumnRules(types={key: ColumnType(value) for key, value in patterns.items()})
    expected = ColumnType(pinned) if pinned else None
    assert rules.pinned_type("people", SALARY) is expected
    assert rules.column_type("people", SALARY) is (expected or ColumnType.NUMBER)


def test_a_pin_of_a_key_with_a_dot() -> None:
    """A dot in a key makes its pattern no pattern for one stream: the last one wins."""
    types = {"cost.centre": ColumnType.DATE, "cost*": ColumnType.NUMBER}
    declared = Property("Cost.Centre", "Cost centre", "text")
    assert ColumnRules(types=types).pinned_type("people", declared) is ColumnType.NUMBER
    types = {"people.cost.centre": ColumnType.DATE, "cost*": ColumnType.NUMBER}
    assert ColumnRules(types=types).pinned_type("people", declared) is ColumnType.DATE


def test_a_hashed_property_is_text() -> None:
    """Hashes are text, whatever type is pinned."""
    rules = ColumnRules(types={"salary": ColumnType.NUMBER}, hashed=("salary",))
    assert rules.column_type("people", SALARY) is ColumnType.TEXT


def test_patterns_that_match_are_known() -> None:
    """Every pattern that matched is known, also behind one that matched first."""
    rules = ColumnRules(
        types={"x": ColumnType.TEXT, "salary": ColumnType.TEXT},
        excluded=("salary", "sal*", "y"),
        hashed=("z",),
    )
    assert not rules.matched
    rules.pinned_type("people", SALARY)
    rules.is_excluded("people", SALARY)
    assert rules.matched == {"salary", "sal*"}


@pytest.mark.parametrize("setting", ["excluded", "hashed"])
@pytest.mark.parametrize(
    "pattern,protects",
    [
        ("salary", True),
        ("SAL*", True),
        ("people.salary", True),
        ("people.of.2024.salary", True),
        ("pay.salary.", False),
        ("people.bonus", False),
        ("salary.bonus", False),
    ],
)
def test_a_key_of_an_unknown_stream(setting: str, pattern: str, *, protects: bool) -> None:
    """A pattern may protect a key in some stream, whose name can hold full stops."""
    rules = ColumnRules(**{setting: (pattern,)})  # type: ignore[arg-type]
    assert rules.may_protect("salary") is protects
    assert not ColumnRules().may_protect("salary")
