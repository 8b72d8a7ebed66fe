"""Export jobs: their requests, tickets, polls, results and errors."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest
import requests

from tap_orgvue.exports.jobs import JOB_TRIES, JobStatus, JobTicket, body_of
from tap_orgvue.orgvue.errors import (
    DeadlineExceeded,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    Stopped,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import ExportMode
from tests.support.datasets import people
from tests.support.exports import assert_complete, by_mode, fetched
from tests.support.mocked_exports import (
    EXPORT,
    JOB,
    PROJECTION,
    RESULT,
    ROWS,
    TICKET,
    MockedExports,
    document,
    refusal,
    ticket,
)
from tests.support.mocked_orgvue import TOKEN
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


GONE = {"exc": requests.ConnectionError("no route")}
CUT = {"content": document()["content"][:-1]}
CODES = frozenset({"500601"})


def jobs(
    *tickets: dict[str, Any],
    created: dict[str, Any] | None = None,
    result: dict[str, Any] | None = None,
    **options: Any,
) -> MockedExports:
    """A tenant whose exports are jobs.

    Args:
        *tickets: The responses to the polls; the last one repeats.
        created: The response to the job's request.
        result: The response to the request for the result.
        **options: Of `MockedExports`.
    """
    orgvue = MockedExports(ExportMode.ASYNC, **options)
    orgvue.serve("POST", JOB, {"status_code": 202, **(created or ticket("created"))})
    orgvue.serve("GET", TICKET, *(tickets or (ticket("completed"),)))
    orgvue.serve("GET", RESULT, result or document())
    return orgvue


def jobs_of(orgvue: MockedExports) -> int:
    """How many jobs were requested."""
    return orgvue.routes.count("POST export")


# --- tickets


@pytest.mark.usefixtures("real_waits")
def test_a_ticket_is_polled_until_its_job_is_completed() -> None:
    """A ticket is polled at growing intervals while it is created or running, then its result."""
    orgvue = jobs(*map(ticket, ("created", "running", "running", "completed")))
    assert orgvue.rows() == ROWS
    assert orgvue.routes == ["POST export", *["GET ticket"] * 4, "GET result"]
    assert orgvue.polls == [0.5, 0.75, 1.125, 1.6875]


@pytest.mark.usefixtures("real_waits")
def test_polls_are_at_most_ten_seconds_apart() -> None:
    """The interval between polls does not grow for ever."""
    orgvue = jobs(*map(ticket, ["running"] * 20 + ["completed"]))
    assert orgvue.rows() == ROWS
    assert orgvue.polls[-5:] == [10] * 5


def test_a_job_that_is_completed_at_once_is_not_polled() -> None:
    """A completed ticket in response to the job's request leads to its result without a wait."""
    orgvue = jobs(created=ticket("completed"))
    assert orgvue.rows() == ROWS
    assert orgvue.routes == ["POST export", "GET result"]
    assert orgvue.polls == []


def test_the_latest_link_of_a_ticket_is_polled() -> None:
    """A ticket that links to another URL is polled there from then on."""
    other = f"{TICKET}-2"
    moved = ticket("running", _links={"self": {"url": other}})
    orgvue = jobs(moved)
    orgvue.serve("GET", other, ticket("completed"))
    assert orgvue.rows() == ROWS
    assert orgvue.urls[1:] == [TICKET, other, RESULT]


def test_a_polled_ticket_needs_no_link_to_itself() -> None:
    """A later ticket without a link is polled where the first one was."""
    orgvue = jobs(ticket("running", "result"), ticket("completed"))
    assert orgvue.rows() == ROWS
    assert orgvue.routes.count("GET ticket") == 2


def test_a_failed_job_is_requested_again() -> None:
    """A failed job costs a new job and a line in Orgvue's words, then its export comes."""
    failed = ticket("failed", errors=[{"code": "500601", "name": "ExportFailed", "message": "x"}])
    logger = create_autospec(logging.Logger, instance=True)
    orgvue = jobs(failed, ticket("completed"), logger=logger)
    assert orgvue.rows() == ROWS
    assert jobs_of(orgvue) == 2
    (told,) = logger.info.call_args_list
    assert "500601 ExportFailed: x. Trace id: Root=1-abc" in told.args[0] % told.args[1:]
    logger.warning.assert_not_called()


