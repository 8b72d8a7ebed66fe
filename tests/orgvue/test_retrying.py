"""Retries: which failures, how many, after which wait; and what ends a run at once."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    RequestInfo,
    RequestLimitReached,
    TruncatedResponse,
    refusal_of,
)
from tap_orgvue.orgvue.rate_limit import RateLimiter
from tap_orgvue.orgvue.retrying import LONGEST_RETRY_AFTER, Retrier, parse_retry_after
from tests.support.datasets import people
from tests.support.mocked_orgvue import FastForward
from tests.support.runs import discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Break = Callable[[Orgvue, str], None]

WAITS = re.compile(r"Retrying in ([\d.]+) seconds \(attempt (\d+) of (\d+)\): (.*)")

GET = RequestInfo("GET", "https://orgvue.test/api/v1/ACME/datasets")


def waits(caplog: pytest.LogCaptureFixture) -> list[tuple[float, int, int, str]]:
    """Each logged wait: seconds, the attempt that follows, the maximum of attempts, the cause."""
    found = [
        WAITS.match(record.getMessage())
        for record in caplog.records
        if record.levelno == logging.WARNING
    ]
    return [(float(m[1]), int(m[2]), int(m[3]), m[4]) for m in found if m]


# --- the retrier alone


class Retried:
    """An attempt that fails with errors in order, then succeeds.

    Attributes:
        calls: The number of attempts so far.
        time: The waits.
        limiter: Paused by throttles.
    """

    def __init__(self, *errors: Exception, ends_after: int | None = None) -> None:
        """Take the errors."""
        self.errors = list(errors)
        self.calls = 0
        self.time = FastForward(ends_after)
        self.limiter = RateLimiter(clock=self.time.clock)
        self.retrier = Retrier(self.time, self.limiter, logging.getLogger("retried"))

    def attempt(self) -> str:
        """Fail or succeed."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def call(self, tries: int = 3) -> str:
        """Run the attempts."""
        return self.retrier.call(self.attempt, tries=tries)


def refused(status: int, *codes: str, retry_after: str | None = None) -> Refusal:
    """A refusal with these codes."""
    entries = ",".join(f'{{"code": "{code}"}}' for code in codes)
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return refusal_of(GET, status, headers, f'{{"errors": [{entries}]}}'.encode())


RETRIED: dict[int, bool] = {
    **dict.fromkeys((300, 301, 302, 303, 304, 307, 308), False),
    **dict.fromkeys((400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 451, 499), False),
    **dict.fromkeys((429, 500, 501, 502, 503, 504, 507, 511, 599), True),
}


@pytest.mark.parametrize("status", RETRIED)
def test_statuses(status: int) -> None:
    """Throttles and server errors are retried; redirects and all other refusals are not."""
    retried = Retried(refused(status))
    if RETRIED[status]:
        assert retried.call() == "done"
        assert retried.calls == 2
    else:
        with pytest.raises(Refusal):
            retried.call()
        assert retried.calls == 1
        assert retried.time.waits == []


@pytest.mark.parametrize(
    "status,code,again", [(429, "42901", True), (403, "42901", True), (429, "42902", False)]
)
def test_codes_count_more_than_statuses(status: int, code: str, again: object) -> None:
    """A throttle is retried whatever its status; a used-up daily quota is not, although a 429."""
    assert refused(status, code).retryable is again


@pytest.mark.parametrize(
    "error,again",
    [
        (ConnectionFailed("x"), True),
        (ConnectionFailed("x", retryable=False), False),
        (TruncatedResponse("x"), True),
        (MalformedResponse("x"), False),
        (RequestLimitReached("x"), False),
        (ValueError("x"), False),
    ],
)
def test_errors(error: Exception, again: object) -> None:
    """Broken connections and truncated responses are retried; all other errors are not."""
    retried = Retried(error)
    if again:
        assert retried.call() == "done"
    else:
        with pytest.raises(type(error)):
            retried.call()
    assert retried.calls == (2 if again else 1)


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_the_error_of_the_last_attempt_is_raised(
    caplog: pytest.LogCaptureFixture, tries: int
) -> None:
    """After the last attempt its error is raised, without a further wait."""
    errors = [refused(500 + i) for i in range(9)]
    retried = Retried(*errors)
    with pytest.raises(Refusal) as caught:
        retried.call(tries)
    assert caught.value is errors[tries - 1]
    assert retried.calls == tries
    assert len(retried.time.waits) == tries - 1
    assert [wait[1:3] for wait in waits(caplog)] == [(i, tries) for i in range(2, tries + 1)]


