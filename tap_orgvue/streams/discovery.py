"""A tenant as streams: which dataset is which stream, from Orgvue or from a catalog."""

from __future__ import annotations

import fnmatch
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.headers import Discovery
from tap_orgvue.orgvue.errors import DatasetRefusal, Misconfigured
from tap_orgvue.orgvue.models import ID, is_dataset_id
from tap_orgvue.orgvue.thread_pool import Workers
from tap_orgvue.schema import naming
from tap_orgvue.schema.columns import columns_in, columns_of, stream_schema

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.singerlib.catalog import Catalog, CatalogEntry

    from tap_orgvue.exports.headers import Description
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset, Metadata, Property
    from tap_orgvue.schema.column_rules import PropertyRules


def wanted(
    datasets: Sequence[Dataset], patterns: Sequence[str], logger: logging.Logger
) -> list[Dataset]:
    """Keep the datasets that the setting `datasets` names.

    Args:
        datasets: All datasets of the tenant.
        patterns: Ids, and patterns over names in any case; empty for all.
        logger: Told of a pattern that matches nothing.

    Raises:
        Misconfigured: An id that the tenant does not have.
    """
    if not patterns:
        return list(datasets)
    kept: set[str] = set()
    for pattern in patterns:
        if is_dataset_id(pattern):
            matched = {d.dataset_id for d in datasets if d.dataset_id.upper() == pattern.upper()}
            if not matched:
                message = (
                    f"datasets: the tenant has no dataset {pattern}, or the token's user may not "
                    "see it. A dataset's id stands at the bottom of its metadata page."
                )
                raise Misconfigured(message)
        else:
            folded = pattern.casefold()
            matched = {
                d.dataset_id
                for d in datasets
                if d.name.casefold() == folded or fnmatch.fnmatchcase(d.name.casefold(), folded)
            }
            if not matched:
                logger.warning("datasets: no dataset's name matches %r.", pattern)
        kept |= matched
    return [dataset for dataset in datasets if dataset.dataset_id in kept]


class DatasetEntry(msgspec.Struct, frozen=True):
    """What a stream of a dataset is made of.

    Attributes:
        name: The stream's name.
        dataset_id: The dataset's id.
        schema: The stream's JSON Schema.
        key_columns: Names of the columns that identify a record.
    """

    name: str
    dataset_id: str
    schema: Mapping[str, Any]
    key_columns: tuple[str, ...]


