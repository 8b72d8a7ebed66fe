"""What is said of a stream's values at its end."""

from __future__ import annotations

from collections import Counter

from tap_orgvue.records.report import warnings_of
from tap_orgvue.records.values import Counts
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column

COLUMNS = [Column(f"c{i}", f"C {i}", ColumnType.NUMBER) for i in range(40)]


def told(counts: Counts) -> list[str]:
    """The warnings about a stream with these totals."""
    return list(warnings_of("people", COLUMNS, counts))


def counted(rows: int, misfits: dict[str, int], values: dict[str, int] | None = None) -> Counts:
    """Totals of a stream whose columns were counted from the first row, if they have values."""
    values = values or {}
    return Counts(rows, Counter(misfits), Counter(values), Counter(dict.fromkeys(values, rows)))


def test_nothing_is_said_of_values_that_fit() -> None:
    """Without misfits and NUL characters there is no warning."""
    assert told(Counts(rows=5)) == []


def test_misfits_are_reported_in_one_line() -> None:
    """Columns with most misfits come first, each with its property's key and its share."""
    counts = counted(23_312, {"c1": 7, "c2": 23_312}, {"c1": 20_000, "c2": 23_312})
    (line,) = told(counts)
    assert "'c2' (property 'C 2'): all 23 312; 'c1' (property 'C 1'): 7 of 20 000." in line
    assert '{"people": {"C 2": "text"}}' in line


def test_the_advice_has_the_key_as_it_is_written() -> None:
    """A key of any script can be copied from the warning into the settings."""
    counts = counted(5, {"size": 1}, {"size": 5})
    (line,) = warnings_of("people", [Column("size", "Größe", ColumnType.NUMBER)], counts)
    assert "'size' (property 'Größe'): 1 of 5." in line
    assert '{"people": {"Größe": "text"}}' in line


def test_the_share_of_late_misfits_is_one_of_all_rows() -> None:
    """Where values were not counted from the first row, the share is told in rows."""
    counts = counted(2_000_000, {"c1": 3}, {"c1": 3})
    counts.rows_counted["c1"] -= 1
    assert "'c1' (property 'C 1'): 3 of 2 000 000 rows." in told(counts)[0]


def test_many_columns_are_not_all_named() -> None:
    """Ten columns are named, the others are counted."""
    ten = {f"c{i}": 1 for i in range(10)}
    assert "more columns" not in told(counted(1, ten, ten))[0]
    many = {f"c{i}": 1 for i in range(40)}
    (line,) = told(counted(1, many, many))
    assert line.count("property 'C") == 10
    assert "; and 30 more columns." in line


def test_nul_characters_are_reported() -> None:
    """The number of removed NUL characters is told, beside the misfits."""
    counts = counted(1, {"c1": 1}, {"c1": 1})
    counts.nul_characters = 1234
    misfits, nuls = told(counts)
    assert "c1" in misfits
    assert nuls.startswith("Stream 'people': 1 234 NUL characters")
