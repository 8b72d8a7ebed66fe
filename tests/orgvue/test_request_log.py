"""Requests are counted: each attempt, by kind and dataset, whoever sent it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.errors import Misconfigured, Refusal, Stopped
from tap_orgvue.orgvue.request_log import Purpose, RequestKind, RequestLog, RequestTotals
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.mocked_orgvue import PROBE, TENANT, MockedOrgvue
from tests.support.runs import discover, sync_and_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

LIST = f"{TENANT}/datasets"
A = "00000000-0000-0000-0000-00000000000A"
EXPORT_OF_A = Purpose(RequestKind.EXPORT, A)


# --- the log alone


def test_totals_of_nothing() -> None:
    """Before the first request every count is zero."""
    log = RequestLog()
    assert log.totals() == log.totals_of(A) == log.totals_of(None) == RequestTotals({})
    assert log.totals().count == 0


def test_counts_of_a_dataset() -> None:
    """The run's counts are the sums of those of the datasets and of the tenant."""
    log = RequestLog()
    log.meter(Purpose(RequestKind.LIST)).sent()
    meter = log.meter(EXPORT_OF_A)
    meter.sent()
    meter.received(10)
    meter.throttled()
    meter.retried()
    meter.sent()
    meter.received(90)
    assert log.totals_of(A) == RequestTotals({"export": 2}, 1, 1, 100)
    assert log.totals_of(None) == RequestTotals({"list": 1})
    assert log.totals() == RequestTotals({"list": 1, "export": 2}, 1, 1, 100)
    assert log.totals().count == 3


def test_a_datasets_id_in_any_case() -> None:
    """A catalog may spell an id otherwise than the list does."""
    log = RequestLog()
    log.meter(Purpose(RequestKind.METADATA, A.lower())).sent()
    assert log.totals_of(A).count == log.totals_of(A.lower()).count == 1
    log.names[A] = "people"
    assert log.subject(Purpose(RequestKind.METADATA, A.lower())) == "people"


@pytest.mark.parametrize(
    "purpose,told",
    [
        (Purpose(RequestKind.LIST), "list of datasets"),
        (Purpose(RequestKind.EXPORT, "X"), "dataset X"),
        (PROBE, "probe"),
    ],
)
def test_subjects_without_a_name(purpose: Purpose, told: str) -> None:
    """A dataset whose name is not known yet is told by its id."""
    assert RequestLog().subject(purpose) == told


def test_totals_do_not_change_later() -> None:
    """What was handed out is a picture of its moment."""
    log = RequestLog()
    before = log.totals()
    log.meter(PROBE).sent()
    assert before == RequestTotals({})


def test_threads_count_together() -> None:
    """No count of any thread is lost."""
    log = RequestLog()

    def count() -> None:
        for _ in range(2000):
            log.meter(PROBE).sent()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.totals().count == 8000


# --- requests that were not sent


def test_no_request_after_the_end_is_counted() -> None:
    """A request that the end of the run prevents was not sent: to neither kind of host."""
    orgvue = MockedOrgvue()
    orgvue.client.close()
    with pytest.raises(Stopped), orgvue.client.open(orgvue.client.prepare("GET", LIST), PROBE):
        pass
    file = orgvue.client.files.prepare("GET", "https://files.test/x")
    with pytest.raises(Stopped), orgvue.client.open_file(file, PROBE):
        pass
    assert orgvue.urls == []
    assert orgvue.client.requests.totals().count == 0


def test_no_request_that_cannot_be_sent_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one that an unreadable file of certificates prevents."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    orgvue = MockedOrgvue()
    with pytest.raises(Misconfigured):
        orgvue.client.datasets()
    assert orgvue.client.requests.totals().count == 0


def test_each_attempt_counts() -> None:
    """A request that is retried twice counts three times; only throttles are throttles."""
    orgvue = MockedOrgvue(max_retries=2)
    orgvue.serve("GET", LIST, {"status_code": 429}, {"status_code": 503}, {"status_code": 429})
    with pytest.raises(Refusal):
        orgvue.client.datasets()
    totals = orgvue.client.requests.totals_of(None)
    assert totals == RequestTotals({"list": 3}, retries=2, throttles=2)


# --- a whole run, beside what the simulator counted

RUNS: dict[str, dict[str, object]] = {
    "at once": {},
    "by export job": {"export_mode": "async"},
    "in slices": {"export_mode": "paged"},
    "stored values": {"include_calculations": False},
    "unless unchanged": {"skip_unchanged": True},
}


@pytest.mark.parametrize("settings", RUNS.values(), ids=RUNS.keys())
def test_a_run_counts_what_orgvue_counts(serve: Serve, settings: dict[str, object]) -> None:
    """By kind and by dataset, discovery's and prefetched requests and file hosts included."""
    orgvue = serve(people(200, "Alpha"), people(20, "Beta"))
    orgvue.job_polls = ("running", "completed")
    if settings.get("export_mode") == "paged":
        orgvue.sync_limit_bytes = 20_000
    orgvue.refuse("42901", on="metadata", retry_after=0.01)
    orgvue.refuse(503, on=["export", "job", "items"])
    log = sync_and_count({**orgvue.config, **settings})
    assert log.totals().by_kind == dict(orgvue.counts())
    for name in ("Alpha", "Beta"):
        dataset_id = orgvue.dataset(name).dataset_id
        sent = [r for r in orgvue.requests if (r.dataset_id or "").upper() == dataset_id.upper()]
        assert log.totals_of(dataset_id).count == len(sent)
    refused = [request.status for request in orgvue.requests if request.status in {429, 503}]
    assert log.totals().retries == len(refused)
    assert log.totals().throttles == refused.count(429)


def test_bytes_are_those_of_the_wire(serve: Serve) -> None:
    """An export counts as it was sent, compressed, and with the heads of its responses."""
    orgvue = serve(people(3000))
    tap = TapOrgvue(config=orgvue.config, catalog=discover(orgvue.config))
    prefetched = tap.streams["people"].fetch_first()  # type: ignore[attr-defined]
    size = prefetched.response.raw.seek(0, 2)
    received = tap.source.client.requests.totals().bytes_received
    tap.close()
    prefetched.close()
    assert size < received < size + 2000


@pytest.mark.parametrize("known", ["stream", "dataset"])
def test_a_throttle_is_reported_by_name(
    serve: Serve, caplog: pytest.LogCaptureFixture, known: str
) -> None:
    """A stream is told by its own name; in discovery a dataset has only Orgvue's."""
    caplog.set_level("INFO")
    orgvue = serve(people(3, "Pay Roll"))
    catalog = discover(orgvue.config) if known == "stream" else None
    orgvue.refuse("42901", on="export", retry_after=0.1)
    log = sync_and_count(orgvue.config, catalog)
    name = "pay_roll" if known == "stream" else "Pay Roll"
    told = [r for r in caplog.records if "throttled" in r.getMessage()]
    assert [(r.levelname, r.getMessage().partition(":")[0]) for r in told] == [("INFO", name)]
    assert log.totals_of(orgvue.dataset("Pay Roll").dataset_id).throttles == 1
