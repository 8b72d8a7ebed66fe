"""Runs export jobs: the request, the job ticket, its polls, the download of the result."""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from typing_extensions import override

from tap_orgvue.exports.download import download
from tap_orgvue.exports.progress import UNWATCHED
from tap_orgvue.orgvue.deadlines import earliest
from tap_orgvue.orgvue.error_body import error_codes, error_entries, one_line
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    RequestInfo,
    Stopped,
    TenantRefusal,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import EXPORT_FORMAT, link_url
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.orgvue.transport import read_start
from tap_orgvue.orgvue.urls import is_loopback, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_orgvue.exports.download import DownloadedFile
    from tap_orgvue.exports.progress import ExportProgress
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.deadlines import Deadline

T = TypeVar("T")

FIRST_POLL = 0.5
LONGEST_POLL = 10.0
"""Seconds: the first and the longest wait between two polls of a job ticket."""
POLL_GROWTH = 1.5
"""Factor from one wait to the next."""

JOB_TRIES = 3
"""Jobs requested for one export, where tickets or results are lost or expire."""

_NO_REASON = "Orgvue gives no reason"

_FILES = {RequestKind.POLL: "The job ticket", RequestKind.DOWNLOAD: "The job's result"}
"""The files of the file host, in the words of a message."""

FILE_TRIES = 3
"""Attempts at a file host that has never responded: it may be unreachable from here. Once it has
responded, `max_retries` applies."""


class JobStatus(str, Enum):
    """The states of an export job (API guide, "Asynchronous export")."""

    CREATED = "created"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class JobTicket(msgspec.Struct, frozen=True):
    """The state of an export job.

    Attributes:
        status: One of the documented states.
        ticket_url: Presigned URL of the next ticket, or None. A secret.
        result_url: Presigned URL of the result; None until the job is completed. A secret.
        trace_id: The id that Orgvue's support needs; may be empty.
        errors: Orgvue's words in a failed ticket, or in a completed one whose result lacks rows;
            empty without any.
        codes: Orgvue's error codes in such a ticket.
    """

    status: JobStatus
    ticket_url: str | None
    result_url: str | None
    trace_id: str = ""
    errors: str = ""
    codes: frozenset[str] = frozenset()

    @override
    def __repr__(self) -> str:
        """The status and the trace id, without the presigned URLs."""
        return f"JobTicket({self.status.value}, trace_id={self.trace_id!r})"

    def failure(self, message: str) -> _JobLost:
        """An error with the ticket's codes and trace id, which also ends its message."""
        trace = f" Trace id: {self.trace_id}" if self.trace_id else ""
        return _JobLost(f"{message}{trace}").with_reply(self.codes, self.trace_id)

    @classmethod
    def from_json(cls, body: Any) -> JobTicket:
        """Read a ticket.

        Raises:
            MalformedResponse: The body is no ticket, or its status is not documented.
        """
        if not isinstance(body, dict):
            raise MalformedResponse("Orgvue's response to an export job request is no job ticket.")
        try:
            status = JobStatus(body.get("jobStatus"))
        except ValueError:
            text = one_line(str(body.get("jobStatus")), 40)
            raise MalformedResponse(
                f"Orgvue's job ticket has the status {text!r}, which this version does not know."
            ) from None
        links, entries = body.get("_links"), error_entries(body)
        return cls(
            status=status,
            ticket_url=link_url(links, "self"),
            result_url=link_url(links, "result"),
            trace_id=one_line(body.get("X-Amzn-Trace-Id")),
            errors="; ".join(map(str, entries)) or _NO_REASON * bool(body.get("errors")),
            codes=error_codes(entries),
        )


