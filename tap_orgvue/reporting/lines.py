"""The log records of finished streams and runs: a line for people, and fields for programs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tap_orgvue.reporting.figures import grouped
from tap_orgvue.reporting.run_report import Status

if TYPE_CHECKING:
    from tap_orgvue.reporting.run_report import RunReport, StreamReport

STREAM_FINISHED = "stream_finished"
RUN_FINISHED = "run_finished"

_DELIVERIES = {"job": "by export job", "slices": "in slices"}
"""Deliveries to be mentioned, in words; the usual one is synchronous."""
_NOT_SENT = {
    Status.NOT_REACHED: "not reached",
    Status.MISSING: "missing",
    Status.LEFT_OUT: "left out",
}
_WAITING = "waiting for Orgvue"
_WHOLE_SECONDS = 10
_MINUTES = 120


def stream_line(report: StreamReport) -> str:
    """One line about a stream that succeeded or is unchanged.

    For example `people: 1 200 rows in 4.1 s (3.0 s waiting for Orgvue), 3 values rescued`.
    """
    if report.status is Status.UNCHANGED:
        return f"{report.stream}: unchanged since its last export"
    parts = [f"{counted(report.rows, 'row')} in {_times_of(report)}"]
    if report.delivery in _DELIVERIES:
        parts.append(_DELIVERIES[report.delivery])
    if report.rescued:
        parts.append(f"{counted(sum(report.rescued.values()), 'value')} rescued")
    if report.deletions_withheld:
        parts.append("removal of rows withheld")
    return f"{report.stream}: {', '.join(parts)}"


def stream_fields(report: StreamReport) -> dict[str, Any]:
    """The same for programs: fields of a log record."""
    return {
        # Not `event`: that is Meltano's own name for the message of a record.
        "event_name": STREAM_FINISHED,
        # The SDK's structured format has a place of its own for this name.
        "stream_name": report.stream,
        "status": report.status.value,
        "dataset_id": report.dataset_id,
        "rows": report.rows,
        "rescued": sum(report.rescued.values()),
        "delivery": report.delivery,
        "waiting_seconds": report.waiting_seconds,
        "sending_seconds": report.sending_seconds,
        "deletions": report.deletions,
        "changes": len(report.changes),
    }


def run_line(report: RunReport, requests: int) -> str:
    """One line about a run.

    Args:
        report: The run's report.
        requests: The number of all requests.
    """
    by_status = Counter(each.status for each in report.streams)
    waiting = seconds(report.waiting_seconds)
    parts = [
        counted(_selected(by_status), "stream"),
        f"{counted(report.rows, 'row')} in {seconds(report.seconds)} ({waiting} {_WAITING})",
        counted(requests, "request"),
        counted(report.retries, "retry", "retries"),
        *([counted(report.throttles, "throttle")] if report.throttles else []),
        f"{counted(report.rescued, 'value')} rescued",
        f"{grouped(by_status[Status.UNCHANGED])} unchanged",
        f"{grouped(by_status[Status.FAILED])} failed",
    ]
    parts += [
        f"{grouped(by_status[status])} {word}"
        for status, word in _NOT_SENT.items()
        if by_status[status]
    ]
    return ", ".join(parts)


def run_fields(report: RunReport, requests: int) -> dict[str, Any]:
    """The same for programs: fields of a log record."""
    by_status = Counter(each.status for each in report.streams)
    return {
        "event_name": RUN_FINISHED,
        "streams": _selected(by_status),
        **{status.value: by_status[status] for status in Status},
        "rows": report.rows,
        "rescued": report.rescued,
        "seconds": report.seconds,
        "waiting_seconds": report.waiting_seconds,
        "requests": requests,
        "requests_by_kind": dict(report.requests),
        "retries": report.retries,
        "throttles": report.throttles,
        "bytes_received": report.bytes_received,
        "exit_code": report.exit_code,
        "reason": report.reason,
    }


def _selected(by_status: Counter[Status]) -> int:
    return by_status.total() - by_status[Status.MISSING] - by_status[Status.LEFT_OUT]


def _times_of(report: StreamReport) -> str:
    whole = report.waiting_seconds + report.sending_seconds
    return f"{seconds(whole)} ({seconds(report.waiting_seconds)} {_WAITING})"


def counted(count: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 row`, `7 092 rows`."""
    return f"{grouped(count)} {one if count == 1 else many or f'{one}s'}"


def seconds(duration: float) -> str:
    """A duration: `4.1 s`, `46 s`, `3 min 20 s`, `2 h 5 min`."""
    if duration < _WHOLE_SECONDS - 0.05:
        return f"{duration:.1f} s"
    whole = round(duration)
    if whole < _MINUTES:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < _MINUTES:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{grouped(hours)} h {minutes} min"
