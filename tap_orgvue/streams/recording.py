"""Records the outcomes of a run's streams, and logs a line for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.exit_codes import stream_may_pass
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.reporting.error_report import error_report
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.reporting.lines import stream_fields, stream_line
from tap_orgvue.reporting.run_report import Status
from tap_orgvue.singer.errors import error_message
from tap_orgvue.streams.own_stream import OwnStream
from tap_orgvue.streams.reported_stream import ReportedStream

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

    from singer_sdk import Stream

    from tap_orgvue.reporting.run_report import ErrorReport
    from tap_orgvue.streams.absent import SkippedInCatalog
    from tap_orgvue.streams.source import Source


def plan_outcomes(
    source: Source, selected: Iterable[Stream], skipped: Iterable[SkippedInCatalog]
) -> None:
    """Note the streams that the run is to send, and the datasets that discovery skipped.

    Args:
        source: The tenant.
        selected: The selected streams, in their order.
        skipped: The datasets that discovery skipped.
    """
    for stream in selected:
        outcome = source.outcomes.of(stream.name)
        if isinstance(stream, ReportedStream):
            outcome.dataset_id = stream.dataset_id.upper()
            outcome.dataset_name = source.dataset_names.in_catalog(stream.dataset_id)
            outcome.rows_before = source.earlier.state_of(stream.name, stream.dataset_id).row_count
        elif stream.name in source.earlier.states:
            outcome.rows_before = source.earlier.states[stream.name].row_count
    for each in skipped:
        note_absent(source, Status.LEFT_OUT, each.dataset_id, each.name, OrgvueError(each.reason))
    for found in source.discovery.skipped:
        dataset = found.dataset
        note_absent(source, Status.LEFT_OUT, dataset.dataset_id.upper(), dataset.name, found.error)


def note_absent(
    source: Source, status: Status, dataset_id: str, name: str, error: Exception
) -> None:
    """Note a dataset that could not be sent.

    Args:
        source: The tenant.
        status: Missing or left out.
        dataset_id: In upper case; empty if the list's entry has none.
        name: Its stream's name, else its own.
        error: Why it was not sent.
    """
    outcome = source.outcomes.absent(dataset_id or name)
    outcome.stream = source.earlier.stream_owners.get(dataset_id, name)
    outcome.dataset_id = dataset_id or None
    earlier = source.earlier.states.get(outcome.stream)
    if status is Status.LEFT_OUT:
        outcome.dataset_name = name
    elif earlier is not None and outcome.dataset_name is None:
        outcome.dataset_name = earlier.dataset_name
    outcome.rows_before = earlier.row_count if earlier else None
    outcome.status, outcome.error = status, _report_of(error)


def stream_ended(
    source: Source, stream: Stream, error: BaseException | None, logger: logging.Logger
) -> None:
    """Note how a stream ended; one line in the log if it did not fail.

    Args:
        source: The tenant.
        stream: The stream.
        error: What ended it early; None if it is complete.
        logger: The tap's.
    """
    outcome, entry = source.outcomes.of(stream.name), source.journal.stream(stream.name)
    entry.enter(Stage.ENDED)
    if error is not None:
        outcome.status = Status.FAILED
        outcome.error = _report_of(error)
    elif outcome.status is Status.NOT_REACHED:
        outcome.status = Status.SUCCEEDED
    if isinstance(stream, (ReportedStream, OwnStream)):
        stream.complete_outcome()
    if error is None:
        report = outcome.report(source.journal, source.client)
        logger.info("%s", stream_line(report), extra=stream_fields(report))


def _report_of(error: BaseException) -> ErrorReport:
    return error_report(error, error_message(error), retryable=stream_may_pass(error))
