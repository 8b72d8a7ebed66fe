"""The columns of an export, read by the cheapest request that the server accepts."""

from __future__ import annotations

import io
import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import requests
from typing_extensions import override

from tap_orgvue.exports.headers import DatasetHeaders, HeaderReader, SkippedDataset
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import NO_NODE
from tap_orgvue.orgvue.models import Dataset as Listed
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.datasets import people
from tests.support.mocked_exports import (
    DATASET_ID,
    EXPORT,
    METADATA,
    MockedExports,
    document,
    refusal,
)
from tests.support.mocked_orgvue import TENANT
from tests.support.runs import discover, properties, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tap_orgvue.orgvue.models import Property as Header

    Serve = Callable[..., Orgvue]


PROPERTIES = [{"key": "id", "type": "text"}, {"key": "x", "type": "number"}]
LIST = [Listed(DATASET_ID, "People")]


def tenant(**responses: dict[str, Any]) -> MockedExports:
    """A tenant whose exports and metadata respond as given: `post`, `get`, `metadata`."""
    orgvue = MockedExports(max_parallel_requests=1)
    for name, method, url in (
        ("post", "POST", EXPORT),
        ("get", "GET", EXPORT),
        ("metadata", "GET", METADATA),
    ):
        if name in responses:
            orgvue.serve(method, url, responses[name])
    return orgvue


def reader(orgvue: MockedExports, **options: Any) -> HeaderReader:
    """A reader that logs to the tests' log."""
    return HeaderReader(orgvue.client, logging.getLogger("headers"), **options)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings of a reader."""
    return [record.getMessage() for record in caplog.records if record.name == "headers"]


def keys(headers: Iterable[Header]) -> list[str]:
    """The keys of headers."""
    return [header.key for header in headers]


METADATA_RESPONSE = {"json": {"autoId": "id", "properties": PROPERTIES}}


def test_an_export_without_rows_has_the_headers(caplog: pytest.LogCaptureFixture) -> None:
    """One POST, whose filter matches no node, is enough."""
    orgvue = tenant(post=document([]))
    headers = reader(orgvue)
    assert keys(headers.read(DATASET_ID)) == ["_id", "x"]
    (post,) = orgvue.adapter.request_history
    assert post.json() == {"query": {"output": {"filter": {"_id": NO_NODE}}}}
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "post", [refusal(405), refusal(404), refusal(501), refusal(400), {"content": b"<html>"}]
)
def test_a_get_has_the_headers_where_a_post_fails(
    post: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Where the POST is refused or its response is no export, a GET has the same headers."""
    orgvue = tenant(post=post, get=document())
    headers = reader(orgvue)
    assert keys(headers.read(DATASET_ID)) == ["_id", "x"]
    assert orgvue.routes == ["POST jsonRows", "GET jsonRows"]
    assert warnings(caplog) == []


@pytest.mark.parametrize("post", [refusal(405), refusal(404), refusal(501)])
def test_a_proven_refusal_of_the_post_is_remembered(post: dict[str, Any]) -> None:
    """Once a GET succeeded where a POST was not accepted, no further POST is sent."""
    orgvue = tenant(post=post, get=document())
    headers = reader(orgvue)
    for _ in range(3):
        headers.read(DATASET_ID)
    assert orgvue.routes == ["POST jsonRows", *["GET jsonRows"] * 3]


@pytest.mark.parametrize("post", [refusal(400), refusal(500), {"content": b"<html>"}])
def test_another_failure_of_the_post_is_not_remembered(post: dict[str, Any]) -> None:
    """A failure that may be the dataset's own says nothing about the next one."""
    orgvue = tenant(post=post, get=document())
    headers = reader(orgvue)
    for _ in range(2):
        headers.read(DATASET_ID)
    assert orgvue.routes == ["POST jsonRows", "GET jsonRows"] * 2


def test_a_refusal_of_the_post_is_proven_only_by_a_get() -> None:
    """Where the GET fails as well, the next dataset is tried by POST again."""
    orgvue = tenant(post=refusal(405), get=refusal(413), metadata=METADATA_RESPONSE)
    headers = reader(orgvue)
    for _ in range(2):
        headers.read(DATASET_ID)
    assert orgvue.routes == ["POST jsonRows", "GET jsonRows", f"GET {DATASET_ID}"] * 2


