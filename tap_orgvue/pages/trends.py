"""A tenant's runs over time: rows by stream, durations, requests of a day, rescued values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.pages import formats
from tap_orgvue.pages.charts import BarChart, Sparkline, Value, bar_chart, sparkline
from tap_orgvue.pages.last_run import REASONS, failures, rows_now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_orgvue.reporting.run_report import RunReport

DAILY_REQUESTS = 500_000
"""The requests that Orgvue allows a tenant in a day (API guide, "Limits")."""

_MOST_CELLS = 6000
"""The most cells of the table with the rows of every stream and run."""

_DAY_LENGTH = len("2026-01-31")


class RunRow(msgspec.Struct, frozen=True):
    """A run, as the table of runs shows it.

    Attributes:
        report: The run report.
        outcome: How it ended, in words.
        tone: The CSS class of the outcome.
        failed: Streams that failed or are missing.
        requests: Requests sent.
    """

    report: RunReport
    outcome: str
    tone: str
    failed: int
    requests: int


class StreamTrend(msgspec.Struct, frozen=True):
    """A stream over the runs.

    Attributes:
        stream: Its name.
        rows: Rows in each run, None where it sent none; the latest last.
        line: The same as a line.
        first: Its rows in the first run that knows them, or None.
        last: In the last such run, or None.
        least: The fewest, or None.
        most: The most, or None.
        rescued: Values rescued, over all runs.
        failed: The number of runs in which it failed or was missing.
        runs: The number of runs whose report has it.
    """

    stream: str
    rows: Sequence[int | None]
    line: Sparkline
    first: int | None
    last: int | None
    least: int | None
    most: int | None
    rescued: int
    failed: int
    runs: int


class Trends(msgspec.Struct, frozen=True):
    """All runs of a tenant.

    Attributes:
        runs: The latest last.
        first_day: The day of the first run.
        last_day: That of the last one.
        rows: A bar for each run.
        duration: Likewise: waiting, and the rest.
        requests: A bar for each day with a run.
        busiest_day: The day with most requests.
        most_requests: Their number.
        rescued: A bar for each run.
        streams: By name.
        shown_runs: The last runs whose rows of every stream fit into a table.
    """

    runs: Sequence[RunRow]
    first_day: str
    last_day: str
    rows: BarChart
    duration: BarChart
    requests: BarChart
    busiest_day: str
    most_requests: int
    rescued: BarChart
    streams: Sequence[StreamTrend]
    shown_runs: int


def trends_of(reports: Sequence[RunReport]) -> Trends:
    """Compute the trends of a tenant's runs.

    Args:
        reports: At least one, the latest last.
    """
    runs = [_run_row(report) for report in reports]
    days = _requests_by_day(runs)
    busiest = max(days, key=lambda day: days[day])
    streams = _streams(reports)
    return Trends(
        runs=runs,
        first_day=formats.day(reports[0].began_at),
        last_day=formats.day(reports[-1].began_at),
        rows=bar_chart([_counted(run, "plain", run.report.rows, "row") for run in runs], _whole),
        duration=bar_chart(
            [_duration(run) for run in runs],
            formats.seconds,
            unit=_unit_of_time(max(report.seconds for report in reports)),
        ),
        requests=bar_chart(
            [_day(day, sent) for day, sent in days.items()], _whole, limit=DAILY_REQUESTS
        ),
        busiest_day=formats.day(busiest),
        most_requests=days[busiest],
        rescued=bar_chart(
            [_counted(run, "warn", run.report.rescued, "rescued value") for run in runs], _whole
        ),
        streams=streams,
        shown_runs=min(len(runs), max(_MOST_CELLS // max(len(streams), 1), 1)),
    )


def _run_row(report: RunReport) -> RunRow:
    return RunRow(
        report=report,
        outcome=REASONS.get(report.reason, (report.reason, ""))[0],
        tone="bad" if report.exit_code else "good",
        failed=len(failures(report)),
        requests=sum(report.requests.values()),
    )


def _requests_by_day(runs: Iterable[RunRow]) -> dict[str, int]:
    """UTC day to the requests of its runs; Orgvue's own day is not documented."""
    days: dict[str, int] = {}
    for run in runs:
        day = run.report.began_at[:_DAY_LENGTH]
        days[day] = days.get(day, 0) + run.requests
    return days


def _counted(run: RunRow, style: str, number: int, noun: str) -> Value:
    return _value(run, [(style, number)], formats.counted(number, noun))


def _duration(run: RunRow) -> Value:
    total = max(run.report.seconds, 0.0)
    waiting = min(max(run.report.waiting_seconds, 0.0), total)
    words = f"{formats.seconds(total)}, {formats.seconds(waiting)} of it waiting"
    return _value(run, [("waiting", waiting), ("plain", total - waiting)], words)


def _unit_of_time(seconds: float) -> float:
    """Seconds of the unit that an axis up to so many seconds has."""
    for unit in (3600.0, 60.0):
        if seconds > 2 * unit:
            return unit
    return 1.0


def _value(run: RunRow, parts: Sequence[tuple[str, float]], words: str) -> Value:
    failed = bool(run.report.exit_code)
    outcome = f" ({run.outcome})" if failed else ""
    return Value(parts, f"{formats.instant(run.report.began_at)}: {words}{outcome}", marked=failed)


def _day(day: str, sent: int) -> Value:
    return Value([("plain", sent)], f"{formats.day(day)}: {formats.counted(sent, 'request')}")


def _whole(value: float) -> str:
    return formats.count(round(value))


def _streams(reports: Sequence[RunReport]) -> list[StreamTrend]:
    rows: dict[str, list[int | None]] = {}
    rescued: dict[str, int] = {}
    failed: dict[str, int] = {}
    runs: dict[str, int] = {}
    for i, report in enumerate(reports):
        unsuccessful = {each.stream for each in failures(report)}
        for each in report.streams:
            name = each.stream
            rows.setdefault(name, [None] * len(reports))[i] = rows_now(each)
            rescued[name] = rescued.get(name, 0) + sum(each.rescued.values())
            failed[name] = failed.get(name, 0) + (name in unsuccessful)
            runs[name] = runs.get(name, 0) + 1
    return [
        _trend(name, rows[name], rescued=rescued[name], failed=failed[name], runs=runs[name])
        for name in sorted(rows, key=str.casefold)
    ]


def _trend(
    stream: str, rows: Sequence[int | None], *, rescued: int, failed: int, runs: int
) -> StreamTrend:
    known = [each for each in rows if each is not None]
    return StreamTrend(
        stream=stream,
        rows=rows,
        line=sparkline(rows),
        first=known[0] if known else None,
        last=known[-1] if known else None,
        least=min(known, default=None),
        most=max(known, default=None),
        rescued=rescued,
        failed=failed,
        runs=runs,
    )
