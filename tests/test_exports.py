"""Delivery of exports: at once, through jobs, in slices; whatever breaks, each row exactly once."""

from __future__ import annotations

import json
import os
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_orgvue.exports.fetcher import Exports
from tap_orgvue.orgvue.client import Client
from tap_orgvue.orgvue.errors import BrokenAnswer, FilesUnreachable, JobFailed, OrgvueError
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tap_orgvue.tap import TapOrgvue
from tests.conftest import people
from tests.running import Run, command, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_orgvue.exports.response import ExportAnswer

    Serve = Callable[..., Orgvue]

READ = msgspec.json.Decoder(list[list[Any]]).decode


def assert_complete(orgvue: Orgvue, run: Run, stream: str = "people", name: str = "People") -> None:
    """Each row of a dataset came exactly once."""
    sent = sorted(record["_id"] for record in run.records[stream])
    assert sent == sorted(str(row["_id"]) for row in orgvue.dataset(name).rows)


def by_mode(orgvue: Orgvue, mode: str, **settings: object) -> dict[str, Any]:
    """A config with a way of delivery."""
    return {**orgvue.config, "export_mode": mode, **settings}


def opened(orgvue: Orgvue, **settings: object) -> Client:
    """A client of the tenant, without a tap around it."""
    return Client(TapOrgvue(config={**orgvue.config, **settings}, setup_mapper=False).settings)


def fetched(
    orgvue: Orgvue, mode: ExportMode, *, temp_dir: Path | None = None, job_timeout: float = 60
) -> ExportAnswer:
    """An export of People, without a tap around it."""
    client = opened(orgvue)
    exports = Exports(
        client, mode, temp_dir=str(temp_dir) if temp_dir else None, job_timeout=job_timeout
    )
    return exports.fetch(get(client, orgvue), "people")


def get(client: Client, orgvue: Orgvue) -> Any:
    """The request for all of People."""
    path = f"/datasets/{orgvue.dataset('People').dataset_id}/export/jsonRows"
    return client.prepare("GET", client.url(path))


def lines_about(text: str, *words: str) -> list[str]:
    """The lines of a log that hold all these words."""
    return [line for line in text.splitlines() if all(word in line for word in words)]


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


# --- through jobs


def test_a_job_is_asked_for_as_documented(serve: Serve) -> None:
    """A job is a POST for gzipped jsonRows; its ticket and its result are then fetched."""
    orgvue = serve(people())
    catalog = discover(orgvue.config)
    before = len(orgvue.requests)
    run = sync(by_mode(orgvue, "async"), catalog)
    assert_complete(orgvue, run)
    routes = [request.route for request in orgvue.requests[before:]]
    assert routes == ["job", "ticket", "ticket", "ticket", "result"]
    job = orgvue.requests_to("job")[0]
    assert job.query == {"exportFormat": ["jsonRows"], "resultEncoding": ["gzip"]}
    assert job.path.endswith("/export")


def test_the_file_host_never_sees_a_credential(serve: Serve) -> None:
    """Requests for tickets and results carry no token, no API header, and nothing of ~/.netrc."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    run = sync(by_mode(orgvue, "async"))
    assert_complete(orgvue, run)
    to_files = [request for request in orgvue.requests if request.origin == "files"]
    assert {request.route for request in to_files} == {"ticket", "result"}
    for request in to_files:
        assert request.header("Authorization") is None
        assert request.header("Cookie") is None
        assert all(orgvue.token not in value for _, value in request.headers)


def test_a_netrc_file_is_not_heeded(serve: Serve, tmp_path: Path) -> None:
    """A ~/.netrc with an entry for the hosts changes nothing."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password something\n")
    netrc.chmod(0o600)
    run = command(
        by_mode(orgvue, "async"),
        catalog=discover(orgvue.config),
        env={"NETRC": str(netrc), "HOME": str(tmp_path)},
    )
    assert run.code == 0, run.stderr
    assert_complete(orgvue, run)
    for request in orgvue.requests:
        given = request.header("Authorization")
        assert given == (f"Bearer {orgvue.token}" if request.origin == "api" else None)


