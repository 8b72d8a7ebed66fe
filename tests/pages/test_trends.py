"""Streams and requests over many runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tap_orgvue.pages.last_run import REASONS
from tap_orgvue.pages.trends import DAILY_REQUESTS, trends_of
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


def test_the_row_of_a_run() -> None:
    """How it ended, streams that failed or are missing, and requests of all kinds."""
    lost = stream("a", 0, status=Status.MISSING)
    runs = [
        report([stream("a"), stream("b")]),
        report([lost, failed("b"), stream("c")], exit_code=5, reason="streams_failed"),
        report([], exit_code=9, reason="strike", requests={"list": 2, "poll": 5}),
    ]
    told = [(row.outcome, row.tone, row.failed, row.requests) for row in trends_of(runs).runs]
    assert told == [
        (REASONS["done"][0], "good", 0, 5),
        (REASONS["streams_failed"][0], "bad", 2, 7),
        ("strike", "bad", 0, 7),
    ]


def test_the_bars_of_a_run() -> None:
    """Rows and rescued values have one part each; waiting stands below the rest of the duration."""
    run = report([], rows=4, rescued=1, seconds=40.0, waiting_seconds=30.0)
    told = trends_of([run])
    bars = [*told.rows.bars, *told.rescued.bars, *told.duration.bars]
    began = "30 Sep 2026, 02:00 UTC: "
    assert [(bar.title, [(part.style, part.height) for part in bar.parts]) for bar in bars] == [
        (f"{began}4 rows", [("plain", 100)]),
        (f"{began}1 rescued value", [("warn", 50)]),
        (f"{began}40 s, 30 s of it waiting", [("waiting", 75), ("plain", 25)]),
    ]
    assert (told.rows.top, told.rows.middle) == ("4", "2")


def test_requests_of_a_day_are_one_bar() -> None:
    """Days are those of UTC, and the busiest one is told; without a run a day has no bar."""
    told = trends_of(
        [
            report([], began=LATEST - timedelta(days=3), requests={"list": 1, "poll": 8}),
            report([], began=LATEST - timedelta(hours=1), requests={"list": 3}),
            report([], requests={"list": 1}),
        ]
    )
    assert [bar.title for bar in told.requests.bars] == [
        "27 Sep 2026: 9 requests",
        "30 Sep 2026: 4 requests",
    ]
    assert (told.busiest_day, told.most_requests) == ("27 Sep 2026", 9)
    assert told.requests.limit is None
    near = trends_of([report([], requests={"poll": DAILY_REQUESTS // 10})])
    assert (near.requests.top, near.requests.limit) == ("600\u202f000", 16.67)


@pytest.mark.parametrize(
    "longest, top",
    [(100, "1 min 40 s"), (150, "4 min"), (5000, "1 h 40 min"), (9000, "4 h"), (90_000, "40 h")],
)
def test_the_axis_of_durations_ends_at_a_round_time(longest: float, top: str) -> None:
    """Of minutes where the longest run took more than two of them, and of hours likewise."""
    told = trends_of([report([], seconds=float(longest)), report([], seconds=9.0)])
    assert told.duration.top == top


@pytest.mark.parametrize("streams, runs, shown", [(0, 3, 3), (2, 3, 3), (3000, 4, 2), (7000, 3, 1)])
def test_a_table_of_every_run_does_not_outgrow_the_page(
    streams: int, runs: int, shown: int
) -> None:
    """The more streams there are, the fewer of the last runs it has, and at least the last."""
    names = [stream(f"s{i}") for i in range(streams)]
    assert trends_of([report(names)] + [report([])] * (runs - 1)).shown_runs == shown


def test_a_stream_whose_rows_are_unknown_is_reported() -> None:
    """It has neither rows nor a line, though its failures are counted."""
    [told] = trends_of([report([failed("a")]), report([failed("a")])]).streams
    assert (told.rows, told.line.path, told.failed, told.runs) == ([None, None], "", 2, 2)
    assert {told.first, told.last, told.least, told.most} == {None}


def test_a_failed_run_says_so_in_its_bars() -> None:
    """The text of its bar ends with the outcome, as the page words it; that of another does not."""
    told = trends_of(
        [
            report([stream("a", 5)], began=LATEST - timedelta(days=1)),
            report([failed("a")], exit_code=5, reason="streams_failed"),
        ]
    )
    good, bad = told.rows.bars
    assert (good.marked, bad.marked) == (False, True)
    assert good.title.endswith(": 5 rows")
    assert bad.title.endswith(f": 0 rows ({REASONS['streams_failed'][0]})")
