"""The definitions of streams: which datasets are wanted, and how streams and columns are named."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from singer_sdk.singerlib.catalog import Catalog

from tap_orgvue.exports.headers import DatasetHeaders, SkippedDataset
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import DatasetRefusal, Misconfigured, OrgvueError, RequestInfo
from tap_orgvue.orgvue.models import Dataset, DatasetList, Metadata, Property
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column, columns_in, stream_schema
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings
from tap_orgvue.streams.discovery import Discovery, StreamDefinition
from tap_orgvue.streams.identity import EarlierRuns
from tap_orgvue.streams.state import StreamState

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B, C = (f"0000000{sign}-0000-4000-8000-000000000000" for sign in "ABC")
PEOPLE, STAFF = Dataset(A, "People", "PEOPLE"), Dataset(B.lower(), "Staff")
REFUSED = DatasetRefusal(RequestInfo("GET", "https://orgvue.test/a"), 403)
ENTRY = {"type": "object", "properties": {}}


def found(dataset: Dataset, *keys: str, key: str | None = "_id") -> DatasetHeaders:
    """The columns of a dataset's export."""
    return DatasetHeaders(dataset, tuple(Property(each, each, "text") for each in keys), key)


def owned(*columns: tuple[str, str], **members: Any) -> StreamState:
    """The state of a stream with these columns: name and key."""
    state = StreamState(**members)
    state.remember_columns(
        [Column(name, key, ColumnType.TEXT) for name, key in columns], complete=True
    )
    return state


def discovery(
    *read: DatasetHeaders | SkippedDataset,
    earlier: EarlierRuns | None = None,
    catalog: dict[str, Any] | None = None,
    rules: ColumnRules | None = None,
    refused: Sequence[str] = (),
    **settings: Any,
) -> Discovery:
    """A tenant that lists the datasets of what is read, and refuses the metadata of some."""
    given = {"api_token": "t", "tenant_id": "ACME", "region": "eu-west", **settings}

    def metadata(dataset_id: str) -> Metadata:
        if dataset_id in refused:
            raise REFUSED
        return Metadata()

    def read_all(datasets: Sequence[Dataset]) -> Any:
        return (each for each in read if each.dataset in datasets)

    client = SimpleNamespace(
        datasets=lambda: DatasetList(tuple(each.dataset for each in read)), metadata=metadata
    )
    return Discovery(
        cast("Any", client),
        cast("Any", SimpleNamespace(read_all=read_all)),
        rules=rules or ColumnRules(original_names=settings.get("column_names") == "original"),
        settings=Settings.from_config(given, SETTINGS_SCHEMA),
        earlier=earlier or EarlierRuns(),
        catalog=None if catalog is None else Catalog.from_dict(catalog),
        logger=logging.getLogger("tap-orgvue"),
    )


def names(made: Discovery) -> list[str]:
    """The names of the streams."""
    return [each.name for each in made.streams()]


def columns(definition: StreamDefinition) -> list[str]:
    """The names of a stream's columns, in order."""
    return [column.name for column in columns_in(definition.schema)]


# --- the list


def test_an_empty_list_is_an_error() -> None:
    """A token without access looks like an empty tenant."""
    with pytest.raises(Misconfigured, match="list of datasets is empty"):
        discovery().listed  # noqa: B018 - requests it


@pytest.mark.parametrize(
    "patterns,kept",
    [
        ([], [PEOPLE, STAFF]),
        (["sta*", "PEOPLE"], [PEOPLE, STAFF]),
        (["Peo*"], [PEOPLE]),
        ([B], [STAFF]),
        ([A.lower()], [PEOPLE]),
    ],
    ids=str,
)
def test_the_setting_datasets_keeps_the_order_of_the_list(
    caplog: pytest.LogCaptureFixture, patterns: list[str], kept: list[Dataset]
) -> None:
    """It takes names in any case, wildcards, and ids in any case."""
    assert discovery(found(PEOPLE), found(STAFF), datasets=patterns).datasets == kept
    assert not caplog.records


def test_a_pattern_without_a_match_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """An error if no other matches, or if it is an id."""
    assert discovery(found(PEOPLE), datasets=["x*", "People"]).datasets == [PEOPLE]
    assert caplog.messages == ["datasets: no dataset's name matches 'x*'."]
    with pytest.raises(Misconfigured, match="datasets: none of the tenant's 2 datasets matches"):
        discovery(found(PEOPLE), found(STAFF), datasets=["x*"]).datasets  # noqa: B018 - as above
    with pytest.raises(Misconfigured, match=f"datasets: the tenant has no dataset {C}"):
        discovery(found(PEOPLE), datasets=[C, "People"]).datasets  # noqa: B018 - as above


