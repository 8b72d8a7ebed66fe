"""Which property owns which column: what the state keeps of it, and what it decides."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.schema.ownership import ColumnNaming, ColumnOwners, OwnedColumn

COLUMNS = [
    Column("id", "ID", ColumnType.TEXT),
    Column("salary", "Salary", ColumnType.NUMBER),
    Column("starts", "Start", ColumnType.DATE),
    Column("secret", "Secret", ColumnType.TEXT, hashed=True),
]


def owners(*runs: list[Column], complete: bool = True) -> ColumnOwners:
    """The owners after some runs."""
    found = ColumnOwners()
    for columns in runs:
        found.remember(columns, complete=complete)
    return found


def again(found: ColumnOwners, *keys: str) -> ColumnOwners:
    """The same as the next run reads them, beside these keys in the state."""
    columns, names, owned = found.to_json(keys)
    return ColumnOwners.from_json(columns, names, owned, keys)


@pytest.mark.parametrize(
    "keys", [(), ("ID", "Salary"), ("new", "Salary", "other", "Start"), ("x",)]
)
def test_the_next_run_knows_every_column(keys: tuple[str, ...]) -> None:
    """Whichever keys the state has beside them, some of which have no column."""
    found = owners(COLUMNS)
    read = again(found, *keys)
    for column in COLUMNS:
        assert read.column(column.name) == found.column(column.name)
        assert read.name_of(column.key) == column.name
    assert read.names == {"Start": "starts"}
    assert not read.is_empty
    for key in ("new", "x", "other"):
        assert read.column(key) is None


def test_keys_in_the_state_save_their_digests() -> None:
    """A column of a key that the state has takes 6 characters, and no more elsewhere."""
    found = owners(COLUMNS[:2])
    assert tuple(map(len, found.to_json(["ID", "gone", "Salary"]))) == (0, 0, 6 + 1 + 6)
    assert tuple(map(len, found.to_json())) == (2 * 11, 0, 0)


@pytest.mark.parametrize(
    "columns,names,owned",
    [
        (None, None, None),
        ("tAB", {}, 7),
        ("?aaaaabbbbb", [["a"], "ab", ["a", 7], ["a", "b", "c"], [1, "b"]], "?aaaaa"),
        ("", [], ""),
    ],
)
def test_a_state_that_is_none(columns: object, names: object, owned: object) -> None:
    """What nobody can read counts as nothing."""
    read = ColumnOwners.from_json(columns, names, owned, ["a"])
    assert read.is_empty
    assert read.names == {}


@pytest.mark.parametrize("kept", range(2 * 11))
def test_a_column_that_is_cut_off_is_none(kept: int) -> None:
    """Of a text that was shortened only whole columns are read, none with a part of its owner."""
    found = owners(COLUMNS[:2])
    columns, names, _ = found.to_json()
    read = ColumnOwners.from_json(columns[:kept], names)
    assert read.column("id") == (found.column("id") if kept >= 11 else None)
    assert read.column("salary") is None
    assert read.is_empty is (kept < 11)


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize(
    "values",
    [
        *({"type": each} for each in ColumnType),
        {"type": ColumnType.TEXT, "hashed": True, "was_clear": True},
        {"type": ColumnType.TEXT, "hashed": True, "was_clear": False},
    ],
)
def test_a_code_for_each_column(values: dict[str, Any], *, is_read: bool) -> None:
    """Type, hashes and whether it is read are one character."""
    column = OwnedColumn("abcde", is_read=is_read, **values)
    assert len(column.code) == 1
    assert OwnedColumn.from_code(column.code, "abcde") == column


def test_a_column_that_was_ever_clear() -> None:
    """A table may still hold what was sent before the column was hashed."""
    clear, hashed = COLUMNS[0], Column("id", "ID", ColumnType.TEXT, hashed=True)
    for runs, was_clear in (([hashed], False), ([clear, hashed], True), ([hashed, clear], True)):
        column = owners(*([run] for run in runs)).column("id")
        assert column is not None
        assert column.was_clear is was_clear
        assert column.hashed is runs[-1].hashed


@pytest.mark.parametrize("complete", [True, False])
def test_a_column_that_is_not_read_any_more(*, complete: bool) -> None:
    """A run of all rows without it leaves old values in it; one of some rows tells nothing."""
    found = owners(COLUMNS, COLUMNS[:1], complete=complete)
    column = found.column("salary")
    assert column is not None
    assert column.is_read is not complete
    assert again(found).column("salary") == column


def test_types_of_earlier_runs() -> None:
    """A hashed column is text, whatever its property is."""
    found = owners(COLUMNS)
    types = [found.earlier_type(name) for name in ("salary", "starts", "secret", "other")]
    assert types == [ColumnType.NUMBER, ColumnType.DATE, None, None]


def test_a_name_of_another_property() -> None:
    """A name belongs to who had it first, by its own form or by choice."""
    found = owners(COLUMNS)
    assert found.is_foreign("starts", "Begin")
    assert found.is_foreign("salary", "SALARY!")
    assert not found.is_foreign("starts", "Start")
    assert not found.is_foreign("salary", "Salary")
    assert not found.is_foreign("free", "Begin")
    assert found.name_of("SALARY!") is None


def test_a_name_that_is_reported_belongs_to_its_property() -> None:
    """It does so where the column's own record names nobody, or where there is none yet."""
    found = ColumnOwners.from_types({"number": ["pay"]})
    found.names = {"Salary": "pay", "Grade": "level"}
    for name, key in (("pay", "Salary"), ("level", "Grade")):
        assert not found.is_foreign(name, key)
        assert found.is_foreign(name, "Other")


