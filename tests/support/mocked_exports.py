"""One dataset's exports from `requests-mock`: the API's responses, job tickets, their results."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
import requests

from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tests.support.mocked_orgvue import TENANT, MockedOrgvue

if TYPE_CHECKING:
    import logging

    from tap_orgvue.exports.response import ExportResponse

DATASET_ID = "00000000-0000-0000-0000-00000000000A"
METADATA = f"{TENANT}/datasets/{DATASET_ID}"
EXPORT = f"{METADATA}/export/jsonRows"
ITEMS = f"{METADATA}/items"
JOB = f"{METADATA}/export?exportFormat=jsonRows&resultEncoding=gzip"
FILES = "https://files.test"
TICKET = f"{FILES}/ticket?X-Amz-Signature=5ec2e7"
RESULT = f"{FILES}/result?X-Amz-Signature=5ec2e7"

HEADERS = [{"key": "_id", "name": "Id", "type": "text"}, {"key": "x", "name": "X", "type": "text"}]
NO_CONNECTION = {"exc": requests.exceptions.ConnectionError}
"""What `requests-mock` takes for a response that never arrives."""
ROWS = [["1", "a"], ["2", "b"]]
PROJECTION = {"query": {"output": {"projection": {"_id": 1, "x": 1}}}}
_READ = msgspec.json.Decoder(list[list[Any]]).decode


def document(rows: Any = ROWS, headers: Any = HEADERS, **members: Any) -> dict[str, bytes]:
    """A jsonRows response."""
    return {"content": json.dumps({"headers": headers, "rows": rows, **members}).encode()}


def ticket(status: object, *links: str, **members: Any) -> dict[str, Any]:
    """A job ticket, by default with all links that its status has.

    Args:
        status: The job's status.
        *links: The relations that it links.
        **members: Its other members; `trace` is the trace id.
    """
    urls = {"self": TICKET, "result": RESULT}
    links = links or (("self", "result") if status == "completed" else ("self",))
    trace = members.pop("trace", "Root=1-abc")
    made = {"jobStatus": status, "_links": {name: {"url": urls[name]} for name in links}}
    return {"json": {**made, "X-Amzn-Trace-Id": trace, **members}}


def refusal(status: int, code: str = "", name: str = "") -> dict[str, Any]:
    """A refusal with one error."""
    return {"status_code": status, "json": {"errors": [{"code": code, "name": name}]}}


class MockedExports(MockedOrgvue):
    """One dataset; each route responds with 404 until it is told how to respond.

    Attributes:
        fetcher: Fetches the dataset's exports.
    """

    def __init__(
        self,
        mode: ExportMode = ExportMode.AUTO,
        *,
        logger: logging.Logger | None = None,
        job_timeout: float = 3600,
        **options: Any,
    ) -> None:
        """Make a fetcher.

        Args:
            mode: The deliveries that may be tried.
            logger: The client's.
            job_timeout: Seconds until a job must be completed.
            **options: Fields of `ClientOptions`.
        """
        super().__init__(logger=logger, **{"max_retries": 0, **options})
        for method, url in (("GET", EXPORT), ("POST", EXPORT), ("POST", JOB)):
            self.serve(method, url, refusal(404))
        for url in (METADATA, ITEMS, TICKET, RESULT):
            self.serve("GET", url, refusal(404))
        self.fetcher = ExportFetcher(self.client, mode, job_timeout=job_timeout, reads_ahead=False)

    def request(self, body: Any = None, url: str = EXPORT) -> requests.PreparedRequest:
        """A request for the dataset's rows: a GET, or a POST of a body."""
        return self.client.prepare("POST" if body else "GET", url, json=body)

    def fetch(self, body: Any = None, url: str = EXPORT) -> ExportResponse:
        """Fetch the export, with a query as the body of its request."""
        kind = RequestKind.ITEMS if url == ITEMS else RequestKind.EXPORT
        return self.fetcher.fetch(self.request(body, url), "people", Purpose(kind, DATASET_ID))

    def rows(self, body: Any = None) -> list[Any] | None:
        """The rows of the export; None if it must be requested in slices."""
        response = self.fetch(body)
        try:
            return None if response.rows is None else list(chain(*response.rows.blocks(_READ)))
        finally:
            response.close()

    @property
    def routes(self) -> list[str]:
        """All requests, each as its method and the last part of its path."""
        return [
            f"{request.method} {request.url.partition('?')[0].rpartition('/')[2]}"
            for request in self.adapter.request_history
        ]

    @property
    def polls(self) -> list[float]:
        """The waits between polls and before retries; those of the rate limiter are shorter."""
        return [seconds for seconds in self.stop.waits if seconds > 0.1]
