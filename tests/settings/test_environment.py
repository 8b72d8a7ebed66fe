"""Settings from environment variables: read in one way only, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.settings.environment import misspelt_variables, read_environment
from tap_orgvue.settings.settings import SETTINGS_SCHEMA


def read(**variables: str) -> tuple[dict[str, Any], list[str]]:
    """What variables of the tap give, named without their prefix."""
    given = {f"TAP_ORGVUE_{name}": text for name, text in variables.items()}
    return read_environment({**given, "OTHER_REGION": "x"}, SETTINGS_SCHEMA)


def test_each_kind_is_read() -> None:
    """Text as it is, whole numbers, booleans, and lists and objects in JSON."""
    config, mistakes = read(
        REGION="eu-west",
        MAX_RETRIES=" 3 ",
        SKIP_UNCHANGED="TRUE",
        RESCUE_DATA="off",
        DATASETS='["HR *"]',
        FILTERS='{"people": {"a": 1}}',
    )
    assert mistakes == []
    assert config == {
        "region": "eu-west",
        "max_retries": 3,
        "skip_unchanged": True,
        "rescue_data": False,
        "datasets": ["HR *"],
        "filters": {"people": {"a": 1}},
    }


@pytest.mark.parametrize("name", ["REGION", "MAX_RETRIES", "RESCUE_DATA", "DATASETS", "FILTERS"])
def test_an_empty_variable_is_unset(name: str) -> None:
    """An empty variable of any kind leaves the setting to other sources and to its default."""
    assert read(**{name: ""}) == ({}, [])


@pytest.mark.parametrize(
    "name,text,told",
    [
        ("EXCLUDE_PROPERTIES", "['salary']", "of type array"),
        ("EXCLUDE_PROPERTIES", '["salary"', "of type array"),
        ("EXCLUDE_PROPERTIES", "[salary]", "of type array"),
        ("EXCLUDE_PROPERTIES", "salary", "of type array"),
        ("EXCLUDE_PROPERTIES", '"salary"', "of type array"),
        ("EXCLUDE_PROPERTIES", "[" * 100_000, "of type array"),
        ("FILTERS", "[]", "of type object"),
        ("FILTERS", "{people: x}", "of type object"),
        ("MAX_RETRIES", "soon", "of type integer"),
        ("MAX_RETRIES", "1_0", "of type integer"),
        ("MAX_RETRIES", "1.5", "of type integer"),
        ("INCLUDE_CALCULATIONS", "True ", "one of true, 1, yes, on, false, 0, no, off"),
        ("INCLUDE_CALCULATIONS", "maybe", "one of true, 1, yes, on, false, 0, no, off"),
    ],
)
def test_what_cannot_be_read_is_refused(name: str, text: str, told: str) -> None:
    """A variable in another form is never passed over, and its value is not told."""
    config, mistakes = read(**{name: text})
    assert config == {}
    (line,) = mistakes
    assert line.startswith(f"{name.lower()}: must be {told}")
    assert line.endswith(f" (TAP_ORGVUE_{name}).")
    assert text not in line


def misspelt(*names: str) -> tuple[list[str], list[str]]:
    """What is told of variables of the tap, named without their prefix."""
    given = {f"TAP_ORGVUE_{name}": "x" for name in names}
    return misspelt_variables({**given, "TAP_OTHER_REGIONS": "x"}, SETTINGS_SCHEMA)


def test_a_misspelt_variable_is_a_mistake() -> None:
    """A variable that is nearly a setting would protect nobody: it is told with the right one."""
    assert misspelt("EXCLUDE_PROPERTY", "REGION") == (
        ["TAP_ORGVUE_EXCLUDE_PROPERTY is no setting; did you mean TAP_ORGVUE_EXCLUDE_PROPERTIES?"],
        [],
    )


def test_another_variable_is_named() -> None:
    """A variable that is like no setting, or one of a plugin with a longer name, is named."""
    names = ("COLOUR", "DATASETS_PEOPLE", "HR_API_TOKEN", "HR_EXCLUDE_PROPERTIES", "HR_FILTERS")
    assert misspelt(*names) == ([], [f"TAP_ORGVUE_{name}" for name in names])


def test_variables_of_meltano_and_the_sdk_are_known() -> None:
    """Meltano's extras, members of objects and the log level are nothing to tell."""
    names = ("_SELECT", "_HR_API_TOKEN", "LOGLEVEL", "FILTERS_PEOPLE", "PROPERTY_TYPES_A_B")
    assert misspelt(*names, "PROPERTY_NAMES_X") == ([], [])
