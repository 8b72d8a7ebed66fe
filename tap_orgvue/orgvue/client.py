"""One tenant's API: addresses, limits, retries, and the two small endpoints."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.auth import BearerToken, NoCredentials
from tap_orgvue.orgvue.errors import (
    MalformedResponse,
    RequestInfo,
    RequestLimitReached,
    Stopped,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import EXPORT_FORMAT, Dataset, Metadata, next_link
from tap_orgvue.orgvue.rate_limit import RateLimiter
from tap_orgvue.orgvue.retrying import Retrier
from tap_orgvue.orgvue.transport import Transport, read_start
from tap_orgvue.orgvue.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a tenant.

    Attributes:
        api_url: Scheme and host, without a slash at the end.
        tenant_id: For example `ACME`.
        api_token: The bearer token. A secret.
        user_agent: The `User-Agent` of every request.
        request_timeout: Seconds to wait for the next bytes of a response.
        max_parallel_requests: Requests in flight at once.
        max_retries: Retries of a request, beside its first attempt.
        max_requests_per_run: Requests to the API in all; None for no limit.
    """

    api_url: str
    tenant_id: str
    api_token: str
    user_agent: str = "tap-orgvue"
    request_timeout: float = 300
    max_parallel_requests: int = 8
    max_retries: int = 6
    max_requests_per_run: int | None = None

    @override
    def __repr__(self) -> str:
        """Omits the token, so that no log can show it."""
        return f"ClientOptions({self.tenant_id!r} at {self.api_url!r}, …)"


