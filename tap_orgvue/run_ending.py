"""The end of a run: its exit code and reason, its totals and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.exit_codes import exit_code_of, may_pass, reason_of
from tap_orgvue.reporting.error_report import error_report
from tap_orgvue.reporting.recorder import Ending
from tap_orgvue.singer.errors import error_message

if TYPE_CHECKING:
    import logging

    from tap_orgvue.reporting.recorder import RunRecorder
    from tap_orgvue.singer.isolating_tap import Terminated


def conclude(recorder: RunRecorder, error: BaseException, logger: logging.Logger) -> None:
    """Log the totals of a run and write its report; the cause of its end is logged after them.

    Args:
        recorder: The run's.
        error: The error that ends the process; `SystemExit` if nothing failed.
        logger: The tap's.
    """
    try:
        recorder.conclude(ending_of(error), logger)
    except Exception as unexpected:
        logger.debug("The report of the run failed.", exc_info=True)
        logger.error(  # noqa: TRY400 - a line for a user, not a traceback
            "run_report: the report of this run cannot be made: %s.", error_message(unexpected)
        )


def ending_of(error: BaseException) -> Ending:
    """The exit code of the process and its reason, by the error that ends it."""
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        return Ending(code, reason_of(code))
    code = exit_code_of(error)
    report = error_report(error, error_message(error), retryable=may_pass(code))
    return Ending(code, reason_of(code), report)


def warn_of_signal(terminated: Terminated, logger: logging.Logger) -> None:
    """Log the signal that ended the run."""
    logger.warning("%s What was sent is complete up to its last STATE.", terminated)
