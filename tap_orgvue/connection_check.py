"""`tap-orgvue --test`: checks what a run needs, one line per stage, within a minute."""

from __future__ import annotations

from concurrent.futures import TimeoutError as StillRunning
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.exports.headers import NO_ROWS, HeaderReader
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    DeadlineExceeded,
    FileHostUnreachable,
    OrgvueError,
    Refusal,
    TenantRefusal,
    TenantUnknown,
)
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.streams.discovery import select_datasets

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Sequence

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.deadlines import Deadline
    from tap_orgvue.orgvue.models import Dataset, DatasetList
    from tap_orgvue.settings import Settings

T = TypeVar("T")

CHECK_SECONDS = 55
"""The time of all stages together; with the process's start and end it stays below a minute."""

STAGES = ("settings", "TLS and proxy", "token", "tenant", "datasets", "columns")
JOB_STAGE = "finished exports"

_NOT_ENABLED = "40345"
_DATASETS_TRIED = 5
_JOB_SECONDS = 40
_MODES_WITH_JOBS = {ExportMode.AUTO, ExportMode.ASYNC}


class StageFailed(Exception):
    """A stage failed as it would in a run; the later stages depend on it.

    Attributes:
        stage: The stage's name.
        advice: What is wrong and what to do.
        remedy: What may help.
        unchecked: The names of the stages that were not reached.
    """

    def __init__(self, stage: str, advice: object) -> None:
        """Take both."""
        super().__init__(f"{stage}: {advice}")
        self.stage = stage
        self.advice = str(advice)
        self.remedy = getattr(advice, "remedy", Remedy.UNKNOWN)
        self.unchecked: Sequence[str] = ()


def check_connection(
    client: Client, settings: Settings, logger: logging.Logger
) -> Iterator[tuple[str, str]]:
    """Go through the stages, for `CHECK_SECONDS` at most.

    Args:
        client: The tenant; its `total_timeout` should be `CHECK_SECONDS`.
        settings: The run's settings.
        logger: Told of patterns that match no dataset.

    Yields:
        Stage and finding, for each stage that passes.

    Raises:
        StageFailed: At the first stage that fails, or is not done in time.
    """
    left = [*STAGES, *([JOB_STAGE] if settings.export_mode in _MODES_WITH_JOBS else [])]
    stages = _Stages(client.deadline(CHECK_SECONDS, f"{CHECK_SECONDS} seconds"))
    try:
        for stage, found in _check(client, settings, logger, stages):
            yield stage, found
            left.remove(stage)
    except StageFailed as failed:
        failed.unchecked = [stage for stage in left if stage != failed.stage]
        raise
    finally:
        stages.close()


def _check(
    client: Client, settings: Settings, logger: logging.Logger, stages: _Stages
) -> Iterator[tuple[str, str]]:
    yield "settings", f"tenant {settings.tenant_id} at {urlsplit(settings.api_url).hostname}"
    yield "TLS and proxy", stages.run("TLS and proxy", lambda: _reach_server(client))
    listed = stages.run("datasets", lambda: _list_datasets(client))
    expires = read_token_dates(settings.api_token).expires
    yield "token", f"valid until {expires:%Y-%m-%d}" if expires else "accepted"
    yield "tenant", f"{settings.tenant_id} responds"
    datasets = _select_datasets(listed.datasets, settings, logger)
    matched = f", {len(datasets)} of them matched by `datasets`" if settings.datasets else ""
    bad = listed.bad_entries
    unreadable = f"; {len(bad)} cannot be read. {bad[0]}" if bad else ""
    yield "datasets", f"{len(listed.datasets)} are listed{matched}{unreadable}"
    if datasets:
        headers = HeaderReader(client, logger, include_calculations=settings.include_calculations)
        dataset, found = stages.run("columns", lambda: _read_columns(client, headers, datasets))
        yield "columns", found
        if settings.export_mode in _MODES_WITH_JOBS:
            mode = settings.export_mode
            yield JOB_STAGE, stages.run(JOB_STAGE, lambda: _run_job(client, dataset, mode))


class _Stages:
    """Runs stages in a thread of their own: some waits, as that for a host's address, never end."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._pool = DaemonThreadPool(1)

    def run(self, name: str, check: Callable[[], T]) -> T:
        try:
            return self._pool.submit(check).result(max(0, self._deadline.left()))
        except StillRunning:
            message = f"not done in time: the whole check takes {self._deadline.limit} at most."
            raise StageFailed(name, DeadlineExceeded(message)) from None
        except OrgvueError as error:
            raise StageFailed(name, error) from None

    def close(self) -> None:
        self._pool.close()


def _reach_server(client: Client) -> str:
    """Any response will do; the request carries no token."""
    request = client.files.prepare("GET", f"{client.options.api_url}/")
    try:
        with client.open_file(request, Purpose(RequestKind.PROBE)):
            pass
    except Refusal:
        pass
    return "the server responds"


def _list_datasets(client: Client) -> DatasetList:
    """One request checks token, tenant and list; its refusal says which of them is wrong."""
    try:
        return client.datasets()
    except TenantUnknown as refusal:
        raise StageFailed("tenant", refusal) from None
    except TenantRefusal as refusal:
        stage = "tenant" if _NOT_ENABLED in refusal.codes else "token"
        raise StageFailed(stage, refusal) from None
    except Refusal as refusal:
        # A retryable refusal says nothing about the tenant.
        raise StageFailed("datasets" if refusal.retryable else "tenant", refusal) from None


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
        else:
            return dataset, f"{dataset.name!r} has {columns}, {stored} of them stored"
    raise AssertionError  # pragma: no cover - the last dataset returns or raises


def _run_job(client: Client, dataset: Dataset, mode: ExportMode) -> str:
    """Run an export job without rows, and download its result as that of a large export."""
    fetcher = ExportFetcher(client, ExportMode.ASYNC, job_timeout=_JOB_SECONDS)
    request = client.prepare("POST", client.export_url(dataset.dataset_id), json=NO_ROWS.body())
    try:
        purpose = Purpose(RequestKind.EXPORT, dataset.dataset_id)
        fetcher.fetch(request, dataset.name, purpose).close()
    except FileHostUnreachable as error:
        if mode is ExportMode.AUTO:
            return f"unavailable, so large datasets will be fetched in slices. {error}"
        raise
    except Refusal as refusal:
        if refusal.not_accepted and mode is ExportMode.AUTO:
            return "Orgvue accepts no export jobs here, so large datasets will be fetched in slices"
        raise
    return "an export job completed, and its result was downloaded"
