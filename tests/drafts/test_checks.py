"""Settings and a catalog that contradict each other about the streams of drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib.catalog import Catalog

from tap_orgvue.drafts.checks import (
    mistakes_about_drafts,
    protect_in_drafts,
    streams_without_setting,
)
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.streams.discovery import StreamDefinition
from tests.support.drafts import ACTIONS, DRAFTS
from tests.support.mocked_drafts import STAFF, settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def definition(name: str, *keys: str) -> StreamDefinition:
    """The stream of a dataset with these properties."""
    properties = {
        key: {"type": ["string", "null"], "description": f"Orgvue property: {key}"} for key in keys
    }
    return StreamDefinition(name, STAFF, {"type": "object", "properties": properties}, ("_id",))


# --- settings


def test_settings_without_a_contradiction() -> None:
    """Filters of datasets, and drafts beside datasets of other names, are no mistake."""
    given = settings(drafts=["*"], filters={"staff": {"team": "A"}})
    assert [*mistakes_about_drafts(given, [definition("staff"), definition("drafts")])] == []


@pytest.mark.parametrize("stream", [DRAFTS, ACTIONS])
@pytest.mark.parametrize("drafts", [[], ["*"]])
@pytest.mark.parametrize(
    "setting,value,why",
    [
        ("filters", {"a": 1}, "drafts are read completely; narrow `drafts` instead"),
        ("linking_relationships", [STAFF], "drafts hold no calculations"),
        ("property_names", {"salary": "pay"}, "its columns are fixed"),
    ],
)
def test_settings_that_do_not_apply_to_drafts(
    setting: str, value: Any, why: str, stream: str, drafts: list[str]
) -> None:
    """A table's entry for one of the streams is told with the reason, with or without `drafts`."""
    given = settings(**{setting: {stream: value}, "drafts": drafts})
    told = [*mistakes_about_drafts(given, [])]
    assert told == [f"{setting}: is not possible for '{stream}': {why}."]


def test_every_mistake_is_reported() -> None:
    """Not only the first of a setting."""
    given = settings(filters={DRAFTS: {"a": 1}, ACTIONS: {"a": 1}}, property_names={DRAFTS: {}})
    assert [text.split("'")[1] for text in mistakes_about_drafts(given, [])] == [
        *(DRAFTS, ACTIONS, DRAFTS)
    ]


@pytest.mark.parametrize("name", [DRAFTS, ACTIONS, "ORGVUE_Drafts"])
def test_a_dataset_with_the_name_of_a_stream_of_drafts(name: str) -> None:
    """In any case, since some loaders fold it; without `drafts` the name is free."""
    streams = [definition("staff"), definition(name)]
    (told,) = mistakes_about_drafts(settings(drafts=["*"]), streams)
    assert told == (
        f"drafts: the dataset {STAFF} has the stream name '{name}', which is reserved for drafts. "
        "Give the dataset another name with `stream_names`."
    )
    assert [*mistakes_about_drafts(settings(drafts=[]), streams)] == []


def test_a_pattern_for_drafts_only_matches_the_properties_of_datasets() -> None:
    """It protects in drafts what a dataset has, so that it is no entry without effect."""
    rules = ColumnRules(excluded=(f"{ACTIONS}.salary", f"{ACTIONS}.pay"))
    protect_in_drafts(rules, [definition("staff", "_id", "salary"), definition("posts")])
    assert rules.matched == {f"{ACTIONS}.salary"}


# --- a catalog


def catalog(*streams: str, table: str | None = None, **metadata: Any) -> Catalog:
    """A catalog with these streams."""
    return Catalog.from_dict(
        {
            "streams": [
                {
                    "tap_stream_id": name,
                    "stream": name,
                    "schema": {"type": "object", "properties": {}},
                    "metadata": [{"breadcrumb": [], "metadata": metadata}] if metadata else [],
                    "table_name": table,
                }
                for name in streams
            ]
        }
    )


NONE_SENT = (
    f"drafts: the catalog has no streams of drafts ({DRAFTS}, {ACTIONS}), so that none is sent. "
    "Run `--discover` again."
)


def unset(stream: str) -> str:
    """The warning about a selected stream without the setting."""
    return (
        f"Stream '{stream}' is selected, but `drafts` is not set: no draft is requested, nothing "
        "is sent, and its table stays as it is."
    )


@pytest.mark.parametrize(
    "drafts,given,told",
    [
        (["*"], None, []),
        ([], None, []),
        (["*"], catalog("staff"), [NONE_SENT]),
        (["*"], catalog("staff", DRAFTS), []),
        (["*"], catalog(ACTIONS, selected=False), []),
        ([], catalog("staff"), []),
        ([], catalog(DRAFTS, "staff", ACTIONS, selected=True), [unset(DRAFTS), unset(ACTIONS)]),
        ([], catalog(DRAFTS, selected=False), []),
        # Without metadata the SDK selects a stream.
        ([], catalog(DRAFTS), [unset(DRAFTS)]),
        # A dataset of an earlier run had the name.
        (["*"], catalog(DRAFTS, table=STAFF), [NONE_SENT]),
        ([], catalog(DRAFTS, table=STAFF), []),
    ],
)
def test_a_catalog_and_the_setting(
    drafts: Sequence[str], given: Catalog | None, told: list[str]
) -> None:
    """One without the other sends nothing, and the log says so."""
    assert [*streams_without_setting(settings(drafts=[*drafts]), given)] == told
