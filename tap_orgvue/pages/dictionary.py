"""A tenant's data dictionary: the treatment of each property, by the rules of a run."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.exports.headers import DatasetHeaders, SkippedDataset
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.schema.column_types import ColumnType, to_json_schema
from tap_orgvue.schema.columns import columns_of, stream_schema
from tap_orgvue.schema.evolution import reconcile
from tap_orgvue.streams.setting_names import unmatched_patterns
from tap_orgvue.streams.stream_columns import StreamColumns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.singerlib.catalog import Catalog, CatalogEntry

    from tap_orgvue.orgvue.models import Dataset, Metadata, Property
    from tap_orgvue.schema.columns import Column
    from tap_orgvue.schema.evolution import ResolvedColumns
    from tap_orgvue.streams.source import Source


class PropertyTreatment(str, Enum):
    """What a run does with a property; the value of a member is its name for people."""

    READ = "read"
    HASHED = "hashed"
    EXCLUDED = "excluded"
    NOT_SELECTED = "not selected"
    RESCUED = "rescued"
    IGNORED = "ignored"


class PropertyEntry(msgspec.Struct, frozen=True):
    """A property of a dataset.

    Attributes:
        key: Its key.
        name: Its display name.
        declared: The type that Orgvue declares; empty if the export lacks the property.
        column: The name of its column; empty if it has none.
        json_type: The JSON type of the column's values, in words; empty without a column.
        treatment: What a run does with it.
        patterns: The patterns that exclude or hash it.
        roles: Its uses in the metadata: key, label, tree, parent.
    """

    key: str
    name: str
    declared: str
    column: str
    json_type: str
    treatment: PropertyTreatment
    patterns: Sequence[str] = ()
    roles: Sequence[str] = ()


class DatasetEntry(msgspec.Struct, frozen=True):
    """A dataset of the tenant.

    Attributes:
        dataset: As it is listed.
        stream: The name of its stream.
        reason: Why a run does not read it, as a sentence; empty if it does.
        metadata: Its metadata, or None.
        properties: In the export's order.
    """

    dataset: Dataset
    stream: str
    reason: str = ""
    metadata: Metadata | None = None
    properties: Sequence[PropertyEntry] = ()

    def count(self, treatment: PropertyTreatment) -> int:
        """The number of properties with a treatment."""
        return sum(each.treatment is treatment for each in self.properties)


class Dictionary(msgspec.Struct, frozen=True):
    """All datasets of a tenant.

    Attributes:
        datasets: In the order of the list.
        unmatched: Setting and pattern, for each pattern that matches no property.
        bad_entries: A sentence for each entry of the list that names no dataset.
    """

    datasets: Sequence[DatasetEntry]
    unmatched: Sequence[tuple[str, str]] = ()
    bad_entries: Sequence[str] = ()

    def count(self, treatment: PropertyTreatment) -> int:
        """The number of properties with a treatment."""
        return sum(each.count(treatment) for each in self.datasets)


def read_dictionary(source: Source, catalog: Catalog | None) -> Dictionary:
    """Request list, metadata and headers, and apply the rules; no rows are requested.

    Args:
        source: The tenant, as a run reads it.
        catalog: The user's catalog, if a run is given one.

    Raises:
        OrgvueError: The tenant cannot be read.
    """
    discovery = source.discovery
    datasets = discovery.datasets
    metadata = {each.dataset_id: found for each, _, found in discovery.metadata()}
    found = {_dataset(each).dataset_id: each for each in source.headers.read_all(datasets)}
    entries = {each.tap_stream_id: each for each in catalog.streams} if catalog else None
    read = [
        _entry(source, dataset, found.get(dataset.dataset_id), metadata, entries)
        for dataset in discovery.listed
    ]
    unmatched = unmatched_patterns(source.rules, source.earlier)
    return Dictionary(
        read,
        [(setting, pattern) for setting, pattern, _ in unmatched],
        tuple(discovery.bad_entries),
    )


def _dataset(found: DatasetHeaders | SkippedDataset) -> Dataset:
    return found.dataset


def _entry(
    source: Source,
    dataset: Dataset,
    found: DatasetHeaders | SkippedDataset | None,
    metadata: Mapping[str, Metadata],
    entries: Mapping[str, CatalogEntry] | None,
) -> DatasetEntry:
    stream = source.discovery.stream_name(dataset)
    known = metadata.get(dataset.dataset_id)
    if found is None:
        return DatasetEntry(dataset, stream, "The setting `datasets` leaves it out.")
    if isinstance(found, SkippedDataset):
        return DatasetEntry(dataset, stream, str(found.error), known)
    entry = None
    if entries is not None:
        if stream not in entries:
            return DatasetEntry(dataset, stream, "It is not in the catalog.", known)
        entry = entries[stream]
        if not entry.metadata.resolve_selection().get((), True):
            return DatasetEntry(dataset, stream, "The catalog does not select it.", known)
    try:
        properties = _properties(source, stream, found, known, entry)
    except OrgvueError as error:
        # `new_properties` is `fail`: so would a run.
        return DatasetEntry(dataset, stream, str(error), known)
    return DatasetEntry(dataset, stream, "", known, properties)


def _properties(
    source: Source,
    stream: str,
    found: DatasetHeaders,
    metadata: Metadata | None,
    entry: CatalogEntry | None,
) -> list[PropertyEntry]:
    """The properties of a dataset, as a run resolves its columns."""
    naming = source.discovery.naming_of(stream, found.dataset.dataset_id)
    replication_key = None
    if entry is None:
        names = naming.names([header.key for header in found.headers])
        columns = columns_of(found.headers, source.rules, stream, names)
        key_columns = {names[found.key]} if found.key else set()
        schema = stream_schema(columns, (), rescue=False)
        selected = {column.name for column in columns}
    else:
        schema = entry.schema.to_dict()
        root = entry.metadata.root
        key_columns = set(entry.key_properties or root.table_key_properties or ())
        replication_key = entry.replication_key or root.replication_key
        mask = entry.metadata.resolve_selection()
        selected = {name for name in schema.get("properties", {}) if mask["properties", name]}
    catalogued = StreamColumns(
        stream, schema, naming=naming, rules=source.rules, is_selected=selected.__contains__
    )
    for both in catalogued.run_names.items():
        # A run sends its keys even if the catalog deselects them.
        if {*key_columns, replication_key} & {*both}:
            selected.update(both)
    keys = {catalogued.run_names.get(name, name) for name in key_columns}
    resolved = reconcile(catalogued.catalog, found.headers, source.rules, naming)
    roles = _roles(metadata)
    return [
        _property(source, stream, described, resolved, keys=keys, roles=roles)
        for described in _described(found.headers, catalogued.all)
    ]


def _described(
    headers: Sequence[Property], columns: Iterable[Column]
) -> list[tuple[Property | None, Column | None]]:
    """Each property by its header and its column in the catalog: one of them may be missing."""
    by_key = {column.key: column for column in columns}
    pairs: list[tuple[Property | None, Column | None]] = [
        (header, by_key.pop(header.key, None)) for header in headers
    ]
    return [*pairs, *((None, column) for column in by_key.values())]


def _property(  # noqa: PLR0913 - all that decides about a property
    source: Source,
    stream: str,
    described: tuple[Property | None, Column | None],
    resolved: ResolvedColumns,
    *,
    keys: set[str],
    roles: Mapping[str, Sequence[str]],
) -> PropertyEntry:
    header, catalogued = described
    descriptions = [each for each in (catalogued and catalogued.property, header) if each]
    shown = header or descriptions[0]
    protections = source.rules.protections(stream, *descriptions)
    column = next((each for each in resolved.columns if each.key == shown.key), None)
    if source.rules.is_excluded(stream, *descriptions):
        treatment = PropertyTreatment.EXCLUDED
    elif column is not None:
        treatment = PropertyTreatment.HASHED if column.hashed else PropertyTreatment.READ
    elif shown.key in resolved.rescued_keys:
        hashed = shown.key in resolved.hashed_keys
        treatment = PropertyTreatment.HASHED if hashed else PropertyTreatment.RESCUED
    else:
        treatment = (
            PropertyTreatment.IGNORED if catalogued is None else PropertyTreatment.NOT_SELECTED
        )
    patterns = {
        PropertyTreatment.EXCLUDED: source.rules.excluded,
        PropertyTreatment.HASHED: source.rules.hashed,
    }.get(treatment, ())
    return PropertyEntry(
        key=shown.key,
        name=shown.name,
        declared=header.type if header else "",
        column=column.name if column else "",
        json_type=json_type(column.type, nullable=column.name not in keys) if column else "",
        treatment=treatment,
        patterns=[pattern for pattern in protections if pattern in patterns],
        roles=roles.get(shown.key, ()),
    )


def json_type(column_type: ColumnType, *, nullable: bool) -> str:
    """`number or null`, `string (date) or null`: the JSON Schema of a column in words."""
    schema = to_json_schema(column_type, nullable=nullable)
    name = str(schema["type"][0])
    with_format = f"{name} ({schema['format']})" if "format" in schema else name
    return f"{with_format} or null" if nullable else with_format


def _roles(metadata: Metadata | None) -> dict[str, list[str]]:
    """Property key to its uses in the metadata."""
    roles: dict[str, list[str]] = {}
    if metadata is not None:
        for role, key in (
            ("key", metadata.auto_id),
            ("label", metadata.label_id),
            ("tree", metadata.tree_id),
            ("parent", metadata.tree_parent_id),
        ):
            if key is not None:
                roles.setdefault(key, []).append(role)
    return roles
