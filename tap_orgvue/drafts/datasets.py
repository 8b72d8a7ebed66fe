"""The datasets that drafts are based on: whether they are read, and the rules for values."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.orgvue.errors import DatasetRefusal
from tap_orgvue.orgvue.models import ID, Property, is_dataset_id
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.schema.change_rules import AnyDatasetRules, DatasetRules
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.columns import columns_in
from tap_orgvue.schema.naming import DRAFT_STREAMS
from tap_orgvue.singer.stream_maps import altered_columns, has_filter

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.orgvue.models import Metadata
    from tap_orgvue.schema.change_rules import ChangeRules
    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.streams.absent import SkippedInCatalog
    from tap_orgvue.streams.dataset_stream import DatasetStream
    from tap_orgvue.streams.source import Source

_ID_PROPERTY = Property(ID, "Id", "text")
"""The property `_id`, which metadata lacks as it lacks all generated properties."""
_OWNER_SEPARATOR = "/"


class DraftDatasets:
    """The datasets of the tenant, as drafts need them. Thread safe.

    Attributes:
        used: Dataset id in upper case to its rules, for each dataset whose rules were needed.
    """

    def __init__(
        self,
        source: Source,
        streams: Iterable[DatasetStream],
        *,
        logger: logging.Logger,
        skipped: Iterable[SkippedInCatalog] = (),
        maps: Mapping[str, Any] | None = None,
    ) -> None:
        """Request nothing yet.

        Args:
            source: The tenant.
            streams: The streams of the run's datasets, deselected ones included.
            logger: For warnings about datasets whose properties cannot be read.
            skipped: The datasets that discovery skipped.
            maps: The setting `stream_maps`.
        """
        self._logger = logger
        self._maps = maps or {}
        self._skipped = {each.dataset_id: each for each in skipped}
        self.used: dict[str, DatasetRules] = {}
        self._source = source
        self._streams = {stream.dataset_id.upper(): stream for stream in streams}
        self._metadata: dict[str, Metadata | None] = {}
        self._rules: dict[tuple[str, bool], DatasetRules] = {}
        self._any: ChangeRules | None = None
        self._lock = Lock()

    # -- whether it is read

    def stream_name(self, dataset_id: str) -> str | None:
        """The name of a dataset's stream; None if the tenant does not list it."""
        stream = self._streams.get(dataset_id.upper())
        if stream is not None:
            return stream.name
        discovery = self._source.discovery
        dataset = discovery.datasets_by_id.get(dataset_id.upper())
        return None if dataset is None else discovery.stream_name(dataset)

    def reason_not_read(self, dataset_id: str) -> str | None:
        """Why settings or selection leave a dataset out, as a clause; None if they do not."""
        stream = self._streams.get(dataset_id.upper())
        if stream is not None:
            return self._reason_not_sent(stream)
        if dataset_id.upper() in self._skipped:
            return None
        discovery = self._source.discovery
        if self._source.settings.datasets and not discovery.is_matched(dataset_id):
            return "`datasets` leaves its dataset out"
        if discovery.has_catalog and self._metadata_of(dataset_id) is not None:
            return "its dataset is not in the catalog"
        return None

    def _reason_not_sent(self, stream: DatasetStream) -> str | None:
        if not stream.selected:
            return f"its stream '{stream.name}' is deselected"
        if has_filter(self._maps, stream.name):
            return f"`stream_maps` filters the rows of its stream '{stream.name}'"
        names = {column.name for column in stream.columns.selected}
        if names and altered_columns(self._maps, stream.name, names) == names:
            return f"`stream_maps` removes its stream '{stream.name}'"
        return None

    def fault(self, dataset_id: str) -> str:
        """Why discovery skipped a dataset, unless it was a refusal; empty if it did not."""
        skipped = self._skipped.get(dataset_id.upper())
        return "" if skipped is None or skipped.forbidden else skipped.reason

    # -- rules

    def rules_of(self, dataset_id: str | None, *, is_named: bool) -> ChangeRules:
        """The rules for the values in a draft's changes.

        Args:
            dataset_id: The dataset that the draft is based on; None if Orgvue names none.
            is_named: True if the setting `drafts` names the draft by its id: its dataset need not
                be read.

        Raises:
            OrgvueError: A dataset's properties cannot be read, for another reason than a refusal.
        """
        with self._lock:
            if dataset_id is None:
                if self._any is None:
                    self._any = self._rules_of_any()
                return self._any
            return self._rules_of(dataset_id, is_named=is_named)

    def _rules_of_any(self) -> ChangeRules:
        """The rules for a draft that may be based on any dataset."""
        ids = [dataset.dataset_id for dataset in self._source.discovery.listed]
        unknown = [each for each in ids if each.upper() not in self._metadata]
        pool = DaemonThreadPool(self._source.settings.max_parallel_requests)
        try:
            for dataset_id, metadata in zip(unknown, pool.map(self._request, unknown), strict=True):
                self._metadata[dataset_id.upper()] = metadata
        finally:
            pool.close()
        everywhere = dict.fromkeys([*map(str.upper, ids), *self._streams])
        return AnyDatasetRules([self._rules_of(each, is_named=False) for each in everywhere])

    def _rules_of(self, dataset_id: str, *, is_named: bool) -> DatasetRules:
        cached = dataset_id.upper(), is_named
        if cached not in self._rules:
            self._rules[cached] = self._make_rules(dataset_id.upper(), is_named=is_named)
            self.used[dataset_id.upper()] = self._rules[cached]
        return self._rules[cached]

    def _make_rules(self, dataset_id: str, *, is_named: bool) -> DatasetRules:
        stream, metadata = self._streams.get(dataset_id), self._metadata_of(dataset_id)
        name = self.stream_name(dataset_id)
        # Patterns such as `stream.key` cannot be applied to a dataset without a name.
        are_known = metadata is not None and name is not None
        stored = metadata.properties if metadata is not None else ()
        properties: dict[str, list[Property]] = {}
        for column in stream.columns.all if stream is not None else ():
            properties.setdefault(column.key, []).append(column.property)
        for declared in stored:
            properties.setdefault(declared.key, []).append(declared)
        rules = self._with_memory(dataset_id, name or "")
        if are_known or not rules.hashed:
            properties.setdefault(ID, [_ID_PROPERTY])
        read = {ID}
        if stream is not None and stream.selected:
            keys = _read_keys(stream, rules, properties)
            has_id = any(column.key == ID for column in stream.columns.all)
            read = keys if has_id else read | keys
        elif is_named:
            read |= properties.keys() - (_deselected_keys(stream) if stream is not None else set())
        if stream is not None:
            names = {column.name: column.key for column in stream.columns.all}
            altered = altered_columns(self._maps, stream.name, names)
            # A map that removes the whole stream says nothing of `_id`.
            of_stream = {ID} if altered == names.keys() else set()
            read -= {names[each] for each in altered} - of_stream
        return DatasetRules(name or "", rules, properties, read, are_known)

    def _with_memory(self, dataset_id: str, stream: str) -> ColumnRules:
        """The user's rules, with what earlier runs protected in the dataset and in its drafts."""
        rules = self._source.rules
        remembered = dict(rules.remembered)
        for (owner, key), patterns in rules.remembered.items():
            owning, _, inner = key.partition(_OWNER_SEPARATOR)
            if owner in DRAFT_STREAMS and owning == dataset_id:
                before = remembered.get((stream, inner), frozenset())
                remembered[stream, inner] = before | patterns
        return msgspec.structs.replace(rules, remembered=remembered)

    def protections(self, earlier: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """The protections to keep in the state: patterns, and keys with their dataset's id.

        Args:
            earlier: The protections of earlier runs.
        """
        rules = self._source.rules
        patterns = {*rules.excluded, *rules.hashed}
        before = [pair for pair in earlier if pair[0] in patterns]
        now = [
            (pattern, f"{dataset_id}{_OWNER_SEPARATOR}{key}")
            for dataset_id, each in self.used.items()
            for pattern, key in each.protections()
        ]
        return list(dict.fromkeys([*before, *now]))

    # -- metadata

    def _metadata_of(self, dataset_id: str) -> Metadata | None:
        """A dataset's metadata; None if Orgvue refuses it."""
        if dataset_id.upper() not in self._metadata:
            self._metadata[dataset_id.upper()] = self._request(dataset_id)
        return self._metadata[dataset_id.upper()]

    def _request(self, dataset_id: str) -> Metadata | None:
        if not is_dataset_id(dataset_id):
            return None
        try:
            return self._source.client.metadata(dataset_id)
        except DatasetRefusal as refusal:
            self._logger.warning(
                "The properties of dataset %s cannot be read, so that no value of it is sent from "
                "drafts that are or may be based on it. %s",
                dataset_id,
                refusal,
            )
            return None


def _read_keys(
    stream: DatasetStream, rules: ColumnRules, properties: Mapping[str, Sequence[Property]]
) -> set[str]:
    """The keys that a selected stream reads; new ones too, where its run reads them."""
    columns = stream.columns
    read = {column.key for column in columns.selected}
    adds = rules.new_properties in {NewProperties.ADD, NewProperties.RESCUE}
    if adds and columns.catalog.all_selected(rules):
        read |= properties.keys() - {column.key for column in columns.all}
    return read


def _deselected_keys(stream: DatasetStream) -> set[str]:
    """The keys whose own metadata in the catalog deselects them, whatever the stream's says."""
    deselected = set()
    for column in columns_in(stream.effective_schema):
        metadata = stream.metadata.get(("properties", column.name))
        if metadata is None:
            continue
        given = metadata.selected
        if given is None:
            given = metadata.selected_by_default
        if given is False or metadata.inclusion == metadata.InclusionType.UNSUPPORTED:
            deselected.add(column.key)
    return deselected