def test_datasets_are_found_by_ids_in_upper_case() -> None:
    """However Orgvue writes them."""
    assert discovery(found(PEOPLE), found(STAFF)).datasets_by_id == {A: PEOPLE, B: STAFF}


# --- streams of a tenant


def test_a_stream_has_the_columns_and_the_key_of_its_dataset() -> None:
    """An excluded key is none: the records lack it."""
    read = found(PEOPLE, "_id", "Full Name", "pay")
    (definition,) = discovery(read).streams()
    assert (definition.name, definition.dataset_id) == ("people", A)
    assert columns(definition) == ["_id", "full_name", "pay"]
    assert definition.key_columns == ("_id",)
    assert definition.schema["properties"]["_id"]["type"] == ["string"]
    own = found(PEOPLE, "Full Name", "pay", key="Full Name")
    (definition,) = discovery(own).streams()
    assert definition.key_columns == ("full_name",)
    (definition,) = discovery(own, rules=ColumnRules(excluded=("full*",))).streams()
    assert definition.key_columns == ()
    (definition,) = discovery(found(PEOPLE, "pay", key=None)).streams()
    assert definition.key_columns == ()


def test_every_pattern_is_tried_on_every_property() -> None:
    """So that one that matches nothing can be told."""
    rules = ColumnRules(excluded=("pay",))
    assert names(discovery(found(PEOPLE, "_id", "pay"), rules=rules)) == ["people"]
    assert rules.matched == {"pay"}


@pytest.mark.parametrize("level", [logging.ERROR, logging.WARNING])
def test_a_dataset_that_cannot_be_read_is_skipped(
    caplog: pytest.LogCaptureFixture, level: int
) -> None:
    """One that is refused is a warning, in a run as in a discovery."""
    fault = SkippedDataset(PEOPLE, OrgvueError("A fault."))
    refused = SkippedDataset(Dataset(C, "Secret"), REFUSED)
    made = discovery(fault, refused, found(STAFF, "_id"), datasets=["*"])
    made.skip_level = level
    assert names(made) == ["staff"]
    assert made.skipped == [fault, refused]
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (level, f"Dataset 'People' ({A}) is skipped. A fault."),
        (logging.WARNING, f"Dataset 'Secret' ({C}) is skipped. {REFUSED}"),
    ]


def test_a_dataset_that_is_named_by_its_id_must_be_readable() -> None:
    """Its error ends discovery."""
    refused = SkippedDataset(STAFF, REFUSED)
    with pytest.raises(DatasetRefusal):
        names(discovery(refused, found(PEOPLE, "_id"), datasets=[B, "People"]))


@pytest.mark.parametrize("errors", [(1, 2), (2, 1)])
def test_a_tenant_without_a_readable_dataset_is_an_error(errors: tuple[int, int]) -> None:
    """If another run may help, it says so."""
    later, person = OrgvueError("Later.", remedy=Remedy.LATER), REFUSED
    pairs = zip(
        (PEOPLE, STAFF), (later, person) if errors == (1, 2) else (person, later), strict=True
    )
    with pytest.raises(
        Misconfigured, match=r"None of the 2 datasets can be read\. Later"
    ) as failed:
        names(discovery(*(SkippedDataset(dataset, error) for dataset, error in pairs)))
    assert failed.value.remedy is Remedy.LATER


# --- names


def test_datasets_that_share_a_name_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Once, with the stream of each."""
    twin = Dataset(C, "PEOPLE")
    assert names(discovery(found(PEOPLE, "x"), found(twin, "x"), found(STAFF, "x"))) == [
        *("people_0000000a", "people_0000000c", "staff"),
    ]
    (line,) = caplog.messages
    assert line == (
        f"Datasets share the name 'people': their streams are people_0000000a ({A}), "
        f"people_0000000c ({C}). `stream_names` pins a name."
    )


@pytest.mark.parametrize(
    "how",
    [
        {"stream_names": {A: "people", C: "others"}},
        {
            "earlier": EarlierRuns(
                {"people": StreamState(dataset=A), "people_0000000c": StreamState(dataset=C)}
            )
        },
    ],
    ids=["pinned", "owned"],
)
def test_names_that_are_settled_are_not_reported(
    caplog: pytest.LogCaptureFixture, how: dict[str, Any]
) -> None:
    """By a pin, or by an earlier run."""
    assert len(names(discovery(found(PEOPLE, "x"), found(Dataset(C, "People"), "x"), **how))) == 2
    assert not caplog.records


def test_a_newcomer_is_warned_of_a_name_that_another_had(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also if that dataset is gone; one that is gone and shares no name is not told."""
    earlier = EarlierRuns(
        {"people": StreamState(dataset=C), "posts": StreamState(dataset=C[:-1] + "1")}
    )
    assert names(discovery(found(PEOPLE, "x"), earlier=earlier)) == ["people_0000000a"]
    (line,) = caplog.messages
    assert line == (
        f"Datasets share the name 'people': their streams are people ({C}), "
        f"people_0000000a ({A}). `stream_names` pins a name."
    )


