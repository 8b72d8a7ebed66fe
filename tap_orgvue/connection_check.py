"""`tap-orgvue --test`: checks what a run needs, one line per stage, within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.exports.headers import NO_ROWS, HeaderReader
from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    FileHostUnreachable,
    OrgvueError,
    Refusal,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.streams.discovery import select_datasets

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Sequence

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset
    from tap_orgvue.settings import Settings

_NOT_ENABLED = "40345"
_DATASETS_TRIED = 5
_JOB_SECONDS = 60
_MODES_WITH_JOBS = {ExportMode.AUTO, ExportMode.ASYNC}


class StageFailed(Exception):
    """A stage found something that a run would meet too; later stages depend on it.

    Attributes:
        stage: Its name.
        advice: What is wrong and what to do.
    """

    def __init__(self, stage: str, advice: object) -> None:
        """Take both."""
        super().__init__(f"{stage}: {advice}")
        self.stage = stage
        self.advice = str(advice)


def check_connection(
    client: Client, settings: Settings, logger: logging.Logger
) -> Iterator[tuple[str, str]]:
    """Go through the stages.

    Args:
        client: The tenant.
        settings: The run's settings.
        logger: Told of patterns that match no dataset.

    Yields:
        Stage and finding, for each stage that passes.

    Raises:
        StageFailed: At the first stage that does not.
    """
    yield "settings", f"tenant {settings.tenant_id} at {urlsplit(settings.api_url).hostname}"
    yield "TLS and proxy", _stage("TLS and proxy", lambda: _reach_server(client))
    listed = _list_datasets(client)
    expires = read_token_dates(settings.api_token).expires
    yield "token", f"valid until {expires:%Y-%m-%d}" if expires else "accepted"
    yield "tenant", f"{settings.tenant_id} responds"
    datasets = _select_datasets(listed, settings, logger)
    matched = f", {len(datasets)} of them matched by `datasets`" if settings.datasets else ""
    yield "datasets", f"{len(listed)} are listed{matched}"
    if datasets:
        headers = HeaderReader(client, logger, include_calculations=settings.include_calculations)
        dataset, found = _read_columns(client, headers, datasets)
        yield "columns", found
        if settings.export_mode in _MODES_WITH_JOBS:
            yield (
                "finished exports",
                _stage("finished exports", lambda: _run_job(client, dataset, settings.export_mode)),
            )


def _stage(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except OrgvueError as error:
        raise StageFailed(name, error) from None


def _reach_server(client: Client) -> str:
    """Any response will do; the request carries no token."""
    request = client.files.prepare("GET", f"{client.options.api_url}/")
    try:
        with client.files.open(request):
            pass
    except Refusal:
        pass
    return "the server responds"


def _list_datasets(client: Client) -> list[Dataset]:
    """One request checks token, tenant and list; its refusal says which of them is wrong."""
    try:
        return client.datasets()
    except TenantRefusal as refusal:
        stage = "tenant" if _NOT_ENABLED in refusal.codes else "token"
        raise StageFailed(stage, refusal) from None
    except Refusal as refusal:
        # A retryable refusal says nothing about the tenant.
        raise StageFailed("datasets" if refusal.retryable else "tenant", refusal) from None
    except OrgvueError as error:
        raise StageFailed("datasets", error) from None


def _select_datasets(
    listed: Sequence[Dataset], settings: Settings, logger: logging.Logger
) -> list[Dataset]:
    try:
        return select_datasets(listed, settings.datasets, logger)
    except OrgvueError as error:
        raise StageFailed("datasets", error) from None


def _read_columns(
    client: Client, headers: HeaderReader, datasets: Sequence[Dataset]
) -> tuple[Dataset, str]:
    """Read the columns of the first dataset that the token's user may read."""
    for i, dataset in enumerate(datasets[:_DATASETS_TRIED], 1):
        try:
            stored = len(client.metadata(dataset.dataset_id).properties)
            columns = len(headers.read(dataset.dataset_id))
        except DatasetRefusal as refusal:
            if i in {_DATASETS_TRIED, len(datasets)}:
                raise StageFailed("columns", refusal) from None
        except OrgvueError as error:
            raise StageFailed("columns", error) from None
        else:
            return dataset, f"{dataset.name!r} has {columns}, {stored} of them stored"
    raise AssertionError  # pragma: no cover - the last dataset returns or raises


def _run_job(client: Client, dataset: Dataset, mode: ExportMode) -> str:
    """Run an export job without rows, and download its result as that of a large export."""
    fetcher = ExportFetcher(client, ExportMode.ASYNC, job_timeout=_JOB_SECONDS)
    request = client.prepare("POST", client.export_url(dataset.dataset_id), json=NO_ROWS.body())
    try:
        fetcher.fetch(request, dataset.name).close()
    except FileHostUnreachable as error:
        if mode is ExportMode.AUTO:
            return f"unavailable, so large datasets will be fetched in slices. {error}"
        raise
    except Refusal as refusal:
        if refusal.not_accepted and mode is ExportMode.AUTO:
            return "Orgvue accepts no export jobs here, so large datasets will be fetched in slices"
        raise
    return "an export job completed, and its result was downloaded"
