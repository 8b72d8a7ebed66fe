"""Reads the values of settings; messages about mistakes do not hold secret values."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tap_orgvue.orgvue.models import is_dataset_id
from tap_orgvue.orgvue.urls import is_loopback
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.naming import MAX_BYTES, RESERVED_STREAMS, is_safe_name
from tap_orgvue.settings.dotted_keys import join_filter_keys, join_keys
from tap_orgvue.timestamps import parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from tap_orgvue.orgvue.models import Filter

T = TypeVar("T")


class Mistake(ValueError):
    """The value of a setting is wrong; the message is a predicate: `must be …`."""


def read_values(
    given: Mapping[str, Any], readers: Mapping[str, Callable[[Any], Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Read each setting that has a reader.

    Args:
        given: Settings of the right JSON types.
        readers: Setting to reader.

    Returns:
        All settings, and a line for each that cannot be read.
    """
    values, mistakes = dict(given), []
    for name, read in readers.items():
        if name in given:
            try:
                values[name] = read(given[name])
            except Mistake as mistake:
                mistakes.append(f"{name}: {mistake}")
    return values, mistakes


FILTER_OPERATORS = frozenset({"$gt", "$gte", "$in", "$lt", "$lte", "$ne", "$nin"})
"""The operators of a filter (API guide, "filter"); equality needs none."""

_OPERATOR_LIST = ", ".join(sorted(FILTER_OPERATORS))

SHORTEST_HASH_KEY = 16
"""Characters."""

_TENANT_ID = re.compile(r"[A-Z][A-Z0-9_]{0,29}")

_TOKEN = re.compile(r"[\x21-\x7e]+")

_URL = re.compile(r"[\w.:/@?#\[\]-]+", re.ASCII)


def read_token(text: str) -> str:
    """A token, without the scheme and the white space that are often pasted with it."""
    # With a space behind it, a scheme alone is one, too: it leaves no token.
    token = f"{text.strip()} ".removeprefix("Bearer ").strip()
    if not token:
        raise Mistake("is empty.")
    if not _TOKEN.fullmatch(token):
        raise Mistake(
            "has characters that no token has; copy it whole, without quotes or line breaks."
        )
    return token


def read_tenant_id(text: str) -> str:
    """A tenant's id in capitals, without the white space that is often pasted with it."""
    text = text.strip()
    if _TENANT_ID.fullmatch(text.upper()) and text.isascii() and text != text.upper():
        raise Mistake(f"must be in capitals: {text.upper()}, if the tenants page shows that.")
    if not _TENANT_ID.fullmatch(text):
        raise Mistake(
            "must begin with a capital letter and go on with at most 29 capital letters, digits "
            "or underscores, as the tenants page shows it."
        )
    return text


def read_api_url(text: str) -> str:
    """Scheme and host of a server, without a slash at the end."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise Mistake("is not a URL.") from None
    if not host or parts.scheme not in {"https", "http"} or not _URL.fullmatch(text):
        raise Mistake("must be https:// and a host.")
    if parts.username or parts.password:
        raise Mistake("must not carry a user name or password.")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Mistake("must be a scheme and a host only, without a path.")
    if parts.scheme == "http" and not is_loopback(host):
        raise Mistake("must be https; plain http is for loopback addresses only.")
    return text.rstrip("/")


def read_stream_names(names: Mapping[str, str]) -> dict[str, str]:
    """Dataset id in upper case to stream name."""
    for dataset_id, name in names.items():
        if not is_dataset_id(dataset_id):
            raise Mistake(f"{dataset_id!r} is not a dataset's id.")
        if not is_safe_name(name):
            raise Mistake(_unsafe(name))
        if name in RESERVED_STREAMS:
            raise Mistake(f"{name!r} is the name of a stream of the tap's own.")
    folded = {name.casefold() for name in names.values()}
    if len(folded) < len(names):
        raise Mistake("gives two datasets the same name.")
    read = upper_ids(names)
    if len(read) < len(names):
        raise Mistake("names a dataset twice.")
    return read


def read_property_names(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Stream name, or dataset id in upper case, to property key to column name."""
    whole = {stream: join_keys(names) for stream, names in table.items()}
    for stream, names in whole.items():
        for key, name in names.items():
            if not isinstance(name, str):
                raise Mistake(f"for {stream!r}, {key!r}: must be a column name.")
            if not is_safe_name(name):
                raise Mistake(f"for {stream!r}, {key!r}: {_unsafe(name)}")
        if len({name.casefold() for name in names.values()}) < len(names):
            raise Mistake(f"for {stream!r}: gives two properties the same name.")
    return upper_ids(whole)


