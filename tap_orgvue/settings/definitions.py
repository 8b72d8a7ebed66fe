"""What a user can set, as the SDK, Meltano and `--about` are told it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

from tap_orgvue import __version__
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.schema.column_rules import NewProperties

if TYPE_CHECKING:
    from collections.abc import Mapping


REGIONS: Mapping[str, str] = MappingProxyType(
    {
        "eu-west": "https://orgvue.eu-west-1.concentra.io",
        "us-east": "https://orgvue.us-east-1.concentra.io",
        "ap-southeast": "https://orgvue.ap-southeast-2.concentra.io",
        "eu-west-staging": "https://orgvue-staging.eu-west-1.concentra.io",
        "us-east-staging": "https://orgvue-staging.us-east-1.concentra.io",
        "ap-southeast-staging": "https://orgvue-staging.ap-southeast-2.concentra.io",
    },
)
"""Region setting to server (API guide, "Servers")."""

SNAKE_CASE = "snake_case"

ORIGINAL = "original"

DEFAULT_USER_AGENT = f"tap-orgvue/{__version__}"

SETTINGS_SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "api_token",
        th.StringType,
        required=True,
        secret=True,
        title="API token",
        description="The bearer token, made on the tokens page of the region's Orgvue.",
    ),
    th.Property(
        "tenant_id",
        th.StringType,
        required=True,
        title="Tenant id",
        description="The tenant's id, as the tenants page shows it, for example ACME.",
    ),
    th.Property(
        "region",
        th.StringType,
        allowed_values=list(REGIONS),
        title="Region",
        description="Where the tenant lives. One of region and api_url is required.",
    ),
    th.Property(
        "api_url",
        th.StringType,
        title="API URL",
        description="Scheme and host of an Orgvue server, instead of region's. https only; "
        "plain http for loopback addresses alone.",
    ),
    th.Property(
        "datasets",
        th.ArrayType(th.StringType),
        title="Datasets",
        description="The datasets to look at: ids, or patterns with * and ? over names, in any "
        "case. All by default.",
    ),
    th.Property(
        "stream_names",
        th.ObjectType(additional_properties=th.StringType),
        title="Stream names",
        description="Dataset id to stream name: pins a stream's name, so that renaming the "
        "dataset in Orgvue changes no table.",
    ),
    th.Property(
        "column_names",
        th.StringType,
        allowed_values=[SNAKE_CASE, ORIGINAL],
        default=SNAKE_CASE,
        title="Column names",
        description="How properties are named as columns: snake_case, which every loader stores, "
        "or original, Orgvue's own keys.",
    ),
    th.Property(
        "start_date",
        th.DateTimeType,
        title="Start date",
        description="Where a stream that is replicated incrementally begins, when there is no "
        "bookmark yet.",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        default=DEFAULT_USER_AGENT,
        title="User agent",
        description="What the tap calls itself towards Orgvue.",
    ),
    th.Property(
        "request_timeout",
        th.IntegerType(minimum=1),
        default=300,
        title="Request timeout",
        description="Seconds to wait for the next bytes of an answer.",
    ),
    th.Property(
        "max_parallel_requests",
        th.IntegerType(minimum=1, maximum=50),
        default=8,
        title="Parallel requests",
        description="How many requests may be in flight at once, from 1 to 50.",
    ),
    th.Property(
        "max_retries",
        th.IntegerType(minimum=0, maximum=100),
        default=6,
        title="Retries",
        description="How often a request is asked again after something that may pass: a "
        "throttle, a server's error, a broken connection.",
    ),
    th.Property(
        "max_requests_per_run",
        th.IntegerType(minimum=1),
        title="Requests per run",
        description="A brake of your own: a run that needs more requests ends with an error.",
    ),
    th.Property(
        "export_mode",
        th.StringType,
        allowed_values=[mode.value for mode in ExportMode],
        default=ExportMode.AUTO.value,
        title="Export mode",
        description="How rows are fetched: sync in one answer, async through an export job, "
        "paged in slices of _id, or auto, the first of them that works for a dataset.",
    ),
    th.Property(
        "job_timeout",
        th.IntegerType(minimum=1),
        default=3600,
        title="Job timeout",
        description="Seconds until an asynchronous export must be completed.",
    ),
    th.Property(
        "temp_dir",
        th.StringType,
        title="Temporary folder",
        description="Where exports are kept, unnamed, until they are sent; the system's by "
        "default. It needs room for as many exports as may be in flight.",
    ),
    th.Property(
        "include_calculations",
        th.BooleanType,
        default=True,
        title="Include calculations",
        description="false reads the stored values alone, without calculated and generated "
        "properties: cheaper for Orgvue.",
    ),
    th.Property(
        "filters",
        th.ObjectType(additional_properties=th.ObjectType(additional_properties=True)),
        title="Filters",
        description="Stream name or dataset id to a filter over property keys, in Orgvue's "
        "form: only nodes that match are read.",
    ),
    th.Property(
        "linking_relationships",
        th.ObjectType(additional_properties=th.ArrayType(th.StringType)),
        title="Linking relationships",
        description="Stream name or dataset id to the ids of the LINKS datasets that its linked "
        "properties are calculated through. Such streams are read by export job.",
    ),
    th.Property(
        "new_properties",
        th.StringType,
        allowed_values=[choice.value for choice in NewProperties],
        default=NewProperties.ADD.value,
        title="New properties",
        description="What becomes of a property that the catalog does not have, where all of a "
        "stream is selected: add a column, rescue it into _rescued_data, ignore it, or fail.",
    ),
    th.Property(
        "property_types",
        th.ObjectType(additional_properties=th.StringType),
        title="Property types",
        description="Pattern (key, or stream.key, which can be an object of keys under the "
        "stream) to text, number, boolean, date or date-time: pins what a column holds.",
    ),
    th.Property(
        "rescue_data",
        th.BooleanType,
        default=True,
        title="Rescue data",
        description="Keep values that do not fit their column in _rescued_data. false leaves "
        "that column out and makes such a value fail its stream.",
    ),
    th.Property(
        "exclude_properties",
        th.ArrayType(th.StringType),
        title="Exclude properties",
        description="Patterns over keys and display names, or stream.key: properties that are "
        "never asked for, in any dataset.",
    ),
    th.Property(
        "hash_properties",
        th.ArrayType(th.StringType),
        title="Hash properties",
        description="Patterns like those of exclude_properties: the HMAC-SHA-256 of these "
        "properties' values is sent in their place.",
    ),
    th.Property(
        "hash_key",
        th.StringType,
        secret=True,
        title="Hash key",
        description="The secret key of hash_properties; equal values stay joinable as long as it "
        "stays the same.",
    ),
    th.Property(
        "emit_activate_version_messages",
        th.BooleanType,
        default=False,
        title="Emit ACTIVATE_VERSION messages",
        description="Tell the loader after each complete full-table stream to remove the rows "
        "that Orgvue no longer has.",
    ),
    th.Property(
        "delete_guard_percent",
        th.IntegerType(minimum=0, maximum=100),
        default=50,
        title="Delete guard",
        description="Withhold the removal of rows when an export has fewer rows than this "
        "share of the last one's. 0 switches the guard off.",
    ),
    th.Property(
        "skip_unchanged",
        th.BooleanType,
        default=False,
        title="Skip unchanged datasets",
        description="Make no export of a dataset whose cache key is as it was. Calculations on "
        "today's date or on linked datasets do not change it.",
    ),
    th.Property(
        "max_unchanged_days",
        th.IntegerType(minimum=1),
        default=7,
        title="Unchanged days",
        description="After so many days an unchanged dataset is exported all the same.",
    ),
).to_dict()
"""The JSON Schema of the tap's own settings; the SDK adds those of its capabilities."""
