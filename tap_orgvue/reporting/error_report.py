"""An error as the run report has it: the kind of its cause, codes, status, trace id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import OrgvueError, Refusal
from tap_orgvue.reporting.run_report import ErrorReport

if TYPE_CHECKING:
    from collections.abc import Iterator


_ROW_ID = re.compile(r"\(row (?!\d+ of)[^)]*\)")
"""A row in a message, named by its `_id`, which is a cell value."""


def error_report(error: BaseException, message: str) -> ErrorReport:
    """Describe an error.

    Args:
        error: The error; codes, status and trace id may come from one of its explicit causes.
        message: Its message in the log; ids of rows are removed.
    """
    causes = list(_causes(error))
    refusal = next((each for each in causes if isinstance(each, Refusal)), None)
    # A stream's error wraps the request's error, which is more specific.
    kind = next((each for each in reversed(causes) if type(each) is not OrgvueError), error)
    return ErrorReport(
        type=type(kind).__name__,
        message=_ROW_ID.sub("(a row)", message),
        codes=tuple(sorted(refusal.codes)) if refusal else (),
        status=refusal.status if refusal else None,
        trace_id=refusal.trace_id if refusal else "",
        retryable=any(map(_may_succeed_later, causes)),
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its explicit causes, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _may_succeed_later(error: BaseException) -> bool:
    if not isinstance(error, Exception):
        # A signal has no cause in the stream.
        return True
    return isinstance(error, OrgvueError) and (error.retryable or error.remedy is Remedy.LATER)
