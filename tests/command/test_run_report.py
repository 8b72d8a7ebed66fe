"""The run report of the real command, and the last lines of its log."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_orgvue.reporting.run_report import report_schema
from tap_orgvue.simulator import Dataset, Draft, Orgvue, Property
from tap_orgvue.simulator.tenant import Tenant
from tests.command.test_secrets import everything_logged, presigned
from tests.support.datasets import people
from tests.support.drafts import CHANGES, staff, tenant
from tests.support.files import written
from tests.support.runs import (
    WARM_START,
    Run,
    command,
    completed,
    discover,
    into_closed_pipe,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Orgvue]

QUICK = {"max_retries": 0, "export_mode": "sync"}


def reports(folder: Path) -> list[dict[str, Any]]:
    """The reports in a folder, each of which satisfies the schema, the oldest first."""
    paths = sorted(folder.glob("run-*.json"), key=lambda path: path.stat().st_mtime_ns)
    found = [json.loads(path.read_bytes()) for path in paths]
    for each in found:
        jsonschema.validate(each, report_schema())
    return found


def report_of(folder: Path) -> dict[str, Any]:
    """The only report in a folder."""
    (report,) = reports(folder)
    return report


def streams_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A report's streams by their names."""
    return {stream["stream"]: stream for stream in report["streams"]}


def statuses(report: dict[str, Any]) -> dict[str, str]:
    """Each stream's status."""
    return {name: stream["status"] for name, stream in streams_of(report).items()}


