"""Composes the report of a check from its findings: errors, warnings, stages, exit code."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace
from typing_extensions import Self, override

from tap_orgvue import __version__
from tap_orgvue.checking.assumptions import Evidence
from tap_orgvue.checking.report import Access, CheckReport, Result, StageReport, StageStatus
from tap_orgvue.exit_codes import exit_code_of, exit_code_of_streams
from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.settings import SettingsError
from tap_orgvue.singer.errors import error_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_orgvue.checking.report import AssumptionReport, DraftsPlan, StreamPlan

STAGES = ("settings", "TLS and proxy", "token", "tenant", "datasets", "columns")
JOB_STAGE, PLAN_STAGE, ASSUMPTIONS_STAGE = "finished exports", "plan", "assumptions"


def exit_code(ended: BaseException | None, failed: Sequence[BaseException]) -> int:
    """The exit code of a run that ends like this, and of its check.

    Args:
        ended: The error that ends the run, or None.
        failed: The errors of its streams.
    """
    return exit_code_of_streams(failed) if ended is None else exit_code_of(ended)


class CapturedLog(logging.Filter):
    """Takes a logger's warnings for the check's report instead of the log.

    Its errors are dropped: each is about a dataset that is in the plan.

    Attributes:
        warnings: The messages, in their order.
    """

    def __init__(self, logger: logging.Logger) -> None:
        """Take nothing until the `with` block begins."""
        super().__init__()
        self.warnings: list[str] = []
        self._logger = logger

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Take a record."""
        if record.levelno == logging.WARNING:
            self.warnings.append(record.getMessage())
        return record.levelno < logging.WARNING

    def __enter__(self) -> Self:
        """Begin to take warnings."""
        self._logger.addFilter(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop taking warnings."""
        self._logger.removeFilter(self)


def compose(  # noqa: PLR0913 - the findings of a check
    *,
    tenant_id: str,
    stages: Sequence[StageReport],
    streams: Sequence[StreamPlan],
    drafts: DraftsPlan | None,
    ended: Exception | None,
    failed: Sequence[Exception],
    warnings: Sequence[str],
    not_checked: Sequence[str],
    assumptions: Sequence[AssumptionReport],
) -> CheckReport:
    """The report of a check.

    Args:
        tenant_id: The tenant.
        stages: The stages so far.
        streams: The plan.
        drafts: The plan's drafts.
        ended: The error that would end the run, or ended the check; or None.
        failed: The errors of streams.
        warnings: The run's warnings.
        not_checked: A text for each step without time.
        assumptions: The findings on all assumptions.
    """
    in_stages = {stage.text for stage in stages if stage.status is StageStatus.FAILED}
    lines = [line for error in (ended, *failed) if error for line in lines_of(error)]
    report = CheckReport(
        tap_version=__version__,
        tenant_id=tenant_id,
        streams=[_scrubbed(stream) for stream in streams],
        drafts=drafts,
        errors=[line for line in _lines(lines) if line not in in_stages],
        warnings=_lines(warnings),
        not_checked=_lines(not_checked),
        assumptions=assumptions,
        exit_code=exit_code(ended, failed),
    )
    return replace(report, stages=[*stages, *_summaries(report)])


def lines_of(error: BaseException) -> list[str]:
    """An error's text, a line for each mistake."""
    return error.mistakes if isinstance(error, SettingsError) else [error_message(error)]


def _lines(texts: Iterable[str]) -> list[str]:
    """Texts without secrets, as one line each, and each once."""
    return list(dict.fromkeys(SCRUBBER.line(text) for text in texts))


def _scrubbed(stream: StreamPlan) -> StreamPlan:
    return replace(stream, reason=stream.reason and SCRUBBER.line(stream.reason))


def _summaries(report: CheckReport) -> Iterator[StageReport]:
    """The last two stages: the plan and the assumptions as a whole."""
    selected = [stream for stream in report.streams if stream.selected]
    sent = sum(stream.readable is Access.YES for stream in selected)
    late = sum(stream.readable is Access.NOT_CHECKED for stream in selected)
    text = f"{sent} of {len(selected)} selected streams can be read" if report.streams else ""
    if late:
        text += f", {late} were not checked"
    if report.errors:
        mistakes = "1 error" if len(report.errors) == 1 else f"{len(report.errors)} errors"
        text += f"{'; ' if text else ''}{mistakes}"
    status = StageStatus.FAILED if report.errors else StageStatus.PASSED
    if late == len(selected) and not report.errors:
        status = StageStatus.NOT_CHECKED
    yield StageReport(stage=PLAN_STAGE, status=status, text=text)
    counts = [sum(each.result is result for each in report.assumptions) for result in Result]
    held, not_held, unknown = counts
    text = f"{held} held, {not_held} did not hold, {unknown} were not checked"
    reached = held or not_held
    yield StageReport(
        stage=ASSUMPTIONS_STAGE,
        status=StageStatus.PASSED if reached else StageStatus.NOT_CHECKED,
        text=text if reached else "",
    )


def failed_settings(error: SettingsError, log: CapturedLog) -> CheckReport:
    """The report of settings, a catalog or a state that describe no run."""
    text = " ".join(error.mistakes)
    first = StageReport(stage=STAGES[0], status=StageStatus.FAILED, text=SCRUBBER.line(text))
    rest = (*STAGES[1:], JOB_STAGE, PLAN_STAGE, ASSUMPTIONS_STAGE)
    unchecked = [StageReport(stage=name, status=StageStatus.NOT_CHECKED) for name in rest]
    return CheckReport(
        tap_version=__version__,
        stages=[first, *unchecked],
        errors=_lines(error.mistakes),
        warnings=_lines(log.warnings),
        assumptions=Evidence().report(),
        exit_code=exit_code(error, ()),
    )
