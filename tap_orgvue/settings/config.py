"""Normalizes a config: removes comments and empty values, converts numbers and booleans."""

from __future__ import annotations

import re
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
"""Words for booleans, in any case: the SDK's for true, and their opposites."""

_NEARLY = 0.8
"""The least similarity, from 0 to 1, of a misspelt name and the setting that is meant."""

_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")


def normalized(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A config without comments and unset values.

    Keys that begin with `_` are comments; None and empty text are unset. A whole number is an
    `int`, however a file wrote it. Words for a boolean become one: Meltano offers some booleans
    as a choice of two texts.

    Args:
        config: From Meltano, a file or the environment.
        schema: The JSON Schema of all settings.
    """
    return {
        name: _normalized(value, schema["properties"].get(name, {}))
        for name, value in config.items()
        if not name.startswith("_") and value is not None and value != ""
    }


def _normalized(value: Any, declared: Mapping[str, Any]) -> Any:
    if isinstance(value, str) and "boolean" in declared.get("type", ()):
        return BOOLEANS.get(value.lower(), value)
    if isinstance(value, (Decimal, float)) and value == value // 1:
        return int(value)
    return value


def unknown_settings(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """One line for each name that is no setting, with the nearest setting."""
    mistakes = []
    for name in sorted(set(names) - set(known)):
        nearest = nearest_setting(name, known, cutoff=0.6)
        advice = f"did you mean `{nearest}`?" if nearest else "README lists all settings."
        mistakes.append(f"{name[:200]!r} is no setting; {advice}")
    return mistakes


def nearest_setting(name: str, known: Iterable[str], cutoff: float = _NEARLY) -> str | None:
    """The setting that a misspelt name probably means, or None."""
    folded = _CAMEL_CASE.sub("_", name).lower().replace("-", "_")
    return next(iter(get_close_matches(folded, list(known), n=1, cutoff=cutoff)), None)
