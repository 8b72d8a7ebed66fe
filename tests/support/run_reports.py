"""Run reports as runs of a tenant leave them in a folder."""

from __future__ import annotations

import random
import re
import zlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.reporting.run_report import (
    Change,
    ErrorReport,
    Replication,
    RunReport,
    Status,
    StreamReport,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

TENANT = "orgvue.eu-west-1.concentra.io/ACME"

NAMES = ("people", "positions", "people_to_positions", "open_requisitions", "cafe_loehne_boni")

LATEST = datetime(2026, 9, 30, 2, 0, tzinfo=timezone.utc)


def stream(name: str = "people", rows: int = 3000, **members: Any) -> StreamReport:
    """A stream that was sent by one export."""
    return msgspec.structs.replace(
        StreamReport(
            stream=name,
            status=Status.SUCCEEDED,
            dataset_id="0B53C2F0-7A5B-4A37-9B65-0C5C6A1F7C11",
            dataset_name=name.replace("_", " ").title(),
            rows=rows,
            rows_before=rows,
            delivery="synchronous",
            requests={"export": 1},
            bytes_received=rows * 90,
            waiting_seconds=rows / 400,
            sending_seconds=rows / 90_000,
            replication=Replication(method="FULL_TABLE"),
        ),
        **members,
    )


def report(streams: Sequence[StreamReport] = (), **members: Any) -> RunReport:
    """A run of these streams; the totals are theirs unless they are given."""
    began = members.pop("began", LATEST)
    seconds = sum(each.waiting_seconds + each.sending_seconds for each in streams)
    requests: dict[str, int] = {"list": 1, "headers": len(streams)}
    for each in streams:
        for kind, number in each.requests.items():
            requests[kind] = requests.get(kind, 0) + number
    return msgspec.structs.replace(
        RunReport(
            tenant=TENANT,
            tenant_id="ACME",
            tap_version="0.9.0",
            sdk_version="0.54.9",
            python_version="3.11.7",
            began_at=text(began),
            ended_at=text(began + timedelta(seconds=seconds + 2)),
            seconds=seconds + 2,
            waiting_seconds=sum(each.waiting_seconds for each in streams),
            exit_code=0,
            reason="done",
            rows=sum(each.rows for each in streams),
            rescued=sum(sum(each.rescued.values()) for each in streams),
            requests=requests,
            bytes_received=sum(each.bytes_received for each in streams),
            streams=streams,
        ),
        **members,
    )


def text(instant: datetime) -> str:
    """An instant as a report has it."""
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"


def save(folder: Path, *reports: RunReport) -> list[Path]:
    """Write reports as the tap names them."""
    paths = []
    for each in reports:
        instant = re.sub(r"\W", "", each.began_at)
        digits = f"{zlib.crc32(msgspec.json.encode(each)) & 0xFFFFFF:06x}"
        name = re.sub(r"\W", "_", each.tenant_id)[:80]
        path = folder / f"run-{instant[:16]}-{name}-{digits}.json"
        path.write_bytes(msgspec.json.encode(each))
        paths.append(path)
    return paths


def history(
    runs: int = 30, names: Sequence[str] = NAMES, rows: Mapping[str, int] | None = None
) -> list[RunReport]:
    """Runs of as many nights: the last one has a failure, changes and withheld deletions.

    Args:
        runs: How many.
        names: The streams.
        rows: What they begin with.
    """
    dice = random.Random(7)  # noqa: S311 - no secret
    rows = {name: dice.randrange(40, 4000) for name in names} | dict(rows or {})
    found = []
    for night in range(runs):
        streams = []
        for name in names:
            before = rows[name]
            rows[name] = max(before + dice.randrange(-20, 32), 0)
            streams.append(
                stream(
                    name,
                    rows[name],
                    rows_before=before if night else None,
                    rescued={"custom_list": dice.randrange(5)} if name == names[-1] else {},
                )
            )
        began = LATEST - timedelta(days=runs - 1 - night)
        if night % 11 == 4:
            streams[0] = failed(names[0])
            found.append(report(streams, began=began, exit_code=5, reason="streams_failed"))
        else:
            found.append(report(streams, began=began, retries=night % 3, throttles=night % 2))
    found[-1] = _eventful(found[-1])
    return found


def failed(name: str) -> StreamReport:
    """A stream that Orgvue refused to export."""
    return stream(
        name,
        0,
        status=Status.FAILED,
        delivery=None,
        retries=6,
        error=ErrorReport(
            type="Refusal",
            message="Orgvue refused POST /api/v1/ACME/datasets/0B53C2F0/export/jsonRows with HTTP "
            "503 (Service Unavailable). Trace id: Root=1-67891233-abcdef012345678912345678",
            status=503,
            trace_id="Root=1-67891233-abcdef012345678912345678",
            retryable=True,
        ),
    )


def _eventful(run: RunReport) -> RunReport:
    streams = list(run.streams)
    streams[0] = msgspec.structs.replace(
        streams[0],
        changes=(
            Change(kind="property_added", name="cost centre", now="text"),
            Change(kind="property_renamed", name="salary", before="Salary", now="Base salary"),
        ),
    )
    if len(streams) > 1:
        streams[1] = failed(streams[1].stream)
    if len(streams) > 2:
        streams[2] = msgspec.structs.replace(
            streams[2],
            rows=streams[2].rows // 3,
            deletions="withheld",
            deletions_withheld=f"the export has {streams[2].rows // 3} rows, fewer than 50 % of "
            f"the {streams[2].rows} of the last one",
            changes=(
                Change(
                    kind="rows_changed",
                    name=streams[2].stream,
                    before=str(streams[2].rows),
                    now=str(streams[2].rows // 3),
                ),
            ),
        )
    if len(streams) > 3:
        streams[3] = msgspec.structs.replace(
            streams[3], status=Status.UNCHANGED, rows=0, requests={}, delivery=None
        )
    return report(
        streams,
        began=LATEST,
        exit_code=5,
        reason="streams_failed",
        retries=6,
        error=ErrorReport(
            type="StreamsFailed",
            message=f"1 of {len(streams)} streams failed:\n  {streams[1].stream}: "
            f"{streams[1].error.message if streams[1].error else ''}",
        ),
    )
