"""What all streams of a run share."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, create_autospec

import msgspec
import pytest

from tap_orgvue.exports.headers import HeaderReader
from tap_orgvue.settings.settings import SETTINGS_SCHEMA, Settings
from tap_orgvue.streams.source import make_source
from tap_orgvue.streams.state import StreamState
from tests.support.mocked_orgvue import API, TENANT, MockedOrgvue

if TYPE_CHECKING:
    from pathlib import Path

    from tap_orgvue.streams.source import Source

PEOPLE = "00000000-0000-4000-8000-00000000000A"
KNOWN = StreamState(tenant="orgvue.test/ACME", dataset=PEOPLE, dataset_name="People")


def source(
    state: StreamState | None = None,
    orgvue: MockedOrgvue | None = None,
    headers: Any = None,
    names: dict[str, str] | None = None,
    **settings: Any,
) -> Source:
    """A tenant as a run reads it, by default with its own client."""
    given = {"api_url": API, "tenant_id": "ACME", "api_token": "t", **settings}
    return make_source(
        Settings.from_config(given, SETTINGS_SCHEMA),
        state={"bookmarks": {"people": {"orgvue": state.to_json()}}} if state else {},
        catalog=None,
        reads_ahead=False,
        logger=logging.getLogger("tap-orgvue"),
        client=orgvue.client if orgvue else None,
        headers=headers,
        names_in_catalog=names,
    )


@pytest.mark.parametrize(
    "state,settings,requested",
    [
        (None, {}, False),
        (KNOWN, {}, True),
        (StreamState(dataset=PEOPLE), {}, False),
        (None, {"run_report": "reports"}, True),
        (KNOWN, {"skip_unchanged": True}, False),
        (None, {"run_report": "reports", "skip_unchanged": True}, False),
    ],
    ids=["first run", "named", "unnamed", "report", "metadata", "report and metadata"],
)
def test_names_are_requested_where_a_run_needs_them(
    tmp_path: Path,
    state: StreamState | None,
    settings: dict[str, Any],
    requested: bool,  # noqa: FBT001 - what is expected
) -> None:
    """To compare them with the last run's, or for the report; metadata has them besides."""
    orgvue = MockedOrgvue()
    listed = [{"datasetId": PEOPLE, "name": "Staff"}]
    orgvue.serve("GET", f"{TENANT}/datasets", {"json": listed})
    if "run_report" in settings:
        settings = {**settings, "run_report": str(tmp_path)}
    made = source(state, orgvue, **settings)
    made.dataset_names.request()
    assert made.dataset_names.now(PEOPLE) == ("Staff" if requested else None)
    made.close()


def test_names_of_the_catalog_are_kept() -> None:
    """A run without them has none."""
    for names, found in (({PEOPLE: "Employees"}, "Employees"), (None, None)):
        made = source(names=names)
        assert made.dataset_names.in_catalog(PEOPLE) == found
        made.close()


def test_streams_of_another_tenant_leave_the_state() -> None:
    """The SDK would write them into this tenant's state again."""
    state = {
        "bookmarks": {
            "people": {"orgvue": KNOWN.to_json()},
            "staff": {"orgvue": StreamState(tenant="orgvue.test/OTHER").to_json()},
        }
    }
    made = make_source(
        Settings.from_config(
            {"api_url": API, "tenant_id": "ACME", "api_token": "t"}, SETTINGS_SCHEMA
        ),
        state=state,
        catalog=None,
        reads_ahead=False,
        logger=logging.getLogger("tap-orgvue"),
    )
    assert state["bookmarks"].keys() == made.earlier.states.keys() == {"people"}
    made.close()


def test_a_check_reads_through_its_own_client() -> None:
    """Its client and its headers are those of every stream."""
    orgvue, headers = MockedOrgvue(), create_autospec(HeaderReader, instance=True)
    made = source(orgvue=orgvue, headers=headers)
    assert made.client is orgvue.client
    assert made.headers is headers
    made.close()


def test_closing_stops_every_request() -> None:
    """Of the client, of the exports ahead, and of the names."""
    made = source()
    open_parts = {name: Mock() for name in ("client", "prefetcher", "dataset_names")}
    msgspec.structs.replace(made, **open_parts).close()
    for part in open_parts.values():
        part.close.assert_called_once_with()
    made.close()
