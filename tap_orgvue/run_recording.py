"""A run and its recorder: which settings the report depends on, and how the run is concluded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tap_orgvue.exit_codes import exit_code_of, may_pass, reason_of
from tap_orgvue.reporting.error_report import error_report
from tap_orgvue.reporting.recorder import UNKNOWN, Ending, ReportSettings
from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.settings.environment import read_environment
from tap_orgvue.settings.readers import (
    Mistake,
    read_api_url,
    read_run_report,
    read_tenant_id,
)
from tap_orgvue.settings.regions import REGIONS
from tap_orgvue.singer.errors import error_message
from tap_orgvue.streams.state import tenant_key

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from tap_orgvue.reporting.recorder import RunRecorder
    from tap_orgvue.settings import Settings
    from tap_orgvue.singer.isolating_tap import Terminated


def report_settings(settings: Settings) -> ReportSettings:
    """What the report of a run depends on."""
    return ReportSettings(
        folder=settings.run_report,
        keep=settings.run_report_keep,
        tenant=tenant_key(settings.api_url, settings.tenant_id),
        tenant_id=settings.tenant_id,
    )


def given_report_settings(
    config: Mapping[str, Any] | None, schema: Mapping[str, Any], *, parse_env: bool
) -> ReportSettings:
    """The same from settings that may be refused, as far as they can be read.

    Args:
        config: The settings as given.
        schema: The JSON Schema of all settings.
        parse_env: True if environment variables count.
    """
    given = dict(config or {})
    if parse_env:
        given |= read_environment(os.environ, schema)[0]
    folder, keep = given.get("run_report"), given.get("run_report_keep")
    tenant = tenant_id = UNKNOWN
    try:
        tenant = tenant_id = read_tenant_id(given["tenant_id"])
        tenant = tenant_key(
            read_api_url(given.get("api_url") or REGIONS[given["region"]]), tenant_id
        )
    except (AttributeError, KeyError, Mistake, TypeError):
        # What is missing or wrong is told by the settings' own check.
        pass
    return ReportSettings(
        folder=_folder(folder),
        # True is an `int`: it would remove all other reports.
        keep=keep if type(keep) is int and keep > 0 else ReportSettings().keep,
        tenant=tenant,
        tenant_id=tenant_id,
    )


def _folder(given: object) -> str | None:
    try:
        return read_run_report(given) if isinstance(given, str) else None
    except Mistake:
        return None


def conclude(recorder: RunRecorder, error: BaseException, logger: logging.Logger) -> None:
    """Tell of a run, and write its report, before the cause of its end is told.

    Args:
        recorder: The run's.
        error: What ends the process; `SystemExit` if nothing failed.
        logger: The tap's.
    """
    try:
        recorder.conclude(ending_of(error), logger, clean)
    except Exception as unexpected:
        logger.debug("The report of the run failed.", exc_info=True)
        logger.error(  # noqa: TRY400 - a line for a user, not a traceback
            "run_report: the report of this run cannot be made: %s.", error_message(unexpected)
        )


def ending_of(error: BaseException) -> Ending:
    """The exit code of the process and its reason, by what ends it."""
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        return Ending(code, reason_of(code))
    code = exit_code_of(error)
    report = error_report(error, error_message(error), retryable=may_pass(code))
    return Ending(code, reason_of(code), report)


def tell_signal(terminated: Terminated, logger: logging.Logger) -> None:
    """Tell which signal ended the run."""
    logger.warning("%s What was sent is complete up to its last STATE.", terminated)


def clean(text: str) -> str:
    """A text without secrets and control characters; its line feeds stay."""
    return "\n".join(map(SCRUBBER.line, text.split("\n")))
