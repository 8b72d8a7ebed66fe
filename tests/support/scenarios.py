"""What drafts make of rows, in plain Python: views and models are compared with it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.simulator import Draft


def applied(
    rows: Iterable[Mapping[str, object]], layers: Sequence[Sequence[Mapping[str, object]]]
) -> list[dict[str, object]]:
    """Apply item actions to rows in their order, as Orgvue's guide describes them."""
    items: dict[str, dict[str, object]] = {str(row["_id"]): dict(row) for row in rows}
    for layer, actions in enumerate(layers):
        for number, action in enumerate(actions):
            cells = {key: cell for key, cell in action.items() if key not in {"_action", "_id"}}
            item, word = str(action.get("_id", (layer, number))), str(action["_action"])
            if word == "delete":
                items.pop(item, None)
            elif word in {"create", "createOrReplace"} or (word == "replace" and item in items):
                items[item] = cells
            elif word == "createOrUpdate" or (word == "update" and item in items):
                items.setdefault(item, {}).update(cells)
    return list(items.values())


def figures(rows: Iterable[Mapping[str, Any]]) -> dict[str | None, tuple[int, float | None]]:
    """Headcount and cost by department of those who have not left."""
    found: dict[str | None, list[tuple[Any, Any]]] = defaultdict(list)
    for row in rows:
        if not row.get("leaver"):
            found[row.get("department")].append((row.get("salary"), row.get("weekly hours")))
    return {
        department: (
            len(paid),
            round(sum(pay * hours / 40 for pay, hours in paid if pay is not None and hours), 0),
        )
        for department, paid in found.items()
    }


def layer(draft: Draft, key: str) -> list[Mapping[str, object]]:
    """A layer's actions."""
    actions = draft.layer(key)
    return [*(actions() if callable(actions) else actions)]
