"""The streams of a tenant's datasets: discovered in Orgvue, or read from a catalog."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.headers import SkippedDataset
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import DatasetRefusal, Misconfigured
from tap_orgvue.orgvue.models import ID, is_dataset_id
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.schema import naming
from tap_orgvue.schema.columns import columns_in, columns_of, stream_schema
from tap_orgvue.schema.ownership import ColumnNaming, ColumnOwners
from tap_orgvue.schema.patterns import matches
from tap_orgvue.streams.state import ORIGINAL, SNAKE_CASE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from singer_sdk.singerlib.catalog import Catalog, CatalogEntry

    from tap_orgvue.exports.headers import DatasetHeaders, HeaderReader
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset, Metadata
    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.identity import EarlierRuns

_NAMED_AT_MOST = 5


class StreamDefinition(msgspec.Struct, frozen=True):
    """The definition of a dataset's stream.

    Attributes:
        name: The stream's name.
        dataset_id: Orgvue's id of the dataset.
        schema: The stream's JSON Schema.
        key_columns: Names of the columns that identify a record.
    """

    name: str
    dataset_id: str
    schema: Mapping[str, Any]
    key_columns: tuple[str, ...]


class Discovery:
    """The datasets of a tenant and their streams.

    Attributes:
        skipped: Datasets that could not be discovered.
        bad_entries: A sentence for each entry of the list that names no dataset.
        skip_level: The log level of messages about both.
    """

    def __init__(  # noqa: PLR0913 - what discovery depends on
        self,
        client: Client,
        headers: HeaderReader,
        *,
        rules: ColumnRules,
        settings: Settings,
        earlier: EarlierRuns,
        catalog: Catalog | None,
        logger: logging.Logger,
    ) -> None:
        """Request nothing yet.

        Args:
            client: The tenant's API.
            headers: Reads the headers of exports.
            rules: The user's rules for single properties.
            settings: The run's settings.
            earlier: The streams of earlier runs, which keep their names.
            catalog: The user's catalog; only what it lacks is requested.
            logger: For warnings about single datasets.
        """
        self._client = client
        self._headers = headers
        self._rules = rules
        self._settings = settings
        self._earlier = earlier
        self._catalog = catalog
        self._logger = logger
        self.skipped: list[SkippedDataset] = []
        self.bad_entries: list[str] = []
        self.skip_level = logging.ERROR

    @property
    def has_catalog(self) -> bool:
        """True if the streams come from a user's catalog."""
        return self._catalog is not None

    @cached_property
    def listed(self) -> list[Dataset]:
        """All datasets of the tenant.

        Raises:
            Misconfigured: There is none.
        """
        listing = self._client.datasets()
        for entry in listing.bad_entries:
            self.bad_entries.append(str(entry))
            self._logger.log(self.skip_level, "%s It is skipped.", entry)
        if not listing.datasets:
            raise Misconfigured(
                "The tenant's list of datasets is empty. Check `tenant_id`, and that the token's "
                "user may see a dataset in Orgvue."
            )
        return list(listing.datasets)

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The datasets that match the setting `datasets`.

        Raises:
            Misconfigured: None matches.
        """
        selected = select_datasets(self.listed, self._settings.datasets, self._logger)
        if not selected:
            raise Misconfigured(
                f"datasets: none of the tenant's {len(self.listed)} datasets matches."
            )
        return selected

    @cached_property
    def datasets_by_id(self) -> dict[str, Dataset]:
        """All datasets of the tenant, by their ids in upper case."""
        return {dataset.dataset_id.upper(): dataset for dataset in self.listed}

    @cached_property
    def stream_names(self) -> dict[str, str]:
        """Dataset id to stream name, over all datasets, so that `datasets` renames nothing."""
        owners = self._earlier.stream_owners
        names = naming.stream_names(self.listed, self._settings.stream_names, owners)
        self._report_shared_names(names, owners)
        return names

    def _report_shared_names(self, names: Mapping[str, str], owners: Mapping[str, str]) -> None:
        known = {*owners, *self._settings.stream_names}
        newcomers = {
            dataset.dataset_id: naming.fold(dataset.name)
            for dataset in self.listed
            if dataset.dataset_id.upper() not in known
        }
        spelled = {dataset_id.upper() for dataset_id in names}
        gone = {owner: name for owner, name in owners.items() if owner not in spelled}
        for name, holders in naming.shared_names({**gone, **names}, newcomers).items():
            self._logger.warning(
                "Datasets share the name %r: their streams are %s. `stream_names` pins a name.",
                name,
                ", ".join(f"{names.get(holder, name)} ({holder})" for holder in holders),
            )

    def naming_of(self, stream: str, dataset_id: str) -> ColumnNaming:
        """How the columns of a stream are named."""
        original = self._rules.original_names
        state = self._earlier.state_of(stream, dataset_id)
        same_rule = state.naming == (ORIGINAL if original else SNAKE_CASE)
        pins = self._settings.for_stream(self._settings.property_names, stream, dataset_id)
        return ColumnNaming(
            owners=state.owners if same_rule else ColumnOwners(),
            pins=pins or {},
            original=original,
        )

    def streams(self) -> Iterator[StreamDefinition]:
        """The streams of the catalog, or of the tenant without one.

        Raises:
            OrgvueError: The tenant cannot be read, or no dataset of it.
        """
        if self._catalog is None:
            return self._from_orgvue()
        return self._from_catalog(self._catalog)

    # -- from Orgvue

    def _from_orgvue(self) -> Iterator[StreamDefinition]:
        discovered = 0
        for found in self._headers.read_all(self.datasets):
            if isinstance(found, SkippedDataset):
                self._skip(found)
            else:
                discovered += 1
                yield self._definition(found)
        if not discovered:
            error = min((s.error for s in self.skipped), key=lambda e: e.remedy is Remedy.PERSON)
            message = f"None of the {len(self.datasets)} datasets can be read. {error}"
            raise Misconfigured(message, remedy=error.remedy)

    def _skip(self, skipped: SkippedDataset) -> None:
        """Leave a dataset out.

        Raises:
            OrgvueError: `datasets` names it by its id.
        """
        dataset_id = skipped.dataset.dataset_id.upper()
        if dataset_id in {pattern.upper() for pattern in self._settings.datasets}:
            raise skipped.error
        self.skipped.append(skipped)
        level = logging.WARNING if skipped.forbidden else self.skip_level
        self._logger.log(level, "Dataset %s is skipped. %s", skipped.dataset, skipped.error)

    def _definition(self, found: DatasetHeaders) -> StreamDefinition:
        dataset_id = found.dataset.dataset_id
        name = self.stream_names[dataset_id]
        column_naming = self.naming_of(name, dataset_id)
        columns = columns_of(
            found.headers,
            self._rules,
            name,
            column_naming.names([header.key for header in found.headers]),
        )
        for column in columns:
            # Whether a pattern matches anything is known once each property was looked at.
            self._rules.is_excluded(name, column.property)
        self._report_shared_columns(name, column_naming, {c.key: c.name for c in columns})
        for column in columns:
            if self._rules.original_names and not naming.is_safe_name(column.name):
                self._logger.warning(
                    "Stream '%s': the column %r, named as in Orgvue, has a name that some loaders "
                    "change or refuse. `column_names: snake_case` avoids that.",
                    name,
                    column.name,
                )
        key_columns = tuple(
            column.name
            for column in columns
            if column.key == found.key and not self._rules.is_excluded(name, column.property)
        )
        schema = stream_schema(columns, key_columns, rescue=self._settings.rescue_data)
        return StreamDefinition(name, dataset_id, schema, key_columns)

    def _report_shared_columns(
        self, stream: str, column_naming: ColumnNaming, names: Mapping[str, str]
    ) -> None:
        if column_naming.original:
            return
        newcomers = {
            key: naming.fold_key(key)
            for key in names
            if key not in column_naming.pins and column_naming.owners.name_of(key) is None
        }
        shared = naming.shared_names(names, newcomers)
        for name, keys in shared.items():
            self._logger.warning(
                "Stream '%s': properties share the column name %r: %s. `property_names` pins a "
                "name.",
                stream,
                name,
                _listed(f"{key!r} is {names[key]}" for key in keys),
            )
        for key, name in newcomers.items():
            if name not in shared and column_naming.owners.is_foreign(name, key):
                self._logger.warning(
                    "Stream '%s': the column '%s' holds the values of another property, so "
                    "that %r is %s. `property_names` pins a name.",
                    stream,
                    name,
                    key,
                    names[key],
                )

    # -- from a catalog

    def _from_catalog(self, catalog: Catalog) -> Iterator[StreamDefinition]:
        """Take the streams of a catalog, without a request where it holds their datasets' ids.

        Raises:
            Misconfigured: A selected stream's dataset does not exist.
        """
        for entry in catalog.streams:
            known = is_dataset_id(entry.table or "")
            if entry.tap_stream_id in naming.RESERVED_STREAMS and not known:
                continue
            dataset_id = entry.table if known else self._id_by_name(entry)
            if dataset_id is None or not self.is_matched(dataset_id):
                continue
            schema = entry.schema.to_dict()
            for column in columns_in(schema):
                self._rules.pinned_type(entry.tap_stream_id, column.property)
                self._rules.is_excluded(entry.tap_stream_id, column.property)
            yield StreamDefinition(
                entry.tap_stream_id,
                dataset_id,
                schema,
                tuple(entry.key_properties or entry.metadata.root.table_key_properties or ()),
            )

    def is_matched(self, dataset_id: str) -> bool:
        """True if the setting `datasets` matches a dataset of the catalog."""
        patterns = self._settings.datasets
        if not patterns or dataset_id.upper() in {pattern.upper() for pattern in patterns}:
            return True
        if all(is_dataset_id(pattern) for pattern in patterns):
            return False
        return dataset_id.upper() in {dataset.dataset_id.upper() for dataset in self.datasets}

    def _id_by_name(self, entry: CatalogEntry) -> str | None:
        for dataset_id, name in self.stream_names.items():
            if name == entry.tap_stream_id:
                return dataset_id
        if not entry.metadata.resolve_selection().get((), True):
            return None
        raise Misconfigured(
            f"Stream '{entry.tap_stream_id}' is selected, but the tenant has no dataset of that "
            "name and the catalog holds no dataset id. Deselect it, or run `--discover` again."
        )

    # -- metadata

    def metadata(self) -> Iterator[tuple[Dataset, str, Metadata]]:
        """Request the metadata of every dataset that matches the setting `datasets`.

        Yields:
            Dataset, stream name and metadata. A dataset that may not be read is skipped with a
            warning.
        """
        pool = DaemonThreadPool(self._settings.max_parallel_requests)
        try:
            responses = pool.map(self._metadata_of, self.datasets)
            for dataset, metadata in zip(self.datasets, responses, strict=True):
                if metadata is not None:
                    yield dataset, self.stream_name(dataset), metadata
        finally:
            pool.close()

    def _metadata_of(self, dataset: Dataset) -> Metadata | None:
        try:
            return self._client.metadata(dataset.dataset_id)
        except DatasetRefusal as refusal:
            self._logger.warning("The metadata of dataset %s is skipped. %s", dataset, refusal)
            return None

    def column_names(self, dataset: Dataset, metadata: Metadata) -> dict[str, str]:
        """Property key to column name, as the dataset's stream has it."""
        keys = [ID, *(declared.key for declared in metadata.properties)]
        entry = self._entry_of(dataset)
        known = columns_in(entry.schema.to_dict()) if entry else []
        column_naming = self.naming_of(self.stream_name(dataset), dataset.dataset_id)
        names = {column.key: column.name for column in known}
        return column_naming.names(list(dict.fromkeys([*keys, *names])), names)

    def stream_name(self, dataset: Dataset) -> str:
        """The name of a dataset's stream: the catalog's, or else by the rules."""
        entry = self._entry_of(dataset)
        return entry.tap_stream_id if entry else self.stream_names[dataset.dataset_id]

    def _entry_of(self, dataset: Dataset) -> CatalogEntry | None:
        entries = self._catalog.streams if self._catalog else []
        return next((entry for entry in entries if entry.table == dataset.dataset_id), None)


