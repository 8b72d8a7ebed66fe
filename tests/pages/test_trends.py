"""Streams and requests over many runs."""

from __future__ import annotations

from datetime import timedelta

from tap_orgvue.pages.last_run import REASONS
from tap_orgvue.pages.trends import trends_of
from tap_orgvue.reporting.run_report import Status
from tests.support.run_reports import LATEST, failed, report, stream


def test_a_stream_over_its_runs() -> None:
    """Its rows in each run that knows them, and in how many it was told of and failed."""
    told = trends_of(
        [
            report([stream("b", 5, rescued={"x": 2, "y": 1})], began=LATEST - timedelta(days=2)),
            report([failed("b"), stream("A", 7)], began=LATEST - timedelta(days=1)),
            report([stream("b", 9, rescued={"x": 1}), stream("A", 0, status=Status.MISSING)]),
            report([stream("b", 0, status=Status.UNCHANGED, rows_before=4)]),
        ]
    )
    first, second = told.streams
    assert (first.stream, first.rows) == ("A", [None, 7, None, None])
    assert (first.first, first.last, first.least, first.most) == (7, 7, 7, 7)
    assert (first.runs, first.failed, first.rescued) == (2, 1, 0)
    assert (second.stream, second.rows) == ("b", [5, None, 9, 4])
    assert (second.first, second.last, second.least, second.most) == (5, 4, 4, 9)
    assert (second.runs, second.failed, second.rescued) == (4, 1, 4)
    assert (told.first_day, told.last_day) == ("28 Sep 2026", "30 Sep 2026")
    assert len(told.requests.bars) == 3, "two runs are of one day"


def test_a_failed_run_says_so_in_its_bars() -> None:
    """The text of its bar ends with the outcome, as the page words it; that of another does not."""
    told = trends_of(
        [
            report([stream("a", 5)], began=LATEST - timedelta(days=1)),
            report([failed("a")], exit_code=5, reason="streams_failed"),
        ]
    )
    good, bad = told.rows.bars
    assert good.title.endswith(": 5 rows")
    assert bad.title.endswith(f": 0 rows ({REASONS['streams_failed'][0]})")