@pytest.mark.usefixtures("real_waits")
def test_waits_grow_to_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of a wait doubles from half a second to one minute; the wait is random below it."""
    bounds: list[tuple[float, float]] = []

    def highest(low: float, high: float) -> float:
        bounds.append((low, high))
        return high

    monkeypatch.setattr("random.uniform", highest)
    retried = Retried(*[refused(500)] * 10)
    retried.call(11)
    assert retried.time.waits == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert bounds == [(0, wait) for wait in retried.time.waits]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_the_shortest_wait(caplog: pytest.LogCaptureFixture, status: int) -> None:
    """A wait is no shorter than `Retry-After`, and the log says how long it is."""
    retried = Retried(refused(status, retry_after="123.4"))
    retried.call()
    assert retried.time.waits == [123.4]
    [(seconds, *_, cause)] = waits(caplog)
    assert seconds == 123.4
    assert cause.startswith(f"Orgvue refused GET /api/v1/ACME/datasets with HTTP {status}")


@pytest.mark.usefixtures("real_waits")
def test_a_short_retry_after_shortens_no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the random wait and `Retry-After` the longer counts."""
    monkeypatch.setattr("random.uniform", max)
    retried = Retried(refused(500), refused(500, retry_after="0.1"))
    retried.call()
    assert retried.time.waits == [0.5, 1]


@pytest.mark.parametrize("status,paused", [(429, True), (503, False)])
def test_only_a_throttle_pauses_other_threads(
    monkeypatch: pytest.MonkeyPatch, status: int, paused: object
) -> None:
    """A throttle holds back the requests of all threads; a server error is one request's own."""
    retried = Retried(refused(status, retry_after="7"))
    time = retried.time
    # Another thread asks for its turn while this one waits.
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(time, "wait", lambda _: False)
        retried.call()
    retried.limiter.wait(time)
    assert time.now == (7 if paused else 0)


def test_a_wait_ends_with_the_run() -> None:
    """When the run ends during a wait, no attempt follows, and the last error is raised."""
    error = refused(503, retry_after="3000")
    retried = Retried(error, ends_after=1)
    with pytest.raises(Refusal) as caught:
        retried.call()
    assert caught.value is error
    assert retried.calls == 1


