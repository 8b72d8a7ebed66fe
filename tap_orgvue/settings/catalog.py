"""Checks the user's catalog for mistakes that the SDK does not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.schema.columns import columns_in
from tap_orgvue.schema.naming import RESERVED_STREAMS
from tap_orgvue.settings.checks import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FULL_TABLE = "FULL_TABLE"

INCREMENTAL = "INCREMENTAL"

_ADVICE = "`tap-orgvue --discover` writes a catalog of this tenant."


def checked_catalog(document: Mapping[str, Any]) -> dict[str, Any]:
    """Check a catalog, and copy each stream's replication from its metadata to the stream itself.

    Singer has it in the metadata (`replication-method`, `replication-key`), older tools on the
    stream; the SDK ignores the metadata. The metadata wins.

    Returns:
        The catalog, with `replication_method` and `replication_key` on each stream.

    Raises:
        SettingsError: It is no catalog, or contradicts itself; a line for each mistake.
    """
    mistakes = list(_mistakes_of_form(document))
    if mistakes:
        raise SettingsError([f"catalog: {mistake} {_ADVICE}" for mistake in mistakes])
    streams = [_with_replication(entry) for entry in document["streams"]]
    seen: set[str] = set()
    for entry in streams:
        name = entry["tap_stream_id"]
        if name in seen:
            mistakes.append(f"stream {name!r} is listed twice.")
        seen.add(name)
        mistakes += [f"stream {name!r}: {mistake}" for mistake in _mistakes_of_columns(entry)]
        if _is_selected(entry):
            mistakes += [f"stream {name!r}: {mistake}" for mistake in _mistakes_of_keys(entry)]
    if mistakes:
        raise SettingsError([f"catalog: {mistake}" for mistake in mistakes])
    return {**document, "streams": streams}


def _mistakes_of_form(document: Mapping[str, Any]) -> Iterator[str]:
    streams = document.get("streams")
    if not isinstance(streams, list):
        yield "it has no list of `streams`."
        return
    for i, entry in enumerate(streams):
        place = f"`streams[{i}]"
        if not isinstance(entry, dict):
            yield f"{place}` is no object."
        elif not isinstance(name := entry.get("tap_stream_id"), str):
            yield f"{place}.tap_stream_id` is no text."
        elif entry.get("stream", name) != name:
            yield f"{place}.stream` is not {name!r}, its `tap_stream_id`, as this tap writes it."
        elif not _is_table_of_objects(entry.get("schema")):
            yield f"{place}.schema` is no JSON Schema of an object."
        elif not _is_metadata(entry.get("metadata", [])):
            yield f"{place}.metadata` is no list of objects with `breadcrumb` and `metadata`."
        elif not _is_list_of_texts(entry.get("key_properties") or []):
            yield f"{place}.key_properties` is no list of names."
        else:
            yield from _mistakes_of_names(place, entry)


def _mistakes_of_names(place: str, entry: Mapping[str, Any]) -> Iterator[str]:
    root = root_metadata(entry)
    if not _is_list_of_texts(root.get("table-key-properties") or []):
        yield f"{place}.metadata`: `table-key-properties` is no list of names."
    for member, key in (
        (f"{place}.replication_key`", entry.get("replication_key")),
        (f"{place}.metadata`: `replication-key`", root.get("replication-key")),
    ):
        if not isinstance(key, (str, type(None))):
            yield f"{member} is no name."


def _is_table_of_objects(schema: Any) -> bool:
    properties = schema.get("properties", {}) if isinstance(schema, dict) else None
    return isinstance(properties, dict) and all(isinstance(p, dict) for p in properties.values())


def _is_metadata(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(entry, dict)
        and _is_list_of_texts(entry.get("breadcrumb"))
        and isinstance(entry.get("metadata"), dict)
        for entry in entries
    )


def _is_list_of_texts(names: Any) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names)


def root_metadata(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of a stream itself, whose breadcrumb is empty.

    Args:
        entry: The stream in a catalog whose form is checked.
    """
    found = [item["metadata"] for item in entry.get("metadata", ()) if not item["breadcrumb"]]
    return found[-1] if found else {}


def _is_selected(entry: Mapping[str, Any]) -> bool:
    """True if the stream is selected; without any metadata it is, as for the SDK."""
    root = root_metadata(entry)
    said = [root.get(name) for name in ("selected", "selected-by-default")]
    return bool(next((each for each in said if each is not None), not root))


def _with_replication(entry: Mapping[str, Any]) -> dict[str, Any]:
    root = root_metadata(entry)
    settled = {
        name: root[name.replace("_", "-")]
        for name in ("replication_method", "replication_key")
        if root.get(name.replace("_", "-")) is not None
    }
    return {**entry, **settled}


def _mistakes_of_columns(entry: Mapping[str, Any]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for column in columns_in(entry["schema"]):
        if column.key in owners:
            yield (
                f"its columns {owners[column.key]!r} and {column.name!r} are both of the property "
                f"{column.key!r}; remove one of them."
            )
        owners[column.key] = column.name


def _mistakes_of_keys(entry: Mapping[str, Any]) -> Iterator[str]:
    method, key = entry.get("replication_method"), entry.get("replication_key")
    if method not in {None, FULL_TABLE, INCREMENTAL}:
        yield f"its replication method is {method!r}, but must be {FULL_TABLE} or {INCREMENTAL}."
    elif method == INCREMENTAL and not key:
        yield (
            f"it is {INCREMENTAL} without a replication key; set `replication-key` to the column "
            "of _modifiedAt."
        )
    elif method == INCREMENTAL and entry["tap_stream_id"] in RESERVED_STREAMS:
        yield f"it is always a full table; set its replication method to {FULL_TABLE}."
    columns = entry["schema"].get("properties", {})
    keys = entry.get("key_properties") or root_metadata(entry).get("table-key-properties") or []
    for name in keys:
        if name not in columns:
            yield f"its key names {name!r}, which is no column of it."
