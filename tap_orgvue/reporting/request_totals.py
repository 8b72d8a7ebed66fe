"""The requests of a run and of a stream, as the reports count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.orgvue.client import Client


class RequestTotals(msgspec.Struct, frozen=True):
    """How many requests were sent.

    Attributes:
        by_kind: Kind of request to the number sent, retries included.
        count: The number of all requests.
        retries: Requests that were sent once more.
        throttles: Responses with status 429.
        bytes_received: Bytes of all responses.
    """

    by_kind: Mapping[str, int] = msgspec.field(default_factory=dict)
    count: int = 0
    retries: int = 0
    throttles: int = 0
    bytes_received: int = 0


def request_totals(client: Client) -> RequestTotals:
    """The requests of a run."""
    return RequestTotals(count=client.request_count)


def request_totals_of(client: Client, dataset_id: str | None) -> RequestTotals:  # noqa: ARG001 - see above
    """The requests about one dataset; none without one."""
    return RequestTotals()
