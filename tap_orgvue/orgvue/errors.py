"""The errors of requests to Orgvue, sorted by what the catcher should do.

The tree::

    OrgvueError                  end this stream, show the message
    ├── Refusal                  Orgvue responded with an error status
    │   ├── TenantRefusal        ... that every other request would get too: end the run
    │   │   └── TenantUnknown    ... because the tenant is wrong, or not the token's
    │   └── DatasetRefusal       ... about this dataset only: skip it
    ├── ConnectionFailed         no complete response arrived: mostly retryable
    ├── MalformedResponse        a response is not as documented
    │   ├── TruncatedResponse    ... because it ended early: retryable
    │   └── ErrorsInResponse     ... but reports errors, although its status is 200
    ├── JobFailed                an export job ended without a result
    ├── FileHostUnreachable      the host of finished exports cannot be reached
    ├── Stopped                  the run is ending
    ├── RequestLimitReached      the user's own limit of requests: end the run
    ├── RetryAfterTooLong        Orgvue asks for a longer wait than the user allows: end the run
    ├── DeadlineExceeded         no time is left: of the client, or of the caller's operation
    └── Misconfigured            a setting, a catalog or a state is impossible to follow

The first argument of each is the whole message, without query strings and cell values.
Codes and their meaning: Orgvue's public API guide, "Errors".
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.advice import (
    ADVICE,
    ADVICE_BY_STATUS,
    QUOTA_EXCEEDED,
    THROTTLED,
    WRONG_TENANT,
    Remedy,
)
from tap_orgvue.orgvue.error_body import ApiErrorEntry, error_codes, error_entries, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from typing_extensions import Self

TRACE_HEADER = "X-Amzn-Trace-Id"

_NOT_ACCEPTED = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
_TOO_LARGE = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_TRANSIENT = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
}


class OrgvueError(Exception):
    """An error for the user to read.

    Attributes:
        retryable: True if the same request may succeed later.
        remedy: What may help.
        codes: Orgvue's error codes, as text.
        status: The HTTP status of a refusal; None if nothing was refused.
        trace_id: `X-Amzn-Trace-Id`, which Orgvue's support asks for; may be empty.
    """

    retryable: bool = False
    remedy: Remedy = Remedy.UNKNOWN
    codes: frozenset[str] = frozenset()
    status: int | None = None
    trace_id: str = ""

    def __init__(
        self,
        message: str,
        *,
        remedy: Remedy | None = None,
        cause: OrgvueError | None = None,
    ) -> None:
        """Take the message.

        Args:
            message: The whole message.
            remedy: What may help; as most errors of the class by default.
            cause: The error whose codes, status and trace id are those of this one.
        """
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy
        if cause is not None:
            self.codes, self.status, self.trace_id = cause.codes, cause.status, cause.trace_id

    @property
    def symptom(self) -> tuple[object, ...]:
        """Equal for errors of one cause: their type, status and codes."""
        return type(self), self.status, self.codes

    def with_reply(self, codes: frozenset[str], trace_id: str) -> Self:
        """This error, with the codes and the trace id of the response that it is about."""
        self.codes, self.trace_id = codes, trace_id
        return self

    def with_message(self, message: str) -> Self:
        """The same error with another message, for example with the stream's name before it."""
        kind = type(self)
        # Not by calling the class: its arguments may be others.
        error = kind.__new__(kind)
        error.__dict__.update(self.__dict__)
        error.args = (message,)
        return error


class Misconfigured(OrgvueError):
    """A setting, a catalog or a state is impossible to follow."""

    remedy = Remedy.PERSON


class ConnectionFailed(OrgvueError):
    """No complete response arrived.

    Attributes:
        timed_out: True if a wait for the response became too long.
        retryable: False for a rejected certificate and a proxy that refuses.
    """

    def __init__(self, message: str, *, timed_out: bool = False, retryable: bool = True) -> None:
        """Take the attributes.

        Args:
            message: Names the request and the cause.
            timed_out: True if a wait for the response became too long.
            retryable: True if the same request may succeed later.
        """
        super().__init__(message, remedy=Remedy.LATER if retryable else Remedy.PERSON)
        self.timed_out = timed_out
        self.retryable = retryable


class MalformedResponse(OrgvueError):
    """A response is not as Orgvue's API guide documents it."""


class TruncatedResponse(MalformedResponse):
    """A response ended early."""

    retryable = True
    remedy = Remedy.LATER


class ErrorsInResponse(MalformedResponse):
    """A response reports errors, although its status is 200 (not documented)."""

    @classmethod
    def from_document(
        cls, request: RequestInfo, document: Mapping[str, Any], trace_id: str = ""
    ) -> ErrorsInResponse:
        """Compose the message in Orgvue's words.

        Args:
            request: The request.
            document: The response's JSON object, which has `errors`.
            trace_id: The response's `X-Amzn-Trace-Id`; may be empty.
        """
        entries = error_entries(document)
        words = "; ".join(map(str, entries)) or "no reason given"
        trace = f" Trace id: {trace_id}" if trace_id else ""
        error = cls(f"Orgvue's response to {request} reports errors ({words}).{trace}")
        return error.with_reply(error_codes(entries), trace_id)


class JobFailed(OrgvueError):
    """An export job ended without a result."""

    remedy = Remedy.LATER


