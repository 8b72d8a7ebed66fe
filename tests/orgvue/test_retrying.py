"""Retries: which failures, how many, after which wait; and what ends a run at once."""

from __future__ import annotations

import logging
import re
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.deadlines import Deadline
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    DeadlineExceeded,
    MalformedResponse,
    OrgvueError,
    Refusal,
    RequestInfo,
    RequestLimitReached,
    RetryAfterTooLong,
    TruncatedResponse,
)
from tap_orgvue.orgvue.rate_limit import RateLimiter
from tap_orgvue.orgvue.request_log import Purpose, RequestKind, RequestLog
from tap_orgvue.orgvue.retrying import LONGEST_RETRY_AFTER, Retrier, parse_retry_after
from tests.support.datasets import people
from tests.support.mocked_orgvue import FastForward
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Break = Callable[[Orgvue, str], None]

WAITS = re.compile(r".+: retrying in ([\d.]+) s \(attempt (\d+) of (\d+)\): (.*)")

THROTTLE = re.compile(r".+: throttled by Orgvue, waiting ([\d.]+) s")

ID = "00000000-0000-0000-0000-00000000000a"
PEOPLE = Purpose(RequestKind.EXPORT, ID)

GET = RequestInfo("GET", "https://orgvue.test/api/v1/ACME/datasets")


def waits(caplog: pytest.LogCaptureFixture) -> list[tuple[float, int, int, str]]:
    """Each logged wait: seconds, the attempt that follows, the maximum of attempts, the cause."""
    found = [
        WAITS.match(record.getMessage())
        for record in caplog.records
        if record.levelno == logging.INFO
    ]
    return [(float(m[1]), int(m[2]), int(m[3]), m[4]) for m in found if m]


def throttles(caplog: pytest.LogCaptureFixture) -> list[float]:
    """The seconds of each logged wait after a throttle."""
    found = [THROTTLE.fullmatch(record.getMessage()) for record in caplog.records]
    return [float(match[1]) for match in found if match]


@pytest.fixture(autouse=True)
def _log_at_info(caplog: pytest.LogCaptureFixture) -> None:
    """Retries are told at INFO."""
    caplog.set_level(logging.INFO)


# --- the retrier alone


class Retried:
    """An attempt that fails with errors in order, then succeeds.

    Attributes:
        calls: The number of attempts so far.
        time: The waits.
        limiter: Paused by throttles.
        requests: Counts the retries.
    """

    def __init__(self, *errors: Exception, ends_after: int | None = None) -> None:
        """Take the errors."""
        self.errors = list(errors)
        self.calls = 0
        self.time = FastForward(ends_after)
        self.limiter = RateLimiter(clock=self.time.clock)
        self.requests = RequestLog()
        self.requests.names[ID.upper()] = "People"
        self.retrier = self.patient(1000)

    def patient(self, max_wait: float) -> Retrier:
        """A retrier with a longest `Retry-After`."""
        logger = logging.getLogger("retried")
        return Retrier(self.time, self.limiter, self.requests, logger, max_wait=max_wait)

    def attempt(self) -> str:
        """Fail or succeed."""
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    def call(self, tries: int = 3, seconds: float | None = None) -> str:
        """Run the attempts, until a deadline after some seconds."""
        deadline = seconds and Deadline(seconds, "`a_limit`", clock=self.time.clock)
        return self.retrier.call(self.attempt, PEOPLE, tries=tries, deadline=deadline or None)


def refused(status: int, *codes: str, retry_after: str | None = None) -> Refusal:
    """A refusal with these codes."""
    entries = ",".join(f'{{"code": "{code}"}}' for code in codes)
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return refusal_of(GET, status, headers, f'{{"errors": [{entries}]}}'.encode())


def test_no_wait_outlasts_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """All waits are on the event that the end of a run sets; nothing sleeps beside it."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    retried = Retried(refused(503), refused(503))
    assert retried.call() == "done"
    assert len(retried.time.waits) == 2
    assert not any(slept)


RETRIED: dict[int, bool] = {
    **dict.fromkeys((300, 301, 302, 303, 304, 307, 308), False),
    **dict.fromkeys((400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 451, 499), False),
    **dict.fromkeys((408, 425), True),
    **dict.fromkeys((429, 500, 501, 502, 503, 504, 507, 511, 599), True),
}


@pytest.mark.parametrize("status", RETRIED)
def test_statuses(status: int) -> None:
    """Throttles, timeouts and server errors are retried; all other refusals are not."""
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


def test_retry_after_is_the_shortest_wait(caplog: pytest.LogCaptureFixture) -> None:
    """A wait is no shorter than `Retry-After`, and the log says how long it is."""
    retried = Retried(refused(503, retry_after="123.4"))
    retried.call()
    assert retried.time.waits == [123.4]
    [(seconds, *_, cause)] = waits(caplog)
    assert seconds == 123.4
    assert cause.startswith("Orgvue refused GET /api/v1/ACME/datasets with HTTP 503")


@pytest.mark.parametrize("header,told", [("123.4", "123.4"), ("2", "2"), ("999", "999")])
def test_a_throttle_is_reported_briefly(
    caplog: pytest.LogCaptureFixture, header: str, told: str
) -> None:
    """It says whose request waits and how long; Orgvue's own words are for DEBUG."""
    caplog.set_level(logging.DEBUG, logger="retried")
    retried = Retried(refused(429, "42901", retry_after=header))
    retried.call()
    brief, whole = caplog.records
    assert brief.levelno == logging.INFO
    assert brief.getMessage() == f"People: throttled by Orgvue, waiting {told} s"
    assert whole.levelno == logging.DEBUG
    assert "42901" in whole.getMessage()


