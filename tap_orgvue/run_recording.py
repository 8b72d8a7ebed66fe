"""A run and its recorder: which settings the report depends on, and how the run is concluded."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from tap_orgvue.reporting.recorder import UNKNOWN, ReportSettings
from tap_orgvue.scrubbing import SCRUBBER
from tap_orgvue.settings.environment import read_environment
from tap_orgvue.settings.readers import Mistake, read_api_url, read_tenant_id
from tap_orgvue.settings.regions import REGIONS
from tap_orgvue.streams.state import tenant_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.settings import Settings


def report_settings(settings: Settings) -> ReportSettings:
    """What the report of a run depends on."""
    return ReportSettings(
        folder=settings.run_report,
        keep=settings.run_report_keep,
        tenant=tenant_key(settings.api_url, settings.tenant_id),
        tenant_id=settings.tenant_id,
    )


def given_report_settings(
    config: Mapping[str, Any] | None, schema: Mapping[str, Any], *, parse_env: bool
) -> ReportSettings:
    """The same from settings that may be refused, as far as they can be read.

    Args:
        config: The settings as given.
        schema: The JSON Schema of all settings.
        parse_env: True if environment variables count.
    """
    given = dict(config or {})
    if parse_env:
        given |= read_environment(os.environ, schema)[0]
    folder, keep = given.get("run_report"), given.get("run_report_keep")
    tenant = tenant_id = UNKNOWN
    try:
        tenant = tenant_id = read_tenant_id(given["tenant_id"])
        tenant = tenant_key(
            read_api_url(given.get("api_url") or REGIONS[given["region"]]), tenant_id
        )
    except (AttributeError, KeyError, Mistake, TypeError):
        # What is missing or wrong is told by the settings' own check.
        pass
    return ReportSettings(
        folder=folder if isinstance(folder, str) and folder.strip() else None,
        # True is an `int`: it would remove all other reports.
        keep=keep if type(keep) is int and keep > 0 else ReportSettings().keep,
        tenant=tenant,
        tenant_id=tenant_id,
    )


def clean(text: str) -> str:
    """A text without secrets and control characters; its line feeds stay."""
    return "\n".join(map(SCRUBBER.line, text.split("\n")))
