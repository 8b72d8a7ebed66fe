"""Writes the page of a tenant's runs: the last run at a glance, and all runs over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.pages.files import file_name_part, write_page
from tap_orgvue.pages.last_run import last_run
from tap_orgvue.pages.rendering import render
from tap_orgvue.pages.run_reports import read_reports
from tap_orgvue.pages.trends import DAILY_REQUESTS, trends_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tap_orgvue.pages.run_reports import RunReports


class NoReports(Exception):
    """A folder has no readable run report of the tenant."""


def write_report_page(folder: Path, tenant: str) -> Path:
    """Write the page of one tenant beside its run reports.

    Args:
        folder: The folder of the run reports.
        tenant: The tenant as the state and the run reports name it.

    Returns:
        The page.

    Raises:
        NoReports: The folder has no report of that tenant.
        OSError: The folder cannot be read, or the page not be written.
    """
    reports = read_reports(folder, only=tenant)
    if not reports.tenants.get(tenant):
        raise NoReports(f"{folder} has no run report of {tenant} that can be read.")
    return _write(folder, tenant, reports)


def write_report_pages(folder: Path, reports: RunReports) -> list[Path]:
    """Write the pages of all tenants.

    Args:
        folder: The folder of the run reports.
        reports: All that it holds.

    Raises:
        OSError: A page cannot be written.
    """
    return [
        _write(folder, tenant, reports) for tenant, runs in sorted(reports.tenants.items()) if runs
    ]


def _write(folder: Path, tenant: str, reports: RunReports) -> Path:
    runs = reports.tenants[tenant]
    html = render(
        "report.html",
        run=last_run(runs[-1]),
        trends=trends_of(runs),
        tenant=tenant,
        left_out=reports.left_out.get(tenant, 0),
        unreadable=reports.unreadable,
        daily_requests=DAILY_REQUESTS,
    )
    namesakes = [each for each in reports.tenants if _tenant_id(each) == _tenant_id(tenant)]
    _write_index(folder, namesakes)
    return write_page(folder / page_name(tenant, reports.tenants), html)


def page_name(tenant: str, tenants: Collection[str]) -> str:
    """The name of a tenant's page: `report-ACME.html`.

    Two servers may have tenants of one id: then their pages are named by the servers too.

    Args:
        tenant: The tenant as the state names it: server, slash and id, or only an id.
        tenants: All tenants of the folder.
    """
    server, _, tenant_id = tenant.rpartition("/")
    shared = sum(_tenant_id(each) == tenant_id for each in tenants) > 1
    text = f"{tenant_id}-{server}" if shared and server else tenant_id
    return f"report-{file_name_part(text)}.html"


def _write_index(folder: Path, namesakes: Collection[str]) -> None:
    """Write a page of links under the short name, if several servers have tenants of one id."""
    if len(namesakes) > 1 and all("/" in tenant for tenant in namesakes):
        tenant_id = _tenant_id(next(iter(namesakes)))
        pages = [(tenant, page_name(tenant, namesakes)) for tenant in sorted(namesakes)]
        html = render("servers.html", tenant_id=tenant_id, pages=pages)
        write_page(folder / f"report-{file_name_part(tenant_id)}.html", html)


def _tenant_id(tenant: str) -> str:
    return tenant.rpartition("/")[2]
