"""Runs the check of the tap as a program does, and reads what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_orgvue.checking.check import Check
from tap_orgvue.checking.summary import CapturedLog
from tap_orgvue.tap import TapOrgvue
from tests.support.runs import command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_orgvue.checking.report import CheckReport, StageReport, StreamPlan


def check(
    config: dict[str, Any],
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The document that `--test --format json` writes, and nothing else, to standard output."""
    run = command(config, "--test", "--format=json", catalog=catalog, state=state, env=env)
    report: dict[str, Any] = json.loads(run.stdout)
    assert report["exit_code"] == run.code
    return report


def checked(
    config: Mapping[str, Any],
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    show: Callable[[StageReport], None] = lambda _: None,
) -> CheckReport:
    """The report of a check in this process, which is quicker.

    Args:
        config: The settings.
        catalog: What the tap is given.
        state: What the tap is given.
        show: Called with each stage as it ends, except for the last two.
    """
    with CapturedLog(TapOrgvue.logger) as log:
        tap = TapOrgvue(config=dict(config), catalog=catalog, state=state, setup_mapper=False)
        try:
            return Check(tap, log, show).run()
        finally:
            tap.close()


def row_of(report: CheckReport, stream: str) -> StreamPlan:
    """A stream's row of the plan."""
    (found,) = [row for row in report.streams if row.stream == stream]
    return found


def planned(report: Mapping[str, Any], stream: str) -> dict[str, Any]:
    """A stream's row of the plan."""
    (row,) = [row for row in report["streams"] if row["stream"] == stream]
    return dict(row)


def results(report: Mapping[str, Any]) -> dict[str, str]:
    """What each assumption turned out to be."""
    return {each["name"]: each["result"] for each in report["assumptions"]}
