"""Loads the settings, and the config for the SDK, from a config, files and the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dotenv import load_dotenv

from tap_orgvue.orgvue.auth import read_token_dates
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.config import normalized
from tap_orgvue.settings.environment import misspelt_variables, read_environment
from tap_orgvue.settings.files import read_config
from tap_orgvue.settings.settings import Settings

if TYPE_CHECKING:
    import logging


def load_settings(
    config: Any, *, schema: Mapping[str, Any], parse_env: bool, logger: logging.Logger
) -> tuple[Settings, dict[str, Any]]:
    """Read the settings, before the SDK looks at the config: it prints the values it refuses.

    Args:
        config: A config, a path, or a list of paths.
        schema: The JSON Schema of all settings.
        parse_env: True if environment variables count.
        logger: For the names of unknown variables, and a warning about a token that expires soon.

    Returns:
        The settings, and the config for the SDK.

    Raises:
        SettingsError: With one line for each mistake.
    """
    mistakes, others = misspelt_variables(os.environ, schema)
    if others:
        logger.info("Environment variables that are no settings of the tap: %s.", ", ".join(others))
    given = dict(config) if isinstance(config, Mapping) else read_configs(config)
    if parse_env:
        # The SDK's way to have variables in a file.
        load_dotenv()
        variables, unreadable = read_environment(os.environ, schema)
        given |= variables
        mistakes += unreadable
    if mistakes:
        raise SettingsError(mistakes)
    settings = Settings.from_config(given, schema)
    _check_dates(settings, logger, now=datetime.now(timezone.utc))
    return settings, normalized(given, schema)


def read_configs(paths: Any) -> dict[str, Any]:
    """The settings of several files, later ones over earlier ones; each file is read once."""
    config: dict[str, Any] = {}
    for path in [paths] if isinstance(paths, (str, PurePath)) else paths or ():
        config |= read_config(str(path))
    return config


def _check_dates(settings: Settings, logger: logging.Logger, *, now: datetime) -> None:
    """Check the token's dates and the start date before any request.

    Raises:
        SettingsError: The token has expired or is not active yet; the start date is to come.
    """
    if settings.start_date is not None and settings.start_date > now:
        raise SettingsError(["start_date: is in the future, so that no row would be read."])
    dates, page = read_token_dates(settings.api_token), f"{settings.api_url}/tokens"
    if refusal := dates.refusal(now, page):
        raise SettingsError([f"api_token: {refusal}"])
    if warning := dates.warning(now, page):
        logger.warning("%s", warning)
