"""A run's settings: one typed object, read once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.models import ExportMode, is_dataset_id
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.settings.checks import CHECKS, SettingsError, bare_token, mistakes_of_form
from tap_orgvue.settings.definitions import DEFAULT_USER_AGENT, ORIGINAL, REGIONS
from tap_orgvue.settings.dotted_keys import KEYS_WITH_DOTS
from tap_orgvue.timestamps import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_orgvue.orgvue.models import Filter


T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True):
    """A run's settings, checked and complete.

    Attributes:
        api_url: Scheme and host, without a slash at the end.
        datasets: Ids and name patterns; empty for all.
        stream_names: Dataset id in upper case to stream name.
        request_timeout: Seconds.
        start_date: An instant with its zone, or None.
    """

    api_token: str
    tenant_id: str
    api_url: str
    datasets: tuple[str, ...] = ()
    stream_names: Mapping[str, str] = msgspec.field(default_factory=dict)
    original_columns: bool = False
    start_date: datetime | None = None
    user_agent: str = DEFAULT_USER_AGENT
    request_timeout: int = 300
    max_parallel_requests: int = 8
    max_retries: int = 6
    max_requests_per_run: int | None = None
    export_mode: ExportMode = ExportMode.AUTO
    job_timeout: int = 3600
    temp_dir: str | None = None
    include_calculations: bool = True
    filters: Mapping[str, Filter] = msgspec.field(default_factory=dict)
    linking_relationships: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    new_properties: NewProperties = NewProperties.ADD
    property_types: Mapping[str, ColumnType] = msgspec.field(default_factory=dict)
    rescue_data: bool = True
    exclude_properties: tuple[str, ...] = ()
    hash_properties: tuple[str, ...] = ()
    hash_key: bytes | None = None
    emit_activate_version_messages: bool = False
    delete_guard_percent: int = 50
    skip_unchanged: bool = False
    max_unchanged_days: int = 7

    @override
    def __repr__(self) -> str:
        """Without the secrets, so that nothing can show them by chance."""
        return f"Settings(tenant_id={self.tenant_id!r}, api_url={self.api_url!r}, …)"

    @classmethod
    def from_config(cls, config: Mapping[str, Any], schema: Mapping[str, Any]) -> Settings:
        """Read the settings; the only place that does.

        Args:
            config: What Meltano, a file or the environment gave; numbers may be `Decimal`.
            schema: The JSON Schema of all settings, the SDK's own included.

        Raises:
            SettingsError: With one line for each mistake.
        """
        given = {name: _plain(value) for name, value in config.items() if value is not None}
        given |= {
            name: whole(given[name]) for name, whole in KEYS_WITH_DOTS.items() if name in given
        }
        mistakes = mistakes_of_form(given, schema)
        wrong = {line.partition(":")[0].partition(".")[0] for line in mistakes}
        for name, check in CHECKS.items():
            if name in given and name not in wrong and (mistake := check(given[name])):
                mistakes.append(f"{name}: {mistake}")
        if given.get("linking_relationships") and given.get("include_calculations") is False:
            mistakes.append("linking_relationships: needs include_calculations to be true.")
        rescues_new = given.get("new_properties") == NewProperties.RESCUE.value
        if rescues_new and given.get("rescue_data") is False:
            mistakes.append("new_properties: rescue needs rescue_data to be true.")
        if given.get("hash_properties") and not given.get("hash_key"):
            mistakes.append("hash_key: is required with hash_properties.")
        if "region" not in given and "api_url" not in given:
            mistakes.append(f"region: set it to one of {', '.join(REGIONS)}, or set api_url.")
        if mistakes:
            raise SettingsError(sorted(mistakes))
        as_given: dict[str, Any] = {
            name: int(given[name]) for name in _WHOLE_NUMBERS if name in given
        } | {name: given[name] for name in _SWITCHES if name in given}
        return cls(
            api_token=bare_token(given["api_token"]),
            tenant_id=given["tenant_id"],
            api_url=(given.get("api_url") or REGIONS[given["region"]]).rstrip("/"),
            datasets=tuple(given.get("datasets", ())),
            stream_names={
                dataset_id.upper(): name
                for dataset_id, name in given.get("stream_names", {}).items()
            },
            original_columns=given.get("column_names") == ORIGINAL,
            start_date=parse_instant(given["start_date"]) if "start_date" in given else None,
            user_agent=given.get("user_agent", DEFAULT_USER_AGENT),
            export_mode=ExportMode(given.get("export_mode", ExportMode.AUTO)),
            temp_dir=given.get("temp_dir"),
            filters=_upper_ids(given.get("filters", {})),
            linking_relationships={
                name: tuple(ids)
                for name, ids in _upper_ids(given.get("linking_relationships", {})).items()
            },
            new_properties=NewProperties(given.get("new_properties", NewProperties.ADD)),
            property_types={
                pattern: ColumnType(kind)
                for pattern, kind in given.get("property_types", {}).items()
            },
            exclude_properties=tuple(given.get("exclude_properties", ())),
            hash_properties=tuple(given.get("hash_properties", ())),
            hash_key=given["hash_key"].encode() if given.get("hash_key") else None,
            **as_given,
        )

    def for_stream(self, table: Mapping[str, T], name: str, dataset_id: str) -> T | None:
        """What a setting that is keyed by stream name or dataset id says of a stream."""
        return table.get(name, table.get(dataset_id.upper()))


_WHOLE_NUMBERS = (
    "request_timeout",
    "max_parallel_requests",
    "max_retries",
    "max_requests_per_run",
    "job_timeout",
    "delete_guard_percent",
    "max_unchanged_days",
)

_SWITCHES = (
    "include_calculations",
    "rescue_data",
    "emit_activate_version_messages",
    "skip_unchanged",
)


def _upper_ids(table: Mapping[str, T]) -> dict[str, T]:
    """Dataset ids in one case; stream names as they are."""
    return {key.upper() if is_dataset_id(key) else key: value for key, value in table.items()}


def _plain(value: Any) -> Any:
    """A whole number as one, however a configuration file wrote it."""
    whole = isinstance(value, (Decimal, float)) and value == value // 1
    return int(value) if whole else value
