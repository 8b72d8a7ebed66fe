"""The data dictionary says what a run does."""

from __future__ import annotations

import copy
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.pages.dictionary import Dictionary, PropertyTreatment, read_dictionary
from tap_orgvue.pages.tenant_page import page_of
from tap_orgvue.simulator import Dataset, Orgvue, Property, demo_tenant
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.runs import discover, select, sync
from tests.support.runs import entry as entry_of

if TYPE_CHECKING:
    from collections.abc import Callable

PROTECTED = {
    "exclude_properties": ["*salary*", "people.startDate"],
    "hash_properties": ["email", "Full Name"],
    "hash_key": "a key of sixteen characters",
    "unmatched_patterns": "warn",
}


def dictionary(
    config: dict[str, Any],
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
) -> Dictionary:
    """The dictionary of a tenant, as the command reads it."""
    tap = TapOrgvue(config=copy.deepcopy(config), catalog=catalog, state=state, setup_mapper=False)
    try:
        return read_dictionary(tap.source, tap.input_catalog)
    finally:
        tap.close()


def told(found: Dictionary, stream: str) -> dict[str, tuple[str, list[str]]]:
    """Property key to treatment and patterns."""
    [entry] = [each for each in found.datasets if each.stream == stream]
    return {each.key: (each.treatment.value, list(each.patterns)) for each in entry.properties}


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {},
        PROTECTED,
        {"column_names": "original"},
        {"include_calculations": False},
        {"property_types": {"people.salary": "text", "*": "text"}},
    ],
    ids=["plain", "protected", "original", "stored", "typed"],
)
def test_columns_are_those_of_a_run(settings: dict[str, Any]) -> None:
    """Column names, types and what is left out are those of the SCHEMA messages of a run."""
    with Orgvue(demo_tenant(5, 3)) as orgvue:
        config = {**orgvue.config, **settings}
        found = dictionary(config)
        schemas = sync(config).schemas
    for entry in found.datasets:
        schema = schemas[entry.stream]["schema"]["properties"]
        columns = {each.column: each.json_type for each in entry.properties if each.column}
        assert columns.keys() == schema.keys() - {"_rescued_data"}
        for name, words in columns.items():
            declared = schema[name]
            assert declared["type"] == words.replace(f" ({declared.get('format')})", "").split(
                " or "
            )
            assert declared.get("format", "") in words


def test_an_entry_has_the_declared_type(orgvue: Orgvue) -> None:
    """As Orgvue has it, beside the type of the column's values."""
    [entry] = dictionary(orgvue.config).datasets
    declared = {each.key: (each.declared, each.json_type) for each in entry.properties}
    assert declared["salary"] == ("number", "number or null")
    assert declared["startDate"] == ("date", "string (date) or null")


def test_a_pattern_that_protects_is_named(orgvue: Orgvue) -> None:
    """Excluded and hashed properties tell by which patterns; excluded ones have no column."""
    found = dictionary({**orgvue.config, **PROTECTED})
    properties = told(found, "people")
    assert properties["salary"] == ("excluded", ["*salary*"])
    assert properties["startDate"] == ("excluded", ["people.startDate"])
    assert properties["Full Name"] == ("hashed", ["Full Name"])
    assert properties["onLeave"] == ("read", [])
    assert found.unmatched == [("hash_properties", "email")]


def test_only_patterns_that_decide_are_named(orgvue: Orgvue) -> None:
    """A property that is excluded is not hashed, though a pattern for that matches it too."""
    both = {**PROTECTED, "exclude_properties": ["salary"], "hash_properties": ["*sal*", "onLeave"]}
    properties = told(dictionary({**orgvue.config, **both}), "people")
    assert properties["salary"] == ("excluded", ["salary"])
    assert properties["onLeave"] == ("hashed", ["onLeave"])


def test_hashed_values_are_hashed_in_a_run(orgvue: Orgvue) -> None:
    """What the page calls hashed or read is so in the records."""
    config = {**orgvue.config, **PROTECTED}
    properties = told(dictionary(config), "people")
    [record, *_] = sync(config).records["people"]
    assert properties["Full Name"][0] == "hashed"
    assert len(record["full_name"]) == 64
    assert "salary" not in record
    assert record["id"] == "P0"


