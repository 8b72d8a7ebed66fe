"""Reads from a catalog the raw tables of its selected streams, and their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.singerlib.catalog import Catalog

from tap_orgvue.dbt.text import clean_names, is_plain_name, shortened
from tap_orgvue.orgvue.models import is_dataset_id
from tap_orgvue.schema.columns import columns_in
from tap_orgvue.schema.dataset_facts import DatasetFacts
from tap_orgvue.schema.naming import RESCUED, RESERVED_STREAMS
from tap_orgvue.settings.catalog import checked_catalog, root_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_orgvue.schema.column_types import ColumnType

LINKS_KEYS = ("from_id", "to_id")
"""The properties of a LINKS dataset that name its two ends."""

_ADDED_COLUMNS = ("rescued_data", "copy_number")
"""Columns that models have in addition to those of the table."""

_LONGEST_MODEL = 50
"""dbt adds suffixes of its own to a model's name."""


class TableColumn(msgspec.Struct, frozen=True):
    """A column of a raw table.

    Attributes:
        raw: Its name in the table.
        name: Its name in the staging model.
        key: The property's key.
        title: The property's display name.
        type: The type of its values.
    """

    raw: str
    name: str
    key: str
    title: str
    type: ColumnType

    @property
    def is_plain(self) -> bool:
        """True if SQL takes the raw name without quotes."""
        return is_plain_name(self.raw)


class Table(msgspec.Struct, frozen=True):
    """A raw table and its dataset.

    Attributes:
        stream: The stream's name, which is the table's.
        name: The name of the table as a source of dbt.
        facts: The catalog's facts about the dataset.
        dataset_id: The dataset's id; empty for the streams of metadata.
        columns: The selected columns, without `_rescued_data`.
        keys: Raw names of the columns by which the loader identifies a row.
        has_rescued: True if the table has `_rescued_data`.
    """

    stream: str
    name: str
    facts: DatasetFacts
    dataset_id: str
    columns: tuple[TableColumn, ...]
    keys: tuple[str, ...]
    has_rescued: bool

    @property
    def model(self) -> str:
        """The name of its staging model."""
        return shortened(f"stg_{self.name}", _LONGEST_MODEL)

    @property
    def title(self) -> str:
        """The dataset's name, else the stream's."""
        return self.facts.dataset or self.stream

    @property
    def is_links(self) -> bool:
        """True if it is a LINKS dataset: by its type, or by its columns if the type is unknown."""
        kind = self.facts.type.upper()
        return kind == "LINKS" or (not kind and self.ends != (None, None))

    @property
    def ends(self) -> tuple[TableColumn, TableColumn] | tuple[None, None]:
        """The columns that name the two ends of a link."""
        start, end = (self.by_key(key) for key in LINKS_KEYS)
        return (start, end) if start and end else (None, None)

    @property
    def auto_id(self) -> TableColumn | None:
        """The column with the customer's own key."""
        return self.by_key(self.facts.auto_id)

    @property
    def label(self) -> TableColumn | None:
        """The column with the label."""
        return self.by_key(self.facts.label_id)

    @property
    def tree(self) -> tuple[TableColumn, TableColumn] | None:
        """The columns with a node's key and its parent's, of a hierarchical dataset."""
        node, parent = self.by_key(self.facts.tree_id), self.by_key(self.facts.tree_parent_id)
        return (node, parent) if node and parent else None

    @property
    def key_columns(self) -> tuple[TableColumn, ...]:
        """The columns by which the loader identifies a row."""
        return tuple(column for column in self.columns if column.raw in self.keys)

    def by_key(self, key: str) -> TableColumn | None:
        """The column of a property; None if it is not selected, or there is none."""
        return next((column for column in self.columns if key and column.key == key), None)


def tables_in(document: Mapping[str, Any]) -> list[Table]:
    """The tables of a catalog's selected streams, in the catalog's order.

    Raises:
        SettingsError: It is no catalog, or contradicts itself.
    """
    streams = checked_catalog(document)["streams"]
    entries = Catalog.from_dict({"streams": streams})
    selected = {
        name: mask
        for name, entry in entries.items()
        if (mask := entry.metadata.resolve_selection()).get((), True)
    }
    names = clean_names({name: name for name in selected})
    return [
        _table(entry, names[entry["tap_stream_id"]], selected[entry["tap_stream_id"]])
        for entry in streams
        if entry["tap_stream_id"] in selected
    ]


def _table(entry: Mapping[str, Any], name: str, selected: Mapping[Any, bool]) -> Table:
    stream = entry["tap_stream_id"]
    root = root_metadata(entry)
    dataset_id = entry.get("table_name")
    known = isinstance(dataset_id, str) and is_dataset_id(dataset_id)
    keys = tuple(entry.get("key_properties") or root.get("table-key-properties") or ())
    # A run sends them even if the catalog deselects them.
    always = {*keys, entry.get("replication_key")}
    raw = [
        column
        for column in columns_in(entry["schema"])
        if column.name in always or selected.get(("properties", column.name), True)
    ]
    names = clean_names(
        {column.name: _staged(column.key, column.name) for column in raw}, _ADDED_COLUMNS
    )
    return Table(
        stream=stream,
        name=name,
        facts=DatasetFacts.from_metadata(root),
        dataset_id=str(dataset_id) if known and stream not in RESERVED_STREAMS else "",
        columns=tuple(
            TableColumn(
                column.name, names[column.name], column.key, column.title or column.key, column.type
            )
            for column in raw
        ),
        keys=keys,
        has_rescued=RESCUED in entry["schema"].get("properties", {}),
    )


def _staged(key: str, raw: str) -> str:
    """The name of a column in its staging model: `orgvue_id` for Orgvue's own `_id`."""
    return f"orgvue{raw}" if key.startswith("_") and raw.startswith("_") else raw


def dataset_tables(tables: Iterable[Table]) -> Iterator[Table]:
    """The tables of datasets, without those of the tap's own streams of metadata."""
    return (table for table in tables if table.stream not in RESERVED_STREAMS)
