"""Errors as the run report has them."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    OrgvueError,
    RequestInfo,
    RequestLimitReached,
    RetryAfterTooLong,
    refusal_of,
)
from tap_orgvue.reporting.error_report import error_report

REQUEST = RequestInfo("GET", "https://h/api")


def refusal(status: int, code: str) -> OrgvueError:
    """A refusal with a code and a trace id."""
    body = b'{"errors": [{"code": "%b"}]}' % code.encode()
    return refusal_of(REQUEST, status, {"X-Amzn-Trace-Id": "Root=1"}, body)


def test_the_cause_of_a_wrapped_error_counts() -> None:
    """A stream's error that wraps a refusal has its type, codes, status and trace id."""
    wrapped = OrgvueError("Stream 'people': refused")
    wrapped.__cause__ = refusal(403, "403601")
    report = error_report(wrapped, "told")
    assert (report.type, report.message) == ("DatasetRefusal", "told")
    assert (report.codes, report.status, report.trace_id) == (("403601",), 403, "Root=1")
    assert not report.retryable


@pytest.mark.parametrize(
    "error,retryable",
    [
        (refusal(500, "500601"), True),
        (refusal(429, "42902"), True),
        (refusal(401, "40101"), False),
        (RequestLimitReached(""), True),
        (RetryAfterTooLong(""), True),
        (ConnectionFailed("", retryable=False), False),
        (OrgvueError(""), False),
        (KeyError(), False),
    ],
    ids=["server", "quota", "token", "limit", "wait", "certificate", "other", "unexpected"],
)
def test_what_may_succeed_later(error: Exception, retryable: bool) -> None:  # noqa: FBT001
    """A quota and limits end some time; a token does not mend itself."""
    report = error_report(error, "")
    assert report.retryable is retryable
    assert report.type == type(error).__name__


def test_an_error_may_cause_itself() -> None:
    """A circle of causes ends."""
    error = OrgvueError("")
    error.__cause__ = error
    assert error_report(error, "").type == "OrgvueError"


def test_the_innermost_error_that_says_something() -> None:
    """A stream's own error counts where what it wraps has no kind."""
    wrapped = RequestLimitReached("")
    wrapped.__cause__ = OrgvueError("")
    assert error_report(wrapped, "").type == "RequestLimitReached"
    assert error_report(wrapped, "").retryable


def test_ids_of_rows_are_values() -> None:
    """They are in no report; the number of a row is."""
    report = error_report(OrgvueError(""), "A value (row 4711), another (row 7 of its block).")
    assert report.message == "A value (a row), another (row 7 of its block)."
