"""What is asked again, how often and after how long; and what ends it at once."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.errors import OrgvueError, Refusal, RequestLimitReached
from tap_orgvue.orgvue.retrying import LONGEST_RETRY_AFTER, parse_retry_after
from tests.support.datasets import people
from tests.support.runs import discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Break = Callable[[Orgvue, str], None]

WAITS = re.compile(r"Retrying in ([\d.]+) seconds \(attempt (\d+) of (\d+)\): (.*)")


def waits(caplog: pytest.LogCaptureFixture) -> list[tuple[float, int, int, str]]:
    """Each logged wait: seconds, which try follows, of how many, and why."""
    found = [
        WAITS.match(record.getMessage())
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]
    return [(float(m[1]), int(m[2]), int(m[3]), m[4]) for m in found if m]


PASSING: dict[str, Break] = {
    "throttled": lambda orgvue, on: orgvue.refuse("42901", on=on),
    "429 without a code": lambda orgvue, on: orgvue.refuse(429, on=on),
    "500": lambda orgvue, on: orgvue.refuse(500, on=on),
    "503": lambda orgvue, on: orgvue.refuse(503, on=on),
    "closed before the answer": lambda orgvue, on: orgvue.hang_up(on=on),
    "reset": lambda orgvue, on: orgvue.hang_up(on=on, reset=True),
    "closed in the middle": lambda orgvue, on: orgvue.hang_up(on=on, after=-20),
    "a Content-Length too large": lambda orgvue, on: orgvue.lie_about_length(on=on, by=9),
    "a Content-Length too small": lambda orgvue, on: orgvue.lie_about_length(on=on, by=-60),
    "a page of HTML": lambda orgvue, on: orgvue.answer(on=on, body=b"<html>Sign in</html>"),
    "half a document": lambda orgvue, on: orgvue.answer(on=on, body=b'{"headers": [{"k'),
    "nothing": lambda orgvue, on: orgvue.answer(on=on, body=b""),
}


@pytest.mark.parametrize("on", ["list", "export"])
@pytest.mark.parametrize("kind", PASSING)
def test_what_may_pass_is_asked_again(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, kind: str, on: str
) -> None:
    """Throttles, server errors, broken connections and cut answers cost a retry, and no row."""
    config = {**orgvue.config, "export_mode": "sync", "max_retries": 2}
    catalog = discover(config) if on == "export" else None
    before = len(orgvue.requests_to(on))
    PASSING[kind](orgvue, on)
    run = sync(config, catalog)
    assert len(run.records["people"]) == 5
    assert len(orgvue.requests_to(on)) > before + 1
    [(seconds, following, tries, why)] = waits(caplog)
    assert 0 <= seconds <= 0.5
    assert (following, tries) == (2, 3)
    assert why


@pytest.mark.parametrize("code", ["40302", "400603", "42902", "405601", "413601"])
def test_what_will_not_pass_is_not(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """A used-up quota and every other 4xx are asked once; no wait is logged."""
    orgvue.refuse(code, times=None, on="list")
    with pytest.raises(Refusal):
        discover(orgvue.config)
    assert len(orgvue.requests) == 1
    assert waits(caplog) == []


def test_a_quota_keeps_the_state(orgvue: Orgvue) -> None:
    """A used-up quota ends the run, and nothing is asked after it."""
    catalog = discover(orgvue.config)
    asked = len(orgvue.requests)
    orgvue.refuse("42902", times=None)
    with pytest.raises(Refusal, match="Run again tomorrow"):
        sync(orgvue.config, catalog, state={"bookmarks": {"people": {"x": 1}}})
    assert len(orgvue.requests) == asked + 1


@pytest.mark.parametrize("retries", [0, 2])
def test_as_often_as_max_retries_says(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, retries: int
) -> None:
    """A request is made once and then `max_retries` times; the last refusal is told."""
    orgvue.refuse(500, times=None)
    with pytest.raises(Refusal, match="HTTP 500"):
        discover({**orgvue.config, "max_retries": retries})
    assert len(orgvue.requests) == retries + 1
    assert len(waits(caplog)) == retries


def test_waits_grow_and_are_spread(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """The bound of a wait doubles, and the wait is anywhere below it."""
    orgvue.refuse(500, times=3)
    discover({**orgvue.config, "max_retries": 3})
    told = [seconds for seconds, *_ in waits(caplog)]
    assert len(told) == 3
    assert all(seconds <= bound for seconds, bound in zip(told, (0.5, 1, 2), strict=True))


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after(orgvue: Orgvue, caplog: pytest.LogCaptureFixture, form: str) -> None:
    """`Retry-After` is the least that is waited, in seconds or as a date."""
    at = datetime.now(timezone.utc) + timedelta(seconds=2.5)
    header = "1.2" if form == "seconds" else format_datetime(at, usegmt=True)
    orgvue.refuse("42901", on="list", retry_after=header)
    discover(orgvue.config)
    [(seconds, *_)] = waits(caplog)
    assert (1.2 if form == "seconds" else 0.9) <= seconds <= 2.5
    first, second = orgvue.requests_to("list")
    assert first.ended is not None
    assert second.started - first.ended >= seconds - 0.1


@pytest.mark.parametrize(
    "header",
    [
        *("", "soon", "-5", "nan", "Wed, 99 Foo 2015", "1 Jan 1", "0,0"),
        *("Wed, 21 Oct 2015 07:28:00 GMT", "Mon, 1 Jan 99999999999 00:00:00 GMT"),
    ],
)
def test_a_retry_after_that_says_nothing(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, header: str
) -> None:
    """A `Retry-After` that is past, or none at all, is passed over."""
    orgvue.refuse("42901", on="list", retry_after=header)
    discover(orgvue.config)
    [(seconds, *_)] = waits(caplog)
    assert seconds <= 0.5


@pytest.mark.parametrize("header", ["inf", "1e300", "Fri, 31 Dec 9999 23:59:59 -0000"])
def test_a_retry_after_beyond_reason(header: str) -> None:
    """A `Retry-After` of years is waited for an hour at most."""
    assert parse_retry_after(header) == LONGEST_RETRY_AFTER


def test_a_throttle_slows_all_workers(
    serve: Callable[..., Orgvue], caplog: pytest.LogCaptureFixture
) -> None:
    """While one worker waits for a throttle, no other asks the API anything."""
    orgvue = serve(*(people(2, f"D{i}") for i in range(12)))
    orgvue.seconds = 0.05
    orgvue.refuse("42901", on="export", retry_after=1.5)
    discover({**orgvue.config, "max_parallel_requests": 4})
    throttled = next(r for r in orgvue.requests if r.status == 429)
    assert throttled.ended is not None
    # What was on its way already, a moment after the refusal, is not called back.
    quiet = (throttled.ended + 0.3, throttled.ended + 1.4)
    assert not [r for r in orgvue.requests if quiet[0] < r.started < quiet[1]]
    assert len([r for r in orgvue.requests if r.started >= quiet[1]]) >= 4
    assert len(waits(caplog)) == 1


def test_a_slow_answer_is_asked_again(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """An answer that does not come within `request_timeout` is asked for again."""
    orgvue.pause(on="list", seconds=1.6)
    discover({**orgvue.config, "request_timeout": 1})
    [(*_, why)] = waits(caplog)
    assert "`request_timeout`" in why


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_users_own_brake(orgvue: Orgvue, most: int) -> None:
    """`max_requests_per_run` ends the run with an error, after exactly so many requests."""
    orgvue.refuse(500, times=None, on="list")
    with pytest.raises(RequestLimitReached, match="`max_requests_per_run`"):
        discover({**orgvue.config, "max_requests_per_run": most})
    assert len(orgvue.requests) == most


def test_no_brake_by_default(orgvue: Orgvue) -> None:
    """A run within its allowance ends well."""
    run = sync({**orgvue.config, "max_requests_per_run": 9})
    assert len(run.records["people"]) == 5


def test_a_wait_tells_no_secret(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """The reason of a wait for the file host has neither its query string nor a token."""
    orgvue.hang_up(on="result")
    run = sync({**orgvue.config, "export_mode": "async"})
    assert len(run.records["people"]) == 5
    assert waits(caplog)
    assert "X-Amz-" not in caplog.text
    assert orgvue.token not in caplog.text


def test_a_host_of_files_is_asked_again(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """Once it has answered, a host of files is asked as often as the API before a job is lost."""
    orgvue.job_polls = ("completed",)
    orgvue.hang_up(on="result", times=2)
    orgvue.refuse(503, on="result", times=1)
    run = sync({**orgvue.config, "export_mode": "async"})
    assert len(run.records["people"]) == 5
    assert len(orgvue.requests_to("job")) == 1
    assert len(orgvue.requests_to("result")) == 4
    assert [(following, tries) for _, following, tries, _ in waits(caplog)] == [
        (2, 7),
        (3, 7),
        (4, 7),
    ]


def test_a_redirect_is_an_error(orgvue: Orgvue) -> None:
    """Redirects are not followed, and not asked again."""
    orgvue.answer(on="list", status=302, headers={"Location": orgvue.files_url}, times=None)
    with pytest.raises(OrgvueError, match="HTTP 302"):
        discover(orgvue.config)
    assert len(orgvue.requests) == 1
