"""Answers that are successful and wrong: errors beside rows, odd metadata, other columns."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Client

OWN_ERROR = (500, "500999", "Partial", "Some rows are missing.")


def keys(document: dict[str, Any]) -> list[object]:
    """Give the keys of an export's headers, `None` where there is none."""
    return [header.get("key") for header in document["headers"]]


def test_errors_beside_rows(client: Client) -> None:
    """An export can hold errors beside its rows, in a 200, and is whole the next time."""
    client.orgvue.add_errors("500601", OWN_ERROR, on="export")
    partial = client.get("/export/jsonRows", "People")
    document = partial.json()
    assert partial.status_code == 200
    assert [each["code"] for each in document["errors"]] == ["500601", "500999"]
    assert len(document["rows"]) == 4
    assert "errors" not in client.get("/export/jsonRows", "People").json()


def test_errors_in_a_completed_ticket(client: Client) -> None:
    """A job can complete with errors, told with its last status, and still have a result."""
    client.orgvue.plan_job("running", "completed", errors=[OWN_ERROR], dataset="People")
    ticket = client.job().json()
    running = client.ticket(ticket).json()
    completed = client.ticket(ticket).json()
    assert (running["jobStatus"], "errors" in running) == ("running", False)
    assert completed["jobStatus"] == "completed"
    assert completed["errors"][0]["message"] == "Some rows are missing."
    assert client.result(completed).status_code == 200
    assert "errors" not in client.completed()


@pytest.mark.parametrize("reason, status", [("403601", 403), ("500601", 500), (OWN_ERROR, 500)])
def test_refusals_as_tickets(client: Client, reason: Any, status: int) -> None:
    """A refusal can be a failed job ticket, which holds the error and the trace id."""
    client.orgvue.refuse(reason, as_ticket=True, on="job", retry_after=3)
    refused = client.job()
    ticket = refused.json()
    assert (refused.status_code, ticket["jobStatus"]) == (status, "failed")
    assert ticket["errors"][0]["code"][:3] == str(status)
    assert ticket["X-Amzn-Trace-Id"] == refused.headers["X-Amzn-Trace-Id"]
    assert refused.headers["Retry-After"] == "3"
    assert client.job().status_code == 202


def test_refusals_as_tickets_without_errors(client: Client) -> None:
    """A bare status makes a failed ticket that says nothing more, on any route."""
    client.orgvue.refuse(502, as_ticket=True, on="list")
    refused = client.get()
    assert (refused.status_code, refused.json()["errors"]) == (502, [])


@pytest.mark.parametrize("document", [{}, {"errors": []}, [], None, "x", {"properties": 7}])
def test_documents_of_ones_own(client: Client, document: object) -> None:
    """Any JSON document can be the answer, say metadata that is none."""
    client.orgvue.answer(on="metadata", json=document)
    odd = client.get("", "People")
    assert (odd.status_code, odd.json()) == (200, document)
    assert odd.headers["Content-Type"] == "application/json; charset=UTF-8"


def test_members_put_and_removed(client: Client) -> None:
    """Members of a document can be set and removed; the others stay."""
    client.orgvue.amend(on="metadata", dataset="People", remove=["properties", "tags"])
    client.orgvue.amend(on="metadata", put={"properties": {"not": "a list"}}, skip=1)
    first, second, third = (client.get("", "People").json() for _ in range(3))
    assert {*third} - {*first} == {"properties", "tags"}
    assert second == {**third, "properties": {"not": "a list"}}


def test_headers_put(client: Client) -> None:
    """HTTP headers of a successful answer can be set, say `Retry-After` of a ticket."""
    client.orgvue.amend(on="poll", headers={"Retry-After": "3600"})
    ticket = client.job().json()
    answers = [client.ticket(ticket) for _ in range(2)]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["3600", None]


def test_entries_of_the_list(client: Client) -> None:
    """Entries of a list can be altered one by one: another id, none, or no object at all."""
    client.orgvue.amend(on="list", entry="People", put={"datasetId": "no uuid"}, times=None)
    client.orgvue.amend(on="list", entry="Empty", remove=["datasetId"])
    client.orgvue.amend(on="list", entry=1, to=None, skip=1)
    first, second = client.get().json(), client.get().json()
    assert [each.get("datasetId") for each in first] == ["no uuid", None]
    assert [each and each["datasetId"] for each in second] == ["no uuid", None]
    client.orgvue.calm()
    client.orgvue.page_rows = 1
    client.orgvue.amend(on="list", entry=0, remove=["name"])
    assert "name" not in client.get().json()["items"][0]


