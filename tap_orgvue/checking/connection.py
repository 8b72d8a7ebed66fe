"""The stages of a check: server, token, tenant, datasets, columns, and a finished export job."""

from __future__ import annotations

import itertools
from concurrent.futures import TimeoutError as StillRunning
from typing import TYPE_CHECKING, TypeVar

import msgspec
from typing_extensions import override

from tap_orgvue.exports.byte_streams import decompressed
from tap_orgvue.exports.headers import NO_ROWS
from tap_orgvue.exports.jobs import ExportJobs
from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.orgvue.errors import (
    DeadlineExceeded,
    FileHostUnreachable,
    MalformedResponse,
    OrgvueError,
    Refusal,
    TenantRefusal,
    TenantUnknown,
)
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.orgvue.transport import iter_raw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import requests

    from tap_orgvue.exports.jobs import JobTicket
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.deadlines import Deadline
    from tap_orgvue.orgvue.errors import RequestInfo
    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.streams.discovery import Discovery

T = TypeVar("T")

_MOST_BYTES = 8 * 1024 * 1024
"""The longest start of a response that is read, decompressed."""

_SHORT_BYTES = 64 * 1024
"""The longest response that is read to its end, as it is sent."""

_NOT_ENABLED = "40345"
_JOB_SECONDS = 40
_CHUNK_BYTES = 16 * 1024
_GZIP = b"\x1f\x8b"


class StageFailed(Exception):
    """A stage failed as it would in a run; the later stages depend on it.

    Attributes:
        stage: The stage's name.
        error: The cause, with its remedy.
    """

    def __init__(self, stage: str, error: OrgvueError) -> None:
        """Keep both."""
        super().__init__(f"{stage}: {error}")
        self.stage = stage
        self.error = error


class Stages:
    """Runs stages in a thread: some waits, for example for a host's address, have no timeout."""

    def __init__(self, deadline: Deadline) -> None:
        """Start nothing yet.

        Args:
            deadline: The end of all stages.
        """
        self._deadline = deadline
        self._pool = DaemonThreadPool(1)

    def run(self, name: str, check: Callable[[], T]) -> T:
        """Run a stage.

        Raises:
            StageFailed: It failed, or is not done in time.
        """
        try:
            return self._pool.submit(check).result(max(0, self._deadline.left()))
        except StillRunning:
            raise StageFailed(name, late(self._deadline)) from None
        except OrgvueError as error:
            raise StageFailed(name, error) from None

    def close(self) -> None:
        """Let the thread end."""
        self._pool.close()


def late(deadline: Deadline) -> DeadlineExceeded:
    """The error of a stage that is not done in time."""
    return DeadlineExceeded(f"not done in time: the whole check takes {deadline.limit} at most.")


def reach_server(client: Client) -> str:
    """Send a request without the token to the server; any response means that it is reachable."""
    request = client.files.prepare("GET", f"{client.options.api_url}/")
    try:
        with client.open_file(request, Purpose(RequestKind.PROBE)):
            pass
    except Refusal:
        pass
    return "the server responds"


def list_datasets(discovery: Discovery) -> None:
    """Request the list of datasets, which checks token, tenant and list.

    Raises:
        StageFailed: Orgvue refuses it; the stage is the one that the refusal is about.
        OrgvueError: The request failed in another way.
    """
    try:
        _ = discovery.listed
    except TenantUnknown as refusal:
        raise StageFailed("tenant", refusal) from None
    except TenantRefusal as refusal:
        stage = "tenant" if _NOT_ENABLED in refusal.codes else "token"
        raise StageFailed(stage, refusal) from None
    except Refusal as refusal:
        # A retryable refusal says nothing about the tenant.
        raise StageFailed("datasets" if refusal.retryable else "tenant", refusal) from None


