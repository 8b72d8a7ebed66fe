"""`tap-orgvue --test`: one line a stage, and advice at the first that fails."""

from __future__ import annotations

import json
import re
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.checking import check
from tap_orgvue.checking.check import Check
from tap_orgvue.checking.headers import CheckedHeaders
from tap_orgvue.checking.report import StageStatus
from tap_orgvue.checking.summary import CapturedLog
from tap_orgvue.exports.headers import NotReached
from tap_orgvue.orgvue.client import Client
from tap_orgvue.orgvue.deadlines import Deadline
from tap_orgvue.orgvue.errors import ConnectionFailed, DeadlineExceeded, MalformedResponse
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.runs import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.checking.report import StageReport
    from tap_orgvue.simulator import Orgvue
    from tests.support.runs import Run

STAGES = ("settings", "TLS and proxy", "token", "tenant", "datasets", "columns", "finished exports")
LAST = ("plan", "assumptions")


def stage_lines(run: Run) -> list[str]:
    """The lines of the stages, without the plan and the assumptions."""
    lines = run.stdout.splitlines()
    return [line for line in lines if line[2:].partition(":")[0] in STAGES and line[0] in "✓✗-"]


def failure(run: Run) -> str:
    """The line of the stage that failed; all before it passed, all after it is not checked."""
    lines = stage_lines(run)
    [at] = [i for i, line in enumerate(lines) if line.startswith("✗ ")]
    assert all(line.startswith("✓ ") for line in lines[:at])
    assert all(line.startswith("- ") and line.endswith(": not checked") for line in lines[at + 1 :])
    stages = [line[2:].partition(":")[0] for line in lines]
    assert sorted(stages) == sorted(STAGES[: len(stages)])
    return lines[at]


@pytest.fixture(autouse=True)
def _jobs_are_done_at_once(orgvue: Orgvue) -> None:
    """Nothing has to be waited for."""
    orgvue.job_polls = ("completed",)


@pytest.mark.slow
def test_a_good_set_up(orgvue: Orgvue) -> None:
    """Every stage is ticked, and no dataset is exported whole."""
    run = command(orgvue.config, "--test")
    assert run.code == 0
    assert [line.partition(":")[0] for line in stage_lines(run)] == [
        f"✓ {stage}" for stage in STAGES
    ]
    [columns] = [line for line in stage_lines(run) if line.startswith("✓ columns")]
    assert re.search(r"'People' has \d+, \d+ of them stored", columns)
    for request in orgvue.requests_to("export") + orgvue.requests_to("job"):
        assert isinstance(request.body, dict)
        assert request.body["query"]["output"]["filter"]
    assert len(orgvue.requests) < 15
    # The first one, which finds out whether anybody is there, shows no token.
    assert orgvue.requests[0].header("Authorization") is None


@pytest.mark.parametrize(
    "code,stage,advice",
    [
        ("40302", "token", "/tokens"),
        ("40102", "token", "Copy `api_token` whole"),
        ("40345", "tenant", "support@orgvue.com"),
    ],
)
def test_a_refusal_ends_at_its_stage(orgvue: Orgvue, code: str, stage: str, advice: str) -> None:
    """The first stage that is not well is told with Orgvue's code and what to do."""
    orgvue.refuse(code, times=None)
    run = command(orgvue.config, "--test")
    assert run.code == 3
    line = failure(run)
    assert line.startswith(f"✗ {stage}: ")
    assert code in line
    assert advice in line
    assert stage_lines(run)[-1] == "- finished exports: not checked"
    assert run.stdout.splitlines()[-2:] == ["- plan: not checked", "- assumptions: not checked"]


def test_a_server_that_is_not_there(orgvue: Orgvue) -> None:
    """Where nothing answers, the network's stage says so."""
    config = {**orgvue.config, "api_url": "http://127.0.0.1:9", "max_retries": 0}
    run = command(config, "--test")
    assert run.code == 4
    line = failure(run)
    assert line.startswith("✗ TLS and proxy: ")
    assert "refused the connection; check the address, firewalls and HTTPS_PROXY" in line


