"""The settings that a run report depends on, also of a run whose settings are refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.orgvue.addresses import tenant_key
from tap_orgvue.settings.checks import RUN_REPORT_KEEP
from tap_orgvue.settings.environment import read_environment
from tap_orgvue.settings.readers import (
    Mistake,
    read_api_url,
    read_run_report,
    read_tenant_id,
)
from tap_orgvue.settings.regions import REGIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.settings import Settings

UNKNOWN = "unknown"
"""The tenant of a run whose settings lack a valid tenant."""


class ReportSettings(msgspec.Struct, frozen=True):
    """The settings that a run report depends on.

    Attributes:
        folder: The setting `run_report`; None for no report.
        keep: The setting `run_report_keep`.
        tenant: The tenant as the state names it; see `tenant_key`.
        tenant_id: The tenant's id.
    """

    folder: str | None = None
    keep: int = RUN_REPORT_KEEP
    tenant: str = UNKNOWN
    tenant_id: str = UNKNOWN

    @classmethod
    def of(cls, settings: Settings) -> ReportSettings:
        """Take them from the settings of a run."""
        return cls(
            folder=settings.run_report,
            keep=settings.run_report_keep,
            tenant=tenant_key(settings.api_url, settings.tenant_id),
            tenant_id=settings.tenant_id,
        )

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any] | None, schema: Mapping[str, Any], *, parse_env: bool
    ) -> ReportSettings:
        """Read them from a config that may be refused; an unreadable one has its default.

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
            # The check of the settings reports missing and wrong ones.
            pass
        return cls(
            folder=_folder(folder),
            # True is an `int`: it would remove all other reports.
            keep=keep if type(keep) is int and keep > 0 else RUN_REPORT_KEEP,
            tenant=tenant,
            tenant_id=tenant_id,
        )


def _folder(given: object) -> str | None:
    try:
        return read_run_report(given) if isinstance(given, str) else None
    except Mistake:
        return None
