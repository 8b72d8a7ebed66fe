"""Generates ids of datasets, rows and drafts, and the token; always the same ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_NAMESPACE = uuid.UUID("2e9a1c64-51c3-5d0b-9d2b-6f0f4c1d7a10")


def made_id(*parts: object) -> str:
    """Make a UUID, upper case, that is always the same for the same parts."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps(parts))).upper()


def made_token(tenant_id: str, starts: datetime, expires: datetime) -> str:
    """Make a token of a JWT's shape, whose `nbf` and `exp` are the token's dates."""
    claims = {
        "sub": "user",
        "tenant": tenant_id,
        "iat": int(starts.timestamp()),
        "nbf": int(starts.timestamp()),
        "exp": int(expires.timestamp()),
    }
    head = json.dumps({"alg": "HS256", "typ": "JWT"}).encode()
    signed = f"{_segment(head)}.{_segment(json.dumps(claims).encode())}"
    digest = hmac.new(_NAMESPACE.bytes, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_segment(digest)}"


def _segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
