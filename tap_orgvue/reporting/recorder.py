"""Records a run from its beginning; at its end writes the run report and logs the totals."""

from __future__ import annotations

import platform
import time
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue import __version__
from tap_orgvue.orgvue.request_log import RequestTotals
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.reporting.lines import run_fields, run_line
from tap_orgvue.reporting.report_files import remove_older, report_name, write_report
from tap_orgvue.reporting.report_settings import ReportSettings
from tap_orgvue.reporting.run_report import (
    Change,
    ErrorReport,
    Replication,
    RunReport,
    StreamReport,
)
from tap_orgvue.scrubbing import SCRUBBER

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.reporting.journal import Journal
    from tap_orgvue.reporting.outcomes import Outcomes

_MEMBERS = frozenset(
    name
    for kind in (RunReport, StreamReport, Replication, Change, ErrorReport)
    for name in kind.__struct_fields__
)
"""Names of the report's own members."""


class Ending(msgspec.Struct, frozen=True):
    """The end of a run.

    Attributes:
        exit_code: The exit code of the process.
        reason: The reason, as `RunReport` has it.
        error: The error that ended it; None without one.
    """

    exit_code: int
    reason: str
    error: ErrorReport | None = None


class RunRecorder:
    """Records one run.

    Attributes:
        settings: The report's settings; set once they are read.
    """

    def __init__(
        self, after_report: Callable[[str, str, logging.Logger], None] | None = None
    ) -> None:
        """Begin the run.

        Args:
            after_report: Called with folder, tenant and logger once a report is written.
        """
        self.settings = ReportSettings()
        self._after_report = after_report
        self._began_at = datetime.now(timezone.utc)
        self._began = time.monotonic()
        self._watched: tuple[Journal, Outcomes, Client] | None = None

    def watch(self, journal: Journal, outcomes: Outcomes, client: Client) -> None:
        """Take the run's journal, outcomes and client, once they exist."""
        self._watched = journal, outcomes, client

    def conclude(self, ending: Ending, logger: logging.Logger) -> None:
        """Write the report, and log the totals as the last line of level INFO.

        Args:
            ending: The end of the run.
            logger: The tap's.
        """
        report, requests = self._report(ending)
        if self.settings.folder is not None:
            self._write(report, logger)
        if self._watched is not None:
            logger.info("%s", run_line(report, requests), extra=run_fields(report, requests))

    def _report(self, ending: Ending) -> tuple[RunReport, int]:
        """The report, and the number of all requests."""
        seconds = time.monotonic() - self._began
        streams: list[StreamReport] = []
        sending, totals = 0.0, RequestTotals()
        if self._watched is not None:
            journal, outcomes, client = self._watched
            totals = client.requests.totals()
            streams = outcomes.reports(journal, client)
            sending = sum(each.seconds_in(Stage.SENDING) for each in journal.streams)
        report = RunReport(
            tenant=self.settings.tenant,
            tenant_id=self.settings.tenant_id,
            tap_version=__version__,
            sdk_version=version("singer-sdk"),
            python_version=platform.python_version(),
            began_at=_instant(self._began_at),
            ended_at=_instant(datetime.now(timezone.utc)),
            seconds=round(seconds, 3),
            waiting_seconds=round(max(0.0, seconds - sending), 3),
            exit_code=ending.exit_code,
            reason=ending.reason,
            error=ending.error,
            rows=sum(each.rows for each in streams),
            rescued=sum(sum(each.rescued.values()) for each in streams),
            requests=dict(totals.by_kind),
            retries=totals.retries,
            throttles=totals.throttles,
            bytes_received=totals.bytes_received,
            streams=streams,
        )
        return report, totals.count

    def _write(self, report: RunReport, logger: logging.Logger) -> None:
        """Write the report; a report that cannot be written fails no run."""
        settings = self.settings
        try:
            plain = _cleaned(msgspec.to_builtins(report))
            content = msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n"
            name = report_name(self._began_at, settings.tenant_id)
            path = write_report(Path(settings.folder or ""), name, content)
        except (OSError, ValueError) as error:
            # A path with a NUL character is a ValueError.
            logger.error(  # noqa: TRY400 - a line for a user, not a traceback
                "run_report: the report of this run cannot be written to %r: %s.",
                settings.folder,
                _reason(error),
            )
            return
        try:
            remove_older(
                path, tenant=settings.tenant, tenant_id=settings.tenant_id, keep=settings.keep
            )
        except OSError as error:
            logger.error(  # noqa: TRY400 - as above
                "run_report: older reports in %r cannot be removed: %s.",
                settings.folder,
                _reason(error),
            )
        if self._after_report is not None:
            self._after_report(settings.folder or "", settings.tenant, logger)


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _cleaned(value: Any) -> Any:
    """A JSON value without secrets and control characters in any text, column names included."""
    if isinstance(value, str):
        return SCRUBBER.lines(value)
    if isinstance(value, dict):
        return {
            name if name in _MEMBERS else SCRUBBER.lines(name): _cleaned(member)
            for name, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_cleaned(member) for member in value]
    return value