def totals(run: Run) -> list[str]:
    """The lines with the totals of a run."""
    return [line for line in run.stderr.splitlines() if " waiting for Orgvue), " in line][-1:]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the reports; the run makes it."""
    return tmp_path / "reports"


def reporting(orgvue: Orgvue, folder: Path, **more: Any) -> dict[str, Any]:
    """A config with a run report."""
    return {**orgvue.config, "run_report": str(folder), **more}


# --- runs that succeed


@pytest.mark.slow
def test_a_run(serve: Serve, folder: Path) -> None:
    """Tenant, versions, instants, rows, and each stream with its dataset."""
    orgvue = serve(people(5), people(3, "Staff"))
    run = command(reporting(orgvue, folder))
    assert run.code == 0, run.stderr
    report = report_of(folder)
    assert (report["tenant"], report["tenant_id"], report["version"]) == ("DEMO", "DEMO", 1)
    assert (report["exit_code"], report["reason"], report["error"]) == (0, "done", None)
    assert report["rows"] == 8
    assert report["began_at"] <= report["ended_at"]
    people_stream = streams_of(report)["people"]
    assert people_stream["dataset_id"] == orgvue.dataset("People").dataset_id
    assert people_stream["dataset_name"] == "People"
    assert people_stream["delivery"] == "synchronous"
    assert people_stream["rows"] == 5
    assert people_stream["rows_before"] is None
    assert people_stream["deletions"] == "off"
    assert people_stream["replication"]["method"] == "FULL_TABLE"
    assert statuses(report) == {"people": "succeeded", "staff": "succeeded"}
    (path,) = folder.glob("run-*.json")
    assert path.name.startswith(f"run-{report['began_at'].replace('-', '').replace(':', '')}-DEMO-")


def test_the_last_line_has_the_totals(serve: Serve) -> None:
    """Also without a report; the line before it is about a stream."""
    run = command(serve(people(5), people(1, "Staff")).config)
    *_, stream, last = run.stderr.splitlines()
    assert "staff: 1 row in " in run.stderr
    assert "2 streams, 6 rows in " in last
    assert last.endswith("0 values rescued, 0 unchanged, 0 failed")
    assert " requests, 0 retries" in last
    assert "people: 5 rows in " in run.stderr
    assert stream != last


@pytest.mark.slow
def test_the_second_run(orgvue: Orgvue, folder: Path) -> None:
    """Rows before, changes, and what is unchanged."""
    config = reporting(orgvue, folder, skip_unchanged=True)
    state = command(config).state
    orgvue.dataset("People").add({"id": "P9"})
    orgvue.dataset("People").rename("Staff")
    state = command(config, state=state).state
    command(config, state=state)
    _, second, third = reports(folder)
    stream = streams_of(second)["people"]
    assert (stream["rows_before"], stream["rows"], stream["dataset_name"]) == (5, 6, "Staff")
    assert [change["kind"] for change in stream["changes"]] == ["dataset_renamed"]
    assert statuses(third) == {"people": "unchanged"}
    assert (streams_of(third)["people"]["rows_before"], streams_of(third)["people"]["rows"]) == (
        6,
        0,
    )


@pytest.mark.slow
def test_an_unchanged_stream_is_reported_once(orgvue: Orgvue) -> None:
    """One line, and a number in the totals."""
    config = {**orgvue.config, "skip_unchanged": True}
    run = command(config, state=command(config).state)
    assert run.stderr.count("unchanged since its last export") == 1
    assert ", 1 unchanged, 0 failed" in run.stderr.splitlines()[-1]


@pytest.mark.slow
def test_rescued_values_by_column(serve: Serve, folder: Path) -> None:
    """Their numbers, in the report and in both lines."""
    dataset = people(3)
    for number in (0, 1):
        dataset.update(number, salary="secret amount")
    run = command(reporting(serve(dataset), folder))
    assert streams_of(report_of(folder))["people"]["rescued"] == {"salary": 2}
    assert report_of(folder)["rescued"] == 2
    assert "people: 3 rows in " in run.stderr
    assert run.stderr.count("2 values rescued") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings,delivery",
    [({"export_mode": "async"}, "job"), ({"export_mode": "paged"}, "slices")],
    ids=["job", "slices"],
)
def test_how_an_export_came(
    orgvue: Orgvue, folder: Path, settings: dict[str, Any], delivery: str
) -> None:
    """The delivery that was taken."""
    orgvue.job_polls = ("completed",)
    command(reporting(orgvue, folder, **settings))
    stream = streams_of(report_of(folder))["people"]
    assert (stream["delivery"], stream["rows"]) == (delivery, 5)


@pytest.mark.slow
def test_replication_bounds(orgvue: Orgvue, folder: Path) -> None:
    """Since when rows were requested, and the bookmark that the run left."""
    config = reporting(orgvue, folder, start_date="2020-01-01")
    catalog = discover(config)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    state = command(config, catalog=catalog).state
    bookmark = state["bookmarks"]["people"]["replication_key_value"]
    command(config, catalog=catalog, state=state)
    first, second = (streams_of(report)["people"]["replication"] for report in reports(folder))
    assert first["start"] == "2020-01-01T00:00:00.000Z"
    assert first["end"] == second["start"] == bookmark
    assert (second["method"], second["key"]) == ("INCREMENTAL", "_modified_at")


@pytest.mark.slow
def test_deletions(orgvue: Orgvue, folder: Path) -> None:
    """Sent, or withheld and why."""
    config = reporting(orgvue, folder, emit_activate_version_messages=True)
    state = command(config).state
    for _ in range(4):
        orgvue.dataset("People").remove(0)
    run = command(config, state=state)
    sent, withheld = (streams_of(report)["people"] for report in reports(folder))
    assert (sent["deletions"], sent["deletions_withheld"]) == ("sent", None)
    assert withheld["deletions"] == "withheld"
    assert "1 rows, fewer than 50 %" in withheld["deletions_withheld"]
    assert "removal of rows withheld" in run.stderr


@pytest.mark.slow
def test_the_taps_own_streams(orgvue: Orgvue, folder: Path) -> None:
    """They have no dataset; their rows are counted."""
    catalog = discover(orgvue.config)
    for name in ("orgvue_datasets", "orgvue_properties"):
        select(catalog, name)
    command(reporting(orgvue, folder), catalog=catalog)
    streams = streams_of(report_of(folder))
    assert streams["orgvue_datasets"]["rows"] == 1
    assert streams["orgvue_properties"]["rows"] == 5
    assert streams["orgvue_datasets"]["dataset_id"] is None
    assert set(statuses(report_of(folder)).values()) == {"succeeded"}


@pytest.mark.slow
def test_the_requests_about_drafts(folder: Path) -> None:
    """The changes of drafts have the requests, retries and bytes of all their drafts."""
    base = staff()
    drafts = [Draft("One", CHANGES[:1], base=base), Draft("Two", CHANGES[:1], base=base)]
    with tenant([base], *drafts) as orgvue:
        orgvue.refuse(503, on="draft_actions")
        run = command(reporting(orgvue, folder, drafts=["*"]))
    report = report_of(folder)
    stream = streams_of(report)["orgvue_draft_actions"]
    assert (run.code, stream["rows"], stream["retries"]) == (0, 2, 1)
    assert stream["requests"]["actions"] == report["requests"]["actions"] == 3
    assert stream["bytes_received"] > 0
    assert streams_of(report)["orgvue_drafts"]["requests"] == {}


# --- runs that fail


@pytest.mark.slow
def test_failed_missing_and_left_out_streams(serve: Serve, folder: Path) -> None:
    """Each with its reason; the cause stays the last line, behind the totals."""
    orgvue = serve(*(people(3, name) for name in ("Alpha", "Beta", "Gamma", "Delta")))
    config = reporting(orgvue, folder, **QUICK)
    catalog = discover(config)
    state = command(config, catalog=catalog).state
    orgvue.refuse("400606", times=None, on="export", dataset="Alpha")
    orgvue.tenant.remove("Beta")
    for route in ("headers", "export", "metadata"):
        orgvue.refuse("500601", on=route, dataset="Gamma", times=None)
    catalog = discover(config, state)
    run = command(config, catalog=catalog, state=state)
    report = reports(folder)[-1]
    assert statuses(report) == {
        "alpha": "failed",
        "beta": "missing",
        "gamma": "left_out",
        "delta": "succeeded",
    }
    streams = streams_of(report)
    assert streams["alpha"]["error"]["codes"] == ["400606"]
    assert streams["alpha"]["error"]["status"] == 400
    assert streams["alpha"]["error"]["trace_id"].startswith("Root=")
    assert "no longer lists it" in streams["beta"]["error"]["message"]
    assert (streams["beta"]["dataset_name"], streams["beta"]["rows_before"]) == ("Beta", 3)
    assert (streams["alpha"]["rows"], streams["alpha"]["rows_before"]) == (0, 3)
    assert (streams["alpha"]["error"]["retryable"], run.code) == (True, 5)
    assert streams["gamma"]["error"]["codes"] == ["500601"]
    assert streams["gamma"]["error"]["retryable"]
    assert report["error"]["retryable"]
    assert streams["gamma"]["dataset_name"] == "Gamma"
    assert (report["exit_code"], report["reason"]) == (run.code, "streams_failed")
    *_, last, summary, first, second, third = run.stderr.splitlines()
    assert "2 streams, 3 rows" in last
    assert last.endswith("1 failed, 1 missing, 1 left out")
    assert "3 of 4 streams failed" in summary
    assert {line.split(":")[0].strip() for line in (first, second, third)} == {
        *("alpha", "beta", "Gamma"),
    }


@pytest.mark.slow
def test_why_a_dataset_may_no_longer_be_read(serve: Serve, folder: Path) -> None:
    """A missing stream has the code and the trace id of the refusal that discovery met."""
    orgvue = serve(people(3), people(1, "Staff"))
    state = command(orgvue.config).state
    orgvue.dataset("Staff").hidden_because = "403601"
    command(reporting(orgvue, folder), state=state)
    staff = streams_of(report_of(folder))["staff"]
    assert (staff["status"], staff["error"]["codes"]) == ("missing", ["403601"])
    assert staff["error"]["trace_id"].startswith("Root=")
    assert not staff["error"]["retryable"]


@pytest.mark.slow
def test_why_a_job_failed(orgvue: Orgvue, folder: Path) -> None:
    """The codes and the trace id of its ticket; the error is that of the job."""
    orgvue.plan_job("failed", errors="500601", times=None)
    command(reporting(orgvue, folder, export_mode="async"))
    error = streams_of(report_of(folder))["people"]["error"]
    assert (error["type"], error["codes"]) == ("JobFailed", ["500601"])
    assert error["trace_id"] in error["message"]
    assert error["trace_id"].startswith("Root=")


@pytest.mark.slow
def test_a_refused_tenant(orgvue: Orgvue, folder: Path) -> None:
    """A run that ends in discovery has no streams; its error is there."""
    orgvue.refuse("40302", times=None)
    run = command(reporting(orgvue, folder))
    report = report_of(folder)
    assert report["streams"] == []
    assert report["exit_code"] == run.code != 0
    assert report["error"]["codes"] == ["40302"]
    assert report["reason"] == "person_needed"
    assert "0 streams" in run.stderr.splitlines()[-2]
    assert "40302" in run.stderr.splitlines()[-1]


@pytest.mark.slow
def test_streams_that_were_not_reached(serve: Serve, folder: Path) -> None:
    """What ends the run is one stream's failure; those after it had no turn."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"), people(3, "Gamma"))
    catalog = discover(orgvue.config)
    orgvue.refuse("42902", times=None, dataset="Beta")
    command(reporting(orgvue, folder, max_parallel_requests=1), catalog=catalog)
    report = report_of(folder)
    assert statuses(report) == {"alpha": "succeeded", "beta": "failed", "gamma": "not_reached"}
    assert report["error"]["codes"] == ["42902"]
    assert report["error"]["retryable"]
    assert report["rows"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrong", [{"tenant_id": "no such"}, {"unknown_setting": 1}, {"max_retries": -1}], ids=str
)
def test_refused_settings(orgvue: Orgvue, folder: Path, wrong: dict[str, Any]) -> None:
    """The report is written if its folder can be read from them; nothing wrong is repeated."""
    run = command({**reporting(orgvue, folder), **wrong})
    report = report_of(folder)
    assert report["exit_code"] == run.code != 0
    assert report["error"]["type"] == "SettingsError"
    assert report["tenant_id"] == ("unknown" if "tenant_id" in wrong else "DEMO")
    assert next(iter(wrong)) in report["error"]["message"]
    assert next(iter(wrong)) in run.stderr.splitlines()[-1]
    assert not totals(run)


