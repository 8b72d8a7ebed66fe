"""A `requests` session that responds with downloaded exports, for the SDK's REST stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import BaseAdapter
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.exports.response import ExportResponse


class ExportSession(requests.Session):
    """Sends a request for an export, and gives a response over the whole downloaded export."""

    def __init__(self, fetch: Callable[[requests.PreparedRequest], ExportResponse]) -> None:
        """Take the function that fetches an export."""
        super().__init__()
        self.headers.clear()
        self.stream = True
        # Proxies and certificates of the environment are the client's concern.
        self.trust_env = False
        for scheme in ("https://", "http://"):
            self.mount(scheme, _ExportAdapter(fetch))


class _ExportAdapter(BaseAdapter):
    def __init__(self, fetch: Callable[[requests.PreparedRequest], ExportResponse]) -> None:
        super().__init__()
        self._fetch = fetch

    @override
    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Fetch an export; timeouts, certificates and proxies are the client's."""
        return self._fetch(request)

    @override
    def close(self) -> None:
        """Hold nothing, close nothing."""
