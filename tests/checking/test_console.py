"""A check's report as text, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.checking.console import (
    mistake_lines,
    printable,
    report_lines,
    stage_line,
    table,
    width_of,
)
from tap_orgvue.checking.report import (
    Access,
    AssumptionReport,
    CheckReport,
    DraftPlan,
    DraftsPlan,
    Result,
    StageReport,
    StageStatus,
    StreamPlan,
)

ALL = ("synchronous", "job", "slices")

PLAN = """\
✓ plan: as a run
     stream   dataset        id  readable     delivery          columns  excluded  hashed
  ✓  people   People         D1  yes          job, else slices        2         0       1
  ✓  stored   not listed     D1  yes          items: response         1         0       0
  ✓  same     not listed     D1  yes          none, unchanged                   3
  ⚠  refused  not listed     D2  no
  ✗  broken   not listed     D3  no
  -  slow     not listed     D4  not checked
  -  left     not listed     D5  deselected
  ✓  own      the tap's own      yes          metadata
    people: hashed b
    same: excluded a, b, c
- assumptions: not checked
"""


def stage(name: str, text: str = "", status: StageStatus = StageStatus.PASSED) -> StageReport:
    """A stage of a report."""
    return StageReport(stage=name, status=status, text=text)


def of(*streams: StreamPlan, **members: Any) -> list[str]:
    """The lines of a report; of its plan alone, unless its assumptions are given."""
    status = StageStatus.PASSED if "assumptions" in members else StageStatus.NOT_CHECKED
    stages = [stage("columns"), stage("plan", "as a run"), stage("assumptions", status=status)]
    report = CheckReport(tap_version="1.2.3", stages=stages, streams=streams, **members)
    return list(report_lines(report, "utf-8"))


def test_the_plan_is_one_table() -> None:
    """Each sort of stream has its sign, its words and its numbers; what is unknown is blank."""
    read: dict[str, Any] = {"readable": Access.YES, "dataset_id": "D1"}
    a, b, c = "a", "b", "c"
    lines = of(
        StreamPlan(
            stream="people",
            dataset_name="People",
            deliveries=ALL[1:],
            columns=[a, b],
            hashed=[b],
            **read,
        ),
        StreamPlan(stream="stored", source="items", deliveries=ALL[:1], columns=[a], **read),
        StreamPlan(stream="same", unchanged=True, source="items", excluded=[a, b, c], **read),
        StreamPlan(stream="refused", dataset_id="D2", readable=Access.NO, deliveries=ALL[1:2]),
        StreamPlan(stream="broken", dataset_id="D3", readable=Access.NO, fails=True),
        StreamPlan(stream="slow", dataset_id="D4", source="items"),
        StreamPlan(stream="left", dataset_id="D5", selected=False, deliveries=ALL, fails=True),
        StreamPlan(stream="own", source="metadata", readable=Access.YES, columns=[a]),
    )
    assert lines == PLAN.splitlines()


def test_columns_are_named_below_the_table() -> None:
    """Twenty names of a sort, then the number of the others; names are escaped."""
    names = [f"c{number}" for number in range(1, 22)]
    twenty = ", ".join(names[:20])
    lines = of(
        StreamPlan(stream="a\nb", excluded=names, hashed=names[:20], deselected=["x\x1b", "y"]),
        StreamPlan(stream="left", selected=False, excluded=["z"], deselected=["x"]),
        StreamPlan(stream="plain"),
    )
    assert lines[-3:-1] == [
        rf"    a\nb: excluded {twenty} and 1 more; hashed {twenty}; deselected x\x1b, y",
        "    left: excluded z",
    ]


def test_findings_follow_the_plan() -> None:
    """Drafts, errors, warnings and what was not checked, each with its sign."""
    matched = [
        DraftPlan(draft_id="1", layers=["default", "later"]),
        DraftPlan(draft_id="2", layers=["default"]),
        DraftPlan(draft_id="3", layers=["default"], sent=False),
    ]
    assert of(
        drafts=DraftsPlan(listed=5, matched=matched),
        errors=["e1", "e2"],
        warnings=["w"],
        not_checked=["n"],
    ) == [
        "✓ plan: as a run",
        "    drafts: 5 listed, 3 matched by `drafts`, 2 of them sent in 3 layers, 1 refused",
        *("✗ e1", "✗ e2", "⚠ w", "- not checked: n"),
        "- assumptions: not checked",
    ]


def test_assumptions_are_a_part_to_send() -> None:
    """The version, then each fact with its result and note, aligned; below it what is done here."""
    lines = of(
        assumptions=[
            AssumptionReport(name="a", fact="A fact.", result=Result.HELD),
            AssumptionReport(name="long", fact="B.", result=Result.NOT_CHECKED, note="no time"),
            AssumptionReport(
                name="c", fact="C.", result=Result.DID_NOT_HOLD, note="rows", otherwise="Nothing."
            ),
        ]
    )
    assert lines[1:3] == ["✓ assumptions: not checked", ""]
    assert lines[3].startswith("Facts of Orgvue's API that its guide leaves open. Please send this")
    assert lines[4:] == [
        "tap-orgvue 1.2.3",
        "  held          a     A fact.",
        "  not checked   long  B. (no time)",
        "  did not hold  c     C. (rows)",
        "                      Here: Nothing.",
    ]


def test_mistakes_of_the_settings_are_a_line_each() -> None:
    """Each has the sign and the name of the stage; the other stages and the warnings follow."""
    report = CheckReport(
        tap_version="1",
        stages=[
            stage("settings", "both", StageStatus.FAILED),
            stage("token", status=StageStatus.NOT_CHECKED),
        ],
        errors=["a: x", "b: y"],
        warnings=["w"],
    )
    assert list(mistake_lines(report, "utf-8")) == [
        *("✗ settings: a: x", "✗ settings: b: y", "- token: not checked", "⚠ w"),
    ]
    assert list(mistake_lines(report, "ascii"))[-1] == "WARNING w"


@pytest.mark.parametrize(
    "text,shown",
    [("", "not checked"), ("datasets: none", "none"), ("token: datasets: x", "token: datasets: x")],
)
def test_a_stage_is_a_line(text: str, shown: str) -> None:
    """Its name stands once, and a stage without a text was not checked."""
    assert stage_line(stage("datasets", text), "utf-8") == f"✓ datasets: {shown}"


@pytest.mark.parametrize(
    "line,shown",
    [
        ("✓ a: ✗ é", r"OK a: \u2717 \xe9"),
        ("✗ a", "FAILED a"),
        ("  ⚠  a", "  WARNING  a"),
        ("    people: ✓", r"    people: \u2713"),
        ("✓ a: x", "OK a: x"),
    ],
)
def test_a_console_that_lacks_characters(line: str, shown: str) -> None:
    """The sign of a line becomes a word, every other character an escape."""
    assert printable(line, "ascii") == shown
    assert printable(line, "utf-8") == line


def cell(text: str, encoding: str = "utf-8") -> str:
    """A text as a table's cell."""
    (line,) = table([("", text)], encoding)
    return line.lstrip()


