"""Trouble happens as ordered: to whom, how often, and how it looks to a client."""

from __future__ import annotations

import http.client
import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from tests.simulator.conftest import Client

BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def received(client: Client, path: str = "/export/jsonRows") -> tuple[int, bytes]:
    """Export over a bare connection: the length that was told and the bytes that came."""
    connection = http.client.HTTPConnection(urlsplit(client.orgvue.api_url).netloc, timeout=20)
    target = urlsplit(client.url(path, "People")).path
    headers = {name: str(value) for name, value in client.session.headers.items()}
    connection.request("GET", target, headers=headers)
    response = connection.getresponse()
    told = int(response.headers["Content-Length"])
    try:
        body = response.read()
    except http.client.IncompleteRead as broken:
        body = broken.partial
    connection.close()
    return told, body


def test_refusing(client: Client) -> None:
    """The next requests are refused with the code, then answered."""
    client.orgvue.refuse("42901", times=2, retry_after=7)
    answers = [client.get() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert client.error(answers[0]) == (429, "42901")


@pytest.mark.parametrize("status", [500, 502, 503])
def test_refusing_with_a_bare_status(client: Client, status: int) -> None:
    """A number is a status without a JSON body."""
    client.orgvue.refuse(status, retry_after="soon")
    refused = client.get()
    assert refused.status_code == status
    assert refused.headers["Retry-After"] == "soon"
    with pytest.raises(requests.exceptions.JSONDecodeError):
        refused.json()


def test_refusing_with_an_error_of_ones_own(client: Client) -> None:
    """A status with code, name and message makes the error body."""
    client.orgvue.refuse((418, "418123", "Teapot", "I am one."))
    assert client.get().json() == {
        "errors": [{"name": "Teapot", "code": "418123", "message": "I am one."}]
    }


def test_some_requests_alone(client: Client) -> None:
    """Trouble meets the routes and the dataset it was ordered for, for ever without a number."""
    client.orgvue.refuse("40303", on=["metadata", "items"], dataset="Empty", times=None)
    for _ in range(2):
        assert client.get("", "Empty").status_code == 403
        assert client.get("/items", "Empty").status_code == 403
    assert client.get("", "People").status_code == 200
    assert client.get("/export/jsonRows", "Empty").status_code == 200
    client.orgvue.calm()
    assert client.get("", "Empty").status_code == 200


def test_trouble_below_one_dataset(client: Client) -> None:
    """One dataset can fail in every way while the list and the others are fine."""
    client.orgvue.refuse(500, dataset="People")
    client.orgvue.refuse("400606", dataset="People", retry_after=3600)
    client.orgvue.answer(body=b'{"datasetId": ', dataset="People")
    client.orgvue.answer(json={"errors": []}, dataset="People")
    found = []
    for _ in range(4):
        assert (client.get().status_code, client.get("", "Empty").status_code) == (200, 200)
        answer = client.get("", "People")
        found.append((answer.status_code, answer.content[:14], answer.headers.get("Retry-After")))
    assert found == [
        (500, b"", None),
        (400, b'{"errors": [{"', "3600"),
        (200, b'{"datasetId": ', None),
        (200, b'{"errors": []}', None),
    ]


def test_the_file_store_is_spared_unless_named(client: Client) -> None:
    """Trouble on every route is trouble of the API; files have theirs by name."""
    ticket = client.completed()
    client.orgvue.refuse("42901", times=None)
    assert client.result(ticket).status_code == 200
    client.orgvue.refuse(503, on="result", dataset="People")
    assert client.result(ticket).status_code == 503


def test_one_after_another(client: Client) -> None:
    """Several orders come true in the order they were given."""
    client.orgvue.refuse("42901", on="list")
    client.orgvue.hang_up(on="list")
    client.orgvue.answer(on="list", body=b"odd")
    assert client.get().status_code == 429
    with pytest.raises(BROKEN):
        client.get()
    assert client.get().text == "odd"
    assert client.get().status_code == 200
    assert [request.status for request in client.orgvue.requests] == [429, None, 200, 200]


def test_answering(client: Client) -> None:
    """Any bytes can be the answer, as a page or with other headers."""
    client.orgvue.answer(on="export", body=b"<html>")
    client.orgvue.answer(
        on="export", status=302, headers={"Location": "http://x.example", "Content-Type": "a/b"}
    )
    page = client.get("/export/jsonRows", "People")
    assert (page.status_code, page.text) == (200, "<html>")
    assert page.headers["Content-Type"] == "text/html"
    moved = client.session.get(
        client.url("/export/jsonRows", "People"), allow_redirects=False, timeout=20
    )
    assert (moved.status_code, moved.content) == (302, b"")
    assert moved.headers["Location"] == "http://x.example"
    assert moved.headers["Content-Type"] == "a/b"


@pytest.mark.parametrize("reset", [False, True])
def test_hanging_up_before_the_status_line(client: Client, *, reset: bool) -> None:
    """Nothing at all is answered."""
    client.orgvue.hang_up(on="list", reset=reset)
    with pytest.raises(BROKEN):
        client.get()
    assert client.get().status_code == 200


@pytest.mark.parametrize("after, missing", [(20, None), (-1, 1), (-15, 15), (10**6, 1)])
def test_hanging_up_in_the_body(client: Client, after: int, missing: int | None) -> None:
    """So many bytes come, or so many are missing; a body is never complete."""
    client.orgvue.hang_up(on="export", after=after)
    told, body = received(client)
    assert len(body) == (after if missing is None else told - missing)
    assert received(client)[0] == told


def test_resetting_in_the_body(client: Client) -> None:
    """The connection can be reset, rather than closed, midway."""
    client.orgvue.hang_up(on="export", after=20, reset=True)
    with pytest.raises(BROKEN):
        client.get("/export/jsonRows", "People")
    assert client.get("/export/jsonRows", "People").status_code == 200


@pytest.mark.parametrize("place, end", [(0, b'"text"}'), (1, b'"text"}'), (-1, b'"date"}')])
def test_cutting_behind_a_text(client: Client, place: int, end: bytes) -> None:
    """A body can be cut right behind a text, plain although gzip was accepted."""
    client.orgvue.hang_up(on="export", behind="}", place=place if place >= 0 else -2)
    told, body = received(client)
    assert body.endswith(end)
    assert body.count(b"}") == (place + 1 if place >= 0 else 9)
    assert len(body) < told


def test_cutting_without_a_length(client: Client) -> None:
    """Where no length is told, a body that is cut looks like a complete one."""
    client.orgvue.hang_up(on="export", behind="}", tells_length=False)
    cut = client.get("/export/jsonRows", "People")
    assert "Content-Length" not in cut.headers
    assert cut.text == '{"headers":[{"key":"_id","name":"_id","type":"text"}'


@pytest.mark.parametrize("by", [10, -10])
def test_lying_about_the_length(client: Client, by: int) -> None:
    """The length told is off, the connection ends, and the next answer is a true one."""
    told, body = received(client)
    client.orgvue.lie_about_length(on="export", by=by)
    lie, part = received(client)
    assert lie == told + by
    assert part == body[:lie]
    assert received(client) == (told, body)


def test_pausing(client: Client) -> None:
    """A pause delays an answer, besides other trouble, and only where it was ordered."""
    client.orgvue.pause(on="list", seconds=0.2)
    client.orgvue.pause(on="items", seconds=3600)
    client.orgvue.refuse("42902", on="list")
    assert client.get().status_code == 429
    (slow,) = client.orgvue.requests
    assert (slow.ended or 0) - slow.started >= 0.2
    assert client.get().status_code == 200


def test_stopping_waits_for_nobody(client: Client) -> None:
    """A server that is stopped ends its pauses."""
    client.orgvue.pause(on="list", seconds=3600)
    connection = http.client.HTTPConnection(urlsplit(client.orgvue.api_url).netloc, timeout=20)
    connection.request("GET", "/api/v1/DEMO/datasets")
    while not client.orgvue.requests:
        time.sleep(0.005)
    client.orgvue.stop()
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.getresponse()
    connection.close()


def test_chance(client: Client) -> None:
    """With the same seed the same share of requests is refused or broken, in the same order."""

    def outcomes() -> list[Any]:
        client.orgvue.chance(refuse=0.2, hang_up=0.3, seed=7)
        found: list[Any] = []
        for _ in range(40):
            try:
                found.append(client.get().status_code)
            except BROKEN:
                found.append("broken")
        return found

    client.orgvue.rate_limit = 1000
    first = outcomes()
    assert outcomes() == first
    assert {*first} == {200, 429, "broken"}


def test_chance_at_the_file_store(client: Client) -> None:
    """The file store refuses with 503."""
    ticket = client.completed()
    client.orgvue.chance(refuse=1.0)
    assert client.result(ticket).status_code == 503
    client.orgvue.calm()
    assert client.result(ticket).status_code == 200


def test_chance_makes_answers_late(client: Client) -> None:
    """A share of the answers comes late; what was met is counted by its kind."""
    client.orgvue.chance(slow=1.0, seconds=0.3)
    client.get()
    (request,) = client.orgvue.requests
    assert request.ended is not None
    assert request.ended - request.started >= 0.3
    client.orgvue.refuse("42901")
    client.orgvue.hang_up()
    client.get()
    with pytest.raises(BROKEN):
        client.get()
    assert client.orgvue.faults == {"slow": 3, "refused": 1, "broken off": 1, "failed jobs": 0}


def test_sparing_the_first(client: Client) -> None:
    """Trouble can spare so many of the requests that fit before it begins."""
    client.orgvue.refuse(500, on="list", skip=2)
    assert [client.get().status_code for _ in range(4)] == [200, 200, 500, 200]


def test_sparing_a_share(client: Client) -> None:
    """Trouble can meet a share of the requests that fit, by dice."""
    client.orgvue.rate_limit = 1000
    client.orgvue.refuse(500, share=0.4, times=None)
    found = [client.get().status_code for _ in range(60)]
    assert 10 < found.count(500) < 40
    assert {*found} == {200, 500}


def test_requests_by_kind(client: Client) -> None:
    """Trouble can be ordered for a kind of requests: exports that ask for no row, polls."""
    client.orgvue.refuse(500, on="headers", times=None)
    client.orgvue.refuse(503, on=["poll", "download"], dataset="People", times=None)
    nobodies: list[object] = ["00000000-0000-0000-0000-000000000000", {"$in": []}]
    for nobody in nobodies:
        assert client.export(filter={"_id": nobody}).status_code == 500
    assert client.export().status_code == 200
    assert client.ticket(client.job().json()).status_code == 503


def test_names_that_no_request_has(client: Client) -> None:
    """Trouble for a route that does not exist is a mistake that is told at once."""
    with pytest.raises(ValueError, match="no request is called exprot"):
        client.orgvue.refuse(500, on=["list", "exprot"])
    with pytest.raises(KeyError):
        client.orgvue.refuse(500, dataset="Nobody")


@pytest.mark.parametrize("status", [408, 425])
def test_timeouts_of_the_server(client: Client, status: int) -> None:
    """Statuses that only ask for another try are answered like any other."""
    client.orgvue.refuse(status)
    assert [client.get().status_code for _ in range(2)] == [status, 200]


def test_changing_before_an_answer(client: Client) -> None:
    """A change that is made after a request came is in its answer."""
    people = client.orgvue.dataset("People")
    stamp = client.orgvue.now()
    client.orgvue.meanwhile(lambda: people.update(0, id="new", _modifiedAt=stamp), on="export")
    first = client.get("/export/jsonRows", "People").json()["rows"][0]
    assert (first[1], first[-1]) == ("new", stamp)


def test_changing_after_an_answer(client: Client) -> None:
    """A change that is made after an answer, before it arrives, is in the next one."""
    people = client.orgvue.dataset("People")
    client.orgvue.meanwhile(lambda: people.update(0, id="new"), after=True, on="export")
    assert [client.ids()[0], client.ids()[0]] == ["a", "new"]


def test_the_date(client: Client) -> None:
    """The `Date` header can be ahead of this machine's clock, be no date, or be missing."""

    def told() -> datetime | None:
        text = client.get().headers.get("Date")
        return parsedate_to_datetime(text) if text else None

    true = told()
    client.orgvue.date_header = 7200.0
    ahead = told()
    assert true is not None
    assert ahead is not None
    assert timedelta(hours=1) < ahead - true < timedelta(hours=3)
    assert client.orgvue.now() > ahead.isoformat()[:16] > client.orgvue.now(-7000)
    client.orgvue.date_header = None
    assert told() is None
    client.orgvue.date_header = "yesterday"
    assert client.get().headers["Date"] == "yesterday"


def test_clients_may_go_away(client: Client, capfd: pytest.CaptureFixture[str]) -> None:
    """A client that leaves in the middle of an answer is no error and no noise."""
    client.orgvue.dataset("Empty").body = b"x" * 30_000_000
    url = client.url("/export/jsonRows", "Empty")
    headers = {"Accept-Encoding": "identity"}
    with client.session.get(url, headers=headers, stream=True, timeout=20):
        pass
    while client.orgvue.requests[-1].ended is None:
        time.sleep(0.005)
    assert client.get().status_code == 200
    assert capfd.readouterr().err == ""


def test_mistakes_of_the_simulator_are_reported(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    """A cell that cannot be written breaks the connection and is told on stderr."""
    client.orgvue.dataset("People").update(0, notes={1, 2})
    with pytest.raises(BROKEN):
        client.get("/export/jsonRows", "People")
    assert "not JSON serializable" in capfd.readouterr().err
