"""The tap's own state of a stream, beside the SDK's bookmark.

It is written after the last row only: a state is never ahead of its records. Every member is one
text, one number or one list, and always written: `meltano run --full-refresh` merges objects of the
old state into the new one, and replaces all else.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_orgvue.schema.known_properties import KnownProperties
from tap_orgvue.schema.ownership import ColumnOwners
from tap_orgvue.timestamps import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_orgvue.schema.columns import Column

T = TypeVar("T")

STATE_KEY = "orgvue"
"""The state's member of a stream's bookmark."""

SNAKE_CASE, ORIGINAL = "snake_case", "original"

SHAPING_SETTINGS = (
    "stream_maps",
    "stream_map_config",
    "flattening_enabled",
    "flattening_max_depth",
    "flattening_max_key_length",
    "flattening_separator",
)
"""The SDK's own settings that change the records of a row."""

_DIGEST_LENGTH = 12

_SCOPE_MEMBER = "question"
"""The state's name for the scope of the last run; states of earlier versions have it."""


class ExportScope(msgspec.Struct, frozen=True):
    """The settings that decide what a stream's export contains, beside its columns.

    Attributes:
        filter: Digest of the user's filter; empty without one.
        linking: Digest of the LINKS datasets; empty without any.
        calculations: `true` or `false`: the setting `include_calculations`.
        hash_key: Digest of the secret key of hashed columns; empty without one.
    """

    filter: str = ""
    linking: str = ""
    calculations: str = "true"
    hash_key: str = ""

    @classmethod
    def of(
        cls,
        user_filter: Mapping[str, Any],
        linking: Sequence[str],
        *,
        include_calculations: bool,
        hash_key: bytes | None,
    ) -> ExportScope:
        """Digest the parts of a request."""
        return cls(
            filter=_digest(user_filter) if user_filter else "",
            linking=_digest(sorted(linking)) if linking else "",
            calculations="true" if include_calculations else "false",
            # Of the key a few bits are enough to see that it is another one.
            hash_key=hmac.digest(hash_key, b"tap-orgvue", "sha256").hex()[:8] if hash_key else "",
        )

    def sees_as(self, before: ExportScope | None) -> bool:
        """True if an earlier export could have the same properties of the dataset."""
        return before is None or self.calculations == before.calculations

    def changes(self, before: ExportScope, *, hashes: bool) -> list[str]:
        """The changes since an earlier run, a clause each.

        Args:
            before: The scope of the earlier run.
            hashes: True if the stream has hashed columns.
        """
        changed = []
        if self.filter != before.filter:
            changed.append("its filter changed")
        if self.linking != before.linking:
            changed.append("`linking_relationships` changed")
        if self.calculations != before.calculations:
            changed.append("`include_calculations` changed")
        if hashes and before.hash_key and self.hash_key != before.hash_key:
            changed.append("`hash_key` changed")
        return changed


class StreamState(msgspec.Struct):
    """The tap's own state of a stream.

    Attributes:
        tenant: The tenant, see `tenant_key`; None if an older version wrote the state.
        dataset: The dataset's id in upper case; None if an older version wrote the state.
        naming: `snake_case` or `original`: the setting `column_names`.
        owners: The columns of the table, and their properties.
        protected: Pattern and property key of each property that `exclude_properties` or
            `hash_properties` protects.
        scope: What the last run's export contained; None if an older version wrote the state.
        properties: The properties of the dataset; empty if an older version wrote the state.
        dataset_name: The dataset's name at the last run; None if unknown.
        row_count: Rows of the last complete export; None before the first.
        rows: Rows of the last complete export that the table mirrors; None before the first.
        version: The last version that records carried; None before the first.
        permissioned: True if the token's user saw only a part of the dataset; None if unknown.
        cache_key: The dataset's cache key at its last complete export.
        fingerprint: The request of that export; see `fingerprint_of`.
        exported_at: The time of that export.
    """

    tenant: str | None = None
    dataset: str | None = None
    naming: str = SNAKE_CASE
    owners: ColumnOwners = msgspec.field(default_factory=ColumnOwners)
    protected: list[tuple[str, str]] = msgspec.field(default_factory=list)
    scope: ExportScope | None = None
    properties: KnownProperties = msgspec.field(default_factory=KnownProperties)
    dataset_name: str | None = None
    row_count: int | None = None
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
        properties = KnownProperties.from_json(own.get("properties"), own.get("details"))
        if "columns" in own:
            owners = ColumnOwners.from_json(
                own["columns"], own.get("names"), own.get("owned"), properties.keys()
            )
        else:
            owners = ColumnOwners.from_types(_of_type(own.get("types"), dict) or {})
        scope = own.get(_SCOPE_MEMBER)
        protected = own.get("protected")
        return cls(
            tenant=_of_type(own.get("tenant"), str),
            dataset=_of_type(own.get("dataset"), str),
            naming=_of_type(own.get("naming"), str) or SNAKE_CASE,
            owners=owners,
            protected=_pairs(protected) if isinstance(protected, list) else [],
            scope=_scope(scope) if isinstance(scope, list) else None,
            properties=properties,
            dataset_name=_of_type(own.get("dataset_name"), str),
            row_count=_of_type(own.get("row_count"), int),
            rows=_of_type(own.get("rows"), int),
            version=_of_type(own.get("version"), int),
            permissioned=_of_type(own.get("permissioned"), bool),
            cache_key=_of_type(own.get("cache_key"), str),
            fingerprint=_of_type(own.get("fingerprint"), str),
            exported_at=parse_instant(str(own.get("exported_at"))),
        )

    def to_json(self) -> dict[str, Any]:
        """The bookmark's member; small, since every STATE message repeats it."""
        columns, names, owned = self.owners.to_json(self.properties.keys())
        keys, details = self.properties.to_json()
        scope = self.scope and [*msgspec.structs.astuple(self.scope)]
        return {
            "tenant": self.tenant,
            "dataset": self.dataset,
            "naming": self.naming,
            "columns": columns,
            "names": names,
            "properties": keys,
            "details": details,
            "owned": owned,
            "protected": [list(pair) for pair in self.protected],
            _SCOPE_MEMBER: scope,
            "dataset_name": self.dataset_name,
            "row_count": self.row_count,
            "rows": self.rows,
            "version": self.version,
            "permissioned": self.permissioned,
            "cache_key": self.cache_key,
            "fingerprint": self.fingerprint,
            "exported_at": format_instant(self.exported_at) if self.exported_at else None,
        }

    def remember_columns(self, columns: Iterable[Column], *, complete: bool) -> None:
        """Keep the columns of a run; see `ColumnOwners.remember`."""
        self.owners.remember(columns, complete=complete)

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
    """A digest of all that decides which records are sent, except for the dataset itself.

    Args:
        parts: Values whose `repr` is stable.
    """
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]


def _scope(members: list[Any]) -> ExportScope | None:
    texts = [member for member in members if isinstance(member, str)]
    return ExportScope(*texts) if len(texts) == len(ExportScope.__struct_fields__) else None


def _pairs(members: list[Any]) -> list[tuple[str, str]]:
    """The pairs of texts in a list."""
    return [
        (member[0], member[1])
        for member in members
        if isinstance(member, list) and [type(each) for each in member] == [str, str]
    ]


def _of_type(value: object, kind: type[T]) -> T | None:
    return value if isinstance(value, kind) else None
