"""The generated properties: their types, and their values where they follow from a tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: key -> declared type. A generated property that is not named here is text.
GENERATED_TYPES: Mapping[str, str] = {
    "_id": "text",
    "_modifiedAt": "date",
    "_depth": "number",
    "_height": "number",
    "_span_of_control": "number",
    "_is_leaf": "boolean",
    "_is_orphan": "boolean",
    "_is_duplicate": "boolean",
    "_is_ghost": "boolean",
    "_change": "text",
}


def flat_cells() -> dict[str, object]:
    """Give the generated values of a row that is in no tree."""
    return {"_change": "none", "_is_duplicate": False, "_is_ghost": False}


def tree_cells(
    rows: Sequence[Mapping[str, object]], id_key: str, parent_key: str
) -> list[dict[str, object]]:
    """Compute the generated values of rows in a tree.

    Args:
        rows: The rows by property key.
        id_key: The property that identifies a node.
        parent_key: The property that names the node's parent.

    Returns:
        For each row `_depth` (0 at a root), `_height` (0 at a leaf), `_span_of_control` (the
        number of children), `_is_leaf`, `_is_orphan` (a parent is named that does not exist), and
        those of `flat_cells`. A node on a circle counts as a root where the circle is entered.
    """
    position = {row.get(id_key): number for number, row in enumerate(rows)}
    parents = [position.get(row.get(parent_key)) if row.get(parent_key) else None for row in rows]
    depths = _depths(parents)
    heights, spans = [0] * len(rows), [0] * len(rows)
    for number in sorted(range(len(rows)), key=depths.__getitem__, reverse=True):
        parent = parents[number]
        if parent is not None:
            spans[parent] += 1
            if depths[parent] < depths[number]:
                heights[parent] = max(heights[parent], heights[number] + 1)
    return [
        {
            **flat_cells(),
            "_depth": depths[number],
            "_height": heights[number],
            "_span_of_control": spans[number],
            "_is_leaf": spans[number] == 0,
            "_is_orphan": parents[number] is None and bool(row.get(parent_key)),
        }
        for number, row in enumerate(rows)
    ]


def _depths(parents: Sequence[int | None]) -> list[int]:
    """Count each node's steps to its root, without recursion: trees may be a long chain."""
    depths: dict[int, int] = {}
    for start in range(len(parents)):
        path: list[int] = []
        seen: set[int] = set()
        node: int | None = start
        while node is not None and node not in depths and node not in seen:
            path.append(node)
            seen.add(node)
            node = parents[node]
        depth = -1 if node is None else depths.get(node, -1)
        for member in reversed(path):
            depth += 1
            depths[member] = depth
    return [depths[number] for number in range(len(parents))]
