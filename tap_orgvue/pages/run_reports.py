"""Reads the run reports of a folder; unreadable files are listed and skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.reporting.run_report import REPORT_VERSION, RunReport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_RUNS = 180
"""The most runs of a tenant on a page, the latest ones."""

_MOST_FILES = 2000
_LARGEST_BYTES = 64_000_000


class UnreadableReport(msgspec.Struct, frozen=True):
    """A file that is named as a run report and cannot be read as one.

    Attributes:
        name: The file's name.
        reason: Why, as a predicate.
    """

    name: str
    reason: str


class RunReports(msgspec.Struct):
    """The run reports of a folder.

    Attributes:
        tenants: Tenant, as the state names it, to its reports, the latest last; at most
            `MOST_RUNS` for each.
        unreadable: The files that were skipped.
        left_out: Tenant to the number of older runs that are not in `tenants`.
    """

    tenants: dict[str, list[RunReport]] = msgspec.field(default_factory=dict)
    unreadable: list[UnreadableReport] = msgspec.field(default_factory=list)
    left_out: dict[str, int] = msgspec.field(default_factory=dict)


class _Head(msgspec.Struct):
    version: int
    tenant: str = ""


_HEAD = msgspec.json.Decoder(_Head)
_REPORT = msgspec.json.Decoder(RunReport)


def read_reports(folder: Path, only: str | None = None) -> RunReports:
    """Read the run reports of a folder, the latest files first.

    Args:
        folder: With files `run-*.json`; their names begin with the time of the run.
        only: The tenant whose reports are read in full; of other reports only the tenant is read.
            None for all.

    Raises:
        OSError: The folder cannot be listed.
    """
    found = RunReports()
    for path in _latest_first(folder):
        try:
            content = _content(path)
            head = _HEAD.decode(content)
            if head.version > REPORT_VERSION:
                reason = (
                    f"is of version {head.version}, and this tap-orgvue reads up to version "
                    f"{REPORT_VERSION}: update tap-orgvue"
                )
                found.unreadable.append(UnreadableReport(path.name, reason))
                continue
            reports = found.tenants.setdefault(head.tenant, [])
            if len(reports) >= MOST_RUNS:
                found.left_out[head.tenant] = found.left_out.get(head.tenant, 0) + 1
            elif only in {None, head.tenant}:
                reports.append(_REPORT.decode(content))
        except msgspec.DecodeError as error:
            found.unreadable.append(UnreadableReport(path.name, f"is no run report: {error}"))
        except (UnicodeDecodeError, RecursionError) as error:
            reason = f"is no run report: {type(error).__name__}"
            found.unreadable.append(UnreadableReport(path.name, reason))
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            found.unreadable.append(UnreadableReport(path.name, reason))
    for reports in found.tenants.values():
        reports.sort(key=lambda report: report.began_at)
    return found


def _latest_first(folder: Path) -> Iterator[Path]:
    names = sorted((path.name for path in folder.iterdir()), reverse=True)
    reports = [name for name in names if name.startswith("run-") and name.endswith(".json")]
    for name in reports[:_MOST_FILES]:
        path = folder / name
        # A pipe of that name would never end.
        if path.is_file():
            yield path


def _content(path: Path) -> bytes:
    if path.stat().st_size > _LARGEST_BYTES:
        raise OSError(f"larger than {_LARGEST_BYTES // 1_000_000} MB")
    return path.read_bytes()
