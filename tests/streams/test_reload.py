"""Reasons to read an incremental stream completely again, and clear values in its table."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tap_orgvue.schema.ownership import ColumnOwners
from tap_orgvue.streams.reload import bookmark_mistakes, clear_values_left, column_changes

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)


def column(name: str, *, hashed: bool = False) -> Column:
    """A text column of the property of the same name."""
    return Column(name, name, ColumnType.TEXT, hashed=hashed)


def after(*runs: list[Column]) -> ColumnOwners:
    """What the state knows after complete runs with these columns."""
    owners = ColumnOwners()
    for columns in runs:
        owners.remember(columns, complete=True)
    return owners


@pytest.mark.parametrize(
    "bookmark,why",
    [
        (None, ["its bookmark cannot be read"]),
        (NOW - timedelta(days=400), []),
        (NOW, []),
        (NOW + timedelta(minutes=5), []),
        (NOW + timedelta(minutes=5, microseconds=1), ["its bookmark is in the future"]),
    ],
    ids=str,
)
def test_a_bookmark_may_be_five_minutes_ahead(bookmark: datetime | None, why: list[str]) -> None:
    """Clocks differ; a bookmark beyond that would hide rows until its time has come."""
    assert bookmark_mistakes(bookmark, now=NOW) == why


@pytest.mark.parametrize(
    "owners,why",
    [
        (after([column("pay")]), []),
        (after(), ["the column 'pay' was not read so far"]),
        (after([column("pay")], []), ["the column 'pay' was not read so far"]),
        (after([column("pay", hashed=True)]), ["the column 'pay' is no longer hashed"]),
    ],
    ids=["read", "new", "left out", "hashed"],
)
def test_a_column_without_its_values_is_a_reason(owners: ColumnOwners, why: list[str]) -> None:
    """Rows that did not change have no value of it, or another kind of value."""
    assert column_changes(owners, [column("pay")]) == why


def test_every_column_is_a_reason() -> None:
    """Each is named, in the order of the columns."""
    owners = after([column("pay"), column("same", hashed=True)])
    columns = [column("pay", hashed=True), column("same", hashed=True), column("new")]
    assert column_changes(owners, columns) == [
        "the column 'pay' is hashed now",
        "the column 'new' was not read so far",
    ]
    assert column_changes(owners, []) == []


def test_clear_values_that_stay_are_reported_with_the_statement_that_removes_them() -> None:
    """Of a hashed column the hashes stay, which have 64 characters."""
    pay, grade, name = column("pay"), column("grade"), column("name")
    owners = after([pay, grade, name, column("secret", hashed=True)])
    known = [pay, grade, name, column("secret"), column("new")]
    sent = [column("pay", hashed=True), name]
    (line,) = clear_values_left("people", owners, known, sent)
    assert line.startswith("Stream 'people': ")
    assert line.endswith(
        ': update "people" set "pay" = null where length("pay") <> 64; '
        'update "people" set "grade" = null;'
    )


def test_clear_values_that_are_still_sent_are_no_warning() -> None:
    """Nor is a column that was hashed from the first run on, or never loaded."""
    owners = after([column("pay"), column("secret", hashed=True)])
    known = [column("pay"), column("secret"), column("new")]
    assert not list(clear_values_left("people", owners, known, [column("pay"), column("new")]))
