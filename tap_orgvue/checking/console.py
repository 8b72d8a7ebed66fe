"""A check as text: a line for each stage, the plan as a table, the assumptions as a list."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tap_orgvue.checking.report import Access, Result, StageStatus
from tap_orgvue.checking.summary import ASSUMPTIONS_STAGE, PLAN_STAGE
from tap_orgvue.scrubbing import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_orgvue.checking.report import CheckReport, DraftsPlan, StageReport, StreamPlan

PASSED, FAILED, WARNING, UNKNOWN = "✓", "✗", "⚠", "-"

_PLAIN = {PASSED: "OK", FAILED: "FAILED", WARNING: "WARNING"}
"""Sign to its word, for consoles that lack the sign."""

_STAGE_SIGNS = {
    StageStatus.PASSED: PASSED,
    StageStatus.FAILED: FAILED,
    StageStatus.NOT_CHECKED: UNKNOWN,
}
_ACCESS_SIGNS = {Access.YES: PASSED, Access.NO: WARNING, Access.NOT_CHECKED: UNKNOWN}
_ACCESS_WORDS = {Access.YES: "yes", Access.NO: "no", Access.NOT_CHECKED: "not checked"}
_RESULT_WORDS = {
    Result.HELD: "held",
    Result.DID_NOT_HOLD: "did not hold",
    Result.NOT_CHECKED: "not checked",
}
_DELIVERY_WORDS = {"synchronous": "response", "job": "job", "slices": "slices"}

_OWN_SOURCES = {"metadata", "drafts"}

_LONGEST_NAME = 40
_NAMES_SHOWN = 20

_HEADING = (
    *("", "stream", "dataset", "id", "readable", "delivery"),
    *("columns", "excluded", "hashed"),
)
_NUMBERS = frozenset({6, 7, 8})
"""The table's columns of numbers, which are aligned to the right."""

_SEND = (
    "Facts of Orgvue's API that its guide leaves open. Please send this part to the tap's "
    "maintainers: it names no dataset, property, id, host or value."
)


def stage_line(report: StageReport, encoding: str) -> str:
    """A stage in one line; what begins with its name, as a setting's mistake, has it once."""
    text = report.text.removeprefix(f"{report.stage}: ") or "not checked"
    return printable(f"{_STAGE_SIGNS[report.status]} {report.stage}: {text}", encoding)


def printable(line: str, encoding: str) -> str:
    """A line in the characters of a console's encoding."""
    try:
        line.encode(encoding)
    except UnicodeEncodeError:
        for sign, word in _PLAIN.items():
            line = line.replace(sign, word) if line.startswith((sign, f"  {sign}")) else line
        line = line.encode(encoding, "backslashreplace").decode(encoding)
    return line


def mistake_lines(report: CheckReport, encoding: str) -> Iterator[str]:
    """The stages of a check that ended at the settings: a line for each mistake.

    Args:
        report: The whole report.
        encoding: The console's.
    """
    settings, *rest = report.stages
    for mistake in report.errors:
        yield stage_line(replace(settings, text=mistake), encoding)
    for stage in rest:
        yield stage_line(stage, encoding)
    for warning in report.warnings:
        yield printable(f"{WARNING} {warning}", encoding)


def report_lines(report: CheckReport, encoding: str) -> Iterator[str]:
    """The lines after the first stages: the plan and the assumptions.

    Args:
        report: The whole report.
        encoding: The console's.
    """
    stages = {stage.stage: stage for stage in report.stages}
    yield stage_line(stages[PLAN_STAGE], encoding)
    yield from table([_HEADING, *map(_row, report.streams)], encoding) if report.streams else ()
    for stream in report.streams:
        if notes := list(_notes(stream)):
            yield printable(f"    {escaped(stream.stream)}: {'; '.join(notes)}", encoding)
    if report.drafts is not None:
        yield f"    drafts: {_drafts(report.drafts)}"
    for sign, lines in (
        (FAILED, report.errors),
        (WARNING, report.warnings),
        (UNKNOWN, [f"not checked: {line}" for line in report.not_checked]),
    ):
        for line in lines:
            yield printable(f"{sign} {line}", encoding)
    yield stage_line(stages[ASSUMPTIONS_STAGE], encoding)
    if stages[ASSUMPTIONS_STAGE].status is not StageStatus.NOT_CHECKED:
        yield from _assumptions(report)


