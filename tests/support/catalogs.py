"""Catalogs as `--discover` writes them, of datasets of any kind, without a tenant."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tap_orgvue.schema.column_types import ColumnType, to_json_schema

TYPES = {
    "t": ColumnType.TEXT,
    "n": ColumnType.NUMBER,
    "b": ColumnType.BOOLEAN,
    "d": ColumnType.DATE,
}


def stream(  # noqa: PLR0913 - what a catalog tells of a stream
    name: str,
    columns: str | dict[str, str],
    kind: str = "",
    *,
    title: str = "",
    auto_id: str = "",
    label_id: str = "",
    tree: tuple[str, str] | None = None,
    keys: tuple[str, ...] = ("_id",),
    selected: bool = True,
    deselected: tuple[str, ...] = (),
) -> dict[str, Any]:
    """An entry of a catalog.

    Args:
        name: The stream's name.
        columns: `id name salary:n`, or column name to property key; `_id` is added.
        kind: The dataset's type; without one the entry is of an older catalog.
        title: The dataset's name.
        auto_id: The key of the customer's own key.
        label_id: The key of the label.
        tree: The keys of a node's key and of its parent's.
        keys: The key's columns.
        selected: Whether the stream is.
        deselected: Columns that are not.
    """
    named = columns if isinstance(columns, dict) else {each: each for each in columns.split()}
    properties = {}
    for column, key in {"_id": "_id", **named}.items():
        plain, _, sign = column.rpartition(":")
        plain, sign = (plain, sign) if plain and sign in TYPES else (column, "t")
        told = plain if key == column else key
        properties[plain] = {
            **to_json_schema(TYPES[sign], nullable=plain not in keys),
            "title": told,
            "description": f"Orgvue property: {told}",
        }
    facts = {
        "orgvue-dataset": title or name.replace("_", " ").title(),
        "orgvue-type": kind,
        "orgvue-auto-id": auto_id,
        "orgvue-label-id": label_id,
        "orgvue-tree-id": tree[0] if tree else "",
        "orgvue-tree-parent-id": tree[1] if tree else "",
    }
    known = {word: text for word, text in facts.items() if text} if kind else {}
    metadata = [
        {
            "breadcrumb": ["properties", column],
            "metadata": {"inclusion": "available", "selected": column not in deselected},
        }
        for column in properties
    ]
    root = {"inclusion": "available", "selected": selected, "table-key-properties": [*keys]}
    return {
        "tap_stream_id": name,
        "stream": name,
        "table_name": str(uuid5(NAMESPACE_URL, ascii(name))).upper(),
        "key_properties": [*keys],
        "replication_method": "FULL_TABLE",
        "schema": {"type": "object", "properties": properties},
        "metadata": [*metadata, {"breadcrumb": [], "metadata": {**root, **known}}],
    }


def catalog(*streams: dict[str, Any]) -> dict[str, Any]:
    """A catalog of these streams."""
    return {"streams": [*streams]}


PEOPLE = stream(
    "people",
    "id name department salary:n annual_cost:n currency leaver:b",
    "PEOPLE",
    auto_id="id",
    label_id="name",
)
POSITIONS = stream(
    "positions",
    "code boss title department",
    "POSITIONS",
    auto_id="code",
    label_id="title",
    tree=("code", "boss"),
)
LINKS = stream(
    "people_to_positions",
    "link_id from_id to_id allocation:n",
    "LINKS",
    title="People to Positions",
    auto_id="link_id",
)
