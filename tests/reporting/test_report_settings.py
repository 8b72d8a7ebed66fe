"""What a run report takes from a config, also from one that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.reporting.report_settings import UNKNOWN, ReportSettings
from tap_orgvue.settings.checks import RUN_REPORT_KEEP
from tap_orgvue.settings.regions import REGIONS
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings


def found(config: dict[str, Any] | None) -> ReportSettings:
    """The settings of a report."""
    return ReportSettings.from_config(config, {}, parse_env=False)


@pytest.mark.parametrize(
    "server,tenant",
    [
        ({"region": "eu-west"}, f"{REGIONS['eu-west'].removeprefix('https://')}/ACME"),
        ({"api_url": "https://orgvue.test"}, "orgvue.test/ACME"),
        ({"api_url": "https://orgvue.test", "region": "eu-west"}, "orgvue.test/ACME"),
        ({"region": "nowhere"}, "ACME"),
        ({"api_url": 7}, "ACME"),
        ({}, "ACME"),
    ],
)
def test_the_tenant_of_a_report(server: dict[str, Any], tenant: str) -> None:
    """A server has it in its name, whether by its URL or its region; no wrong one is told."""
    read = found({"tenant_id": "ACME", **server})
    assert (read.tenant, read.tenant_id) == (tenant, "ACME")


def test_the_settings_of_a_run() -> None:
    """A run whose settings are valid has the same report as one whose settings are refused."""
    config = {
        "api_token": "a-token",
        "tenant_id": "ACME",
        "api_url": "https://orgvue.test",
        "run_report": "reports",
        "run_report_keep": 7,
    }
    settings = ReportSettings.of(Settings.from_config(config, SETTINGS_SCHEMA))
    assert settings == ReportSettings("reports", 7, "orgvue.test/ACME", "ACME") == found(config)


def test_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """They count where the command line says so, before those of a file."""
    monkeypatch.setenv("TAP_ORGVUE_RUN_REPORT", "elsewhere")
    monkeypatch.setenv("TAP_ORGVUE_RUN_REPORT_KEEP", "7")
    config = {"run_report": "reports"}
    kept = {
        parse_env: ReportSettings.from_config(config, SETTINGS_SCHEMA, parse_env=parse_env)
        for parse_env in (False, True)
    }
    assert (kept[False].folder, kept[False].keep) == ("reports", RUN_REPORT_KEEP)
    assert (kept[True].folder, kept[True].keep) == ("elsewhere", 7)


@pytest.mark.parametrize("config", [None, {}, {"tenant_id": 7}, {"tenant_id": "a b"}])
def test_a_tenant_that_cannot_be_read(config: dict[str, Any] | None) -> None:
    """It is unknown."""
    assert found(config) == ReportSettings(tenant=UNKNOWN, tenant_id=UNKNOWN)


@pytest.mark.parametrize(
    "given,keep",
    [(1, 1), (500, 500), *((each, RUN_REPORT_KEEP) for each in (0, -1, True, 2.0, "5", None))],
)
def test_how_many_reports_are_kept(given: object, keep: int) -> None:
    """A number that cannot be meant removes no report."""
    assert found({"run_report_keep": given}).keep == keep


@pytest.mark.parametrize("given", ["", " ", "s3://bucket", 7, None])
def test_a_folder_that_cannot_be_meant(given: object) -> None:
    """No report is written there."""
    assert found({"run_report": given}).folder is None
    assert found({"run_report": "reports"}).folder == "reports"