def test_a_newcomer_beside_a_dataset_that_has_its_name(caplog: pytest.LogCaptureFixture) -> None:
    """The other one is named once, by its id as Orgvue spells it today."""
    earlier = EarlierRuns({"staff": StreamState(dataset=B)})
    made = discovery(found(STAFF, "x"), found(Dataset(C, "staff"), "x"), earlier=earlier)
    assert names(made) == ["staff", "staff_0000000c"]
    (line,) = caplog.messages
    assert line == (
        f"Datasets share the name 'staff': their streams are staff ({B.lower()}), "
        f"staff_0000000c ({C}). `stream_names` pins a name."
    )


def test_properties_that_share_a_name_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    """Once, with the column of each; a pin settles it, as original names do."""
    read = found(PEOPLE, "Full Name", "full_name", "FULL-NAME", "pay")
    (definition,) = discovery(read).streams()
    first, second, third, _ = columns(definition)
    (line,) = caplog.messages
    assert line == (
        "Stream 'people': properties share the column name 'full_name': "
        f"'Full Name' is {first}, 'full_name' is {second}, 'FULL-NAME' is {third}. "
        "`property_names` pins a name."
    )
    caplog.clear()
    pins = {"people": {"Full Name": "a", "FULL-NAME": "b"}}
    (definition,) = discovery(read, property_names=pins).streams()
    assert columns(definition) == ["a", "full_name", "b", "pay"]
    assert not caplog.records
    assert names(discovery(found(PEOPLE, "a_b", "A_B"), column_names="original")) == ["people"]
    assert not caplog.records


def test_a_newcomer_is_warned_of_a_column_that_another_property_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also if that property is gone; those that earlier runs named are no newcomers."""
    earlier = EarlierRuns({"people": owned(("pay", "Pay"), ("note", "note"), dataset=A)})
    (definition,) = discovery(found(PEOPLE, "pay", "note", "new"), earlier=earlier).streams()
    suffixed, *others = columns(definition)
    assert others == ["note", "new"]
    (line,) = caplog.messages
    assert line == (
        "Stream 'people': the column 'pay' holds the values of another property, so that 'pay' is "
        f"{suffixed}. `property_names` pins a name."
    )
    caplog.clear()
    pins = {"people": {"pay": "wage"}}
    made = discovery(found(PEOPLE, "pay", "note"), earlier=earlier, property_names=pins)
    assert [columns(each) for each in made.streams()] == [["wage", "note"]]
    assert not caplog.records


@pytest.mark.parametrize("naming,original", [("snake_case", True), ("original", False)])
def test_the_names_of_another_rule_are_not_owned(naming: str, *, original: bool) -> None:
    """After a change of `column_names` columns are named anew."""
    state = owned(("wage", "pay"), dataset=A, naming=naming)
    made = discovery(
        found(PEOPLE, "pay"),
        earlier=EarlierRuns({"people": state}),
        column_names="original" if original else "snake_case",
    )
    assert [columns(each) for each in made.streams()] == [["pay"]]
    assert made.naming_of("people", A).original is original


def test_an_owned_name_stays() -> None:
    """As long as the rule is the same, and the dataset."""
    earlier = EarlierRuns({"people": owned(("wage", "pay"), dataset=A)})
    made = discovery(found(PEOPLE, "pay"), earlier=earlier)
    assert [columns(each) for each in made.streams()] == [["wage"]]
    assert made.naming_of("people", B).owners.is_empty
    state = owned(("pay", "pay"), dataset=A, naming="original")
    earlier = EarlierRuns({"people": state})
    made = discovery(found(PEOPLE, "pay"), earlier=earlier, column_names="original")
    assert made.naming_of("people", A).owners is state.owners


@pytest.mark.parametrize("settings,told", [({"column_names": "original"}, 1), ({}, 0)], ids=str)
def test_original_names_that_loaders_change_are_reported(
    caplog: pytest.LogCaptureFixture, settings: dict[str, Any], told: int
) -> None:
    """Those that every loader keeps are not."""
    names(discovery(found(PEOPLE, "pay %", "plain"), **settings))
    assert len(caplog.messages) == told
    assert all("'pay %', named as in Orgvue" in line for line in caplog.messages)


# --- streams of a catalog


def entry(name: str, table: str | None = None, **members: Any) -> dict[str, Any]:
    """A stream of a catalog."""
    metadata = {"breadcrumb": [], "metadata": members.pop("metadata", {})}
    made = {"tap_stream_id": name, "schema": ENTRY, "metadata": [metadata], **members}
    return made if table is None else {**made, "table_name": table}


def of_catalog(*entries: dict[str, Any], **how: Any) -> list[tuple[str, str]]:
    """Stream name and dataset id of a catalog's streams, with People and Staff in the tenant."""
    made = discovery(found(PEOPLE), found(STAFF), catalog={"streams": list(entries)}, **how)
    assert made.has_catalog
    return [(each.name, each.dataset_id) for each in made.streams()]