class FileHostUnreachable(OrgvueError):
    """The host of finished exports cannot be reached from this machine."""

    remedy = Remedy.LATER


class Stopped(OrgvueError):
    """The run is ending: no further request is sent."""

    remedy = Remedy.LATER


class RequestLimitReached(OrgvueError):
    """The run reached the user's own limit of requests."""

    remedy = Remedy.LATER


class RetryAfterTooLong(OrgvueError):
    """Orgvue asks for a longer wait than the user allows; the message says when to run again."""

    remedy = Remedy.LATER


class DeadlineExceeded(OrgvueError):
    """No time is left for a request or a retry."""

    remedy = Remedy.LATER


class RequestInfo(msgspec.Struct, frozen=True):
    """A request as messages name it: method and path, never a query string.

    Attributes:
        method: `GET` or `POST`.
        url: The whole URL; messages show only its path.
    """

    method: str
    url: str

    @override
    def __str__(self) -> str:
        """`GET /api/v1/ACME/datasets`."""
        return f"{self.method} {one_line(urlsplit(self.url).path)}"

    def page(self, path: str) -> str:
        """The URL of a page of Orgvue's own application on the same server."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{path}"


class Refusal(OrgvueError):
    """Orgvue responded with an error status.

    Attributes:
        request: The refused request.
        status: HTTP status.
        entries: The error body's `errors`; may be empty.
        retry_after: The `Retry-After` header as sent, or None.
        is_failed_job: True if the body is a job ticket in the failed state.
    """

    status: int

    def __init__(  # noqa: PLR0913 - what a response with an error status holds
        self,
        request: RequestInfo,
        status: int,
        entries: Sequence[ApiErrorEntry] = (),
        *,
        trace_id: str = "",
        retry_after: str | None = None,
        is_failed_job: bool = False,
    ) -> None:
        """Compose the message: what happened, what it means, what to do, the trace id."""
        self.request = request
        self.is_failed_job = is_failed_job
        self.status = status
        self.entries = tuple(entries)
        self.codes = error_codes(entries)
        self.trace_id = trace_id
        self.retry_after = retry_after
        self.retryable = self._is_retryable()
        super().__init__(self._sentence(), remedy=self._remedy())

    def _is_retryable(self) -> bool:
        """The code counts more than the status (API guide, "Limits")."""
        if QUOTA_EXCEEDED in self.codes:
            return False
        return (
            THROTTLED in self.codes
            or self.status in _TRANSIENT
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )

    def _remedy(self) -> Remedy:
        if self.retryable or QUOTA_EXCEEDED in self.codes:
            return Remedy.LATER
        known = self.not_accepted or not ADVICE.keys().isdisjoint(self.codes)
        return Remedy.PERSON if known or self.status in ADVICE_BY_STATUS else self.remedy

    def _advice(self) -> Iterable[tuple[str, str]]:
        """Meaning and advice of each code, else of the status."""
        codes = dict.fromkeys(entry.code for entry in self.entries)
        known = [ADVICE[code] for code in codes if code in ADVICE]
        if not known and self.status in ADVICE_BY_STATUS:
            known = [ADVICE_BY_STATUS[self.status]]
        return known

    def _sentence(self) -> str:
        words = "; ".join(str(entry) for entry in self.entries) or _reason(self.status)
        pages = {
            "tokens": self.request.page("/tokens"),
            "settings": self.request.page("/app/configui"),
            "tenants": self.request.page("/tenants/tenants"),
        }
        advice = " ".join(
            f"That means {meaning}. {todo.format_map(pages)}" for meaning, todo in self._advice()
        )
        trace = f"Trace id: {self.trace_id}" if self.trace_id else ""
        job = ": the export job failed" if self.is_failed_job else ""
        heading = f"Orgvue refused {self.request} with HTTP {self.status}{job} ({words})."
        return " ".join(part for part in (heading, advice, trace) if part)

    @property
    def throttled(self) -> bool:
        """True if all threads should slow down."""
        return self.retryable and self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def too_large(self) -> bool:
        """True if the export may be too large for a synchronous response (inferred)."""
        return self.status in _TOO_LARGE

    @property
    def not_accepted(self) -> bool:
        """True if the server does not offer this endpoint or method."""
        return self.status in _NOT_ACCEPTED


class TenantRefusal(Refusal):
    """A refusal that every other request of this run would get too."""

    remedy = Remedy.PERSON


class TenantUnknown(TenantRefusal):
    """The tenant is wrong, or not the token's.

    Inferred: from a refusal of the list of datasets, whose path names the tenant only, or from an
    error about the path's `tenantId`.
    """

    @classmethod
    def from_refusal(cls, refusal: Refusal) -> TenantUnknown:
        """Read a refusal of the list of datasets as one of the tenant."""
        return cls(
            refusal.request,
            refusal.status,
            refusal.entries,
            trace_id=refusal.trace_id,
            retry_after=refusal.retry_after,
        )

    @override
    def _advice(self) -> Iterable[tuple[str, str]]:
        return [WRONG_TENANT]


class DatasetRefusal(Refusal):
    """A refusal of one dataset: it is gone, or the token's user may not read it."""

    remedy = Remedy.PERSON


RUN_ENDING = (TenantRefusal, RequestLimitReached, RetryAfterTooLong, Stopped)
"""Errors that every other dataset of the run would meet, too."""


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
