"""The simulator answers as the API's documents say: list, metadata, exports, items, headers."""

from __future__ import annotations

import ast
import csv
import gzip
import http.client
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

import tap_orgvue.simulator as package
from tap_orgvue.simulator import Dataset, Orgvue, Property

if TYPE_CHECKING:
    from tests.simulator.conftest import Client


def test_it_knows_nothing_of_the_tap() -> None:
    """The simulator is a second telling of the documents: it imports none of the first."""
    allowed = {*sys.stdlib_module_names, "typing_extensions"}
    for file in Path(package.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name.startswith("tap_orgvue.simulator") or name.split(".")[0] in allowed


def test_list(client: Client) -> None:
    """The list is an array with id, name, type, view flag and links of each dataset."""
    people, empty = client.get().json()
    url = client.url("", "People")
    assert people == {
        "isPermissionedView": False,
        "datasetId": client.orgvue.dataset("People").dataset_id,
        "name": "People",
        "type": "PEOPLE",
        "_links": {
            "dataset:retrieve": {"url": url, "method": "GET", "type": "resource"},
            "dataset:export": {"url": f"{url}/export", "method": "POST", "type": "resource"},
        },
    }
    assert (empty["name"], empty["isPermissionedView"]) == ("Empty", True)


def test_metadata(client: Client) -> None:
    """Metadata names the key and label properties and describes the dataset's own ones."""
    document = client.get("", "People").json()
    properties = {each["key"]: each for each in document.pop("properties")}
    people = client.orgvue.dataset("People")
    assert document == {
        "datasetId": people.dataset_id,
        "name": "People",
        "type": "PEOPLE",
        "autoId": "id",
        "labelId": "full name",
        "tags": ["HR"],
        "cacheKey": people.cache_key,
    }
    assert properties["id"] == {
        "key": "id",
        "name": "Id",
        "type": "text",
        "isRequired": True,
        "isAutoId": True,
        "isCore": True,
    }
    assert properties["fte"] == {
        "key": "fte",
        "name": "fte",
        "type": "number",
        "isRequired": False,
    }
    assert list(properties)[-1] == "fte"


def test_metadata_of_a_tree() -> None:
    """Hierarchical datasets say which properties make the tree."""
    tree = [Property("id", tree_id=True), Property("above", tree_parent_id=True)]
    metadata = Dataset("Tree", properties=tree).metadata
    assert (metadata["treeId"], metadata["treeParentId"]) == ("id", "above")
    assert metadata["properties"] == [
        {"key": "id", "name": "id", "type": "text", "isRequired": False, "isTreeId": True},
        {"key": "above", "name": "above", "type": "text", "isRequired": False},
    ]


def test_export_rows(client: Client) -> None:
    """An export has `_id` first, the own properties, the other generated ones, null for empty."""
    document = client.get("/export/jsonRows", "People").json()
    assert list(document) == ["headers", "rows"]
    assert [header["key"] for header in document["headers"]] == [
        "_id",
        "id",
        "full name",
        "salary",
        "full time",
        "start",
        "notes",
        "fte",
        "_modifiedAt",
    ]
    assert document["headers"][2] == {"key": "full name", "name": "Full Name", "type": "text"}
    assert document["rows"][1][1:] == [
        "b",
        None,
        2.5,
        False,
        "2020-01-01",
        [1],
        None,
        "2026-01-01T00:00:02.000Z",
    ]
    assert len(document["rows"]) == 4


def test_export_of_an_empty_dataset(client: Client) -> None:
    """A dataset without rows answers its headers."""
    document = client.get("/export/jsonRows", "Empty").json()
    assert [header["key"] for header in document["headers"]] == ["_id", "id", "_modifiedAt"]
    assert document["rows"] == []


def test_export_columns(client: Client) -> None:
    """`jsonColumns` holds the same cells by column, also when there are no rows."""
    rows = client.get("/export/jsonRows", "People").json()["rows"]
    columns = client.get("/export/jsonColumns", "People").json()["columns"]
    assert columns == [list(column) for column in zip(*rows, strict=True)]
    assert client.get("/export/jsonColumns", "Empty").json()["columns"] == [[], [], []]


@pytest.mark.parametrize("name, delimiter", [("csv", ","), ("tsv", "\t")])
def test_export_separated(client: Client, name: str, delimiter: str) -> None:
    """`csv` and `tsv` hold a line of keys and a line for each row, text cells as they are."""
    response = client.get(f"/export/{name}", "People")
    response.encoding = "utf-8"
    header, *rows = csv.reader(response.text.splitlines(), delimiter=delimiter)
    assert header[:3] == ["_id", "id", "full name"]
    assert rows[0][1:6] == ["a", "Zoë", "10", "true", ""]
    assert rows[1][6] == "[1]"


def test_unknown_formats_are_refused(client: Client) -> None:
    """What is no format, or only one of asynchronous exports, is a 400."""
    for name in ("xml", "jsonObjects"):
        assert client.error(client.get(f"/export/{name}", "People")) == (400, "400604")


def test_items(client: Client) -> None:
    """Items hold stored values and `_id`: nothing calculated, generated or empty."""
    first, _, third, fourth = client.get("/items", "People").json()
    keys = client.orgvue.dataset("People").rows
    assert first == {
        "_id": keys[0]["_id"],
        "id": "a",
        "full name": "Zoë",
        "salary": 10,
        "full time": True,
    }
    assert third["full name"] == ""
    assert fourth == {"_id": keys[3]["_id"], "id": "D", "full name": "amber", "notes": "x"}


def test_items_with_a_filter(client: Client) -> None:
    """Items can be asked for with a filter."""
    body = {"query": {"output": {"filter": {"salary": {"$gte": 10}}}}}
    found = client.post("/items", "People", body).json()
    assert [item["id"] for item in found] == ["a", "c"]


def test_dataset_ids_in_any_case(client: Client) -> None:
    """A UUID names the same dataset in lower case."""
    url = client.url("", "People")
    head, _, dataset_id = url.rpartition("/")
    response = client.session.get(f"{head}/{dataset_id.lower()}", timeout=20)
    assert response.json()["datasetId"] == dataset_id


def test_gzip(client: Client) -> None:
    """`Accept-Encoding: gzip` is honoured with a true Content-Length, `identity` likewise."""
    packed = client.session.get(client.url("/export/jsonRows", "People"), stream=True, timeout=20)
    raw = packed.raw.read(decode_content=False)
    plain = client.get("/export/jsonRows", "People", Accept_Encoding="identity")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) == len(raw)
    assert gzip.decompress(raw) == plain.content
    assert "Content-Encoding" not in plain.headers
    assert int(plain.headers["Content-Length"]) == len(plain.content)