def test_the_catalogs_selection_counts(orgvue: Orgvue) -> None:
    """A column that the catalog deselects is not read; a stream likewise."""
    catalog = discover(orgvue.config)
    select(catalog, "people", "salary", selected=False)
    assert told(dictionary(orgvue.config, catalog), "people")["salary"][0] == "not selected"
    absent = {"streams": [each for each in catalog["streams"] if each["stream"] != "people"]}
    [entry] = dictionary(orgvue.config, absent).datasets
    assert entry.reason == "It is not in the catalog."
    select(catalog, "people", selected=False)
    [entry] = dictionary(orgvue.config, catalog).datasets
    assert not entry.properties
    assert "does not select" in entry.reason


def bare(catalog: dict[str, Any]) -> None:
    """Remove what the catalog says about the stream itself."""
    metadata = entry_of(catalog, "people")["metadata"]
    metadata[:] = [each for each in metadata if each["breadcrumb"]]


def incremental(catalog: dict[str, Any]) -> None:
    """Deselect the replication key."""
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    select(catalog, "people", "_modified_at", "salary", selected=False)


def incremental_by_metadata(catalog: dict[str, Any]) -> None:
    """Deselect a replication key of which the metadata alone tells."""
    incremental(catalog)
    del entry_of(catalog, "people")["replication_key"]


def keyed(catalog: dict[str, Any]) -> None:
    """Deselect the key that the user has chosen."""
    entry_of(catalog, "people")["key_properties"] = ["id"]
    select(catalog, "people", "id", "salary", selected=False)


@pytest.mark.parametrize("change", [bare, incremental, incremental_by_metadata, keyed])
def test_keys_are_read_though_the_catalog_deselects_them(
    orgvue: Orgvue, change: Callable[[dict[str, Any]], None]
) -> None:
    """As in a run: loaders need the key, and the next run needs the replication key."""
    catalog = discover(orgvue.config)
    change(catalog)
    [entry] = dictionary(orgvue.config, copy.deepcopy(catalog)).datasets
    columns = {each.column for each in entry.properties if each.treatment is PropertyTreatment.READ}
    schema = sync(orgvue.config, catalog).schemas["people"]["schema"]["properties"]
    assert columns == schema.keys() - {"_rescued_data"}
    assert "salary" not in columns


@pytest.mark.parametrize(
    "new_properties, settings, treatment",
    [
        ("add", {}, ("read", [])),
        ("rescue", {}, ("rescued", [])),
        ("ignore", {}, ("ignored", [])),
        ("add", PROTECTED | {"hash_properties": ["bonus"]}, ("hashed", ["bonus"])),
        ("rescue", PROTECTED | {"hash_properties": ["bonus"]}, ("hashed", ["bonus"])),
        ("ignore", PROTECTED | {"hash_properties": ["bonus"]}, ("ignored", [])),
        ("rescue", PROTECTED | {"exclude_properties": ["bonus"]}, ("excluded", ["bonus"])),
    ],
)
def test_a_property_that_the_catalog_lacks(
    orgvue: Orgvue, new_properties: str, settings: dict[str, Any], treatment: tuple[str, list[str]]
) -> None:
    """It is treated as `new_properties` says, and protected by patterns all the same."""
    catalog = discover(orgvue.config)
    dataset = orgvue.dataset("People")
    dataset.add_property(Property("bonus", "number"))
    config = {**orgvue.config, **settings, "new_properties": new_properties}
    assert told(dictionary(config, catalog), "people")["bonus"] == treatment


def test_a_new_property_that_fails_a_run_is_reported(orgvue: Orgvue) -> None:
    """With `new_properties` fail the dataset is not read, and the page says why."""
    catalog = discover(orgvue.config)
    dataset = orgvue.dataset("People")
    dataset.add_property(Property("bonus", "number"))
    [entry] = dictionary({**orgvue.config, "new_properties": "fail"}, catalog).datasets
    assert "new properties" in entry.reason


def test_a_property_that_is_gone_is_reported(orgvue: Orgvue) -> None:
    """It keeps its column, which a run leaves null, and has no declared type."""
    catalog = discover(orgvue.config)
    dataset = orgvue.dataset("People")
    dataset.remove_property("salary")
    [entry] = dictionary(orgvue.config, catalog).datasets
    [gone] = [each for each in entry.properties if each.key == "salary"]
    assert (gone.declared, gone.column, gone.treatment) == ("", "salary", PropertyTreatment.READ)


def test_a_pattern_protects_after_a_rename(orgvue: Orgvue) -> None:
    """With the state, a pattern that matched in an earlier run protects, and is named."""
    config = {**orgvue.config, **PROTECTED, "hash_properties": ["Pay"]}
    dataset = orgvue.dataset("People")
    dataset.change_property("onLeave", name="Pay")
    state = sync(config).state
    dataset.change_property("onLeave", name="Wages")
    assert told(dictionary(config, state=state), "people")["onLeave"] == ("hashed", ["Pay"])
    assert told(dictionary(config), "people")["onLeave"] == ("read", [])


