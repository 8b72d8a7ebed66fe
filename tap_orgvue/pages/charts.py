"""The geometry of charts: bars over runs or days, and sparklines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SLOT = 10
"""Width of a bar and the space beside it, in the chart's own units."""
HEIGHT = 100
"""Height of a chart in its own units; the page scales it."""

SPARK_WIDTH, SPARK_HEIGHT = 120, 26
_SPARK_EDGE = 3
_LEAST_SLOTS = 14
_LEAST_HEIGHT = 1.0
_FLATTEST = 0.1
"""The least range of a sparkline, as a share of its highest value: small changes look small."""


class Part(msgspec.Struct, frozen=True):
    """A part of a bar.

    Attributes:
        y: Its upper edge.
        height: Its height.
        style: Its CSS class.
    """

    y: float
    height: float
    style: str


class Bar(msgspec.Struct, frozen=True):
    """A run or a day.

    Attributes:
        x: Its left edge.
        parts: From the bottom to the top.
        title: Its text, for the pointer and for screen readers.
        marked: True if a stream failed in it.
    """

    x: float
    parts: Sequence[Part]
    title: str
    marked: bool = False


class BarChart(msgspec.Struct, frozen=True):
    """Bars in the order of time.

    Attributes:
        width: In the chart's own units.
        bars: The latest last.
        top: The value at its top, in words.
        middle: The value at half its height, in words.
        limit: The y of the line that marks a limit, or None.
    """

    width: float
    bars: Sequence[Bar]
    top: str
    middle: str
    limit: float | None = None


class Value(msgspec.Struct, frozen=True):
    """The value of a bar.

    Attributes:
        parts: Style to value, from the bottom to the top.
        title: The bar's text.
        marked: True if a stream failed.
    """

    parts: Sequence[tuple[str, float]]
    title: str
    marked: bool = False

    @property
    def total(self) -> float:
        """The bar's value."""
        return sum(max(value, 0.0) for _, value in self.parts)


def bar_chart(
    values: Sequence[Value],
    write: Callable[[float], str],
    *,
    limit: float | None = None,
    unit: float = 1,
) -> BarChart:
    """Draw bars.

    Args:
        values: The latest last.
        write: Formats a value of the axis.
        limit: A value to mark by a line, if a bar reaches a tenth of it.
        unit: The axis ends at a round number of this unit.
    """
    highest = max((value.total for value in values), default=0.0)
    near = limit is not None and highest * 10 >= limit
    top = unit * rounded_up((max(highest, limit or 0.0) if near else highest) / unit)
    slots = max(len(values), _LEAST_SLOTS)
    bars = []
    for i, value in enumerate(values, slots - len(values)):
        y, parts = float(HEIGHT), []
        for style, part in value.parts:
            height = HEIGHT * max(part, 0.0) / top
            if height:
                height = max(height, _LEAST_HEIGHT)
                y -= height
                parts.append(Part(round(y, 2), round(height, 2), style))
        bars.append(Bar(SLOT * i, parts, value.title, value.marked))
    return BarChart(
        width=SLOT * slots,
        bars=bars,
        top=write(top),
        middle=write(top / 2),
        limit=round(HEIGHT * (1 - limit / top), 2) if near and limit is not None else None,
    )


def rounded_up(value: float) -> float:
    """Round up to 2, 4, 6, 8 or 10 times a power of ten, so that its half is whole.

    Args:
        value: 0 or more.
    """
    power = 1.0
    while power * 10 < value:
        power *= 10
    return next((step * power for step in (2, 4, 6, 8) if value <= step * power), 10 * power)


class Sparkline(msgspec.Struct, frozen=True):
    """A line over runs, with gaps where there is no value.

    Attributes:
        path: The `d` of an SVG path; empty without two adjacent values.
        dots: Points without an adjacent value, and the last point.
    """

    path: str
    dots: Sequence[tuple[float, float]]


def sparkline(values: Sequence[float | None]) -> Sparkline:
    """Draw a sparkline.

    Args:
        values: A value for each run, None for a gap; the latest last.
    """
    known = [value for value in values if value is not None]
    if not known:
        return Sparkline("", ())
    low, high = min(known), max(known)
    span = max(high - low, high * _FLATTEST, 1.0)
    low -= (span - (high - low)) / 2
    step = (SPARK_WIDTH - 2 * _SPARK_EDGE) / max(len(values) - 1, 1)
    path: list[str] = []
    dots: list[tuple[float, float]] = []
    pen_down = False
    for i, value in enumerate(values):
        if value is None:
            pen_down = False
            continue
        x = round(_SPARK_EDGE + i * step, 1)
        y = round(
            SPARK_HEIGHT - _SPARK_EDGE - (value - low) / span * (SPARK_HEIGHT - 2 * _SPARK_EDGE), 1
        )
        follows = i + 1 < len(values) and values[i + 1] is not None
        path.append(f"{'L' if pen_down else 'M'}{x:g} {y:g}" if pen_down or follows else "")
        if not follows and (not pen_down or i + 1 == len(values)):
            dots.append((x, y))
        pen_down = True
    return Sparkline("".join(path), dots)
