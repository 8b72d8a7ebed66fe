"""Requests are counted by kind, and how many of them were under way at once is known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

from tap_orgvue.simulator.ledger import most_at_once
from tap_orgvue.simulator.messages import Request

if TYPE_CHECKING:
    from tests.simulator.conftest import Client


def test_counting_by_kind(client: Client) -> None:
    """Each kind has its name, and counting can begin anywhere."""
    client.get()
    client.get("", "People")
    client.export(filter={"_id": {"$in": []}})
    client.export()
    client.get("/items", "People")
    client.get("/nowhere/at/all", "People")
    since = len(client.orgvue.requests)
    client.outcome()
    assert client.orgvue.counts() == {
        "list": 1,
        "metadata": 1,
        "headers": 1,
        "export": 1,
        "items": 1,
        "unknown": 1,
        "job": 1,
        "poll": 3,
        "download": 1,
    }
    assert client.orgvue.counts(since) == {"job": 1, "poll": 3, "download": 1}
    assert [each.method for each in client.orgvue.requests_of("export", "headers")] == ["POST"] * 2
    assert client.orgvue.requests_of("list", since=since) == []


def test_at_once_by_kind(client: Client) -> None:
    """The most at once is known for some kinds, and for all, files included."""
    both = Barrier(2)
    client.orgvue.meanwhile(lambda: both.wait(20), on=["poll", "metadata"], times=2)
    ticket = client.job().json()
    client.get()
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda ask: ask(), [lambda: client.ticket(ticket), lambda: client.get("", "People")]
            )
        )
    assert client.orgvue.most_at_once_of("poll", "metadata") == 2
    assert client.orgvue.most_at_once_of("poll") == client.orgvue.most_at_once_of("list") == 1
    assert client.orgvue.most_at_once_of() == 2
    assert client.orgvue.most_at_once == 1


def test_at_once() -> None:
    """One that ends where another begins is not at once with it; one without an end goes on."""

    def request(started: float, ended: float | None) -> Request:
        return Request("api", "list", "GET", "/", {}, [], started=started, ended=ended)

    assert most_at_once([]) == 0
    assert most_at_once([request(0, 1), request(1, 2), request(2, 3)]) == 1
    assert most_at_once([request(0, None), request(1, 2), request(3, 4), request(3, 5)]) == 3
