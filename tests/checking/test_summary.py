"""What a check's findings come to: errors, warnings, the last two stages and the exit code."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tap_orgvue import __version__
from tap_orgvue.checking.assumptions import ASSUMPTIONS, NOT_REACHED, Evidence
from tap_orgvue.checking.report import (
    Access,
    CheckReport,
    DraftsPlan,
    StageReport,
    StageStatus,
    StreamPlan,
)
from tap_orgvue.checking.summary import CapturedLog, compose, exit_code, failed_settings
from tap_orgvue.orgvue.errors import DeadlineExceeded, FileHostUnreachable, OrgvueError
from tap_orgvue.settings import SettingsError
from tap_orgvue.singer.errors import BatchFileFailed

PASSED, FAILED, NOT_CHECKED = StageStatus
READ = StreamPlan(stream="read", readable=Access.YES)
LATE = StreamPlan(stream="late")
REFUSED = StreamPlan(stream="refused", readable=Access.NO)
LEFT = StreamPlan(stream="left", selected=False)


def composed(*streams: StreamPlan, **findings: Any) -> CheckReport:
    """The report of a check with some findings."""
    nothing: dict[str, Any] = {"stages": [], "drafts": None, "ended": None, "failed": []}
    nothing |= {"warnings": [], "not_checked": [], "assumptions": Evidence().report()}
    return compose(tenant_id="ACME", streams=streams, **{**nothing, **findings})


def stage(report: CheckReport, name: str) -> tuple[StageStatus, str]:
    """Status and text of one stage."""
    (found,) = [each for each in report.stages if each.stage == name]
    return found.status, found.text


@pytest.mark.parametrize(
    "streams,failed,status,text",
    [
        ((READ, REFUSED, LEFT), (), PASSED, "1 of 2 selected streams can be read"),
        ((READ, LATE), (), PASSED, "1 of 2 selected streams can be read, 1 were not checked"),
        ((LATE,), (), NOT_CHECKED, "0 of 1 selected streams can be read, 1 were not checked"),
        ((REFUSED,), ("a",), FAILED, "0 of 1 selected streams can be read; 1 error"),
        ((READ,), ("a", "b"), FAILED, "1 of 1 selected streams can be read; 2 errors"),
        (
            (LATE,),
            ("a",),
            FAILED,
            "0 of 1 selected streams can be read, 1 were not checked; 1 error",
        ),
        ((), ("a",), FAILED, "1 error"),
        ((), (), NOT_CHECKED, ""),
        ((LEFT,), (), NOT_CHECKED, "0 of 0 selected streams can be read"),
    ],
)
def test_the_plan_as_a_stage(
    streams: tuple[StreamPlan, ...], failed: tuple[str, ...], status: StageStatus, text: str
) -> None:
    """It counts the selected streams, those without time, and the errors."""
    report = composed(*streams, failed=[OrgvueError(each) for each in failed])
    assert stage(report, "plan") == (status, text)


def test_the_assumptions_as_a_stage() -> None:
    """It counts what was found; where nothing was, it was not reached."""
    evidence = Evidence()
    assert stage(composed(assumptions=evidence.report()), "assumptions") == (NOT_CHECKED, "")
    evidence.failed("items", "x")
    rest = len(ASSUMPTIONS) - 1
    text = f"0 held, 1 did not hold, {rest} were not checked"
    assert stage(composed(assumptions=evidence.report()), "assumptions") == (PASSED, text)
    evidence.held("projection")
    text = f"1 held, 1 did not hold, {rest - 1} were not checked"
    assert stage(composed(assumptions=evidence.report()), "assumptions") == (PASSED, text)
    evidence = Evidence()
    evidence.held("items")
    assert stage(composed(assumptions=evidence.report()), "assumptions")[0] is PASSED


def test_the_parts_of_a_report() -> None:
    """Stages come first, each error, warning and gap is told once, without control characters."""
    first = StageReport(stage="token", status=PASSED, text="valid")
    lost = StageReport(stage="columns", status=FAILED, text="in a stage")
    reason = "Bearer abcdefghij \x1b"
    report = composed(
        StreamPlan(stream="a", reason=reason),
        StreamPlan(stream="b", reason=None),
        stages=[first, lost],
        drafts=DraftsPlan(listed=2),
        ended=SettingsError(["m1", "m2\n"]),
        failed=[OrgvueError("in a stage"), OrgvueError("twice"), OrgvueError("twice"), KeyError(1)],
        warnings=["valid", "w", "w\x07"],
        not_checked=["n", "n"],
    )
    assert (report.tenant_id, report.tap_version, report.version) == ("ACME", __version__, 1)
    assert [each.stage for each in report.stages] == ["token", "columns", "plan", "assumptions"]
    assert report.errors == ["m1", r"m2\n", "twice", "KeyError: 1"]
    assert report.warnings == ["valid", "w", r"w\x07"]
    assert report.not_checked == ["n"]
    assert [each.reason for each in report.streams] == [r"Bearer *** \x1b", None]
    assert report.drafts == DraftsPlan(listed=2)
    assert report.exit_code == 3


@pytest.mark.parametrize(
    "ended,failed,code",
    [
        (None, (), 0),
        (DeadlineExceeded("x"), (BatchFileFailed("x"),), 4),
        (None, (DeadlineExceeded("x"),), 5),
        (None, (BatchFileFailed("x"),), 6),
        (FileHostUnreachable("x"), (), 4),
    ],
)
def test_the_exit_code_is_the_run_s(
    ended: Exception | None, failed: tuple[Exception, ...], code: int
) -> None:
    """An error that ends the run decides, else those of its streams."""
    assert exit_code(ended, failed) == composed(ended=ended, failed=failed).exit_code == code


def test_only_warnings_are_taken_from_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Errors are in the plan and are dropped; all else is logged, and everything afterwards."""
    logger = logging.getLogger("a tap's")
    with caplog.at_level(logging.DEBUG), CapturedLog(logger) as log:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logger.log(level, "%s", logging.getLevelName(level))
    assert caplog.messages == ["DEBUG", "INFO"]
    assert log.warnings == ["WARNING"]
    logger.warning("later")
    assert log.warnings == ["WARNING"]
    assert caplog.messages[2:] == ["later"]


