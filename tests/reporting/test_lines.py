"""What the log says of finished streams and runs."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.reporting.lines import (
    counted,
    run_fields,
    run_line,
    seconds,
    stream_fields,
    stream_line,
)
from tap_orgvue.reporting.run_report import Change, RunReport, Status, StreamReport


def stream(**more: Any) -> StreamReport:
    """The report of a stream."""
    return StreamReport(**{"stream": "people", "status": Status.SUCCEEDED, **more})


def run(*streams: StreamReport, **more: Any) -> RunReport:
    """The report of a run."""
    plain = {
        "tenant": "ACME",
        "tenant_id": "ACME",
        "tap_version": "1",
        "sdk_version": "1",
        "python_version": "3",
        "began_at": "2026-01-31T02:00:00Z",
        "ended_at": "2026-01-31T02:00:46Z",
        "seconds": 46.2,
        "waiting_seconds": 44.0,
        "exit_code": 0,
        "reason": "done",
    }
    return RunReport(**{**plain, "streams": streams, **more})


@pytest.mark.parametrize(
    "duration,told",
    [
        (0.0, "0.0 s"),
        (4.06, "4.1 s"),
        (9.94, "9.9 s"),
        (9.95, "10 s"),
        (9.96, "10 s"),
        (46.4, "46 s"),
        (119.4, "119 s"),
        (119.6, "2 min 0 s"),
        (3599.0, "59 min 59 s"),
        (7200.0, "2 h 0 min"),
        (93_780.0, "26 h 3 min"),
    ],
)
def test_durations(duration: float, told: str) -> None:
    """Seconds as long as people count in them, then minutes and hours."""
    assert seconds(duration) == told


def test_numbers_and_nouns() -> None:
    """One is no plural; thousands are apart."""
    assert counted(1, "row") == "1 row"
    assert counted(0, "retry", "retries") == "0 retries"
    assert counted(1_234_567, "row") == "1 234 567 rows"


@pytest.mark.parametrize(
    "more,told",
    [
        ({}, "people: 0 rows in 0.0 s (0.0 s waiting for Orgvue)"),
        (
            {
                "rows": 1200,
                "waiting_seconds": 3.0,
                "sending_seconds": 1.1,
                "rescued": {"a": 1, "b": 2},
                "delivery": "synchronous",
            },
            "people: 1 200 rows in 4.1 s (3.0 s waiting for Orgvue), 3 values rescued",
        ),
        (
            {"rows": 1, "delivery": "job", "deletions_withheld": "too few"},
            (
                "people: 1 row in 0.0 s (0.0 s waiting for Orgvue), by export job, "
                "removal of rows withheld"
            ),
        ),
        ({"status": Status.UNCHANGED}, "people: unchanged since its last export"),
    ],
)
def test_a_finished_stream(more: dict[str, Any], told: str) -> None:
    """Rows and seconds; the delivery, rescued values and withheld removals where there are any."""
    assert stream_line(stream(**more)) == told


def test_a_finished_run() -> None:
    """Totals of what was selected; what is not usual is told at the end."""
    line = run_line(
        run(
            *(stream() for _ in range(3)),
            stream(status=Status.UNCHANGED),
            stream(status=Status.FAILED),
            rows=7092,
            rescued=200,
            retries=2,
        ),
        31,
    )
    assert line == (
        "5 streams, 7 092 rows in 46 s (44 s waiting for Orgvue), 31 requests, 2 retries, "
        "200 values rescued, 1 unchanged, 1 failed"
    )
    statuses = (Status.SUCCEEDED, Status.NOT_REACHED, Status.MISSING, Status.LEFT_OUT)
    line = run_line(run(*(stream(status=status) for status in statuses), retries=1), 1)
    assert line.startswith("2 streams, 0 rows")
    assert "1 request, 1 retry, " in line
    assert line.endswith("0 failed, 1 not reached, 1 missing, 1 left out")
    assert "1 retry, 2 throttles, 0 values" in run_line(run(retries=1, throttles=2), 1)


def test_the_fields_of_a_stream() -> None:
    """Programs read from them what the line says, and the rest of what monitors need."""
    report = stream(
        status=Status.FAILED,
        dataset_id="A1",
        rows=7,
        rescued={"a": 1, "b": 2},
        delivery="job",
        waiting_seconds=3.0,
        sending_seconds=1.5,
        deletions="sent",
        changes=[Change(kind="property_added", name="a")],
    )
    assert stream_fields(report) == {
        "event_name": "stream_finished",
        "stream_name": "people",
        "status": "failed",
        "dataset_id": "A1",
        "rows": 7,
        "rescued": 3,
        "delivery": "job",
        "waiting_seconds": 3.0,
        "sending_seconds": 1.5,
        "deletions": "sent",
        "changes": 1,
    }


def test_the_fields_of_a_run() -> None:
    """Its totals, and the number of streams by status; absent ones are not selected."""
    streams = [stream(status=status) for status in (*Status, Status.SUCCEEDED)]
    report = run(
        *streams,
        rows=7,
        rescued=3,
        requests={"list": 1, "export": 5},
        retries=2,
        throttles=1,
        bytes_received=900,
        exit_code=5,
        reason="streams_failed",
    )
    assert run_fields(report, 6) == {
        "event_name": "run_finished",
        "streams": 5,
        "succeeded": 2,
        "unchanged": 1,
        "failed": 1,
        "not_reached": 1,
        "missing": 1,
        "left_out": 1,
        "rows": 7,
        "rescued": 3,
        "seconds": 46.2,
        "waiting_seconds": 44.0,
        "requests": 6,
        "requests_by_kind": {"list": 1, "export": 5},
        "retries": 2,
        "throttles": 1,
        "bytes_received": 900,
        "exit_code": 5,
        "reason": "streams_failed",
    }


def test_fields_are_no_fields_of_the_log_itself() -> None:
    """Python's logging refuses fields that every record has."""
    names = {*stream_fields(stream()), *run_fields(run(), 1)}
    assert not names & {"name", "msg", "args", "message", "asctime", "module", "process", "thread"}