@pytest.mark.parametrize("encoding", [False, True])
def test_a_result_is_read_however_it_is_compressed(serve: Serve, *, encoding: bool) -> None:
    """A bare gzip file and one served with a content encoding are read alike."""
    orgvue = serve(people(30))
    orgvue.job_polls = ("completed",)
    orgvue.result_content_encoding = encoding
    assert_complete(orgvue, sync(by_mode(orgvue, "async")))


def test_presigned_urls_are_not_told(serve: Serve) -> None:
    """Neither a presigned URL nor a part of one is in what the command says when it fails."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    catalog = discover(orgvue.config)
    orgvue.refuse(403, on="result", times=None)
    run = command(by_mode(orgvue, "async"), catalog=catalog)
    assert run.code != 0
    assert "X-Amz-" not in run.stderr
    assert "Signature" not in run.stderr
    assert "Traceback" not in run.stderr


def test_a_job_that_fails_once_is_asked_for_again(serve: Serve) -> None:
    """A failed job is asked for again, and its export comes once."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    orgvue.fail_jobs = 1
    assert_complete(orgvue, sync(by_mode(orgvue, "async")))
    assert len(orgvue.requests_to("job")) == 2


def test_a_job_that_keeps_failing_is_told_in_orgvue_s_words(serve: Serve) -> None:
    """A job that fails for good ends with Orgvue's own errors and the trace id."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    orgvue.fail_jobs = 100
    with pytest.raises(JobFailed, match=r"ExportFailed.*Trace id: Root=") as caught:
        fetched(orgvue, ExportMode.ASYNC)
    assert "500601" in str(caught.value)


@pytest.mark.parametrize("status", ["paused", "COMPLETED"])
def test_an_unknown_job_status_is_an_error(serve: Serve, status: str) -> None:
    """A status that is not documented is an error, not a longer wait."""
    orgvue = serve(people())
    orgvue.job_status_word = status
    with pytest.raises(BrokenAnswer, match=re.escape(repr(status))):
        fetched(orgvue, ExportMode.ASYNC)
    assert orgvue.requests_to("ticket") == []


def test_a_job_that_takes_too_long_is_told(serve: Serve) -> None:
    """A job that is not done in `job_timeout` seconds is an error that names the setting."""
    orgvue = serve(people())
    orgvue.job_seconds = 600
    with pytest.raises(JobFailed, match="job_timeout"):
        fetched(orgvue, ExportMode.ASYNC, job_timeout=0.6)


def test_a_result_that_has_expired_is_asked_for_again(serve: Serve) -> None:
    """A result whose URL has expired costs another job, and no row."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    orgvue.expire_results = 1
    assert_complete(orgvue, sync(by_mode(orgvue, "async")))
    assert len(orgvue.requests_to("job")) == 2


def test_a_ticket_that_has_expired_is_asked_for_again(serve: Serve) -> None:
    """A ticket whose URL has expired costs another job; the last try's failure is told."""
    orgvue = serve(people())
    orgvue.file_lifetime = 0.0
    with pytest.raises(OrgvueError, match="expire"):
        fetched(orgvue, ExportMode.ASYNC)
    assert len(orgvue.requests_to("job")) > 1


@pytest.mark.parametrize(
    "ticket,told",
    [
        ([], "not a job ticket"),
        ({"jobStatus": "created"}, "does not say where"),
        ({"jobStatus": "completed"}, "not where the result is"),
        ({"jobStatus": "completed", "_links": {"result": {"url": "ftp://x/y"}}}, "not followed"),
        ({"jobStatus": "failed"}, "no reason"),
        ({"jobStatus": "failed", "errors": ["broken"]}, "broken"),
    ],
)
def test_a_ticket_of_another_shape_is_told(serve: Serve, ticket: object, told: str) -> None:
    """A ticket that lacks what is needed is one clear error."""
    orgvue = serve(people())
    orgvue.answer(on="job", status=202, body=json.dumps(ticket).encode(), times=None)
    with pytest.raises(OrgvueError, match=told):
        fetched(orgvue, ExportMode.ASYNC)


