"""A catalog as it is given: contradictions are refused, naming the stream."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tap_orgvue.settings.catalog import checked_catalog
from tap_orgvue.settings.checks import SettingsError

ID = "0B530000-0000-4000-8000-00000000000A"


def entry(name: str = "people", root: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A stream as discovery writes it, changed."""
    column = {"type": ["string", "null"]}
    properties = {
        "_id": {**column, "description": "Orgvue property: _id"},
        "pay": {**column, "description": "Orgvue property: Pay"},
    }
    return {
        "tap_stream_id": name,
        "stream": name,
        "replication_method": "FULL_TABLE",
        "key_properties": ["_id"],
        "schema": {"type": "object", "properties": properties},
        "metadata": [
            {"breadcrumb": ["properties", "_id"], "metadata": {"inclusion": "automatic"}},
            {"breadcrumb": [], "metadata": {"selected": True, **(root or {})}},
        ],
        "table_name": ID,
        **more,
    }


def mistakes(*streams: Any, **more: Any) -> list[str]:
    """What is said of a catalog of these streams."""
    with pytest.raises(SettingsError) as caught:
        checked_catalog({"streams": list(streams), **more})
    return caught.value.mistakes


def test_a_catalog_as_discovered() -> None:
    """A catalog of discovery passes unchanged, with all that stands in it."""
    catalog = {"streams": [entry(), entry("roles")], "unreadable": [1]}
    assert checked_catalog(copy.deepcopy(catalog)) == catalog


def test_a_catalog_of_hand() -> None:
    """A stream needs a name and a schema, no more."""
    bare = {"tap_stream_id": "people", "schema": {}}
    assert checked_catalog({"streams": [bare]}) == {"streams": [bare]}


@pytest.mark.parametrize(
    "streams,told",
    [
        (None, "it has no list of `streams`."),
        ({}, "it has no list of `streams`."),
        ([entry(), 5], "`streams[1]` is no object."),
        ([{}], "`streams[0].tap_stream_id` is no text."),
        ([entry(tap_stream_id=5)], "`streams[0].tap_stream_id` is no text."),
        ([entry(stream="x")], "`streams[0].stream` is not 'people', its `tap_stream_id`"),
        ([entry(schema=None)], "`streams[0].schema` is no JSON Schema of an object."),
        ([entry(schema={"properties": []})], "`streams[0].schema` is no JSON Schema"),
        ([entry(schema={"properties": {"a": 1}})], "`streams[0].schema` is no JSON Schema"),
        ([entry(metadata={})], "`streams[0].metadata` is no list of objects"),
        ([entry(metadata=[5])], "`streams[0].metadata` is no list of objects"),
        ([entry(metadata=[{"breadcrumb": "x", "metadata": {}}])], "`streams[0].metadata` is no"),
        ([entry(metadata=[{"breadcrumb": [], "metadata": 1}])], "`streams[0].metadata` is no"),
        ([entry(key_properties="_id")], "`streams[0].key_properties` is no list of names."),
        ([entry(key_properties=[5])], "`streams[0].key_properties` is no list of names."),
        (
            [entry(root={"table-key-properties": 5})],
            "`streams[0].metadata`: `table-key-properties` is no list of names.",
        ),
        ([entry(replication_key=["pay"])], "`streams[0].replication_key` is no name."),
        (
            [entry(root={"replication-key": ["pay"]})],
            "`streams[0].metadata`: `replication-key` is no name.",
        ),
    ],
)
def test_what_is_no_catalog(streams: Any, told: str) -> None:
    """A document in another form is told by its place, with how to get a catalog."""
    with pytest.raises(SettingsError) as caught:
        checked_catalog({"streams": streams})
    (line,) = caught.value.mistakes
    assert line.startswith(f"catalog: {told}")
    assert line.endswith("`tap-orgvue --discover` writes a catalog of this tenant.")


def test_a_stream_that_is_listed_twice() -> None:
    """One of two streams of a name would be lost."""
    assert mistakes(entry(), entry("roles"), entry()) == [
        "catalog: stream 'people' is listed twice."
    ]


def test_two_columns_of_one_property() -> None:
    """A property has one column."""
    stream = entry()
    stream["schema"]["properties"]["wage"] = {"description": "Orgvue property: Pay"}
    (line,) = mistakes(stream)
    assert line == (
        "catalog: stream 'people': its columns 'pay' and 'wage' are both of the property 'Pay'; "
        "remove one of them."
    )


