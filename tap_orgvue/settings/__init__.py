"""The settings of a run: declared once, read and checked."""

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.settings import Settings

__all__ = ["Settings", "SettingsError"]
