"""Writes an export in its formats: jsonRows, jsonColumns, jsonObjects, csv, tsv."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from tap_orgvue.simulator.messages import JSON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_orgvue.simulator.dataset import Property, Row

    Cells = Iterator[list[object]]

CONTENT_TYPES: Mapping[str, str] = {
    "jsonRows": JSON,
    "jsonColumns": JSON,
    "jsonObjects": JSON,
    "csv": "text/csv; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
}
#: `jsonObjects` is offered by asynchronous exports alone.
SYNCHRONOUS = frozenset(CONTENT_TYPES) - {"jsonObjects"}


def encode(
    format_: str,
    columns: Sequence[Property],
    rows: Sequence[Row],
    links: frozenset[str] = frozenset(),
    next_page: Mapping[str, object] | None = None,
) -> bytes:
    """Write an export.

    Args:
        format_: A key of `CONTENT_TYPES`.
        columns: The columns, in order.
        rows: The rows by property key; a missing key is null.
        links: Ids of the LINKS datasets to calculate through: a column that needs another one is
            null.
        next_page: The `_links` of a page of jsonRows or jsonColumns; `None` for a whole export.
    """
    keys = [each.source(links) for each in columns]
    cells = ([row.get(key) if key is not None else None for key in keys] for row in rows)
    document = _WRITERS[format_](columns, cells)
    if isinstance(document, str):
        return document.encode()
    if next_page is not None and isinstance(document, dict):
        document["_links"] = next_page
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _rows(columns: Sequence[Property], cells: Cells) -> dict[str, object]:
    return {"headers": [each.header for each in columns], "rows": list(cells)}


def _columns(columns: Sequence[Property], cells: Cells) -> dict[str, object]:
    values = [list(column) for column in zip(*cells, strict=True)] or [[] for _ in columns]
    return {"headers": [each.header for each in columns], "columns": values}


def _objects(columns: Sequence[Property], cells: Cells) -> list[dict[str, object]]:
    keys = [each.key for each in columns]
    return [dict(zip(keys, row, strict=True)) for row in cells]


def _separated(delimiter: str) -> Callable[[Sequence[Property], Cells], str]:
    def write(columns: Sequence[Property], cells: Cells) -> str:
        text = io.StringIO()
        writer = csv.writer(text, delimiter=delimiter)
        writer.writerow([each.key for each in columns])
        writer.writerows([_as_text(cell) for cell in row] for row in cells)
        return text.getvalue()

    return write


def _as_text(cell: object) -> object:
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False)


_WRITERS: Mapping[str, Callable[[Sequence[Property], Cells], object]] = {
    "jsonRows": _rows,
    "jsonColumns": _columns,
    "jsonObjects": _objects,
    "csv": _separated(","),
    "tsv": _separated("\t"),
}
