"""The ways to get a dataset's rows out of Orgvue. Each answers with the same jsonRows body.

A request for a synchronous export goes in; an answer over a whole local file comes out. How it
was obtained, at once or through a job, nobody behind this sees.
"""

from __future__ import annotations

import json
import time
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tap_orgvue.exports.download import land
from tap_orgvue.exports.jobs import (
    FIRST_POLL,
    JOB_TRIES,
    LONGEST_POLL,
    POLL_GROWTH,
    JobStatus,
    JobTicket,
    _body,
    _Lost,
    _OutOfTime,
    asynchronous_form,
)
from tap_orgvue.exports.response import ExportAnswer
from tap_orgvue.orgvue.errors import (
    Asked,
    BrokenAnswer,
    ConnectionFailed,
    CutAnswer,
    FilesUnreachable,
    JobFailed,
    OrgvueError,
    Refusal,
    Stopped,
)
from tap_orgvue.orgvue.models import ITEMS, ExportMode
from tap_orgvue.orgvue.transport import beginning
from tap_orgvue.orgvue.urls import is_loopback, origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from tap_orgvue.exports.download import Landed
    from tap_orgvue.orgvue.client import Client


T = TypeVar("T")

FILE_TRIES = 3
"""How often a host of files is asked that has not answered yet: it may be out of reach here. Once
it has answered, `max_retries` holds."""


