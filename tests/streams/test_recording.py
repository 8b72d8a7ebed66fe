"""The outcomes of a run's streams, as the run report has them."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest

from tap_orgvue.exports.headers import SkippedDataset
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import MalformedResponse, OrgvueError
from tap_orgvue.orgvue.models import Dataset
from tap_orgvue.reporting.journal import Journal, Stage
from tap_orgvue.reporting.outcomes import Outcomes
from tap_orgvue.reporting.run_report import Replication, Status
from tap_orgvue.streams.absent import SkippedInCatalog
from tap_orgvue.streams.identity import EarlierRuns
from tap_orgvue.streams.own_stream import OwnStream
from tap_orgvue.streams.recording import note_absent, plan_outcomes, stream_ended
from tap_orgvue.streams.reported_stream import ReportedStream
from tap_orgvue.streams.state import StreamState
from tests.support.mocked_orgvue import MockedOrgvue

PEOPLE, STAFF = "00000000-0000-4000-8000-00000000000A", "00000000-0000-4000-8000-00000000000B"
SEEN = StreamState(dataset=STAFF, dataset_name="Staff", row_count=7)


def tenant(**members: Any) -> Any:
    """A tenant with a stream of earlier runs, `staff`, of seven rows; or as given."""
    return SimpleNamespace(
        outcomes=Outcomes(),
        journal=Journal(),
        client=MockedOrgvue().client,
        earlier=EarlierRuns({"staff": SEEN, "orgvue_datasets": StreamState(row_count=3)}),
        discovery=SimpleNamespace(skipped=members.get("skipped", [])),
        dataset_names=SimpleNamespace(in_catalog=lambda _dataset_id: "Employees"),
    )


def dataset_stream(name: str = "staff") -> Any:
    """A stream of the dataset Staff."""
    stream = create_autospec(ReportedStream, instance=True)
    stream.name, stream.dataset_id = name, STAFF.lower()
    return stream


# --- the plan


def test_each_selected_stream_is_planned() -> None:
    """In the order of the streams, with the dataset and the rows of its last export."""
    source = tenant()
    own = (create_autospec(OwnStream, instance=True) for _ in range(2))
    selected = [dataset_stream(), *own]
    for stream, name in zip(selected[1:], ("orgvue_datasets", "orgvue_properties"), strict=True):
        stream.name = name
    plan_outcomes(source, selected, [])
    found = source.outcomes.reports(source.journal, source.client)
    assert [
        (each.stream, each.dataset_id, each.dataset_name, each.rows_before) for each in found
    ] == [
        ("staff", STAFF, "Employees", 7),
        ("orgvue_datasets", None, None, 3),
        ("orgvue_properties", None, None, None),
    ]
    assert {each.status for each in found} == {Status.NOT_REACHED}


def test_datasets_that_discovery_skipped_are_left_out() -> None:
    """Those of the catalog, and those of this run."""
    in_catalog = SkippedInCatalog(PEOPLE, "People", "A fault.", forbidden=False)
    skipped = SkippedDataset(Dataset(STAFF.lower(), "Staff"), MalformedResponse("Another."))
    source = tenant(skipped=[skipped])
    plan_outcomes(source, [], [in_catalog])
    found = source.outcomes.reports(source.journal, source.client)
    assert [(each.stream, each.dataset_id, each.status) for each in found] == [
        ("People", PEOPLE, Status.LEFT_OUT),
        ("staff", STAFF, Status.LEFT_OUT),
    ]
    errors = [each.error and (each.error.type, each.error.message) for each in found]
    assert errors == [("OrgvueError", "A fault."), ("MalformedResponse", "Another.")]


# --- absent datasets


def test_a_missing_dataset_has_the_facts_of_its_last_run() -> None:
    """Its stream, its name, its rows, and why it is missing."""
    source = tenant()
    error = OrgvueError("It is gone.", remedy=Remedy.LATER)
    note_absent(source, Status.MISSING, STAFF, "staff", error)
    (found,) = source.outcomes.reports(source.journal, source.client)
    assert (found.stream, found.dataset_id, found.dataset_name, found.rows_before) == (
        *("staff", STAFF, "Staff", 7),
    )
    assert found.status is Status.MISSING
    assert found.error is not None
    assert (found.error.message, found.error.retryable) == ("It is gone.", True)


def test_a_dataset_that_is_left_out_has_its_current_name() -> None:
    """Which the missing stream of the same dataset keeps."""
    source = tenant()
    error = OrgvueError("It is gone.", remedy=Remedy.PERSON)
    note_absent(source, Status.LEFT_OUT, STAFF, "Colleagues", error)
    note_absent(source, Status.MISSING, STAFF, "staff", error)
    (found,) = source.outcomes.reports(source.journal, source.client)
    assert (found.stream, found.dataset_name) == ("staff", "Colleagues")
    assert found.error is not None
    assert not found.error.retryable


@pytest.mark.parametrize("status", [Status.MISSING, Status.LEFT_OUT])
def test_an_entry_without_an_id_is_reported_by_its_name(status: Status) -> None:
    """It has no dataset, and no earlier run."""
    source = tenant()
    for name in ("Entry 3", "Entry 4"):
        note_absent(source, status, "", name, OrgvueError("No id."))
    found = source.outcomes.reports(source.journal, source.client)
    assert [each.stream for each in found] == ["Entry 3", "Entry 4"]
    for each in found:
        assert (each.dataset_id, each.rows_before) == (None, None)
        assert each.dataset_name == (each.stream if status is Status.LEFT_OUT else None)


# --- the end of a stream


@pytest.mark.parametrize("kind", [ReportedStream, OwnStream])
@pytest.mark.parametrize("error", [None, OrgvueError("No.")])
def test_a_stream_completes_its_outcome(kind: type, error: OrgvueError | None) -> None:
    """Whether it succeeded or failed."""
    source, stream = tenant(), create_autospec(kind, instance=True)
    stream.name = "people"
    stream_ended(source, stream, error, logging.getLogger("tap-orgvue"))
    stream.complete_outcome.assert_called_once_with()


def test_a_stream_that_succeeded_is_reported_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """With fields for programs; its stage is the last one."""
    caplog.set_level(logging.INFO)
    source = tenant()
    source.outcomes.of("people").replication = Replication(method="FULL_TABLE")
    source.journal.stream("people").rows = 5
    any_stream: Any = SimpleNamespace(name="people")
    stream_ended(source, any_stream, None, logging.getLogger("tap-orgvue"))
    (record,) = caplog.records
    assert record.getMessage().startswith("people: 5 rows in ")
    assert vars(record)["status"] == "succeeded"
    assert vars(record)["rows"] == 5
    assert source.outcomes.of("people").status is Status.SUCCEEDED
    assert source.journal.stream("people").stage is Stage.ENDED


def test_an_unchanged_stream_stays_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    """Its end is no success of an export."""
    caplog.set_level(logging.INFO)
    source = tenant()
    source.outcomes.of("staff").status = Status.UNCHANGED
    stream_ended(source, dataset_stream(), None, logging.getLogger("tap-orgvue"))
    assert caplog.messages == ["staff: unchanged since its last export"]


def test_a_stream_that_failed_has_its_error(caplog: pytest.LogCaptureFixture) -> None:
    """The log has it from elsewhere, so that there is no line."""
    caplog.set_level(logging.INFO)
    source = tenant()
    error = OrgvueError("No.", remedy=Remedy.LATER)
    stream_ended(source, dataset_stream(), error, logging.getLogger("tap-orgvue"))
    outcome = source.outcomes.of("staff")
    assert outcome.status is Status.FAILED
    assert (outcome.error.message, outcome.error.retryable) == ("No.", True)
    assert not caplog.records
    assert source.journal.stream("staff").stage is Stage.ENDED