@pytest.mark.parametrize("method", ["LOG_BASED", "incremental", "full_table", "", 5])
def test_a_replication_method_that_is_unknown(method: Any) -> None:
    """Only FULL_TABLE and INCREMENTAL are methods, in this spelling."""
    told = (
        f"catalog: stream 'people': its replication method is {method!r}, but must be FULL_TABLE "
        "or INCREMENTAL."
    )
    assert mistakes(entry(replication_method=method, replication_key="pay")) == [told]
    assert mistakes(entry(root={"replication-method": method})) == [told]


def test_incremental_needs_a_key() -> None:
    """INCREMENTAL without a replication key would be a full table in silence."""
    (line,) = mistakes(entry(replication_method="INCREMENTAL"))
    assert "it is INCREMENTAL without a replication key" in line
    (line,) = mistakes(entry(root={"replication-method": "INCREMENTAL"}))
    assert "it is INCREMENTAL without a replication key" in line


def test_the_tenants_own_streams_are_full_tables() -> None:
    """The two streams about the tenant have nothing to be incremental by."""
    incremental = {"replication-method": "INCREMENTAL", "replication-key": "pay"}
    (line,) = mistakes(entry("orgvue_datasets", root=incremental))
    assert "it is always a full table" in line


@pytest.mark.parametrize(
    "changed",
    [
        {"replication_method": "INCREMENTAL", "replication_key": "pay"},
        {"root": {"replication-method": "INCREMENTAL", "replication-key": "pay"}},
        {"replication_method": None},
    ],
)
def test_replication_that_is_known(changed: dict[str, Any]) -> None:
    """A method that is known passes, wherever it stands; without one the SDK's rule holds."""
    (stream,) = checked_catalog({"streams": [entry(**changed)]})["streams"]
    settled = stream["replication_method"], stream.get("replication_key")
    assert settled in {("INCREMENTAL", "pay"), (None, None)}
    assert settled[0] == changed.get("replication_method", "INCREMENTAL")


def test_the_metadata_wins() -> None:
    """Replication in a stream's metadata, where Singer has it, is never ignored."""
    root = {"replication-method": "FULL_TABLE"}
    given = entry(replication_method="INCREMENTAL", replication_key="pay", root=root)
    (stream,) = checked_catalog({"streams": [given]})["streams"]
    assert stream["replication_method"] == "FULL_TABLE"


@pytest.mark.parametrize(
    "changed",
    [{"key_properties": ["id"]}, {"key_properties": [], "root": {"table-key-properties": ["id"]}}],
)
def test_a_key_that_names_no_column(changed: dict[str, Any]) -> None:
    """A key override must name columns of the stream."""
    assert mistakes(entry(**changed)) == [
        "catalog: stream 'people': its key names 'id', which is no column of it."
    ]


@pytest.mark.parametrize(
    "root",
    [
        {"selected": False},
        {"selected": False, "selected-by-default": True},
        {"selected": None, "selected-by-default": False},
        {"inclusion": "available"},
    ],
)
def test_streams_that_are_not_selected_are_not_looked_at(root: dict[str, Any]) -> None:
    """Replication and keys of a deselected stream matter to nobody."""
    given = entry(replication_method="LOG_BASED", key_properties=["id"])
    given["metadata"][-1]["metadata"] = root
    assert checked_catalog({"streams": [given]})["streams"] == [given]


@pytest.mark.parametrize(
    "metadata",
    [
        [],
        [{"breadcrumb": [], "metadata": {}}],
        [{"breadcrumb": [], "metadata": {"selected": True, "selected-by-default": False}}],
        [{"breadcrumb": [], "metadata": {"selected-by-default": True}}],
    ],
)
def test_streams_that_are_selected_are_looked_at(metadata: list[dict[str, Any]]) -> None:
    """A stream is selected where it says so, and where nothing is said."""
    assert len(mistakes(entry(replication_method="LOG_BASED", metadata=metadata))) == 1


def test_every_mistake_is_reported() -> None:
    """Several mistakes are several lines."""
    assert len(mistakes(entry(key_properties=["id"]), entry("a", replication_method="x"))) == 2
