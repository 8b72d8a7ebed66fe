"""One tenant's API: its origin, its token, its pace, and asking again what may pass."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin

import msgspec

from tap_orgvue.orgvue.auth import BearerToken, NoCredentials
from tap_orgvue.orgvue.errors import (
    Asked,
    BrokenAnswer,
    CutAnswer,
    OrgvueError,
    OutOfRequests,
    Refusal,
    Stopped,
)
from tap_orgvue.orgvue.models import Dataset, Metadata, next_link
from tap_orgvue.orgvue.rate_limit import Pace
from tap_orgvue.orgvue.retrying import _may_pass, _wait_after
from tap_orgvue.orgvue.transport import Transport, beginning
from tap_orgvue.orgvue.urls import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from tap_orgvue.settings.settings import Settings


T = TypeVar("T")

HEADERS = {
    "Content-Type": "application/json; charset=UTF-8",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}
"""Sent with every request, also with GET (API guide, "Every request")."""

_SMALL_ANSWER_BYTES = 64 * 1024 * 1024


class Client:
    """What can be asked of one tenant.

    Thread safe: many threads ask at once, within the documented limits.

    Attributes:
        api: To the API's origin, with the token.
        files: To the hosts of finished exports, without any credential.
        request_count: How many requests went to the API.
        stop: Set when the run ends; every wait then ends.
    """

    def __init__(self, settings: Settings, *, logger: logging.Logger | None = None) -> None:
        """Open no connection yet."""
        self.settings = settings
        self.stop = threading.Event()
        self.api = Transport(BearerToken(settings.api_token, settings.api_url), settings)
        self.files = Transport(NoCredentials(), settings)
        self.logger = logger or logging.getLogger(__name__)
        self._base = f"{settings.api_url}/api/v1/{settings.tenant_id}"
        self._pace = Pace()
        self.request_count = 0
        self._counting = threading.Lock()
        self._slots = threading.BoundedSemaphore(settings.max_parallel_requests)

    # -- asking once

    def url(self, path: str) -> str:
        """The address of something of the tenant's, for example `/datasets`."""
        return f"{self._base}{path}"

    def prepare(self, method: str, url: str, **parts: Any) -> requests.PreparedRequest:
        """Build a request to the API; `json=` gives it a body."""
        return self.api.prepare(method, url, headers=dict(HEADERS), **parts)

    @contextmanager
    def open(self, request: requests.PreparedRequest) -> Iterator[requests.Response]:
        """Ask the API once, within its limits; see `Transport.open`."""
        with self._slots:
            self._pace.wait(self.stop)
            self._count()
            with self.api.open(request) as response:
                yield response

    def _count(self) -> None:
        if self.stop.is_set():
            raise Stopped("The run is ending.")
        most = self.settings.max_requests_per_run
        with self._counting:
            if most is not None and self.request_count >= most:
                raise OutOfRequests(
                    f"This run has made {most} requests, which `max_requests_per_run` allows."
                )
            self.request_count += 1

    def json(self, request: requests.PreparedRequest) -> Any:
        """Ask the API and read a small answer whole, asking again what may pass."""
        asked = Asked(str(request.method), str(request.url))

        def once() -> Any:
            with self.open(request) as response:
                body = beginning(response, _SMALL_ANSWER_BYTES)
            try:
                return _decoded(body)
            except (ValueError, RecursionError):
                message = f"Orgvue's answer to {asked} is not JSON, or only a part of it."
                raise CutAnswer(message) from None

        return self.retrying(once)

    # -- asking again

    def retrying(self, attempt: Callable[[], T], *, tries: int | None = None) -> T:
        """Call until it works, as long as what went wrong may pass.

        Args:
            attempt: Asks once; called again after a wait.
            tries: How often it may be called; as `max_retries` says by default.

        Raises:
            OrgvueError: The last try's, or the first that asking again does not mend.
        """
        tries = self.settings.max_retries + 1 if tries is None else tries
        for tried in range(1, tries):
            try:
                return attempt()
            except OrgvueError as error:
                if not _may_pass(error):
                    raise
                seconds = _wait_after(tried, error)
                self.logger.warning(
                    "Asking again in %.1f seconds (try %d of %d): %s",
                    seconds,
                    tried + 1,
                    tries,
                    error,
                )
                if isinstance(error, Refusal) and error.throttled:
                    self._pace.pause(seconds)
                if self.stop.wait(seconds):
                    raise
        return attempt()

    # -- the small endpoints

    def datasets(self) -> list[Dataset]:
        """List the tenant's datasets, following pages where Orgvue gives any.

        Raises:
            BrokenAnswer: The list is not as documented.
            Refusal: The list is refused.
        """
        found: list[Dataset] = []
        url: str | None = self.url("/datasets")
        seen = set()
        while url is not None:
            seen.add(url)
            answer = self.json(self.prepare("GET", url))
            found += [Dataset.from_json(entry) for entry in _list_entries(answer)]
            url = self.same_origin(next_link(answer), url)
            if url in seen:
                message = "Orgvue's list of datasets leads in a circle: a page links to itself."
                raise BrokenAnswer(message)
        return found

    def metadata(self, dataset_id: str) -> Metadata:
        """Ask for a dataset's metadata."""
        request = self.prepare("GET", self.url(f"/datasets/{dataset_id}"))
        return Metadata.from_json(self.json(request))

    def same_origin(self, url: str | None, page: str) -> str | None:
        """Let through a link to the API itself, relative ones made whole.

        Args:
            url: The link; None where there is none.
            page: The address of what it was found in.

        Raises:
            BrokenAnswer: The link leads elsewhere; the token must not follow it.
        """
        if url is None:
            return None
        try:
            whole = urljoin(page, url)
            origin = origin_of(whole)
        except ValueError:
            raise BrokenAnswer("Orgvue's answer links its next page at no address.") from None
        if origin != origin_of(self._base):
            scheme, host, port = origin
            message = (
                "Orgvue's answer links its next page to another server "
                f"({scheme}://{host[:100]}:{port}), which is not followed."
            )
            raise BrokenAnswer(message)
        return whole

    def close(self) -> None:
        """End every wait and close the connections."""
        self.stop.set()
        self.api.close()
        self.files.close()


def _list_entries(answer: Any) -> list[Any]:
    """The array of the list; should it ever come in pages, the page's only array."""
    if isinstance(answer, list):
        return answer
    if isinstance(answer, dict):
        arrays = [value for value in answer.values() if isinstance(value, list)]
        if len(arrays) == 1:
            return arrays[0]
    message = "Orgvue's answer to a request for the list of datasets is not a list."
    raise BrokenAnswer(message)


def _decoded(body: bytes) -> Any:
    """Read JSON; of half a character, which is almost JSON, a question mark remains."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        halves = json.dumps(json.loads(body), ensure_ascii=False)
        return json.loads(halves.encode("utf-8", "replace"))
