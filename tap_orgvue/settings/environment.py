"""Settings from environment variables: `TAP_ORGVUE_` and a setting's name in capitals."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tap_orgvue.settings.config import BOOLEANS, nearest_setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PREFIX = "TAP_ORGVUE_"

_NO_SETTINGS = re.compile(r"_.*|LOGLEVEL")
"""Variables that are Meltano's or the SDK's, without the prefix."""

_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)


def read_environment(
    variables: Mapping[str, str], schema: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Read the settings that variables give; an empty variable is unset.

    Args:
        variables: All environment variables.
        schema: The JSON Schema of all settings.

    Returns:
        The settings, and a line for each variable that cannot be read, without its value.
    """
    config: dict[str, Any] = {}
    mistakes = []
    for name, declared in schema["properties"].items():
        variable = f"{PREFIX}{name.upper()}"
        text = variables.get(variable, "")
        if not text:
            continue
        kind = next(each for each in declared["type"] if each != "null")
        try:
            config[name] = _read(text, kind)
        except (ValueError, RecursionError):
            mistakes.append(f"{name}: {_EXPECTED[kind]} ({variable}).")
    return config, mistakes


_EXPECTED = {
    "integer": "must be of type integer",
    "boolean": f"must be one of {', '.join(BOOLEANS)}",
    "array": 'must be of type array, in JSON: ["…", "…"]',
    "object": 'must be of type object, in JSON: {"…": …}',
}


def _read(text: str, kind: str) -> Any:
    """The value of a variable.

    Raises:
        ValueError: It is none of this JSON type.
    """
    if kind == "integer":
        if not _INTEGER.fullmatch(text):
            raise ValueError
        return int(text)
    if kind == "boolean":
        if text.lower() not in BOOLEANS:
            raise ValueError
        return BOOLEANS[text.lower()]
    if kind in {"array", "object"}:
        value = json.loads(text)
        if not isinstance(value, list if kind == "array" else dict):
            raise ValueError
        return value
    return text


def misspelt_variables(
    variables: Mapping[str, str], schema: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Find variables with the tap's prefix that are no settings.

    Meltano sets one for each member of an object (`TAP_ORGVUE_FILTERS_PEOPLE`), for its own
    extras (`TAP_ORGVUE__SELECT`), and for plugins whose names begin with the tap's
    (`TAP_ORGVUE_HR_API_TOKEN`).

    Args:
        variables: All environment variables.
        schema: The JSON Schema of all settings.

    Returns:
        A line for each misspelt setting, and the names of all other variables.
    """
    settings = schema["properties"]
    mistakes, others = [], []
    for variable in _unknown(variables, settings):
        name = variable.removeprefix(PREFIX).lower()
        is_of_another_plugin = name.endswith(tuple(f"_{setting}" for setting in settings))
        nearest = None if is_of_another_plugin else nearest_setting(name, settings)
        if nearest:
            right = f"{PREFIX}{nearest.upper()}"
            mistakes.append(f"{variable} is no setting; did you mean {right}?")
        else:
            others.append(variable)
    return mistakes, others


def _unknown(variables: Mapping[str, str], settings: Mapping[str, Any]) -> Iterator[str]:
    known = {name.upper() for name in settings}
    members = tuple(
        f"{name.upper()}_" for name, declared in settings.items() if "object" in declared["type"]
    )
    for variable in sorted(variables):
        name = variable.removeprefix(PREFIX)
        if not variable.startswith(PREFIX) or name in known:
            continue
        if not name.startswith(members) and not _NO_SETTINGS.fullmatch(name):
            yield variable
