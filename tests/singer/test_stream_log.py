"""What the SDK logs of a stream: few metrics, each of them true, and no failure."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import metrics

from tests.support.datasets import people
from tests.support.runs import discover, only, sync, sync_and_count
from tests.support.small_tap import letters, run_of, small_tap

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

METRIC = "METRIC: "


def points(log: pytest.LogCaptureFixture, level: int) -> list[dict[str, Any]]:
    """The metrics that were told at a level."""
    told = [(record.levelno, record.getMessage()) for record in log.records]
    return [
        json.loads(text[len(METRIC) :]) for at, text in told if text[:8] == METRIC and at == level
    ]


def names(log: pytest.LogCaptureFixture, level: int) -> list[str]:
    """The names of those metrics."""
    return sorted(point["metric"] for point in points(log, level))


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Metrics of all levels are seen, however the SDK sets its logger."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger=metrics.METRICS_LOGGER_NAME)


@pytest.fixture(autouse=True)
def _no_level_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK sets the level of its metrics from the environment."""
    monkeypatch.setenv("LOGLEVEL", "DEBUG")


def test_the_sdk_tells_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    """The tap tells it, with its cause; the SDK's line without one is for DEBUG."""
    tap = small_tap()
    tap.first.happen = lambda: 1 / 0
    failed, _ = run_of(tap)
    assert list(failed) == ["first"]
    [told] = [r for r in caplog.records if "An unhandled error" in r.getMessage()]
    assert told.levelno == logging.DEBUG


@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"people": {"twice": "salary * 2"}}}])
def test_a_stream_has_two_lines(
    serve: Serve, caplog: pytest.LogCaptureFixture, maps: dict[str, Any]
) -> None:
    """At INFO: its records and its duration, whether rows leave by the block or as records."""
    orgvue = serve(people(7))
    sync({**orgvue.config, **maps})
    assert names(caplog, logging.INFO) == ["record_count", "sync_duration"]
    [count] = [p for p in points(caplog, logging.INFO) if p["metric"] == "record_count"]
    assert count["value"] == 7
    assert {each["tags"]["stream"] for each in points(caplog, logging.INFO)} == {"people"}


def test_a_stream_of_metadata_has_them_too(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """The tap's own streams are measured alike."""
    sync(orgvue.config, only(discover(orgvue.config), "orgvue_properties"))
    assert names(caplog, logging.INFO) == ["record_count", "sync_duration"]


def test_batches_are_counted_at_debug(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Their number is told once."""
    batches = {"encoding": {"format": "jsonl"}, "storage": {"root": tmp_path.as_uri()}}
    sync({**orgvue.config, "batch_config": {**batches, "batch_size": 2}})
    assert names(caplog, logging.INFO) == ["record_count", "sync_duration"]
    [count] = [p for p in points(caplog, logging.DEBUG) if p["metric"] == "batch_count"]
    assert count["value"] == 3


def test_a_duration_has_the_wait_for_orgvue(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Also where the export was asked for before the stream's turn, as all are."""
    orgvue = serve(people(3))
    catalog = discover(orgvue.config)
    orgvue.seconds_of["export"] = 0.5
    sync(orgvue.config, catalog)
    [timer] = [p for p in points(caplog, logging.INFO) if p["metric"] == "sync_duration"]
    assert timer["value"] >= 0.4
    assert timer["tags"]["status"] == "succeeded"


def test_a_duration_has_the_wait_before_the_turn(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Exports are fetched at once: each stream waited for its own, whichever is sent first."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"))
    catalog = discover(orgvue.config)
    orgvue.seconds_of["export"] = 0.5
    sync(orgvue.config, catalog)
    timers = [p["value"] for p in points(caplog, logging.INFO) if p["metric"] == "sync_duration"]
    assert len(timers) == 2
    assert min(timers) >= 0.4


def test_a_clock_that_is_set_changes_no_duration(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Durations are those of the monotonic clock."""
    monkeypatch.setattr(metrics, "time", lambda: 0.0)
    tap = small_tap()
    tap.first.happen = lambda: monkeypatch.setattr(metrics, "time", lambda: 1e9)
    began = time.monotonic()
    run_of(tap)
    longest = time.monotonic() - began
    timers = [p["value"] for p in points(caplog, logging.INFO) if p["metric"] == "sync_duration"]
    assert len(timers) == 2
    assert all(0 <= value <= longest for value in timers)


def test_records_are_one_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream that takes hours has one count with all of its records, not one a minute."""
    now = iter(range(0, 10**6, 1000))
    monkeypatch.setattr(metrics, "time", lambda: float(next(now)))
    tap = small_tap()
    tap.first.pages = [letters(*"abc"), letters(*"de"), letters("f")]
    tap.second.selected = False
    run_of(tap)
    counts = [p["value"] for p in points(caplog, logging.INFO) if p["metric"] == "record_count"]
    assert counts == [6]


def test_requests_are_real_ones(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """At DEBUG, by kind, discovery's, prefetched and repeated ones included; no times of files."""
    orgvue = serve(people(60))
    orgvue.sync_limit_bytes = 3000
    orgvue.job_polls = ("running", "completed")
    orgvue.refuse(503, on="result")
    sync_and_count(orgvue.config)
    told = [p for p in points(caplog, logging.DEBUG) if p["metric"] == "http_request_count"]
    counts = {point["tags"]["endpoint"]: point["value"] for point in told}
    assert counts == {kind: n for kind, n in orgvue.counts().items() if kind != "list"}
    assert counts["download"] == 2
    assert "http_request_duration" not in names(caplog, logging.DEBUG)