class Exports:
    """Fetches exports, remembering for each dataset which way works."""

    def __init__(
        self,
        client: Client,
        mode: ExportMode = ExportMode.AUTO,
        *,
        job_timeout: float = 3600,
        temp_dir: str | None = None,
        reads_ahead: bool = True,
    ) -> None:
        """Ask nothing yet.

        Args:
            client: The tenant; its logger is told when another way is taken, and why.
            mode: Which ways may be tried.
            job_timeout: Seconds until an asynchronous export must be completed.
            temp_dir: Where exports land; the system's folder by default.
            reads_ahead: Whether a thread decompresses an export while its rows are worked on.
        """
        self.client = client
        self.mode = mode
        self._job_timeout = job_timeout
        self._temp_dir = temp_dir
        self._reads_ahead = reads_ahead
        self._known_ways: dict[str, tuple[_Way, ...]] = {}
        self._files_have_answered = False
        self._fetch_by: Mapping[_Way, Callable[[requests.PreparedRequest], ExportAnswer]] = {
            _Way.AT_ONCE: self._at_once,
            _Way.JOB: self._by_job,
            _Way.SLICES: self._slice,
        }

    def fetch(self, request: requests.PreparedRequest, name: str) -> ExportAnswer:
        """Get an export.

        Args:
            request: A synchronous export's request; its path names the dataset.
            name: The stream's name, for the log.

        Returns:
            An answer over a whole file, or one with status 413 where only slices will do.

        Raises:
            OrgvueError: It cannot be had.
        """
        dataset = urlsplit(str(request.url)).path
        ways = self._known_ways.get(dataset) or self._ways(request)
        for way, *others in _tails(ways):
            try:
                answer = self._fetch_by[way](request)
            except _PassOn as passing:
                error: OrgvueError = passing.error
            except OrgvueError as refused:
                error = refused
            else:
                self._known_ways[dataset] = (way, *others)
                return answer
            if not others or not self._worth_another_way(way, error, request):
                raise error
            self.client.logger.warning(
                "'%s' is read by %s, because %s did not work: %s",
                name,
                others[0].value,
                way.value,
                error,
            )
        raise AssertionError  # pragma: no cover - the last way returns or raises

    def _ways(self, request: requests.PreparedRequest) -> tuple[_Way, ...]:
        """The ways that may be tried, in their order."""
        if _is_of_items(request):
            return (_Way.AT_ONCE, _Way.SLICES)
        if self.mode is ExportMode.ASYNC or b"linkingRelationships" in _body(request):
            return (_Way.JOB,)
        if self.mode is ExportMode.PAGED:
            return (_Way.SLICES,)
        if self.mode is ExportMode.SYNC:
            return (_Way.AT_ONCE, _Way.JOB) if request.method == "POST" else (_Way.AT_ONCE,)
        return (_Way.AT_ONCE, _Way.JOB, _Way.SLICES)

    def _worth_another_way(
        self, way: _Way, error: OrgvueError, request: requests.PreparedRequest
    ) -> bool:
        """Whether what went wrong is the way's fault."""
        not_accepted = isinstance(error, Refusal) and error.not_accepted
        if way is _Way.JOB:
            return not_accepted or isinstance(error, FilesUnreachable)
        too_large = self.mode is ExportMode.AUTO and _seems_too_large(error)
        return too_large or (not_accepted and request.method == "POST")

    def _answer(self, request: requests.PreparedRequest, landed: Landed) -> ExportAnswer:
        return ExportAnswer(request, landed, reads_ahead=self._reads_ahead)

    # -- at once

    def _at_once(self, request: requests.PreparedRequest) -> ExportAnswer:
        return self._landed(request, patient=self.mode is ExportMode.SYNC)

    def _slice(self, request: requests.PreparedRequest) -> ExportAnswer:
        try:
            return self._landed(request, patient=False)
        except (_PassOn, Refusal) as error:
            if isinstance(error, _PassOn) or error.too_large:
                return ExportAnswer(request, None)
            raise

    def _landed(self, request: requests.PreparedRequest, *, patient: bool) -> ExportAnswer:
        """Ask for one answer with everything.

        Args:
            request: The request.
            patient: Whether to ask again when a gateway did not wait for the answer; where there
                is another way, that is taken instead.
        """
        asked = Asked(str(request.method), str(request.url))
        brackets = b"[]" if _is_of_items(request) else b"{}"

        def once() -> Landed:
            try:
                with self.client.open(request) as response:
                    return land(response, asked, temp_dir=self._temp_dir, brackets=brackets)
            except (Refusal, ConnectionFailed) as error:
                if not patient and _seems_too_large(error):
                    raise _PassOn(error) from None
                raise

        return self._answer(request, self.client.retrying(once))

    # -- through a job

    def _by_job(self, request: requests.PreparedRequest) -> ExportAnswer:
        """Ask for a job, wait for it, download its result.

        Tickets and results expire and can be lost; the job is then asked for again. Nothing of a
        result is used before all of it is there.
        """
        deadline = time.monotonic() + self._job_timeout
        for tries_left in reversed(range(JOB_TRIES)):
            try:
                ticket = self._completed(self._new_job(request), deadline)
                return self._answer(request, self._download(ticket))
            except (_Lost, JobFailed) as error:
                if not tries_left or time.monotonic() > deadline:
                    raise JobFailed(str(error)) from None
                self.client.logger.warning("Asking for the export again: %s", error)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _new_job(self, request: requests.PreparedRequest) -> JobTicket:
        return JobTicket.from_json(self.client.json(asynchronous_form(self.client, request)))

    def _completed(self, ticket: JobTicket, deadline: float) -> JobTicket:
        """Look at a ticket until its job is done."""
        url, seconds = ticket.ticket_url, FIRST_POLL
        while ticket.status is not JobStatus.COMPLETED:
            trace = f" Trace id: {ticket.trace_id}" if ticket.trace_id else ""
            if ticket.status is JobStatus.FAILED:
                why = "; ".join(ticket.errors) or "Orgvue gives no reason"
                message = f"Orgvue's export job failed: {why}.{trace}"
                raise JobFailed(message)
            if time.monotonic() > deadline:
                message = (
                    f"Orgvue's export job was not completed in {self._job_timeout:g} seconds; "
                    f"`job_timeout` is the limit.{trace}"
                )
                raise _OutOfTime(message)
            if url is None:
                message = f"Orgvue's job ticket does not say where its job is told of.{trace}"
                raise BrokenAnswer(message)
            if self.client.stop.wait(seconds):
                message = "The run is ending."
                raise Stopped(message)
            seconds = min(LONGEST_POLL, seconds * POLL_GROWTH)
            ticket = JobTicket.from_json(self._ticket_at(url))
            url = ticket.ticket_url or url
        return ticket

    def _ticket_at(self, url: str) -> Any:
        def read(response: requests.Response) -> Any:
            try:
                return json.loads(beginning(response))
            except (ValueError, RecursionError):
                message = "A job ticket is not JSON, or only a part of it."
                raise CutAnswer(message) from None

        return self._from_files(url, "the job's ticket", read)

    def _download(self, ticket: JobTicket) -> Landed:
        if ticket.result_url is None:
            message = "Orgvue's job ticket says completed, but not where the result is."
            raise BrokenAnswer(message)
        asked = Asked("GET", ticket.result_url)
        return self._from_files(
            ticket.result_url,
            "the job's result",
            lambda response: land(response, asked, temp_dir=self._temp_dir),
        )

    def _from_files(self, url: str, what: str, read: Callable[[requests.Response], T]) -> T:
        """Fetch something presigned, without any credential.

        Raises:
            _Lost: It is not there, no longer there, or cannot be had whole.
            FilesUnreachable: Its host does not answer.
        """
        host = self._file_host(url, what)
        request = self.client.files.prepare("GET", url, headers={"Accept-Encoding": "gzip"})
        answered = False

        def once() -> T:
            nonlocal answered
            with self.client.files.open(request) as response:
                answered = self._files_have_answered = True
                return read(response)

        try:
            return self.client.retrying(
                once, tries=None if self._files_have_answered else FILE_TRIES
            )
        except Refusal as error:
            self._files_have_answered = True
            message = f"{what} could not be fetched (HTTP {error.status}); such links expire."
            raise _Lost(_capital(message)) from None
        except (ConnectionFailed, CutAnswer) as error:
            if answered:
                message = f"{what} could not be fetched whole: {error}"
                raise _Lost(_capital(message)) from None
            message = (
                f"The host of finished exports, {host}, cannot be reached from here: {error} "
                f"Allow https to {host}, or set `export_mode` to `paged`."
            )
            raise FilesUnreachable(message) from None

    def _file_host(self, url: str, what: str) -> str:
        """The host of a presigned URL.

        Raises:
            BrokenAnswer: It is not to be asked by https. Plain http is for a simulator on this
                machine alone.
        """
        try:
            scheme, host, _ = origin_of(url)
        except ValueError:
            scheme = host = ""
        simulated = origin_of(self.client.settings.api_url)[0] == "http" and is_loopback(host)
        if not host or scheme not in ({"https", "http"} if simulated else {"https"}):
            message = f"Orgvue links {what} at an address that is not https; it is not followed."
            raise BrokenAnswer(message)
        return host


class _Way(Enum):
    AT_ONCE = "synchronous export"
    JOB = "asynchronous export"
    SLICES = "synchronous export in slices"


class _PassOn(Exception):
    """Another way is better than asking again."""

    def __init__(self, error: OrgvueError) -> None:
        super().__init__()
        self.error = error


def _tails(ways: tuple[_Way, ...]) -> list[tuple[_Way, ...]]:
    return [ways[i:] for i in range(len(ways))]


def _is_of_items(request: requests.PreparedRequest) -> bool:
    return urlsplit(str(request.url)).path.endswith(f"/{ITEMS}")


def _seems_too_large(error: OrgvueError) -> bool:
    if isinstance(error, ConnectionFailed):
        return error.timed_out
    return isinstance(error, Refusal) and error.too_large


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
