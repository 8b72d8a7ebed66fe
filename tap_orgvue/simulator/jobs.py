"""The file store: job tickets and results behind presigned URLs, on an origin of its own."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tap_orgvue.simulator.instants import instant
from tap_orgvue.simulator.messages import JSON, Answer, Content, Request
from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from tap_orgvue.simulator.behaviour import Behaviour

_PARTS = {"ticket.json": "ticket", "result": "result"}


@dataclass
class Job:
    """An asynchronous export.

    Attributes:
        job_id: Its part of the URLs.
        dataset_id: What is exported.
        content: The finished export: the dataset as it was when it was asked for.
        content_type: What a plain result says it is.
        gzipped: Whether the result is a gzip file.
        trace_id: The trace id of the request that made it.
        fails: Whether it ends `failed`.
        made: When it was made.
        created: The same, in seconds of `time.monotonic`.
        polls: How often its ticket was read.
        result_expired: Whether its result's URL had expired when it was told; `None` before.
    """

    job_id: str
    dataset_id: str
    content: Content
    content_type: str
    gzipped: bool
    trace_id: str
    fails: bool
    made: datetime
    created: float
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

    def open_job(
        self, dataset_id: str, content: Content, content_type: str, trace_id: str, *, gzipped: bool
    ) -> dict[str, object]:
        """Make a job of a finished export and give its first ticket, `created`."""
        with self._lock:
            fails = self._fails(dataset_id)
            job = Job(
                job_id=uuid.uuid4().hex,
                dataset_id=dataset_id,
                content=content,
                content_type=content_type,
                gzipped=gzipped,
                trace_id=trace_id,
                fails=fails,
                made=datetime.now(timezone.utc),
                created=time.monotonic(),
            )
            self._jobs[job.job_id] = job
            return self._ticket(job, self._behaviour.job_status_word or "created")

    def _fails(self, dataset_id: str) -> bool:
        """Whether the next job is one of those that end `failed`."""
        ordered = self._behaviour.fail_jobs > 0
        self._behaviour.fail_jobs -= int(ordered)
        first = dataset_id not in self._exported
        self._exported.add(dataset_id)
        fails = ordered or (first and self._behaviour.fail_first_jobs)
        self.failed += int(fails)
        return fails

    def route(self, _method: str, path: str) -> tuple[str, str | None]:
        """Say which route a path is, and which dataset it belongs to."""
        _, _, rest = path.partition("/exports/")
        job_id, _, part = rest.partition("/")
        job = self._jobs.get(job_id)
        return _PARTS.get(part, "unknown"), job.dataset_id if job else None

    def answer(self, request: Request) -> Answer:
        """Answer like an object store: XML where it refuses."""
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
                return Answer.of_json(self._ticket(job, self._status(job, age)))
        return self._result(job)

    def _status(self, job: Job, age: float) -> str:
        """Give the status to tell at this poll."""
        polls = self._behaviour.job_polls
        word = polls[min(job.polls, len(polls) - 1)]
        job.polls += 1
        if self._behaviour.job_status_word is not None:
            return self._behaviour.job_status_word
        if word == "completed" and age < self._behaviour.job_seconds:
            return "running"
        return "failed" if word == "completed" and job.fails else word

    def _ticket(self, job: Job, status: str) -> dict[str, object]:
        links = {"self": self._link(job, "ticket.json", JSON)}
        errors: dict[str, object] = {}
        if status == "completed":
            if job.result_expired is None:
                job.result_expired = self._behaviour.expire_results > 0
                self._behaviour.expire_results -= int(job.result_expired)
            kind = "application/octet-stream" if job.gzipped else job.content_type
            links["result"] = self._link(job, "result", kind)
        if status == "failed":
            errors = {"errors": [RefusalError("500601").error]}
        return {
            "_links": links,
            "jobStatus": status,
            "_createdAt": instant(job.made),
            "_createdBy": "user",
            "X-Amzn-Trace-Id": job.trace_id,
            **errors,
        }

    def _result(self, job: Job) -> Answer:
        """Serve the file as it lies there, whatever encoding is accepted."""
        if not job.gzipped:
            headers = {"Content-Type": job.content_type}
            return Answer(200, job.content, headers, compressible=False)
        headers = {"Content-Type": "application/octet-stream"}
        if self._behaviour.result_content_encoding:
            headers = {"Content-Type": job.content_type, "Content-Encoding": "gzip"}
        return Answer(200, Content(job.content.gzipped), headers, compressible=False)

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


def _xml(status: int, code: str, message: str) -> Answer:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    )
    return Answer.of_text(status, text, "application/xml")