def test_a_file_host_out_of_reach_is_told(serve: Serve) -> None:
    """Where the file host cannot be reached, the error names it and the way around."""
    orgvue = serve(people())
    orgvue.files_url = "http://127.0.0.1:9"
    with pytest.raises(FilesUnreachable, match=r"127\.0\.0\.1.*paged"):
        fetched(orgvue, ExportMode.ASYNC)


def test_jobs_that_are_not_offered_are_told(serve: Serve) -> None:
    """In the mode async, a tenant without asynchronous exports is an error."""
    orgvue = serve(people())
    orgvue.async_export = False
    with pytest.raises(OrgvueError, match="404"):
        fetched(orgvue, ExportMode.ASYNC)


# --- in slices


@pytest.mark.parametrize("status", [413, 502, 504])
def test_slices_that_are_too_large_split_themselves(serve: Serve, status: int) -> None:
    """In the mode paged a dataset is read in slices of `_id`, small enough, each row once."""
    orgvue = serve(people(200))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes, orgvue.too_large_status = 8000, status
    run = sync(by_mode(orgvue, "paged"), catalog)
    assert_complete(orgvue, run)
    assert orgvue.requests_to("job") == []
    bodies: list[Any] = [r.body for r in orgvue.requests if is_slice(r.body)]
    filters = [body["query"]["output"]["filter"] for body in bodies]
    assert filters
    operators = {operator for found in filters for operator in found["_id"]}
    assert operators <= {"$gt", "$gte", "$lt", "$lte"}


def is_slice(body: object) -> bool:
    """Whether a request asks for a range of ids."""
    if not isinstance(body, dict):
        return False
    bounds = body["query"]["output"].get("filter", {}).get("_id")
    return isinstance(bounds, dict)


def with_ids(ids: list[str]) -> Dataset:
    """People with these ids."""
    return Dataset(
        "People",
        properties=[Property("note")],
        rows=[{"_id": node_id, "note": "x" * 100} for node_id in ids],
    )


IDS = {
    "upper case": [f"{i:08X}-1111-4111-8111-{i * 7919:012X}" for i in range(0, 2**32, 2**25)],
    "lower case": [f"{i:08x}-1111-4111-8111-{i * 7919:012x}" for i in range(0, 2**32, 2**25)],
    "of both cases": [
        f"{i:08x}-aaaa-4aaa-8aaa-00000000000f" if i % 3 else f"{i:08X}-AAAA-4AAA-8AAA-00000000000F"
        for i in range(0, 2**32, 2**26 + 1)
    ],
    "close together": [f"AAAAAAAA-AAAA-4AAA-8AAA-{i:012X}" for i in range(16)],
    "at the ends": ["0", "00000000-0000-4000-8000-000000000000", "FFFFFFFF", "ffffffff", "~", " "],
}


@pytest.mark.parametrize("kind", IDS)
def test_every_id_is_in_exactly_one_slice(serve: Serve, kind: str) -> None:
    """Whatever ids look like, no row falls between two slices and none is in both."""
    orgvue = serve(with_ids(IDS[kind]))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = max(700, 50 * len(IDS[kind]))
    run = sync(by_mode(orgvue, "paged"), catalog)
    assert_complete(orgvue, run)
    assert len(orgvue.requests_to("export")) > 3


def test_slices_ask_for_the_selected_columns_only(serve: Serve) -> None:
    """Each slice has the projection of the selected columns."""
    orgvue = serve(people(60))
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.sync_limit_bytes = 3000
    before = len(orgvue.requests)
    run = sync(by_mode(orgvue, "paged"), catalog)
    assert_complete(orgvue, run)
    assert all("salary" not in record for record in run.records["people"])
    slices = [request.body for request in orgvue.requests[before:] if is_slice(request.body)]
    assert slices
    for body in slices:
        assert isinstance(body, dict)
        assert "salary" not in body["query"]["output"]["projection"]


def test_a_slice_that_breaks_is_asked_for_again(serve: Serve) -> None:
    """A connection that breaks within a slice costs a retry, and no row."""
    orgvue = serve(people(60))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 5000
    orgvue.hang_up(on="export", after=-1, times=1)
    orgvue.refuse(503, on="export", times=1)
    assert_complete(orgvue, sync(by_mode(orgvue, "paged"), catalog))