def test_a_job_that_fails_for_good_ends_in_orgvue_s_words() -> None:
    """The error has each of Orgvue's errors and the trace id; the number of jobs is bounded."""
    errors = [{"code": "500601", "message": "No\nroom"}, "later", {"name": "Odd"}]
    orgvue = jobs(ticket("failed", errors=errors))
    with pytest.raises(JobFailed) as caught:
        orgvue.rows()
    assert str(caught.value) == (
        "Orgvue's export job failed: 500601: No room; later; Odd. Trace id: Root=1-abc"
    )
    assert (caught.value.codes, caught.value.trace_id) == (CODES, "Root=1-abc")
    assert jobs_of(orgvue) == JOB_TRIES


def test_a_failed_job_without_a_reason_says_so() -> None:
    """A failed ticket without errors and trace id ends in one short sentence."""
    orgvue = jobs(created=ticket("failed", trace=None))
    with pytest.raises(JobFailed, match=r"failed: Orgvue gives no reason\.$"):
        orgvue.rows()


@pytest.mark.parametrize("status", ["paused", "COMPLETED", None, 5, ["running"], {"a": 1}])
def test_an_unknown_status_is_an_error(status: object) -> None:
    """A status that is not documented ends the export; it is not polled, nor requested again."""
    orgvue = jobs(created=ticket(status))
    with pytest.raises(MalformedResponse, match=re.escape(repr(str(status)))):
        orgvue.rows()
    assert orgvue.routes == ["POST export"]


def test_a_long_status_is_cut() -> None:
    """An unknown status is quoted with at most 40 characters, in whole words."""
    with pytest.raises(MalformedResponse, match=r"'(x ){19}x…'"):
        JobTicket.from_json({"jobStatus": "x " * 1000})


@pytest.mark.parametrize("body", [[], "completed", None, 5])
def test_a_response_that_is_no_object_is_no_ticket(body: object) -> None:
    """A ticket is a JSON object."""
    with pytest.raises(MalformedResponse, match="is no job ticket"):
        JobTicket.from_json(body)


@pytest.mark.parametrize("links", [None, [], 5, {}, {"self": None, "result": 5}])
def test_a_ticket_without_usable_links_has_none(links: object) -> None:
    """Links of an unknown form are read as none."""
    found = JobTicket.from_json({"jobStatus": "running", "_links": links})
    assert (found.status, found.ticket_url, found.result_url) == (JobStatus.RUNNING, None, None)


def test_a_ticket_shows_no_url() -> None:
    """The text of a ticket has its status and trace id, and no presigned URL."""
    shown = repr(JobTicket.from_json(ticket("completed")["json"]))
    assert "completed" in shown
    assert "Root=1-abc" in shown
    assert "files.test" not in shown


def test_a_ticket_without_a_link_to_itself_is_an_error() -> None:
    """A running job that cannot be polled ends the export with the trace id."""
    orgvue = jobs(created=ticket("running", "result"))
    told = r"no link to itself\. Trace id: Root=1-abc"
    with pytest.raises(MalformedResponse, match=told) as caught:
        orgvue.rows()
    assert caught.value.trace_id == "Root=1-abc"


def test_a_completed_ticket_without_a_result_is_an_error() -> None:
    """A completed job without a result link ends the export, and is not requested again."""
    orgvue = jobs(ticket("completed", "self"))
    with pytest.raises(MalformedResponse, match="no result link"):
        orgvue.rows()
    assert jobs_of(orgvue) == 1


def test_a_completed_ticket_with_errors_is_not_a_complete_export() -> None:
    """A completed job with errors costs a new job; with errors each time it ends in their words."""
    errors = [{"code": "500601", "name": "RowsMissing"}]
    partial = ticket("completed", errors=errors)
    orgvue = jobs(partial, ticket("completed", errors=[]))
    assert orgvue.rows() == ROWS
    assert orgvue.routes == ["POST export", "GET ticket", "POST export", "GET ticket", "GET result"]
    orgvue = jobs(created=partial)
    told = r"completed with errors.*incomplete: 500601 RowsMissing\. Trace id: Root=1-abc$"
    with pytest.raises(JobFailed, match=told):
        orgvue.rows()
    assert orgvue.routes == ["POST export"] * JOB_TRIES


def test_errors_without_words_make_a_ticket_incomplete_too() -> None:
    """Errors of an unknown form are errors."""
    with pytest.raises(JobFailed, match="incomplete: Orgvue gives no reason"):
        jobs(created=ticket("completed", errors=[5])).rows()


def failed_ticket(status: int, code: str = "500601") -> dict[str, Any]:
    """A job's request that is refused by a failed job ticket."""
    errors = [{"code": code, "name": "ExportFailed", "message": "No room"}]
    return {"status_code": status, **ticket("failed", errors=errors)}


