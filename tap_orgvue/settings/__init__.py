"""What a user can set, read once."""

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.settings import Settings

__all__ = ["Settings", "SettingsError"]