class Client:
    """One tenant's API, within Orgvue's limits. Thread safe.

    Attributes:
        options: How the tenant is reached.
        api: HTTP to the API's origin, with the token.
        files: HTTP to the hosts of finished exports, without credentials.
        request_count: Requests sent to the API so far.
        stop: Set when the run ends; it ends every wait.
        clock: Gives the time in seconds, monotonic.
        logger: Told of retries.
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
            logger: Told of retries; this module's by default.
            adapter: Sends the requests of both transports; HTTP over the network by default.
            stop: Ends every wait when it is set; all waits are its own.
            clock: Gives the time in seconds, monotonic.
        """
        self.options = options
        self.stop = stop or threading.Event()
        self.clock = clock
        self.api, self.files = (
            Transport(
                auth,
                user_agent=options.user_agent,
                timeout=options.request_timeout,
                max_connections=options.max_parallel_requests + 1,
                adapter=adapter,
            )
            for auth in (BearerToken(options.api_token, options.api_url), NoCredentials())
        )
        self.logger = logger or logging.getLogger(__name__)
        self.request_count = 0
        self._rate_limiter = RateLimiter(clock=clock)
        self._retrier = Retrier(self.stop, self._rate_limiter, self.logger)
        self._count_lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(options.max_parallel_requests)

    # -- addresses

    @property
    def base_url(self) -> str:
        """The tenant's part of the API, without a slash at the end."""
        return f"{self.options.api_url}/api/v1/{self.options.tenant_id}"

    def dataset_url(self, dataset_id: str) -> str:
        """The address of a dataset's metadata."""
        return f"{self.base_url}/datasets/{dataset_id}"

    def export_url(self, dataset_id: str) -> str:
        """The address of a dataset's synchronous export."""
        return f"{self.dataset_url(dataset_id)}/export/{EXPORT_FORMAT}"

    def items_url(self, dataset_id: str) -> str:
        """The address of a dataset's stored values."""
        return f"{self.dataset_url(dataset_id)}/items"

    def same_origin(self, link: str | None, page: str) -> str | None:
        """Make a link of a response absolute.

        Args:
            link: An absolute or relative URL, or None.
            page: The URL of the response with the link.

        Raises:
            MalformedResponse: The link leads to another origin; the token must not follow.
        """
        if link is None:
            return None
        try:
            url = urljoin(page, link)
            origin = origin_of(url)
        except ValueError:
            raise MalformedResponse("Orgvue's next link is not a URL.") from None
        if origin != origin_of(self.base_url):
            scheme, host, port = origin
            raise MalformedResponse(
                f"Orgvue's next link leads to another server ({scheme}://{host[:100]}:{port}); the "
                "tap does not follow it."
            )
        return url

    # -- one request

    def prepare(self, method: str, url: str, **parts: Any) -> requests.PreparedRequest:
        """Build a request to the API; `json=` gives it a body."""
        return self.api.prepare(method, url, headers=dict(HEADERS), **parts)

    @contextmanager
    def open(self, request: requests.PreparedRequest) -> Iterator[requests.Response]:
        """Send a request to the API once, within its limits; see `Transport.open`."""
        with self._slots:
            self._rate_limiter.wait(self.stop)
            self._count()
            with self.api.open(request) as response:
                yield response

    def _count(self) -> None:
        if self.stop.is_set():
            raise Stopped("The run is ending.")
        limit = self.options.max_requests_per_run
        with self._count_lock:
            if limit is not None and self.request_count >= limit:
                raise RequestLimitReached(
                    f"Stopped: the limit of {limit} requests (`max_requests_per_run`) is reached."
                )
            self.request_count += 1

    def retrying(self, attempt: Callable[[], T], *, tries: int | None = None) -> T:
        """Call until it succeeds, with retries; see `Retrier.call`.

        Args:
            attempt: Sends a request once.
            tries: The maximum number of calls; `max_retries` and one by default.
        """
        tries = self.options.max_retries + 1 if tries is None else tries
        return self._retrier.call(attempt, tries=tries)

    def json(self, request: requests.PreparedRequest) -> Any:
        """Send a request to the API and decode its small JSON response, with retries.

        Raises:
            TruncatedResponse: The body is not a complete JSON document.
            OrgvueError: Orgvue refuses the request, or no complete response arrives.
        """
        info = RequestInfo(str(request.method), str(request.url))

        def attempt() -> Any:
            with self.open(request) as response:
                body = read_start(response, _SMALL_RESPONSE_BYTES)
            try:
                return _decode(body)
            except (ValueError, RecursionError):
                raise TruncatedResponse(
                    f"Orgvue's response to {info} is not JSON, or only a part of it."
                ) from None

        return self.retrying(attempt)

    # -- the small endpoints

    def datasets(self) -> list[Dataset]:
        """List the tenant's datasets (API guide, "List datasets").

        No paging is documented; next links are followed if there are any.

        Raises:
            MalformedResponse: The list is not as documented.
            Refusal: Orgvue refuses the list.
        """
        found: list[Dataset] = []
        url: str | None = f"{self.base_url}/datasets"
        seen: set[str] = set()
        while url is not None:
            seen.add(url)
            page = self.json(self.prepare("GET", url))
            found += [Dataset.from_json(entry) for entry in _list_entries(page)]
            url = self.same_origin(next_link(page), url)
            if url in seen:
                raise MalformedResponse(
                    "The next links of Orgvue's list of datasets lead in a circle."
                )
        return found

    def metadata(self, dataset_id: str) -> Metadata:
        """Request a dataset's metadata (API guide, "Dataset metadata").

        Raises:
            MalformedResponse: The metadata is not as documented.
            Refusal: Orgvue refuses the metadata.
        """
        return Metadata.from_json(self.json(self.prepare("GET", self.dataset_url(dataset_id))))

    def close(self) -> None:
        """End every wait and close the connections."""
        self.stop.set()
        self.api.close()
        self.files.close()


def _list_entries(page: Any) -> list[Any]:
    """The entries of a page: the array itself, or the only array of an object (inferred)."""
    if isinstance(page, list):
        return page
    if isinstance(page, dict):
        arrays = [value for value in page.values() if isinstance(value, list)]
        if len(arrays) == 1:
            return arrays[0]
    raise MalformedResponse("Orgvue's list of datasets is not a list.")


def _decode(body: bytes) -> Any:
    """Decode JSON; a lone surrogate becomes a question mark, because msgspec refuses it."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        return json.loads(text.encode("utf-8", "replace"))
