"""Which dataset is which stream: from Orgvue, or from a catalog."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.orgvue.errors import DatasetRefusal, Misconfigured
from tap_orgvue.orgvue.models import ID, is_dataset_id
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.schema import naming
from tap_orgvue.schema.columns import columns_in, columns_of, stream_schema
from tap_orgvue.schema.patterns import matches

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.singerlib.catalog import Catalog, CatalogEntry

    from tap_orgvue.exports.headers import DatasetHeaders, HeaderReader
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset, Metadata
    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.settings import Settings


class StreamDefinition(msgspec.Struct, frozen=True):
    """What a dataset's stream is made of.

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
    """The datasets of a tenant and their streams."""

    def __init__(  # noqa: PLR0913 - what discovery depends on
        self,
        client: Client,
        headers: HeaderReader,
        *,
        rules: ColumnRules,
        settings: Settings,
        catalog: Catalog | None,
        logger: logging.Logger,
    ) -> None:
        """Request nothing yet.

        Args:
            client: The tenant's API.
            headers: Reads the headers of exports.
            rules: The user's rules for single properties.
            settings: The run's settings.
            catalog: The user's catalog; Orgvue is asked only for what it lacks.
            logger: For warnings about single datasets.
        """
        self._client = client
        self._headers = headers
        self._rules = rules
        self._settings = settings
        self._catalog = catalog
        self._logger = logger

    @property
    def has_catalog(self) -> bool:
        """True if the streams come from a user's catalog."""
        return self._catalog is not None

    @cached_property
    def _listed(self) -> list[Dataset]:
        return self._client.datasets()

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The datasets that match the setting `datasets`."""
        return select_datasets(self._listed, self._settings.datasets, self._logger)

    @cached_property
    def datasets_by_id(self) -> dict[str, Dataset]:
        """All datasets of the tenant, by their ids in upper case."""
        return {dataset.dataset_id.upper(): dataset for dataset in self._listed}

    @cached_property
    def stream_names(self) -> dict[str, str]:
        """Dataset id to stream name, over all datasets, so that `datasets` renames nothing."""
        return naming.stream_names(self._listed, self._settings.stream_names)

    def streams(self) -> Iterator[StreamDefinition]:
        """The streams of the catalog, or of the tenant without one.

        Raises:
            OrgvueError: The tenant cannot be read.
        """
        if self._catalog is None:
            return self._from_orgvue()
        return self._from_catalog(self._catalog)

    # -- from Orgvue

    def _from_orgvue(self) -> Iterator[StreamDefinition]:
        for found in self._headers.read_all(self.datasets):
            yield self._definition(found)
        for pattern in self._rules.unmatched:
            self._logger.warning("The pattern %r matches no property of any dataset.", pattern)

    def _definition(self, found: DatasetHeaders) -> StreamDefinition:
        name = self.stream_names[found.dataset.dataset_id]
        columns = columns_of(found.headers, self._rules, name)
        for column in columns:
            if self._rules.original_names and not naming.is_safe_name(column.name):
                self._logger.warning(
                    "Stream '%s': the column %r, named as in Orgvue, has a name that some loaders "
                    "change or refuse. `column_names: snake_case` avoids that.",
                    name,
                    column.name,
                )
        key_columns = tuple(column.name for column in columns if column.key == found.key)
        schema = stream_schema(columns, key_columns, rescue=self._settings.rescue_data)
        return StreamDefinition(name, found.dataset.dataset_id, schema, key_columns)

    # -- from a catalog

    def _from_catalog(self, catalog: Catalog) -> Iterator[StreamDefinition]:
        """Take the streams of a catalog, without a request where it holds their datasets' ids.

        Raises:
            Misconfigured: A selected stream's dataset does not exist.
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
            yield StreamDefinition(
                entry.tap_stream_id,
                dataset_id,
                schema,
                tuple(entry.key_properties or entry.metadata.root.table_key_properties or ()),
            )
        # A catalog lacks excluded properties, but has hashed ones: a pattern that misses them
        # would send their values in clear.
        for pattern in self._rules.hashed:
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
                    yield dataset, self._stream_name(dataset), metadata
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
        keys = [ID, *(declared.key for declared in metadata.properties if declared.key != ID)]
        if self._rules.original_names:
            return {key: key for key in keys}
        entry = self._entry_of(dataset)
        known = columns_in(entry.schema.to_dict()) if entry else []
        return naming.column_names(keys, {column.key: column.name for column in known})

    def _stream_name(self, dataset: Dataset) -> str:
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
        logger: Told of a pattern that matches nothing.

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
