"""Delivery of exports: at once or by another way; whatever breaks, each row exactly once."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.simulator import Orgvue
from tests.support.datasets import people
from tests.support.exports import READ, assert_complete, by_mode, get, lines_about, opened
from tests.support.runs import Run, command, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Orgvue]


# --- every break, at every stage


BREAKS: dict[str, tuple[str, str, dict[str, Any]]] = {
    # how it is asked for: (route, what the simulator is ordered to do, how)
    "refused 503": ("first", "refuse", {"reason": 503}),
    "throttled": ("first", "refuse", {"reason": "42901"}),
    "told when to come back": ("first", "refuse", {"reason": "42901", "retry_after": 0.2}),
    "closed before the status line": ("first", "hang_up", {"after": 0}),
    "reset before the status line": ("first", "hang_up", {"after": 0, "reset": True}),
    "closed after the first byte": ("first", "hang_up", {"after": 1}),
    "closed in the middle": ("first", "hang_up", {"after": 120}),
    "closed before the last byte": ("first", "hang_up", {"after": -1}),
    "told too long a length": ("first", "lie_about_length", {"by": 10}),
    # By more than gzip's trailer: without that alone, the text is whole.
    "told too short a length": ("first", "lie_about_length", {"by": -40}),
    "answered with a page": ("first", "answer", {"body": b"<html>Sign in</html>"}),
    "answered with nothing": ("first", "answer", {"body": b""}),
    "poll refused 503": ("ticket", "refuse", {"reason": 503}),
    "poll closed before the status line": ("ticket", "hang_up", {"after": 0}),
    "poll closed after the first byte": ("ticket", "hang_up", {"after": 1}),
    "poll closed before the last byte": ("ticket", "hang_up", {"after": -1}),
    "poll expired": ("ticket", "refuse", {"reason": 403}),
    "poll gone": ("ticket", "refuse", {"reason": 404}),
    "poll answered with a page": ("ticket", "answer", {"body": b"<html>"}),
    "result refused 503": ("result", "refuse", {"reason": 503}),
    "result expired": ("result", "refuse", {"reason": 403}),
    "result gone": ("result", "refuse", {"reason": 404}),
    "result closed before the status line": ("result", "hang_up", {"after": 0}),
    "result closed after the first byte": ("result", "hang_up", {"after": 1}),
    "result closed in the middle": ("result", "hang_up", {"after": 200}),
    "result closed before the last byte": ("result", "hang_up", {"after": -1}),
    "result reset in the middle": ("result", "hang_up", {"after": 200, "reset": True}),
    "result told too long a length": ("result", "lie_about_length", {"by": 10}),
    "result told too short a length": ("result", "lie_about_length", {"by": -40}),
    "result answered with a page": ("result", "answer", {"body": b"<html>"}),
    "result answered with half of it": ("result", "answer", {"body": b'{"headers":[],"rows":[['}),
}
AT_ONCE = [name for name, (route, _, _) in BREAKS.items() if route == "first"]


def run_with_breaks(mode: str, names: list[str], first_route: str) -> tuple[Orgvue, Run]:
    """Read, in one run, a dataset for each break, each broken in its own way."""
    with Orgvue([people(40, name) for name in names]) as orgvue:
        catalog = discover(orgvue.config)
        for name in names:
            route, order, how = BREAKS[name]
            on = first_route if route == "first" else route
            getattr(orgvue, order)(on=on, dataset=name, times=1, **how)
        orgvue.job_polls = ("completed",)
        return orgvue, sync(by_mode(orgvue, mode, max_parallel_requests=40), catalog)


@pytest.fixture(scope="module")
def broken_jobs() -> tuple[Orgvue, Run]:
    """A run through jobs, with a break of every kind at every stage."""
    return run_with_breaks("async", list(BREAKS), "job")


@pytest.fixture(scope="module")
def broken_answers() -> tuple[Orgvue, Run]:
    """A run of synchronous exports, with a break of every kind."""
    return run_with_breaks("sync", AT_ONCE, "export")


def requests_about(orgvue: Orgvue, name: str, *routes: str) -> int:
    """How many requests of these routes a dataset took."""
    dataset_id = orgvue.dataset(name).dataset_id
    return sum(r.route in routes and r.dataset_id == dataset_id for r in orgvue.requests)


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_on_the_way_of_a_job_costs_no_row(
    broken_jobs: tuple[Orgvue, Run], name: str
) -> None:
    """Whatever breaks, wherever it breaks, an asynchronous export comes whole and once."""
    orgvue, run = broken_jobs
    stream = name.replace(" ", "_")
    assert_complete(orgvue, run, f"_{stream}" if stream[0].isdigit() else stream, name)
    # It was met: without it, three requests are all there is.
    assert requests_about(orgvue, name, "job", "ticket", "result") > 3


@pytest.mark.parametrize("name", AT_ONCE)
def test_a_break_of_a_synchronous_export_costs_no_row(
    broken_answers: tuple[Orgvue, Run], name: str
) -> None:
    """Whatever breaks, a synchronous export comes whole and once."""
    orgvue, run = broken_answers
    assert_complete(orgvue, run, name.replace(" ", "_"), name)
    # One for discovery, one that broke, one that did not.
    assert requests_about(orgvue, name, "export") == 3


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_each_stream_s_records_are_its_own(
    broken_jobs: tuple[Orgvue, Run], broken_answers: tuple[Orgvue, Run], mode: str
) -> None:
    """However streams overtook each other on the way, their messages come one after another."""
    _, run = broken_jobs if mode == "async" else broken_answers
    order = [message["stream"] for message in run.of_type("RECORD")]
    changes = [name for i, name in enumerate(order) if i == 0 or order[i - 1] != name]
    assert len(changes) == len(set(changes))


# --- at once


def test_a_synchronous_export_that_is_too_large_is_told(serve: Serve) -> None:
    """In the mode sync a too large answer is an error that names the setting to change."""
    orgvue = serve(people(50))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 1000
    run = command(by_mode(orgvue, "sync"), catalog=catalog)
    assert run.code != 0
    assert lines_about(run.stderr, "too large", "export_mode")
    assert "Traceback" not in run.stderr
    assert run.records == {}


def test_a_query_that_synchronous_export_does_not_take_becomes_a_job(serve: Serve) -> None:
    """Where a POST is not accepted, a job is asked for with the same query."""
    orgvue = serve(people())
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.post_export = False
    orgvue.job_polls = ("completed",)
    run = sync(by_mode(orgvue, "sync"), catalog)
    (job,) = orgvue.requests_to("job")
    assert isinstance(job.body, dict)
    output = job.body["query"]["output"]
    assert output["projectionMode"] == "replace"
    assert set(output["projection"]) == {
        "_id",
        "id",
        "Full Name",
        "onLeave",
        "startDate",
        "_modifiedAt",
    }
    assert "salary" not in run.records["people"][0]
    assert_complete(orgvue, run)


# --- auto


def test_what_fits_comes_at_once(serve: Serve) -> None:
    """By default an export that fits into one answer is one GET."""
    orgvue = serve(people())
    catalog = discover(orgvue.config)
    before = len(orgvue.requests)
    assert_complete(orgvue, sync(orgvue.config, catalog))
    assert [(r.method, r.route) for r in orgvue.requests[before:]] == [("GET", "export")]


@pytest.mark.parametrize("status", [413, 502, 504])
def test_what_is_too_large_comes_through_a_job(
    serve: Serve, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A too large answer, however that is told, is fetched through a job; one line says so."""
    orgvue = serve(people(60))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes, orgvue.too_large_status = 3000, status
    orgvue.job_polls = ("completed",)
    before = len(orgvue.requests)
    assert_complete(orgvue, sync(orgvue.config, catalog))
    routes = [request.route for request in orgvue.requests[before:]]
    assert routes == ["export", "job", "ticket", "result"]
    said = [r.getMessage() for r in caplog.records if "export job" in r.getMessage()]
    assert len(said) == 1
    assert "'people'" in said[0]
    assert str(status) in said[0]