@pytest.mark.parametrize("status", [400, 403, 404, 409, 500])
@pytest.mark.parametrize("mode", [ExportMode.ASYNC, ExportMode.AUTO])
def test_a_job_that_is_refused_by_a_failed_ticket_has_failed(status: int, mode: ExportMode) -> None:
    """The error has Orgvue's words and the ticket's trace id; there is no other delivery."""
    orgvue = MockedExports(mode)
    orgvue.serve("GET", EXPORT, refusal(413))
    orgvue.serve("POST", JOB, failed_ticket(status))
    told = r"job failed \(500601 ExportFailed: No room\)\..*Trace id: Root=1-abc"
    with pytest.raises(JobFailed, match=told) as caught:
        orgvue.rows()
    error = caught.value
    assert (error.status, error.codes, error.trace_id) == (status, CODES, "Root=1-abc")
    assert jobs_of(orgvue) == 1
    assert orgvue.routes.count("GET jsonRows") == (mode is ExportMode.AUTO)


def test_a_failed_ticket_with_a_code_of_the_gateway_is_the_tenant_s() -> None:
    """A token that has expired ends the run, in whatever body that is said."""
    orgvue = jobs(created=failed_ticket(403, "40302"))
    with pytest.raises(TenantRefusal, match="40302"):
        orgvue.rows()


def test_a_poll_that_is_refused_by_a_failed_ticket_is_a_failed_job() -> None:
    """A ticket with an error status costs a new job; the error has its words."""
    orgvue = jobs(failed_ticket(400))
    with pytest.raises(JobFailed, match=r"500601 ExportFailed: No room.*Root=1-abc"):
        orgvue.rows()
    assert jobs_of(orgvue) == JOB_TRIES


# --- tickets and results that are lost


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_expired_ticket_costs_a_new_job(status: int) -> None:
    """A ticket that is gone or expired costs a new job and no row."""
    orgvue = jobs(refusal(status), ticket("completed"))
    assert orgvue.rows() == ROWS
    assert jobs_of(orgvue) == 2


@pytest.mark.parametrize("lost", [refusal(403), refusal(404), CUT, {"content": b"<html>"}])
def test_an_expired_or_incomplete_result_costs_a_new_job(lost: dict[str, Any]) -> None:
    """A result that is gone, expired or never arrives complete costs a new job and no row."""
    orgvue = jobs()
    orgvue.serve("GET", RESULT, lost, document())
    assert orgvue.rows() == ROWS
    assert jobs_of(orgvue) == 2


def test_an_incomplete_result_is_first_downloaded_again() -> None:
    """A cut download is retried with the same URL before a new job is requested."""
    orgvue = jobs(max_retries=1)
    orgvue.serve("GET", RESULT, CUT, document())
    assert orgvue.rows() == ROWS
    assert orgvue.routes == ["POST export", "GET ticket", "GET result", "GET result"]


@pytest.mark.parametrize(
    "lost,told",
    [
        (refusal(403), r"^The job's result could not be fetched \(HTTP 403\); such links expire"),
        (CUT, "^The job's result could not be fetched completely: The response ends in the middle"),
    ],
)
def test_a_result_that_is_always_lost_is_an_error(lost: dict[str, Any], told: str) -> None:
    """The number of jobs is bounded; the error says what was lost."""
    orgvue = jobs(result=lost)
    with pytest.raises(JobFailed, match=told) as caught:
        orgvue.rows()
    assert caught.value.status == lost.get("status_code")
    assert jobs_of(orgvue) == JOB_TRIES


def test_a_ticket_that_is_not_json_is_lost() -> None:
    """A ticket that is no JSON is retried, then costs a new job."""
    orgvue = jobs({"content": b"<html>"}, max_retries=2)
    with pytest.raises(JobFailed, match="The job ticket could not be fetched completely"):
        orgvue.rows()
    assert orgvue.routes == ["POST export", *["GET ticket"] * 3] * JOB_TRIES


@pytest.mark.parametrize("seconds", [95, 100])
def test_a_job_is_bounded_in_time(seconds: int) -> None:
    """A job that is not completed in `job_timeout` seconds is an error; it is not tried again."""
    orgvue = jobs(ticket("running"), job_timeout=seconds)
    told = rf"not completed in {seconds} seconds; `job_timeout`.*Root=1-abc"
    with pytest.raises(JobFailed, match=told) as caught:
        orgvue.rows()
    assert caught.value.trace_id == "Root=1-abc"
    assert jobs_of(orgvue) == 1
    assert orgvue.stop.now == pytest.approx(seconds)


