"""Reasons to read an incremental stream completely again, and values that stay in its table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tap_orgvue.schema.columns import Column
    from tap_orgvue.schema.ownership import ColumnOwners

_CLOCK_TOLERANCE = timedelta(minutes=5)
_HASH_LENGTH = 64


def bookmark_mistakes(bookmark: datetime | None, *, now: datetime) -> list[str]:
    """Why a bookmark cannot be used; empty if it can.

    Args:
        bookmark: None if it cannot be read.
        now: The current time.
    """
    if bookmark is None:
        return ["its bookmark cannot be read"]
    if bookmark > now + _CLOCK_TOLERANCE:
        return ["its bookmark is in the future"]
    return []


def column_changes(owners: ColumnOwners, columns: Sequence[Column]) -> list[str]:
    """Why rows that did not change lack values of a column; empty if they do not.

    Args:
        owners: The columns of earlier runs.
        columns: The columns of this run.
    """
    reasons = []
    for column in columns:
        before = owners.column(column.name)
        if before is None or not before.is_read:
            reasons.append(f"the column '{column.name}' was not read so far")
        elif before.hashed is not column.hashed:
            how = "is hashed now" if column.hashed else "is no longer hashed"
            reasons.append(f"the column '{column.name}' {how}")
    return reasons


def clear_values_left(
    stream: str, owners: ColumnOwners, known: Sequence[Column], sent: Sequence[Column]
) -> Iterator[str]:
    """Warn of clear values in the table of columns that are no longer sent in clear.

    Args:
        stream: The stream's name.
        owners: The columns of earlier runs.
        known: All columns of the catalog.
        sent: The columns of this run.
    """
    clear = {column.name for column in sent if not column.hashed}
    hashed = {column.name for column in sent} - clear
    statements = []
    for column in known:
        before = owners.column(column.name)
        if before is None or not before.was_clear or column.name in clear:
            continue
        where = f' where length("{column.name}") <> {_HASH_LENGTH}' if column.name in hashed else ""
        # Shown to the user, never run.
        statements.append(f'update "{stream}" set "{column.name}" = null{where};')  # noqa: S608
    if statements:
        yield (
            f"Stream '{stream}': columns that were loaded in clear are now deselected, excluded or "
            "hashed; the table keeps their earlier values. Remove them in the warehouse: "
            + " ".join(statements)
        )
