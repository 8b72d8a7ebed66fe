"""The tenant's limits: requests a second, at once, in all; and the measures of both."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Client


@pytest.mark.slow
def test_requests_a_second(client: Client) -> None:
    """What is over the limit is 42901; a second later requests are answered again."""
    client.orgvue.rate_limit = 3
    client.orgvue.retry_after = 1
    answers = [client.get() for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert client.error(answers[-1]) == (429, "42901")
    assert answers[-1].headers["Retry-After"] == "1"
    assert client.orgvue.most_in_a_second == 5
    time.sleep(1.05)
    assert client.get().status_code == 200
    assert client.orgvue.most_in_a_second == 5


def test_requests_at_once(client: Client) -> None:
    """What is over the limit of concurrent requests is 42901, without a hint unless told to."""
    client.orgvue.concurrency_limit = 2
    client.orgvue.seconds = 0.5
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.get(), range(4)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [client.error(answer) for answer in refused] == [(429, "42901")] * 2
    assert "Retry-After" not in refused[0].headers
    # A refusal is over at once, so the two refused need not have been there together.
    assert client.orgvue.most_at_once in {3, 4}


def test_requests_one_after_another_are_not_at_once(client: Client) -> None:
    """A client that waits for each answer is never seen with two requests."""
    for _ in range(30):
        client.get("/export/jsonRows", "People")
    assert client.orgvue.most_at_once == 1


def test_the_daily_quota(client: Client) -> None:
    """When it is used up, every request is 42902; what was refused did not count."""
    client.orgvue.daily_quota = 2
    answers = [client.get() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert client.error(answers[-1]) == (429, "42902")
    client.orgvue.daily_quota = 3
    assert client.get().status_code == 200


def test_the_file_store_has_no_limits(client: Client) -> None:
    """Requests to presigned URLs are not measured and never throttled."""
    client.orgvue.rate_limit = 1
    ticket = client.completed()
    assert [client.result(ticket).status_code for _ in range(5)] == [200] * 5
    assert client.orgvue.most_in_a_second == 1


def test_server_time(client: Client) -> None:
    """Requests take the time they were given, by route where that is said."""
    client.orgvue.seconds_of = {"ticket": 0.2}
    client.orgvue.seconds = 0.2
    ticket = client.job().json()
    client.ticket(ticket)
    assert all((each.ended or 0) - each.started >= 0.2 for each in client.orgvue.requests)
    client.orgvue.seconds = 3600
    client.orgvue.seconds_of = {"list": 0.0}
    assert client.get().status_code == 200
    assert client.ticket(ticket).status_code == 200


def test_trickling(client: Client) -> None:
    """Bodies come complete at the pace they were given."""
    whole = client.get("/export/jsonRows", "People").content
    client.orgvue.trickle = 2000
    assert client.get("/export/jsonRows", "People").content == whole
    request = client.orgvue.requests[-1]
    assert (request.ended or 0) - request.started >= 0.1