def test_a_row_too_large_for_any_answer_is_told(serve: Serve) -> None:
    """Where even one row is too large, the run ends with an error instead of splitting forever."""
    orgvue = serve(people(3))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 50
    with pytest.raises(OrgvueError, match="export_mode"):
        sync(by_mode(orgvue, "paged"), catalog)


def test_a_dataset_without_ids_cannot_be_sliced(serve: Serve) -> None:
    """Where the export has no `_id`, a too large answer is an error that says so."""
    dataset = Dataset(
        "People", properties=[Property("x")], rows=[{"x": "y" * 50}] * 40, generated=()
    )
    orgvue = serve(dataset)
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 500
    with pytest.raises(OrgvueError, match="_id"):
        sync(by_mode(orgvue, "paged"), catalog)


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
    said = [r.getMessage() for r in caplog.records if "asynchronous export" in r.getMessage()]
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
    exports = Exports(client)
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


# --- on disk


@pytest.mark.parametrize("mode", [ExportMode.SYNC, ExportMode.ASYNC, ExportMode.PAGED])
def test_exports_lie_in_files_without_a_name(
    serve: Serve, tmp_path: Path, mode: ExportMode
) -> None:
    """While an export is at hand, its folder shows no file: what has no name leaves no trace."""
    orgvue = serve(people(30))
    orgvue.job_polls = ("completed",)
    answer = fetched(orgvue, mode, temp_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert answer.rows is not None
    assert len(list(chain(*answer.rows.blocks(READ)))) == 30
    # It is in that folder all the same.
    assert os.fstat(answer.raw.fileno()).st_dev == tmp_path.stat().st_dev
    assert os.fstat(answer.raw.fileno()).st_mode & 0o077 == 0
    answer.close()
    assert answer.raw.closed


def test_a_folder_that_is_not_there_is_told(serve: Serve, tmp_path: Path) -> None:
    """A `temp_dir` that does not exist is an error that names the setting."""
    with pytest.raises(OrgvueError, match="temp_dir"):
        fetched(serve(people()), ExportMode.SYNC, temp_dir=tmp_path / "nowhere")


def test_an_export_is_whole_before_its_first_row_is_sent(serve: Serve) -> None:
    """Where an export never comes whole, none of its rows is sent."""
    orgvue = serve(people(500))
    catalog = discover(orgvue.config)
    orgvue.hang_up(on="export", after=-1, times=None)
    run = command({**orgvue.config, "max_retries": 1}, catalog=catalog)
    assert run.code != 0
    assert run.records == {}
    assert "Traceback" not in run.stderr


# --- several at once


@pytest.fixture
def ten(serve: Serve) -> Iterator[Orgvue]:
    """Ten datasets, each taking some server time."""
    orgvue = serve(*(people(5, f"People {i}") for i in range(10)))
    yield orgvue
    assert orgvue.most_at_once <= 50


@pytest.mark.parametrize("most", [1, 4])
def test_exports_are_fetched_ahead_within_the_setting(ten: Orgvue, most: int) -> None:
    """As many exports are in flight as `max_parallel_requests` says; streams keep their order."""
    catalog = discover({**ten.config, "max_parallel_requests": 1})
    ten.seconds_of["export"] = 0.1
    run = sync({**ten.config, "max_parallel_requests": most}, catalog)
    assert ten.most_at_once == most
    in_catalog = [found["tap_stream_id"] for found in catalog["streams"]]
    assert list(run.records) == [name for name in in_catalog if name.startswith("people")]
    for i in range(10):
        assert_complete(ten, run, f"people_{i}", f"People {i}")


def test_no_more_requests_a_second_than_orgvue_allows(serve: Serve) -> None:
    """However many datasets there are, no request is refused for being one too many."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(130)))
    catalog = discover({**orgvue.config, "max_parallel_requests": 50})
    assert len(catalog["streams"]) == 132
    assert orgvue.most_in_a_second <= 100
    assert orgvue.most_at_once <= 50
    assert len(orgvue.requests) == 131
