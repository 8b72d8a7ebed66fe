"""Export jobs: ticket, polling, result."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.errors import BrokenAnswer, JobFailed, OrgvueError, plain
from tap_orgvue.orgvue.models import EXPORT_FORMAT, _entries, link_url

if TYPE_CHECKING:
    import requests

    from tap_orgvue.orgvue.client import Client


FIRST_POLL = 0.5

LONGEST_POLL = 10.0

POLL_GROWTH = 1.5
"""Seconds between looks at a job ticket, and how they grow."""

JOB_TRIES = 3
"""How often a job is asked for again because its result was lost or expired."""


def asynchronous_form(
    client: Client, request: requests.PreparedRequest
) -> requests.PreparedRequest:
    """Ask for the same rows as a job.

    `projectionMode` is `add` by default in a job: everything is delivered. Only `replace` keeps
    what is not named in Orgvue (API guide, "Asynchronous export").
    """
    body = json.loads(_body(request) or b'{"query": {"output": {}}}')
    output = body["query"]["output"]
    if "projection" in output:
        output["projectionMode"] = "replace"
        output["projection"] = {key: i for i, key in enumerate(output["projection"], 1)}
    url = str(request.url).partition("?")[0].removesuffix(f"/{EXPORT_FORMAT}")
    return client.prepare(
        "POST",
        url,
        params={"exportFormat": EXPORT_FORMAT, "resultEncoding": "gzip"},
        json=body,
    )


class _Lost(OrgvueError):
    """A ticket or a result is not there; its job can be asked for again."""


class _OutOfTime(JobFailed):
    """A job was not done in time."""


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)


class JobStatus(str, Enum):
    """The states of an asynchronous export."""

    CREATED = "created"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class JobTicket(msgspec.Struct, frozen=True):
    """The state of an asynchronous export and where to look next.

    Attributes:
        status: One of the documented states.
        ticket_url: Presigned; where the next ticket is. A secret.
        result_url: Presigned; where the data is, once completed. A secret.
        trace_id: What Orgvue's support asks for.
        errors: What a failed ticket says, in Orgvue's words.
    """

    status: JobStatus
    ticket_url: str | None
    result_url: str | None
    trace_id: str = ""
    errors: tuple[str, ...] = ()

    @override
    def __repr__(self) -> str:
        """Without its URLs, so that nothing can show them by chance."""
        return f"JobTicket({self.status.value}, trace_id={self.trace_id!r})"

    @classmethod
    def from_json(cls, answer: Any) -> JobTicket:
        """Read a ticket.

        Raises:
            BrokenAnswer: No ticket, or a status that is not documented.
        """
        if not isinstance(answer, dict):
            message = "The answer to a request for an export job is not a job ticket."
            raise BrokenAnswer(message)
        try:
            status = JobStatus(answer.get("jobStatus"))
        except ValueError:
            message = (
                f"Orgvue's job ticket has the status {str(answer.get('jobStatus'))[:40]!r}, which "
                "this version does not know."
            )
            raise BrokenAnswer(message) from None
        links = answer.get("_links") or {}
        return cls(
            status=status,
            ticket_url=link_url(links, "self"),
            result_url=link_url(links, "result"),
            trace_id=plain(answer.get("X-Amzn-Trace-Id")),
            errors=tuple(_error_words(entry) for entry in _entries(answer, "errors")),
        )


def _error_words(entry: Any) -> str:
    if isinstance(entry, dict):
        words = (plain(entry.get(word)) for word in ("code", "name", "message"))
        return " ".join(word for word in words if word)
    return plain(entry)