@pytest.mark.parametrize("route", [JOB, TICKET, RESULT])
def test_retries_and_their_waits_count_as_the_job_s_time(route: str) -> None:
    """A job's request, its polls and its download are retried only within `job_timeout`."""
    orgvue = jobs(job_timeout=100, max_retries=1000)
    busy = {**refusal(503), "headers": {"Retry-After": "9"}}
    orgvue.serve("POST" if route == JOB else "GET", route, busy)
    told = r"HTTP 503.*beyond the limit of `job_timeout` \(100 seconds\)"
    with pytest.raises(DeadlineExceeded, match=told):
        orgvue.rows()
    assert 0 < orgvue.stop.now <= 100


def test_later_jobs_have_the_time_that_the_first_one_left() -> None:
    """A job that is requested again does not begin a new `job_timeout`."""
    orgvue = jobs(*map(ticket, ["running"] * 10 + ["failed", "running"]), job_timeout=100)
    with pytest.raises(JobFailed, match="not completed in 100 seconds"):
        orgvue.rows()
    assert jobs_of(orgvue) == 2
    assert orgvue.stop.now == pytest.approx(100)


@pytest.mark.parametrize("seconds,count", [(0, 1), (1, JOB_TRIES)])
def test_a_job_that_fails_too_late_is_not_requested_again(seconds: int, count: int) -> None:
    """Once no time is left, the job's own failure is the error; a second is time enough."""
    failed = jobs(created=ticket("failed"), job_timeout=seconds)
    with pytest.raises(JobFailed, match="Orgvue's export job failed"):
        failed.rows()
    assert jobs_of(failed) == count


def test_a_wait_between_polls_ends_with_the_run() -> None:
    """When the run ends, a job is no longer polled."""
    orgvue = jobs(ticket("running"))
    orgvue.stop.ends_after = 3
    with pytest.raises(Stopped):
        orgvue.rows()
    assert jobs_of(orgvue) == 1


# --- the file host


def test_presigned_urls_never_get_a_token() -> None:
    """Requests for tickets and results carry neither the token nor another header of the API."""
    orgvue = jobs()
    orgvue.rows()
    job, *files = orgvue.adapter.request_history
    assert job.headers["Authorization"] == f"Bearer {TOKEN}"
    assert [request.url for request in files] == [TICKET, RESULT]
    for request in files:
        assert set(request.headers) == {"User-Agent", "Accept-Encoding"}
        assert request.headers["Accept-Encoding"] == "gzip"


def test_a_file_host_that_never_responds_is_unreachable() -> None:
    """After three tries the error names the host, how to allow it, and the other mode."""
    orgvue = jobs(GONE, max_retries=20)
    with pytest.raises(FileHostUnreachable, match=r"files\.test.*Allow https.*`paged`"):
        orgvue.rows()
    assert orgvue.routes == ["POST export", *["GET ticket"] * 3]


def test_a_file_host_is_unreachable_to_the_last_second() -> None:
    """While time is left, a host that never responds is told as that."""
    orgvue = jobs(created=ticket("completed"), result=GONE, job_timeout=0.9)
    with pytest.raises(FileHostUnreachable):
        orgvue.rows()


@pytest.mark.parametrize("first", [ticket("running"), refusal(403)])
def test_a_file_host_that_has_responded_gets_all_retries(first: dict[str, Any]) -> None:
    """Once the file host has responded, `max_retries` bounds the attempts, in later jobs too."""
    orgvue = jobs(first, *[GONE] * 5, ticket("completed"), max_retries=5)
    assert orgvue.rows() == ROWS


def test_a_result_that_breaks_off_is_not_an_unreachable_host() -> None:
    """A host that has responded to this request is reachable, whatever happened then."""
    orgvue = jobs(created=ticket("completed"), result=CUT)
    with pytest.raises(JobFailed, match="could not be fetched completely"):
        orgvue.rows()


@pytest.mark.parametrize(
    "url", ["http://files.test/x", "ftp://files.test/x", "https:///x", "https://[x/y", "/x"]
)
def test_a_link_that_is_not_https_is_not_followed(url: str) -> None:
    """A ticket's link must be https: nothing is sent elsewhere."""
    orgvue = jobs(created=ticket("completed", _links={"result": {"url": url}}))
    with pytest.raises(MalformedResponse, match="not https"):
        orgvue.rows()
    assert orgvue.routes == ["POST export"]


# --- the request


