"""The settings of a run, each declared once: type, default, bounds, description and reader.

A field is a setting. Its `Meta` has title, description and bounds; `extra` has `read`, which
turns a value of the right JSON type into the field's value, and `secret`. The JSON Schema
follows from the fields, and by test README.md, meltano.yml and `--about`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from typing_extensions import Self, override

from tap_orgvue.settings import readers
from tap_orgvue.settings.batches import read_batch_config
from tap_orgvue.settings.checks import SettingsError, contradictions, mistakes_of_form
from tap_orgvue.settings.config import normalized, unknown_settings
from tap_orgvue.settings.data_settings import ColumnNames, DataSettings
from tap_orgvue.settings.json_schema import declarations, json_schema_of
from tap_orgvue.settings.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class Settings(DataSettings, frozen=True, kw_only=True):
    """A run's settings, checked and complete; its fields are those of both groups."""

    @property
    def original_columns(self) -> bool:
        """True if columns are named by Orgvue's keys."""
        return self.column_names is ColumnNames.ORIGINAL

    @override
    def __repr__(self) -> str:
        """Without the secrets, so that nothing shows them by chance."""
        return f"Settings(tenant_id={self.tenant_id!r}, api_url={self.api_url!r}, …)"

    @classmethod
    def from_config(cls, config: Mapping[str, Any], schema: Mapping[str, Any]) -> Self:
        """Read the settings; the only place that does.

        Args:
            config: From Meltano, a file or the environment; numbers may be `Decimal`.
            schema: The JSON Schema of all settings, the SDK's own included.

        Raises:
            SettingsError: With one line for each mistake.
        """
        given = normalized(config, schema)
        mistakes = unknown_settings(given, schema["properties"])
        mistakes += mistakes_of_form(given, schema)
        wrong = {line.partition(":")[0].partition(".")[0] for line in mistakes}
        right = {name: value for name, value in given.items() if name not in wrong}
        values, unreadable = readers.read_values(right, _READERS)
        mistakes += [*unreadable, *contradictions(given, REGIONS)]
        if mistakes:
            raise SettingsError(sorted(mistakes))
        values.setdefault("api_url", REGIONS.get(given.get("region", "")))
        return msgspec.convert(values, cls)

    def for_stream(self, table: Mapping[str, T], name: str, dataset_id: str) -> T | None:
        """The entry of a stream in a setting that is keyed by stream name or dataset id."""
        return table.get(name, table.get(dataset_id.upper()))


SETTINGS_SCHEMA: dict[str, Any] = json_schema_of(Settings)
"""The JSON Schema of the tap's own settings; the SDK adds those of its capabilities."""

_READERS = {
    each.field.name: each.extra["read"] for each in declarations(Settings) if "read" in each.extra
} | {"batch_config": read_batch_config}
