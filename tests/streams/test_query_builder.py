"""The query of each request of a stream, from the settings, the catalog and the state."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.orgvue.errors import Misconfigured
from tap_orgvue.orgvue.models import Property
from tap_orgvue.schema.column_rules import ColumnRules, NewProperties
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import CatalogColumns, Column
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings
from tap_orgvue.streams.export_query import ExportQueryBuilder
from tap_orgvue.streams.pagination import Slice

PEOPLE, LINKS = "00000000-0000-4000-8000-00000000000A", "00000000-0000-4000-8000-00000000000B"
COLUMNS = [
    Column("_id", "_id", ColumnType.TEXT),
    Column("full_name", "Full Name", ColumnType.TEXT),
    Column("pay", "pay", ColumnType.NUMBER),
    Column("start_date", "startDate", ColumnType.DATE),
    Column("_modified_at", "_modifiedAt", ColumnType.DATE_TIME),
]
KEYS = [column.key for column in COLUMNS]
BOOKMARK = "2026-03-04T05:06:07.000Z"
CHANGED, STARTED = (
    {"_modifiedAt": {"$gte": BOOKMARK}},
    {"startDate": {"$gte": "2026-03-04T00:00:00.000Z"}},
)


def builder(
    *,
    key: str | None = None,
    bookmark: dict[str, Any] | None = None,
    deselected: tuple[str, ...] = (),
    rules: ColumnRules | None = None,
    columns: list[Column] = COLUMNS,
    **settings: Any,
) -> ExportQueryBuilder:
    """The queries of the stream `people`, a full table of all columns unless told otherwise."""
    given = {"api_token": "t", "tenant_id": "ACME", "region": "eu-west", **settings}
    selected = frozenset(column.name for column in columns if column.name not in deselected)
    return ExportQueryBuilder(
        PEOPLE,
        CatalogColumns("people", columns, selected),
        rules or ColumnRules(),
        Settings.from_config(given, SETTINGS_SCHEMA),
        replication_key=key,
        bookmark=bookmark or {},
    )


def reached(value: object = BOOKMARK, key: str = "_modified_at") -> dict[str, Any]:
    """The state of a stream after a run."""
    return {"replication_key": key, "replication_key_value": value}


def headers(*keys: str) -> list[Property]:
    """The columns of an export."""
    return [Property(key, key) for key in keys]


# --- the columns


def test_everything_is_requested_without_a_query() -> None:
    """Where nothing is deselected, excluded, filtered or sliced."""
    query = builder().query()
    assert query.is_everything
    assert (query.filter, query.projection, list(query.linking)) == ({}, None, [])


@pytest.mark.parametrize(
    "how,keys",
    [
        ({"deselected": ("pay", "full_name")}, ["_id", "startDate", "_modifiedAt"]),
        (
            {"rules": ColumnRules(excluded=("pay",))},
            ["_id", "Full Name", "startDate", "_modifiedAt"],
        ),
        (
            {"rules": ColumnRules(excluded=("pay",)), "deselected": ("pay", "start_date")},
            ["_id", "Full Name", "_modifiedAt"],
        ),
        ({"rules": ColumnRules(excluded=("nothing",))}, KEYS),
    ],
    ids=["deselected", "excluded", "both", "excluded elsewhere"],
)
def test_only_wanted_properties_are_requested(how: dict[str, Any], keys: list[str]) -> None:
    """An exclusion is a projection, too: a property that the catalog lacks may match it."""
    assert builder(**how).query().projection == keys


def test_stored_values_have_no_projection() -> None:
    """They come whole."""
    query = builder(deselected=("pay",), include_calculations=False).query()
    assert query.projection is None


def test_properties_that_are_gone_are_not_requested_again() -> None:
    """Nor those that a later look finds gone; true if there was one."""
    queries = builder(deselected=("pay",))
    assert not queries.forget_missing_properties(headers(*KEYS))
    assert queries.forget_missing_properties(headers("_id", "_modifiedAt", "new"))
    assert queries.query().projection == ["_id", "_modifiedAt"]


@pytest.mark.parametrize(
    "how,hides",
    [
        ({"rules": ColumnRules(excluded=("pay",))}, True),
        ({}, False),
        ({"rules": ColumnRules(excluded=("pay",)), "deselected": ("start_date",)}, False),
        ({"rules": ColumnRules(excluded=("pay",)), "include_calculations": False}, False),
        ({"rules": ColumnRules(excluded=("a",), new_properties=NewProperties.IGNORE)}, False),
        ({"rules": ColumnRules(excluded=("a",), new_properties=NewProperties.FAIL)}, True),
    ],
    ids=["excluded", "everything", "deselected", "stored", "ignored", "refused"],
)
def test_new_properties_are_hidden_by_an_exclusion_alone(
    how: dict[str, Any],
    hides: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Whoever deselects columns wants the others only."""
    assert builder(**how).hides_new_properties is hides


