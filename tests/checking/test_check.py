"""A whole check in this process: its stages, what it requests, and what it leaves out."""

from __future__ import annotations

import threading
from concurrent.futures import TimeoutError as StillRunning
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.checking import check as checking
from tap_orgvue.checking import probes
from tap_orgvue.checking.check import Check
from tap_orgvue.checking.report import Access, StageStatus
from tap_orgvue.checking.summary import CapturedLog
from tap_orgvue.exports.headers import HeaderReader
from tap_orgvue.orgvue.errors import DeadlineExceeded, OrgvueError
from tap_orgvue.simulator.tenant import Tenant
from tap_orgvue.singer.errors import BatchFileFailed
from tap_orgvue.tap import TapOrgvue
from tests.support.checks import checked, row_of
from tests.support.datasets import people
from tests.support.runs import discover, only, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.checking.report import CheckReport, StageReport
    from tap_orgvue.simulator import Orgvue

PASSED, FAILED, NOT_CHECKED = StageStatus
STAGES = ("settings", "TLS and proxy", "token", "tenant", "datasets", "columns", "finished exports")


@pytest.fixture(autouse=True)
def _jobs_are_done_at_once(orgvue: Orgvue) -> None:
    """Nothing has to be waited for."""
    orgvue.job_polls = ("completed",)


def stages(report: CheckReport) -> dict[str, tuple[StageStatus, str]]:
    """Each stage's status and text."""
    return {each.stage: (each.status, each.text) for each in report.stages}


# -- the stages


def test_every_stage_has_its_finding(orgvue: Orgvue) -> None:
    """Each is shown as it ends, and the report has the same ones, with two that sum it up."""
    shown: list[StageReport] = []
    report = checked(orgvue.config, show=shown.append)
    count = len(row_of(report, "people").columns)
    assert stages(report) == {
        "settings": (PASSED, f"tenant {orgvue.tenant_id} at 127.0.0.1"),
        "TLS and proxy": (PASSED, "the server responds"),
        "token": (PASSED, "valid until 2100-01-01"),
        "tenant": (PASSED, f"{orgvue.tenant_id} responds"),
        "datasets": (PASSED, "1 are listed"),
        "columns": (PASSED, f"'People' has {count}, 5 of them stored"),
        "finished exports": (PASSED, "an export job completed, and its result was downloaded"),
        "plan": (PASSED, "1 of 1 selected streams can be read"),
        "assumptions": (PASSED, stages(report)["assumptions"][1]),
    }
    assert shown == report.stages[:-2]
    assert (report.errors, report.warnings, report.not_checked) == ([], [], [])
    assert report.tenant_id == orgvue.tenant_id