def test_the_streams_of_a_catalog_are_taken_as_they_are() -> None:
    """By the dataset's id, or else by the stream's name; those of the tap's own are others."""
    assert not discovery(found(PEOPLE)).has_catalog
    own = ("orgvue_datasets", "orgvue_properties", "orgvue_draft_actions")
    assert of_catalog(
        entry("colleagues", A),
        entry("staff"),
        entry("orgvue_drafts", B),
        *(entry(name, metadata={"selected": True}) for name in own),
    ) == [("colleagues", A), ("staff", B.lower()), ("orgvue_drafts", B)]


def test_a_stream_without_a_dataset_is_an_error_if_it_is_selected() -> None:
    """A deselected one may be gone; a catalog without metadata selects all."""
    for metadata in ({"selected": False}, {}):
        gone = entry("gone", metadata=metadata)
        assert of_catalog(gone, entry("staff", B)) == [("staff", B)]
    for gone in (entry("gone", metadata={"selected": True}), {**entry("gone"), "metadata": []}):
        with pytest.raises(Misconfigured, match="'gone' is selected, but the tenant has no"):
            of_catalog(gone)


@pytest.mark.parametrize(
    "patterns,taken",
    [
        ([], ["people", "staff"]),
        ([B], ["staff"]),
        ([A.lower(), B], ["people", "staff"]),
        (["sta*"], ["staff"]),
        ([A, "sta*"], ["people", "staff"]),
    ],
    ids=str,
)
def test_datasets_narrow_a_catalog(patterns: list[str], taken: list[str]) -> None:
    """Ids need no list of datasets; names are looked up in it."""
    streams = of_catalog(entry("people", A), entry("staff", B), datasets=patterns)
    assert [name for name, _ in streams] == taken


def test_a_catalog_s_key_is_the_entry_s_own() -> None:
    """Or that of the discovery, where there is none."""
    keys = {"table-key-properties": ["_id"]}
    catalog = {
        "streams": [
            entry("a", A, key_properties=["own"], metadata=keys),
            entry("b", A, metadata=keys),
            entry("c", A),
        ]
    }
    made = discovery(found(PEOPLE), catalog=catalog)
    assert [each.key_columns for each in made.streams()] == [("own",), ("_id",), ()]


def test_every_pattern_is_tried_on_every_column_of_a_catalog() -> None:
    """As in discovery."""
    rules = ColumnRules(excluded=("pay",), types={"note": ColumnType.NUMBER})
    declared = [Column(key, key, ColumnType.TEXT) for key in ("pay", "note")]
    schema = stream_schema(declared, [], rescue=True)
    made = discovery(
        found(PEOPLE), catalog={"streams": [{**entry("people", A), "schema": schema}]}, rules=rules
    )
    assert [columns(each) for each in made.streams()] == [["pay", "note"]]
    assert rules.matched == {"pay", "note"}


# --- metadata


def test_each_dataset_has_metadata_and_a_stream_s_name() -> None:
    """The catalog's name, or the name by the rules; the columns likewise."""
    declared = [Column("wage", "pay", ColumnType.TEXT), Column("other", "gone", ColumnType.TEXT)]
    schema = stream_schema(declared, [], rescue=True)
    catalog = {"streams": [{**entry("colleagues", A), "schema": schema}]}
    made = discovery(found(PEOPLE), found(STAFF), catalog=catalog)
    assert [(each, name) for each, name, _ in made.metadata()] == [
        (PEOPLE, "colleagues"),
        (STAFF, "staff"),
    ]
    metadata = Metadata(properties=(Property("_id"), Property("pay"), Property("Full Name")))
    assert made.column_names(PEOPLE, metadata) == {
        "_id": "_id",
        "pay": "wage",
        "Full Name": "full_name",
        "gone": "other",
    }
    assert made.column_names(STAFF, metadata) == {
        "_id": "_id",
        "pay": "pay",
        "Full Name": "full_name",
    }
    assert [each[1] for each in discovery(found(PEOPLE)).metadata()] == ["people"]


def test_metadata_that_is_refused_is_skipped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The other datasets are described."""
    made = discovery(found(PEOPLE), found(STAFF), refused=[A])
    assert [each for each, _, _ in made.metadata()] == [STAFF]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"'People' ({A})" in record.getMessage()