def test_an_answer_that_takes_too_long_comes_through_a_job(serve: Serve) -> None:
    """Where a synchronous answer does not come in time, a job is asked for."""
    orgvue = serve(people())
    catalog = discover(orgvue.config)
    orgvue.seconds_of["export"] = 30
    orgvue.job_polls = ("completed",)
    run = sync({**orgvue.config, "request_timeout": 1}, catalog)
    assert_complete(orgvue, run)
    assert len(orgvue.requests_to("job")) == 1


def no_jobs(orgvue: Orgvue) -> None:
    """Take asynchronous exports away."""
    orgvue.async_export = False


def no_file_host(orgvue: Orgvue) -> None:
    """Put the file host out of reach."""
    orgvue.files_url = "http://127.0.0.1:9"


@pytest.mark.parametrize("without", [no_jobs, no_file_host])
def test_what_cannot_come_through_a_job_comes_in_slices(
    serve: Serve, without: Callable[[Orgvue], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Too large for one answer, and no jobs to be had: the export is read in slices."""
    orgvue = serve(people(60))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 4000
    orgvue.job_polls = ("completed",)
    without(orgvue)
    assert_complete(orgvue, sync(orgvue.config, catalog))
    assert lines_about(caplog.text, "slices", "'people'")


def test_what_was_learnt_is_remembered(serve: Serve) -> None:
    """The way that worked for a dataset is taken at once the next time in a run."""
    orgvue = serve(people(60))
    orgvue.sync_limit_bytes = 3000
    orgvue.job_polls = ("completed",)
    client = opened(orgvue)
    exports = ExportFetcher(client)
    for _ in range(2):
        answer = exports.fetch(get(client, orgvue), "people")
        assert answer.rows is not None
        assert len(list(chain(*answer.rows.blocks(READ)))) == 60
        answer.close()
    assert len(orgvue.requests_to("export")) == 1
    assert len(orgvue.requests_to("job")) == 2


@pytest.mark.parametrize("code", ["40302", "42902", "40345"])
def test_a_tenant_wide_refusal_is_not_a_reason_for_another_way(serve: Serve, code: str) -> None:
    """A token that has expired, or a used-up quota, ends it: no other way is tried."""
    orgvue = serve(people())
    catalog = discover(orgvue.config)
    before = len(orgvue.requests)
    orgvue.refuse(code, times=None)
    with pytest.raises(OrgvueError, match=code):
        sync(orgvue.config, catalog)
    assert len(orgvue.requests) - before == 1
