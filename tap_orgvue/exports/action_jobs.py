"""Exports the item actions of drafts: by the same jobs as exports, or as the response itself.

The API guide documents the request, and that the actions are a JSON array behind a URL in the
response. That the response is a job ticket is inferred; an array is taken as the actions.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_orgvue.exports.byte_streams import SMALL_PIECE_BYTES, decompressed, read_chunks
from tap_orgvue.exports.download import DownloadedFile, download
from tap_orgvue.exports.items import ItemRows
from tap_orgvue.exports.jobs import ExportJobs, JobStatus, JobTicket
from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.exports.progress import UNWATCHED
from tap_orgvue.orgvue.errors import (
    ErrorsInResponse,
    JobFailed,
    MalformedResponse,
    Refusal,
    RequestInfo,
    TenantRefusal,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import link_url
from tap_orgvue.orgvue.request_log import Purpose, RequestKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import requests

    from tap_orgvue.exports.json_rows import T
    from tap_orgvue.exports.progress import ExportProgress
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.deadlines import Deadline

_ARRAY, _OBJECT = b"[", b"{"
_NO_ACTIONS = b"[]"
_MAX_TICKET_BYTES = 1024 * 1024
_URL_MEMBERS = ("resultUrl", "resultLocation", "downloadUrl", "url")


class ActionJobs(ExportJobs):
    """Exports the item actions of drafts' layers. Thread safe."""

    _alternative = ""

    @override
    def fetch(
        self,
        request: requests.PreparedRequest,
        dataset_id: str | None = None,
        progress: ExportProgress = UNWATCHED,
    ) -> DownloadedFile:
        """Export the actions that a request names, and download them.

        Args:
            request: A POST, see `actions_request`.
            dataset_id: The draft, to count the requests for.
            progress: Receives the progress of the job.

        Returns:
            A JSON array, complete on disk.

        Raises:
            MalformedResponse: The actions are no array, or the response is neither an array nor
                a job ticket.
            OrgvueError: See `ExportJobs.fetch`.
        """

        def run(deadline: Deadline) -> DownloadedFile:
            progress.waiting()
            file = self._begin(request, purpose, deadline, progress)
            if _first_byte(file) == _ARRAY:
                return file
            ticket = action_ticket(_small_object(file, request))
            progress.job_started()
            ticket = self._completed(ticket, dataset_id, deadline)
            return self._result(ticket, dataset_id, deadline, read)

        def read(response: requests.Response, info: RequestInfo) -> DownloadedFile:
            return self._download(response, info, progress)

        purpose = Purpose(RequestKind.ACTIONS, dataset_id)
        file = self._until_complete(run, purpose)
        if _first_byte(file) == _ARRAY:
            return file
        _small_object(file, request)
        raise MalformedResponse(
            "The actions of a draft are not a JSON array, as Orgvue's API guide documents them."
        )

    def _download(
        self, response: requests.Response, info: RequestInfo, progress: ExportProgress
    ) -> DownloadedFile:
        """Download an array, or an object such as a job ticket."""
        either = _ARRAY + _OBJECT
        return download(response, info, temp_dir=self._temp_dir, bracket=either, progress=progress)

    def _begin(
        self,
        request: requests.PreparedRequest,
        purpose: Purpose,
        deadline: Deadline,
        progress: ExportProgress,
    ) -> DownloadedFile:
        """Send the request; its response may be as large as the actions."""
        info = RequestInfo(str(request.method), str(request.url))

        def attempt() -> DownloadedFile:
            with self._client.open(request, purpose, deadline=deadline) as response:
                if response.status_code == HTTPStatus.NO_CONTENT:
                    return DownloadedFile(BytesIO(_NO_ACTIONS))
                return self._download(response, info, progress)

        try:
            return self._client.retrying(attempt, purpose, deadline=deadline)
        except TenantRefusal:
            raise
        except Refusal as refusal:
            if refusal.is_failed_job:
                raise JobFailed(str(refusal), cause=refusal) from None
            raise


class ActionRows(ItemRows):
    """A JSON array of item actions, in blocks and in constant memory."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        """Read nothing yet; `chunks` is the decompressed array."""
        super().__init__(chunks, ())

    @override
    def blocks(self, decode: Callable[[bytes], list[T]]) -> Iterator[list[T]]:
        """Read all actions; see `JsonRows.blocks`."""
        return JsonRows.blocks(self, decode)


def actions_request(client: Client, draft_id: str, layer_key: str) -> requests.PreparedRequest:
    """The request for the actions of one layer (API guide, "Drafts").

    One layer a request: the response to a request for several does not say which action belongs
    to which layer.
    """
    layers = [{"draftId": draft_id, "layerKey": layer_key}]
    return client.prepare("POST", client.draft_actions_url, json={"layers": layers})


def action_ticket(body: Any) -> JobTicket:
    """Read the response to a request for actions as a job ticket.

    A response without a job status has the URL of the actions, as documented.

    Raises:
        MalformedResponse: It is no ticket, and has no URL.
    """
    if isinstance(body, dict) and "jobStatus" not in body:
        links = body.get("_links")
        urls = [link_url(links, "result"), link_url(links, "self"), *map(body.get, _URL_MEMBERS)]
        url = next((each for each in urls if isinstance(each, str) and each), None)
        if url is None:
            raise MalformedResponse(
                "Orgvue's response to a request for the actions of a draft is neither a job "
                "ticket nor an array."
            )
        return JobTicket(JobStatus.COMPLETED, None, url)
    return JobTicket.from_json(body)


def _first_byte(file: DownloadedFile) -> bytes:
    """The first byte of the document; the file is at its beginning before and after."""
    try:
        chunks = decompressed(read_chunks(file.file, SMALL_PIECE_BYTES), SMALL_PIECE_BYTES)
        return next(filter(None, (chunk.lstrip()[:1] for chunk in chunks)), b"")
    finally:
        file.file.seek(0)


def _small_object(file: DownloadedFile, request: requests.PreparedRequest) -> Any:
    """Read an object, such as a job ticket, and close its file.

    Raises:
        ErrorsInResponse: It reports errors, and is no job ticket.
        MalformedResponse: It is larger than a ticket can be.
        TruncatedResponse: It is not JSON.
    """
    text = b""
    with file.file as packed:
        for chunk in decompressed(read_chunks(packed, SMALL_PIECE_BYTES), SMALL_PIECE_BYTES):
            text += chunk
            if len(text) > _MAX_TICKET_BYTES:
                raise MalformedResponse(
                    "Orgvue's response to a request for the actions of a draft is a large object: "
                    "neither a job ticket nor an array."
                )
    info = RequestInfo(str(request.method), str(request.url))
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise TruncatedResponse(f"Orgvue's response to {info} is not JSON.") from None
    if body.get("errors") and "jobStatus" not in body:
        raise ErrorsInResponse.from_document(info, body, file.trace_id)
    return body
