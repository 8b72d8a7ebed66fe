"""The requests of a run and of a stream, as the reports count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.orgvue.request_log import RequestTotals

if TYPE_CHECKING:
    from tap_orgvue.orgvue.client import Client


def request_totals(client: Client) -> RequestTotals:
    """The requests of a run."""
    return client.requests.totals()


def request_totals_of(client: Client, dataset_id: str | None) -> RequestTotals:
    """The requests about one dataset; none without one."""
    return client.requests.totals_of(dataset_id) if dataset_id else RequestTotals()
