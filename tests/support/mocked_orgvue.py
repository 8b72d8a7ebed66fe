"""A client whose responses come from `requests-mock`, and whose waits take no time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import requests_mock
from typing_extensions import override

from tap_orgvue.orgvue.client import Client, ClientOptions
from tap_orgvue.orgvue.request_log import Purpose, RequestKind

if TYPE_CHECKING:
    import logging

API = "https://orgvue.test"
TENANT = f"{API}/api/v1/ACME"
TOKEN = "the-token-of-the-tests"
PROBE = Purpose(RequestKind.PROBE)
"""The purpose of a request that asks for nothing of the tenant."""


class FastForward(threading.Event):
    """An event whose waits end at once and move its clock instead.

    Attributes:
        now: Seconds.
        waits: The waits so far, in seconds.
        ends_after: The number of waits after which the run ends; None for never.
    """

    def __init__(self, ends_after: int | None = None) -> None:
        """Begin at 0."""
        super().__init__()
        self.now = 0.0
        self.waits: list[float] = []
        self.ends_after = ends_after

    def clock(self) -> float:
        """The time in seconds."""
        return self.now

    @override
    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "this wait would never end"
        self.waits.append(timeout)
        self.now += timeout
        if len(self.waits) == self.ends_after:
            self.set()
        return self.is_set()


class MockedOrgvue:
    """One tenant without a server.

    Attributes:
        adapter: Serves the responses of both hosts; see `requests_mock`.
        stop: The client's waits.
        client: A client of the tenant.
    """

    def __init__(self, *, logger: logging.Logger | None = None, **options: Any) -> None:
        """Serve nothing yet.

        Args:
            logger: The client's.
            **options: Fields of `ClientOptions` beside the address, the tenant and the token.
        """
        self.adapter = requests_mock.Adapter()
        self.stop = FastForward()
        self.client = Client(
            ClientOptions(api_url=API, tenant_id="ACME", api_token=TOKEN, **options),
            adapter=self.adapter,
            stop=self.stop,
            clock=self.stop.clock,
            logger=logger,
        )

    def serve(self, method: str, url: str, *responses: dict[str, Any]) -> None:
        """Serve responses in order; the last one repeats.

        Args:
            method: The HTTP method.
            url: The whole URL.
            *responses: Arguments of `requests_mock`, for example `json` and `status_code`.
        """
        self.adapter.register_uri(method, url, list(responses), complete_qs=True)

    @property
    def urls(self) -> list[str]:
        """The URLs of all requests, in order."""
        return [request.url for request in self.adapter.request_history]
