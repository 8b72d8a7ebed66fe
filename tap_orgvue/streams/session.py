"""A `requests` session that answers with whole exports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from requests.adapters import BaseAdapter
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from tap_orgvue.exports.response import ExportAnswer


class ExportAdapter(BaseAdapter):
    """Lets a `requests` session get exports: a request goes in, a whole export comes out."""

    def __init__(self, fetch: Callable[[requests.PreparedRequest], ExportAnswer]) -> None:
        """Take what fetches an export."""
        super().__init__()
        self._fetch = fetch

    @override
    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Fetch an export; time-outs, certificates and proxies are the client's."""
        return self._fetch(request)

    @override
    def close(self) -> None:
        """Hold nothing, close nothing."""
