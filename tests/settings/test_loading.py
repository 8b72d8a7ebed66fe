"""Settings from a config, files and the environment: which of them wins, and what is told."""

from __future__ import annotations

import base64
import json
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.loading import load_settings, read_configs
from tap_orgvue.settings.settings import SETTINGS_SCHEMA

if TYPE_CHECKING:
    from pathlib import Path

    from tap_orgvue.settings import Settings

LOGGER = logging.getLogger("tap-orgvue")
NOW = datetime.now(timezone.utc)
GOOD = {"api_token": "eyJhbGciOiJub25lIn0.c2VjcmV0.QUJDREVG", "tenant_id": "ACME"}


@pytest.fixture(autouse=True)
def _no_other_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file with variables is found."""
    monkeypatch.chdir(tmp_path)


def loaded(config: Any, *, parse_env: bool = False) -> Settings:
    """The settings."""
    return load_settings(config, schema=SETTINGS_SCHEMA, parse_env=parse_env, logger=LOGGER)[0]


def token(**days: float) -> str:
    """A token with dates, in days from now."""
    claims = {name: (NOW + timedelta(days=after)).timestamp() for name, after in days.items()}
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2ln"


def test_a_start_date_to_come() -> None:
    """No row would be read, so it is refused; one that is over is accepted."""
    config = {**GOOD, "region": "eu-west"}
    assert loaded({**config, "start_date": "2020-01-01"}).start_date is not None
    with pytest.raises(SettingsError, match="start_date: is in the future"):
        loaded({**config, "start_date": "2999-01-01"})


@pytest.mark.parametrize(
    "days,refusal",
    [({"exp": -1}, "api_token: expired on"), ({"nbf": 1, "exp": 90}, "api_token: is not active")],
)
def test_a_token_that_orgvue_would_refuse(days: dict[str, float], refusal: str) -> None:
    """It is refused before any request, with the page that makes another."""
    with pytest.raises(SettingsError, match=refusal):
        loaded({**GOOD, "region": "eu-west", "api_token": token(**days)})


@pytest.mark.parametrize("days,told", [(3.5, True), (60, False)])
def test_a_token_that_expires_soon(
    days: float, caplog: pytest.LogCaptureFixture, *, told: bool
) -> None:
    """A warning tells in how many days, and where a new one is made."""
    loaded({**GOOD, "region": "eu-west", "api_token": token(nbf=-1, exp=days)})
    assert ("expires in 3 days" in caplog.text) is told
    assert ("https://orgvue.eu-west-1.concentra.io/tokens" in caplog.text) is told


def test_later_files_win(tmp_path: Path) -> None:
    """Of several files each adds to those before it."""
    paths = []
    for number, config in enumerate([{"a": 1, "b": 1}, {"b": 2}]):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps(config))
    assert read_configs(paths) == {"a": 1, "b": 2}
    assert read_configs(paths[0]) == read_configs(str(paths[0])) == {"a": 1, "b": 1}
    assert read_configs(None) == {}


def test_a_config_can_be_a_file(tmp_path: Path) -> None:
    """The settings of a file, or of several, are those of an object with the same members."""
    path, more = tmp_path / "config.json", tmp_path / "more.json"
    path.write_text(json.dumps({**GOOD, "region": "us-east"}))
    more.write_text(json.dumps({"region": "eu-west"}))
    assert loaded(str(path)).region == "us-east"
    assert loaded([path, more]) == loaded({**GOOD, "region": "eu-west"})


def test_the_environment_wins_where_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are looked at only where the user asks for them."""
    monkeypatch.setenv("TAP_ORGVUE_REGION", "us-east")
    config = {**GOOD, "region": "eu-west"}
    assert loaded(config).region == "eu-west"
    assert loaded(config, parse_env=True).region == "us-east"


def test_a_file_of_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.env` in the working folder counts as the environment does."""
    # Removed again afterwards.
    monkeypatch.setenv("TAP_ORGVUE_REGION", "")
    monkeypatch.delenv("TAP_ORGVUE_REGION")
    (tmp_path / ".env").write_text("TAP_ORGVUE_REGION=us-east\n")
    monkeypatch.setattr("dotenv.main.find_dotenv", lambda *_, **__: str(tmp_path / ".env"))
    assert loaded(GOOD, parse_env=True).region == "us-east"


def test_variables_that_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """They are told by their names; one that looks like a setting is a mistake."""
    monkeypatch.setenv("TAP_ORGVUE_SOMETHING_ELSE", "a-secret")
    with caplog.at_level(logging.INFO):
        loaded({**GOOD, "region": "eu-west"})
    assert "TAP_ORGVUE_SOMETHING_ELSE" in caplog.text
    assert "a-secret" not in caplog.text
    monkeypatch.setenv("TAP_ORGVUE_REGIONS", "a-secret")
    with pytest.raises(SettingsError, match="TAP_ORGVUE_REGIONS"):
        loaded({**GOOD, "region": "eu-west"})