@pytest.mark.parametrize(
    "get", [refusal(413), refusal(400), {"content": b"[]"}, {"exc": requests.ConnectionError}]
)
def test_the_metadata_has_the_headers_where_both_fail(
    get: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The last source is the metadata's properties and `_id`; a warning says why."""
    orgvue = tenant(post=refusal(405), get=get, metadata=METADATA_RESPONSE)
    headers = reader(orgvue)
    assert keys(headers.read(DATASET_ID)) == ["_id", "id", "x"]
    (warning,) = warnings(caplog)
    assert DATASET_ID in warning
    assert "without generated ones" in warning


def test_the_metadata_s_own_id_is_not_repeated() -> None:
    """A metadata that lists `_id` gives one column for it, the first."""
    listed = [*PROPERTIES, {"key": "_id", "type": "text"}]
    orgvue = tenant(metadata={"json": {"properties": listed}})
    found = reader(orgvue, include_calculations=False).read(DATASET_ID)
    assert keys(found) == ["_id", "id", "x"]
    assert (found[0].name, found[0].type) == ("Id", "text")


def test_stored_values_take_the_metadata_only(caplog: pytest.LogCaptureFixture) -> None:
    """Without calculations no export is requested."""
    orgvue = tenant(metadata=METADATA_RESPONSE)
    headers = reader(orgvue, include_calculations=False)
    assert keys(headers.read(DATASET_ID)) == ["_id", "id", "x"]
    assert orgvue.routes == [f"GET {DATASET_ID}"]
    assert warnings(caplog) == []


@pytest.mark.parametrize("route", ["post", "get"])
def test_a_refusal_of_the_tenant_ends_it(route: str) -> None:
    """A code of the gateway is the same for every source: no other one is tried."""
    expired = refusal(403, "40302", "ApiTokenExpired")
    orgvue = tenant(**{"post": refusal(405), route: expired})
    with pytest.raises(TenantRefusal, match="40302"):
        list(reader(orgvue).read_all(LIST))
    assert len(orgvue.routes) == {"post": 1, "get": 2}[route]


def test_a_dataset_that_is_forbidden_is_skipped() -> None:
    """A dataset that neither a POST nor a GET may read is told of, with Orgvue's refusal."""
    orgvue = tenant(post=refusal(403), get=refusal(403))
    (found,) = reader(orgvue).read_all(LIST)
    assert isinstance(found, SkippedDataset)
    assert found.dataset == LIST[0]
    assert found.forbidden
    assert "Orgvue refused" in str(found.error)
    assert orgvue.routes == ["POST jsonRows", "GET jsonRows"]


def test_a_dataset_that_fails_is_skipped() -> None:
    """Another failure is one dataset's too, and no refusal."""
    orgvue = tenant(post=refusal(400), get=refusal(400), metadata=refusal(400))
    (found,) = reader(orgvue).read_all(LIST)
    assert isinstance(found, SkippedDataset)
    assert not found.forbidden


@pytest.mark.parametrize("count,ends", [(7, False), (8, True)])
@pytest.mark.parametrize(
    "failure,error",
    [
        (refusal(400), Refusal),
        ({"exc": requests.ConnectionError}, ConnectionFailed),
        ({"content": b"<html>"}, MalformedResponse),
    ],
)
def test_when_the_first_datasets_fail_alike_discovery_ends(
    failure: dict[str, Any], error: type[OrgvueError], count: int, *, ends: bool
) -> None:
    """Eight failures of one kind from the first dataset on are no single dataset's trouble."""
    orgvue = tenant(post=failure, get=failure, metadata=failure)
    found = reader(orgvue).read_all(LIST * count)
    if ends:
        with pytest.raises(error):
            list(found)
    else:
        assert len(list(found)) == count


@pytest.mark.parametrize(
    "others",
    [
        [refusal(500)],
        [refusal(400, "400999")],
        [{"content": b"<html>"}],
        [METADATA_RESPONSE, refusal(400)],
    ],
)
def test_datasets_that_fail_in_different_ways_end_nothing(others: list[dict[str, Any]]) -> None:
    """Where one of the first eight is read, or fails by another status or code, all are told."""
    orgvue = tenant(post=refusal(400), get=refusal(400))
    orgvue.serve("GET", METADATA, *[refusal(400)] * 3, *others)
    assert len(list(reader(orgvue).read_all(LIST * 12))) == 12


def test_datasets_that_are_forbidden_end_nothing() -> None:
    """A user who may read only the last of many datasets reads that."""
    orgvue = tenant(post=refusal(403), get=refusal(403))
    found = list(reader(orgvue).read_all(LIST * 12))
    assert all(isinstance(each, SkippedDataset) and each.forbidden for each in found)


# --- metadata beside the headers


def read_with_metadata(orgvue: MockedExports, count: int = 2) -> HeaderReader:
    """A reader that has read the headers and the metadata of datasets."""
    headers = reader(orgvue)
    headers.reads_metadata = True
    listed = [Listed(f"{DATASET_ID[:-1]}{i}", f"D{i}") for i in range(count)]
    for each in listed:
        url = f"{TENANT}/datasets/{each.dataset_id}"
        orgvue.serve("POST", f"{url}/export/jsonRows", document([]))
    found = list(headers.read_all(listed))
    assert [each.dataset for each in found] == listed
    assert all(isinstance(each, DatasetHeaders) for each in found)
    return headers


def metadata_url(number: int) -> str:
    """The address of the metadata of one of these datasets."""
    return f"{TENANT}/datasets/{DATASET_ID[:-1]}{number}"


def test_metadata_is_read_beside_headers() -> None:
    """On request each dataset's metadata is read once, and kept by the dataset's id."""
    orgvue = MockedExports(max_parallel_requests=1)
    for i in range(2):
        orgvue.serve("GET", metadata_url(i), {"json": {"autoId": f"key{i}", "properties": []}})
    headers = read_with_metadata(orgvue)
    assert [each.auto_id for each in headers.metadata.values()] == ["key0", "key1"]
    assert headers.metadata_error is None
    assert len(orgvue.urls) == 4


@pytest.mark.parametrize(
    "failure", [refusal(400), {"content": b"<html>"}, {"exc": requests.ConnectionError}]
)
def test_metadata_that_fails_is_not_requested_again(failure: dict[str, Any]) -> None:
    """No stream depends on it: after an error, which is kept, headers alone are read."""
    orgvue = MockedExports(max_parallel_requests=1)
    for i in range(3):
        orgvue.serve("GET", metadata_url(i), failure)
    headers = read_with_metadata(orgvue, 3)
    assert headers.metadata == {}
    assert isinstance(headers.metadata_error, OrgvueError)
    assert [url for url in orgvue.urls if "export" not in url] == [metadata_url(0)]


@pytest.mark.parametrize("status", [403, 404])
def test_metadata_of_one_dataset_may_be_forbidden(status: int) -> None:
    """What is refused for one dataset is still requested for the next."""
    orgvue = MockedExports(max_parallel_requests=1)
    orgvue.serve("GET", metadata_url(0), refusal(status))
    orgvue.serve("GET", metadata_url(1), METADATA_RESPONSE)
    headers = read_with_metadata(orgvue)
    assert len(headers.metadata) == 1
    assert headers.metadata_error is None


def test_metadata_does_not_hide_the_end_of_a_run() -> None:
    """What ends every run ends this one, although no stream depends on metadata."""
    orgvue = MockedExports(max_parallel_requests=1)
    orgvue.serve("GET", metadata_url(0), refusal(403, "40302", "ApiTokenExpired"))
    with pytest.raises(TenantRefusal, match="40302"):
        read_with_metadata(orgvue)


@pytest.mark.parametrize("post", [document([]), refusal(403)])
def test_each_dataset_that_is_done_is_reported(post: dict[str, Any]) -> None:
    """A bar moves once for each dataset, whether it can be read or not."""
    done: list[str] = []
    orgvue = tenant(post=post, get=refusal(403))
    found = reader(orgvue, on_read=lambda: done.append("one")).read_all(LIST * 3)
    assert len(list(found)) == len(done) == 3


@pytest.mark.parametrize("to_the_end", [True, False])
def test_no_thread_is_left(*, to_the_end: bool) -> None:
    """The threads that read headers end with the last one, or once nobody wants more."""
    before = set(threading.enumerate())
    orgvue = tenant(post=document([]))
    with closing(reader(orgvue).read_all(LIST * 3)) as found:  # type: ignore[type-var]
        next(found)
        started = set(threading.enumerate()) - before
        assert len(started) == 1
        if to_the_end:
            assert len(list(found)) == 2
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    "delivered,auto_id,key,requested",
    [
        (["x", "_id"], None, "_id", False),
        (["id", "x"], "id", "id", True),
        (["x"], "id", None, True),
        (["x"], None, None, True),
    ],
)
def test_the_key_is_one_that_is_delivered(
    delivered: list[str], auto_id: str | None, key: str | None, *, requested: bool
) -> None:
    """The key is `_id`, else the dataset's `autoId`, if the export delivers it; else there is none.

    Metadata is requested only where there is no `_id`.
    """
    orgvue = tenant(
        post=document([], [{"key": each} for each in delivered]),
        metadata={"json": {"autoId": auto_id, "properties": []}},
    )
    (found,) = reader(orgvue).read_all(LIST)
    assert isinstance(found, DatasetHeaders)
    assert (found.dataset, keys(found.headers), found.key) == (LIST[0], delivered, key)
    assert (f"GET {DATASET_ID}" in orgvue.routes) is requested


