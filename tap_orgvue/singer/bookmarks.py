"""The progress of an incremental stream's replication key in one run, and its upper bound."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_orgvue.timestamps import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

SERVER_MARGIN = timedelta(seconds=60)
"""For the whole seconds of `Date`, and for a change that is stored after it was dated."""

LOCAL_MARGIN = timedelta(minutes=5)
"""For a local clock that is ahead of the server's."""


class ReplicationProgress:
    """The latest value of the replication key on the first page, and the rows without a value.

    A row of the first page may change while a later page is fetched. Its new value may be earlier
    than the latest value of that page: as a bookmark, the latter would hide the change for ever.
    A change after the first page is later than every value on it.

    Attributes:
        nulls: Rows without a value, on all pages.
    """

    def __init__(self) -> None:
        """Start before the first page."""
        self.nulls = 0
        self._page = 0
        self._latest: str | None = None

    def start_page(self) -> None:
        """Called before the rows of each page."""
        self._page += 1

    def note(self, values: Iterable[str], rows: int) -> None:
        """Count rows, and keep the latest value.

        Args:
            values: ISO 8601 texts, without nulls; those of different forms are compared as
                instants.
            rows: The number of rows, those without a value included.
        """
        values = list(values)
        self.nulls += rows - len(values)
        if self._page > 1:
            return
        latest: dict[int, str] = {}
        for value in values:
            if value > latest.get(len(value), ""):
                latest[len(value)] = value
        for value in latest.values():
            if self._latest is None or is_later(value, self._latest):
                self._latest = value

    def bookmark(self, state: dict[str, Any], key: str | None, bound: datetime) -> str | None:
        """The next bookmark; None if no row had a value.

        It is never after the bound: a later value would hide all changes until then. It is never
        before the last bookmark: all rows up to it were sent.

        Args:
            state: The stream's state.
            key: The replication key.
            bound: The latest instant up to which every change was sent.
        """
        if self._latest is None:
            return None
        limit = format_instant(bound)
        value = limit if is_later(self._latest, limit) else self._latest
        last = state.get("replication_key_value")
        if state.get("replication_key") == key and last and not is_later(value, str(last)):
            value = str(last)
        return value


def replication_bound(local: datetime, server: datetime | None, *, has_key: bool) -> datetime:
    """The latest instant up to which an export has every change.

    Args:
        local: The local clock at the start of the run.
        server: The server's clock before the export was requested; None if unknown.
        has_key: False if a loader appends rows: those that a margin reads again would be doubled.
    """
    if not has_key:
        return server or local
    return local - LOCAL_MARGIN if server is None else server - SERVER_MARGIN


def is_later(one: str, other: str) -> bool:
    """True if the first instant is after the other. An unreadable text is before every instant."""
    if len(one) == len(other) and one[-1:] == other[-1:] == "Z":
        # In UTC and of one form, texts sort as instants do.
        return one > other
    first, second = parse_instant(one), parse_instant(other)
    return first is not None and (second is None or first > second)