@pytest.mark.parametrize(
    "text,shown",
    [
        ("x" * 40, "x" * 40),
        ("x" * 41, "x" * 37 + "..."),
        ("名" * 20, "名" * 20),
        ("名" * 21, "名" * 18 + "..."),
        ("x" * 37 + "\u0301" + "y" * 4, "x" * 37 + "\u0301..."),
    ],
)
def test_a_long_name_is_cut(text: str, shown: str) -> None:
    """A cell takes forty places of a console at most, with three dots where it is cut."""
    assert cell(text) == shown


def test_cells_of_a_console_that_lacks_characters() -> None:
    """Signs are words there, and escapes count as what they take."""
    assert cell("✓", "ascii") == "OK"
    assert cell("✓ é", "ascii") == r"\u2713 \xe9"
    assert cell("é" * 10, "ascii") == r"\xe9" * 10
    assert cell("é" * 11, "ascii") == (r"\xe9" * 11)[:37] + "..."
    assert cell("a\x1bb") == r"a\x1bb"


@pytest.mark.parametrize(
    "text,places",
    [
        ("abc", 3),
        ("名前", 4),
        ("\uff21", 2),
        ("e\u0301a", 2),
        ("a\u20dd", 1),
        ("a\u200d", 1),
        ("\u0e31", 0),
        ("ｱ", 1),
        ("", 0),
    ],
)
def test_places_of_a_text(text: str, places: int) -> None:
    """A wide character takes two places, one that combines or formats takes none."""
    assert width_of(text) == places
