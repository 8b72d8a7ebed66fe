"""The objects that all streams of a run share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.exports.headers import HeaderReader
from tap_orgvue.orgvue.addresses import tenant_key
from tap_orgvue.orgvue.client import Client, ClientOptions
from tap_orgvue.orgvue.errors import RUN_ENDING
from tap_orgvue.reporting.journal import Journal
from tap_orgvue.reporting.outcomes import Outcomes
from tap_orgvue.schema.column_rules import ColumnRules
from tap_orgvue.streams.dataset_names import DatasetNames
from tap_orgvue.streams.discovery import Discovery
from tap_orgvue.streams.identity import forget_other_streams, read_earlier_runs
from tap_orgvue.streams.prefetch import Prefetcher

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from singer_sdk.singerlib.catalog import Catalog

    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.identity import EarlierRuns
    from tap_orgvue.streams.prefetch import PrefetchedExport


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
        journal: The current stage of each stream, and the seconds in each stage.
        outcomes: How each stream ended.
        dataset_names: The names of the datasets.
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
    journal: Journal
    outcomes: Outcomes
    dataset_names: DatasetNames

    def close(self) -> None:
        """Stop all requests, and free the disk."""
        self.client.close()
        self.prefetcher.close()
        self.dataset_names.close()


def make_client(
    settings: Settings,
    logger: logging.Logger,
    *,
    total_timeout: float | None = None,
) -> Client:
    """A client of the settings' tenant.

    Args:
        settings: The run's settings.
        logger: Logs the retries.
        total_timeout: Seconds until the client ends everything with an error; None for no limit.
    """
    options = ClientOptions(
        api_url=settings.api_url,
        tenant_id=settings.tenant_id,
        api_token=settings.api_token,
        user_agent=settings.user_agent,
        request_timeout=settings.request_timeout,
        max_parallel_requests=settings.max_parallel_requests,
        max_retries=settings.max_retries,
        max_retry_wait=settings.max_retry_wait,
        max_requests_per_run=settings.max_requests_per_run,
        max_requests_per_second=settings.max_requests_per_second,
        total_timeout=total_timeout,
    )
    return Client(options, logger=logger)


def make_source(  # noqa: PLR0913 - what the streams share
    settings: Settings,
    *,
    state: Mapping[str, Any],
    catalog: Catalog | None,
    reads_ahead: bool,
    logger: logging.Logger,
    client: Client | None = None,
    headers: HeaderReader | None = None,
    names_in_catalog: Mapping[str, str] | None = None,
) -> Source:
    """Make the objects that the streams of a run share; no request is sent.

    Args:
        settings: The run's settings.
        state: The tap's state; streams that are not this tenant's are removed from it.
        catalog: The user's catalog, if there is one.
        reads_ahead: True if a thread decompresses an export while its rows are decoded.
        logger: The tap's.
        client: The tenant's API; that of the settings by default.
        headers: Reads the headers of exports; one for this client by default.
        names_in_catalog: Dataset id in upper case to its name in the catalog.

    Raises:
        SettingsError: The state belongs to another tenant.
    """
    tenant = tenant_key(settings.api_url, settings.tenant_id)
    earlier = read_earlier_runs(state, tenant, retired=settings.retired_streams)
    forget_other_streams(state, earlier)
    rules = ColumnRules(
        types=settings.property_types,
        excluded=settings.exclude_properties,
        hashed=settings.hash_properties,
        original_names=settings.original_columns,
        new_properties=settings.new_properties,
        remembered=earlier.protections,
    )
    journal = Journal()
    client = client or make_client(settings, logger)
    headers = headers or HeaderReader(
        client,
        logger,
        include_calculations=settings.include_calculations,
        on_read=journal.count_discovered,
    )
    discovery = Discovery(
        client,
        headers,
        rules=rules,
        settings=settings,
        earlier=earlier,
        catalog=catalog,
        logger=logger,
    )
    return Source(
        settings=settings,
        tenant=tenant,
        earlier=earlier,
        rules=rules,
        client=client,
        headers=headers,
        discovery=discovery,
        fetcher=ExportFetcher(
            client,
            settings.export_mode,
            job_timeout=settings.job_timeout,
            temp_dir=settings.temp_dir,
            reads_ahead=reads_ahead,
        ),
        prefetcher=Prefetcher(settings.max_parallel_requests, ending=RUN_ENDING),
        journal=journal,
        outcomes=Outcomes(),
        dataset_names=DatasetNames(
            client,
            discovery,
            names_in_catalog or {},
            # With `skip_unchanged`, metadata has them.
            wanted=not settings.skip_unchanged
            and (settings.run_report is not None or earlier.has_dataset_names),
        ),
    )
