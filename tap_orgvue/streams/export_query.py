"""What a stream asks of its dataset's export: which columns, which rows, what is new."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.errors import Misconfigured
from tap_orgvue.orgvue.models import MODIFIED_AT, ExportMode, Property, Query
from tap_orgvue.schema.column_types import Kind
from tap_orgvue.streams.pagination import Slice
from tap_orgvue.timestamps import format_bound, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_orgvue.orgvue.models import Filter
    from tap_orgvue.schema.column_rules import PropertyRules
    from tap_orgvue.schema.columns import Catalogued, Column


class Questions:
    """The questions of one stream.

    Attributes:
        wanted: The user's own filter; empty for all rows.
        linking: Ids of the LINKS datasets to calculate linked properties through.
    """

    def __init__(
        self,
        dataset_id: str,
        catalogued: Catalogued,
        rules: PropertyRules,
        *,
        replication_key: str | None,
        bookmark: Mapping[str, Any],
    ) -> None:
        """Take what the questions follow from.

        Args:
            dataset_id: Orgvue's id of the dataset.
            catalogued: What the catalog says of the stream.
            rules: What the user said of single properties; and all settings.
            replication_key: The column that tells what is new; None for a full table.
            bookmark: The stream's state.
        """
        self._stream = catalogued.stream
        self._catalogued = catalogued
        self._rules = rules
        self._settings = rules.settings
        self._replication_key = replication_key
        self._bookmark = bookmark
        self._gone: set[str] = set()
        settings = self._settings
        self.wanted: Filter = settings.for_stream(settings.filters, self._stream, dataset_id) or {}
        self.linking: Sequence[str] = (
            settings.for_stream(settings.linking_relationships, self._stream, dataset_id) or ()
        )

    # -- whether it can be asked

    def check(self) -> None:
        """See that what is to be asked can be, before anything is.

        Raises:
            Misconfigured: It cannot.
        """
        column = self.replication_column(self._catalogued.columns)
        if column is not None:
            self._both(self.wanted, {column.key: {"$gte": ""}})
        if self._settings.export_mode is ExportMode.PAGED:
            self.check_slices()

    def check_slices(self) -> None:
        """See that slices can be asked for.

        Raises:
            Misconfigured: The user's own filter is in the way.
        """
        self._both(self.wanted, Slice("", "").filter())

    def replication_column(
        self, columns: Sequence[Column], headers: Sequence[Property] = ()
    ) -> Column | None:
        """The column of the replication key; None for a full table.

        Args:
            columns: Those of the catalog, or those that are delivered.
            headers: Those of the export, once it is there.

        Raises:
            Misconfigured: What is new cannot be asked for by it.
        """
        if self._replication_key is None:
            return None
        found = next((c for c in columns if c.name == self._replication_key), None)
        way_out = f"Set it to the column of {MODIFIED_AT}, or replicate the full table."
        if not self._settings.include_calculations and (found is None or found.key.startswith("_")):
            reason = "is not among the stored values"
            way_out = "Set `include_calculations` to true, or replicate the full table."
        elif found is None:
            reason = "is not a column of the dataset"
        elif found.kind not in {Kind.INSTANT, Kind.DATE}:
            reason = "is no date, so what is new cannot be asked for by it"
        elif headers and all(header.key != found.key for header in headers):
            reason = "is gone from the dataset, so what is new cannot be asked for"
        else:
            return found
        message = (
            f"Stream '{self._stream}': its replication key '{self._replication_key}' {reason}. "
            f"{way_out}"
        )
        raise Misconfigured(message)

    def strange_conditions(self, headers: Iterable[Property]) -> Iterator[str]:
        """Warnings of filters over what the dataset does not have, which find nothing.

        Args:
            headers: Those of the export.
        """
        columns = self._catalogued.columns
        there = {header.key for header in headers}
        if self.query().projection is not None:
            # Then the headers do not tell of all that could be asked for.
            there |= {column.key for column in columns}
        for key in self.wanted.keys() - there:
            if key.startswith("_") or self._rules.is_excluded(self._stream, Property(key, key)):
                continue
            named = next((column.key for column in columns if column.name == key), None)
            advice = f"The column {key!r} is {named!r} there." if named else "Is it misspelt?"
            yield (
                f"Stream '{self._stream}': its filter has a condition on {key!r}, which is no "
                f"property of the dataset in Orgvue. {advice}"
            )

    def learn(self, headers: Iterable[Property]) -> bool:
        """Leave out what is no longer there from now on.

        Args:
            headers: What is there.

        Returns:
            Whether anything that was asked for is not.
        """
        self._gone = set(self._asked_keys()) - {header.key for header in headers}
        return bool(self._gone)

    # -- the question

    def query(self, part: Slice | None = None) -> Query:
        """What to ask for.

        Deselected properties are left out of the projection, so that they never leave Orgvue.

        Args:
            part: The slice to ask for; everything without one.

        Raises:
            Misconfigured: Two conditions on one property do not go together.
        """
        conditions = self.wanted
        for more in (self._what_is_new(), part.filter() if part else {}):
            conditions = self._both(conditions, more)
        # What is never asked for is kept out by naming all the rest.
        everything = self._catalogued.everything and not self._settings.exclude_properties
        stored = not self._settings.include_calculations
        return Query(
            filter=conditions,
            projection=None if everything or stored else self._asked_keys(),
            linking=self.linking,
        )

    def _asked_keys(self) -> list[str]:
        catalogued = self._catalogued
        return [
            column.key
            for column in catalogued.columns
            if column.name in catalogued.selected
            and column.key not in self._gone
            and not self._rules.is_excluded(self._stream, column.property)
        ]

    def _both(self, conditions: Filter, more: Filter) -> Filter:
        joined = dict(conditions)
        for key, condition in more.items():
            present = joined.get(key, {})
            if not isinstance(present, dict) or present.keys() & condition.keys():
                message = (
                    f"Stream '{self._stream}': its filter has a condition on {key!r}, on which the "
                    "tap sets one of its own here. Remove it from `filters`, replicate the full "
                    "table, or set another `export_mode`."
                )
                raise Misconfigured(message)
            joined[key] = {**present, **condition}
        return joined

    def _what_is_new(self) -> Filter:
        """The condition of an incremental stream: at least the bookmark."""
        column = self.replication_column(self._catalogued.columns)
        if column is None:
            return {}
        bookmarks = [self._settings.start_date]
        if self._bookmark.get("replication_key") == self._replication_key:
            bookmarks.append(parse_instant(str(self._bookmark.get("replication_key_value"))))
        known = [bookmark for bookmark in bookmarks if bookmark is not None]
        if not known:
            return {}
        since = max(known)
        if column.kind is Kind.DATE:
            since = since.replace(hour=0, minute=0, second=0, microsecond=0)
        return {column.key: {"$gte": format_bound(since)}}
