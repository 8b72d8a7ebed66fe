"""One tenant's API: limits, retries, and the two small endpoints."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.addresses import Addresses
from tap_orgvue.orgvue.auth import BearerToken, NoCredentials
from tap_orgvue.orgvue.deadlines import Deadline, earliest
from tap_orgvue.orgvue.error_body import one_line
from tap_orgvue.orgvue.errors import (
    TRACE_HEADER,
    DeadlineExceeded,
    ErrorsInResponse,
    MalformedResponse,
    Refusal,
    RequestInfo,
    RequestLimitReached,
    Stopped,
    TenantRefusal,
    TenantUnknown,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import DatasetList, Metadata, entries_of_page, next_link
from tap_orgvue.orgvue.rate_limit import REQUESTS_PER_SECOND, RateLimiter
from tap_orgvue.orgvue.request_log import Purpose, RequestKind, RequestLog
from tap_orgvue.orgvue.retrying import Retrier
from tap_orgvue.orgvue.server_time import ServerTime
from tap_orgvue.orgvue.transport import Transport, read_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests
    from requests.adapters import BaseAdapter

T = TypeVar("T")
HEADERS = {
    "Content-Type": "application/json; charset=UTF-8",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}
"""Sent with every request, GET included (API guide, "Every request")."""

_SMALL_RESPONSE_BYTES = 64 * 1024 * 1024
"""The maximum size of a list or of metadata, decompressed; a larger body is an error."""

_WRONG_TENANT = {HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
"""Statuses of the list for a wrong tenant (inferred: the tenant is all that its path names)."""


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a tenant.

    Attributes:
        api_url: Scheme and host, without a slash at the end.
        tenant_id: For example `ACME`.
        api_token: The bearer token. A secret.
        user_agent: The `User-Agent` of every request.
        request_timeout: Seconds to wait for the head of a response, for the next bytes of its
            body, and for the whole of a small response: list, metadata, job ticket, refusal.
        max_parallel_requests: Requests in flight at once.
        max_retries: Retries of a request, beside its first attempt.
        max_retry_wait: Seconds: the longest `Retry-After` that is waited for.
        max_requests_per_run: Requests to the API in all; None for no limit.
        max_requests_per_second: Requests to the API of all threads together.
        total_timeout: Seconds until the client ends every wait, retry and response with an error;
            None for no limit.
    """

    api_url: str
    tenant_id: str
    api_token: str
    user_agent: str = "tap-orgvue"
    request_timeout: float = 300
    max_parallel_requests: int = 8
    max_retries: int = 6
    max_retry_wait: float = 900
    max_requests_per_run: int | None = None
    max_requests_per_second: int = REQUESTS_PER_SECOND
    total_timeout: float | None = None

    @override
    def __repr__(self) -> str:
        """Omits the token, so that no log can show it."""
        return f"ClientOptions({self.tenant_id!r} at {self.api_url!r}, …)"


