"""The columns of a stream's catalog entry, with the names that this run gives them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.schema.columns import CatalogColumns, columns_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.schema.columns import Column
    from tap_orgvue.schema.ownership import ColumnNaming


class StreamColumns:
    """The columns of one stream's catalog entry.

    Attributes:
        naming: How this run names columns.
    """

    def __init__(
        self,
        stream: str,
        schema: Mapping[str, Any],
        *,
        naming: ColumnNaming,
        rules: ColumnRules,
        is_selected: Callable[[str], bool],
    ) -> None:
        """Read the schema of a catalog entry.

        Args:
            stream: The stream's name.
            schema: The entry's JSON Schema.
            naming: How this run names columns.
            rules: The user's rules for single properties.
            is_selected: True for the name of a selected column of the entry.
        """
        self._stream = stream
        self._rules = rules
        self._is_selected = is_selected
        self.naming = naming
        declared = columns_in(schema)
        catalog = {column.key: column.name for column in declared}
        names = naming.names(list(catalog), catalog)
        self._pairs = [
            (column, msgspec.structs.replace(column, name=names[column.key])) for column in declared
        ]

    @property
    def all(self) -> list[Column]:
        """All columns, with the names of this run."""
        return [column for _, column in self._pairs]

    @property
    def run_names(self) -> dict[str, str]:
        """Column name in the catalog to column name in this run."""
        return {declared.name: column.name for declared, column in self._pairs}

    @cached_property
    def catalog(self) -> CatalogColumns:
        """All columns, and which are selected.

        A column that has another name in the catalog than in the table is selected if both names
        are: a rule that kept the table's column out goes on doing so.
        """
        known = {declared.name for declared, _ in self._pairs}
        selected = {name for name in known if self._is_selected(name)}
        return CatalogColumns(
            self._stream,
            self.all,
            frozenset(
                column.name
                for declared, column in self._pairs
                if declared.name in selected
                and (column.name in selected or column.name not in known)
            ),
        )

    @property
    def selected(self) -> list[Column]:
        """The selected columns, with the hashing of this run."""
        return [
            msgspec.structs.replace(
                column, hashed=self._rules.is_hashed(self._stream, column.property)
            )
            for column in self.all
            if column.name in self.catalog.selected
            and not self._rules.is_excluded(self._stream, column.property)
        ]

    def warnings(self) -> Iterator[str]:
        """Warnings of names that differ between catalog, table and pins."""
        for declared, column in self._pairs:
            if declared.name != column.name and column.key not in self.naming.pins:
                yield (
                    f"Stream '{self._stream}': the property {column.key!r} is '{declared.name}' in "
                    f"the catalog and '{column.name}' in the table; it is sent as "
                    f"'{column.name}', if the catalog selects both."
                )
        for key, name in self.naming.pins.items():
            before = self.naming.owners.name_of(key)
            if before not in {None, name}:
                yield (
                    f"Stream '{self._stream}': `property_names` moves {key!r} from the column "
                    f"'{before}' to '{name}'; '{before}' stays in the table with its last values."
                )