@pytest.mark.slow
def test_a_folder_in_the_home(orgvue: Orgvue, tmp_path: Path) -> None:
    """`~` is the user's home, also in settings that are refused; a URL is no folder."""
    config = {**orgvue.config, "run_report": "~/reports"}
    env = {"HOME": str(tmp_path)}
    command(config, env=env)
    command({**config, "max_retries": -1}, env=env)
    assert [each["exit_code"] for each in reports(tmp_path / "reports")] == [0, 3]
    run = command({**config, "run_report": "s3://bucket/reports"})
    assert (run.code, run.stderr.splitlines()[-1].endswith("not a URL.")) == (3, True)


@pytest.mark.slow
def test_refused_settings_of_the_environment(orgvue: Orgvue, folder: Path) -> None:
    """The folder may come from the environment."""
    env = {"TAP_ORGVUE_RUN_REPORT": str(folder)}
    command({**orgvue.config, "max_retries": -1}, "--config=ENV", env=env)
    assert report_of(folder)["error"]["type"] == "SettingsError"


@pytest.mark.slow
def test_nothing_selected(orgvue: Orgvue, folder: Path) -> None:
    """A catalog that selects nothing is an error, and a report."""
    catalog = select(discover(orgvue.config), "people", selected=False)
    command(reporting(orgvue, folder), catalog=catalog)
    assert report_of(folder)["error"]["type"] == "Misconfigured"


