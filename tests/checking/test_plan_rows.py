"""The rows of the plan and its errors, stream by stream, in this process."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.checking.report import Access
from tap_orgvue.drafts import selection
from tap_orgvue.orgvue.client import Client
from tap_orgvue.orgvue.errors import DeadlineExceeded
from tap_orgvue.simulator import Property
from tests.support.checks import checked, row_of
from tests.support.datasets import people
from tests.support.drafts import with_drafts
from tests.support.runs import discover, only, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.checking.report import CheckReport
    from tap_orgvue.simulator import Orgvue

YES, NO, NOT_CHECKED = Access
HASHING = {"hash_properties": ["Full Name"], "hash_key": "a key of sixteen characters and more"}
OWN = ("orgvue_datasets", "orgvue_properties")


@pytest.fixture
def orgvue(serve: Callable[..., Orgvue]) -> Orgvue:
    """People, and a smaller dataset."""
    orgvue = serve(people(), people(1, "Staff"))
    orgvue.job_polls = ("completed",)
    return orgvue


def access(report: CheckReport) -> dict[str, tuple[Access, bool]]:
    """Each stream, in the plan's order: whether it can be read, and whether it fails the run."""
    return {each.stream: (each.readable, each.fails) for each in report.streams}


# -- the rows


def test_a_row_of_each_sort(orgvue: Orgvue) -> None:
    """Datasets as they are listed, then the tap's own streams, each with where it comes from."""
    config = {**orgvue.config, **HASHING, "exclude_properties": ["salary"]}
    report = checked(config)
    assert [each.stream for each in report.streams] == ["people", "staff", *OWN]
    found, dataset = row_of(report, "people"), orgvue.dataset("People")
    assert (found.dataset_id, found.dataset_name) == (dataset.dataset_id, "People")
    assert (found.selected, found.unchanged, found.fails, found.reason) == (
        True,
        False,
        False,
        None,
    )
    assert (found.source, found.replication_method) == ("export", "FULL_TABLE")
    assert {"id", "full_name"} <= set(found.columns)
    assert (found.excluded, found.hashed, found.deselected) == (["salary"], ["full_name"], [])
    own = row_of(report, "orgvue_datasets")
    assert (own.source, own.dataset_id, own.selected) == ("metadata", None, False)
    assert (own.columns, own.replication_method) == ((), None)


def test_a_deselected_stream_has_its_row_by_the_catalog(orgvue: Orgvue) -> None:
    """Nothing is requested for it; a column that is excluded since is told as such."""
    catalog = select(discover(orgvue.config), "people", selected=False)
    config = {**orgvue.config, **HASHING, "exclude_properties": ["salary"]}
    found = row_of(checked(config, catalog), "people")
    assert (found.selected, found.readable, found.deliveries) == (False, NOT_CHECKED, ())
    assert (found.columns, found.excluded, found.hashed) == (["_id"], ["salary"], [])
    assert {"id", "full_name"} <= set(found.deselected)
    assert not {"_id", "salary"} & set(found.deselected)


def test_exclusion_is_reported_by_the_names_of_today(orgvue: Orgvue) -> None:
    """A property that was renamed since the catalog, and one that the catalog lacks, by its key."""
    catalog, dataset = discover(orgvue.config), orgvue.dataset("People")
    dataset.change_property("salary", name="Pay")
    dataset.add_property(Property("bonus", "number", name="Bonus"))
    config = {**orgvue.config, "exclude_properties": ["Pay", "Bonus", "onLeave"]}
    found = row_of(checked(config, catalog), "people")
    assert found.excluded == ["salary", "on_leave", "bonus"]
    assert not {"salary", "on_leave", "bonus"} & {*found.columns, *found.deselected}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"exclude_properties": ["salary"]}])
def test_a_new_property_is_a_column_unless_some_are_deselected(
    orgvue: Orgvue, settings: dict[str, Any]
) -> None:
    """Exclusion keeps out only what it names; a selection keeps out what it does not."""
    catalog, config = discover(orgvue.config), {**orgvue.config, **settings}
    orgvue.dataset("People").add_property(Property("bonus", "number"))
    assert "bonus" in row_of(checked(config, catalog), "people").columns
    select(catalog, "people", "on_leave", selected=False)
    assert "bonus" not in row_of(checked(config, catalog), "people").columns


