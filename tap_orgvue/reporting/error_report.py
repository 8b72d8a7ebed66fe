"""An error as the run report has it: the kind of its cause, codes, status, trace id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.reporting.run_report import ErrorReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeGuard

_ROW_ID = re.compile(r"\(row (?!\d+ of)[^)]*\)")
"""A row in a message, named by its `_id`, which is a cell value."""


def error_report(error: BaseException, message: str, *, retryable: bool) -> ErrorReport:
    """Describe an error.

    Args:
        error: The error; codes, status and trace id may come from one of its explicit causes.
        message: Its message in the log; ids of rows are removed.
        retryable: True if a later run may succeed; see `exit_codes`.
    """
    causes = list(_causes(error))
    reply = next(filter(_has_reply, causes), None) or OrgvueError("")
    # A stream's error wraps the request's error, which is more specific.
    kind = next((each for each in reversed(causes) if type(each) is not OrgvueError), error)
    return ErrorReport(
        type=type(kind).__name__,
        message=_ROW_ID.sub("(a row)", message),
        codes=tuple(sorted(reply.codes)),
        status=reply.status,
        trace_id=reply.trace_id,
        retryable=retryable,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its explicit causes, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _has_reply(error: BaseException) -> TypeGuard[OrgvueError]:
    """True if Orgvue's response is known."""
    return isinstance(error, OrgvueError) and bool(error.codes or error.status or error.trace_id)
