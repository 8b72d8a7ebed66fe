"""What is wrong with a setting, in words that never hold its value: one of them is the token."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigurationError

from tap_orgvue.orgvue.models import is_dataset_id
from tap_orgvue.orgvue.urls import is_loopback
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.naming import MAX_BYTES, RESERVED_STREAMS, is_safe_name
from tap_orgvue.timestamps import parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_orgvue.orgvue.models import Filter


class SettingsError(ConfigurationError):
    """The settings do not describe a run.

    Attributes:
        mistakes: One line each, naming the setting and never a secret's value.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Keep the mistakes."""
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


FILTER_OPERATORS = frozenset({"$gt", "$gte", "$in", "$lt", "$lte", "$ne", "$nin"})
"""What a filter may compare with (API guide, "filter"); equality needs none."""

_OPERATOR_LIST = ", ".join(sorted(FILTER_OPERATORS))

SHORTEST_HASH_KEY = 16

_TENANT_ID = re.compile(r"[A-Z][A-Z0-9_]{0,29}")

_TOKEN = re.compile(r"[\x21-\x7e]+")

_URL = re.compile(r"[\w.:/@?#\[\]-]+", re.ASCII)


def mistakes_of_form(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
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


def bare_token(token: str) -> str:
    """A pasted token without what is often pasted with it."""
    return token.strip().removeprefix("Bearer ").strip()


def _check_token(token: str) -> str | None:
    if not bare_token(token):
        return "is empty."
    if not _TOKEN.fullmatch(bare_token(token)):
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
            if condition == {}:
                return f"for {name!r}: the condition on {key!r} is empty."
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


def _check_linking_relationships(table: Mapping[str, Sequence[str]]) -> str | None:
    for name, ids in table.items():
        for linking in ids:
            if not is_dataset_id(linking):
                return f"for {name!r}: {linking!r} is not a dataset's id."
    return None


def _check_property_types(types: Mapping[str, str]) -> str | None:
    known = [kind.value for kind in ColumnType]
    for pattern, kind in types.items():
        if kind not in known:
            return f"for {pattern!r}: must be one of {', '.join(known)}."
    return None


def _check_hash_key(key: str) -> str | None:
    if len(key) < SHORTEST_HASH_KEY:
        return f"must have at least {SHORTEST_HASH_KEY} characters: a shorter one can be guessed."
    return None


def _check_batch_config(batches: Mapping[str, Any]) -> str | None:
    size = batches.get("batch_size")
    if size is not None and (not isinstance(size, int) or size < 1):
        return "batch_size must be a whole number, at least 1."
    return None


CHECKS: Mapping[str, Callable[[Any], str | None]] = {
    "api_token": _check_token,
    "tenant_id": _check_tenant_id,
    "api_url": _check_api_url,
    "stream_names": _check_stream_names,
    "start_date": _check_start_date,
    "user_agent": _check_user_agent,
    "temp_dir": _check_temp_dir,
    "filters": _check_filters,
    "linking_relationships": _check_linking_relationships,
    "property_types": _check_property_types,
    "hash_key": _check_hash_key,
    "batch_config": _check_batch_config,
}
