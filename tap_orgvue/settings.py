"""What a user can set: the schema that is shown, and the typed object that is read once."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigurationError

from tap_orgvue import __version__
from tap_orgvue.instants import parse_instant
from tap_orgvue.models import ExportMode, is_dataset_id
from tap_orgvue.naming import MAX_BYTES, RESERVED_STREAMS, is_safe_name
from tap_orgvue.transport import is_loopback
from tap_orgvue.values import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tap_orgvue.models import Filter

T = TypeVar("T")

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


class NewProperties(str, Enum):
    """The setting `new_properties`."""

    ADD = "add"
    RESCUE = "rescue"
    IGNORE = "ignore"
    FAIL = "fail"


FILTER_OPERATORS = frozenset({"$gt", "$gte", "$in", "$lt", "$lte", "$ne", "$nin"})
"""What a filter may compare with (API guide, "filter"); equality needs none."""
_OPERATOR_LIST = ", ".join(sorted(FILTER_OPERATORS))

SHORTEST_HASH_KEY = 16

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
        description="Pattern (key, or stream.key) to text, number, boolean, date or date-time: "
        "pins what a column holds.",
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

_TENANT_ID = re.compile(r"[A-Z][A-Z0-9_]{0,29}")
_TOKEN = re.compile(r"[\x21-\x7e]+")
_URL = re.compile(r"[\w.:/@?#\[\]-]+", re.ASCII)


class SettingsError(ConfigurationError):
    """The settings do not describe a run.

    Attributes:
        mistakes: One line each, naming the setting and never a secret's value.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Keep the mistakes."""
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


@dataclass(frozen=True)
class Settings:
    """A run's settings, checked and complete.

    Attributes:
        api_url: Scheme and host, without a slash at the end.
        datasets: Ids and name patterns; empty for all.
        stream_names: Dataset id in upper case to stream name.
        request_timeout: Seconds.
        start_date: An instant with its zone, or None.
    """

    api_token: str = field(repr=False)
    tenant_id: str
    api_url: str
    datasets: tuple[str, ...] = ()
    stream_names: Mapping[str, str] = field(default_factory=dict)
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
    filters: Mapping[str, Filter] = field(default_factory=dict)
    linking_relationships: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    new_properties: NewProperties = NewProperties.ADD
    property_types: Mapping[str, Kind] = field(default_factory=dict)
    rescue_data: bool = True
    exclude_properties: tuple[str, ...] = ()
    hash_properties: tuple[str, ...] = ()
    hash_key: bytes | None = field(default=None, repr=False)
    emit_activate_version_messages: bool = False
    delete_guard_percent: int = 50
    skip_unchanged: bool = False
    max_unchanged_days: int = 7

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
        mistakes = _mistakes_of_form(given, schema)
        wrong = {line.partition(":")[0].partition(".")[0] for line in mistakes}
        for name, check in _CHECKS.items():
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
            api_token=_bare_token(given["api_token"]),
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
                pattern: Kind(kind) for pattern, kind in given.get("property_types", {}).items()
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


