"""Errors as the run report has them."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ErrorsInResponse,
    JobFailed,
    OrgvueError,
    RequestInfo,
    RequestLimitReached,
    RetryAfterTooLong,
)
from tap_orgvue.reporting.error_report import error_report

REQUEST = RequestInfo("GET", "https://h/api")


def refusal(status: int, code: str) -> OrgvueError:
    """A refusal with a code and a trace id."""
    body = b'{"errors": [{"code": "%b"}, {"name": "without a code"}]}' % code.encode()
    return refusal_of(REQUEST, status, {"X-Amzn-Trace-Id": "Root=1"}, body)


def test_the_cause_of_a_wrapped_error_counts() -> None:
    """A stream's error that wraps a refusal has its type, codes, status and trace id."""
    wrapped = OrgvueError("Stream 'people': refused")
    wrapped.__cause__ = refusal(403, "403601")
    report = error_report(wrapped, "told", retryable=False)
    assert (report.type, report.message) == ("DatasetRefusal", "told")
    assert (report.codes, report.status, report.trace_id) == (("403601",), 403, "Root=1")
    assert not report.retryable


@pytest.mark.parametrize("kind", [RetryAfterTooLong, JobFailed])
def test_an_error_has_codes_and_trace_id_of_its_cause(kind: type[OrgvueError]) -> None:
    """Whoever gives up after a refusal says why, in its own type; also under another message."""
    error = kind("Too long.", cause=refusal(429, "42901")).with_message("people: Too long.")
    report = error_report(error, str(error), retryable=True)
    assert report.type == kind.__name__
    assert (report.codes, report.status, report.trace_id) == (("42901",), 429, "Root=1")


def test_errors_in_a_response_have_their_codes() -> None:
    """A response that reports errors although its status is 200 has no status that says so."""
    document = {"errors": [{"code": "500601"}, "a text"]}
    error = ErrorsInResponse.from_document(REQUEST, document, "Root=2")
    report = error_report(error, str(error), retryable=True)
    assert (report.codes, report.status, report.trace_id) == (("500601",), None, "Root=2")


def test_an_error_without_a_response() -> None:
    """There is no code, status or trace id."""
    report = error_report(KeyError(), "", retryable=False)
    assert (report.type, report.codes, report.status, report.trace_id) == ("KeyError", (), None, "")


def test_an_error_may_cause_itself() -> None:
    """A circle of causes ends."""
    error = OrgvueError("")
    error.__cause__ = error
    assert error_report(error, "", retryable=False).type == "OrgvueError"


def test_the_innermost_error_that_says_something() -> None:
    """A stream's own error counts where what it wraps has no kind."""
    wrapped = RequestLimitReached("")
    wrapped.__cause__ = OrgvueError("")
    assert error_report(wrapped, "", retryable=False).type == "RequestLimitReached"


def test_ids_of_rows_are_values() -> None:
    """They are in no report; the number of a row is."""
    report = error_report(
        OrgvueError(""), "A value (row 4711), another (row 7 of its block).", retryable=False
    )
    assert report.message == "A value (a row), another (row 7 of its block)."