class Client(Addresses):
    """One tenant's API, within Orgvue's limits. Thread safe.

    Attributes:
        options: How the tenant is reached.
        api: HTTP to the API's origin, with the token.
        files: HTTP to the hosts of finished exports, without credentials.
        requests: Counts the requests to the API and to the hosts of files.
        stop: Set when the run ends; it ends every wait.
        clock: Gives the time in seconds, monotonic.
        logger: Logs the retries.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        logger: logging.Logger | None = None,
        adapter: BaseAdapter | None = None,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open no connection yet.

        Args:
            options: How to reach the tenant.
            logger: Logs the retries; this module's by default.
            adapter: Sends the requests of both transports; HTTP over the network by default.
            stop: Ends every wait when it is set; all waits are its own.
            clock: Gives the time in seconds, monotonic.
        """
        super().__init__(options.api_url, options.tenant_id)
        self.options = options
        self.stop = stop or threading.Event()
        self.clock = clock
        self._deadline = (
            None
            if options.total_timeout is None
            else self.deadline(options.total_timeout, f"{options.total_timeout:g} seconds in all")
        )
        self.api, self.files = (
            Transport(
                auth,
                user_agent=options.user_agent,
                timeout=options.request_timeout,
                max_connections=options.max_parallel_requests + 1,
                adapter=adapter,
                deadline=self._deadline,
            )
            for auth in (BearerToken(options.api_token, options.api_url), NoCredentials())
        )
        self.logger = logger or logging.getLogger(__name__)
        self.requests = RequestLog()
        self._rate_limiter = RateLimiter(options.max_requests_per_second, clock=clock)
        self._retrier = Retrier(
            self.stop,
            self._rate_limiter,
            self.requests,
            self.logger,
            max_wait=options.max_retry_wait,
        )
        self._api_requests = 0
        self._count_lock = threading.Lock()
        self._date: tuple[str, float] | None = None
        self._slots = threading.BoundedSemaphore(options.max_parallel_requests)

    # -- one request

    def prepare(self, method: str, url: str, **parts: Any) -> requests.PreparedRequest:
        """Build a request to the API; `json=` gives it a body."""
        return self.api.prepare(method, url, headers=dict(HEADERS), **parts)

    @contextmanager
    def open(
        self,
        request: requests.PreparedRequest,
        purpose: Purpose,
        *,
        deadline: Deadline | None = None,
    ) -> Iterator[requests.Response]:
        """Send a request to the API once, within its limits; see `Transport.open`."""
        with self._slots:
            self._rate_limiter.wait(self.stop)
            self._count_to_limit()
            with self._send(self.api, request, purpose, deadline) as response:
                if date := response.headers.get("Date"):
                    self._date = date, self.clock()
                yield response

    @contextmanager
    def open_file(
        self,
        request: requests.PreparedRequest,
        purpose: Purpose,
        *,
        deadline: Deadline | None = None,
    ) -> Iterator[requests.Response]:
        """Send a request to a host of files once, without credentials; see `Transport.open`.

        Args:
            request: Prepared by `files`.
            purpose: What it is for.
            deadline: The end of the whole response.
        """
        if self.stop.is_set():
            raise Stopped("The run is ending.")
        with self._send(self.files, request, purpose, deadline) as response:
            yield response

    @contextmanager
    def _send(
        self,
        host: Transport,
        request: requests.PreparedRequest,
        purpose: Purpose,
        deadline: Deadline | None,
    ) -> Iterator[requests.Response]:
        """Send a request, and count it and a throttle."""
        meter = self.requests.meter(purpose)
        try:
            with host.open(request, meter, deadline=deadline) as response:
                yield response
        except Refusal as refusal:
            if refusal.throttled:
                meter.throttled()
            raise

    def server_time(self) -> ServerTime | None:
        """The `Date` of the latest successful response of the API; None without a readable one."""
        latest = self._date
        return ServerTime.from_header(*latest) if latest else None

    def deadline(self, seconds: float, limit: str) -> Deadline:
        """A deadline by this client's clock; see `Deadline`."""
        return Deadline(seconds, limit, clock=self.clock)

    def small_response_deadline(self) -> Deadline:
        """The deadline of a small response that is requested now."""
        seconds = self.options.request_timeout
        return self.deadline(seconds, f"`request_timeout` ({seconds:g} seconds)")

    def _count_to_limit(self) -> None:
        """Take one of the requests that the run may send; none if the run is ending."""
        if self.stop.is_set():
            raise Stopped("The run is ending.")
        if self._deadline and self._deadline.left() <= 0:
            raise DeadlineExceeded(f"No time is left: {self._deadline.limit} is the limit.")
        limit = self.options.max_requests_per_run
        with self._count_lock:
            if limit is not None and self._api_requests >= limit:
                raise RequestLimitReached(
                    f"Stopped: the limit of {limit} requests (`max_requests_per_run`) is reached."
                )
            self._api_requests += 1

    def retrying(
        self,
        attempt: Callable[[], T],
        purpose: Purpose,
        *,
        tries: int | None = None,
        deadline: Deadline | None = None,
    ) -> T:
        """Call until it succeeds, with retries; see `Retrier.call`.

        Args:
            attempt: Sends a request once.
            purpose: What the request is for.
            tries: The maximum number of calls; `max_retries` and one by default.
            deadline: No wait for a retry lasts longer.
        """
        tries = self.options.max_retries + 1 if tries is None else tries
        deadline = earliest(self._deadline, deadline)
        return self._retrier.call(attempt, purpose, tries=tries, deadline=deadline)

    def json(
        self,
        request: requests.PreparedRequest,
        purpose: Purpose,
        *,
        deadline: Deadline | None = None,
    ) -> Any:
        """Send a request to the API and decode its small JSON response, with retries.

        Args:
            request: The request.
            purpose: What it is for.
            deadline: The end of all attempts and their waits; none by default.

        Raises:
            TruncatedResponse: The body is not a complete JSON document.
            OrgvueError: Orgvue refuses the request, or no complete response arrives.
        """
        return self._exchange(request, purpose, deadline)[0]

    def _exchange(
        self,
        request: requests.PreparedRequest,
        purpose: Purpose,
        deadline: Deadline | None = None,
    ) -> tuple[Any, Mapping[str, str]]:
        """Send a request as `json` does; the decoded body and the headers of its response."""
        info = RequestInfo(str(request.method), str(request.url))

        def attempt() -> tuple[Any, Mapping[str, str]]:
            until = earliest(self.small_response_deadline(), deadline)
            with self.open(request, purpose, deadline=until) as response:
                body = read_start(response, _SMALL_RESPONSE_BYTES)
            try:
                return _decode(body), response.headers
            except (ValueError, RecursionError):
                raise TruncatedResponse(
                    f"Orgvue's response to {info} is not JSON, or only a part of it."
                ) from None

        return self.retrying(attempt, purpose, deadline=deadline)

    # -- the small endpoints

    def _get(self, url: str, purpose: Purpose) -> Any:
        """Request the JSON of a small endpoint.

        Raises:
            ErrorsInResponse: The response has a success status, but reports errors.
            OrgvueError: Orgvue refuses the request, or no complete response arrives.
        """
        body, headers = self._exchange(self.prepare("GET", url), purpose)
        if isinstance(body, dict) and body.get("errors"):
            trace_id = one_line(headers.get(TRACE_HEADER))
            raise ErrorsInResponse.from_document(RequestInfo("GET", url), body, trace_id)
        return body

    def datasets(self) -> DatasetList:
        """List the tenant's datasets (API guide, "List datasets").

        No paging is documented; next links are followed if there are any.

        Raises:
            MalformedResponse: The list is not as documented, or no entry of it.
            TenantUnknown: The tenant is wrong, or not the token's.
            Refusal: Orgvue refuses the list for another reason.
        """
        try:
            found = DatasetList.from_json(self.list_entries(f"{self.base_url}/datasets"))
        except TenantRefusal:
            raise
        except Refusal as refusal:
            if refusal.status in _WRONG_TENANT:
                raise TenantUnknown.from_refusal(refusal) from None
            raise
        for dataset in found.datasets:
            # A stream's own name, where it is known already, stays.
            self.requests.names.setdefault(dataset.dataset_id.upper(), dataset.name)
        return found

    def list_entries(self, first: str, kind: RequestKind = RequestKind.LIST) -> list[Any]:
        """The entries of all pages of the list of datasets or, for `DRAFTS`, of drafts.

        Raises:
            MalformedResponse: A page is no list, or its next link leads elsewhere.
            OrgvueError: Orgvue refuses a page, or no complete response arrives.
        """
        what = "drafts" if kind is RequestKind.DRAFTS else "datasets"
        found: list[Any] = []
        url: str | None = first
        seen: set[str] = set()
        while url is not None:
            seen.add(url)
            page = self._get(url, Purpose(kind))
            found += entries_of_page(page, what)
            url = self.same_origin(next_link(page), url)
            if url in seen:
                raise MalformedResponse(
                    f"The next links of Orgvue's list of {what} lead in a circle."
                )
        return found

    def metadata(self, dataset_id: str) -> Metadata:
        """Request a dataset's metadata (API guide, "Dataset metadata").

        Raises:
            MalformedResponse: The metadata is not as documented.
            Refusal: Orgvue refuses the metadata.
        """
        purpose = Purpose(RequestKind.METADATA, dataset_id)
        return Metadata.from_json(self._get(self.dataset_url(dataset_id), purpose))

    def close(self) -> None:
        """End every wait and close the connections."""
        self.stop.set()
        self.api.close()
        self.files.close()


def _decode(body: bytes) -> Any:
    """Decode JSON; a lone surrogate becomes a question mark, because msgspec refuses it."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        return json.loads(text.encode("utf-8", "replace"))
