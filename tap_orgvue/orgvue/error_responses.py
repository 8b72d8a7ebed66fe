"""Reads a response with an error status: which kind of refusal it is."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from tap_orgvue.orgvue.advice import THROTTLED
from tap_orgvue.orgvue.error_body import (
    ApiErrorEntry,
    error_codes,
    error_document,
    error_entries,
    one_line,
)
from tap_orgvue.orgvue.errors import (
    TRACE_HEADER,
    DatasetRefusal,
    Refusal,
    RequestInfo,
    TenantRefusal,
    TenantUnknown,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GONE_OR_FORBIDDEN = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_GATEWAY_CODE_LENGTH = 5
_TENANT_PARAMETER = "tenantId"


def refusal_of(
    request: RequestInfo, status: int, headers: Mapping[str, str], body: bytes
) -> Refusal:
    """Read a response with an error status.

    Args:
        request: The refused request.
        status: HTTP status, 300 or more: redirects are not followed.
        headers: The response's headers.
        body: The start of the response's body: an error body, or a failed job ticket with errors
            and trace id (API guide, "Asynchronous export"); ignored if it is neither.
    """
    document = error_document(body)
    entries = error_entries(document)
    kind: type[Refusal] = Refusal
    if _concerns_tenant(status, entries):
        kind = TenantRefusal
    elif any(entry.path_parameter == _TENANT_PARAMETER for entry in entries):
        kind = TenantUnknown
    elif status in _GONE_OR_FORBIDDEN:
        kind = DatasetRefusal
    return kind(
        request,
        status,
        entries,
        trace_id=one_line(document.get(TRACE_HEADER) or headers.get(TRACE_HEADER)),
        retry_after=headers.get("Retry-After"),
        is_failed_job=document.get("jobStatus") == "failed",
    )


def _concerns_tenant(status: int, entries: Sequence[ApiErrorEntry]) -> bool:
    """True for the gateway's codes, which have five digits: they concern token, user or tenant."""
    codes = error_codes(entries) - {THROTTLED}
    gateway = any(len(code) == _GATEWAY_CODE_LENGTH and code[0] == "4" for code in codes)
    return gateway or status == HTTPStatus.UNAUTHORIZED
