"""The replication key's progress in one run of an incremental stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.timestamps import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class ReplicationProgress:
    """The latest value of the replication key on the first page.

    A row of the first page may change while a later page is fetched. Its new value may be earlier
    than the latest value of that page: as a bookmark, the latter would hide the change for ever.
    A change after the first page is later than every value on it.
    """

    def __init__(self) -> None:
        """Start before the first page."""
        self._page = 0
        self._latest: str | None = None

    def start_page(self) -> None:
        """Called before the rows of each page."""
        self._page += 1

    def note(self, values: Iterable[str]) -> None:
        """Keep the latest value; ISO 8601 texts of different forms are compared as instants."""
        if self._page > 1:
            return
        latest: dict[int, str] = {}
        for value in values:
            if value > latest.get(len(value), ""):
                latest[len(value)] = value
        for value in latest.values():
            if self._latest is None or is_later(value, self._latest):
                self._latest = value

    def bookmark(self, state: dict[str, Any], key: str | None, began: datetime) -> str | None:
        """The next bookmark; None if no row had a value.

        It is never after the start of the run: a value in the future would hide all changes until
        then. It is never before the last bookmark: all rows up to it were sent.

        Args:
            state: The stream's state.
            key: The replication key.
            began: The start of the run.
        """
        if self._latest is None:
            return None
        start = format_instant(began)
        value = start if is_later(self._latest, start) else self._latest
        last = state.get("replication_key_value")
        if state.get("replication_key") == key and last and not is_later(value, str(last)):
            value = str(last)
        return value


def is_later(one: str, other: str) -> bool:
    """True if the first instant is after the other. An unreadable text is before every instant."""
    if len(one) == len(other) and one[-1:] == other[-1:] == "Z":
        # In UTC and of one form, texts sort as instants do.
        return one > other
    first, second = parse_instant(one), parse_instant(other)
    return first is not None and (second is None or first > second)
