"""What can go wrong on the way to Orgvue's data, and what a person can do about it.

The tree, by what the catcher should do::

    OrgvueError                  stop this stream, tell the user
    ├── Refusal                  Orgvue answered with an error
    │   ├── TenantRefusal        ... that every other request would meet too: stop the run
    │   └── DatasetRefusal       ... about this dataset alone: leave it out, go on
    ├── ConnectionFailed         no whole answer came: mostly passes
    ├── BrokenAnswer             an answer came that is not what it should be
    │   └── CutAnswer            ... because it ended early: may pass
    ├── JobFailed                an asynchronous export ended without data
    ├── FilesUnreachable         the host of finished exports cannot be reached from here
    └── Misconfigured            a setting or a catalog asks for what cannot be

Every error is told whole in its first argument, without query strings and cell values.
Codes and their meaning: Orgvue's public API guide, "Errors".
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.advice import ADVICE, ADVICE_BY_STATUS, QUOTA_EXCEEDED, THROTTLED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


TRACE_HEADER = "X-Amzn-Trace-Id"

_GONE_OR_FORBIDDEN = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}

_NOT_ACCEPTED = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}

_TOO_LARGE = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.GATEWAY_TIMEOUT,
}

_GATEWAY_CODE_LENGTH = 5

_MOST_LETTERS = 500


class OrgvueError(Exception):
    """Something a user should read; the message is whole in the first argument."""


class Misconfigured(OrgvueError):
    """A setting, a catalog or a state asks for something that cannot be."""


class ConnectionFailed(OrgvueError):
    """No whole answer came back.

    Attributes:
        timed_out: Whether it was a wait that became too long.
        may_pass: Whether the same request may succeed later. A certificate that is not accepted
            and a proxy that refuses stay so.
    """

    def __init__(self, message: str, *, timed_out: bool = False, may_pass: bool = True) -> None:
        """Say what was asked and how it failed."""
        super().__init__(message)
        self.timed_out = timed_out
        self.may_pass = may_pass


class BrokenAnswer(OrgvueError):
    """Orgvue answered with something that is not what its documents promise."""


class CutAnswer(BrokenAnswer):
    """An answer ended before its end: the same request may succeed later."""


class JobFailed(OrgvueError):
    """An asynchronous export ended without data."""


class FilesUnreachable(OrgvueError):
    """The host that finished exports are fetched from cannot be reached from here."""


class Stopped(OrgvueError):
    """The run is ending: nothing more is asked."""


class OutOfRequests(OrgvueError):
    """The user's own brake: the run has asked as often as it may."""


class Problem(msgspec.Struct, frozen=True):
    """One entry of an error body's `errors`."""

    code: str
    name: str
    message: str

    @override
    def __str__(self) -> str:
        """Orgvue's own words, as far as it gave any."""
        title = " ".join(part for part in (self.code, self.name) if part)
        return ": ".join(part for part in (title, self.message) if part)


class Asked(msgspec.Struct, frozen=True):
    """What was asked of Orgvue: a method and a path, never a query string.

    Attributes:
        method: `GET` or `POST`.
        url: The whole address; only its path is ever told.
    """

    method: str
    url: str

    @override
    def __str__(self) -> str:
        """`GET /api/v1/ACME/datasets`."""
        return f"{self.method} {urlsplit(self.url).path[:_MOST_LETTERS]}"

    def page(self, path: str) -> str:
        """A page of Orgvue's own application on the same server."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{path}"


class Refusal(OrgvueError):
    """Orgvue answered a request with an error.

    Attributes:
        asked: The request.
        status: The HTTP status.
        problems: What the error body lists; may be empty.
        trace_id: `X-Amzn-Trace-Id`, which Orgvue's support asks for; may be empty.
        retry_after: The `Retry-After` header as sent, or None.
    """

    def __init__(
        self,
        asked: Asked,
        status: int,
        problems: Sequence[Problem] = (),
        *,
        trace_id: str = "",
        retry_after: str | None = None,
    ) -> None:
        """Word the refusal once, whole."""
        self.asked = asked
        self.status = status
        self.problems = tuple(problems)
        self.trace_id = trace_id
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        told = "; ".join(str(problem) for problem in self.problems) or _reason(self.status)
        codes = dict.fromkeys(problem.code for problem in self.problems)
        known = [ADVICE[code] for code in codes if code in ADVICE]
        if not known and self.status in ADVICE_BY_STATUS:
            known = [ADVICE_BY_STATUS[self.status]]
        pages = {"tokens": self.asked.page("/tokens"), "settings": self.asked.page("/app/configui")}
        advice = " ".join(
            f"That means {meaning}. {todo.format_map(pages)}" for meaning, todo in known
        )
        trace = f"Trace id: {self.trace_id}" if self.trace_id else ""
        heading = f"Orgvue refused {self.asked} with HTTP {self.status} ({told})."
        return " ".join(part for part in (heading, advice, trace) if part)

    @property
    def codes(self) -> frozenset[str]:
        """Orgvue's codes, as text."""
        return frozenset(problem.code for problem in self.problems)

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed after a wait. The code decides, then the status."""
        if QUOTA_EXCEEDED in self.codes:
            return False
        return (
            THROTTLED in self.codes
            or self.status == HTTPStatus.TOO_MANY_REQUESTS
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        )

    @property
    def throttled(self) -> bool:
        """Whether everybody should slow down."""
        return self.may_pass and self.status == HTTPStatus.TOO_MANY_REQUESTS

    @property
    def too_large(self) -> bool:
        """Whether the answer may have been too large to come at once (inferred, see the guide)."""
        return self.status in _TOO_LARGE

    @property
    def not_accepted(self) -> bool:
        """Whether this way of asking is not to be had here."""
        return self.status in _NOT_ACCEPTED


class TenantRefusal(Refusal):
    """A refusal that every other request of this run would meet too."""


class DatasetRefusal(Refusal):
    """A refusal about one dataset: it is gone, or this user may not read it."""


def refusal_of(
    asked: Asked,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
) -> Refusal:
    """Read an answer with an error status.

    Args:
        asked: The request that was refused.
        status: HTTP status, 300 or more (redirects are not followed).
        headers: The answer's headers.
        body: The beginning of the answer's body; anything that is not the documented error
            body is passed over.
    """
    problems = _problems(body)
    kind: type[Refusal] = Refusal
    if _concerns_everything(status, problems):
        kind = TenantRefusal
    elif status in _GONE_OR_FORBIDDEN:
        kind = DatasetRefusal
    return kind(
        asked,
        status,
        problems,
        trace_id=plain(headers.get(TRACE_HEADER)),
        retry_after=headers.get("Retry-After"),
    )


def _concerns_everything(status: int, problems: Sequence[Problem]) -> bool:
    """Five-digit codes are the gateway's: they concern token, user or tenant, not a dataset."""
    codes = {p.code for p in problems} - {THROTTLED}
    gateway = any(len(code) == _GATEWAY_CODE_LENGTH and code[0] == "4" for code in codes)
    return gateway or status == HTTPStatus.UNAUTHORIZED


def _problems(body: bytes) -> list[Problem]:
    try:
        listed = msgspec.json.decode(body)["errors"]
        return [
            Problem(
                *(plain(entry.get(word)) for word in ("code", "name", "message")),
            )
            for entry in listed
            if isinstance(entry, dict)
        ]
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return []


def plain(value: object) -> str:
    """One short line of text, whatever was sent."""
    text = "" if value is None else str(value)[:_MOST_LETTERS]
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"
