"""What a stream keeps in its state beside the SDK's bookmark, so that the next run knows it.

It is written after the last row alone: state never runs ahead of records.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_orgvue.schema.column_types import Kind
from tap_orgvue.timestamps import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_orgvue.schema.columns import Column


T = TypeVar("T")

IN_STATE = "orgvue"
"""The key of it all in a stream's bookmark."""


class Memory(msgspec.Struct):
    """One stream's.

    Attributes:
        types: Column name to the kind that its table was made with.
        rows: How many rows the last complete export had; None before the first.
        version: The last version that records carried; None before the first.
        permissioned: Whether the token's user saw only a part of the dataset; None if not known.
        cache_key: The dataset's cache key when it was last exported whole.
        fingerprint: What was asked for then.
        exported_at: When that was.
    """

    types: dict[str, str] = msgspec.field(default_factory=dict)
    rows: int | None = None
    version: int | None = None
    permissioned: bool | None = None
    cache_key: str | None = None
    fingerprint: str | None = None
    exported_at: datetime | None = None

    @classmethod
    def from_state(cls, bookmark: Mapping[str, Any]) -> Memory:
        """Read a stream's bookmark; what is not of its form is as if it were not there."""
        own = bookmark.get(IN_STATE)
        if not isinstance(own, dict):
            return cls()
        by_kind = _of_type(own.get("types"), dict) or {}
        return cls(
            types={
                str(name): kind.value
                for kind in Kind
                for name in _of_type(by_kind.get(kind.value), list) or ()
            },
            rows=_of_type(own.get("rows"), int),
            version=_of_type(own.get("version"), int),
            permissioned=_of_type(own.get("permissioned"), bool),
            cache_key=_of_type(own.get("cache_key"), str),
            fingerprint=_of_type(own.get("fingerprint"), str),
            exported_at=parse_instant(str(own.get("exported_at"))),
        )

    def to_state(self) -> dict[str, Any]:
        """The form that goes into the bookmark: small, since it is written with every STATE."""
        by_kind: dict[str, list[str]] = {}
        for name, kind in self.types.items():
            by_kind.setdefault(kind, []).append(name)
        whole = {
            "types": by_kind,
            "rows": self.rows,
            "version": self.version,
            "permissioned": self.permissioned,
            "cache_key": self.cache_key,
            "fingerprint": self.fingerprint,
            "exported_at": format_instant(self.exported_at) if self.exported_at else None,
        }
        return {name: value for name, value in whole.items() if value is not None}

    def remember_types(self, columns: Iterable[Column]) -> None:
        """Keep what columns were emitted as; a column that is not among them keeps its type."""
        self.types |= {column.name: column.kind.value for column in columns}

    def next_version(self, now: int) -> int:
        """A version greater than every one before, whatever the clock says.

        Args:
            now: Seconds since 1970: loaders keep versions in 32 bits.
        """
        return now if self.version is None else max(now, self.version + 1)

    def is_unchanged(
        self, cache_key: str | None, fingerprint: str, *, now: datetime, max_days: int
    ) -> bool:
        """Whether the last export still says all there is to say."""
        return (
            cache_key is not None
            and (cache_key, fingerprint) == (self.cache_key, self.fingerprint)
            and self.exported_at is not None
            # A clock that was wrong may have dated it ahead.
            and timedelta(0) <= now - self.exported_at < timedelta(days=max_days)
        )

    def doubt(self, rows: int, *, permissioned: bool, guard_percent: int) -> str | None:
        """Why rows that are missing may not be gone; None where they may be taken to be.

        Args:
            rows: How many the export has.
            permissioned: Whether the user sees only a part of the dataset now.
            guard_percent: The share of the last export's rows that is too few; 0 doubts nothing.
        """
        if not guard_percent:
            return None
        if permissioned and self.permissioned is False:
            return "the token's user sees only a part of the dataset now"
        if self.rows is not None and rows * 100 < self.rows * guard_percent:
            return (
                f"the export has {rows} rows, fewer than {guard_percent} % of the {self.rows} of "
                "the last one"
            )
        return None

    def remember_export(self, cache_key: str, fingerprint: str) -> None:
        """Keep what a complete export was of."""
        self.cache_key, self.fingerprint = cache_key, fingerprint
        self.exported_at = datetime.now(timezone.utc)


def _of_type(value: object, kind: type[T]) -> T | None:
    """A value that a state may hold, if it is of the type that it should be."""
    return value if isinstance(value, kind) else None