@pytest.mark.parametrize("words", [["--discover"], ["--about"], ["--version"], ["--test=schema"]])
def test_what_is_no_run(orgvue: Orgvue, folder: Path, words: list[str]) -> None:
    """It has no report, and no totals."""
    run = command(reporting(orgvue, folder), *words)
    assert run.code == 0, run.stderr
    assert not folder.exists()
    assert not totals(run)


# --- the ends of the process


@pytest.mark.slow
def test_a_terminated_run(serve: Serve, folder: Path, tmp_path: Path) -> None:
    """Signals have a report, too: the stream whose turn it was failed, later ones were not reached.

    The same signal a moment later changes nothing.
    """
    orgvue = serve(people(5, "Alpha"), people(5, "Beta"), people(5, "Gamma"))
    config = reporting(orgvue, folder, export_mode="sync")
    catalog = discover(config)
    orgvue.pause(on="export", dataset="Beta", seconds=60, times=None)
    files = written(tmp_path, config=config, catalog=catalog)
    with WARM_START.start(files) as process:
        assert process.stderr is not None
        while b"sync of 'beta'" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 143
    report = report_of(folder)
    assert (report["exit_code"], report["reason"]) == (143, "terminated")
    assert statuses(report) == {"alpha": "succeeded", "beta": "failed", "gamma": "not_reached"}
    assert streams_of(report)["beta"]["error"]["type"] == "Terminated"
    *_, last, cause = told.decode().splitlines()
    assert "3 streams, 5 rows" in last
    assert "SIGTERM" in cause