def test_a_job_keeps_the_query_of_a_synchronous_export() -> None:
    """A job delivers only the projected properties, in their order, through the same links."""
    orgvue = jobs()
    orgvue.rows({**PROJECTION, "linkingRelationships": ["L"]})
    assert orgvue.adapter.request_history[0].json() == {
        "query": {"output": {"projectionMode": "replace", "projection": {"_id": 1, "x": 2}}},
        "linkingRelationships": ["L"],
    }


def test_a_job_for_everything_has_an_empty_query() -> None:
    """A GET without a body becomes a job for all properties of all rows."""
    orgvue = jobs()
    orgvue.rows()
    assert orgvue.adapter.request_history[0].json() == {"query": {"output": {}}}


def test_a_refused_job_is_orgvue_s_refusal() -> None:
    """A job that is refused is not requested again."""
    orgvue = MockedExports(ExportMode.ASYNC)
    orgvue.serve("POST", JOB, refusal(400, "400603", "PathParameterMustBeUUIDString"))
    with pytest.raises(Refusal, match="400603"):
        orgvue.rows()
    assert jobs_of(orgvue) == 1


@pytest.mark.parametrize(
    "body,expected", [(None, b""), (b"", b""), ("é", "é".encode()), (b"x", b"x")]
)
def test_a_body_is_bytes(body: str | bytes | None, expected: bytes) -> None:
    """A request's body is read as bytes, however it was given."""
    assert body_of(requests.Request("POST", EXPORT, data=body).prepare()) == expected


# --- over HTTP


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


def test_presigned_urls_are_not_reported(serve: Serve) -> None:
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


def test_a_job_that_keeps_failing_is_reported_in_orgvue_s_words(serve: Serve) -> None:
    """A job that fails for good ends with Orgvue's own errors and the trace id."""
    orgvue = serve(people())
    orgvue.job_polls = ("completed",)
    orgvue.fail_jobs = 100
    with pytest.raises(JobFailed, match=r"ExportFailed.*Trace id: Root=") as caught:
        fetched(orgvue, ExportMode.ASYNC)
    assert "500601" in str(caught.value)


def test_a_job_that_takes_too_long_is_reported(serve: Serve) -> None:
    """A job that is not done in `job_timeout` seconds is an error that names the setting."""
    orgvue = serve(people())
    orgvue.job_seconds = 600
    with pytest.raises(JobFailed, match="job_timeout"):
        fetched(orgvue, ExportMode.ASYNC, job_timeout=0.6)


@pytest.mark.slow
def test_a_result_that_drips_is_bounded_by_the_job(serve: Serve) -> None:
    """A download that goes on beyond `job_timeout` ends, however steadily its bytes arrive."""
    orgvue = serve(people(3000))
    orgvue.job_polls = ("completed",)
    orgvue.trickle = 10_000
    with pytest.raises(JobFailed, match=r"result could not be fetched in time.*`job_timeout`"):
        fetched(orgvue, ExportMode.ASYNC, job_timeout=2)
    assert len(orgvue.requests_to("job")) == 1


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


def test_a_file_host_out_of_reach_is_reported(serve: Serve) -> None:
    """Where the file host cannot be reached, the error names it and the way around."""
    orgvue = serve(people())
    orgvue.files_url = "http://127.0.0.1:9"
    with pytest.raises(FileHostUnreachable, match=r"127\.0\.0\.1.*paged"):
        fetched(orgvue, ExportMode.ASYNC)


def test_jobs_that_are_not_offered_are_reported(serve: Serve) -> None:
    """In the mode async, a tenant without asynchronous exports is an error."""
    orgvue = serve(people())
    orgvue.async_export = False
    with pytest.raises(OrgvueError, match="404"):
        fetched(orgvue, ExportMode.ASYNC)


@pytest.mark.slow
def test_a_ticket_that_drips(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ticket that arrives slowly is bounded as a whole by `request_timeout`."""
    monkeypatch.setattr("tap_orgvue.exports.jobs.JOB_TRIES", 1)
    monkeypatch.setattr("tap_orgvue.exports.jobs.FILE_TRIES", 1)
    orgvue = serve(people())
    catalog = discover(orgvue.config)
    ticket = b'{"jobStatus": "running"}' + b" " * 60_000
    orgvue.answer(on="ticket", body=ticket, times=None)
    orgvue.trickle = 4000
    config = by_mode(orgvue, "async", request_timeout=1, max_retries=0)
    with pytest.raises(JobFailed, match=r"not complete in time; `request_timeout` \(1 seconds\)"):
        sync(config, catalog)