def _mistakes_of_form(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """What the JSON Schema says, told without the values: one of them is the token."""
    mistakes = []
    for error in th.DEFAULT_JSONSCHEMA_VALIDATOR(schema).iter_errors(given):
        place = ".".join(str(step) for step in error.absolute_path)
        if error.validator == "required":
            missing = [name for name in error.validator_value if name not in error.instance]
            mistakes += [f"{name}: is required." for name in missing]
        else:
            mistakes.append(f"{place or 'config'}: {_expectation(error)}")
    return list(dict.fromkeys(mistakes))


def _expectation(error: Any) -> str:
    wanted = error.validator_value
    if error.validator == "enum":
        return f"must be one of {', '.join(str(value) for value in wanted if value is not None)}."
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        return f"must be of type {' or '.join(kind for kind in kinds if kind != 'null')}."
    if error.validator in {"minimum", "maximum"}:
        return f"must be at {'least' if error.validator == 'minimum' else 'most'} {wanted}."
    return f"does not have the form that is documented ({error.validator})."


def _bare_token(token: str) -> str:
    """A pasted token without what is often pasted with it."""
    return token.strip().removeprefix("Bearer ").strip()


def _check_token(token: str) -> str | None:
    if not _bare_token(token):
        return "is empty."
    if not _TOKEN.fullmatch(_bare_token(token)):
        return "has characters that no token has; copy it whole, without quotes or line breaks."
    return None


def _check_tenant_id(tenant_id: str) -> str | None:
    if not _TENANT_ID.fullmatch(tenant_id):
        return (
            "must begin with a capital letter and go on with at most 29 capital letters, digits "
            "or underscores, as the tenants page shows it."
        )
    return None


def _check_api_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is not a URL."
    if not host or parts.scheme not in {"https", "http"} or not _URL.fullmatch(url):
        return "must be https:// and a host."
    if parts.username or parts.password:
        return "must not carry a user name or password."
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "must be a scheme and a host alone, without a path."
    if parts.scheme == "http" and not is_loopback(host):
        return "must be https; plain http is for loopback addresses alone."
    return None


def _check_stream_names(names: Mapping[str, str]) -> str | None:
    for dataset_id, name in names.items():
        if not is_dataset_id(dataset_id):
            return f"{dataset_id!r} is not a dataset's id."
        if not is_safe_name(name):
            return (
                f"{name!r} is a name that loaders change or refuse: use letters, digits and _, "
                f"at most {MAX_BYTES}, not beginning with a digit or _sdc_."
            )
        if name in RESERVED_STREAMS:
            return f"{name!r} is the name of a stream of the tap's own."
    folded = [name.casefold() for name in names.values()]
    if len(set(folded)) < len(folded):
        return "gives two datasets the same name."
    if len({dataset_id.upper() for dataset_id in names}) < len(names):
        return "names a dataset twice."
    return None


def _check_start_date(text: str) -> str | None:
    if parse_instant(text) is None:
        return "must be an ISO 8601 date or date and time, for example 2026-01-31T00:00:00Z."
    return None


def _check_user_agent(text: str) -> str | None:
    if not text.strip() or not text.isascii() or not text.isprintable():
        return "must be printable ASCII text."
    return None


def _check_temp_dir(path: str) -> str | None:
    if not Path(path).is_dir() or not os.access(path, os.W_OK):
        return "is not a folder that can be written to."
    return None


def _check_filters(filters: Mapping[str, Filter]) -> str | None:
    for name, conditions in filters.items():
        for key, condition in conditions.items():
            if key.startswith("$"):
                return f"for {name!r}: {key} is no property key; conditions are joined by AND."
            operators = condition if isinstance(condition, dict) else {}
            unknown = sorted(set(operators) - FILTER_OPERATORS)
            if unknown:
                return f"for {name!r}: {unknown[0]!r} is not one of {_OPERATOR_LIST}."
            for operator in operators.keys() & {"$in", "$nin"}:
                if not isinstance(operators[operator], list):
                    return f"for {name!r}: {operator} takes a list."
            if isinstance(condition, list):
                return f"for {name!r}: {key!r} is compared with a list; use $in."
    return None


def _check_property_types(types: Mapping[str, str]) -> str | None:
    known = [kind.value for kind in Kind]
    for pattern, kind in types.items():
        if kind not in known:
            return f"for {pattern!r}: must be one of {', '.join(known)}."
    return None


def _check_hash_key(key: str) -> str | None:
    if len(key) < SHORTEST_HASH_KEY:
        return f"must have at least {SHORTEST_HASH_KEY} characters: a shorter one can be guessed."
    return None


_CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "api_token": _check_token,
    "tenant_id": _check_tenant_id,
    "api_url": _check_api_url,
    "stream_names": _check_stream_names,
    "start_date": _check_start_date,
    "user_agent": _check_user_agent,
    "temp_dir": _check_temp_dir,
    "filters": _check_filters,
    "property_types": _check_property_types,
    "hash_key": _check_hash_key,
}