@pytest.mark.slow
def test_a_loader_that_is_gone(orgvue: Orgvue, folder: Path, tmp_path: Path) -> None:
    """A closed pipe ends the run, but not the report."""
    done = into_closed_pipe(reporting(orgvue, folder), tmp_path)
    report = report_of(folder)
    assert report["exit_code"] == done.returncode
    assert (report["reason"], report["error"]["type"]) == ("output_failed", "LoaderGone")
    assert statuses(report) == {"people": "failed"}
    *_, last, cause = done.stderr.splitlines()
    assert "1 stream, " in last
    assert "closed the pipe" in cause


# --- a report that cannot be written


@pytest.mark.slow
def test_a_folder_that_is_none(orgvue: Orgvue, tmp_path: Path) -> None:
    """One line of level ERROR; the run succeeds, and its last line has the totals."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", "nul\x00"):
        run = command({**orgvue.config, "run_report": str(place)})
        assert run.code == 0
        assert len(run.records["people"]) == 5
        (error,) = [line for line in run.stderr.splitlines() if "| ERROR " in line]
        assert "run_report: the report of this run cannot be written to" in error
        assert "1 stream, 5 rows" in run.stderr.splitlines()[-1]


def test_a_full_disk(orgvue: Orgvue, folder: Path, tmp_path: Path) -> None:
    """Nothing of the report is left; an exit code other than 0 stays what it is."""
    orgvue.refuse("40302", times=None)
    files = written(tmp_path, config=reporting(orgvue, folder))
    done = completed(files, largest_file=0)
    assert done.returncode not in {0, 143}
    assert "cannot be written" in done.stderr
    assert "40302" in done.stderr.splitlines()[-1]
    assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_two_tenants_in_one_folder(orgvue: Orgvue, folder: Path) -> None:
    """`run_report_keep` is about each tenant for itself, also if their names begin alike."""
    with Orgvue(Tenant([people(2)], tenant_id="DEMO_TWO")) as other:
        for tenant in (other, orgvue, orgvue, orgvue):
            command(reporting(tenant, folder, run_report_keep=2))
        assert [each["tenant_id"] for each in reports(folder)] == ["DEMO_TWO", "DEMO", "DEMO"]


@pytest.mark.slow
def test_settings_that_are_refused_remove_no_report(orgvue: Orgvue, folder: Path) -> None:
    """`run_report_keep: true` is a mistake, not the number 1: the earlier reports stay."""
    for _ in range(3):
        command(reporting(orgvue, folder))
    run = command(reporting(orgvue, folder, run_report_keep=True))
    assert run.code == 3
    assert len(reports(folder)) == 4


@pytest.mark.slow
def test_other_things_that_are_called_as_reports(orgvue: Orgvue, folder: Path) -> None:
    """A pipe, a folder and files of any content are left alone, and hold no run up."""
    folder.mkdir(exist_ok=True)
    names = [f"run-2025010{number}T000000Z-DEMO-aaaaa{number}.json" for number in range(1, 5)]
    os.mkfifo(folder / names[0])
    (folder / names[1]).mkdir()
    (folder / names[2]).write_text('{"version":1,"x":' + "[" * 100_000)
    (folder / names[3]).write_bytes(b'{"version":1,"tenant":"\xff"}')
    for _ in range(2):
        run = command(reporting(orgvue, folder, run_report_keep=1))
        assert run.code == 0
        assert "ERROR" not in run.stderr
    assert {*names} < {path.name for path in folder.iterdir()}
    assert sum(path.name.startswith("run-2025") for path in folder.glob("run-*.json")) == 4
    assert len([*folder.glob("run-*.json")]) == 5


# --- what is in no report


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "async", "paged"])
def test_nothing_secret(serve: Serve, folder: Path, mode: str) -> None:
    """No token, no presigned URL and no value of a cell, though Orgvue's errors repeat them."""
    dataset = people(20)
    for number in range(20):
        dataset.update(number, salary=f"Misfit {number}")
    orgvue = serve(dataset, people(3, "Echo"))
    orgvue.job_polls = ("completed",)
    catalog = discover(orgvue.config)
    url = f"{orgvue.files_url}/x?X-Amz-Signature={'5' * 64}&X-Amz-Credential=SIMULATOR"
    for route in ("export", "job"):
        echo = (400, "400999", "Echo", f"{orgvue.token} at {url}")
        orgvue.refuse(echo, on=route, dataset="Echo", times=None)
    run = command(reporting(orgvue, folder, export_mode=mode), catalog=catalog)
    report = report_of(folder)
    assert streams_of(report)["people"]["rescued"] == {"salary": 20}
    assert streams_of(report)["echo"]["error"]["codes"] == ["400999"]
    (path,) = folder.glob("run-*.json")
    text = path.read_text()
    for secret in (orgvue.token, orgvue.token.split(".")[2], "5" * 64, *presigned(orgvue)):
        assert secret not in text
    cells = {
        str(value)
        for record in run.records["people"]
        for value in record.values()
        if isinstance(value, str) and len(value) > 2
    }
    assert cells
    assert not [cell for cell in cells if cell in text]