def test_a_server_that_fails(orgvue: Orgvue) -> None:
    """There are two retries and no more: the check is to take seconds."""
    orgvue.refuse(503, times=None, on="list")
    run = command(orgvue.config, "--test")
    assert run.code == 4
    assert failure(run).startswith("✗ datasets: ")
    assert len(orgvue.requests_to("list")) == 3


@pytest.mark.slow
@pytest.mark.parametrize("mode,code", [("auto", 0), ("async", 5), ("paged", 0)])
def test_a_host_of_files_out_of_reach(orgvue: Orgvue, mode: str, code: int) -> None:
    """It is told by name, with what to do; where slices will do instead, that is said."""
    orgvue.files_url = "http://127.0.0.1:9"
    config = {**orgvue.config, "export_mode": mode}
    run = command(config, "--test")
    last = stage_lines(run)[-1]
    assert run.code == command(config).code == code
    if mode == "paged":
        # No file is needed, and none is looked for.
        assert last.startswith("✓ columns: ")
    else:
        assert last.startswith(f"{'✗' if code else '✓'} finished exports: ")
        assert "127.0.0.1, cannot be reached from here" in last
        assert "`export_mode` to `paged`" in last


def test_wrong_settings(orgvue: Orgvue) -> None:
    """Settings that describe no run are the first stage, and nothing is asked."""
    run = command({**orgvue.config, "tenant_id": "demo", "pace": 3}, "--test")
    assert run.code == 3
    lines = run.stdout.splitlines()
    assert [line[:21] for line in lines[:2]] == ["✗ settings: 'pace' is", "✗ settings: tenant_id"]
    assert lines[2:] == [f"- {stage}: not checked" for stage in (*STAGES[1:], *LAST)]
    assert "ERROR" not in run.stderr
    assert orgvue.requests == []


@pytest.mark.slow
def test_datasets_that_are_matched_are_counted(serve: Callable[..., Orgvue]) -> None:
    """With `datasets`, the stage says how many of the listed ones it matches; without, nothing."""
    orgvue = serve(people(), people(1, "Staff"), people(1, "Old people"))
    orgvue.job_polls = ("completed",)
    run = command({**orgvue.config, "datasets": ["People", "Staff"]}, "--test")
    assert "✓ datasets: 3 are listed, 2 of them matched by `datasets`" in run.stdout.splitlines()
    assert "✓ datasets: 3 are listed" in command(orgvue.config, "--test").stdout.splitlines()


def test_a_lost_connection_is_no_lack_of_time(orgvue: Orgvue) -> None:
    """It fails the dataset while there is time left, and is not reached once there is none."""
    now = 0.0
    deadline = Deadline(5, "5 seconds", clock=lambda: now)
    tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
    reader = CheckedHeaders(tap.source.client, tap.logger, deadline)
    tap.close()
    lost, late = ConnectionFailed("lost"), DeadlineExceeded("late")
    refused = MalformedResponse("odd")
    assert reader.judged(lost) is lost
    assert isinstance(reader.judged(late), NotReached)
    now = 6.0
    assert isinstance(reader.judged(lost), NotReached)
    assert reader.judged(refused) is refused


def test_a_stage_is_named_once(orgvue: Orgvue) -> None:
    """A mistake in the setting `datasets` fails the stage of that name, without naming it twice."""
    run = command({**orgvue.config, "datasets": ["nothing*"]}, "--test")
    assert failure(run).startswith("✗ datasets: none of the tenant's")


@pytest.mark.slow
def test_no_jobs_in_auto_mode(orgvue: Orgvue) -> None:
    """Where Orgvue takes no export jobs, auto says that slices will be used; async fails."""
    orgvue.async_export = False
    run = command(orgvue.config, "--test")
    assert run.code == 0
    assert "in slices" in stage_lines(run)[-1]
    config = {**orgvue.config, "export_mode": "async"}
    run = command(config, "--test")
    assert run.code == command(config).code == 3
    assert stage_lines(run)[-1].startswith("✗ finished exports: ")


