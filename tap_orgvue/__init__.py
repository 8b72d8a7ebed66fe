"""The Singer tap for Orgvue: one stream per dataset of a tenant."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tap-orgvue")
except PackageNotFoundError:  # pragma: no cover - only in a source tree that is not installed
    __version__ = "0+unknown"