def test_a_token_without_a_date(orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known only that Orgvue accepts it."""
    monkeypatch.setattr(Tenant, "token", "an-opaque-token")
    report = checked(orgvue.config)
    assert stages(report)["token"] == (PASSED, "accepted")
    (told,) = [each for each in report.assumptions if each.name == "token-dates"]
    assert told.note == "its expiry is unknown"


@pytest.mark.parametrize(
    "settings,last",
    [
        ({"export_mode": "sync"}, "columns"),
        ({"export_mode": "paged"}, "columns"),
        ({"export_mode": "async"}, "finished exports"),
        ({"export_mode": "sync", "linking_relationships": {"people": []}}, "finished exports"),
    ],
)
def test_a_job_is_run_where_a_run_would_need_one(
    orgvue: Orgvue, settings: dict[str, Any], last: str
) -> None:
    """Without export jobs there is no such stage, and none is requested."""
    report = checked({**orgvue.config, **settings})
    assert [each.stage for each in report.stages][-3] == last
    assert bool(orgvue.requests_of("job")) is (last == "finished exports")


def test_a_job_that_fails_where_slices_would_not_do(orgvue: Orgvue) -> None:
    """Its stage has the error, which fails streams and ends no run."""
    orgvue.refuse(500, on="job", times=None)
    report = checked({**orgvue.config, "max_retries": 0})
    assert stages(report)["finished exports"][0] is FAILED
    assert (report.errors, report.exit_code) == ([], 5)
    assert row_of(report, "people").readable is Access.YES


def test_stages_after_a_failed_one_are_not_checked(orgvue: Orgvue) -> None:
    """They follow in their order, without a text."""
    orgvue.refuse("40302", on="list", times=None)
    report = checked({**orgvue.config, "export_mode": "paged"})
    first, second, failed, *rest = report.stages
    assert [first.stage, second.stage, failed.stage] == ["settings", "TLS and proxy", "token"]
    assert failed.status is FAILED
    assert [(each.stage, each.text) for each in rest] == [
        (name, "") for name in ("tenant", "datasets", "columns", "plan", "assumptions")
    ]
    assert {each.status for each in rest} == {NOT_CHECKED}
    assert (report.errors, report.streams, report.exit_code) == ([], [], 3)


def test_a_catalog_needs_no_datasets_to_match(orgvue: Orgvue) -> None:
    """With a catalog `datasets` matches nothing: all that is listed is told, and only that."""
    catalog = discover(orgvue.config)
    report = checked({**orgvue.config, "datasets": ["nothing*"]}, catalog)
    assert stages(report)["datasets"] == (PASSED, "1 are listed")
    report = checked({**orgvue.config, "datasets": ["nothing*"]})
    assert stages(report)["datasets"][0] is FAILED


@pytest.mark.parametrize("retries,tries", [(0, 1), (1, 2), (5, 3)])
def test_a_check_has_two_retries_at_most(orgvue: Orgvue, retries: int, tries: int) -> None:
    """Fewer if the user allows fewer; none of them is a warning about a run."""
    orgvue.refuse(503, on="list", times=tries - 1)
    report = checked({**orgvue.config, "max_retries": retries})
    assert (report.exit_code, report.warnings) == (0, [])
    orgvue.refuse(503, on="list", times=None)
    before = len(orgvue.requests_of("list"))
    assert checked({**orgvue.config, "max_retries": retries}).exit_code == 4
    assert len(orgvue.requests_of("list")) - before == tries


# -- the dataset that is looked at


def test_a_dataset_that_is_not_listed(serve: Callable[..., Orgvue]) -> None:
    """A catalog's dataset can be read all the same; it is named by its id, and without counts."""
    orgvue = serve(people(), people(1, "Staff"))
    orgvue.job_polls = ("completed",)
    catalog = only(discover(orgvue.config), "people")
    staff, dataset_id = orgvue.dataset("Staff"), orgvue.dataset("People").dataset_id
    entry = {"datasetId": staff.dataset_id, "name": "Staff"}
    orgvue.answer(on="list", json=[entry], times=None)
    orgvue.refuse(500, on="metadata", times=None)
    report = checked({**orgvue.config, "max_retries": 0}, catalog)
    found = row_of(report, "people")
    assert (found.dataset_name, found.readable) == (None, Access.YES)
    count = len(found.columns)
    assert stages(report)["columns"] == (PASSED, f"{dataset_id!r} has {count}")


def own_alone(orgvue: Orgvue) -> dict[str, Any]:
    """A catalog that selects a stream of the tap's own alone: its run exports nothing."""
    return only(discover(orgvue.config), "orgvue_datasets")


@pytest.mark.slow
def test_a_run_without_exports_is_checked_by_one(serve: Callable[..., Orgvue]) -> None:
    """The first dataset that can be read is exported without rows, and no other one."""
    orgvue = serve(people(), people(1, "Staff"), people(1, "More"))
    orgvue.job_polls = ("completed",)
    catalog, before = own_alone(orgvue), len(orgvue.requests)
    assert stages(checked(orgvue.config, catalog))["columns"][1].startswith("'People' has ")
    asked = orgvue.requests_of("headers", "export", since=before)
    assert {each.dataset_id for each in asked} == {orgvue.dataset("People").dataset_id}
    orgvue.dataset("People").hidden_because = "403601"
    report = checked(orgvue.config, catalog)
    assert stages(report)["columns"][1].startswith("'Staff' has ")
    assert report.exit_code == 0


def test_a_plan_that_ends_before_any_export(orgvue: Orgvue) -> None:
    """A mistake that ends the run is an error of the plan; no dataset is looked at for it."""
    config = {**orgvue.config, "stream_maps": {"nobody": {"x": None}}}
    catalog, before = own_alone(orgvue), len(orgvue.requests)
    report = checked(config, catalog)
    assert stages(report)["columns"] == (NOT_CHECKED, "")
    assert not orgvue.requests_of("headers", "export", since=before)
    assert len(report.errors) == 1
    assert report.exit_code == 3


def test_a_stream_that_cannot_be_read_fails_the_columns(serve: Callable[..., Orgvue]) -> None:
    """Where it is the only one, no other dataset is looked at instead."""
    orgvue = serve(people(), people(1, "Staff"))
    catalog = only(discover(orgvue.config), "people")
    orgvue.dataset("People").hidden_because = "404601"
    before = len(orgvue.requests)
    report = checked(orgvue.config, catalog)
    assert stages(report)["columns"][0] is FAILED
    assert "404601" in stages(report)["columns"][1]
    staff = orgvue.dataset("Staff").dataset_id
    assert staff not in {each.dataset_id for each in orgvue.requests[before:]}


def test_deselected_streams_are_not_waited_for(orgvue: Orgvue) -> None:
    """They are in the plan and nowhere else."""
    report = checked(orgvue.config, own_alone(orgvue))
    found = row_of(report, "people")
    assert (found.selected, found.readable) == (False, Access.NOT_CHECKED)
    assert report.not_checked == []
    assert stages(report)["plan"] == (PASSED, "1 of 1 selected streams can be read")


# -- what depends on settings


def test_links_are_tried_with_one_stream(serve: Callable[..., Orgvue]) -> None:
    """The first one, by its name, that has ids in the setting; no second one."""
    orgvue = serve(people(), people(1, "Staff"), people(1, "More"))
    orgvue.job_polls = ("completed",)
    staff, more = orgvue.dataset("Staff").dataset_id, orgvue.dataset("More").dataset_id
    links = {staff: [more], more: [staff], "people": []}
    report = checked({**orgvue.config, "linking_relationships": links})
    (told,) = [each for each in report.assumptions if each.name == "job-linking"]
    assert told.result.value == "held"
    bodies = [each.body for each in orgvue.requests_of("job") if isinstance(each.body, dict)]
    linked = [body["linkingRelationships"] for body in bodies if "linkingRelationships" in body]
    assert linked == [[staff]]


def refuse(error: Exception) -> Callable[..., None]:
    """A check that fails."""

    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.slow
def test_a_temporary_folder_counts_where_exports_are_kept(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of the tap's own streams keeps none."""
    monkeypatch.setattr(checking, "check_temp_dir", refuse(OrgvueError("no room")))
    assert checked(orgvue.config).errors == ["no room"]
    assert checked(orgvue.config, own_alone(orgvue)).errors == []


def test_folders_count_where_they_are_set(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """BATCH files that cannot be written fail the run; a report that cannot be is a warning."""
    monkeypatch.setattr(checking, "check_batch_root", refuse(BatchFileFailed("no files")))
    monkeypatch.setattr(checking, "check_report_folder", lambda folder: f"no report in {folder}")
    report = checked(orgvue.config)
    assert (report.errors, report.warnings, report.exit_code) == ([], [], 0)
    batches = {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path)}}
    report = checked({**orgvue.config, "batch_config": batches, "run_report": "reports"})
    assert report.errors == ["no files"]
    assert report.warnings == ["no report in reports"]
    assert report.exit_code == 6


# -- its time, and its end


def hang(*_: object) -> None:
    """What is waited for in vain until the time of the check is over, without the wait."""
    raise StillRunning


def test_what_hangs_is_left(orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that does not end fails its stage; a probe is no finding and nothing that is missed."""
    monkeypatch.setattr(checking, "run_job", hang)
    monkeypatch.setattr(probes, "probe_list", hang)
    report = checked(orgvue.config)
    status, text = stages(report)["finished exports"]
    assert status is FAILED
    assert text.startswith("not done in time: the whole check takes 55 seconds at most.")
    assert (report.not_checked, report.errors) == ([], [])
    assert report.exit_code == 4
    (told,) = [each for each in report.assumptions if each.name == "list-array"]
    assert told.result.value == "not_checked"


def test_nothing_goes_on_after_a_check(orgvue: Orgvue) -> None:
    """Its threads end, and its client sends nothing any more."""
    before = set(threading.enumerate())
    with CapturedLog(TapOrgvue.logger) as log:
        tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
        Check(tap, log, lambda _: None).run()
        assert tap.source.client.stop.is_set()
        own = [each for each in threading.enumerate() if each.name == "orgvue"]
        for thread in set(own) - before:
            thread.join(5)
            assert not thread.is_alive()
        tap.close()


def test_what_was_not_reached_is_reported(
    serve: Callable[..., Orgvue], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files that were not tried, and streams that a catalog selects, counted and named.

    The row of such a stream is as the catalog and the settings have it.
    """
    orgvue = serve(people(), people(1, "Staff"), people(1, "More"))
    catalog = select(discover(orgvue.config), "more", selected=False)
    select(catalog, "staff", "on_leave", selected=False)
    monkeypatch.setattr(HeaderReader, "read", refuse(DeadlineExceeded("No time is left.")))
    monkeypatch.setattr(checking, "check_batch_root", hang)
    settings = {
        "exclude_properties": ["salary"],
        "hash_properties": ["Full Name"],
        "hash_key": "a key of sixteen characters and more",
        "batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": str(tmp_path)}},
    }
    report = checked({**orgvue.config, **settings}, catalog)
    assert report.not_checked == [
        "batch_config: whether files can be written.",
        "2 streams: people, staff.",
    ]
    assert stages(report)["columns"][0] is FAILED
    assert report.exit_code == 4
    found = row_of(report, "staff")
    assert found.readable is Access.NOT_CHECKED
    assert (found.excluded, found.hashed) == (["salary"], ["full_name"])
    assert {"id", "full_name"} <= set(found.columns)
    assert not {"salary", "on_leave"} & set(found.columns)
    assert found.deselected == ["on_leave"]
