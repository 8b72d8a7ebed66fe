"""What a dataset's stream looks like: properties become columns of a JSON Schema.

Schemas carry a column's key in its `description`, which survives a round trip through a catalog:
so a sync with a catalog knows Orgvue's keys without asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.column_types import _JSON_SCHEMA, Kind, _kind_in
from tap_orgvue.schema.naming import RESCUED, column_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.schema.column_rules import PropertyRules


_KEY_MARK = "Orgvue property: "

RESCUED_SCHEMA: Mapping[str, Any] = {
    "type": ["object", "null"],
    "title": "Rescued data",
    "description": "Values that do not fit their column, by the column's name.",
}


class Column(msgspec.Struct, frozen=True):
    """A column of a stream and the property it shows.

    Attributes:
        name: The column's name; what users write in selections and maps.
        key: The property's key; what Orgvue is asked by.
        kind: What the column holds.
        title: The property's display name.
        hashed: Whether it holds hashes of the property's values.
    """

    name: str
    key: str
    kind: Kind
    title: str = ""
    hashed: bool = False

    @property
    def property(self) -> Property:
        """The property, as far as the column knows it."""
        return Property(self.key, self.title or self.key)

    def json_schema(self, *, nullable: bool = True) -> dict[str, Any]:
        """The column's entry in the stream's schema."""
        schema = dict(_JSON_SCHEMA[self.kind])
        if not nullable:
            schema["type"] = [name for name in schema["type"] if name != "null"]
        return {**schema, "title": self.title or self.key, "description": _KEY_MARK + self.key}


class Catalogued(msgspec.Struct, frozen=True):
    """What a catalog says of a stream.

    Attributes:
        stream: The stream's name.
        columns: All columns.
        selected: The names of those to deliver.
    """

    stream: str
    columns: Sequence[Column]
    selected: frozenset[str]

    @property
    def everything(self) -> bool:
        """Whether every column is to be delivered."""
        return all(column.name in self.selected for column in self.columns)


def columns_of(
    properties: Sequence[Property],
    rules: PropertyRules,
    stream: str,
    *,
    original: bool,
    taken: Mapping[str, str] | None = None,
) -> list[Column]:
    """Give each property its column; those that are never asked for get none.

    Args:
        properties: In the export's order.
        rules: What the user said of single properties.
        stream: The stream's name.
        original: Whether columns are called by Orgvue's keys.
        taken: Column names that keys already have.
    """
    keys = [declared.key for declared in properties]
    names = column_names(keys, taken)
    if original:
        names |= {key: key for key in keys if key != RESCUED}
    return [
        Column(
            names[declared.key],
            declared.key,
            rules.kind(stream, declared),
            declared.name,
            rules.is_hashed(stream, declared),
        )
        for declared in properties
        if not rules.is_excluded(stream, declared)
    ]


def stream_schema(
    columns: Iterable[Column], key_columns: Sequence[str], *, rescue: bool
) -> dict[str, Any]:
    """The JSON Schema of a stream, in the order of its columns."""
    properties = {
        column.name: column.json_schema(nullable=column.name not in key_columns)
        for column in columns
    }
    if rescue:
        properties[RESCUED] = dict(RESCUED_SCHEMA)
    return {"type": "object", "properties": properties}


def columns_in(schema: Mapping[str, Any]) -> list[Column]:
    """Read the columns of a catalog's schema back.

    A column without the mark, from a schema that a user wrote, is taken to be called by its key.
    """
    columns = []
    for name, declared in schema.get("properties", {}).items():
        if name == RESCUED:
            continue
        description = declared.get("description") or ""
        key = description.removeprefix(_KEY_MARK) if description.startswith(_KEY_MARK) else name
        columns.append(Column(name, key, _kind_in(declared), declared.get("title") or ""))
    return columns