def test_settings_that_describe_no_run() -> None:
    """The first stage has all mistakes, no other one was checked, and nothing was found."""
    log = CapturedLog(logging.getLogger("a tap's"))
    log.warnings += ["w", "w"]
    report = failed_settings(SettingsError(["a: x", "b: y", "a: x"]), log)
    assert [(each.stage, each.status) for each in report.stages] == [
        ("settings", FAILED),
        *(
            (name, NOT_CHECKED)
            for name in ("TLS and proxy", "token", "tenant", "datasets", "columns")
        ),
        *((name, NOT_CHECKED) for name in ("finished exports", "plan", "assumptions")),
    ]
    assert report.stages[0].text == "a: x b: y a: x"
    assert (report.errors, report.warnings) == (["a: x", "b: y"], ["w"])
    assert (report.exit_code, report.tenant_id) == (3, None)
    assert report.assumptions == Evidence().report()


# -- the findings on assumptions


def finding(evidence: Evidence, name: str) -> tuple[str, str, bool]:
    """Result, note, and whether it is told what the tap does instead."""
    (found,) = [each for each in evidence.report() if each.name == name]
    return found.result.value, found.note, bool(found.otherwise)


def test_a_later_finding_counts_if_it_says_more() -> None:
    """What did not hold once does not hold; what held is not unknown; else the first note stays."""
    evidence = Evidence()
    evidence.unknown("items", "u1")
    evidence.unknown("items", "u2")
    assert finding(evidence, "items") == ("not_checked", "u1", False)
    evidence.decide("items", held=True, note="h1", otherwise="no")
    evidence.held("items", "h2")
    evidence.unknown("items", "u3")
    assert finding(evidence, "items") == ("held", "h1", False)
    evidence.decide("items", held=False, note="h3", otherwise="f1")
    evidence.failed("items", "f2")
    evidence.held("items", "h4")
    assert finding(evidence, "items") == ("did_not_hold", "f1", True)


def test_without_a_finding_it_is_reported_why() -> None:
    """Some facts are looked at with a setting only, some never; the others were not reached."""
    notes = {each.name: each.note for each in Evidence().report()}
    assert list(notes) == [each.name for each in ASSUMPTIONS]
    assert notes["items"] == "`include_calculations` is true"
    assert notes["too-large-status"] == "it would take a large export"
    assert notes["projection"] == NOT_REACHED
