"""Which columns a run delivers: by its catalog, its export's headers, and earlier runs.

The export's headers are the truth, the catalog may be days old, and a table's column keeps its
type: loaders can add columns, but not change them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.column_types import Kind
from tap_orgvue.schema.columns import Catalogued, columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.column_rules import PropertyRules
    from tap_orgvue.schema.columns import Column


REFRESH = "`meltano run --refresh-catalog …`, or `tap-orgvue --discover` for a catalog of your own"


class Settled(msgspec.Struct):
    """What every record of a run holds.

    Attributes:
        columns: The columns, in the order of the catalog, new ones last.
        rescued_keys: Keys without a column whose values are rescued.
        hashed_keys: Those of them whose values are hashed.
        warnings: What the user should know.
    """

    columns: list[Column]
    rescued_keys: frozenset[str] = frozenset()
    hashed_keys: frozenset[str] = frozenset()
    warnings: list[str] = msgspec.field(default_factory=list)


def settle(
    catalogued: Catalogued,
    headers: Sequence[Property],
    rules: PropertyRules,
    remembered: Mapping[str, str],
) -> Settled:
    """Decide what a run delivers, once the export's headers are known.

    Args:
        catalogued: What the catalog says.
        headers: The export's columns.
        rules: What the user said of single properties.
        remembered: Column name to the kind that it was emitted as before.

    Raises:
        OrgvueError: There is a new property, and the user wants to be stopped by one.
    """
    declared = {header.key: header for header in headers}
    settled = Settled([])
    for column in catalogued.columns:
        known = column.property
        if column.name not in catalogued.selected or rules.is_excluded(catalogued.stream, known):
            continue
        header = declared.get(column.key)
        pinned = rules.pinned(catalogued.stream, header or known)
        if header is None:
            settled.warnings.append(_gone(column, catalogued.stream))
        if pinned is not None:
            hashed = rules.is_hashed(catalogued.stream, header or known)
            settled.columns.append(msgspec.structs.replace(column, kind=pinned, hashed=hashed))
            continue
        before = Kind(remembered.get(column.name, column.kind.value))
        now = rules.kind(catalogued.stream, header) if header else column.kind
        if before is not column.kind:
            settled.warnings.append(_changed_since_emitted(column, before, catalogued.stream))
        elif now is not column.kind:
            settled.warnings.append(_changed_since_discovery(column, now, catalogued.stream))
        settled.columns.append(msgspec.structs.replace(column, kind=before))
    if catalogued.everything:
        added = _meet_strangers(settled, catalogued, headers, rules)
        settled.columns += [
            column
            if rules.pinned(catalogued.stream, column.property)
            else msgspec.structs.replace(
                column, kind=Kind(remembered.get(column.name, column.kind.value))
            )
            for column in added
        ]
    return settled


def _gone(column: Column, stream: str) -> str:
    return (
        f"Stream '{stream}': Orgvue has no property {column.key!r} any more; its column "
        f"'{column.name}' is null in every record. To be rid of it, refresh the catalog: {REFRESH}."
    )


def _changed_since_emitted(column: Column, before: Kind, stream: str) -> str:
    return (
        f"Stream '{stream}': the column '{column.name}' was {before.value} in earlier runs and is "
        f"{column.kind.value} in the catalog now. It stays {before.value}, because loaders cannot "
        "change a column; values that do not fit are rescued. Set `property_types` to pin it, or "
        "run once with `--full-refresh` into a table without it to accept the new type."
    )


def _changed_since_discovery(column: Column, now: Kind, stream: str) -> str:
    return (
        f"Stream '{stream}': Orgvue declares {column.key!r} as {now.value} now, the catalog has "
        f"{column.kind.value}. Values are fitted to the catalog's type, or rescued. To accept the "
        f"new type, refresh the catalog: {REFRESH}."
    )


def _meet_strangers(
    settled: Settled,
    catalogued: Catalogued,
    headers: Sequence[Property],
    rules: PropertyRules,
) -> list[Column]:
    """Treat properties that the catalog does not know as `new_properties` says.

    Returns:
        The columns to add.
    """
    stream, settings = catalogued.stream, rules.settings
    known = {column.key: column.name for column in catalogued.columns}
    strangers = [
        header
        for header in headers
        if header.key not in known and not rules.is_excluded(stream, header)
    ]
    if not strangers:
        return []
    told = ", ".join(repr(header.key) for header in strangers)
    if settings.new_properties is NewProperties.FAIL:
        message = (
            f"Stream '{stream}': Orgvue has new properties, {told}, and `new_properties` is "
            f"fail. Refresh the catalog: {REFRESH}."
        )
        raise OrgvueError(message)
    settled.warnings.append(
        f"Stream '{stream}': properties that the catalog does not have, {told}, are handled as "
        f"`new_properties` says: {settings.new_properties.value}. To settle it, refresh the "
        f"catalog: {REFRESH}."
    )
    if settings.new_properties is NewProperties.ADD:
        keys = {header.key for header in strangers}
        columns = columns_of(
            headers, rules, stream, original=settings.original_columns, taken=known
        )
        return [column for column in columns if column.key in keys]
    if settings.new_properties is NewProperties.RESCUE:
        settled.rescued_keys = frozenset(header.key for header in strangers)
        settled.hashed_keys = frozenset(
            header.key for header in strangers if rules.is_hashed(stream, header)
        )
    return []
