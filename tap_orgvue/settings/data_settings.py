"""The settings of the data and the reports; `settings` says how to declare one."""

# Annotations are evaluated: msgspec reads the types from them.

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta

from tap_orgvue.orgvue.models import Filter
from tap_orgvue.schema.column_rules import NewProperties
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.settings import readers
from tap_orgvue.settings.checks import RUN_REPORT_KEEP
from tap_orgvue.settings.connection_settings import ConnectionSettings, Positive

CUT_AT_DOTS: Mapping[str, Any] = {"type": ["string", "object"]}
"""The JSON Schema of a text whose key may have dots, which Meltano cuts into nested objects."""


class ColumnNames(str, Enum):
    """How columns are named: the setting `column_names`."""

    SNAKE_CASE = "snake_case"
    ORIGINAL = "original"


class FailOrWarn(str, Enum):
    """The effect of a finding on a run: the settings `missing_streams`, `unmatched_patterns`."""

    FAIL = "fail"
    WARN = "warn"


class DataSettings(ConnectionSettings, frozen=True, kw_only=True):
    """Datasets, names, rows, columns, protection, deletions and reports."""

    datasets: Annotated[
        tuple[str, ...],
        Meta(
            title="Datasets",
            description="The datasets to read: ids, or patterns with * and ? over names, in any "
            "case. All by default.",
        ),
    ] = ()
    drafts: Annotated[
        tuple[str, ...],
        Meta(
            title="Drafts",
            description="The drafts to read: ids, or patterns with * and ? over names, in any "
            "case. Without it no draft is requested, and their streams do not exist.",
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

    row_change_warn_percent: Annotated[
        int,
        Meta(
            title="Row change warning",
            description="Warn when a complete export has so many percent more or fewer rows than "
            "the last one, if one of them has 100 rows or more. 0 switches the warning off.",
            ge=0,
            le=1_000,
        ),
    ] = 25
    run_report: Annotated[
        str | None,
        Meta(
            title="Run report folder",
            description="A folder for the run report: after every run, one JSON file that says "
            "what the run did, without any cell value.",
            extra={"read": readers.read_run_report},
        ),
    ] = None
    run_report_keep: Annotated[
        Positive,
        Meta(
            title="Run reports kept",
            description="The number of run reports of a tenant that stay in the folder.",
            le=100_000,
        ),
    ] = RUN_REPORT_KEEP
