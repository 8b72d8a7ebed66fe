"""Exports through jobs: what is asked for, what is retried, what is an error."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.errors import FileHostUnreachable, JobFailed, MalformedResponse, OrgvueError
from tap_orgvue.orgvue.models import ExportMode
from tests.support.datasets import people
from tests.support.exports import assert_complete, by_mode, fetched
from tests.support.runs import command, discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


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
    with pytest.raises(MalformedResponse, match=re.escape(repr(status))):
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
        ([], "is no job ticket"),
        ({"jobStatus": "created"}, "no link to itself"),
        ({"jobStatus": "completed"}, "no result link"),
        ({"jobStatus": "completed", "_links": {"result": {"url": "ftp://x/y"}}}, "not follow it"),
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
    with pytest.raises(FileHostUnreachable, match=r"127\.0\.0\.1.*paged"):
        fetched(orgvue, ExportMode.ASYNC)


def test_jobs_that_are_not_offered_are_told(serve: Serve) -> None:
    """In the mode async, a tenant without asynchronous exports is an error."""
    orgvue = serve(people())
    orgvue.async_export = False
    with pytest.raises(OrgvueError, match="404"):
        fetched(orgvue, ExportMode.ASYNC)


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
