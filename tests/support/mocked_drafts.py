"""Drafts and their datasets without a server, and without a tap around them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.catalog import Catalog

from tap_orgvue.settings import Settings
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tap_orgvue.streams.source import make_source
from tests.support.mocked_orgvue import API, TENANT, TOKEN, MockedOrgvue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.streams.source import Source

LIST = f"{TENANT}/drafts"
STAFF, POSTS = (f"36A1B000-0000-4000-8000-00000000000{last}" for last in "AB")
PROPERTIES = {
    STAFF: {"salary": "Base Pay", "team": "Team"},
    POSTS: {"salary": "Budget", "grade": "Grade"},
}


def settings(**given: Any) -> Settings:
    """The settings of a run that reads all drafts, unless they say otherwise."""
    config = {"api_url": API, "tenant_id": "ACME", "api_token": TOKEN, "drafts": ["*"]}
    return Settings.from_config({**config, **given}, SETTINGS_SCHEMA)


def metadata_url(dataset_id: str) -> str:
    """Where the metadata of a dataset is."""
    return f"{TENANT}/datasets/{dataset_id}"


def mocked(**options: Any) -> MockedOrgvue:
    """A tenant with the datasets Staff and Posts; options are those of the client."""
    orgvue = MockedOrgvue(**{"max_retries": 0, **options})
    names = {STAFF: "Staff", POSTS: "Posts"}
    datasets = [{"datasetId": each, "name": name} for each, name in names.items()]
    orgvue.serve("GET", f"{TENANT}/datasets", {"json": datasets})
    for dataset_id, properties in PROPERTIES.items():
        serve_metadata(orgvue, dataset_id, properties)
    return orgvue


def serve_metadata(orgvue: MockedOrgvue, dataset_id: str, properties: Mapping[str, str]) -> None:
    """Serve the metadata of a dataset with these properties: key to display name."""
    told = [{"key": key, "name": name, "type": "text"} for key, name in properties.items()]
    orgvue.serve("GET", metadata_url(dataset_id), {"json": {"properties": told}})


def source_of(
    orgvue: MockedOrgvue,
    *,
    state: Mapping[str, Any] | None = None,
    has_catalog: bool = False,
    **given: Any,
) -> Source:
    """What the streams of a run share.

    Args:
        orgvue: The tenant.
        state: The state of an earlier run.
        has_catalog: True for a catalog without any stream.
        **given: The run's settings.
    """
    return make_source(
        settings(**given),
        state=state or {},
        catalog=Catalog() if has_catalog else None,
        reads_ahead=False,
        logger=logging.getLogger("source"),
        client=orgvue.client,
    )