def test_refusals_are_not_altered(client: Client) -> None:
    """What was ordered for a successful answer waits for one."""
    client.orgvue.amend(on="metadata", to={})
    client.orgvue.refuse("42901", on="metadata")
    assert client.get("", "People").status_code == 429
    assert client.get("", "People").json() == {}


def test_entries_of_what_is_no_list(client: Client) -> None:
    """An order that does not suit the document leaves it as it is."""
    plain = client.get("", "People").json()
    client.orgvue.amend(on="metadata", entry="People", to=7)
    client.orgvue.reshape(on="metadata", drop=["id"])
    assert client.get("", "People").json() == plain
    client.orgvue.dataset("Empty").body = b"no JSON"
    client.orgvue.amend(on="export", put={"more": 1})
    assert client.get("/export/jsonRows", "Empty").content == b"no JSON"


def test_columns_of_an_export(client: Client) -> None:
    """Columns can be missing, new, renamed, retyped, in another order, without a key."""
    plain = client.export(projection={"id": 1, "salary": 1, "start": 1}).json()
    client.orgvue.reshape(
        drop=["start"],
        add={"bonus": 5, "vip": True, "note": None},
        rename={"salary": "pay"},
        retype={"salary": "text"},
        first=["salary"],
        keyless=["id"],
    )
    odd = client.export(projection={"id": 1, "salary": 1, "start": 1}).json()
    assert plain["headers"][0] == {"key": "id", "name": "Id", "type": "text"}
    assert odd["headers"] == [
        {"key": "pay", "name": "salary", "type": "text"},
        {"name": "Id", "type": "text"},
        {"key": "bonus", "name": "bonus", "type": "number"},
        {"key": "vip", "name": "vip", "type": "boolean"},
        {"key": "note", "name": "note", "type": "text"},
    ]
    assert odd["rows"] == [[row[1], row[0], 5, True, None] for row in plain["rows"]]


def test_columns_of_a_jobs_result(client: Client) -> None:
    """A job's result can be altered too, and stays the gzip file that it is."""
    client.orgvue.reshape(on="download", drop=["salary"])
    result = client.result(client.completed())
    assert "salary" not in keys(json.loads(gzip.decompress(result.content)))


def test_columns_of_later_pages(client: Client) -> None:
    """Pages after the first can have other columns than the first."""
    client.orgvue.page_rows = 3
    client.orgvue.reshape(on="page", drop=["fte"], first=["_modifiedAt"])
    first = client.get("/export/jsonRows", "People").json()
    second = client.session.get(first["_links"]["next"]["url"], timeout=20).json()
    assert keys(first)[-2:] == ["fte", "_modifiedAt"]
    assert keys(second)[0] == "_modifiedAt"
    assert len(keys(second)) == len(second["rows"][0]) == len(keys(first)) - 1


def test_columns_of_slices(client: Client) -> None:
    """Exports of a range of `_id` can be told from others."""
    client.orgvue.reshape(on="slice", drop=["id"], times=None)
    whole = client.export()
    slices = [client.export(filter={"_id": {bound: "8"}}) for bound in ("$lt", "$gte")]
    assert "id" in keys(whole.json())
    assert [("id" in keys(each.json())) for each in slices] == [False, False]
    assert sum(len(each.json()["rows"]) for each in slices) == 4


def test_an_id_twice(client: Client) -> None:
    """A row that is added as it stands keeps its `_id`, which the export then has twice."""
    people = client.orgvue.dataset("People")
    people.add(people.rows[0])
    ids = [row[0] for row in client.get("/export/jsonRows", "People").json()["rows"]]
    assert (len(ids), ids[0]) == (5, ids[-1])


def test_control_characters_in_names(client: Client) -> None:
    """Names, keys and messages may hold anything, forged log lines too, and arrive so."""
    forged = "x\r\n2026-01-01 00:00:00 ERROR \x1b[31mforged\x00\u2028"
    client.orgvue.dataset("People").rename(forged)
    client.orgvue.dataset("Empty").change_property("id", key=forged, name=forged)
    client.orgvue.refuse((403, "403999", forged, forged), on="job")
    assert client.get().json()[0]["name"] == forged
    (described,) = client.get("", "Empty").json()["properties"]
    assert (described["key"], described["name"]) == (forged, forged)
    (error,) = client.job("Empty").json()["errors"]
    assert (error["name"], error["message"]) == (forged, forged)