def test_retries_are_counted() -> None:
    """A failure that ends the run, or that no attempt follows, is no retry."""
    retried = Retried(refused(503), refused(500), refused(500))
    with pytest.raises(Refusal):
        retried.call(3)
    assert retried.requests.totals_of(ID).retries == 2
    ended = Retried(refused(503), ends_after=1)
    with pytest.raises(Refusal):
        ended.call(3)
    assert ended.requests.totals_of(ID).retries == 0


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
    error = refused(503, retry_after="900")
    retried = Retried(error, ends_after=1)
    with pytest.raises(Refusal) as caught:
        retried.call()
    assert caught.value is error
    assert retried.calls == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_longer_wait_than_allowed(status: int) -> None:
    """A `Retry-After` beyond the longest wait ends the retries; the message says when to return."""
    retried = Retried(refused(status, retry_after="1001"))
    with pytest.raises(RetryAfterTooLong) as caught:
        retried.call()
    assert retried.calls == 1
    assert retried.time.waits == []
    message = str(caught.value)
    assert message.startswith(f"Orgvue refused GET /api/v1/ACME/datasets with HTTP {status}")
    assert "longer than `max_retry_wait` (1000 seconds): run again after " in message
    at = datetime.strptime(message[-24:], "%Y-%m-%d %H:%M:%S UTC.").replace(tzinfo=timezone.utc)
    assert 900 < (at - datetime.now(timezone.utc)).total_seconds() <= 1001


def test_the_longest_wait_that_is_allowed() -> None:
    """A `Retry-After` as long as the longest wait is waited for."""
    retried = Retried(refused(429, retry_after="1000"))
    assert retried.call() == "done"
    assert retried.time.waits == [1000]


@pytest.mark.usefixtures("real_waits")
def test_the_longest_wait_bounds_no_wait_of_the_taps_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits without a `Retry-After` are a minute at most, however short the longest wait is."""
    monkeypatch.setattr("random.uniform", max)
    retried = Retried(*[refused(500)] * 9)
    retried.retrier = retried.patient(1)
    assert retried.call(10) == "done"
    assert max(retried.time.waits) == 60


@pytest.mark.parametrize("wait,ends", [("29", False), ("30", True), ("31", True)])
def test_no_wait_beyond_a_deadline(wait: str, ends: object) -> None:
    """A retry that would follow after the deadline is an error at once, without the wait."""
    retried = Retried(refused(503, retry_after=wait))
    if not ends:
        assert retried.call(seconds=30) == "done"
        return
    with pytest.raises(
        DeadlineExceeded, match=rf"in {wait} seconds, beyond the limit of `a_limit`"
    ):
        retried.call(seconds=30)
    assert retried.calls == 1
    assert retried.time.waits == []


@pytest.mark.parametrize(
    "header,seconds",
    [
        *(("1.5", 1.5), ("0", 0), (" 7 ", 7), ("86400", 86400)),
        *((nonsense, 0) for nonsense in (None, "", "soon", "-5", "nan", "0,0", "1 Jan 1")),
        *((past, 0) for past in ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Foo 2015")),
        ("Mon, 1 Jan 99999999999 00:00:00 GMT", 0),
        *((years, LONGEST_RETRY_AFTER) for years in ("inf", "1e300", "31622401")),
        ("Fri, 31 Dec 9999 23:59:59 -0000", LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    """A `Retry-After` is a number of seconds or a date; nonsense and the past are no wait."""
    assert parse_retry_after(header) == seconds


@pytest.mark.parametrize("form", ["GMT", "", "+0000", "-0000"])
def test_retry_after_as_a_date(form: str) -> None:
    """A date is the time until then; without a time zone it is in UTC."""
    at = datetime.now(timezone.utc) + timedelta(seconds=1000)
    assert 900 < parse_retry_after(f"{at:%a, %d %b %Y %H:%M:%S} {form}") <= 1000


def test_retry_after_in_another_time_zone() -> None:
    """The time zone of a date counts."""
    at = datetime.now(timezone.utc) + timedelta(seconds=1000)
    assert 4500 < parse_retry_after(f"{at:%a, %d %b %Y %H:%M:%S} -0100") <= 4600


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
    if kind == "throttled":
        assert len(throttles(caplog)) == 1
        assert waits(caplog) == []
    else:
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
    assert throttles(caplog) == [0.6]
    first, second = orgvue.requests_to("list")
    assert first.ended is not None
    assert second.started - first.ended >= 0.5


@pytest.mark.slow
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
    assert len(throttles(caplog)) == 1


@pytest.mark.slow
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


def test_a_longer_wait_than_allowed_ends_a_run(serve: Callable[..., Orgvue]) -> None:
    """A `Retry-After` beyond `max_retry_wait` ends the run: no other dataset is requested."""
    orgvue = serve(people(2, "A"), people(2, "B"))
    config = {**orgvue.config, "export_mode": "sync", "max_retry_wait": 100}
    catalog = discover(config)
    before = len(orgvue.requests)
    orgvue.refuse(503, on="export", retry_after=101, times=None)
    run = command({**config, "max_parallel_requests": 1}, catalog=catalog)
    assert run.code == 4
    assert "longer than `max_retry_wait` (100 seconds): run again after 20" in run.stderr
    assert not run.records
    assert len(orgvue.requests) - before == 1
