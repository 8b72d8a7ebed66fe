"""`tap-orgvue --test`: one line a stage, and advice at the first that is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.runs import command

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

STAGES = ("settings", "TLS and proxy", "token", "tenant", "datasets", "columns", "finished exports")


@pytest.fixture(autouse=True)
def _jobs_are_done_at_once(orgvue: Orgvue) -> None:
    """Nothing has to be waited for."""
    orgvue.job_polls = ("completed",)


def test_a_good_set_up(orgvue: Orgvue) -> None:
    """Every stage is ticked, and no dataset is exported whole."""
    run = command(orgvue.config, "--test")
    assert run.code == 0
    assert [line.partition(":")[0] for line in run.stdout.splitlines()] == [
        f"✓ {stage}" for stage in STAGES
    ]
    for request in orgvue.requests_to("export") + orgvue.requests_to("job"):
        assert isinstance(request.body, dict)
        assert request.body["query"]["output"]["filter"]
    assert len(orgvue.requests) < 12
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
    *well, last = run.stdout.splitlines()
    assert run.code == 1
    assert all(line.startswith("✓") for line in well)
    assert last.startswith(f"✗ {stage}: ")
    assert code in last
    assert advice in last


def test_a_server_that_is_not_there(orgvue: Orgvue) -> None:
    """Where nothing answers, the network's stage says so."""
    config = {**orgvue.config, "api_url": "http://127.0.0.1:9", "max_retries": 0}
    run = command(config, "--test")
    assert run.code == 1
    assert run.stdout.splitlines()[-1].startswith("✗ TLS and proxy: ")


def test_a_server_that_fails(orgvue: Orgvue) -> None:
    """What may pass is asked again twice and no more: the check is to take seconds."""
    orgvue.refuse(503, times=None, on="list")
    run = command(orgvue.config, "--test")
    assert run.code == 1
    assert run.stdout.splitlines()[-1].startswith("✗ datasets: ")
    assert len(orgvue.requests_to("list")) == 3


@pytest.mark.parametrize("mode,code", [("auto", 0), ("async", 1), ("paged", 0)])
def test_a_host_of_files_out_of_reach(orgvue: Orgvue, mode: str, code: int) -> None:
    """It is told by name, with what to do; where slices will do instead, that is said."""
    orgvue.files_url = "http://127.0.0.1:9"
    run = command({**orgvue.config, "export_mode": mode}, "--test")
    last = run.stdout.splitlines()[-1]
    assert run.code == code
    if mode == "paged":
        # No file is needed, and none is looked for.
        assert last.startswith("✓ columns: ")
    else:
        assert last.startswith(f"{'✗' if code else '✓'} finished exports: ")
        assert "127.0.0.1, cannot be reached from here" in last
        assert "`export_mode` to `paged`" in last


def test_wrong_settings(orgvue: Orgvue) -> None:
    """Settings that describe no run are the first stage, and nothing is asked."""
    run = command({**orgvue.config, "tenant_id": "demo"}, "--test")
    assert run.code == 1
    assert "✗ settings: tenant_id" in run.stderr
    assert orgvue.requests == []


def test_no_jobs_in_auto_mode(orgvue: Orgvue) -> None:
    """Where Orgvue takes no export jobs, auto says that slices will be used; async fails."""
    orgvue.async_export = False
    run = command(orgvue.config, "--test")
    assert run.code == 0
    assert "in slices" in run.stdout.splitlines()[-1]
    run = command({**orgvue.config, "export_mode": "async"}, "--test")
    assert run.code == 1
    assert run.stdout.splitlines()[-1].startswith("✗ finished exports: ")


def test_a_dataset_that_may_not_be_read(orgvue: Orgvue) -> None:
    """The columns' stage tells of a dataset that is listed but refused."""
    orgvue.refuse("40321", times=None, on=["metadata", "export"])
    run = command(orgvue.config, "--test")
    assert run.stdout.splitlines()[-1].startswith("✗ columns: ")


def test_schemas_alone(orgvue: Orgvue) -> None:
    """`--test=schema` writes a SCHEMA for each stream and exports nothing."""
    run = command(orgvue.config, "--test=schema")
    assert run.code == 0
    assert set(run.schemas) == {"people", "orgvue_datasets", "orgvue_properties"}
    assert not [request for request in orgvue.requests_to("export") if request.method == "GET"]
