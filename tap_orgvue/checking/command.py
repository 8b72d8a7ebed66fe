"""Runs `--test` and writes its findings: text for people, or one JSON document for programs."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, TextIO

import msgspec

from tap_orgvue.checking.check import Check
from tap_orgvue.checking.console import mistake_lines, report_lines, stage_line
from tap_orgvue.checking.summary import CapturedLog, failed_settings
from tap_orgvue.settings import SettingsError
from tap_orgvue.singer.output import write_stdout, write_text

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable

    from tap_orgvue.checking.plan import CheckedTap
    from tap_orgvue.checking.report import CheckReport, StageReport


def run_check(make_tap: Callable[[], CheckedTap], logger: logging.Logger, *, as_json: bool) -> int:
    """Check a tap, and write the findings to standard output.

    Args:
        make_tap: Reads settings, catalog and state; discovers nothing.
        logger: The tap's.
        as_json: True for one JSON document and nothing else.

    Returns:
        The exit code.

    Raises:
        OutputFailed: Standard output takes no more.
    """
    with CapturedLog(logger) as log:
        try:
            tap = make_tap()
        except SettingsError as error:
            report = failed_settings(error, log)
            if as_json:
                _write_document(report)
            else:
                _write_lines(mistake_lines(report, _encoding(sys.stdout)))
            return report.exit_code
        try:
            report = Check(tap, log, _ignore if as_json else _write_stage).run()
        finally:
            tap.close()
    if as_json:
        _write_document(report)
    else:
        _write_lines(report_lines(report, _encoding(sys.stdout)))
    return report.exit_code


def _write_stage(report: StageReport) -> None:
    write_text(f"{stage_line(report, _encoding(sys.stdout))}\n")


def _ignore(_: StageReport) -> None:
    pass


def _write_lines(lines: Iterable[str]) -> None:
    write_text("".join(f"{line}\n" for line in lines))


def _write_document(report: CheckReport) -> None:
    """Write the report as JSON, in ASCII whatever the console is."""
    document = json.dumps(msgspec.to_builtins(report), indent=2)
    write_stdout(f"{document}\n".encode())


def _encoding(console: TextIO | None) -> str:
    return getattr(console, "encoding", None) or "ascii"
