"""Every setting once: its type, default, bounds and description, and how it is read.

A field is a setting. Its `Meta` has title, description and bounds; `extra` has `read`, which
turns a value of the right JSON type into the field's value, and `secret`. The JSON Schema
follows from the fields, and by test README.md, meltano.yml and `--about`.
"""

# Annotations are evaluated: msgspec reads the types from them.

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta
from typing_extensions import Self, override

from tap_orgvue import __version__
from tap_orgvue.orgvue.models import ExportMode, Filter
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.settings import readers
from tap_orgvue.settings.batches import read_batch_config
from tap_orgvue.settings.checks import SettingsError, contradictions, mistakes_of_form
from tap_orgvue.settings.config import normalized, unknown_settings
from tap_orgvue.settings.json_schema import declarations, json_schema_of
from tap_orgvue.settings.regions import REGIONS

T = TypeVar("T")

Positive = Annotated[int, Meta(ge=1)]

Seconds = Annotated[int, Meta(ge=1, le=31_536_000)]
"""At most a year: what is far longer is no time that can be waited for."""

CUT_AT_DOTS: Mapping[str, Any] = {"type": ["string", "object"]}
"""The JSON Schema of a text whose key may have dots, which Meltano cuts into nested objects."""

DEFAULT_USER_AGENT = f"tap-orgvue/{__version__}"


class ColumnNames(str, Enum):
    """How columns are named: the setting `column_names`."""

    SNAKE_CASE = "snake_case"
    ORIGINAL = "original"


