"""The streams `orgvue_datasets` and `orgvue_properties`, made of metadata."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from typing_extensions import override

from tap_orgvue.reporting.journal import Stage
from tap_orgvue.schema import naming
from tap_orgvue.streams.deletion_guard import activate_version_if_safe
from tap_orgvue.streams.own_stream import OwnStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_orgvue.orgvue.models import Dataset, Metadata
    from tap_orgvue.streams.source import Source


class MetadataStream(OwnStream):
    """Rows made of the metadata of every dataset."""

    selected_by_default = False

    def __init__(self, tap: Tap, source: Source) -> None:
        """Make the stream."""
        self._source = source
        super().__init__(tap)

    @abstractmethod
    def rows_of(self, dataset: Dataset, stream_name: str, metadata: Metadata) -> Iterator[Record]:
        """The rows of one dataset."""

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Request each dataset's metadata; then activate the version, if all of it was there."""
        discovery, journal = self._source.discovery, self._source.journal.stream(self.name)
        datasets = 0
        journal.enter(Stage.WAITING)
        for dataset, stream_name, metadata in discovery.metadata():
            journal.enter(Stage.SENDING)
            datasets += 1
            for record in self.rows_of(dataset, stream_name, metadata):
                journal.rows += 1
                yield record
            journal.enter(Stage.WAITING)
        journal.enter(Stage.SENDING)
        # A dataset that may not be read today is skipped, but still exists.
        if datasets == len(discovery.datasets):
            percent = self._source.settings.delete_guard_percent
            withheld = activate_version_if_safe(
                self, self._state, journal.rows, permissioned=False, guard_percent=percent
            )
            self._keep_state(journal.rows, withheld)

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """True if rows may be removed: not where `datasets` narrows the run.

        Nor in BATCH mode, where the SDK leaves no place for a version.
        """
        settings = self._source.settings
        return (
            settings.emit_activate_version_messages
            and not settings.datasets
            and self.get_batch_config(self.config) is None
        )


class DatasetsStream(MetadataStream):
    """One row per dataset: its list entry, its metadata, its stream."""

    name = naming.DATASETS_STREAM
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("dataset_id", th.StringType, required=True, title="Dataset id"),
        th.Property("name", th.StringType, title="Name"),
        th.Property("type", th.StringType, title="Type", description="PEOPLE, POSITIONS, …"),
        th.Property("is_permissioned_view", th.BooleanType, title="Permissioned view"),
        th.Property("stream_name", th.StringType, title="Stream name"),
        th.Property("auto_id", th.StringType, title="Key of the customer's own key"),
        th.Property("label_id", th.StringType, title="Key of the label"),
        th.Property("tree_id", th.StringType, title="Key of the tree's id"),
        th.Property("tree_parent_id", th.StringType, title="Key of the tree's parent id"),
        th.Property("tags", th.ArrayType(th.StringType), title="Tags"),
        th.Property(
            "cache_key",
            th.StringType,
            title="Cache key",
            description="Changes whenever the dataset is updated or its security rules change.",
        ),
    ).to_dict()
    primary_keys = ("dataset_id",)

    @override
    def rows_of(self, dataset: Dataset, stream_name: str, metadata: Metadata) -> Iterator[Record]:
        """One row."""
        yield {
            "dataset_id": dataset.dataset_id,
            "name": dataset.name,
            "type": dataset.type,
            "is_permissioned_view": dataset.is_permissioned_view,
            "stream_name": stream_name,
            "auto_id": metadata.auto_id,
            "label_id": metadata.label_id,
            "tree_id": metadata.tree_id,
            "tree_parent_id": metadata.tree_parent_id,
            "tags": list(metadata.tags),
            "cache_key": metadata.cache_key,
        }


class PropertiesStream(MetadataStream):
    """The data dictionary: one row per property of each dataset."""

    name = naming.PROPERTIES_STREAM
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("dataset_id", th.StringType, required=True, title="Dataset id"),
        th.Property("key", th.StringType, required=True, title="Key"),
        th.Property("name", th.StringType, title="Display name"),
        th.Property("type", th.StringType, title="Declared type"),
        th.Property("is_required", th.BooleanType, title="Required"),
        th.Property("is_auto_id", th.BooleanType, title="The customer's own key"),
        th.Property("is_tree_id", th.BooleanType, title="The tree's id"),
        th.Property("is_core", th.BooleanType, title="Core property"),
        th.Property("stream_name", th.StringType, title="Stream name"),
        th.Property("column_name", th.StringType, title="Column name"),
    ).to_dict()
    primary_keys = ("dataset_id", "key")

    @override
    def rows_of(self, dataset: Dataset, stream_name: str, metadata: Metadata) -> Iterator[Record]:
        """One row per property of the metadata."""
        names = self._source.discovery.column_names(dataset, metadata)
        for declared in metadata.properties:
            yield {
                "dataset_id": dataset.dataset_id,
                "key": declared.key,
                "name": declared.name,
                "type": declared.type,
                "is_required": declared.is_required,
                "is_auto_id": declared.is_auto_id,
                "is_tree_id": declared.is_tree_id,
                "is_core": declared.is_core,
                "stream_name": stream_name,
                "column_name": names[declared.key],
            }