@pytest.mark.slow
def test_only_datasets_that_did_not_change_are_left_out(orgvue: Orgvue) -> None:
    """An unchanged one needs no columns; one that changed since has its delivery."""
    config = {**orgvue.config, **HASHING, "skip_unchanged": True}
    state = sync(config).state
    orgvue.dataset("Staff").add({"id": "new"})
    report = checked(config, state=copy.deepcopy(state))
    same, changed = row_of(report, "people"), row_of(report, "staff")
    assert (same.readable, same.unchanged, same.deliveries) == (YES, True, ())
    assert (changed.readable, changed.unchanged) == (YES, False)
    assert changed.deliveries == ("synchronous", "job", "slices")
    assert not row_of(checked({**config, "skip_unchanged": False}, state=state), "people").unchanged


def test_a_stream_that_fails_sends_no_column(orgvue: Orgvue) -> None:
    """Its row has the reason, which is an error of the run as well; the others are read."""
    catalog = discover(orgvue.config)
    orgvue.dataset("Staff").hidden_because = "404601"
    report = checked({**orgvue.config, **HASHING}, catalog)
    found = row_of(report, "staff")
    assert access(report)["staff"] == (NO, True)
    assert access(report)["people"] == (YES, False)
    assert (found.columns, found.hashed) == ((), ())
    assert report.errors == [found.reason]
    assert report.exit_code == 3


def test_jobs_that_fail_fail_the_streams_that_need_one(orgvue: Orgvue) -> None:
    """The others have another delivery; the error names the stream."""
    orgvue.async_export = False
    # The refusal comes before the plan is complete.
    orgvue.pause(seconds=0.2, on="headers", dataset="Staff")
    links = {"people": [orgvue.dataset("Staff").dataset_id]}
    report = checked({**orgvue.config, "linking_relationships": links})
    assert access(report)["people"] == (NO, True)
    assert access(report)["staff"] == (YES, False)
    (error,) = report.errors
    assert error.startswith("Stream 'people' needs an export job. Orgvue refused ")
    assert error.endswith(str(row_of(report, "people").reason))


# -- datasets that have no stream


def test_datasets_without_a_stream_have_a_row(orgvue: Orgvue) -> None:
    """A dataset that is refused is skipped; one that fails otherwise fails the run."""
    orgvue.dataset("People").hidden_because = "403601"
    report = checked(orgvue.config)
    found = row_of(report, "people")
    assert (found.readable, found.fails, found.columns) == (NO, False, ())
    assert found.reason is not None
    assert "403601" in found.reason
    assert [each.stream for each in report.streams] == ["people", "staff", *OWN]
    assert (report.errors, report.exit_code) == ([], 0)

    orgvue.dataset("People").hidden_because = None
    orgvue.refuse(500, dataset="People", times=None)
    settings = {"max_retries": 0, "include_calculations": False}
    report = checked({**orgvue.config, **settings})
    found = row_of(report, "people")
    assert (found.dataset_name, found.source, found.readable) == ("People", "items", NO)
    assert found.fails
    assert report.exit_code == 5


def test_datasets_of_a_run_that_ends_at_discovery(orgvue: Orgvue) -> None:
    """Where no stream is made, it is told which datasets can be read."""
    both = {"people": {"id": "P1"}, orgvue.dataset("People").dataset_id: {"id": "P2"}}
    orgvue.dataset("Staff").hidden_because = "403601"
    report = checked({**orgvue.config, "filters": both})
    assert access(report) == {"people": (YES, False), "staff": (NO, False)}
    assert row_of(report, "people").source == "export"
    assert row_of(report, "people").reason is None
    assert len(report.errors) == 1
    assert report.exit_code == 3


# -- the tap's own streams


