"""Checks of the settings as a whole: mistakes are told by setting, without values."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.settings.checks import SettingsError, contradictions, mistakes_of_form
from tap_orgvue.settings.regions import REGIONS
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings

GOOD: dict[str, Any] = {"api_token": "t", "tenant_id": "ACME", "region": "eu-west"}


@pytest.mark.parametrize(
    "given,told",
    [
        ({}, "api_token: is required."),
        ({"export_mode": "fast"}, "export_mode: must be one of auto, sync, async, paged."),
        ({"max_retries": "6"}, "max_retries: must be of type integer."),
        ({"max_retries": -1}, "max_retries: must be at least 0."),
        ({"max_retries": 101}, "max_retries: must be at most 100."),
        ({"job_timeout": 10**12}, "job_timeout: must be at most 31536000."),
        ({"request_timeout": 0}, "request_timeout: must be at least 1."),
        ({"max_retry_wait": 10**12}, "max_retry_wait: must be at most 31536000."),
        ({"max_unchanged_days": 10**12}, "max_unchanged_days: must be at most 36500."),
        ({"datasets": ["x", 1]}, "datasets.1: must be of type string."),
        ({"linking_relationships": {"a": "x"}}, "linking_relationships.a: must be of type array."),
    ],
)
def test_a_form_that_is_wrong(given: dict[str, Any], told: str) -> None:
    """Each violation of the JSON Schema is one line with the setting's place."""
    assert told in mistakes_of_form(given, SETTINGS_SCHEMA)


def test_a_form_that_is_right() -> None:
    """A complete config has no mistakes."""
    assert mistakes_of_form(GOOD, SETTINGS_SCHEMA) == []


def test_an_unknown_rule_of_the_schema_is_reported_without_the_value() -> None:
    """Whichever rule of a schema is broken: the line names the rule, never the value."""
    schema = {"properties": {"token": {"maxLength": 3}}}
    assert mistakes_of_form({"token": "secret"}, schema) == [
        "token: does not have the form that is documented (maxLength)."
    ]
    assert mistakes_of_form({"token": "secret"}, {"maxProperties": 0}) == [
        "config: does not have the form that is documented (maxProperties)."
    ]


@pytest.mark.parametrize(
    "given,told",
    [
        (
            {"linking_relationships": {"a": []}, "include_calculations": False},
            "linking_relationships: needs include_calculations to be true.",
        ),
        (
            {"new_properties": "rescue", "rescue_data": False},
            "new_properties: rescue needs rescue_data to be true.",
        ),
        ({"hash_properties": ["a"]}, "hash_key: is required with hash_properties."),
        ({"run_report_keep": 5}, "run_report_keep: needs run_report."),
        (
            {"flattening_max_depth": -1, "flattening_enabled": True},
            "flattening_max_depth: is required with flattening_enabled, at least 0.",
        ),
    ],
)
def test_settings_that_contradict_one_another(given: dict[str, Any], told: str) -> None:
    """Two settings that exclude each other are one line; each of them alone is none."""
    assert contradictions({**GOOD, **given}, REGIONS) == [told]
    for name in given.keys() - {"hash_properties", "flattening_enabled", "run_report_keep"}:
        alone = {name: given[name]}
        assert contradictions({**GOOD, **alone}, REGIONS) == []


@pytest.mark.parametrize(
    "more", [{"run_report_keep": 90}, {"run_report_keep": 5, "run_report": "x"}]
)
def test_reports_that_are_kept(more: dict[str, Any]) -> None:
    """Meltano passes the default on, also without a folder; with one, any number has an effect."""
    assert contradictions({**GOOD, **more}, REGIONS) == []


@pytest.mark.parametrize("depth", [0, 1, "many"])
def test_flattening_with_a_depth(depth: Any) -> None:
    """A depth of 0 is one; what is no number is told by its form."""
    given = {**GOOD, "flattening_enabled": True, "flattening_max_depth": depth}
    assert contradictions(given, REGIONS) == []
    assert len(contradictions({**GOOD, "flattening_enabled": True}, REGIONS)) == 1


def test_a_server_is_needed() -> None:
    """One of region and api_url is enough; without both the regions are listed."""
    assert contradictions({"api_url": "https://h"}, REGIONS) == []
    assert contradictions({"hash_properties": ["a"], "hash_key": "k", "region": "x"}, REGIONS) == []
    (told,) = contradictions({}, {"here": "https://h", "there": "https://t"})
    assert told == "region: set it to one of here, there, or set api_url."


def test_defaults_are_as_documented() -> None:
    """Every default of a setting that has one, as README tells it."""
    read = Settings.from_config(GOOD, SETTINGS_SCHEMA)
    defaults = {
        name: declared["default"]
        for name, declared in SETTINGS_SCHEMA["properties"].items()
        if "default" in declared and name != "user_agent"
    }
    assert {name: getattr(read, name) for name in defaults} == defaults
    assert defaults == {
        "column_names": "snake_case",
        "request_timeout": 300,
        "max_parallel_requests": 8,
        "max_retries": 6,
        "max_retry_wait": 900,
        "export_mode": "auto",
        "job_timeout": 3600,
        "include_calculations": True,
        "new_properties": "add",
        "rescue_data": True,
        "unmatched_patterns": "fail",
        "missing_streams": "fail",
        "emit_activate_version_messages": False,
        "delete_guard_percent": 50,
        "skip_unchanged": False,
        "max_unchanged_days": 7,
        "max_requests_per_second": 90,
        "row_change_warn_percent": 25,
        "run_report_keep": 90,
    }


def test_an_error_has_a_line_for_each_mistake() -> None:
    """The error's text is its mistakes, line by line."""
    assert str(SettingsError(["a: is wrong.", "b: is wrong."])) == "a: is wrong.\nb: is wrong."