def _row(stream: StreamPlan) -> Sequence[str]:
    own = stream.dataset_id is None
    sign, readable = _ACCESS_SIGNS[stream.readable], _ACCESS_WORDS[stream.readable]
    if not stream.selected:
        sign, readable = UNKNOWN, "deselected"
    elif stream.fails:
        sign = FAILED
    known = bool(stream.columns) and not own
    return (
        sign,
        stream.stream,
        "the tap's own" if own else stream.dataset_name or "not listed",
        stream.dataset_id or "",
        readable,
        _delivery(stream),
        str(len(stream.columns)) if known else "",
        str(len(stream.excluded)) if known or stream.excluded else "",
        str(len(stream.hashed)) if known else "",
    )


def _delivery(stream: StreamPlan) -> str:
    if not stream.selected or stream.readable is Access.NO:
        return ""
    if stream.unchanged:
        return "none, unchanged"
    if stream.source in _OWN_SOURCES:
        return stream.source
    words = [_DELIVERY_WORDS[each] for each in stream.deliveries]
    prefix = "items: " if words and stream.source == "items" else ""
    return prefix + ", else ".join(words)


def _notes(stream: StreamPlan) -> Iterator[str]:
    for word, names in (
        ("excluded", stream.excluded),
        ("hashed", stream.hashed),
        ("deselected", stream.deselected if stream.selected else ()),
    ):
        if names:
            more = len(names) - _NAMES_SHOWN
            shown = ", ".join(map(escaped, names[:_NAMES_SHOWN]))
            yield f"{word} {shown}" + (f" and {more} more" if more > 0 else "")


def _drafts(plan: DraftsPlan) -> str:
    """`3 listed, 2 matched by `drafts`, 1 of them sent in 2 layers, 1 refused`."""
    sent = [draft for draft in plan.matched if draft.sent]
    layers = sum(len(draft.layers) for draft in sent)
    refused = len(plan.matched) - len(sent)
    return (
        f"{plan.listed} listed, {len(plan.matched)} matched by `drafts`, {len(sent)} of them sent "
        f"in {layers} layers, {refused} refused"
    )


def _assumptions(report: CheckReport) -> Iterator[str]:
    """The part to send; it is ASCII."""
    yield ""
    yield _SEND
    yield f"tap-orgvue {report.tap_version}"
    width = max(len(each.name) for each in report.assumptions)
    for each in report.assumptions:
        note = f" ({each.note})" if each.note else ""
        yield f"  {_RESULT_WORDS[each.result]:<12}  {each.name:<{width}}  {each.fact}{note}"
        if each.otherwise:
            yield f"  {'':<12}  {'':<{width}}  Here: {each.otherwise}"


# -- the table


def table(rows: Sequence[Sequence[str]], encoding: str) -> Iterator[str]:
    """Rows in aligned columns; the first row is the heading."""
    shown = [[_cell(text, encoding) for text in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        cells = [
            _padded(text, width, right=at in _NUMBERS)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield f"  {'  '.join(cells)}".rstrip()


def _cell(text: str, encoding: str) -> str:
    """A text without control characters, cut to the width of the longest name."""
    safe = escaped(text)
    if safe in _PLAIN:
        return printable(safe, encoding)
    safe = safe.encode(encoding, "backslashreplace").decode(encoding)
    if width_of(safe) <= _LONGEST_NAME:
        return safe
    kept, width = "", 0
    for char in safe:
        width += width_of(char)
        if width > _LONGEST_NAME - 3:
            break
        kept += char
    return f"{kept}..."


def _padded(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def width_of(text: str) -> int:
    """The places that a text takes on a console: two for wide characters, none for combining."""
    return sum(
        0
        if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}
        else 1 + (unicodedata.east_asian_width(char) in {"W", "F"})
        for char in text
    )
