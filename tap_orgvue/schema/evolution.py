"""The columns of a run, from the catalog, the export's headers, and earlier runs.

The headers show which properties exist; the catalog may be days old. A column keeps the type that
earlier runs emitted: loaders add columns to a table, but do not change their types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.orgvue.errors import Misconfigured
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.columns import columns_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.schema.column_types import ColumnType
    from tap_orgvue.schema.columns import CatalogColumns, Column
    from tap_orgvue.schema.ownership import ColumnNaming

REFRESH = "`meltano run --refresh-catalog …`, or `tap-orgvue --discover` for a catalog of your own"


class ResolvedColumns(msgspec.Struct):
    """The columns of every record of a run.

    Attributes:
        columns: In the catalog's order, new ones last.
        rescued_keys: Keys of properties without a column whose values go to `_rescued_data`.
        hashed_keys: The rescued keys whose values are hashed.
        warnings: Sentences for the log.
    """

    columns: list[Column]
    rescued_keys: frozenset[str] = frozenset()
    hashed_keys: frozenset[str] = frozenset()
    warnings: list[str] = msgspec.field(default_factory=list)


def reconcile(
    catalog: CatalogColumns,
    headers: Sequence[Property],
    rules: ColumnRules,
    naming: ColumnNaming,
) -> ResolvedColumns:
    """Resolve the columns of a run from the export's headers.

    Args:
        catalog: The stream's columns in the catalog.
        headers: The export's columns.
        rules: The user's rules for single properties.
        naming: How the stream's columns are named, with the columns of earlier runs.

    Raises:
        Misconfigured: There is a new property, and `new_properties` is `fail`.
    """
    by_key = {header.key: header for header in headers}
    resolved = ResolvedColumns([])
    for column in catalog.columns:
        header = by_key.get(column.key)
        if column.name in catalog.selected and not rules.is_excluded(
            catalog.stream, *_descriptions(column, header)
        ):
            resolved.columns.append(
                _known_column(
                    resolved,
                    catalog.stream,
                    column,
                    header,
                    rules=rules,
                    naming=naming,
                )
            )
    if catalog.all_selected(rules):
        for column in _new_columns(resolved, catalog, headers, rules, naming):
            pinned = rules.pinned_type(catalog.stream, column.property)
            emitted = naming.owners.earlier_type(column.name)
            resolved.columns.append(
                msgspec.structs.replace(column, type=pinned or emitted or column.type)
            )
    return resolved


def _known_column(  # noqa: PLR0913 - all that a column's type depends on
    resolved: ResolvedColumns,
    stream: str,
    column: Column,
    header: Property | None,
    *,
    rules: ColumnRules,
    naming: ColumnNaming,
) -> Column:
    """A selected column of the catalog, with the type and hashing of this run."""
    described = _descriptions(column, header)
    if header is None:
        resolved.warnings.append(_missing(column, stream))
    pinned = rules.pinned_type(stream, *described)
    if pinned is not None:
        hashed = rules.is_hashed(stream, *described)
        return msgspec.structs.replace(column, type=pinned, hashed=hashed)
    emitted = naming.owners.earlier_type(column.name) or column.type
    current = rules.column_type(stream, header) if header else column.type
    if emitted is not column.type:
        resolved.warnings.append(_changed_since_emitted(column, emitted, stream))
    elif current is not column.type:
        resolved.warnings.append(_changed_since_discovery(column, current, stream))
    return msgspec.structs.replace(column, type=emitted)


def _descriptions(column: Column, header: Property | None) -> tuple[Property, ...]:
    """A column's property as the catalog describes it, and as the export does."""
    return (column.property,) if header is None else (column.property, header)


def _new_columns(
    resolved: ResolvedColumns,
    catalog: CatalogColumns,
    headers: Sequence[Property],
    rules: ColumnRules,
    naming: ColumnNaming,
) -> list[Column]:
    """Treat properties that the catalog lacks as `new_properties` says.

    Returns:
        The columns to add.
    """
    stream = catalog.stream
    known = {column.key: column.name for column in catalog.columns}
    new = [
        header
        for header in headers
        if header.key not in known and not rules.is_excluded(stream, header)
    ]
    if not new:
        return []
    names = ", ".join(repr(header.key) for header in new)
    if rules.new_properties is NewProperties.FAIL:
        raise Misconfigured(
            f"Stream '{stream}': Orgvue has new properties, {names}, and `new_properties` is "
            f"fail. Refresh the catalog: {REFRESH}."
        )
    resolved.warnings.append(
        f"Stream '{stream}': the catalog lacks the properties {names}; `new_properties` is "
        f"{rules.new_properties.value}. To include them, refresh the catalog: {REFRESH}."
    )
    if rules.new_properties is NewProperties.ADD:
        keys = dict.fromkeys([*known, *(header.key for header in headers)])
        return columns_of(new, rules, stream, naming.names(list(keys), known))
    if rules.new_properties is NewProperties.RESCUE:
        resolved.rescued_keys = frozenset(header.key for header in new)
        resolved.hashed_keys = frozenset(
            header.key for header in new if rules.is_hashed(stream, header)
        )
    return []


def _missing(column: Column, stream: str) -> str:
    return (
        f"Stream '{stream}': Orgvue no longer has the property {column.key!r}; its column "
        f"'{column.name}' is null in every record. To remove it, refresh the catalog: {REFRESH}."
    )


def _changed_since_emitted(column: Column, emitted: ColumnType, stream: str) -> str:
    return (
        f"Stream '{stream}': the column '{column.name}' was {emitted.value} in earlier runs and is "
        f"{column.type.value} in the catalog now. It stays {emitted.value}, because loaders cannot "
        "change a column; values that do not fit are rescued. Set `property_types` to pin it, or "
        "run once with `--full-refresh` into a table without it to accept the new type."
    )


def _changed_since_discovery(column: Column, current: ColumnType, stream: str) -> str:
    return (
        f"Stream '{stream}': Orgvue declares {column.key!r} as {current.value} now, the catalog "
        f"has {column.type.value}. Values are fitted to the catalog's type, or rescued. To accept "
        f"the new type, refresh the catalog: {REFRESH}."
    )
