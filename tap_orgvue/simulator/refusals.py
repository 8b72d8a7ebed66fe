"""Orgvue's refusals: codes with status, name and message, and the error bodies of them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_orgvue.simulator.instants import instant
from tap_orgvue.simulator.messages import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

#: An error of Orgvue: a code of `REASONS`, or `(status, code, name, message)`.
Error = str | tuple[int, str, str, str]
#: A reason to refuse: an error, or a bare HTTP status (no JSON body, as from gateways).
Reason = Error | int

#: code -> (name, message). The first three digits of a code are its HTTP status. Five digits are
#: the gateway's documented codes; of the endpoints' six-digit codes only 400603 and 415001 are
#: documented, the others stand in for the open rest of that list.
REASONS: Mapping[str, tuple[str, str]] = {
    "40101": ("AuthorizationHeaderEmpty", "The Authorization header is missing or empty."),
    "40102": ("ApiTokenInvalid", "The API token is not valid."),
    "40103": ("BearerTokenNotFound", "The Authorization header holds no bearer token."),
    "40301": ("ApiTokenNotYetActive", "The API token is not active yet."),
    "40302": ("ApiTokenExpired", "The API token has expired."),
    "40303": ("ApiTokenSubnetViolation", "The API token may not be used from this address."),
    "40321": ("MultipleAccountsFound", "Multiple accounts were found for the user."),
    "40322": ("UserAccountDisabled", "The user account is disabled."),
    "40323": ("UserAccountExpired", "The user account has expired."),
    "40324": ("UserAccountSubnetViolation", "The user may not sign in from this address."),
    "40345": ("TenantUsagePlanNotConfigured", "The tenant has no API usage plan."),
    "42901": ("Throttled", "Too many requests."),
    "42902": ("QuotaExceeded", "The quota of requests for today is used up."),
    "400601": ("RequestBodyIsNotValid", "The request body is not valid."),
    "400602": ("PathParameterIsNotTheTenant", "The tenant is not the token's tenant."),
    "400603": ("PathParameterMustBeUUIDString", "The path parameter must be a UUID string."),
    "400604": ("ExportFormatIsNotSupported", "The export format is not supported."),
    "400605": ("QueryParameterIsNotValid", "A query parameter is not valid."),
    "400606": ("FilterIsNotValid", "The filter is not valid."),
    "400607": ("ProjectionIsNotValid", "The projection is not valid."),
    "403601": ("DatasetAccessDenied", "The user may not read the dataset."),
    "403602": ("DraftAccessDenied", "The user may not read drafts."),
    "404601": ("DatasetNotFound", "There is no such dataset."),
    "404602": ("ResourceNotFound", "There is no such resource."),
    "404603": ("DraftNotFound", "There is no such draft."),
    "404604": ("LayerNotFound", "The draft has no such layer."),
    "405601": ("MethodIsNotAllowed", "The method is not allowed on this resource."),
    "413601": ("ResponseIsTooLarge", "The result is too large for a synchronous response."),
    "415001": ("ContentTypeIsNotImplemented", "The content type is not implemented."),
    "500601": ("ExportFailed", "The export could not be made."),
}


class RefusalError(Exception):
    """The response to a request is an error body."""

    def __init__(self, reason: Error, **details: object) -> None:
        """Take the reason apart.

        Args:
            reason: A code of `REASONS`, or `(status, code, name, message)`.
            **details: What the error carries besides; `message` replaces the table's.
        """
        if isinstance(reason, tuple):
            self.status, self.code, name, message = reason
        else:
            name, message = REASONS[reason]
            self.status, self.code = int(reason[:3]), reason
        self.error: dict[str, object] = {
            "name": name,
            "code": self.code,
            "message": message,
            **details,
        }
        super().__init__(f"{self.code} {name}")

    def body(self) -> bytes:
        """Give the documented error body, `{"errors": [{name, code, message, …}]}`."""
        return json.dumps({"errors": [self.error]}, ensure_ascii=False).encode()


def failed_ticket(reason: Reason, trace_id: str) -> Response:
    """Refuse with a job ticket in the failed state, with the error and its trace id in it."""
    if isinstance(reason, int):
        status, errors = reason, []
    else:
        refusal = RefusalError(reason)
        status, errors = refusal.status, [refusal.error]
    ticket = {
        "_links": {},
        "jobStatus": "failed",
        "_createdAt": instant(datetime.now(timezone.utc)),
        "_createdBy": "user",
        "X-Amzn-Trace-Id": trace_id,
        "errors": errors,
    }
    response = Response.of_json(ticket, status)
    response.headers["X-Amzn-Trace-Id"] = trace_id
    return response
