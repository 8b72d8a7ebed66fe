"""Writes the page of a tenant's runs after a run, if the extra `report` is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging

NOT_INSTALLED = "that needs the extra `report`: pip install 'tap-orgvue[report]'."


def is_installed() -> bool:
    """True if the extra `report` is there; imports nothing."""
    return importlib.util.find_spec("jinja2") is not None


def after_run(folder: str | Path, tenant: str, logger: logging.Logger) -> None:
    """Write the page beside the run reports, or log why there is none; raises nothing.

    Args:
        folder: The folder of the run reports.
        tenant: The tenant as the state and the run reports name it.
        logger: For the page's path, or the reason why there is none.
    """
    if not is_installed():
        logger.info("No page is made of the run reports: %s", NOT_INSTALLED)
        return
    try:
        # Not at start-up: most runs write no page.
        from tap_orgvue.pages.report_page import write_report_page  # noqa: PLC0415

        page = write_report_page(Path(folder), tenant)
    except Exception as error:  # noqa: BLE001 - a page that fails is no failure of the run
        logger.error("The page of the run reports cannot be written: %s", error)  # noqa: TRY400
    else:
        logger.info("The page of the run reports: %s", page)
