"""Reads and checks the tap's inputs beside its settings: catalog, state, environment variables."""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any

from tap_orgvue.settings.checks import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_json_object(option: str, file: IO[str]) -> dict[str, Any]:
    """Read a file of the command line.

    Args:
        option: `catalog` or `state`, for the message.
        file: The open file.

    Raises:
        SettingsError: It is not a JSON object.
    """
    try:
        document = json.load(file)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise SettingsError([f"{option}: {file.name} does not hold a JSON object."])
    return document


def check_catalog(document: dict[str, Any]) -> dict[str, Any]:
    """Check that a document is a catalog, as far as the SDK does not.

    Raises:
        SettingsError: It is none.
    """
    streams = document.get("streams")
    if not isinstance(streams, list) or not all(
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema"), dict)
        for entry in streams
    ):
        raise SettingsError(["catalog: the file is not a catalog as `--discover` writes it."])
    return document


def check_state(state: Mapping[str, Any]) -> None:
    """Check that a document is a state.

    Raises:
        SettingsError: It is none.
    """
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict) or not all(
        isinstance(bookmark, dict) for bookmark in bookmarks.values()
    ):
        raise SettingsError(
            ["state: `bookmarks` must give each stream an object. Run without it to start anew."]
        )


def check_environment(tap_name: str, schema: Mapping[str, Any]) -> None:
    """Check the environment variables that the SDK would fail to read.

    Args:
        tap_name: For example `tap-orgvue`.
        schema: The JSON Schema of the settings.

    Raises:
        SettingsError: A variable of an integer or an object holds something else.
    """
    prefix = f"{tap_name.upper().replace('-', '_')}_"
    mistakes = []
    for setting, declared in schema["properties"].items():
        variable = f"{prefix}{setting.upper()}"
        for kind, read in (("integer", int), ("object", json.loads)):
            if kind in declared["type"] and variable in os.environ:
                try:
                    read(os.environ[variable])
                except (ValueError, RecursionError):
                    mistakes.append(f"{setting}: must be of type {kind} ({variable}).")
    if mistakes:
        raise SettingsError(mistakes)
