"""Fetches exports by the delivery that works: synchronous, by export job, or in slices.

Each delivery gives the same jsonRows body as a complete local file; callers cannot tell which.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_orgvue.exports.download import download
from tap_orgvue.exports.jobs import ExportJobs, body_of
from tap_orgvue.exports.progress import UNWATCHED
from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    FileHostUnreachable,
    OrgvueError,
    Refusal,
    RequestInfo,
)
from tap_orgvue.orgvue.models import EXPORT_FORMAT, ITEMS, ExportMode
from tap_orgvue.orgvue.request_log import Purpose, RequestKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from tap_orgvue.exports.download import DownloadedFile
    from tap_orgvue.exports.progress import ExportProgress
    from tap_orgvue.orgvue.client import Client


class ExportFetcher:
    """Fetches exports, and remembers the delivery that works for each dataset. Thread safe."""

    def __init__(
        self,
        client: Client,
        mode: ExportMode = ExportMode.AUTO,
        *,
        job_timeout: float,
        reads_ahead: bool,
        temp_dir: str | None = None,
    ) -> None:
        """Request nothing yet.

        Args:
            client: The tenant; its logger logs each change of delivery and its cause, at
                INFO, or as a warning if the host of finished exports is out of reach.
            mode: The deliveries that may be tried.
            job_timeout: Seconds for an export by job as a whole, its download included.
            reads_ahead: True if a thread decompresses an export while its rows are decoded.
            temp_dir: Folder for downloaded exports; the system's by default.
        """
        self._client = client
        self._mode = mode
        self._temp_dir = temp_dir
        self._reads_ahead = reads_ahead
        self._jobs = ExportJobs(client, timeout=job_timeout, temp_dir=temp_dir)
        self._known: dict[str, tuple[_Delivery, ...]] = {}
        self._fetch_by: Mapping[
            _Delivery,
            Callable[[requests.PreparedRequest, Purpose, ExportProgress], ExportResponse],
        ] = {
            _Delivery.SYNC: self._sync,
            _Delivery.JOB: self._job,
            _Delivery.SLICES: self._slice,
        }

    def fetch(
        self,
        request: requests.PreparedRequest,
        name: str,
        purpose: Purpose,
        progress: ExportProgress = UNWATCHED,
    ) -> ExportResponse:
        """Fetch an export.

        Args:
            request: A synchronous export's request; its path names the dataset.
            name: The stream's name, for the log.
            purpose: The dataset, and whether its export or its items are requested.
            progress: Receives the progress of the export.

        Returns:
            A response with a complete file, or with status 413 if only slices can be fetched.

        Raises:
            OrgvueError: The last delivery failed, or its error is not about the delivery.
        """
        dataset = urlsplit(str(request.url)).path
        deliveries = (
            (_Delivery.SYNC,)
            if _is_next_page(request)
            else self._known.get(dataset) or self._deliveries(request, purpose)
        )
        for i, delivery in enumerate(deliveries):
            others = deliveries[i + 1 :]
            try:
                response = self._fetch_by[delivery](request, purpose, progress)
            except _TryNextDelivery as passing:
                error: OrgvueError = passing.error
            except OrgvueError as refused:
                error = refused
            else:
                if not _is_next_page(request):
                    self._known[dataset] = (delivery, *others)
                return response
            if not others or not self._should_try_next(delivery, error, request):
                raise error
            self._report_change(name, delivery, others[0], error)
        raise AssertionError  # pragma: no cover - the last delivery returns or raises

    def delivery_of(self, url: str) -> str | None:
        """The delivery that worked for a dataset: `synchronous`, `job` or `slices`.

        Args:
            url: The URL or path of its synchronous export.

        Returns:
            None if no export of it was fetched.
        """
        known = self._known.get(urlsplit(url).path)
        return _NAMES[known[0]] if known else None

    def planned(self, request: requests.PreparedRequest, purpose: Purpose) -> tuple[str, ...]:
        """The deliveries that `fetch` would try, in their order: synchronous, job, slices."""
        return tuple(_NAMES[delivery] for delivery in self._deliveries(request, purpose))

    def is_final(
        self, request: requests.PreparedRequest, purpose: Purpose, error: OrgvueError
    ) -> bool:
        """True if `fetch` would raise an error of a synchronous response."""
        delivery, *others = self._deliveries(request, purpose)
        if delivery is not _Delivery.SYNC:
            return False
        return not others or not self._should_try_next(delivery, error, request)

    def _report_change(
        self, name: str, delivery: _Delivery, following: _Delivery, error: OrgvueError
    ) -> None:
        """Log a change of delivery: a warning only if a host is unreachable."""
        logger = self._client.logger
        if isinstance(error, FileHostUnreachable):
            logger.warning("'%s' is fetched by %s. %s", name, following.value, error)
            return
        why = _why(error, delivery)
        logger.info("'%s' is fetched by %s, because %s.", name, following.value, why)
        logger.debug("%s", error)

    def _deliveries(
        self, request: requests.PreparedRequest, purpose: Purpose
    ) -> tuple[_Delivery, ...]:
        """The deliveries to try, in this order."""
        if purpose.kind is RequestKind.ITEMS:
            return (_Delivery.SYNC, _Delivery.SLICES)
        if self._mode is ExportMode.ASYNC or b"linkingRelationships" in body_of(request):
            return (_Delivery.JOB,)
        if self._mode is ExportMode.PAGED:
            return (_Delivery.SLICES,)
        if self._mode is ExportMode.SYNC:
            post = request.method == "POST"
            return (_Delivery.SYNC, _Delivery.JOB) if post else (_Delivery.SYNC,)
        return (_Delivery.SYNC, _Delivery.JOB, _Delivery.SLICES)

    def _should_try_next(
        self, delivery: _Delivery, error: OrgvueError, request: requests.PreparedRequest
    ) -> bool:
        """True if the delivery, not the dataset, caused the error."""
        not_accepted = isinstance(error, Refusal) and error.not_accepted
        if delivery is _Delivery.JOB:
            return not_accepted or isinstance(error, FileHostUnreachable)
        too_large = self._mode is ExportMode.AUTO and _may_be_too_large(error)
        return too_large or (not_accepted and request.method == "POST")

    # -- the deliveries

    def _sync(
        self, request: requests.PreparedRequest, purpose: Purpose, progress: ExportProgress
    ) -> ExportResponse:
        is_only_delivery = self._mode is ExportMode.SYNC or _is_next_page(request)
        return self._response(request, purpose, progress, retry_timeouts=is_only_delivery)

    def _job(
        self, request: requests.PreparedRequest, purpose: Purpose, progress: ExportProgress
    ) -> ExportResponse:
        return self._over(request, self._jobs.fetch(request, purpose.dataset_id, progress))

    def _slice(
        self, request: requests.PreparedRequest, purpose: Purpose, progress: ExportProgress
    ) -> ExportResponse:
        try:
            return self._response(request, purpose, progress, retry_timeouts=False)
        except (_TryNextDelivery, Refusal) as error:
            if isinstance(error, _TryNextDelivery) or error.too_large:
                return ExportResponse(request, None)
            raise

    def _response(
        self,
        request: requests.PreparedRequest,
        purpose: Purpose,
        progress: ExportProgress,
        *,
        retry_timeouts: bool,
    ) -> ExportResponse:
        """Download one synchronous response.

        Args:
            request: The request.
            purpose: What it is for.
            progress: Receives the progress of the export.
            retry_timeouts: True if an export that may be too large is requested again.

        Raises:
            _TryNextDelivery: The export may be too large, and `retry_timeouts` is False.
            OrgvueError: The request failed.
        """
        info = RequestInfo(str(request.method), str(request.url))
        bracket = b"[" if purpose.kind is RequestKind.ITEMS else b"{"

        def attempt() -> DownloadedFile:
            try:
                with self._client.open(request, purpose) as response:
                    return download(
                        response,
                        info,
                        temp_dir=self._temp_dir,
                        bracket=bracket,
                        progress=progress,
                    )
            except (Refusal, ConnectionFailed) as error:
                if not retry_timeouts and _may_be_too_large(error):
                    raise _TryNextDelivery(error) from None
                raise

        progress.waiting()
        return self._over(request, self._client.retrying(attempt, purpose))

    def _over(self, request: requests.PreparedRequest, file: DownloadedFile) -> ExportResponse:
        return ExportResponse(request, file, reads_ahead=self._reads_ahead)


class _Delivery(Enum):
    """The values are for the log."""

    SYNC = "synchronous export"
    JOB = "export job"
    SLICES = "synchronous exports in slices"


_NAMES = {
    _Delivery.SYNC: "synchronous",
    _Delivery.JOB: "job",
    _Delivery.SLICES: "slices",
}
"""The deliveries as the run report names them."""


class _TryNextDelivery(Exception):
    """The export may be too large: the next delivery is better than a retry."""

    def __init__(self, error: OrgvueError) -> None:
        super().__init__()
        self.error = error


def _is_next_page(request: requests.PreparedRequest) -> bool:
    """True for the URL of a next link: a job or a slice would deliver all rows again."""
    parts = urlsplit(str(request.url))
    return bool(parts.query) or not parts.path.endswith((f"/export/{EXPORT_FORMAT}", f"/{ITEMS}"))


def _why(error: OrgvueError, delivery: _Delivery) -> str:
    """Why a delivery does not work for a dataset, in a clause."""
    if not isinstance(error, Refusal):
        return f"its {delivery.value} took too long"
    if error.not_accepted:
        return f"Orgvue accepts no {delivery.value} of it (HTTP {error.status})"
    return f"its {delivery.value} is too large for one response (HTTP {error.status})"


def _may_be_too_large(error: OrgvueError) -> bool:
    """True for a timeout and for the statuses that a large export causes (inferred)."""
    if isinstance(error, ConnectionFailed):
        return error.timed_out
    return isinstance(error, Refusal) and error.too_large
