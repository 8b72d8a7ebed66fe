"""The file store: job tickets and results behind presigned URLs, on an origin of its own."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_orgvue.simulator.instants import instant
from tap_orgvue.simulator.messages import JSON, Request, Response, Target
from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.messages import Body
    from tap_orgvue.simulator.trouble import JobPlan

_PARTS = {"ticket.json": "ticket", "result": "result"}


@dataclass
class Job:
    """An asynchronous export.

    Attributes:
        content: The finished export: the data as it was when it was asked for.
        content_type: What a plain result says it is.
        gzipped: Whether the result is a gzip file.
        trace_id: The trace id of the request that made it.
        dataset_id: The dataset that is exported, if one is.
        draft_ids: The drafts whose actions are exported.
        job_id: Its part of the URLs.
        statuses: The status to tell at each poll, the last one repeating; those of `Behaviour`
            without any.
        errors: Told with the last status.
        made: When it was made.
        created: The same, in seconds of `time.monotonic`.
        polls: How often its ticket was read.
        result_expired: Whether its result's URL had expired when it was told; `None` before.
    """

    content: Body
    content_type: str
    gzipped: bool
    trace_id: str
    dataset_id: str | None = None
    draft_ids: tuple[str, ...] = ()
    job_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    statuses: Sequence[str] = ()
    errors: Sequence[object] = ()
    made: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    created: float = field(default_factory=time.monotonic)
    polls: int = 0
    result_expired: bool | None = None


class FileStore:
    """Serves what the jobs made, to whoever has the URL and to nobody who shows a token.

    Attributes:
        failed: How many jobs were made to fail.
    """

    name = "files"

    def __init__(self, behaviour: Behaviour) -> None:
        """Start empty; `behaviour` tells the pace and the failures of jobs."""
        self._behaviour = behaviour
        self._lock = Lock()
        self._jobs: dict[str, Job] = {}
        self._exported: set[str] = set()
        self.failed = 0
        self._key = secrets.token_bytes()

    def open(
        self, job: Job, plan: JobPlan | None, *, is_completed: bool = False
    ) -> dict[str, object]:
        """Take a job and give its first ticket, which is `created`, or `completed` already.

        Args:
            job: The job.
            plan: What it will tell, where that was ordered.
            is_completed: Whether its first ticket is a completed one.
        """
        with self._lock:
            if plan:
                job.statuses, job.errors = plan.statuses, plan.errors
                self.failed += int("failed" in plan.statuses)
            elif self._fails(job.dataset_id or "".join(job.draft_ids)):
                job.errors = [RefusalError("500601").error]
            self._jobs[job.job_id] = job
            first = "completed" if is_completed else "created"
            return self._ticket(job, self._behaviour.job_status_word or first)

    def _fails(self, exported: str) -> bool:
        """Whether the next job is one of those that end `failed`."""
        ordered = self._behaviour.fail_jobs > 0
        self._behaviour.fail_jobs -= int(ordered)
        first = exported not in self._exported
        self._exported.add(exported)
        fails = ordered or (first and self._behaviour.fail_first_jobs)
        self.failed += int(fails)
        return fails

    def target(self, path: str, _body: object) -> Target:
        """Say which route a path is, and what the job exports."""
        _, _, rest = path.partition("/exports/")
        job_id, _, part = rest.partition("/")
        job, route = self._jobs.get(job_id), _PARTS.get(part, "unknown")
        return Target(route, job.dataset_id, job.draft_ids) if job else Target(route)

    def answer(self, request: Request) -> Response:
        """Respond like an object store: XML where it refuses."""
        if any(name.lower() == "authorization" for name, _ in request.headers):
            return _xml(400, "InvalidArgument", "Only one auth mechanism allowed")
        if request.method != "GET":
            return _xml(405, "MethodNotAllowed", "The method is not allowed")
        given = {name: values[0] for name, values in request.query.items()}
        signature = given.pop("X-Amz-Signature", "")
        if not hmac.compare_digest(signature, self._signature(request.path, given)):
            return _xml(403, "SignatureDoesNotMatch", "The signature does not match")
        job = self._jobs[request.path.split("/")[2]]
        age = time.monotonic() - job.created
        if age > self._behaviour.file_lifetime or (
            request.route == "result" and job.result_expired
        ):
            return _xml(403, "AccessDenied", "Request has expired")
        if request.route == "ticket":
            with self._lock:
                return Response.of_json(self._ticket(job, self._status(job, age)))
        return self._result(job)

    def _status(self, job: Job, age: float) -> str:
        """Give the status to tell at this poll."""
        behaviour = self._behaviour
        words = job.statuses or behaviour.job_polls
        word = words[min(job.polls, len(words) - 1)]
        job.polls += 1
        if job.statuses:
            return word
        if behaviour.job_status_word is not None:
            return behaviour.job_status_word
        if word == "completed" and age < behaviour.job_seconds:
            return "running"
        return "failed" if word == "completed" and job.errors else word

    def _ticket(self, job: Job, status: str) -> dict[str, object]:
        links = {"self": self._link(job, "ticket.json", JSON)}
        if status == "completed":
            if job.result_expired is None:
                job.result_expired = self._behaviour.expire_results > 0
                self._behaviour.expire_results -= int(job.result_expired)
            kind = "application/octet-stream" if job.gzipped else job.content_type
            links["result"] = self._link(job, "result", kind)
        tells_errors = job.errors and status in {"completed", "failed"}
        return {
            "_links": links,
            "jobStatus": status,
            "_createdAt": instant(job.made),
            "_createdBy": "user",
            "X-Amzn-Trace-Id": job.trace_id,
            **({"errors": list(job.errors)} if tells_errors else {}),
        }

    def _result(self, job: Job) -> Response:
        """Serve the file as it lies there, whatever encoding is accepted."""
        if not job.gzipped:
            headers = {"Content-Type": job.content_type}
            return Response(200, job.content, headers, compressible=False)
        headers = {"Content-Type": "application/octet-stream"}
        if self._behaviour.result_content_encoding:
            headers = {"Content-Type": job.content_type, "Content-Encoding": "gzip"}
        return Response(200, job.content.packed, headers, compressible=False)

    def _link(self, job: Job, part: str, content_type: str) -> dict[str, str]:
        """Presign the URL of a job's file."""
        made = job.made
        lifetime = max(1, math.ceil(self._behaviour.file_lifetime))
        if part == "result" and job.result_expired:
            made -= timedelta(seconds=2 * lifetime)
        path = f"/exports/{job.job_id}/{part}"
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SIMULATOR/{made:%Y%m%d}/eu-west-1/s3/aws4_request",
            "X-Amz-Date": f"{made:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(lifetime),
            "X-Amz-SignedHeaders": "host",
        }
        signed = urlencode({**query, "X-Amz-Signature": self._signature(path, query)})
        url = f"{self._behaviour.files_url}{path}?{signed}"
        return {"url": url, "contentType": content_type, "type": "downloadLink"}

    def _signature(self, path: str, query: dict[str, str]) -> str:
        text = f"{path}?{urlencode(sorted(query.items()))}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


def _xml(status: int, code: str, message: str) -> Response:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return Response.of_text(status, text, "application/xml")
