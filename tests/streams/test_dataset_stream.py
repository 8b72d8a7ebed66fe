"""The stream of a dataset, made of a catalog entry: what it decides before and after its rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest
import requests
from singer_sdk.streams.rest import PageContext

from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.client import HEADERS
from tap_orgvue.orgvue.errors import MalformedResponse, Misconfigured
from tap_orgvue.orgvue.models import Property
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column, columns_of, stream_schema
from tap_orgvue.streams.dataset_stream import DatasetStream
from tap_orgvue.streams.metadata_streams import MetadataStream
from tap_orgvue.streams.pagination import Link, Slice
from tap_orgvue.streams.prefetch import PrefetchedExport
from tap_orgvue.streams.state import ExportScope, StreamState
from tap_orgvue.tap import TapOrgvue

if TYPE_CHECKING:
    from collections.abc import Sequence

A, B = (f"0000000{sign}-0000-4000-8000-000000000000" for sign in "AB")
PROPERTIES = (
    Property("_id", "Id", "text"),
    Property("Full Name", "Full Name", "text"),
    Property("pay", "Pay", "number"),
    Property("_modifiedAt", "Modified at", "date"),
)
NAMES = {"_id": "_id", "Full Name": "full_name", "pay": "pay", "_modifiedAt": "_modified_at"}
COLUMNS = columns_of(PROPERTIES, ColumnRules(), "people", NAMES)
BOOKMARK = "2026-03-04T05:06:07.000Z"
HASHED: dict[str, Any] = {"hash_properties": ["pay"], "hash_key": "0123456789abcdef"}


def entry(*deselected: str, key: Sequence[str] = ("_id",), **members: Any) -> dict[str, Any]:
    """The catalog entry of a full table, or with other members."""
    columns = [
        {"breadcrumb": ["properties", name], "metadata": {"selected": False}} for name in deselected
    ]
    return {
        "tap_stream_id": "people",
        "table_name": A,
        "schema": stream_schema(COLUMNS, key, rescue=True),
        "key_properties": list(key),
        "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}, *columns],
        **members,
    }


FULL: dict[str, Any] = {"replication_method": "FULL_TABLE"}
INCREMENTAL: dict[str, Any] = {
    "replication_method": "INCREMENTAL",
    "replication_key": "_modified_at",
}


def tap(
    made: dict[str, Any] | None = None,
    own: StreamState | None = None,
    bookmark: str | None = None,
    **settings: Any,
) -> TapOrgvue:
    """A tap with the catalog entry, and with the state of an earlier run if there was one."""
    state: dict[str, Any] = {"orgvue": own.to_json()} if own else {}
    if bookmark is not None:
        state |= {"replication_key": "_modified_at", "replication_key_value": bookmark}
    return TapOrgvue(
        config={
            "api_url": "https://orgvue.test",
            "tenant_id": "ACME",
            "api_token": "t",
            "user_agent": "me/1",
            **settings,
        },
        catalog={"streams": [made or entry()]},
        state={"bookmarks": {"people": state}} if state else None,
    )


def stream(*arguments: Any, **settings: Any) -> DatasetStream:
    """The stream of the catalog entry; see `tap`."""
    found = tap(*arguments, **settings).streams["people"]
    assert isinstance(found, DatasetStream)
    return found


def seen(*columns: Column, **members: Any) -> StreamState:
    """The state after a run with these columns."""
    state = StreamState(**{"dataset": A, "scope": ExportScope(), **members})
    state.remember_columns(columns or COLUMNS, complete=True)
    return state


def warnings(found: DatasetStream, headers: Sequence[Property] = PROPERTIES) -> list[str]:
    """The warnings at the start of a run, whose export has these columns."""
    found.check_request()
    found.resolve(headers)
    found.must_begin_again()
    return list(found.start_warnings())


# --- the key


def test_an_export_without_the_key_is_an_error() -> None:
    """No table could hold its rows; what to do is in the message."""
    found = stream()
    with pytest.raises(MalformedResponse) as failed:
        found.resolve(PROPERTIES[1:])
    assert str(failed.value).startswith(
        "Stream 'people': the export's headers lack '_id', which is its key '_id'."
    )
    assert failed.value.remedy is Remedy.PERSON


def test_an_export_may_lack_what_is_no_key() -> None:
    """Its column is null; a stream without a key needs none."""
    assert [column.name for column in stream().resolve(PROPERTIES[:2])][:2] == ["_id", "full_name"]
    assert stream(entry(key=())).resolve(PROPERTIES[1:])


# --- the table's owner


def test_a_table_of_another_dataset_is_not_written() -> None:
    """Unless `stream_names` gives its name to this dataset: then it begins anew."""
    with pytest.raises(Misconfigured, match=f"its table holds the dataset {B}, and .* {A}"):
        stream(own=seen(dataset=B)).check_request()
    with pytest.raises(Misconfigured):
        stream(own=seen(dataset=B), stream_names={A: "others"}).check_request()
    pinned = stream(entry(**INCREMENTAL), seen(dataset=B), BOOKMARK, stream_names={A: "people"})
    (line,) = warnings(pinned)
    assert line == (
        f"Stream 'people' now has the dataset {A} and begins anew; its table still holds the rows "
        f"of the dataset {B}."
    )
    assert not pinned.queries.has_bookmark


@pytest.mark.parametrize("own", [None, seen(), seen(dataset=None)], ids=["new", "own", "unknown"])
def test_a_table_of_the_dataset_is_written(own: StreamState | None) -> None:
    """Or one of an older version, which kept no dataset."""
    made = entry(**INCREMENTAL, table_name=A.lower())
    assert warnings(stream(made, own, BOOKMARK if own else None)) == []


# --- reading everything again


@pytest.mark.parametrize(
    "own,bookmark,settings,reasons",
    [
        (seen(), BOOKMARK, {}, ""),
        (seen(), None, {"filters": {"people": {"pay": 5}}}, ""),
        (seen(), "2999-01-01T00:00:00Z", {}, "its bookmark is in the future"),
        (seen(), BOOKMARK, {"filters": {"people": {"pay": 5}}}, "its filter changed"),
        (seen(*COLUMNS[:3]), BOOKMARK, {}, "the column '_modified_at' was not read so far"),
        (
            seen(*COLUMNS[1:]),
            "yesterday",
            HASHED,
            (
                "its bookmark cannot be read and the column '_id' was not read so far and the "
                "column 'pay' is hashed now"
            ),
        ),
        (
            seen(scope=None),
            "yesterday",
            {"filters": {"people": {"pay": 5}}},
            "its bookmark cannot be read",
        ),
    ],
    ids=["nothing", "first run", "future", "filter", "column", "several", "older version"],
)
def test_all_rows_are_read_again_for_a_reason(
    own: StreamState, bookmark: str | None, settings: dict[str, Any], reasons: str
) -> None:
    """Every reason is in one line, and the export has no condition on the replication key."""
    found = stream(entry(**INCREMENTAL), own, bookmark, **settings)
    told = [line for line in warnings(found) if "read once more" in line]
    line = f"Stream 'people': all rows are read once more, because {reasons}."
    assert told == ([line] if reasons else [])
    reads_all = bool(reasons) or bookmark is None
    assert ("_modifiedAt" not in found.queries.query().filter) is reads_all


def test_a_column_that_only_the_export_has_is_a_reason() -> None:
    """A run that learns of it from the headers begins again, once."""
    found = stream(entry(**INCREMENTAL), seen(), BOOKMARK)
    found.check_request()
    found.resolve([*PROPERTIES, Property("new", "New", "text")])
    assert found.queries.query().filter == {"_modifiedAt": {"$gte": BOOKMARK}}
    assert [found.must_begin_again(), found.must_begin_again()] == [True, False]
    assert found.queries.query().filter == {}


@pytest.mark.parametrize("key,told", [(HASHED["hash_key"], False), ("another key of 16", True)])
def test_another_hash_key_is_a_reason_where_values_are_hashed(
    key: str,
    told: bool,  # noqa: FBT001 - what is expected
) -> None:
    """A run without hashed columns does not use it."""
    first = stream(entry(**INCREMENTAL), **HASHED)
    first.check_request()
    scope = ExportScope.of({}, (), include_calculations=True, hash_key=b"0123456789abcdef")
    hashed = [*COLUMNS[:2], Column("pay", "pay", ColumnType.TEXT, hashed=True), COLUMNS[3]]
    own = seen(*hashed, scope=scope)
    found = stream(entry(**INCREMENTAL), own, BOOKMARK, **{**HASHED, "hash_key": key})
    assert any("`hash_key` changed" in line for line in warnings(found)) is told
    clear = stream(entry(**INCREMENTAL), seen(scope=scope), BOOKMARK, hash_key=key)
    assert warnings(clear) == []


def test_a_full_table_has_no_bookmark() -> None:
    """Although the catalog and the state know a replication key."""
    found = stream(entry(**{**INCREMENTAL, **FULL}), seen(), BOOKMARK)
    assert warnings(found) == []
    assert found.queries.query().is_everything


# --- other warnings


@pytest.mark.parametrize(
    "start_date,told",
    [("2026-03-04T05:06:06Z", False), (BOOKMARK, False), ("2026-03-04T05:06:08Z", True)],
)
def test_a_start_date_after_the_bookmark_is_reported(
    start_date: str,
    told: bool,  # noqa: FBT001 - what is expected
) -> None:
    """It does not count; without a bookmark it does."""
    line = (
        "Stream 'people': `start_date` is later than the bookmark and does not count; rows since "
        "the bookmark are read."
    )
    found = stream(entry(**INCREMENTAL), seen(), BOOKMARK, start_date=start_date)
    assert warnings(found) == ([line] if told else [])
    assert warnings(stream(entry(**INCREMENTAL), start_date=start_date)) == []
    assert warnings(stream(own=seen(), start_date=start_date)) == []


def test_an_incremental_stream_without_a_key_is_reported() -> None:
    """Rows that are read again would be doubled; a full table has none of them."""
    (line,) = warnings(stream(entry(key=(), **INCREMENTAL)))
    assert line.startswith("Stream 'people' has no key, so rows that are read again")
    assert warnings(stream(entry(key=()))) == []


def test_warnings_of_columns_and_filters_come_together() -> None:
    """Of values in the table, of names, of conditions on no property."""
    own = seen(Column("wage", "pay", ColumnType.NUMBER), *COLUMNS[:2])
    found = stream(entry("wage"), own, filters={"people": {"slary": 5}}, exclude_properties=["pay"])
    found.check_request()
    found.resolve([PROPERTIES[0], PROPERTIES[1], PROPERTIES[3]])
    told = list(found.start_warnings())
    assert len(told) == 3
    for line, words in zip(
        told, ("'slary'", "is 'pay' in the catalog and 'wage'", 'set "wage" = null'), strict=True
    ):
        assert words in line


# --- selection and the catalog


def test_keys_are_selected_whatever_the_catalog_says() -> None:
    """The key and the replication key: a loader and the next run need them."""
    found = stream(entry(*NAMES.values(), **INCREMENTAL))
    assert [column.name for column in found.columns.selected] == ["_id", "_modified_at"]
    plain = stream(entry("pay", "_modified_at"))
    assert [column.name for column in plain.columns.selected] == ["_id", "full_name"]


def test_a_user_s_catalog_stays_as_it_is() -> None:
    """What discovery would offer is not added to it."""
    root = {"breadcrumb": [], "metadata": {"valid-replication-keys": ["pay"]}}
    deselected = {"breadcrumb": ["properties", "_rescued_data"], "metadata": {"selected": False}}
    found = stream(entry(metadata=[root, deselected]), exclude_properties=["full*"])
    assert found.metadata.root.valid_replication_keys == ["pay"]
    assert not found.mask["properties", "_rescued_data"]
    assert ("properties", "full_name") not in found.metadata


def test_a_pinned_key_is_selected_by_either_name() -> None:
    """The catalog has the old name, the records have the new one."""
    pins = {"people": {"_id": "node_id", "_modifiedAt": "changed"}}
    found = stream(entry(*NAMES.values(), **INCREMENTAL), property_names=pins)
    for _ in range(2):
        found.use_run_names()
        assert (found.primary_keys, found.replication_key) == (["node_id"], "changed")
    assert [column.name for column in found.columns.selected] == ["node_id", "changed"]


def test_names_that_swap_are_given_once() -> None:
    """However often a stream is asked, key and replication key have the names of this run."""
    pins = {"people": {"_id": "full_name", "Full Name": "_id"}}
    found = stream(entry(key=("_id",)), property_names=pins)
    for _ in range(2):
        found.check_request()
        assert found.primary_keys == ["full_name"]


# --- the first page


def export(headers: Sequence[Property] = PROPERTIES) -> Any:
    """The first page of an export with these columns."""
    response = create_autospec(ExportResponse, instance=True)
    response.rows = create_autospec(JsonRows, instance=True, headers=headers)
    return response


def fetched(response: Any, **settings: Any) -> DatasetStream:
    """The stream, whose first page is fetched already."""
    made = tap(**settings)
    first = PrefetchedExport(response, None)
    made.source.prefetcher.plan("people", lambda: first)
    found = made.streams["people"]
    assert isinstance(found, DatasetStream)
    return found


def test_an_export_that_cannot_be_sent_is_closed() -> None:
    """Its disk is free while the other streams are sent."""
    response = export(PROPERTIES[1:])
    with pytest.raises(MalformedResponse):
        fetched(response).prepare()
    response.close.assert_called_once_with()


def test_the_columns_of_the_export_are_those_of_the_schema() -> None:
    """A property that the catalog lacks is the last one, before the rescued values."""
    headers = [*PROPERTIES, Property("new", "New", "boolean")]
    found = fetched(export(headers))
    assert found.prepare()
    assert list(found.effective_schema["properties"]) == [*NAMES.values(), "new", "_rescued_data"]
    assert found.journal.stage is Stage.SENDING
    unrescued = fetched(export(), rescue_data=False)
    assert unrescued.prepare()
    assert list(unrescued.effective_schema["properties"]) == list(NAMES.values())


@pytest.mark.parametrize(
    "name,can", [("plain", True), ("Größe %", True), ('a"b', False), ("a\\b", False)]
)
def test_rows_are_encoded_as_they_are_where_names_allow_it(
    name: str,
    can: bool,  # noqa: FBT001 - what is expected
) -> None:
    """With original names a column can be called anything."""
    found = stream(column_names="original")
    found.resolve([*PROPERTIES, Property(name, name, "text")])
    assert found.can_encode_rows is can


def test_rows_are_counted_whatever_columns_they_have() -> None:
    """A column that they lack has no values there."""
    found = fetched(export())
    assert found.prepare()
    found.look_at([object(), object()], {})
    found.look_at([object()], {})
    assert found.journal.rows == 3


def refused(status: int) -> requests.Response:
    """A response of this status."""
    response = requests.Response()
    response.status_code = status
    return response


def test_an_export_that_is_too_large_needs_ids() -> None:
    """Slices are ranges of them; a filter on them rules slices out."""
    found = stream()
    found.resolve(PROPERTIES)
    for status in (200, 413):
        found.validate_response(refused(status))
    without = stream(entry(key=(), schema=stream_schema(COLUMNS[1:], [], rescue=True)))
    without.resolve(PROPERTIES[1:])
    without.validate_response(refused(200))
    with pytest.raises(Misconfigured, match="its rows have no _id to request them in slices"):
        without.validate_response(refused(413))
    filtered = stream(filters={"people": {"_id": "A"}})
    filtered.resolve(PROPERTIES)
    filtered.validate_response(refused(200))
    with pytest.raises(Misconfigured, match="'_id'"):
        filtered.validate_response(refused(413))


# --- requests


def query(**output: Any) -> dict[str, Any]:
    """The body of a query."""
    return {"query": {"output": output}}


def test_the_request_of_a_page() -> None:
    """A GET for everything, a POST with a query for less, a link as it is."""
    base = f"https://orgvue.test/api/v1/ACME/datasets/{A}"
    whole = stream().first_request()
    assert (whole.method, whole.url, whole.body) == ("GET", f"{base}/export/jsonRows", None)
    assert whole.headers["Authorization"] == "Bearer t"
    assert whole.headers["User-Agent"] == "me/1"
    assert HEADERS.items() <= dict(whole.headers).items()
    part = stream(entry("pay")).first_request()
    assert (part.method, part.url) == ("POST", f"{base}/export/jsonRows")
    keys = {"_id": 1, "Full Name": 1, "_modifiedAt": 1}
    assert json.loads(part.body or b"") == query(projection=keys)
    assert stream(include_calculations=False).first_request().url == f"{base}/items"


@pytest.mark.parametrize(
    "token,method,url,data",
    [
        (None, "GET", "/export/jsonRows", None),
        (Slice("3"), "POST", "/export/jsonRows", query(filter={"_id": {"$gte": "3"}})),
        (Link("https://orgvue.test/next"), "GET", "https://orgvue.test/next", None),
        (Link("https://orgvue.test/next", "POST", b"[5]"), "POST", "https://orgvue.test/next", [5]),
    ],
    ids=["everything", "slice", "link", "link with a query"],
)
def test_the_request_of_a_further_page(token: Any, method: str, url: str, data: Any) -> None:
    """A slice is a filter; a link repeats the request before it."""
    page = PageContext(stream_context=None, next_page_token=token)
    request = stream().get_http_request(page=page)
    assert (request.method, request.data or None) == (method, data)
    assert request.url.endswith(url)


def test_messages_about_requests_name_the_stream() -> None:
    """Instead of the dataset's id."""
    made = tap(entry(table_name=A.lower()))
    found = made.streams["people"]
    assert isinstance(found, DatasetStream)
    log = made.source.client.requests
    assert log.subject(Purpose(RequestKind.EXPORT, A)) == "people"
    assert found.export_purpose == Purpose(RequestKind.EXPORT, A.lower())
    stored = stream(include_calculations=False)
    assert stored.export_purpose == Purpose(RequestKind.ITEMS, A)


