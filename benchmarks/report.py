"""What was measured, beside what it should be: one table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEAD = ("what", "ratio", "target", "met", "measured")


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: What was measured.
        value: The figure that counts, mostly a ratio.
        unit: What stands behind it: `x` of a ratio, `s`, `MB`.
        measured: What it was computed from, in words.
        least: What the figure must reach, or None.
        most: What it must not exceed, or None.
        raw: The single measurements, for machines.
    """

    what: str
    value: float
    unit: str
    measured: str
    least: float | None = None
    most: float | None = None
    raw: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.least is not None:
            return self.value >= self.least
        if self.most is not None:
            return self.value <= self.most
        return None

    @property
    def target(self) -> str:
        """The target in words."""
        if self.least is not None:
            return f">= {self.least:g} {self.unit}"
        if self.most is not None:
            return f"<= {self.most:g} {self.unit}"
        return "-"


def table(figures: Iterable[Figure]) -> str:
    """The figures in columns, as Markdown."""
    rows = [_HEAD, *(_cells(figure) for figure in figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cells(figure: Figure) -> tuple[str, ...]:
    met = {True: "yes", False: "NO", None: "-"}[figure.met]
    value = f"{figure.value:.3g} {figure.unit}"
    return figure.what, value, figure.target, met, figure.measured
