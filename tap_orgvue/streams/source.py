"""What all streams of a run share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tap_orgvue.exports.fetcher import ExportFetcher
    from tap_orgvue.exports.headers import HeaderReader
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.discovery import Discovery
    from tap_orgvue.streams.identity import EarlierRuns
    from tap_orgvue.streams.prefetch import PrefetchedExport, Prefetcher


class Source(msgspec.Struct, frozen=True):
    """A tenant, as the streams of a run read it.

    Attributes:
        settings: The run's settings.
        rules: The user's rules for single properties.
        client: The tenant's API.
        fetcher: Fetches exports.
        headers: Reads the headers of exports.
        discovery: The tenant's datasets and their streams.
        earlier: The streams of earlier runs.
        tenant: The tenant as the state names it.
        prefetcher: Exports of the selected streams, fetched before their turn.
    """

    settings: Settings
    rules: ColumnRules
    client: Client
    fetcher: ExportFetcher
    headers: HeaderReader
    discovery: Discovery
    earlier: EarlierRuns
    tenant: str
    prefetcher: Prefetcher[PrefetchedExport]

    def close(self) -> None:
        """End what is under way: no further request is sent, and disk is freed."""
        self.client.close()
        self.prefetcher.close()
