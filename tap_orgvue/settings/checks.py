"""Checks the settings as a whole; messages never hold a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


RUN_REPORT_KEEP = 90
"""The default of the setting `run_report_keep`."""


class SettingsError(ConfigurationError):
    """The settings, the catalog or the state are invalid.

    Attributes:
        mistakes: One line each, naming the setting and never a secret's value.
    """

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Keep the mistakes."""
        super().__init__("\n".join(mistakes))
        self.mistakes = list(mistakes)


def mistakes_of_form(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """A line for each violation of the JSON Schema, without the value, which may be the token."""
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
        types = [wanted] if isinstance(wanted, str) else wanted
        return f"must be of type {' or '.join(name for name in types if name != 'null')}."
    if error.validator in {"minimum", "maximum"}:
        return f"must be at {'least' if error.validator == 'minimum' else 'most'} {wanted}."
    return f"does not have the form that is documented ({error.validator})."


def contradictions(given: Mapping[str, Any], regions: Mapping[str, str]) -> list[str]:
    """A line for each pair of valid settings that contradict each other.

    Args:
        given: The settings as given.
        regions: The regions to choose from.
    """
    mistakes = []
    if given.get("linking_relationships") and given.get("include_calculations") is False:
        mistakes.append("linking_relationships: needs include_calculations to be true.")
    if given.get("new_properties") == "rescue" and given.get("rescue_data") is False:
        mistakes.append("new_properties: rescue needs rescue_data to be true.")
    if given.get("hash_properties") and not given.get("hash_key"):
        mistakes.append("hash_key: is required with hash_properties.")
    keep = given.get("run_report_keep")
    # Meltano passes the default on, too.
    if keep not in {None, RUN_REPORT_KEEP} and not given.get("run_report"):
        mistakes.append("run_report_keep: needs run_report.")
    depth = given.get("flattening_max_depth")
    if given.get("flattening_enabled") is True and (
        depth is None or (isinstance(depth, int) and depth < 0)
    ):
        mistakes.append("flattening_max_depth: is required with flattening_enabled, at least 0.")
    if "region" not in given and "api_url" not in given:
        mistakes.append(f"region: set it to one of {', '.join(regions)}, or set api_url.")
    return mistakes
