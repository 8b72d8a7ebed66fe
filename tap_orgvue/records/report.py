"""Warnings about a stream's values for the end of its run: counts, never a value."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tap_orgvue.schema.naming import RESCUED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_orgvue.records.values import Counts
    from tap_orgvue.schema.columns import Column

_MAX_NAMED = 10
"""The most columns that one warning names; a tenant can have hundreds."""


def warnings_of(stream: str, columns: Iterable[Column], counts: Counts) -> Iterator[str]:
    """Sentences about misfits and about NUL characters; none if there were none.

    Args:
        stream: The stream's name.
        columns: The stream's columns.
        counts: The totals of its rows.
    """
    if counts.misfits:
        yield _misfits(stream, columns, counts)
    if counts.nul_characters:
        yield (
            f"Stream '{stream}': {_number(counts.nul_characters)} NUL characters, which no "
            "database stores, were removed from text."
        )


def _misfits(stream: str, columns: Iterable[Column], counts: Counts) -> str:
    keys = {column.name: column.key for column in columns}
    names = [name for name, _ in counts.misfits.most_common()]
    shown = [
        f"'{name}' (property {keys[name]!r}): {_share(name, counts)}" for name in names[:_MAX_NAMED]
    ]
    if len(names) > _MAX_NAMED:
        shown.append(f"and {_number(len(names) - _MAX_NAMED)} more columns")
    example = json.dumps({stream: {keys[names[0]]: "text"}}, ensure_ascii=False)
    return (
        f"Stream '{stream}': values that do not fit their column are kept in {RESCUED}. "
        f"{'; '.join(shown)}. `property_types` gives a property another type, for example "
        f"{example}."
    )


def _share(name: str, counts: Counts) -> str:
    """The number of a column's misfits, and of its values; of all rows if that is unknown."""
    misfits = counts.misfits[name]
    if counts.rows_counted[name] < counts.rows:
        return f"{_number(misfits)} of {_number(counts.rows)} rows"
    values = counts.values[name]
    if misfits == values:
        return f"all {_number(misfits)}"
    return f"{_number(misfits)} of {_number(values)}"


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")