@pytest.mark.slow
@pytest.mark.parametrize(
    "on,refusal,code",
    [("job", 500, 5), ("job", "40302", 3), ("job", "42902", 4), ("download", 500, 5)],
)
def test_export_jobs_that_fail(orgvue: Orgvue, on: str, refusal: int | str, code: int) -> None:
    """Where every export needs a job, the check ends with the run's exit code."""
    orgvue.refuse(refusal, on=on, times=None)
    config = {**orgvue.config, "export_mode": "async", "max_retries": 0}
    run = command(config, "--test")
    assert stage_lines(run)[-1].startswith("✗ finished exports: ")
    assert run.code == command(config).code == code


def test_a_dataset_that_may_not_be_read(orgvue: Orgvue) -> None:
    """The columns' stage tells of a dataset that is listed but refused."""
    orgvue.refuse("40321", times=None, on=["metadata", "export"])
    run = command(orgvue.config, "--test")
    assert failure(run).startswith("✗ columns: ")


@pytest.mark.parametrize("on,stage", [("list", "datasets"), ("headers", "columns")])
def test_a_wait_longer_than_the_check(orgvue: Orgvue, on: str, stage: str) -> None:
    """A server that asks for an hour's pause is told at once, with the stages not checked."""
    orgvue.refuse("42901", on=on, retry_after=899, times=None)
    run = command(orgvue.config, "--test")
    assert run.code == 4
    line = failure(run)
    assert line.startswith(f"✗ {stage}: Orgvue refused ")
    assert "A retry would follow in 899 seconds, beyond the limit of 55 seconds in all." in line
    assert len(orgvue.requests_of(on)) == 1


def test_a_wrong_tenant(orgvue: Orgvue) -> None:
    """A tenant that is not the token's fails the stage `tenant`, with the page of tenant ids."""
    run = command({**orgvue.config, "tenant_id": "OTHER"}, "--test")
    assert failure(run).startswith("✗ tenant: ")
    assert f"Check `tenant_id` at {orgvue.api_url}/tenants/tenants" in failure(run)


@pytest.mark.slow
def test_an_entry_of_the_list_that_is_bad(orgvue: Orgvue) -> None:
    """An entry that cannot be read is told; the check goes on, and fails as a run does."""
    entries = [{"datasetId": orgvue.dataset("People").dataset_id, "name": "People"}, {"name": "X"}]
    orgvue.answer(on="list", body=json.dumps(entries).encode(), times=None)
    run = command(orgvue.config, "--test")
    assert run.code == command(orgvue.config).code == 5
    assert "✓ datasets: 1 are listed; 1 cannot be read. Entry 2 of the list of" in run.stdout
    assert "✗ Entry 2 of the list of datasets, 'X', has no text as its `datasetId`." in run.stdout


@pytest.mark.parametrize(
    "method,before,stage",
    [("datasets", "TLS and proxy", "datasets"), ("prepare", "datasets", "columns")],
)
def test_the_check_ends_in_time(
    monkeypatch: pytest.MonkeyPatch, orgvue: Orgvue, method: str, before: str, stage: str
) -> None:
    """A stage that does not end is abandoned when the time of the whole check is over."""
    ended = threading.Event()
    told: list[StageReport] = []
    # Time passes between two stages only, all of it at once.
    clock = SimpleNamespace(monotonic=lambda: 100.0 * any(each.stage == before for each in told))
    monkeypatch.setattr(check, "time", clock)
    with CapturedLog(TapOrgvue.logger) as log:
        tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
        checked = Check(tap, log, told.append)
        if method == "prepare":
            # The list is prepared as before; what comes after it hangs.
            _ = tap.source.discovery.listed
        monkeypatch.setattr(Client, method, lambda *_, **__: ended.wait(30))
        report = checked.run()
    ended.set()
    tap.close()
    [failed] = [each for each in told if each.status is StageStatus.FAILED]
    assert failed.stage == stage
    assert failed.text.startswith("not done in time: the whole check takes 55 seconds")
    assert told[-1].stage == "finished exports"
    assert told[-1].status is StageStatus.NOT_CHECKED
    assert report.exit_code == 4


def test_schemas_alone(orgvue: Orgvue) -> None:
    """`--test=schema` writes a SCHEMA for each stream and exports nothing."""
    run = command(orgvue.config, "--test=schema")
    assert run.code == 0
    assert set(run.schemas) == {"people", "orgvue_datasets", "orgvue_properties"}
    assert not [request for request in orgvue.requests_to("export") if request.method == "GET"]
