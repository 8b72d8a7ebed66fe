"""A config as it is given: comments, unset values, numbers and booleans; unknown keys."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tap_orgvue.settings.config import nearest_setting, normalized, unknown_settings
from tap_orgvue.settings.settings import SETTINGS_SCHEMA

KNOWN = SETTINGS_SCHEMA["properties"]


@pytest.mark.parametrize(
    "given,read",
    [
        ({"_comment": 1, "_": "x", "region": "eu-west"}, {"region": "eu-west"}),
        ({"region": None, "temp_dir": ""}, {}),
        ({"datasets": [], "filters": {}}, {"datasets": [], "filters": {}}),
        (
            {"max_retries": 3.0, "job_timeout": Decimal("4.00")},
            {"max_retries": 3, "job_timeout": 4},
        ),
        ({"max_retries": 1.5, "job_timeout": "4"}, {"max_retries": 1.5, "job_timeout": "4"}),
        (
            {"rescue_data": "false", "skip_unchanged": "Yes"},
            {"rescue_data": False, "skip_unchanged": True},
        ),
        (
            {"rescue_data": "maybe", "skip_unchanged": "True "},
            {"rescue_data": "maybe", "skip_unchanged": "True "},
        ),
        ({"tenant_id": "true"}, {"tenant_id": "true"}),
        ({"no_setting": "true"}, {"no_setting": "true"}),
    ],
)
def test_a_config_in_one_form(given: dict[str, Any], read: dict[str, Any]) -> None:
    """Comments and unset values are gone; numbers and booleans are such; all else is unchanged."""
    found = normalized(given, SETTINGS_SCHEMA)
    assert found == read
    assert [type(value) for value in found.values()] == [type(value) for value in read.values()]


@pytest.mark.parametrize("word,read", [("1", True), ("ON", True), ("0", False), ("Off", False)])
def test_the_words_of_the_sdk_are_booleans(word: str, read: bool) -> None:  # noqa: FBT001 - a case
    """The SDK's words for true, and their opposites, in any case."""
    assert normalized({"rescue_data": word}, SETTINGS_SCHEMA) == {"rescue_data": read}


@pytest.mark.parametrize(
    "name,nearest",
    [
        ("exclude_property", "exclude_properties"),
        ("excludeProperties", "exclude_properties"),
        ("HASH-PROPERTIES", "hash_properties"),
        ("dataset", "datasets"),
    ],
)
def test_an_unknown_setting_is_reported_with_the_nearest(name: str, nearest: str) -> None:
    """A key that is no setting is told with the setting that was probably meant."""
    (line,) = unknown_settings(["region", name], KNOWN)
    assert line == f"{name!r} is no setting; did you mean `{nearest}`?"


def test_an_unknown_setting_that_is_near_to_none() -> None:
    """Where nothing is near, README is named; a key of any length is told in part."""
    (line,) = unknown_settings(["x" * 300], KNOWN)
    assert line == f"'{'x' * 200}' is no setting; README lists all settings."


def test_likeness_has_a_limit() -> None:
    """What is less like a setting than the limit is not taken for one."""
    assert nearest_setting("exclude", KNOWN) is None
    assert nearest_setting("exclude", KNOWN, cutoff=0.5) == "exclude_properties"