def _unsafe(name: str) -> str:
    return (
        f"{name!r} is a name that loaders change or refuse: use letters, digits and _, at most "
        f"{MAX_BYTES}, not beginning with a digit or _sdc_."
    )


def read_start_date(text: str) -> datetime:
    """An instant, in UTC."""
    instant = parse_instant(text)
    if instant is None:
        raise Mistake(
            "must be an ISO 8601 date or date and time, for example 2026-01-31T00:00:00Z."
        )
    return instant


def read_user_agent(text: str) -> str:
    """The value of a `User-Agent` header."""
    if not text.strip() or not text.isascii() or not text.isprintable():
        raise Mistake("must be printable ASCII text.")
    return text


def read_temp_dir(path: str) -> str:
    """A folder that this process may write to."""
    if not Path(path).is_dir() or not os.access(path, os.W_OK):
        raise Mistake("is not a folder that can be written to.")
    return path


def read_run_report(path: str) -> str:
    """A folder, which the run creates if it has to: a missing report fails no run."""
    if not path.strip():
        raise Mistake("is empty: name a folder, or remove the setting.")
    if "://" in path:
        raise Mistake("must be a folder of this machine, not a URL.")
    return os.path.expanduser(path)  # noqa: PTH111 - `Path` would raise where there is no home


def read_filters(filters: Mapping[str, Filter]) -> dict[str, Filter]:
    """Stream name, or dataset id in upper case, to a filter as Orgvue takes it."""
    whole = {name: join_filter_keys(conditions) for name, conditions in filters.items()}
    for name, conditions in whole.items():
        for key, condition in conditions.items():
            if mistake := _mistake_of_condition(key, condition):
                raise Mistake(f"for {name!r}: {mistake}")
    return upper_ids(whole)


def _mistake_of_condition(key: str, condition: Any) -> str | None:
    if key.startswith("$"):
        return f"{key} is no property key; conditions are joined by AND."
    if condition == {}:
        return f"the condition on {key!r} is empty."
    operators = condition if isinstance(condition, dict) else {}
    unknown = sorted(set(operators) - FILTER_OPERATORS)
    if unknown:
        return f"{unknown[0]!r} is not one of {_OPERATOR_LIST}."
    for operator in ("$in", "$nin"):
        if not isinstance(operators.get(operator, []), list):
            return f"{operator} takes a list."
    if isinstance(condition, list):
        return f"{key!r} is compared with a list; use $in."
    return None


def read_linking_relationships(table: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Stream name, or dataset id in upper case, to the ids of LINKS datasets."""
    for name, ids in table.items():
        for linking in ids:
            if not is_dataset_id(linking):
                raise Mistake(f"for {name!r}: {linking!r} is not a dataset's id.")
    return upper_ids(table)


def read_property_types(types: Mapping[str, Any]) -> dict[str, ColumnType]:
    """Pattern to column type."""
    whole, known = join_keys(types), [column_type.value for column_type in ColumnType]
    for pattern, column_type in whole.items():
        if column_type not in known:
            raise Mistake(f"for {pattern!r}: must be one of {', '.join(known)}.")
    return {pattern: ColumnType(column_type) for pattern, column_type in whole.items()}


def read_hash_key(text: str) -> bytes:
    """The key in UTF-8."""
    if len(text) < SHORTEST_HASH_KEY:
        raise Mistake(
            f"must have at least {SHORTEST_HASH_KEY} characters: a shorter one can be guessed."
        )
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Mistake(
            "has half of a surrogate pair, which is no character; write the key without escapes."
        ) from None


def read_retired_streams(names: Sequence[str]) -> tuple[str, ...]:
    """Stream names, and dataset ids in upper case."""
    return tuple(name.upper() if is_dataset_id(name) else name for name in names)


def upper_ids(table: Mapping[str, T]) -> dict[str, T]:
    """A table with its dataset ids in upper case; stream names stay as they are."""
    return {key.upper() if is_dataset_id(key) else key: value for key, value in table.items()}