@pytest.mark.parametrize(
    "refusal,code,found", [(500, 5, (NO, True)), ("40302", 3, (NOT_CHECKED, False))]
)
def test_metadata_that_cannot_be_read(
    orgvue: Orgvue, refusal: int | str, code: int, found: tuple[Access, bool]
) -> None:
    """It fails both streams that are made of it; a refusal of the tenant ends the run."""
    catalog = only(discover(orgvue.config), "people", *OWN)
    assert access(checked(orgvue.config, catalog))["orgvue_datasets"] == (YES, False)
    orgvue.refuse(refusal, on="metadata", times=None)
    report = checked({**orgvue.config, "max_retries": 0}, catalog)
    assert [access(report)[name] for name in OWN] == [found, found]
    assert access(report)["people"] == (YES, False)
    assert len(report.errors) == 1
    assert report.exit_code == code


def without_time(*_: object) -> None:
    """A request that the check has no time for."""
    raise DeadlineExceeded("No time is left.")


def test_what_is_late_fails_nothing(orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata and drafts that do not come in time were not checked."""
    config = with_drafts(orgvue)
    catalog = only(discover(config), "people", *OWN, "orgvue_drafts", "orgvue_draft_actions")
    monkeypatch.setattr(Client, "metadata", without_time)
    monkeypatch.setattr(selection, "list_drafts", without_time)
    report = checked(config, catalog)
    late = [name for name, found in access(report).items() if found == (NOT_CHECKED, False)]
    assert sorted(late) == sorted(["staff", *OWN, "orgvue_drafts", "orgvue_draft_actions"])
    assert report.drafts is None
    assert report.errors == []


# -- the run as a whole


@pytest.mark.parametrize("catalog,needed", [(None, 5), ("people", 1)])
def test_the_requests_that_a_run_takes_at_least(
    orgvue: Orgvue, catalog: str | None, needed: int
) -> None:
    """The list and the headers of each dataset, where there is no catalog, and each export."""
    given = None if catalog is None else only(discover(orgvue.config), catalog)
    report = checked({**orgvue.config, "max_requests_per_run": needed}, given)
    assert (report.errors, report.exit_code) == ([], 0)
    if needed > 1:
        report = checked({**orgvue.config, "max_requests_per_run": needed - 1}, given)
        assert report.errors == [
            f"The run takes {needed} requests at least, and `max_requests_per_run` is {needed - 1}."
        ]
        assert report.exit_code == 4
        assert access(report)["people"] == (YES, False)


def test_the_first_error_ends_the_run(orgvue: Orgvue) -> None:
    """Of several that would, the one that comes first in a run is told."""
    settings = {"stream_maps": {"nobody": {"x": None}}, "max_requests_per_run": 1}
    report = checked({**orgvue.config, **settings})
    (error,) = report.errors
    assert "stream_maps" in error
    assert report.exit_code == 3
    assert access(report)["people"] == (YES, False)


def test_streams_of_earlier_runs_are_missed(orgvue: Orgvue) -> None:
    """A stream whose dataset is gone fails the run as the others are sent."""
    gone = {"tenant": orgvue.tenant_id, "dataset": "99999999-9999-4999-8999-999999999999"}
    state: dict[str, Any] = {"bookmarks": {"old": {"orgvue": gone}}}
    report = checked(orgvue.config, state=copy.deepcopy(state))
    (error,) = report.errors
    assert "'old'" in error
    assert report.exit_code == 3
    report = checked({**orgvue.config, "missing_streams": "warn"}, state=state)
    assert (report.errors, report.exit_code) == ([], 0)
    assert any("'old'" in line for line in report.warnings)


def test_a_state_with_streams_of_another_tenant(orgvue: Orgvue) -> None:
    """They are ignored, with a warning as in a run."""
    state: dict[str, Any] = sync(orgvue.config).state
    state["bookmarks"]["other"] = {"orgvue": {"tenant": "OTHER"}}
    report = checked(orgvue.config, state=state)
    (warning,) = report.warnings
    assert warning.startswith("The state holds streams of another tenant (OTHER), which are")
    assert (report.errors, report.exit_code) == ([], 0)
