"""Which columns have a value in any row."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.records.filled_columns import LEARNING_ROWS, SAMPLED, FilledColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def rows(*values: Any) -> list[dict[str, Any]]:
    """Rows with one column, `a`."""
    return [{"a": value} for value in values]


def look(watch: FilledColumns, *blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Let it look at blocks; the columns that were read."""
    read: list[str] = []

    def reader(name: str) -> Callable[[Any], Any] | None:
        def value(row: Any) -> Any:
            read.append(name)
            return row[name]

        return value

    for block in blocks:
        watch.look_at(block, reader)
    return read


@pytest.mark.parametrize("value", [0, False, "", "x", 1.5, "2022-01-01"])
def test_any_value_fills_a_column(value: object) -> None:
    """Only null is no value; zero, false and an empty text are some."""
    watch = FilledColumns(["a"])
    watch.look_at(rows(None, value), itemgetter)
    assert watch.filled == {"a"}
    assert watch.emptied == set()


def test_a_column_of_nulls_is_emptied_if_it_had_values() -> None:
    """A column that was empty before, and one that nobody has seen, are not."""
    watch = FilledColumns(["a"], ["b"])
    watch.look_at([{"a": None, "b": None}], itemgetter)
    assert watch.emptied == {"a"}
    assert watch.filled == set()


def test_a_column_is_read_until_its_first_value() -> None:
    """One value of the first row is enough for all rows after it."""
    watch = FilledColumns(["a"])
    assert look(watch, rows(1, 2, 3), rows(4, 5)) == ["a"]


def test_a_column_that_had_values_is_looked_at_in_all_rows() -> None:
    """However late its first value comes; of other columns a sample is looked at by then."""
    first: list[dict[str, Any]] = [{"a": None, "b": None}] * LEARNING_ROWS
    late: list[dict[str, Any]] = [{"a": None, "b": None}, {"a": 1, "b": 1}]
    watch = FilledColumns(["a"], ["b"])
    look(watch, first, late)
    assert watch.filled == {"a"}
    watch = FilledColumns([], ["b"])
    look(watch, first, late * SAMPLED)
    assert watch.filled == set()
    look(watch, late[1:] * SAMPLED)
    assert watch.filled == {"b"}
    watch = FilledColumns([], ["b"])
    look(watch, first[1:], late)
    assert watch.filled == {"b"}


def test_a_column_that_the_export_lacks_has_no_value() -> None:
    """A page without it tells nothing; another page may have it."""
    watch = FilledColumns(["a"])
    watch.look_at(rows(1), lambda _: None)
    assert watch.emptied == {"a"}
    watch.start_page()
    watch.look_at(rows(1), itemgetter)
    assert watch.emptied == set()


def test_a_reader_is_made_once_a_page() -> None:
    """However many blocks a page has, and again for the next page."""
    made: list[str] = []

    def reader(name: str) -> Callable[[Any], Any]:
        made.append(name)
        return itemgetter(name)

    watch = FilledColumns(["a"])
    for _ in range(2):
        watch.start_page()
        watch.look_at(rows(None), reader)
        watch.look_at(rows(None), reader)
    assert made == ["a", "a"]


def test_no_rows_tell_nothing() -> None:
    """An empty block is skipped."""
    watch = FilledColumns(["a"])
    assert look(watch, []) == []
    assert watch.filled == set()
