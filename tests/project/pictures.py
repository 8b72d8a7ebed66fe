"""Makes the pictures of the pages in docs/images: `python -m tests.project.pictures`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
from click.testing import CliRunner

from tap_orgvue.pages.report_page import write_report_page
from tap_orgvue.report_command import command
from tap_orgvue.reporting.run_report import Change
from tap_orgvue.simulator import Orgvue, demo_tenant
from tests.support.browser import started
from tests.support.files import written
from tests.support.run_reports import history, save

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"

WIDTH, SCALE = 1180, 0.72
"""Of the browser's window in pixels, and what of them a picture has."""

TENANT = "DEMO"

ROWS = {
    "people": 2760,
    "positions": 1180,
    "people_to_positions": 2610,
    "open_requisitions": 40,
    "cafe_loehne_boni_100_2026": 144,
}
"""Streams of the demo tenant, and what their rows were a month ago."""

PROTECTED = {
    "exclude_properties": ["*salary*", "date-of-birth"],
    "hash_properties": ["email", "people.name"],
    "hash_key": "a key of sixteen characters",
}

CHANGES = (Change(kind="property_added", name="cost centre", now="text"),)


def main() -> int:
    """Make both pictures.

    Returns:
        The exit code.
    """
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, started() as browser:
        take(browser, runs_page(Path(folder)), "report.png", height=1640)
        take(browser, tenant_page(Path(folder)), "tenant.png", height=1380, start="#picture")
    return 0


def runs_page(folder: Path) -> Path:
    """The page of a month's runs; some failed, the last one did not."""
    # Without the last one, which is the eventful one.
    runs = [
        msgspec.structs.replace(each, tenant=TENANT, tenant_id=TENANT)
        for each in history(31, list(ROWS), ROWS)[:-1]
    ]
    people, *others = runs[-1].streams
    streams = [msgspec.structs.replace(people, changes=CHANGES), *others]
    save(folder, *runs[:-1], msgspec.structs.replace(runs[-1], streams=streams))
    return write_report_page(folder, TENANT)


def tenant_page(folder: Path) -> Path:
    """The page of the simulator's demo tenant."""
    with Orgvue(demo_tenant()) as orgvue:
        config = written(folder, config={**orgvue.config, **PROTECTED})
        words = ["--tenant", "--into", str(folder), *config]
        CliRunner().invoke(command, words, catch_exceptions=False)
    return folder / f"tenant-{TENANT}.html"


def take(browser: Browser, page: Path, name: str, *, height: int, start: str = "") -> None:
    """Take the picture of a part of a page, with the first dataset open.

    Args:
        browser: Running.
        page: The page.
        name: Of the picture.
        height: How much of the page it shows, in pixels of the page.
        start: Selects the heading that it begins with; the top without one.
    """
    window = browser.new_page(
        viewport={"width": WIDTH, "height": height}, device_scale_factor=SCALE
    )
    window.goto(page.as_uri())
    if start:
        window.evaluate("document.querySelector('#d0').open = true")
        window.evaluate("start => document.querySelector(start).scrollIntoView()", start)
        # The section's edge, and a little of the ground above it.
        window.evaluate("scrollBy(0, -30)")
    window.screenshot(path=IMAGES / name)
    window.close()


if __name__ == "__main__":
    sys.exit(main())
