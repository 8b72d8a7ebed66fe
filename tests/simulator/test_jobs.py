"""Asynchronous exports: tickets, polls, presigned URLs, and how they fail and expire."""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from tests.simulator.conftest import Client


def test_a_job(client: Client) -> None:
    """A job is created, runs, completes, and its result is what a synchronous export holds."""
    response = client.job()
    ticket = response.json()
    assert response.status_code == 202
    assert ticket["jobStatus"] == "created"
    assert ticket["_createdBy"] == "user"
    assert ticket["_createdAt"].endswith("Z")
    assert ticket["X-Amzn-Trace-Id"].startswith("Root=1-")
    assert ticket["_links"]["self"]["contentType"] == "application/json; charset=UTF-8"
    statuses = []
    while "result" not in ticket["_links"]:
        ticket = client.ticket(ticket).json()
        statuses.append(ticket["jobStatus"])
    assert statuses == ["created", "running", "completed"]
    assert client.ticket(ticket).json()["jobStatus"] == "completed"
    expected = client.get("/export/jsonRows", "People").json()
    result = client.result(ticket)
    assert json.loads(gzip.decompress(result.content)) == expected
    assert result.headers["Content-Type"] == "application/octet-stream"
    assert "Content-Encoding" not in result.headers


def test_requests_to_the_file_store_are_remembered(client: Client) -> None:
    """They are told apart from those to the API, and belong to the job's dataset."""
    client.outcome()
    seen = [(request.origin, request.route) for request in client.orgvue.requests]
    assert seen == [("api", "job"), *[("files", "ticket")] * 3, ("files", "result")]
    people = client.orgvue.dataset("People").dataset_id
    assert {request.dataset_id for request in client.orgvue.requests} == {people}


def test_urls_are_presigned(client: Client) -> None:
    """Both URLs are on the other origin and signed; a changed one is refused."""
    ticket = client.completed()
    for link in ticket["_links"].values():
        assert link["url"].startswith(f"{client.orgvue.files_url}/")
        assert link["type"] == "downloadLink"
        query = parse_qs(urlsplit(link["url"]).query)
        assert {"X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"} <= {*query}
        for changed in (
            link["url"].replace("X-Amz-Expires=9", "X-Amz-Expires=99"),
            link["url"].split("?")[0],
            link["url"].replace("/exports/", "/exports/0"),
        ):
            refused = requests.get(changed, timeout=20)
            assert (refused.status_code, "SignatureDoesNotMatch" in refused.text) == (403, True)


def test_the_file_store_refuses_tokens(client: Client) -> None:
    """A presigned URL and a second credential is a 400, in whatever spelling."""
    url = client.job().json()["_links"]["self"]["url"]
    for name in ("Authorization", "authorization"):
        refused = requests.get(url, headers={name: "Bearer x"}, timeout=20)
        assert (refused.status_code, "auth mechanism" in refused.text) == (400, True)


def test_the_file_store_only_gives(client: Client) -> None:
    """Other methods than GET are refused."""
    url = client.job().json()["_links"]["self"]["url"]
    assert requests.post(url, timeout=20).status_code == 405


def test_results_without_compression(client: Client) -> None:
    """`resultEncoding=identity`, also the default, gives the plain document."""
    for query in ("resultEncoding=identity", ""):
        result = client.result(client.completed(query=query))
        assert result.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert "Content-Encoding" not in result.headers
        assert len(result.json()["rows"]) == 4


def test_results_with_content_encoding(client: Client) -> None:
    """The store can serve a gzip result with `Content-Encoding: gzip`, accepted or not."""
    client.orgvue.result_content_encoding = True
    url = client.completed()["_links"]["result"]["url"]
    result = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=20)
    assert result.headers["Content-Encoding"] == "gzip"
    assert len(result.json()["rows"]) == 4


def test_results_that_are_not_compressed_as_asked(client: Client) -> None:
    """With `plain_results` a result is not compressed, though gzip was asked for."""
    client.orgvue.plain_results = True
    url = client.completed()["_links"]["result"]["url"]
    result = requests.get(url, headers={"Accept-Encoding": "identity"}, timeout=20)
    assert result.content.startswith(b'{"headers"')


@pytest.mark.parametrize("format_", ["jsonObjects", "jsonColumns", "csv"])
def test_other_formats(client: Client, format_: str) -> None:
    """Asynchronous exports know all formats, objects by key among them."""
    ticket = client.post(f"/export?exportFormat={format_}", "People").json()
    for _ in range(3):
        ticket = client.ticket(ticket).json()
    result = client.result(ticket)
    if format_ == "jsonObjects":
        assert result.json()[0]["full name"] == "Zoë"
    assert result.headers["Content-Type"] == ticket["_links"]["result"]["contentType"]


