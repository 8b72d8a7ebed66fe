"""Run reports as files: one a run, written atomically; older ones of the tenant are removed."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.reporting.private_files import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_NAME = re.compile(r"run-(?P<instant>\d{8}T\d{6}Z)-(?P<tenant>.+)-[0-9a-f]{6}\.json", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.]")
_LONGEST_TENANT = 64


class _Owner(msgspec.Struct):
    """The tenant of a report."""

    tenant: str


def report_name(instant: datetime, tenant_id: str) -> str:
    """A new file name: `run-20260131T020000Z-ACME-1f00a2.json`; names sort by time.

    Args:
        instant: The beginning of the run, in UTC.
        tenant_id: The tenant's id; other characters than letters, digits, `_` and `.` become `_`.
    """
    return f"run-{instant:%Y%m%dT%H%M%SZ}-{safe_name(tenant_id)}-{os.urandom(3).hex()}.json"


def safe_name(tenant_id: str) -> str:
    """A tenant's id as a part of a file name."""
    return _UNSAFE.sub("_", tenant_id)[:_LONGEST_TENANT] or "_"


def write_report(folder: Path, name: str, content: bytes) -> Path:
    """Write a report that only this user may read; it is there whole or not at all.

    Args:
        folder: Made if it is not there.
        name: See `report_name`.
        content: The report.

    Raises:
        OSError: It cannot be written; no part of it stays.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    write_private(path, content)
    return path


def remove_older(newest: Path, *, tenant: str, tenant_id: str, keep: int) -> None:
    """Remove older reports of a tenant.

    Args:
        newest: The report of this run, which stays.
        tenant: The tenant as reports name it; others may have the same id on another server.
        tenant_id: The tenant's id.
        keep: The number of reports that stay, this run's included.

    Raises:
        OSError: The folder cannot be read, or a file cannot be removed.
    """
    others = list(_others(newest, safe_name(tenant_id)))
    if len(others) < keep:
        return
    ours = sorted(each for each in others if _tenant_of(each[-1]) == tenant)
    for *_, path in ours[: max(0, len(ours) - keep + 1)]:
        # Another run may have removed it.
        path.unlink(missing_ok=True)


def _others(newest: Path, tenant: str) -> Iterator[tuple[str, int, Path]]:
    """Instant, time of the last change and path of the tenant's other reports, by their names."""
    for path in newest.parent.iterdir():
        found = _NAME.fullmatch(path.name)
        # A pipe of that name would never end.
        if found and found["tenant"] == tenant and path != newest and path.is_file():
            with suppress(FileNotFoundError):
                yield found["instant"], path.stat().st_mtime_ns, path


def _tenant_of(path: Path) -> str | None:
    """The tenant of a report; None if the file cannot be read as one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Owner).tenant
    except (OSError, ValueError, RecursionError):
        return None