class ExportStart(msgspec.Struct, frozen=True):
    """The start of an export that should have no rows.

    Attributes:
        headers: Its columns.
        is_empty: True if it has no row.
        has_next_link: True if it names a next page; None if its end was not read.
        encoding: How it was compressed, in words.
    """

    headers: tuple[Property, ...]
    is_empty: bool
    has_next_link: bool | None
    encoding: str


class _Enough(Exception):
    """The limit of a response's start is reached."""


def read_export_start(response: requests.Response) -> ExportStart:
    """Read a response up to its first row; to its end only if it is short.

    Raises:
        MalformedResponse: It is no export, ends early, or has too much before its first row.
    """
    chunks = iter_raw(response, _CHUNK_BYTES)
    first = next(chunks, b"")
    declared = "gzip" in response.headers.get("Content-Encoding", "")
    if first.startswith(_GZIP):
        encoding = "gzip, with Content-Encoding" if declared else "gzip, without Content-Encoding"
    else:
        encoding = "not compressed"
    rows = JsonRows(_limited(decompressed(itertools.chain([first], chunks))))
    length = response.headers.get("Content-Length", "")
    is_short = length.isdecimal() and int(length) <= _SHORT_BYTES
    linked: bool | None = None
    try:
        headers, is_empty = rows.headers, rows.is_empty
        if is_empty and is_short:
            for _ in rows.blocks(msgspec.json.decode):
                pass
            linked = rows.next_url is not None
    except _Enough:
        raise MalformedResponse(
            f"Orgvue sent an export with over {_MOST_BYTES // 1024**2} MB before its first row."
        ) from None
    return ExportStart(headers, is_empty, linked, encoding)


def _limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield chunk
        if size > _MOST_BYTES:
            raise _Enough


class JobOutcome(msgspec.Struct, frozen=True):
    """The outcome of an export job without rows.

    Attributes:
        finding: The text of the stage, if it did not fail.
        start: The start of the job's result; None without one.
        error: Why there is no result; None if there is one.
        fails: True if the error would fail a run.
        has_ticket: True if the ticket of a completed job was read.
    """

    finding: str = ""
    start: ExportStart | None = None
    error: OrgvueError | None = None
    fails: bool = False
    has_ticket: bool = False


class _WatchedJobs(ExportJobs):
    """Export jobs that note whether a ticket was completed."""

    has_ticket = False

    @override
    def _result(
        self,
        ticket: JobTicket,
        dataset_id: str | None,
        deadline: Deadline,
        read: Callable[[requests.Response, RequestInfo], T],
    ) -> T:
        self.has_ticket = True
        return super()._result(ticket, dataset_id, deadline, read)


def run_job(client: Client, dataset_id: str, mode: ExportMode) -> JobOutcome:
    """Run an export job without rows, and read the start of its result.

    Args:
        client: The tenant.
        dataset_id: A dataset that can be read.
        mode: The setting `export_mode`.
    """
    jobs = _WatchedJobs(client, timeout=_JOB_SECONDS, temp_dir=None)
    request = client.prepare("POST", client.export_url(dataset_id), json=NO_ROWS.body())
    try:
        start, _ = jobs.run(request, dataset_id, lambda response, _: read_export_start(response))
    except OrgvueError as error:
        outcome = _outcome_of(error, auto=mode is ExportMode.AUTO)
        return msgspec.structs.replace(outcome, has_ticket=jobs.has_ticket)
    read = "its result was downloaded" if start.is_empty else "the start of its result was read"
    return JobOutcome(f"an export job completed, and {read}", start, has_ticket=True)


def _outcome_of(error: OrgvueError, *, auto: bool) -> JobOutcome:
    if isinstance(error, FileHostUnreachable):
        finding = f"unavailable, so large datasets will be fetched in slices. {error}"
        return JobOutcome(finding, error=error, fails=not auto)
    finding = "Orgvue accepts no export jobs here, so large datasets will be fetched in slices"
    not_accepted = isinstance(error, Refusal) and error.not_accepted
    return JobOutcome(finding, error=error, fails=not (auto and not_accepted))