@pytest.mark.parametrize(
    "header,seconds",
    [
        *(("1.5", 1.5), ("0", 0), (" 7 ", 7), ("3599", 3599)),
        *((nonsense, 0) for nonsense in (None, "", "soon", "-5", "nan", "0,0", "1 Jan 1")),
        *((past, 0) for past in ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 2015")),
        ("Mon, 1 Jan 99999999999 00:00:00 GMT", 0),
        *((years, LONGEST_RETRY_AFTER) for years in ("inf", "1e300", "3601")),
        ("Fri, 31 Dec 9999 23:59:59 -0000", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    """A `Retry-After` is a number of seconds or a date; nonsense and the past are no wait."""
    assert parse_retry_after(header) == seconds


@pytest.mark.parametrize("usegmt", [True, False])
def test_retry_after_as_a_date(usegmt: Any) -> None:
    """A date is the time until then, and without a time zone it is UTC."""
    at = datetime.now(timezone.utc) + timedelta(seconds=1000)
    header = format_datetime(at, usegmt=usegmt) if usegmt else f"{at:%a, %d %b %Y %H:%M:%S}"
    assert 900 < parse_retry_after(header) <= 1000


# --- over HTTP


PASSING: dict[str, Break] = {
    "throttled": lambda orgvue, on: orgvue.refuse("42901", on=on),
    "503": lambda orgvue, on: orgvue.refuse(503, on=on),
    "closed before the answer": lambda orgvue, on: orgvue.hang_up(on=on),
    "reset": lambda orgvue, on: orgvue.hang_up(on=on, reset=True),
    "closed in the middle": lambda orgvue, on: orgvue.hang_up(on=on, after=-20),
    "a Content-Length too large": lambda orgvue, on: orgvue.lie_about_length(on=on, by=9),
    "a Content-Length too small": lambda orgvue, on: orgvue.lie_about_length(on=on, by=-60),
    "a page of HTML": lambda orgvue, on: orgvue.answer(on=on, body=b"<html>Sign in</html>"),
    "nothing": lambda orgvue, on: orgvue.answer(on=on, body=b""),
}


@pytest.mark.parametrize("on", ["list", "export"])
@pytest.mark.parametrize("kind", PASSING)
def test_transient_failures_are_retried(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, kind: str, on: str
) -> None:
    """Throttles, server errors, broken connections and truncated responses cost a retry, no row."""
    config = {**orgvue.config, "export_mode": "sync", "max_retries": 2}
    catalog = discover(config) if on == "export" else None
    before = len(orgvue.requests_to(on))
    PASSING[kind](orgvue, on)
    run = sync(config, catalog)
    assert len(run.records["people"]) == 5
    assert len(orgvue.requests_to(on)) > before + 1
    [(_, following, tries, cause)] = waits(caplog)
    assert (following, tries) == (2, 3)
    assert cause


@pytest.mark.parametrize("code", ["40302", "400603", "42902", "405601", "413601"])
def test_permanent_refusals_are_not_retried(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """A used-up quota and every other 4xx are one request; no wait is logged."""
    orgvue.refuse(code, times=None, on="list")
    with pytest.raises(Refusal):
        discover(orgvue.config)
    assert len(orgvue.requests) == 1
    assert waits(caplog) == []


def test_a_quota_ends_the_run(orgvue: Orgvue) -> None:
    """A used-up quota ends the run: no further request is sent."""
    catalog = discover(orgvue.config)
    sent = len(orgvue.requests)
    orgvue.refuse("42902", times=None)
    with pytest.raises(Refusal, match="Run again tomorrow"):
        sync(orgvue.config, catalog, state={"bookmarks": {"people": {"x": 1}}})
    assert len(orgvue.requests) == sent + 1


def test_retry_after_over_http(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """A request is repeated no sooner than `Retry-After` says."""
    orgvue.refuse("42901", on="list", retry_after="0.6")
    discover(orgvue.config)
    [(seconds, *_)] = waits(caplog)
    assert seconds == 0.6
    first, second = orgvue.requests_to("list")
    assert first.ended is not None
    assert second.started - first.ended >= 0.5


def test_a_throttle_pauses_all_threads(
    serve: Callable[..., Orgvue], caplog: pytest.LogCaptureFixture
) -> None:
    """While one thread waits after a throttle, no other sends a request to the API."""
    orgvue = serve(*(people(2, f"D{i}") for i in range(12)))
    orgvue.seconds = 0.2
    orgvue.refuse("42901", on="export", retry_after=1)
    discover({**orgvue.config, "max_parallel_requests": 4})
    throttled = next(r for r in orgvue.requests if r.status == 429)
    assert throttled.ended is not None
    resumed = throttled.started + 1
    # What was on its way already, one request a thread, is not called back.
    assert len([r for r in orgvue.requests if throttled.ended < r.started < resumed]) <= 3
    assert len([r for r in orgvue.requests if r.started >= resumed]) >= 4
    assert len(waits(caplog)) == 1


def test_a_late_response_is_retried(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """A response that does not arrive within `request_timeout` is requested again."""
    orgvue.pause(on="list", seconds=1.6)
    discover({**orgvue.config, "request_timeout": 1})
    [(*_, cause)] = waits(caplog)
    assert "`request_timeout`" in cause


@pytest.mark.parametrize("most", [1, 3])
def test_the_request_limit_ends_a_run(orgvue: Orgvue, most: int) -> None:
    """`max_requests_per_run` ends the run with an error, after exactly so many requests."""
    orgvue.refuse(500, times=None, on="list")
    with pytest.raises(RequestLimitReached, match="`max_requests_per_run`"):
        discover({**orgvue.config, "max_requests_per_run": most})
    assert len(orgvue.requests) == most


def test_a_run_within_its_limit(orgvue: Orgvue) -> None:
    """A run that needs no more requests than its limit succeeds."""
    run = sync({**orgvue.config, "max_requests_per_run": 9})
    assert len(run.records["people"]) == 5


def test_a_wait_shows_no_secret(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """The cause of a retry at the file host has neither its query string nor a token."""
    orgvue.hang_up(on="result")
    orgvue.job_polls = ("completed",)
    run = sync({**orgvue.config, "export_mode": "async"})
    assert len(run.records["people"]) == 5
    assert waits(caplog)
    assert "X-Amz-" not in caplog.text
    assert orgvue.token not in caplog.text


def test_the_file_host_has_retries_too(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """Once it has responded, the file host has as many retries as the API before a job is lost."""
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
    """Redirects are neither followed nor retried."""
    orgvue.answer(on="list", status=302, headers={"Location": orgvue.files_url}, times=None)
    with pytest.raises(OrgvueError, match="HTTP 302"):
        discover(orgvue.config)
    assert len(orgvue.requests) == 1
