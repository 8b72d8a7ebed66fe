"""Charts say what their numbers say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.pages.charts import (
    HEIGHT,
    SPARK_HEIGHT,
    SPARK_WIDTH,
    Bar,
    BarChart,
    Part,
    Value,
    bar_chart,
    rounded_up,
    sparkline,
)

numbers = st.floats(0, 1e12, allow_nan=False)


def plain(*numbers: float) -> list[Value]:
    """Bars of one part."""
    return [Value([("plain", number)], str(number)) for number in numbers]


@given(st.lists(numbers, min_size=1, max_size=200))
def test_bars_stay_inside_and_keep_their_order(values: list[float]) -> None:
    """A larger number never has a lower bar, and none leaves the chart."""
    chart = bar_chart(plain(*values), str)
    heights = [sum(part.height for part in bar.parts) for bar in chart.bars]
    assert all(0 <= height <= HEIGHT + 0.01 for height in heights)
    assert all(0 <= bar.x < chart.width for bar in chart.bars)
    ranked = [height for _, height in sorted(zip(values, heights, strict=True))]
    assert ranked == sorted(ranked)


def test_a_small_number_is_seen_and_none_is_not() -> None:
    """One row beside a million is a line, no rows are nothing."""
    chart = bar_chart(plain(1_000_000, 1, 0), str)
    assert [bool(bar.parts) for bar in chart.bars] == [True, True, False]


@pytest.mark.parametrize("highest, drawn", [(49_999, False), (50_000, True), (700_000, True)])
def test_the_limit_is_drawn_when_bars_come_near(highest: int, drawn: bool) -> None:  # noqa: FBT001
    """The day's limit would make usual bars invisible; from a tenth of it on it is drawn."""
    chart = bar_chart(plain(highest), str, limit=500_000)
    assert (chart.limit is not None) is drawn
    [bar] = chart.bars
    # Half of the chart at least, unless the limit is drawn.
    assert (bar.parts[0].height >= HEIGHT / 2) is (not drawn or highest > 500_000)
    if chart.limit is not None:
        assert (bar.parts[0].y < chart.limit) is (highest > 500_000)
        assert 0 <= chart.limit <= HEIGHT


@given(numbers)
def test_the_axis_ends_at_a_round_number(value: float) -> None:
    """It holds the highest bar, and is not much higher."""
    top = rounded_up(value)
    assert value <= top
    assert top <= max(2.5 * value, 2)


@given(st.lists(st.none() | st.integers(0, 10**9), max_size=120))
def test_a_line_stays_inside_and_shows_every_value(values: list[int | None]) -> None:
    """Each value is a point of a line, or a dot where its neighbours are unknown."""
    line = sparkline(values)
    points = [point.split() for point in line.path.replace("M", "L").split("L")[1:]]
    places = {(float(x), float(y)) for x, y in points} | set(line.dots)
    assert all(0 <= x <= SPARK_WIDTH and 0 <= y <= SPARK_HEIGHT for x, y in places)
    assert len({x for x, _ in places}) == sum(value is not None for value in values)


def test_a_line_has_gaps() -> None:
    """A run that failed parts the line; it is no fall to zero."""
    assert sparkline([5, 5, None, 5, 5]).path.count("M") == 2


def test_small_changes_look_small() -> None:
    """One row more of three thousand does not fill the height of the line."""
    line = sparkline([3000, 3001])
    heights = [float(point.split()[1]) for point in line.path.replace("M", "L").split("L")[1:]]
    assert abs(heights[0] - heights[1]) < 1


def test_a_known_chart() -> None:
    """Parts stand on one another, the latest bar at the right, below an axis of round numbers."""
    values = [
        Value([("sent", 120.0), ("gone", -5.0), ("late", 30.0)], "both", marked=True),
        Value([("sent", 0.5)], "little"),
    ]
    assert bar_chart(values, str, limit=160, unit=10) == BarChart(
        width=140,
        bars=[
            Bar(120, [Part(40.0, 60.0, "sent"), Part(25.0, 15.0, "late")], "both", marked=True),
            Bar(130, [Part(99.0, 1.0, "sent")], "little"),
        ],
        top="200.0",
        middle="100.0",
        limit=20.0,
    )
    assert bar_chart(plain(*range(20)), str).width == 200
    assert bar_chart(plain(3), str).top == "4.0"
    assert bar_chart(plain(5), str).top == "6.0"


@pytest.mark.parametrize(
    "value,end",
    [(0, 2), (2, 2), (2.5, 4), (5, 6), (7, 8), (9, 10), (10, 10), (11, 20), (81, 100), (300, 400)],
)
def test_ends_of_an_axis(value: float, end: float) -> None:
    """2, 4, 6, 8 or 10 times a power of ten."""
    assert rounded_up(value) == end


def test_a_known_line() -> None:
    """The lowest value is at the bottom, the highest at the top; a value between gaps is a dot."""
    line = sparkline([0, 100, None, 50, None, 25, 75])
    assert line.path == "M3 23L22 3M98 18L117 8"
    assert line.dots == [(60.0, 13.0), (117.0, 8.0)]
    assert sparkline([7]).dots == [(3.0, 13.0)]
    assert sparkline([1000, 1010]).path == "M3 14L117 12"
    assert sparkline([1, 2, None]).dots == []
    assert sparkline([0] * 8).path.startswith("M3 13L19.3 13L35.6 13L")