class ExportJobs:
    """Runs export jobs for one tenant. Thread safe."""

    _alternative = ", or set `export_mode` to `paged`"
    """The remedy for an unreachable file host, in words."""

    def __init__(self, client: Client, *, timeout: float, temp_dir: str | None) -> None:
        """Request nothing yet.

        Args:
            client: The tenant.
            timeout: Seconds for an export as a whole: its jobs, polls, retries and download.
            temp_dir: Folder for the results; the system's by default.
        """
        self._client = client
        self._timeout = timeout
        self._temp_dir = temp_dir
        self._file_host_responded = False

    def fetch(
        self,
        request: requests.PreparedRequest,
        dataset_id: str | None = None,
        progress: ExportProgress = UNWATCHED,
    ) -> DownloadedFile:
        """Run a job for a synchronous export's request, and download its result.

        A ticket or a result can expire (after about 15 minutes, API guide, "Asynchronous export");
        the job is then requested again. The result is complete on disk before it is used.

        Args:
            request: The synchronous export's request.
            dataset_id: The dataset, to count the requests for.
            progress: Receives the progress of the job.

        Raises:
            JobFailed: The job failed or its result was lost too often, Orgvue refused it by a
                failed job ticket, or no time is left.
            DeadlineExceeded: No time is left for a retry.
            FileHostUnreachable: The host of tickets and results cannot be reached.
            OrgvueError: Orgvue refuses the job, or a response is malformed.
        """

        def read(response: requests.Response, info: RequestInfo) -> DownloadedFile:
            return download(response, info, temp_dir=self._temp_dir, progress=progress)

        file, ticket = self.run(request, dataset_id, read, progress)
        return msgspec.structs.replace(file, trace_id=ticket.trace_id)

    def run(
        self,
        request: requests.PreparedRequest,
        dataset_id: str | None,
        read: Callable[[requests.Response, RequestInfo], T],
        progress: ExportProgress = UNWATCHED,
    ) -> tuple[T, JobTicket]:
        """Run a job as `fetch` does, and read its result in another way.

        Args:
            request: A synchronous export's request.
            dataset_id: The dataset, for the count of requests.
            read: Reads the response with the result; called again after a broken connection.
            progress: Receives the progress of the job.

        Returns:
            What was read, and the completed ticket.
        """
        purpose = Purpose(RequestKind.JOB, dataset_id)

        def run(deadline: Deadline) -> tuple[T, JobTicket]:
            progress.waiting()
            ticket = self._new_job(request, purpose, deadline)
            progress.job_started()
            ticket = self._completed(ticket, dataset_id, deadline)
            return self._result(ticket, dataset_id, deadline, read), ticket

        return self._until_complete(run, purpose)

    def _until_complete(self, run: Callable[[Deadline], T], purpose: Purpose) -> T:
        """Run a job, and again if it is lost."""
        limit = f"`job_timeout` ({self._timeout:g} seconds)"
        deadline = self._client.deadline(self._timeout, limit)
        for tries_left in reversed(range(JOB_TRIES)):
            try:
                return run(deadline)
            except _JobLost as error:
                if not tries_left or deadline.left() <= 0:
                    raise JobFailed(str(error), cause=error) from None
                name = self._client.requests.subject(purpose)
                self._client.logger.info("%s: requesting the export again: %s", name, error)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _new_job(
        self, request: requests.PreparedRequest, purpose: Purpose, deadline: Deadline
    ) -> JobTicket:
        try:
            job = job_request(self._client, request)
            body = self._client.json(job, purpose, deadline=deadline)
        except TenantRefusal:
            raise
        except Refusal as refusal:
            if refusal.is_failed_job:
                # The job was accepted as a request, whatever the status says of endpoints.
                raise JobFailed(str(refusal), cause=refusal) from None
            raise
        return JobTicket.from_json(body)

    def _completed(
        self, ticket: JobTicket, dataset_id: str | None, deadline: Deadline
    ) -> JobTicket:
        """Poll a ticket until its job is completed."""
        url, seconds = ticket.ticket_url, FIRST_POLL
        while ticket.status is not JobStatus.COMPLETED:
            if ticket.status is JobStatus.FAILED:
                raise ticket.failure(f"Orgvue's export job failed: {ticket.errors or _NO_REASON}.")
            if url is None:
                failure = ticket.failure("Orgvue's job ticket has no link to itself.")
                raise MalformedResponse(str(failure), cause=failure)
            if self._client.stop.wait(max(0, min(seconds, deadline.left()))):
                raise Stopped("The run is ending.")
            if deadline.left() <= 0:
                failure = ticket.failure(
                    f"Orgvue's export job was not completed in {self._timeout:g} seconds; "
                    "`job_timeout` is the limit."
                )
                raise JobFailed(str(failure), cause=failure)
            seconds = min(LONGEST_POLL, seconds * POLL_GROWTH)
            ticket = JobTicket.from_json(self._poll(url, dataset_id, deadline))
            url = ticket.ticket_url or url
        if ticket.errors:
            raise ticket.failure(
                f"Orgvue's export job was completed with errors, so that its export is incomplete: "
                f"{ticket.errors}."
            )
        return ticket

    def _poll(self, url: str, dataset_id: str | None, deadline: Deadline) -> Any:
        def read(response: requests.Response) -> Any:
            try:
                return json.loads(read_start(response))
            except (ValueError, RecursionError):
                raise TruncatedResponse("A job ticket is not JSON, or only a part of it.") from None

        small = self._client.small_response_deadline
        purpose = Purpose(RequestKind.POLL, dataset_id)
        return self._from_file_host(url, purpose, read, deadline, response_deadline=small)

    def _result(
        self,
        ticket: JobTicket,
        dataset_id: str | None,
        deadline: Deadline,
        read: Callable[[requests.Response, RequestInfo], T],
    ) -> T:
        if ticket.result_url is None:
            raise MalformedResponse("Orgvue's job ticket is completed, but has no result link.")
        request = RequestInfo("GET", ticket.result_url)
        return self._from_file_host(
            ticket.result_url,
            Purpose(RequestKind.DOWNLOAD, dataset_id),
            lambda response: read(response, request),
            deadline,
        )

    def _from_file_host(
        self,
        url: str,
        purpose: Purpose,
        read: Callable[[requests.Response], T],
        deadline: Deadline,
        *,
        response_deadline: Callable[[], Deadline | None] = lambda: None,
    ) -> T:
        """Request a presigned URL, without credentials.

        Args:
            url: The presigned URL.
            purpose: What the request is for.
            read: Reads the response.
            deadline: The end of the job: of all attempts, their waits and the response.
            response_deadline: Makes the deadline of each response; none by default.

        Raises:
            _JobLost: The file is gone or expired, or its download does not complete.
            JobFailed: No time is left.
            FileHostUnreachable: Its host never responded.
        """
        what = _FILES[purpose.kind]
        host = self._check_host(url, what)
        request = self._client.files.prepare("GET", url, headers={"Accept-Encoding": "gzip"})
        responded = False

        def attempt() -> T:
            nonlocal responded
            until = earliest(deadline, response_deadline())
            try:
                with self._client.open_file(request, purpose, deadline=until) as response:
                    responded = self._file_host_responded = True
                    return read(response)
            except ConnectionFailed as error:
                if deadline.left() <= 0:
                    raise JobFailed(f"{what} could not be fetched in time: {error}") from None
                raise

        tries = None if self._file_host_responded else FILE_TRIES
        try:
            return self._client.retrying(attempt, purpose, tries=tries, deadline=deadline)
        except Refusal as error:
            self._file_host_responded = True
            if error.is_failed_job:
                raise _JobLost(str(error), cause=error) from None
            raise _JobLost(
                f"{what} could not be fetched (HTTP {error.status}); such links expire.",
                cause=error,
            ) from None
        except (ConnectionFailed, TruncatedResponse) as error:
            if responded:
                raise _JobLost(f"{what} could not be fetched completely: {error}") from None
            raise FileHostUnreachable(
                f"The host of finished exports, {host}, cannot be reached from here: {error} "
                f"Allow https to {host}{self._alternative}.",
                remedy=error.remedy,
            ) from None

    def _check_host(self, url: str, what: str) -> str:
        """The host of a presigned URL.

        Raises:
            MalformedResponse: The URL is not https. Plain http is for this machine only, while the
                API itself is reached by http.
        """
        try:
            scheme, host, _ = origin_of(url)
        except ValueError:
            scheme = host = ""
        simulated = origin_of(self._client.base_url)[0] == "http" and is_loopback(host)
        if not host or scheme not in ({"https", "http"} if simulated else {"https"}):
            raise MalformedResponse(
                f"{what} has a link that is not https; the tap does not follow it."
            )
        return host


class _JobLost(OrgvueError):
    """A job failed, or its ticket or result is lost; the job can be requested again."""


def job_request(client: Client, request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The request of an export job for the rows of a synchronous export's request.

    `projectionMode` is `add` by default in a job, which delivers every property; only `replace`
    keeps unnamed properties in Orgvue (API guide, "Asynchronous export").
    """
    body = json.loads(body_of(request) or b'{"query": {"output": {}}}')
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


def body_of(request: requests.PreparedRequest) -> bytes:
    """A request's body; empty where it has none."""
    body = request.body or b""
    return body.encode() if isinstance(body, str) else bytes(body)
