"""Orgvue's regions and their servers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REGIONS: Mapping[str, str] = MappingProxyType(
    {
        "eu-west": "https://orgvue.eu-west-1.concentra.io",
        "us-east": "https://orgvue.us-east-1.concentra.io",
        "ap-southeast": "https://orgvue.ap-southeast-2.concentra.io",
        "eu-west-staging": "https://orgvue-staging.eu-west-1.concentra.io",
        "us-east-staging": "https://orgvue-staging.us-east-1.concentra.io",
        "ap-southeast-staging": "https://orgvue-staging.ap-southeast-2.concentra.io",
    },
)
"""Region to server (API guide, "Servers")."""
