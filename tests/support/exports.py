"""Exports without a tap around them, and runs whose rows are compared with the dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.tap import TapOrgvue

if TYPE_CHECKING:
    from pathlib import Path

    from tap_orgvue.exports.response import ExportResponse
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import ExportMode
    from tap_orgvue.simulator import Orgvue
    from tests.support.runs import Run


READ = msgspec.json.Decoder(list[list[Any]]).decode
EXPORT_OF_PEOPLE = Purpose(RequestKind.EXPORT, "people")


def assert_complete(orgvue: Orgvue, run: Run, stream: str = "people", name: str = "People") -> None:
    """Each row of a dataset came exactly once."""
    sent = sorted(record["_id"] for record in run.records[stream])
    assert sent == sorted(str(row["_id"]) for row in orgvue.dataset(name).rows)


def by_mode(orgvue: Orgvue, mode: str, **settings: object) -> dict[str, Any]:
    """A config with a way of delivery."""
    return {**orgvue.config, "export_mode": mode, **settings}


def opened(orgvue: Orgvue, **settings: object) -> Client:
    """A client of the tenant, without a tap around it."""
    return TapOrgvue(config={**orgvue.config, **settings}, setup_mapper=False).source.client


def fetched(
    orgvue: Orgvue, mode: ExportMode, *, temp_dir: Path | None = None, job_timeout: float = 60
) -> ExportResponse:
    """An export of People, without a tap around it."""
    client = opened(orgvue)
    exports = ExportFetcher(
        client,
        mode,
        job_timeout=job_timeout,
        reads_ahead=True,
        temp_dir=str(temp_dir) if temp_dir else None,
    )
    return exports.fetch(get(client, orgvue), "people", EXPORT_OF_PEOPLE)


def get(client: Client, orgvue: Orgvue) -> Any:
    """The request for all of People."""
    return client.prepare("GET", client.export_url(orgvue.dataset("People").dataset_id))


def lines_about(text: str, *words: str) -> list[str]:
    """The lines of a log that hold all these words."""
    return [line for line in text.splitlines() if all(word in line for word in words)]
