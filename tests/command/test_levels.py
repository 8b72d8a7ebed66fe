"""Levels mean something: designed is INFO, a person's is WARNING, failed is ERROR, once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.datasets import people
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue
    from tests.support.runs import Run

    Serve = Callable[..., Orgvue]

LINE = re.compile(r"^[\d-]+ [\d:,]+ \| (\w+) +\| (\S+) +\| (.*)$", re.MULTILINE)


def told(run: Run, level: str) -> list[str]:
    """The first lines of a run's messages of a level."""
    return [text for found, _, text in LINE.findall(run.stderr) if found == level]


@pytest.mark.slow
def test_what_works_as_designed_warns_of_nothing(serve: Serve) -> None:
    """A large dataset, a throttle, retries, a job that failed once: no line above INFO."""
    orgvue = serve(people(200, "Large"), people(5, "Small"))
    orgvue.sync_limit_bytes = 20_000
    orgvue.job_polls = ("running", "completed")
    orgvue.fail_jobs = 1
    orgvue.refuse("42901", on="list", retry_after=0.1)
    orgvue.refuse(503, on="export", dataset="Small")
    run = command(orgvue.config)
    assert run.code == 0
    assert {level for level, *_ in LINE.findall(run.stderr)} == {"INFO"}
    for words in (
        "list of datasets: throttled by Orgvue, waiting 0.",
        "retrying in ",
        "'large' is fetched by export job, because its synchronous export is too large",
        "large: requesting the export again: Orgvue's export job failed",
    ):
        assert [line for line in told(run, "INFO") if words in line], words


def test_a_failed_stream_is_an_error_once(serve: Serve) -> None:
    """It is told when it happens, and as an error at the end, where it is the last word."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"))
    catalog = discover(orgvue.config)
    orgvue.refuse(400, times=None, on="export", dataset="Alpha")
    run = command(orgvue.config, catalog=catalog)
    assert told(run, "ERROR") == ["1 of 2 streams failed:"]
    [early] = [line for line in told(run, "INFO") if "the other streams continue" in line]
    assert early.startswith("alpha failed; the other streams continue: Orgvue refused")
    assert run.stderr.splitlines()[-1].startswith("  alpha: Orgvue refused")


@pytest.mark.parametrize("code", ["40302", "42902"])
def test_what_ends_a_run_is_an_error_once(serve: Serve, code: str) -> None:
    """Beside it, the streams that were not sent are named, and those that failed before."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"), people(3, "Gamma"))
    catalog = discover(orgvue.config)
    orgvue.refuse(400, times=None, on="export", dataset="Alpha")
    orgvue.refuse(code, times=None, on="export", dataset="Beta")
    run = command({**orgvue.config, "max_parallel_requests": 1}, catalog=catalog)
    not_sent, alpha, cause = told(run, "ERROR")
    assert not_sent == "The run ends. Not sent: alpha, beta, gamma."
    assert alpha.startswith("alpha: Orgvue refused")
    assert code in cause
    assert told(run, "WARNING") == []


@pytest.mark.slow
def test_a_dataset_that_fails_in_discovery_is_an_error_once(serve: Serve) -> None:
    """A discovery tells it so; a run warns of it first, and tells it at its end."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"))
    orgvue.refuse(500, times=None, on=["export", "metadata"], dataset="Alpha")
    config = {**orgvue.config, "max_retries": 0}
    [left_out] = told(command(config, "--discover"), "ERROR")
    assert left_out.startswith("Dataset 'Alpha'")
    run = command(config)
    assert told(run, "ERROR") == ["1 of 2 streams failed:"]
    assert [line for line in told(run, "WARNING") if line.startswith("Dataset 'Alpha'")]


def test_a_dataset_that_is_gone_is_an_error_once(serve: Serve) -> None:
    """Only at the end of the run, with what to do."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"))
    state = sync(orgvue.config).state
    orgvue.tenant.remove("Alpha")
    run = command(orgvue.config, state=state)
    assert told(run, "ERROR") == ["1 of 2 streams failed:"]
    assert run.stderr.count("has no dataset any more") == 1


def test_a_file_host_out_of_reach_is_a_warning(serve: Serve) -> None:
    """Slices will do, but somebody can let the host through, or say that it shall be so."""
    orgvue = serve(people(200))
    orgvue.sync_limit_bytes = 20_000
    orgvue.files_url = "http://127.0.0.1:9"
    run = command(orgvue.config)
    assert run.code == 0
    [warning] = told(run, "WARNING")
    assert "'people' is fetched by synchronous exports in slices. The host of finished" in warning
    assert "set `export_mode` to `paged`" in warning
    assert told(run, "ERROR") == []
