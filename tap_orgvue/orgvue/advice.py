"""Orgvue's error codes: the meaning of each, and what to do."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Remedy(Enum):
    """The kind of remedy for an error; the exit code depends on it."""

    PERSON = "person"
    """Somebody must change something: a setting, the token, a permission."""
    LATER = "later"
    """The same run may succeed later."""
    UNKNOWN = "unknown"
    """Orgvue's response is none that this version knows."""


SUPPORT = "support@orgvue.com"

THROTTLED = "42901"

QUOTA_EXCEEDED = "42902"

ADVICE: Mapping[str, tuple[str, str]] = {
    "40101": (
        "no token was sent",
        "Set `api_token` to a token made at {tokens}.",
    ),
    "40102": (
        "the token is not one that Orgvue made",
        "Copy `api_token` whole and check that it was made in `region`, or make one at {tokens}.",
    ),
    "40103": (
        "the token was not sent as a bearer token",
        "A proxy between here and Orgvue may rewrite the Authorization header: let it through.",
    ),
    "40301": (
        "the token is not active yet",
        "Wait for its start date, or make a new one at {tokens}.",
    ),
    "40302": (
        "the token has expired",
        "Make a new one at {tokens} and set `api_token`.",
    ),
    "40303": (
        "this machine's address is not in the token's subnets",
        "Run from an allowed address, or make a token for this one at {tokens}.",
    ),
    "40321": (
        "Orgvue finds several accounts for the token's user",
        f"Ask {SUPPORT} to put it right.",
    ),
    "40322": (
        "the token's user is disabled",
        "Have an Orgvue administrator enable the user, or use another user's token.",
    ),
    "40323": (
        "the token's user has expired",
        "Have an Orgvue administrator extend the user, or use another user's token.",
    ),
    "40324": (
        "this machine's address is not allowed for the token's user",
        "Run from an allowed address, or have an Orgvue administrator allow this one.",
    ),
    "40345": (
        "API access is not enabled for the tenant",
        f"Ask {SUPPORT} to enable it.",
    ),
    THROTTLED: (
        "too many requests at once",
        "Lower `max_parallel_requests` if this goes on.",
    ),
    QUOTA_EXCEEDED: (
        "the tenant's daily quota of requests is used up",
        "Run again tomorrow; a retry today cannot succeed.",
    ),
}
"""Gateway code to its meaning and what to do next (API guide, "Errors").

`{tokens}`, `{settings}` and `{tenants}` stand for pages of the server that refused.
"""

_SENT_ELSEWHERE = (
    "the server redirects the request, and the token must not follow",
    "Check `region` or `api_url`, and whether a proxy wants a sign-in first.",
)

WRONG_TENANT = (
    "the tenant does not exist on this server, or the token's user does not belong to it",
    "Check `tenant_id` at {tenants}, `region`, and the user's `TokenAccess` setting at {settings}.",
)
"""Meaning and advice of a refusal of the tenant without a code of `ADVICE` (inferred)."""

ADVICE_BY_STATUS: Mapping[int, tuple[str, str]] = {
    HTTPStatus.MOVED_PERMANENTLY: _SENT_ELSEWHERE,
    HTTPStatus.FOUND: _SENT_ELSEWHERE,
    HTTPStatus.SEE_OTHER: _SENT_ELSEWHERE,
    HTTPStatus.TEMPORARY_REDIRECT: _SENT_ELSEWHERE,
    HTTPStatus.PERMANENT_REDIRECT: _SENT_ELSEWHERE,
    HTTPStatus.UNAUTHORIZED: (
        "the token was not accepted",
        "Check `api_token`, or make a new one at {tokens}.",
    ),
    HTTPStatus.FORBIDDEN: (
        "the token's user lacks the permission",
        "Check the user's permissions and the `TokenAccess` setting at {settings}.",
    ),
    HTTPStatus.NOT_FOUND: (
        "Orgvue has nothing at this address for this tenant and user",
        "Check `tenant_id`, `region` and the dataset's id at {settings}.",
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "the response is too large for a synchronous export",
        "Set `export_mode` to `auto`.",
    ),
    HTTPStatus.TOO_MANY_REQUESTS: ADVICE[THROTTLED],
}
"""HTTP status to its meaning and what to do next, for responses without a code of `ADVICE`."""
