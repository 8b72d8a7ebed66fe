"""Checks that what settings name exists."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings
from tap_orgvue.streams.identity import EarlierRuns
from tap_orgvue.streams.setting_names import named_twice, unmatched_patterns, without_effect
from tap_orgvue.streams.state import StreamState

PEOPLE, NOBODY = "00000000-0000-4000-8000-00000000000A", "00000000-0000-4000-8000-00000000000B"
STREAMS = {"people": PEOPLE}
PROPERTIES = {"people": ["pay", "_id"]}
VALUES: dict[str, Any] = {
    "filters": {"pay": 5},
    "linking_relationships": [NOBODY],
    "property_names": {"pay": "salary"},
}


def settings(**given: Any) -> Settings:
    """The settings of a run."""
    required = {"api_token": "t", "tenant_id": "ACME", "region": "eu-west"}
    return Settings.from_config({**required, **given}, SETTINGS_SCHEMA)


@pytest.mark.parametrize("setting", VALUES)
def test_a_dataset_that_is_named_twice_is_a_mistake(setting: str) -> None:
    """By its stream and by its id; either alone is none."""
    value = VALUES[setting]
    for names in (["people"], [PEOPLE], ["people", NOBODY], ["staff", PEOPLE]):
        assert named_twice(settings(**{setting: dict.fromkeys(names, value)}), STREAMS) == []
    twice = settings(**{setting: {"people": value, PEOPLE: value}})
    assert named_twice(twice, STREAMS) == [
        f"{setting}: names the stream 'people' twice, by its name and by its dataset's id."
    ]


@pytest.mark.parametrize("setting", VALUES)
@pytest.mark.parametrize("name,exists", [("people", True), (PEOPLE, True), ("peeple", False)])
def test_a_setting_for_no_stream_has_no_effect(
    setting: str,
    name: str,
    exists: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """A stream is named by its name or by its dataset's id."""
    found = list(
        without_effect(settings(**{setting: {name: VALUES[setting]}}), STREAMS, PROPERTIES)
    )
    line = (
        f"{setting}: there is no stream and no dataset {name!r}; what is set for it has no effect."
    )
    assert found == ([] if exists else [line])


def test_a_name_for_no_dataset_has_no_effect() -> None:
    """Of `stream_names`, which knows ids only."""
    pinned = settings(stream_names={PEOPLE: "people", NOBODY: "nobody"})
    (line,) = without_effect(pinned, STREAMS, PROPERTIES)
    assert line.startswith(f"stream_names: there is no stream and no dataset '{NOBODY}'")


@pytest.mark.parametrize("name", ["people", PEOPLE])
def test_a_name_for_no_property_has_no_effect(name: str) -> None:
    """The pins of properties that exist are not told."""
    pinned = settings(property_names={name: {"pay": "salary", "slary": "wage"}})
    assert list(without_effect(pinned, STREAMS, PROPERTIES)) == [
        "property_names: stream 'people' has no property 'slary'; its pin has no effect."
    ]


def test_patterns_that_match_nothing_are_found() -> None:
    """Only one that protects a single property, and never protected any, lets values out."""
    rules = ColumnRules(
        types={"note": ColumnType.TEXT, "nothing": ColumnType.TEXT},
        excluded=("pay", "pya", "pya*", "gone"),
        hashed=("name", "nam?", "nmae"),
    )
    for key in ("note", "pay", "name"):
        rules.is_excluded("people", Property(key, key))
        rules.pinned_type("people", Property(key, key))
    earlier = EarlierRuns({"people": StreamState(protected=[("gone", "wage")])})
    assert list(unmatched_patterns(rules, earlier)) == [
        ("property_types", "nothing", False),
        ("exclude_properties", "pya", True),
        ("exclude_properties", "pya*", False),
        ("exclude_properties", "gone", False),
        ("hash_properties", "nmae", True),
    ]
