"""The addresses of one tenant's API, and the tenant's name in states and reports."""

from __future__ import annotations

from urllib.parse import urljoin

from tap_orgvue.orgvue.error_body import one_line
from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import EXPORT_FORMAT
from tap_orgvue.orgvue.urls import is_loopback, origin_of

_HTTPS_PORT = 443


class Addresses:
    """The addresses of one tenant's API (API guide)."""

    def __init__(self, api_url: str, tenant_id: str) -> None:
        """Keep where the tenant is.

        Args:
            api_url: Scheme and host, without a slash at the end.
            tenant_id: For example `ACME`.
        """
        self._api_url = api_url
        self._tenant_id = tenant_id

    @property
    def base_url(self) -> str:
        """The tenant's part of the API, without a slash at the end."""
        return f"{self._api_url}/api/v1/{self._tenant_id}"

    def dataset_url(self, dataset_id: str) -> str:
        """The address of a dataset's metadata."""
        return f"{self.base_url}/datasets/{dataset_id}"

    def export_url(self, dataset_id: str) -> str:
        """The address of a dataset's synchronous export."""
        return f"{self.dataset_url(dataset_id)}/export/{EXPORT_FORMAT}"

    def items_url(self, dataset_id: str) -> str:
        """The address of a dataset's stored values."""
        return f"{self.dataset_url(dataset_id)}/items"

    @property
    def drafts_url(self) -> str:
        """The address of the list of drafts (inferred)."""
        return f"{self.base_url}/drafts"

    @property
    def draft_actions_url(self) -> str:
        """The address that exports the actions of drafts' layers (API guide, "Drafts")."""
        return f"{self.drafts_url}/actions"

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
                f"Orgvue's next link leads to another server ({scheme}://{one_line(host, 253)}:"
                f"{port}); the tap does not follow it."
            )
        return url


def tenant_key(api_url: str, tenant_id: str) -> str:
    """A tenant as the state names it: server and tenant id.

    A loopback server's name and port do not count: a simulator has another port each time.
    """
    _, host, port = origin_of(api_url)
    if is_loopback(host):
        return tenant_id
    return f"{host}/{tenant_id}" if port == _HTTPS_PORT else f"{host}:{port}/{tenant_id}"