@pytest.mark.parametrize(
    "query, expected",
    [("exportFormat=xml", (400, "400604")), ("resultEncoding=br", (400, "400605"))],
)
def test_wrong_parameters(client: Client, query: str, expected: tuple[int, str]) -> None:
    """An unknown format or encoding is refused before a job is made."""
    assert client.error(client.post(f"/export?{query}", "People")) == expected


def test_queries(client: Client) -> None:
    """A job takes filters like a synchronous export, and keeps the rows of when it was asked."""
    body = {"query": {"output": {"filter": {"salary": {"$lte": 10}}}}}
    ticket = client.completed(body=body)
    client.orgvue.dataset("People").remove(0)
    document = json.loads(gzip.decompress(client.result(ticket).content))
    assert [row[1] for row in document["rows"]] == ["a", "b"]


def test_raw_bodies(client: Client) -> None:
    """A dataset's `body` is the result, as it is."""
    client.orgvue.dataset("People").body = b"[broken"
    assert gzip.decompress(client.result(client.completed()).content) == b"[broken"


def test_failing_jobs(client: Client) -> None:
    """The next so many jobs end `failed` with errors and no result; then they succeed again."""
    client.orgvue.fail_jobs = 1
    client.orgvue.job_polls = ("completed",)
    failing, fine = client.job().json(), client.job().json()
    failed = client.ticket(failing).json()
    assert failed["jobStatus"] == "failed"
    assert failed["errors"][0]["code"] == "500601"
    assert "result" not in failed["_links"]
    assert client.ticket(fine).json()["jobStatus"] == "completed"


def test_first_jobs_may_fail(client: Client) -> None:
    """With `fail_first_jobs` the first job of each dataset fails, and the others do not."""
    client.orgvue.fail_first_jobs = True
    client.orgvue.job_polls = ("completed",)
    tickets = [client.job(name).json() for name in ("People", "People", "Empty")]
    told = [client.ticket(ticket).json()["jobStatus"] for ticket in tickets]
    assert told == ["failed", "completed", "failed"]
    assert client.orgvue.faults["failed jobs"] == 2


def test_jobs_that_never_end(client: Client) -> None:
    """A job can be planned to run for ever; the next one is as usual."""
    client.orgvue.plan_job("running", dataset="People")
    endless, other, usual = (client.job(name).json() for name in ("People", "Empty", "People"))
    told = [client.ticket(endless).json()["jobStatus"] for _ in range(5)]
    assert told == ["running"] * 5
    for ticket in (other, usual):
        assert client.ticket(ticket).json()["jobStatus"] == "created"


def test_jobs_that_fail_as_planned(client: Client) -> None:
    """A job can be planned to fail with errors of its own; without a status it completes."""
    client.orgvue.plan_job("failed", errors=[(500, "500777", "Odd", "It is odd.")])
    client.orgvue.plan_job(errors="500601")
    tickets = [client.ticket(client.job().json()).json() for _ in range(2)]
    assert [each["jobStatus"] for each in tickets] == ["failed", "completed"]
    assert [each["errors"][0]["code"] for each in tickets] == ["500777", "500601"]
    assert "result" not in tickets[0]["_links"]
    assert client.orgvue.faults["failed jobs"] == 1


def test_jobs_take_their_time(client: Client) -> None:
    """Until `job_seconds` are over a job that would be completed is running."""
    client.orgvue.job_seconds = 3600
    client.orgvue.job_polls = ("completed",)
    ticket = client.job().json()
    assert client.ticket(ticket).json()["jobStatus"] == "running"
    client.orgvue.job_seconds = 0
    assert client.ticket(ticket).json()["jobStatus"] == "completed"


def test_unknown_statuses(client: Client) -> None:
    """A job can tell a status nobody has heard of."""
    client.orgvue.job_status_word = "pondering"
    ticket = client.job().json()
    assert ticket["jobStatus"] == "pondering"
    assert client.ticket(ticket).json()["jobStatus"] == "pondering"


def test_files_expire(client: Client) -> None:
    """After their lifetime, ticket and result are refused the way object stores do."""
    ticket = client.completed()
    assert client.result(ticket).status_code == 200
    client.orgvue.file_lifetime = 0.01
    time.sleep(0.02)
    for refused in (client.ticket(ticket), client.result(ticket)):
        assert refused.status_code == 403
        assert refused.headers["Content-Type"] == "application/xml"
        assert "<Code>AccessDenied</Code><Message>Request has expired" in refused.text


def test_results_that_have_expired(client: Client) -> None:
    """The next so many result URLs have expired when told; the ticket itself goes on."""
    client.orgvue.expire_results = 1
    expired = client.completed()
    assert "Request has expired" in client.result(expired).text
    again = client.ticket(expired)
    assert again.status_code == 200
    assert client.result(again.json()).status_code == 403
    assert client.result(client.completed()).status_code == 200