class Tenant:
    """The datasets of a tenant and their names as streams."""

    def __init__(
        self,
        client: Client,
        rules: PropertyRules,
        catalog: Catalog | None,
        logger: logging.Logger,
    ) -> None:
        """Ask nothing yet.

        Args:
            client: The tenant's API.
            rules: What the user said of single properties.
            catalog: What a user passed; then only what it lacks is asked for.
            logger: For warnings about single datasets.
        """
        self._client = client
        self._rules = rules
        self._catalog = catalog
        self._logger = logger
        self._settings = client.settings
        self._discovery = Discovery(client, logger)

    @cached_property
    def _listed(self) -> list[Dataset]:
        return self._client.datasets()

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The datasets that the settings let in."""
        return wanted(self._listed, self._settings.datasets, self._logger)

    @cached_property
    def datasets_by_id(self) -> dict[str, Dataset]:
        """All datasets of the tenant, by their ids in upper case."""
        return {dataset.dataset_id.upper(): dataset for dataset in self._listed}

    @cached_property
    def stream_names(self) -> dict[str, str]:
        """Dataset id to stream name, over all datasets, so that `datasets` renames nothing."""
        return naming.stream_names(self._listed, self._settings.stream_names)

    # -- from Orgvue

    def discover(self) -> Iterator[DatasetEntry]:
        """Look at every dataset that the settings let in."""
        for description in self._discovery.describe(self.datasets):
            yield self._entry(description)
        for pattern in self._rules.unmatched:
            self._logger.warning("The pattern %r matches no property of any dataset.", pattern)

    def headers(self, dataset_id: str) -> tuple[Property, ...]:
        """Ask for the columns of a dataset's export, without its rows."""
        return self._discovery.headers(dataset_id)

    def _entry(self, description: Description) -> DatasetEntry:
        name = self.stream_names[description.dataset.dataset_id]
        columns = columns_of(
            description.headers, self._rules, name, original=self._settings.original_columns
        )
        for column in columns:
            if self._settings.original_columns and not naming.is_safe_name(column.name):
                self._logger.warning(
                    "Stream '%s': the column %r, called as in Orgvue, is a name that some loaders "
                    "change or refuse. `column_names: snake_case` avoids that.",
                    name,
                    column.name,
                )
        key_columns = tuple(column.name for column in columns if column.key == description.key)
        schema = stream_schema(columns, key_columns, rescue=self._settings.rescue_data)
        return DatasetEntry(name, description.dataset.dataset_id, schema, key_columns)

    # -- from a catalog

    def catalogued(self, catalog: Catalog) -> Iterator[DatasetEntry]:
        """Take the datasets of a catalog, without asking Orgvue where it holds their ids.

        Raises:
            Misconfigured: A selected stream's dataset is not to be found.
        """
        for entry in catalog.streams:
            if entry.tap_stream_id in naming.RESERVED_STREAMS:
                continue
            known = is_dataset_id(entry.table or "")
            dataset_id = entry.table if known else self._id_by_name(entry)
            if dataset_id is None:
                continue
            schema = entry.schema.to_dict()
            for column in columns_in(schema):
                self._rules.is_hashed(entry.tap_stream_id, column.property)
            yield DatasetEntry(
                entry.tap_stream_id,
                dataset_id,
                schema,
                tuple(entry.key_properties or entry.metadata.root.table_key_properties or ()),
            )
        # Excluded properties are not in a catalog, but those to hash are: a pattern that misses
        # them would send their values as they are.
        for pattern in self._settings.hash_properties:
            if pattern not in self._rules.matched:
                self._logger.warning(
                    "hash_properties: the pattern %r matches no property of the catalog.", pattern
                )

    def _id_by_name(self, entry: CatalogEntry) -> str | None:
        for dataset_id, name in self.stream_names.items():
            if name == entry.tap_stream_id:
                return dataset_id
        if not entry.metadata.resolve_selection().get((), True):
            return None
        message = (
            f"Stream '{entry.tap_stream_id}' is selected, but the tenant has no dataset of that "
            "name and the catalog holds no dataset id. Deselect it or discover anew."
        )
        raise Misconfigured(message)

    # -- about the datasets

    def described(self) -> Iterator[tuple[Dataset, str, Metadata]]:
        """Ask for the metadata of every dataset that the settings let in.

        Yields:
            Dataset, stream name and metadata. A dataset that may not be read is left out with a
            warning.
        """
        workers = Workers(self._settings.max_parallel_requests)
        try:
            answers = workers.map(self._metadata, self.datasets)
            for dataset, metadata in zip(self.datasets, answers, strict=True):
                if metadata is not None:
                    yield dataset, self._name_in_use(dataset), metadata
        finally:
            workers.close()

    def _metadata(self, dataset: Dataset) -> Metadata | None:
        try:
            return self._client.metadata(dataset.dataset_id)
        except DatasetRefusal as refusal:
            self._logger.warning("The metadata of dataset %s is left out. %s", dataset, refusal)
            return None

    def column_names(self, dataset: Dataset, metadata: Metadata) -> dict[str, str]:
        """Property key to column name, as the dataset's stream has it."""
        keys = [ID, *(declared.key for declared in metadata.properties if declared.key != ID)]
        if self._settings.original_columns:
            return {key: key for key in keys}
        entry = self._entry_of(dataset)
        known = columns_in(entry.schema.to_dict()) if entry else []
        return naming.column_names(keys, {column.key: column.name for column in known})

    def _name_in_use(self, dataset: Dataset) -> str:
        entry = self._entry_of(dataset)
        return entry.tap_stream_id if entry else self.stream_names[dataset.dataset_id]

    def _entry_of(self, dataset: Dataset) -> CatalogEntry | None:
        entries = self._catalog.streams if self._catalog else []
        return next((entry for entry in entries if entry.table == dataset.dataset_id), None)