class FailOrWarn(str, Enum):
    """What a finding does to a run: the settings `missing_streams`, `unmatched_patterns`."""

    FAIL = "fail"
    WARN = "warn"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A run's settings, checked and complete."""

    api_token: Annotated[
        str,
        Meta(
            title="API token",
            description="The bearer token, made on the tokens page of the region's Orgvue.",
            extra={"read": readers.read_token, "secret": True},
        ),
    ]
    tenant_id: Annotated[
        str,
        Meta(
            title="Tenant id",
            description="The tenant's id, as the tenants page shows it, for example ACME.",
            extra={"read": readers.read_tenant_id},
        ),
    ]
    region: Annotated[
        str | None,
        Meta(
            title="Region",
            description="Where the tenant lives. One of region and api_url is required.",
            extra_json_schema={"enum": list(REGIONS)},
        ),
    ] = None
    api_url: Annotated[
        str,
        Meta(
            title="API URL",
            description="Scheme and host of an Orgvue server, instead of region's. https only; "
            "plain http only for loopback addresses.",
            extra={"read": readers.read_api_url},
        ),
    ] = ""
    datasets: Annotated[
        tuple[str, ...],
        Meta(
            title="Datasets",
            description="The datasets to read: ids, or patterns with * and ? over names, in any "
            "case. All by default.",
        ),
    ] = ()
    stream_names: Annotated[
        Mapping[str, str],
        Meta(
            title="Stream names",
            description="Dataset id to stream name: pins a stream's name, so that renaming the "
            "dataset in Orgvue changes no table.",
            extra={"read": readers.read_stream_names},
        ),
    ] = {}
    column_names: Annotated[
        ColumnNames,
        Meta(
            title="Column names",
            description="How properties are named as columns: snake_case, which every loader "
            "stores, or original, Orgvue's own keys.",
        ),
    ] = ColumnNames.SNAKE_CASE
    property_names: Annotated[
        Mapping[str, Mapping[str, str]],
        Meta(
            title="Property names",
            description="Stream name or dataset id to an object of property keys and column "
            "names: pins what a property's column is called. Keys are exact, without patterns.",
            extra_json_schema={
                "additionalProperties": {"type": "object", "additionalProperties": CUT_AT_DOTS}
            },
            extra={"read": readers.read_property_names},
        ),
    ] = {}
    start_date: Annotated[
        datetime | None,
        Meta(
            title="Start date",
            description="Where an incremental stream begins if it has no bookmark yet.",
            extra={"read": readers.read_start_date},
        ),
    ] = None
    user_agent: Annotated[
        str,
        Meta(
            title="User agent",
            description="The User-Agent header of all requests.",
            extra={"read": readers.read_user_agent},
        ),
    ] = DEFAULT_USER_AGENT
    request_timeout: Annotated[
        Seconds,
        Meta(
            title="Request timeout",
            description="Seconds to wait for a response to begin, for its next bytes, and for all "
            "of a small one: a list, metadata, a job ticket, a refusal.",
        ),
    ] = 300
    max_parallel_requests: Annotated[
        int,
        Meta(
            title="Parallel requests",
            description="The most requests in flight at once, from 1 to 50.",
            ge=1,
            le=50,
        ),
    ] = 8
    max_retries: Annotated[
        int,
        Meta(
            title="Retries",
            description="How often a request is retried after a throttle, a server error or a "
            "broken connection.",
            ge=0,
            le=100,
        ),
    ] = 6
    max_retry_wait: Annotated[
        Seconds,
        Meta(
            title="Longest retry wait",
            description="The most seconds that Orgvue may ask the tap to wait before one retry. "
            "If it asks for more, the run ends and says when to come back.",
        ),
    ] = 900
    max_requests_per_run: Annotated[
        Positive | None,
        Meta(
            title="Requests per run",
            description="The most requests of a run; a run that needs more ends with an error.",
        ),
    ] = None
    export_mode: Annotated[
        ExportMode,
        Meta(
            title="Export mode",
            description="How rows are fetched: sync in one response, async through an export job, "
            "paged in slices of _id, or auto, the first of them that works for a "
            "dataset.",
        ),
    ] = ExportMode.AUTO
    job_timeout: Annotated[
        Seconds,
        Meta(
            title="Job timeout",
            description="Seconds that an export job may take as a whole, its download included.",
        ),
    ] = 3600
    temp_dir: Annotated[
        str | None,
        Meta(
            title="Temporary folder",
            description="Where exports are kept, as unnamed files, until they are sent; the "
            "system's by default. It needs room for as many exports as may be in "
            "flight.",
            extra={"read": readers.read_temp_dir},
        ),
    ] = None
    include_calculations: Annotated[
        bool,
        Meta(
            title="Include calculations",
            description="false reads only the stored values, without calculated and generated "
            "properties: cheaper for Orgvue.",
        ),
    ] = True
    filters: Annotated[
        Mapping[str, Filter],
        Meta(
            title="Filters",
            description="Stream name or dataset id to a filter over property keys, in Orgvue's "
            "form: only nodes that match are read.",
            extra={"read": readers.read_filters},
        ),
    ] = {}
    linking_relationships: Annotated[
        Mapping[str, tuple[str, ...]],
        Meta(
            title="Linking relationships",
            description="Stream name or dataset id to the ids of the LINKS datasets that its "
            "linked properties are calculated through. Such streams are read by "
            "export job.",
            extra={"read": readers.read_linking_relationships},
        ),
    ] = {}
    new_properties: Annotated[
        NewProperties,
        Meta(
            title="New properties",
            description="What happens to a property that the catalog lacks, if all columns of its "
            "stream are selected: add a column, rescue it into _rescued_data, ignore "
            "it, or fail.",
        ),
    ] = NewProperties.ADD
    property_types: Annotated[
        Mapping[str, ColumnType],
        Meta(
            title="Property types",
            description="Pattern (key, or stream.key, which can be an object of keys under the "
            "stream) to text, number, boolean, date or date-time: pins the type of a "
            "column.",
            extra={"read": readers.read_property_types},
            extra_json_schema={"additionalProperties": CUT_AT_DOTS},
        ),
    ] = {}
    rescue_data: Annotated[
        bool,
        Meta(
            title="Rescue data",
            description="Keep values that do not fit their column in _rescued_data. false removes "
            "that column, and makes such a value fail its stream.",
        ),
    ] = True
    exclude_properties: Annotated[
        tuple[str, ...],
        Meta(
            title="Exclude properties",
            description="Patterns over keys and display names, or stream.key: properties that are "
            "never requested, in any dataset.",
        ),
    ] = ()
    hash_properties: Annotated[
        tuple[str, ...],
        Meta(
            title="Hash properties",
            description="Patterns like those of exclude_properties: the HMAC-SHA-256 of these "
            "properties' values is sent instead.",
        ),
    ] = ()
    hash_key: Annotated[
        bytes | None,
        Meta(
            title="Hash key",
            description="The secret key of hash_properties; equal values stay joinable as long as "
            "it stays the same.",
            extra={"read": readers.read_hash_key, "secret": True},
        ),
    ] = None
    unmatched_patterns: Annotated[
        FailOrWarn,
        Meta(
            title="Unmatched patterns",
            description="What happens if an entry of exclude_properties or hash_properties "
            "without * and ? never matched a property: fail before any row is sent, or warn.",
        ),
    ] = FailOrWarn.FAIL
    missing_streams: Annotated[
        FailOrWarn,
        Meta(
            title="Missing streams",
            description="What happens if a stream of an earlier run has no dataset any more, or "
            "one that may no longer be read: fail after the other streams are sent, or warn.",
        ),
    ] = FailOrWarn.FAIL
    retired_streams: Annotated[
        tuple[str, ...],
        Meta(
            title="Retired streams",
            description="Stream names or dataset ids that the state forgets, so that they do not "
            "count as missing.",
            extra={"read": readers.read_retired_streams},
        ),
    ] = ()
    emit_activate_version_messages: Annotated[
        bool,
        Meta(
            title="Emit ACTIVATE_VERSION messages",
            description="Tell the loader after each complete full table to remove the rows that "
            "Orgvue no longer has.",
        ),
    ] = False
    delete_guard_percent: Annotated[
        int,
        Meta(
            title="Delete guard",
            description="Withhold the removal of rows when an export has fewer rows than this "
            "share of the last one's. 0 switches the guard off.",
            ge=0,
            le=100,
        ),
    ] = 50
    skip_unchanged: Annotated[
        bool,
        Meta(
            title="Skip unchanged datasets",
            description="Do not export a dataset whose cache key has not changed. Calculations on "
            "today's date or on linked datasets do not change it.",
        ),
    ] = False
    max_unchanged_days: Annotated[
        Positive,
        Meta(
            title="Unchanged days",
            description="Days after which an unchanged dataset is exported all the same.",
            le=36_500,
        ),
    ] = 7

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