class Body(io.BytesIO):
    """A body that counts the bytes that are read of it."""

    bytes_read = 0

    @override
    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


@pytest.mark.parametrize("length,is_finished", [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_only_a_short_body_is_read_to_its_end(*, length: int, is_finished: bool) -> None:
    """A short body is read to its end, which keeps its connection; a long one is not."""
    head = document([])["content"][:-2]
    body = Body(head + b" " * (length - len(head) - 2) + b"]}")
    orgvue = tenant(post={"body": body, "headers": {"Content-Length": str(length)}})
    assert keys(reader(orgvue).read(DATASET_ID)) == ["_id", "x"]
    assert (body.bytes_read == length) is is_finished


# --- over HTTP


@pytest.mark.slow
def test_a_filter_that_is_ignored_costs_no_download(serve: Serve) -> None:
    """Where Orgvue ignores the filter, the answer is read only as far as its headers."""
    orgvue = serve(people(20_000))
    orgvue.ignores_filters = True
    catalog = discover(orgvue.config)
    assert "salary" in properties(catalog, "people")


@pytest.mark.parametrize("status", [405, 404, 400])
def test_headers_are_fetched_with_a_get_where_posts_are_refused(serve: Serve, status: int) -> None:
    """Where the POST is refused, the beginning of a GET tells the same columns."""
    orgvue = serve(people())
    expected = discover(orgvue.config)
    before = len(orgvue.requests)
    orgvue.refuse((status, f"{status}999", "NotHere", "Not this way."), on="export")
    assert discover(orgvue.config) == expected
    methods = [(request.method, request.route) for request in orgvue.requests[before:]]
    assert methods[:3] == [("GET", "list"), ("POST", "export"), ("GET", "export")]


def test_a_post_that_is_not_there_is_not_tried_for_every_dataset(serve: Serve) -> None:
    """Once learnt that synchronous exports take no POST, no more are sent."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(10)))
    orgvue.post_export = False
    catalog = discover({**orgvue.config, "max_parallel_requests": 1})
    assert len(streams(catalog)) == 10
    posts = [request for request in orgvue.requests if request.method == "POST"]
    assert len(posts) == 1


@pytest.mark.slow
def test_a_get_for_headers_reads_only_the_beginning(serve: Serve) -> None:
    """The body of the GET is closed after the headers, however long it would go on."""
    orgvue = serve(people(30_000))
    orgvue.post_export = False
    orgvue.trickle = 400_000
    catalog = discover(orgvue.config)
    assert "salary" in properties(catalog, "people")
    (get,) = [r for r in orgvue.requests_to("export") if r.method == "GET"]
    assert get.header("Authorization")


def test_columns_come_from_the_metadata_where_no_export_answers(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Where both ways fail, the metadata's properties and `_id` make the schema, with a warning."""
    orgvue = serve(people())
    orgvue.post_export = False
    orgvue.sync_limit_bytes = 10
    columns = properties(discover(orgvue.config), "people")
    assert list(columns) == [
        "_id",
        "id",
        "full_name",
        "salary",
        "on_leave",
        "start_date",
        "_rescued_data",
    ]
    assert columns["salary"]["type"] == ["number", "null"]
    assert orgvue.dataset("People").dataset_id in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"[]",
        b'{"rows": []}',
        b'{"headers": 5, "rows": []}',
        b'{"headers": [{"name": "no key"}], "rows": []}',
        b'{"headers": [{"key": "a"}, {"key": "a"}], "rows": []}',
    ],
)
def test_an_export_that_is_none_is_replaced_by_the_metadata(serve: Serve, body: bytes) -> None:
    """Where the export's beginning cannot be understood, the metadata is asked instead."""
    dataset = Dataset("Odd", properties=[Property("x", "number")], body=body)
    # What is cut may be whole the next time: one more try is enough here.
    config = {**serve(dataset).config, "max_retries": 1}
    columns = properties(discover(config), "odd")
    assert columns["x"]["type"] == ["number", "null"]