def select_datasets(
    datasets: Sequence[Dataset], patterns: Sequence[str], logger: logging.Logger
) -> list[Dataset]:
    """Keep the datasets that match the setting `datasets`.

    Args:
        datasets: All datasets of the tenant.
        patterns: Ids, and patterns over names (see `schema.patterns`); empty for all.
        logger: For a warning about a pattern that matches nothing.

    Raises:
        Misconfigured: The tenant has no dataset of an id.
    """
    if not patterns:
        return list(datasets)
    kept: set[str] = set()
    for pattern in patterns:
        matched = {d.dataset_id for d in datasets if _matches(d, pattern)}
        if not matched and is_dataset_id(pattern):
            raise Misconfigured(
                f"datasets: the tenant has no dataset {pattern}, or the token's user may not see "
                "it. A dataset's id stands at the bottom of its metadata page."
            )
        if not matched:
            logger.warning("datasets: no dataset's name matches %r.", pattern)
        kept |= matched
    return [dataset for dataset in datasets if dataset.dataset_id in kept]


def _matches(dataset: Dataset, pattern: str) -> bool:
    if is_dataset_id(pattern):
        return dataset.dataset_id.upper() == pattern.upper()
    return matches(pattern, [dataset.name])


def _listed(texts: Iterable[str]) -> str:
    """Some texts, and how many more there are."""
    every = [*texts]
    more = len(every) - _NAMED_AT_MOST
    return ", ".join([*every[:_NAMED_AT_MOST], *([f"and {more} more"] if more > 0 else [])])
