"""`tap-orgvue --test`: is everything there that a run needs? One line a stage, within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_orgvue.exports.fetcher import Exports
from tap_orgvue.exports.headers import NOTHING
from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    FilesUnreachable,
    OrgvueError,
    Refusal,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import EXPORT_FORMAT, ExportMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset
    from tap_orgvue.streams.discovery import Tenant


_NOT_ENABLED = "40345"

_TRIED = 5

_NEEDS_JOBS = {ExportMode.AUTO, ExportMode.ASYNC}


class StageFailed(Exception):
    """A stage found something that a run would meet too; the rest depends on it.

    Attributes:
        stage: Its name.
        advice: What is wrong and what to do.
    """

    def __init__(self, stage: str, advice: object) -> None:
        """Keep both."""
        super().__init__(f"{stage}: {advice}")
        self.stage = stage
        self.advice = str(advice)


def check_connection(client: Client, tenant: Tenant) -> Iterator[tuple[str, str]]:
    """Go through the stages.

    Yields:
        Stage and what was found, for each that is well.

    Raises:
        StageFailed: At the first that is not.
    """
    settings = client.settings
    yield "settings", f"tenant {settings.tenant_id} at {urlsplit(settings.api_url).hostname}"
    yield "TLS and proxy", _stage("TLS and proxy", lambda: _reach(client))
    datasets = _listed(tenant)
    ends = read_token_dates(settings.api_token).ends
    until = f"valid until {ends:%Y-%m-%d}" if ends else "accepted"
    yield "token", until
    yield "tenant", f"{settings.tenant_id} answers"
    left_out = f", {len(datasets)} of them let in by `datasets`" if settings.datasets else ""
    yield "datasets", f"{len(tenant.datasets_by_id)} are listed{left_out}"
    if datasets:
        dataset, found = _readable(client, tenant, datasets)
        yield "columns", found
        if settings.export_mode in _NEEDS_JOBS:
            yield (
                "finished exports",
                _stage("finished exports", lambda: _fetch_a_file(client, dataset)),
            )


def _stage(name: str, check: Callable[[], str]) -> str:
    try:
        return check()
    except OrgvueError as error:
        raise StageFailed(name, error) from None


def _reach(client: Client) -> str:
    """Any answer of the server will do; the token is not sent for it."""
    request = client.files.prepare("GET", f"{client.settings.api_url}/")
    try:
        with client.files.open(request):
            pass
    except Refusal:
        pass
    return "the server answers"


def _listed(tenant: Tenant) -> list[Dataset]:
    """One request tells of token, tenant and list; its refusal says which of them it is."""
    try:
        return tenant.datasets
    except TenantRefusal as refusal:
        stage = "tenant" if _NOT_ENABLED in refusal.codes else "token"
        raise StageFailed(stage, refusal) from None
    except Refusal as refusal:
        # What may pass says nothing of the tenant.
        raise StageFailed("datasets" if refusal.may_pass else "tenant", refusal) from None
    except OrgvueError as error:
        raise StageFailed("datasets", error) from None


def _readable(client: Client, tenant: Tenant, datasets: Sequence[Dataset]) -> tuple[Dataset, str]:
    """Look at the first dataset that the token's user may read: a run leaves the others out."""
    for i, dataset in enumerate(datasets[:_TRIED], 1):
        try:
            return dataset, _look_at(client, tenant, dataset)
        except DatasetRefusal as refusal:
            if i in {_TRIED, len(datasets)}:
                raise StageFailed("columns", refusal) from None
        except OrgvueError as error:
            raise StageFailed("columns", error) from None
    raise AssertionError  # pragma: no cover - the last one returns or raises


def _look_at(client: Client, tenant: Tenant, dataset: Dataset) -> str:
    metadata = client.metadata(dataset.dataset_id)
    headers = tenant.headers(dataset.dataset_id)
    return f"{dataset.name!r} has {len(headers)}, {len(metadata.properties)} of them stored"


def _fetch_a_file(client: Client, dataset: Dataset) -> str:
    """Have an empty export made by a job, and fetch it as a large one would be."""
    exports = Exports(client, ExportMode.ASYNC, job_timeout=60)
    url = client.url(f"/datasets/{dataset.dataset_id}/export/{EXPORT_FORMAT}")
    request = client.prepare("POST", url, json=NOTHING.body())
    try:
        exports.fetch(request, dataset.name).close()
    except FilesUnreachable as error:
        if client.settings.export_mode is ExportMode.AUTO:
            return f"not to be had, so large datasets will be read in slices. {error}"
        raise
    except Refusal as refusal:
        if refusal.not_accepted and client.settings.export_mode is ExportMode.AUTO:
            return "Orgvue takes no export jobs here, so large datasets will be read in slices"
        raise
    return "an export job was made and its file fetched"
