"""Drafts and their datasets without a server, and a tap that has the streams of drafts only."""

from __future__ import annotations

import json
import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk.singerlib.catalog import Catalog
from typing_extensions import override

from tap_orgvue.drafts.actions_stream import DraftActionsStream
from tap_orgvue.drafts.datasets import DraftDatasets
from tap_orgvue.drafts.selection import Drafts
from tap_orgvue.drafts.streams import DraftsStream
from tap_orgvue.orgvue.errors import RUN_ENDING, OrgvueError
from tap_orgvue.settings import Settings
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tap_orgvue.singer.isolating_tap import IsolatingTap
from tap_orgvue.singer.output import BufferedWriter
from tap_orgvue.streams.source import make_source
from tests.support.mocked_orgvue import API, TENANT, TOKEN, MockedOrgvue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_orgvue.drafts.streams import DraftStream
    from tap_orgvue.singer.fast_stream import FastStream
    from tap_orgvue.streams.source import Source

LIST = f"{TENANT}/drafts"
ACTIONS_ADDRESS = f"{LIST}/actions"
STAFF, POSTS = (f"36A1B000-0000-4000-8000-00000000000{last}" for last in "AB")
PROPERTIES = {
    STAFF: {"salary": "Base Pay", "team": "Team"},
    POSTS: {"salary": "Budget", "grade": "Grade"},
}

PLAN: dict[str, Any] = {"draftId": "A", "name": "Plan", "datasetId": STAFF}
"""A draft as the list has it."""
DELETE = {"_action": "delete", "_id": "y"}
"""A change."""

_INCOMPLETE = "is not complete, so that no rows are removed from its table. "


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


class DraftTap(IsolatingTap):
    """A tap of the streams of drafts, without streams of datasets.

    Attributes:
        source: What its streams share.
        drafts: The drafts of the run.
    """

    name = "tap-drafts"
    config_jsonschema: ClassVar[dict[str, Any]] = {"type": "object", "properties": {}}
    message_writer_class = BufferedWriter
    run_ending = RUN_ENDING

    def __init__(
        self,
        orgvue: MockedOrgvue,
        *,
        state: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        **given: Any,
    ) -> None:
        """Request nothing yet.

        Args:
            orgvue: The tenant.
            state: The state of an earlier run.
            config: Settings of the SDK.
            **given: The run's settings.
        """
        self.source = source_of(orgvue, state=state, **given)
        super().__init__(config=config or {}, state=state)

    @override
    def discover_streams(self) -> Sequence[FastStream]:
        """Make both streams."""
        datasets = DraftDatasets(self.source, [], logger=self.logger)
        self.drafts = Drafts(self.source, datasets, self.logger)
        return [kind(self, self.source, self.drafts) for kind in (DraftsStream, DraftActionsStream)]

    def stream(self, name: str) -> DraftStream:
        """One of the streams."""
        stream = self.streams[name]
        assert isinstance(stream, (DraftsStream, DraftActionsStream))
        return stream


def serve_drafts(
    orgvue: MockedOrgvue,
    entries: Sequence[object],
    layers: Mapping[str, dict[str, Any]] | None = None,
) -> None:
    """Serve a list of drafts, and their changes.

    Args:
        orgvue: The tenant.
        entries: The list's entries.
        layers: Draft id and layer key as in `A/default` to `status_code` and `json` of the
            response; all other layers are empty.
    """

    def respond(request: Any, context: Any) -> str:
        (layer,) = request.json()["layers"]
        told = (layers or {}).get(f"{layer['draftId']}/{layer['layerKey']}", {})
        context.status_code = told.get("status_code", 200)
        return json.dumps(told.get("json", []))

    orgvue.serve("GET", LIST, {"json": [*entries]})
    orgvue.adapter.register_uri("POST", ACTIONS_ADDRESS, text=respond)


def numbered(count: int) -> list[dict[str, Any]]:
    """Entries of the list, for drafts without a dataset: D0, D1, …."""
    return [{"draftId": f"D{number}"} for number in range(count)]


def failure(tap: DraftTap, stream: str) -> tuple[OrgvueError, list[dict[str, Any]]]:
    """The error that ends a stream, and the rows before it."""
    rows: list[dict[str, Any]] = []
    with pytest.raises(OrgvueError) as caught:
        rows.extend(tap.stream(stream).rows())
    return caught.value, rows


def faults(error: OrgvueError, stream: str) -> str:
    """What a stream's error says after its first words."""
    assert str(error).startswith(f"Stream '{stream}' {_INCOMPLETE}")
    return str(error).partition(_INCOMPLETE)[2]


@contextmanager
def no_thread_is_left() -> Iterator[None]:
    """Threads for requests that are started here end here."""

    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "orgvue"}

    before = threads()
    yield
    for thread in threads() - before:
        thread.join(10)
        assert not thread.is_alive()