def test_new_properties_are_requested_unless_they_are_excluded() -> None:
    """After those of the catalog."""
    queries = builder(rules=ColumnRules(excluded=("pay", "secret*")))
    queries.request_new_properties(headers(*KEYS, "new", "secret pay"))
    assert queries.query().projection == [
        *("_id", "Full Name", "startDate", "_modifiedAt", "new"),
    ]


# --- the filter and the links


@pytest.mark.parametrize("name", ["people", PEOPLE])
def test_filter_and_links_are_found_by_stream_or_dataset(name: str) -> None:
    """Those of other streams are not the stream's."""
    queries = builder(filters={name: {"pay": 5}}, linking_relationships={name: [LINKS]})
    query = queries.query()
    assert (query.filter, list(query.linking)) == ({"pay": 5}, [LINKS])
    other = builder(filters={"staff": {"pay": 5}}, linking_relationships={"staff": [LINKS]})
    assert (other.user_filter, list(other.linking)) == ({}, [])


def test_a_slice_is_a_further_condition() -> None:
    """Beside those of the user on other properties, or with other operators on the id."""
    mine = {"pay": 5, "_id": {"$ne": "X"}}
    query = builder(filters={"people": mine}).query(Slice("3", "7"))
    assert query.filter == {"pay": 5, "_id": {"$ne": "X", "$gte": "3", "$lt": "7"}}
    assert builder().query(Slice("3")).filter == {"_id": {"$gte": "3"}}


@pytest.mark.parametrize("condition", ["X", {"$gte": "A"}, {"$lt": "A"}], ids=str)
def test_a_condition_on_ids_rules_slices_out(condition: object) -> None:
    """Before any request in the mode paged, and where slices turn out to be needed."""
    filters = {"people": {"_id": condition}}
    builder(filters=filters).check()
    for queries, check in (
        (builder(filters=filters), "check_slices"),
        (builder(filters=filters, export_mode="paged"), "check"),
    ):
        with pytest.raises(Misconfigured, match=r"'people'.*'_id'.*`filters`.*`export_mode`"):
            getattr(queries, check)()
    builder(filters={"people": {"_id": {"$ne": "X"}}}, export_mode="paged").check()


@pytest.mark.parametrize("condition", ["2026-01-01", {"$gte": "2026-01-01"}], ids=str)
def test_a_condition_on_the_replication_key_rules_the_bookmark_out(condition: object) -> None:
    """Before the first run, too; one with another operator goes together with it."""
    filters = {"people": {"_modifiedAt": condition}}
    with pytest.raises(Misconfigured, match="'_modifiedAt'"):
        builder(key="_modified_at", filters=filters).check()
    builder(filters=filters).check()
    below = {"people": {"_modifiedAt": {"$lt": "2030-01-01"}}}
    queries = builder(key="_modified_at", bookmark=reached(), filters=below)
    queries.check()
    assert queries.query().filter == {"_modifiedAt": {"$lt": "2030-01-01", "$gte": BOOKMARK}}


def test_a_filter_on_no_property_is_reported() -> None:
    """With the key of a column, if it is a column's name."""
    mine = {"full_name": 1, "slary": 1, "pay": 1, "_depth": 1, "secret": 1}
    rules = ColumnRules(excluded=("secret",))
    queries = builder(filters={"people": mine}, include_calculations=False, rules=rules)
    name, typo = sorted(queries.unknown_filter_keys(headers("_id", "pay", "Full Name")))
    assert name == (
        "Stream 'people': its filter has a condition on 'full_name', which is no property of the "
        "dataset in Orgvue. The column 'full_name' is 'Full Name' there."
    )
    assert typo.startswith("Stream 'people': its filter has a condition on 'slary'")
    assert typo.endswith("Is it misspelt?")


