"""What the next run needs to know of a stream, beside the SDK's bookmark.

It is written after the last row only: a state is never ahead of its records.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.timestamps import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_orgvue.schema.columns import Column

T = TypeVar("T")

STATE_KEY = "orgvue"
"""Where it stands in a stream's bookmark."""


class StreamState(msgspec.Struct):
    """The tap's own state of a stream.

    Attributes:
        types: Column name to the type that its table was made with.
        rows: Rows of the last complete export; None before the first.
        version: The last version that records carried; None before the first.
        permissioned: True if the token's user saw only a part of the dataset; None if unknown.
        cache_key: The dataset's cache key at its last complete export.
        fingerprint: What was requested then; see `fingerprint_of`.
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
    def from_bookmark(cls, bookmark: Mapping[str, Any]) -> StreamState:
        """Read a stream's bookmark; members of another form count as missing."""
        own = bookmark.get(STATE_KEY)
        if not isinstance(own, dict):
            return cls()
        by_type = _of_type(own.get("types"), dict) or {}
        return cls(
            types={
                str(name): column_type.value
                for column_type in ColumnType
                for name in _of_type(by_type.get(column_type.value), list) or ()
            },
            rows=_of_type(own.get("rows"), int),
            version=_of_type(own.get("version"), int),
            permissioned=_of_type(own.get("permissioned"), bool),
            cache_key=_of_type(own.get("cache_key"), str),
            fingerprint=_of_type(own.get("fingerprint"), str),
            exported_at=parse_instant(str(own.get("exported_at"))),
        )

    def to_json(self) -> dict[str, Any]:
        """The bookmark's member; small, since every STATE message repeats it."""
        by_type: dict[str, list[str]] = {}
        for name, column_type in self.types.items():
            by_type.setdefault(column_type, []).append(name)
        members = {
            "types": by_type,
            "rows": self.rows,
            "version": self.version,
            "permissioned": self.permissioned,
            "cache_key": self.cache_key,
            "fingerprint": self.fingerprint,
            "exported_at": format_instant(self.exported_at) if self.exported_at else None,
        }
        return {name: value for name, value in members.items() if value is not None}

    def remember_types(self, columns: Iterable[Column]) -> None:
        """Keep the types of emitted columns; other columns keep theirs."""
        self.types |= {column.name: column.type.value for column in columns}

    def next_version(self, now: int) -> int:
        """A version greater than every one before, whatever the clock says.

        Args:
            now: Seconds since 1970: loaders keep versions in 32 bits.
        """
        return now if self.version is None else max(now, self.version + 1)

    def is_unchanged(
        self, cache_key: str | None, fingerprint: str, *, now: datetime, max_days: int
    ) -> bool:
        """True if a new export would deliver the same as the last one.

        Args:
            cache_key: The dataset's cache key now.
            fingerprint: What would be requested now.
            now: The current time.
            max_days: Days after which an export is made in any case.
        """
        return (
            cache_key is not None
            and (cache_key, fingerprint) == (self.cache_key, self.fingerprint)
            and self.exported_at is not None
            # A wrong clock may have dated it in the future.
            and timedelta(0) <= now - self.exported_at < timedelta(days=max_days)
        )

    def remember_export(self, cache_key: str, fingerprint: str) -> None:
        """Keep the cache key and the fingerprint of a complete export."""
        self.cache_key, self.fingerprint = cache_key, fingerprint
        self.exported_at = datetime.now(timezone.utc)


def fingerprint_of(*parts: object) -> str:
    """A digest of everything beside the dataset that decides what is sent.

    Args:
        parts: Values whose `repr` is stable.
    """
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()


def _of_type(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None