def test_datasets_that_are_not_read_say_why(serve: Callable[..., Orgvue]) -> None:
    """A dataset that may not be read, or that `datasets` leaves out, is on the page too."""
    orgvue = serve(people(), people(name="Secret"), people(name="Other"))
    orgvue.dataset("Secret").hidden_because = "403601"
    found = dictionary({**orgvue.config, "datasets": ["People", "Secret"]})
    reasons = {each.dataset.name: each.reason for each in found.datasets}
    assert not reasons["People"]
    assert "403601" in reasons["Secret"]
    assert "`datasets` leaves it out" in reasons["Other"]


def test_an_entry_of_the_list_that_names_no_dataset_is_reported(
    serve: Callable[..., Orgvue],
) -> None:
    """The page has it too: something of the tenant cannot be read."""
    orgvue = serve(people(), people(name="Nameless"))
    orgvue.amend(on="list", entry="Nameless", remove=["datasetId"])
    [told_of] = dictionary(orgvue.config).bad_entries
    assert "'Nameless', has no" in told_of


def test_roles_are_those_of_the_metadata(orgvue: Orgvue) -> None:
    """A property that is the key, the label or part of the tree is marked; others are not."""
    [entry] = dictionary(orgvue.config).datasets
    roles = {each.key: list(each.roles) for each in entry.properties if each.roles}
    assert roles == {"id": ["key"]}


def test_all_roles(serve: Callable[..., Orgvue]) -> None:
    """A property may have several, in the order of the metadata."""
    tree = Dataset(
        "Units",
        properties=[
            Property("id", "text", auto_id=True, tree_id=True),
            Property("title", "text", label_id=True),
            Property("boss", "text", tree_parent_id=True),
        ],
    )
    [entry] = dictionary(serve(tree).config).datasets
    roles = {each.key: list(each.roles) for each in entry.properties if each.roles}
    assert roles == {"id": ["key", "tree"], "title": ["label"], "boss": ["parent"]}


def test_a_dataset_whose_metadata_is_refused_is_read(orgvue: Orgvue) -> None:
    """Its properties have no roles then."""
    orgvue.refuse("403602", on="metadata", times=None)
    [entry] = dictionary(orgvue.config).datasets
    assert (entry.reason, entry.metadata) == ("", None)
    assert entry.count(PropertyTreatment.READ) == len(entry.properties) > 1
    assert not any(each.roles for each in entry.properties)


def test_a_dataset_without_a_key_is_read(serve: Callable[..., Orgvue]) -> None:
    """Without `_id` and `autoId` every column may be null."""
    orgvue = serve(Dataset("Keyless", properties=[Property("note", "text")], rows=[]))
    orgvue.reshape(drop=["_id"], on="headers", times=None)
    [entry] = dictionary(orgvue.config).datasets
    assert not entry.reason
    assert {each.column for each in entry.properties} >= {"note"}
    assert all(each.json_type.endswith(" or null") for each in entry.properties)


def test_no_row_is_requested(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """The list, and for each dataset its metadata and its header: nothing else is asked."""
    caplog.set_level(logging.WARNING)
    dictionary(orgvue.config)
    assert orgvue.counts() == {"list": 1, "metadata": 1, "headers": 1}
    assert not caplog.records


@pytest.mark.slow
def test_a_fingerprint_is_that_of_what_is_signed(orgvue: Orgvue) -> None:
    """It changes with a property or a setting of the page, and not with the time."""

    def fingerprint(now: str = "2026-01-01T00:00:00Z", **settings: Any) -> str:
        tap = TapOrgvue(config={**orgvue.config, **settings}, setup_mapper=False)
        found, own = read_dictionary(tap.source, None), tap.settings
        tap.close()
        html = page_of(found, own, "ACME", now=now, has_catalog=False)
        return str(re.findall("fingerprint is <code>(.*?)</code>", html)[0])

    signed = fingerprint()
    assert fingerprint("2026-12-31T00:00:00Z") == signed
    changed = {
        fingerprint(new_properties="ignore"),
        fingerprint(exclude_properties=["salary"]),
        fingerprint(exclude_properties=["nothing*"]),
        fingerprint(filters={"people": {"salary": 1}}),
    }
    orgvue.dataset("People").add_property(Property("bonus", "number"))
    assert len({signed, fingerprint(), *changed}) == 6