# --- versions

JSONL = {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///nowhere"}}


@pytest.mark.parametrize(
    "settings,sent",
    [
        ({}, True),
        ({"emit_activate_version_messages": False}, False),
        ({"filters": {"people": {"pay": 5}}}, False),
        ({"filters": {"staff": {"pay": 5}}}, True),
        ({"stream_maps": {"people": {"__filter__": "pay > 5"}}}, False),
        ({"stream_maps": {"people": {"twice": "pay * 2"}}}, True),
        ({"batch_config": JSONL}, True),
    ],
    ids=str,
)
def test_versions_are_for_whole_tables(
    settings: dict[str, Any],
    sent: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Filtered rows say nothing of the others."""
    found = stream(**{"emit_activate_version_messages": True, **settings})
    assert found.emit_activate_version_messages is sent


@pytest.mark.parametrize(
    "settings,sent",
    [
        ({}, True),
        ({"emit_activate_version_messages": False}, False),
        ({"datasets": [A]}, False),
        ({"filters": {"people": {"pay": 5}}}, True),
        ({"batch_config": JSONL}, False),
    ],
    ids=str,
)
def test_versions_of_descriptions_are_for_all_datasets(
    settings: dict[str, Any],
    sent: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Where `datasets` narrows the run, the others are still there."""
    made = tap(**{"emit_activate_version_messages": True, **settings})
    for name in ("orgvue_datasets", "orgvue_properties"):
        about = made.streams[name]
        assert isinstance(about, MetadataStream)
        assert about.emit_activate_version_messages is sent


@pytest.mark.parametrize(
    "method,filters,is_full",
    [(FULL, {}, True), (FULL, {"people": {"pay": 5}}, False), (INCREMENTAL, {}, False)],
    ids=["full", "filtered", "incremental"],
)
def test_only_a_full_export_has_every_row(
    method: dict[str, Any],
    filters: dict[str, Any],
    is_full: bool,  # noqa: FBT001 - what is expected
) -> None:
    """Its rows can be compared with those of the last one."""
    assert stream(entry(**method), filters=filters).is_full_export is is_full