def test_trace_ids(client: Client) -> None:
    """Every answer of the API has a trace id of its own, refusals too."""
    answers = [client.get(), client.get("", "People"), client.get("/nothing", "People")]
    traces = {answer.headers["X-Amzn-Trace-Id"] for answer in answers}
    assert len(traces) == 3
    assert all(trace.startswith("Root=1-") for trace in traces)


def test_connections_are_kept(client: Client) -> None:
    """Several requests go over one connection."""
    connection = http.client.HTTPConnection(urlsplit(client.orgvue.api_url).netloc, timeout=20)
    headers = {name: str(value) for name, value in client.session.headers.items()}
    connection.request("GET", "/api/v1/DEMO/datasets", headers=headers)
    connection.getresponse().read()
    first = connection.sock
    connection.request("GET", "/api/v1/DEMO/datasets", headers=headers)
    assert connection.getresponse().status == 200
    assert connection.sock is first
    connection.close()


def test_pages_of_an_export(client: Client) -> None:
    """With `page_rows` an export names its next page until the rows are used up."""
    client.orgvue.page_rows = 3
    first = client.get("/export/jsonRows", "People").json()
    second = client.session.get(first["_links"]["next"]["url"], timeout=20).json()
    assert (len(first["rows"]), len(second["rows"])) == (3, 1)
    assert first["headers"] == second["headers"]
    assert second["_links"] == {}
    assert first["_links"]["next"]["url"].startswith(client.orgvue.api_url)
    assert [request.route for request in client.orgvue.requests] == ["export", "export"]


