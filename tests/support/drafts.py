"""Tenants with drafts, and what the tap sends of them."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from tap_orgvue.schema.naming import DRAFT_ACTIONS_STREAM, DRAFTS_STREAM
from tap_orgvue.simulator import Dataset, Draft, Orgvue, Property, Tenant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.runs import Run

HASH_KEY = "a key of more than sixteen characters"
SECRET = "Ada-Secret-Lovelace"
PAY = 90125.5
ITEM = "7918D0B4-0000-4000-8000-000000000001"

DRAFTS, ACTIONS = DRAFTS_STREAM, DRAFT_ACTIONS_STREAM

CREATE: dict[str, Any] = {
    "_action": "create",
    "id": "3",
    "full name": SECRET,
    "salary": PAY,
    "team": "Data",
}
CHANGES: list[dict[str, Any]] = [
    {"_action": "update", "_id": ITEM, "salary": PAY, "team": "Sales"},
    CREATE,
    {"_action": "delete", "_id": ITEM},
]


def staff(**options: Any) -> Dataset:
    """A dataset with a secret name and a secret salary, whose display name is another word."""
    return Dataset(
        "Staff",
        type="PEOPLE",
        properties=[
            Property("id", "text", name="Staff Number", auto_id=True),
            Property("full name", "text", name="Person"),
            Property("salary", "number", name="Base Pay"),
            Property("team", "text", name="Team"),
        ],
        rows=[{"_id": ITEM, "id": "1", "full name": SECRET, "salary": PAY, "team": "Ops"}],
        **options,
    )


def posts(**options: Any) -> Dataset:
    """Another dataset, which shares keys with `staff`."""
    return Dataset(
        "Posts",
        type="POSITIONS",
        properties=[
            Property("id", "text", auto_id=True),
            Property("salary", "number", name="Budget"),
            Property("grade", "number", name="Grade"),
        ],
        rows=[{"id": "9", "salary": 1, "grade": 7}],
        **options,
    )


def links() -> Dataset:
    """A dataset of links."""
    return Dataset(
        "Staff to Posts",
        type="LINKS",
        properties=[
            Property("link_id", "text", auto_id=True),
            Property("from_id", "text", name="Holder"),
            Property("to_id", "text", name="Post"),
            Property("share", "number", name="Share"),
        ],
        rows=[{"link_id": "[1,9]", "from_id": "1", "to_id": "9", "share": 1}],
    )


def tenant(datasets: Sequence[Dataset], *drafts: Draft) -> Orgvue:
    """A tenant; the caller starts and stops it."""
    return Orgvue(Tenant(datasets, drafts))


def with_drafts(orgvue: Orgvue, *patterns: str, **settings: Any) -> dict[str, Any]:
    """A config that reads drafts, all of them by default."""
    return {**orgvue.config, "drafts": list(patterns or "*"), **settings}


def changes(run: Run) -> list[dict[str, Any]]:
    """The parsed `changes` of each action, in order."""
    return [json.loads(record["changes"]) for record in run.records[ACTIONS]]


def hashed(text: str) -> str:
    """What a value is sent as."""
    return hmac.new(HASH_KEY.encode(), text.encode(), hashlib.sha256).hexdigest()
