"""Catalog, state and environment variables as given, checked."""

from __future__ import annotations

import json
import os
from typing import IO, Any

from tap_orgvue.settings.checks import SettingsError


def _document(kind: str, file: IO[str]) -> dict[str, Any]:
    """Read a file that was given on the command line.

    Raises:
        SettingsError: It is not a JSON object.
    """
    try:
        document = json.load(file)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise SettingsError([f"{kind}: {file.name} does not hold a JSON object."])
    return document


def _catalog(document: dict[str, Any]) -> dict[str, Any]:
    """See that a document is a catalog, as far as nobody else does.

    Raises:
        SettingsError: It is something else.
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


def _check_environment(name: str, schema: dict[str, Any]) -> None:
    """Find the variables that the SDK could not read, and name them.

    Raises:
        SettingsError: A variable of a whole number holds something else.
    """
    prefix = f"{name.upper().replace('-', '_')}_"
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
