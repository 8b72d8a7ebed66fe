"""The query of a stream's export: columns, the user's filter, the increment, a slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.errors import Misconfigured
from tap_orgvue.orgvue.models import MODIFIED_AT, ExportMode, Property, Query
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.streams.pagination import Slice
from tap_orgvue.timestamps import format_bound, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_orgvue.orgvue.models import Filter
    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.schema.columns import CatalogColumns, Column
    from tap_orgvue.settings import Settings


class ExportQueryBuilder:
    """Builds the queries of one stream.

    Attributes:
        user_filter: The user's filter; empty for all rows.
        linking: Ids of the LINKS datasets for properties that are calculated through links.
    """

    def __init__(  # noqa: PLR0913 - what a query depends on
        self,
        dataset_id: str,
        catalog: CatalogColumns,
        rules: ColumnRules,
        settings: Settings,
        *,
        replication_key: str | None,
        bookmark: Mapping[str, Any],
    ) -> None:
        """Keep what the queries depend on.

        Args:
            dataset_id: Orgvue's id of the dataset.
            catalog: The stream's columns in the catalog.
            rules: The user's rules for single properties.
            settings: The run's settings.
            replication_key: The column of the replication key; None for a full table.
            bookmark: The stream's state.
        """
        self._stream = catalog.stream
        self._catalog = catalog
        self._rules = rules
        self._settings = settings
        self._replication_key = replication_key
        self._bookmark = bookmark
        self._missing: set[str] = set()
        self._new: list[str] = []
        self.user_filter: Filter = (
            settings.for_stream(settings.filters, self._stream, dataset_id) or {}
        )
        self.linking: Sequence[str] = (
            settings.for_stream(settings.linking_relationships, self._stream, dataset_id) or ()
        )

    def read_everything(self) -> None:
        """Ignore the bookmark: read the stream as its first run would."""
        self._bookmark = {}

    # -- checks

    def check(self) -> None:
        """Check the query before any request.

        Raises:
            Misconfigured: There is no such query.
        """
        column = self.replication_column(self._catalog.columns)
        if column is not None:
            self._merge_filters(self.user_filter, {column.key: {"$gte": ""}})
        if self._settings.export_mode is ExportMode.PAGED:
            self.check_slices()

    def check_slices(self) -> None:
        """Check that the export can be requested in slices.

        Raises:
            Misconfigured: The user's filter has a condition on `_id`.
        """
        self._merge_filters(self.user_filter, Slice("", "").filter())

    def replication_column(
        self, columns: Sequence[Column], headers: Sequence[Property] = ()
    ) -> Column | None:
        """The column of the replication key; None for a full table.

        Args:
            columns: The catalog's, or the run's.
            headers: The export's, once they are known.

        Raises:
            Misconfigured: Orgvue cannot filter by it.
        """
        if self._replication_key is None:
            return None
        found = next((c for c in columns if c.name == self._replication_key), None)
        remedy = f"Set it to the column of {MODIFIED_AT}, or replicate the full table."
        if not self._settings.include_calculations and (found is None or found.key.startswith("_")):
            reason = "is not among the stored values"
            remedy = "Set `include_calculations` to true, or replicate the full table."
        elif found is None:
            reason = "is not a column of the dataset"
        elif found.type not in {ColumnType.DATE_TIME, ColumnType.DATE}:
            reason = "is no date, so new rows cannot be requested by it"
        elif headers and all(header.key != found.key for header in headers):
            reason = "is gone from the dataset, so new rows cannot be requested"
        else:
            return found
        raise Misconfigured(
            f"Stream '{self._stream}': its replication key '{self._replication_key}' {reason}. "
            f"{remedy}"
        )

    def unknown_filter_keys(self, headers: Iterable[Property]) -> Iterator[str]:
        """Warnings about filter conditions on properties that the dataset lacks.

        Args:
            headers: The export's columns.
        """
        columns = self._catalog.columns
        known = {header.key for header in headers}
        if self.query().projection is not None:
            # The headers then lack properties that exist.
            known |= {column.key for column in columns}
        for key in self.user_filter.keys() - known:
            if key.startswith("_") or self._rules.is_excluded(self._stream, Property(key, key)):
                continue
            named = next((column.key for column in columns if column.name == key), None)
            advice = f"The column {key!r} is {named!r} there." if named else "Is it misspelt?"
            yield (
                f"Stream '{self._stream}': its filter has a condition on {key!r}, which is no "
                f"property of the dataset in Orgvue. {advice}"
            )

    def forget_missing_properties(self, headers: Iterable[Property]) -> bool:
        """Stop requesting properties that the dataset no longer has.

        Args:
            headers: The dataset's columns.

        Returns:
            True if a requested property is missing.
        """
        self._missing = set(self._projection()) - {header.key for header in headers}
        return bool(self._missing)

    @property
    def hides_new_properties(self) -> bool:
        """True if the projection may keep out properties that `new_properties` is about.

        It does so where a property is excluded and no column is deselected. With `ignore`, new
        properties are not wanted.
        """
        return (
            bool(self._rules.excluded)
            and self._settings.include_calculations
            and self._rules.new_properties is not NewProperties.IGNORE
            and self._catalog.all_selected(self._rules)
        )

    def request_new_properties(self, headers: Iterable[Property]) -> None:
        """Request the properties that the catalog lacks, too, unless they are excluded.

        Args:
            headers: The dataset's columns.
        """
        known = {column.key for column in self._catalog.columns}
        self._new = [
            header.key
            for header in headers
            if header.key not in known and not self._rules.is_excluded(self._stream, header)
        ]

    # -- the query

    def query(self, part: Slice | None = None) -> Query:
        """The query of one request.

        Deselected properties are not in the projection, so that they never leave Orgvue.

        Args:
            part: The slice to request; all of it without one.

        Raises:
            Misconfigured: Two conditions on one property cannot be merged.
        """
        conditions = self.user_filter
        for more in (self._incremental_filter(), part.filter() if part else {}):
            conditions = self._merge_filters(conditions, more)
        # An exclusion is a projection of all other properties.
        all_columns = not self._rules.excluded and self._catalog.all_selected(self._rules)
        stored = not self._settings.include_calculations
        return Query(
            filter=conditions,
            projection=None if all_columns or stored else self._projection(),
            linking=self.linking,
        )

    @property
    def bookmark(self) -> datetime | None:
        """The bookmark of the replication key; None without a readable one."""
        if self._replication_key is None or not self.has_bookmark:
            return None
        return parse_instant(str(self._bookmark.get("replication_key_value")))

    @property
    def has_bookmark(self) -> bool:
        """True if the state has a bookmark of the replication key, readable or not."""
        return (
            self._replication_key is not None
            and self._bookmark.get("replication_key") == self._replication_key
            and self._bookmark.get("replication_key_value") is not None
        )

    def _projection(self) -> list[str]:
        catalog = self._catalog
        known = [
            column.key
            for column in catalog.columns
            if column.name in catalog.selected
            and not self._rules.is_excluded(self._stream, column.property)
        ]
        return [key for key in (*known, *self._new) if key not in self._missing]

    def _merge_filters(self, conditions: Filter, more: Filter) -> Filter:
        merged = dict(conditions)
        for key, condition in more.items():
            present = merged.get(key, {})
            if not isinstance(present, dict) or present.keys() & condition.keys():
                raise Misconfigured(
                    f"Stream '{self._stream}': its filter has a condition on {key!r}, on which the "
                    "tap sets one of its own here. Remove it from `filters`, replicate the full "
                    "table, or set another `export_mode`."
                )
            merged[key] = {**present, **condition}
        return merged

    def _incremental_filter(self) -> Filter:
        """The condition of an incremental stream: at least the bookmark."""
        column = self.replication_column(self._catalog.columns)
        if column is None:
            return {}
        # `start_date` counts for the first run only: later it would skip what lies between.
        since = self.bookmark or self._settings.start_date
        if since is None:
            return {}
        if column.type is ColumnType.DATE:
            since = since.replace(hour=0, minute=0, second=0, microsecond=0)
        return {column.key: {"$gte": format_bound(since)}}