def test_a_new_property_takes_nobodys_column() -> None:
    """One whose own name is taken gets another, and the catalog's only if it is free."""
    found = owners([Column("salary", "Salary", ColumnType.NUMBER)])
    names = found.names_for(["SALARY"], pins={}, catalog={})
    assert names["SALARY"].startswith("salary_")
    assert found.names_for(["SALARY"], pins={}, catalog={"SALARY": "pay"}) == {"SALARY": "pay"}
    assert found.names_for(["SALARY"], pins={}, catalog={"SALARY": "salary"}) == names
    assert found.names_for(["SALARY"], pins={"SALARY": "p"}, catalog={"SALARY": "pay"}) == {
        "SALARY": "p"
    }
    assert found.names_for(["Salary"], pins={}, catalog={"Salary": "pay"}) == {"Salary": "salary"}


def test_a_column_gets_its_own_name_back() -> None:
    """Once a run names it by its own form, no other name is kept."""
    found = owners([Column("starts", "Start", ColumnType.DATE)])
    found.remember([Column("start", "Start", ColumnType.DATE)], complete=True)
    assert found.names == {}
    assert found.name_of("Start") == "start"


def test_the_state_of_the_first_version() -> None:
    """It knew types of names and no owners: every property may own such a column."""
    found = ColumnOwners.from_types({"number": ["salary"], "date": "start", "other": ["x"]})
    assert found.earlier_type("salary") is ColumnType.NUMBER
    assert not found.is_foreign("salary", "whoever's")
    assert found.column("start") is None
    assert found.column("x") is None


def test_original_names() -> None:
    """Each key is its column's name, unless a pin or the catalog says otherwise."""
    naming = ColumnNaming(owners=owners(COLUMNS), pins={"a": "pinned"}, original=True)
    found = naming.names(["a", "Start", "c", "_rescued_data"], {"c": "told", "a": "b"})
    assert found.pop("_rescued_data") not in {"_rescued_data", ""}
    assert found == {"a": "pinned", "Start": "Start", "c": "told"}
    assert ColumnNaming(owners=owners(COLUMNS)).names(["Start"]) == {"Start": "starts"}