def test_a_filter_on_a_property_that_is_not_requested_is_right() -> None:
    """The headers of a projection lack properties that exist; without one they are all there."""
    filters = {"people": {"pay": 1}}
    partly = builder(filters=filters, deselected=("pay",))
    assert list(partly.unknown_filter_keys(headers("_id"))) == []
    assert len(list(builder(filters=filters).unknown_filter_keys(headers("_id")))) == 1


# --- the replication key


@pytest.mark.parametrize("key,filtered", [("_modified_at", CHANGED), ("start_date", STARTED)])
def test_rows_since_the_bookmark_are_requested(key: str, filtered: dict[str, Any]) -> None:
    """Of a calendar date the whole day; the first run has no condition."""
    queries = builder(key=key, bookmark=reached(key=key), filters={"people": {"pay": 5}})
    assert queries.query().filter == {"pay": 5, **filtered}
    assert queries.has_bookmark
    queries.read_everything()
    assert queries.query().filter == {"pay": 5}
    assert builder(key=key).query().filter == {}


@pytest.mark.parametrize(
    "bookmark,since",
    [
        ({}, "2025-01-01T00:00:00.000Z"),
        (reached(), BOOKMARK),
        (reached("yesterday"), "2025-01-01T00:00:00.000Z"),
    ],
    ids=["first run", "bookmark", "unreadable"],
)
def test_a_start_date_counts_where_there_is_no_bookmark(
    bookmark: dict[str, Any], since: str
) -> None:
    """Later it would skip what lies between."""
    queries = builder(key="_modified_at", bookmark=bookmark, start_date="2025-01-01")
    assert queries.query().filter == {"_modifiedAt": {"$gte": since}}
    assert builder(bookmark=reached(), start_date="2025-01-01").query().filter == {}


@pytest.mark.parametrize(
    "key,bookmark,has,is_readable",
    [
        ("_modified_at", reached(), True, True),
        ("_modified_at", reached("yesterday"), True, False),
        ("_modified_at", reached(None), False, False),
        ("_modified_at", {}, False, False),
        ("start_date", reached(), False, False),
        (None, reached(), False, False),
        (None, {"replication_key_value": BOOKMARK}, False, False),
    ],
    ids=str,
)
def test_a_bookmark_is_of_the_replication_key(
    key: str | None,
    bookmark: dict[str, Any],
    has: bool,  # noqa: FBT001 - what is expected
    is_readable: bool,  # noqa: FBT001 - what is expected
) -> None:
    """One of another key, and that of a full table, are none."""
    queries = builder(key=key, bookmark=bookmark)
    assert (queries.has_bookmark, queries.bookmark is not None) == (has, is_readable)


@pytest.mark.parametrize(
    "key,settings,reason",
    [
        ("nowhere", {}, "'nowhere' is not a column of the dataset. Set it to the column of _mod"),
        ("pay", {}, "'pay' is no date, so new rows cannot be requested by it. Set it to"),
        ("nowhere", {"include_calculations": False}, "is not among the stored values. Set `incl"),
        ("_modified_at", {"include_calculations": False}, "is not among the stored values. Set `"),
        ("pay", {"include_calculations": False}, "'pay' is no date"),
    ],
)
def test_a_key_by_which_nothing_can_be_requested_is_an_error(
    key: str, settings: dict[str, Any], reason: str
) -> None:
    """Before any request, with what to set instead."""
    with pytest.raises(Misconfigured) as failed:
        builder(key=key, **settings).check()
    assert reason in str(failed.value)
    assert str(failed.value).startswith("Stream 'people': its replication key ")
    assert "replicate the full table" in str(failed.value)


def test_a_key_that_is_gone_is_an_error() -> None:
    """The headers show it; before they are known, the catalog counts."""
    queries = builder(key="start_date", include_calculations=False)
    queries.check()
    assert queries.replication_column(COLUMNS) is COLUMNS[3]
    assert queries.replication_column(COLUMNS, headers("_id", "startDate")) is COLUMNS[3]
    with pytest.raises(Misconfigured, match="is gone from the dataset"):
        queries.replication_column(COLUMNS, headers("_id", "pay"))
    assert builder().replication_column(COLUMNS, headers("_id")) is None