@pytest.mark.slow
def test_no_id_of_a_row(serve: Serve, folder: Path) -> None:
    """The log may name a row by its `_id`; the report does not."""
    dataset = people(3)
    dataset.update(1, salary="much")
    run = command(reporting(serve(dataset), folder, rescue_data=False))
    assert run.code != 0
    ids = [str(row["_id"]) for row in dataset.rows]
    (path,) = folder.glob("run-*.json")
    assert "(a row)" in path.read_text()
    assert not [row_id for row_id in ids if row_id in path.read_text()]
    assert "much" not in path.read_text()


@pytest.mark.slow
def test_hostile_names(serve: Serve, folder: Path) -> None:
    """Names of datasets and properties may hold anything; the report stays valid JSON."""
    odd = "../\x1b[2J\r\n\u202e\"'\\<script>"
    dataset = Dataset(
        odd, properties=[Property(f"{odd} key", "number")], rows=[{f"{odd} key": "x"}]
    )
    run = command(reporting(serve(dataset), folder, column_names="original"))
    assert run.code == 0, run.stderr
    (stream,) = report_of(folder)["streams"]
    assert "<script>" in stream["dataset_name"]
    assert "\x1b" not in stream["dataset_name"]
    assert list(stream["rescued"].values()) == [1]


# --- for programs


def test_structured_records(serve: Serve, tmp_path: Path) -> None:
    """The SDK's own formatter passes the fields on: of each stream, of failures, of the run."""
    orgvue = serve(people(3, "Alpha"), people(4, "Beta"))
    catalog = discover(orgvue.config)
    orgvue.refuse(400, times=None, on="export", dataset="Beta")
    run = command(orgvue.config, catalog=catalog, env=everything_logged(tmp_path, "structured"))
    logged = [json.loads(line) for line in run.stderr.splitlines() if line.startswith("{")]
    by_event = {
        record["extra"]["event_name"]: record
        for record in logged
        if record["extra"].get("event_name")
    }
    assert by_event["stream_finished"]["stream_name"] == "alpha"
    assert by_event["stream_finished"]["extra"]["rows"] == 3
    assert by_event["stream_failed"]["stream_name"] == "beta"
    assert by_event["stream_failed"]["level"] == "info"
    finished = by_event["run_finished"]["extra"]
    assert (finished["streams"], finished["rows"], finished["failed"]) == (2, 3, 1)
    assert (finished["succeeded"], finished["unchanged"], finished["exit_code"]) == (1, 0, run.code)
    assert [record for record in logged if record["level"] == "info"][-1] == (
        by_event["run_finished"]
    )
