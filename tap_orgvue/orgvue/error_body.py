"""Reads Orgvue's error bodies, and makes its words safe to show."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

_MAX_TEXT = 500
_WORD = string.digits + string.ascii_letters + string.punctuation
_ENTRY_MEMBERS = ("code", "name", "message", "pathParameter")


class ApiErrorEntry(msgspec.Struct, frozen=True):
    """One entry of an error body's `errors` (API guide, "Errors").

    Attributes:
        code: Five digits from the gateway, six from an endpoint; may be empty.
        name: For example `Throttled`; may be empty.
        message: Orgvue's words; may be empty.
        path_parameter: The wrong part of the path, for example `datasetId`; mostly empty.
    """

    code: str
    name: str
    message: str
    path_parameter: str = ""

    @override
    def __str__(self) -> str:
        """`42901 Throttled: Slow down`, without the parts that are empty."""
        title = " ".join(part for part in (self.code, self.name) if part)
        return ": ".join(part for part in (title, self.message) if part)


def error_document(body: bytes) -> Mapping[str, Any]:
    """Decode an error body or a job ticket; empty if it is no JSON object."""
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def error_entries(document: Mapping[str, Any]) -> list[ApiErrorEntry]:
    """Read the `errors` of a response or a job ticket.

    Args:
        document: A decoded JSON object.

    Returns:
        The documented entries, and texts as messages. Entries of other types, and those without
        code, name and message, are skipped.
    """
    errors = document.get("errors")
    entries = errors if isinstance(errors, list) else [errors]
    return [entry for entry in map(_error_entry, entries) if entry and str(entry)]


def error_codes(entries: Iterable[ApiErrorEntry]) -> frozenset[str]:
    """The codes of entries; some have none."""
    return frozenset(entry.code for entry in entries if entry.code)


def _error_entry(entry: Any) -> ApiErrorEntry | None:
    if isinstance(entry, str):
        return ApiErrorEntry("", "", one_line(entry))
    if not isinstance(entry, dict):
        return None
    return ApiErrorEntry(*(one_line(entry.get(member)) for member in _ENTRY_MEMBERS))


def one_line(value: object, limit: int = _MAX_TEXT) -> str:
    """A value of a response as one short printable line; empty for None.

    Control and format characters, line and paragraph separators and lone surrogates become spaces.
    A text is not cut within a word of ASCII: the scrubber would not recognize half a secret.

    Args:
        value: Decoded JSON, or a header.
        limit: The maximum number of characters.
    """
    text = "" if value is None else str(value)
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    if len(line) <= limit:
        return line
    start, following = line[: limit - 1], line[limit - 1]
    return f"{start.rstrip(_WORD) if following in _WORD else start}…"