def test_pages_of_a_query(client: Client) -> None:
    """The pages of a query go on with the query, and with the rows of its first page."""
    client.orgvue.page_rows = 1
    first = client.export(filter={"salary": {"$gt": 5}}, projection={"id": 1}).json()
    client.orgvue.dataset("People").remove(2)
    second = client.session.get(first["_links"]["next"]["url"], timeout=20).json()
    assert (first["rows"], second["rows"], second["_links"]) == ([["a"]], [["c"]], {})


def test_pages_of_the_list(client: Client) -> None:
    """With `page_rows` the list is an object of items and links."""
    client.orgvue.page_rows = 1
    first = client.get().json()
    second = client.session.get(first["_links"]["next"]["url"], timeout=20).json()
    assert [each["name"] for each in (*first["items"], *second["items"])] == ["People", "Empty"]
    assert second["_links"] == {}
    assert client.error(client.get("?offset=x")) == (400, "400605")


def test_pages_elsewhere(client: Client) -> None:
    """`next_origin` lets links to the next page point to another origin."""
    client.orgvue.page_rows = 1
    client.orgvue.next_origin = "http://elsewhere.example"
    assert client.get().json()["_links"]["next"]["url"].startswith("http://elsewhere.example/api")


def test_pages_only_where_they_fit(client: Client) -> None:
    """Formats without room for links, and raw bodies, are answered whole."""
    client.orgvue.page_rows = 1
    assert len(client.get("/export/csv", "People").text.splitlines()) == 5
    client.orgvue.dataset("Empty").body = b"[1, 2"
    assert client.get("/export/jsonRows", "Empty").content == b"[1, 2"


def test_raw_bodies(client: Client) -> None:
    """A dataset's `body` is served as it is, whatever is asked."""
    client.orgvue.dataset("People").body = b'{"headers": [], "rows": [[NaN'
    for response in (client.get("/export/jsonRows", "People"), client.export(filter={"id": "a"})):
        assert response.content == b'{"headers": [], "rows": [[NaN'
    client.orgvue.dataset("People").body = b"another"
    assert client.get("/export/jsonRows", "People").content == b"another"


def test_changes_are_exported(client: Client) -> None:
    """An export shows the dataset as it is at that moment."""
    people = client.orgvue.dataset("People")
    assert client.ids() == ["a", "b", "c", "D"]
    people.add({"id": "e"})
    people.remove(0)
    people.update(0, id="B")
    rows = client.get("/export/jsonRows", "People").json()["rows"]
    assert [row[1] for row in rows] == ["B", "c", "D", "e"]


def test_requests_are_remembered(client: Client) -> None:
    """Each request is kept with what it asked, as received, and what it was answered."""
    before = len(client.orgvue.requests)
    client.post("/export/jsonRows?a=1&a=2", "People", {"query": {}})
    (request,) = client.orgvue.requests[before:]
    assert (request.origin, request.route, request.method) == ("api", "export", "POST")
    assert request.path.endswith("/export/jsonRows")
    assert request.query == {"a": ["1", "2"]}
    assert request.body == {"query": {}}
    assert request.dataset_id == client.orgvue.dataset("People").dataset_id
    assert request.status == 200
    assert request.header("Authorization") == f"Bearer {client.orgvue.token}"
    assert request.header("authorization") is None
    assert request.ended is not None
    assert request.started <= request.ended
    assert client.orgvue.requests_to("export") == [request]
    assert client.orgvue.requests_to("list") == []


def test_it_can_be_stopped_and_started() -> None:
    """Stopping frees the ports and cuts connections; a taken port is an error when starting."""
    orgvue = Orgvue([])
    orgvue.stop()
    orgvue.start()
    ports = [urlsplit(url).port or 0 for url in (orgvue.api_url, orgvue.files_url)]
    second = Orgvue([], files_port=ports[1])
    with pytest.raises(OSError, match="in use"):
        second.start()
    connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=20)

    def ask() -> int:
        connection.request("GET", "/")
        with connection.getresponse() as response:
            response.read()
            return response.status

    assert ask() == 401
    orgvue.stop()
    with pytest.raises((OSError, http.client.HTTPException)):
        ask()
    connection.close()
    again = Orgvue([], port=ports[0], files_port=ports[1])
    again.start()
    assert again.config == {
        "api_url": orgvue.api_url,
        "tenant_id": "DEMO",
        "api_token": orgvue.token,
    }
    again.stop()
