"""The stages of a check, one by one: what each takes from a response, and what fails it."""

from __future__ import annotations

import gzip
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.checking import connection
from tap_orgvue.checking.connection import JobOutcome, StageFailed, Stages
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    DatasetRefusal,
    DeadlineExceeded,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    Refusal,
    TenantRefusal,
    TenantUnknown,
)
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.tap import TapOrgvue
from tests.support.mocked_exports import (
    DATASET_ID,
    EXPORT,
    HEADERS,
    JOB,
    NO_CONNECTION,
    RESULT,
    TICKET,
    MockedExports,
    document,
    refusal,
    ticket,
)
from tests.support.mocked_orgvue import API, PROBE, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_orgvue.orgvue.errors import OrgvueError

KEYS = ("_id", "x")


@pytest.fixture
def orgvue() -> MockedExports:
    """One dataset, which is refused with 404 unless a test serves it."""
    return MockedExports()


# -- a stage


@pytest.fixture
def stages(orgvue: MockedExports) -> Iterator[Stages]:
    """Stages that have five seconds."""
    made = Stages(orgvue.client.deadline(5, "5 seconds"))
    yield made
    made.close()


def test_a_stage_gives_what_it_found(stages: Stages) -> None:
    """An error of Orgvue fails the stage; any other one is the caller's."""
    assert stages.run("token", lambda: "found") == "found"
    error = MalformedResponse("odd")

    def fail() -> None:
        raise error

    with pytest.raises(StageFailed, match=r"^token: odd$") as caught:
        stages.run("token", fail)
    assert (caught.value.stage, caught.value.error) == ("token", error)
    with pytest.raises(ZeroDivisionError):
        stages.run("token", lambda: 1 // 0)


def test_a_stage_without_time_is_not_waited_for(orgvue: MockedExports, stages: Stages) -> None:
    """Once the time is over a stage fails at once, with the limit of the whole check."""
    orgvue.stop.now = 6
    over = threading.Event()
    with pytest.raises(StageFailed) as caught:
        stages.run("token", lambda: over.wait(30))
    over.set()
    assert type(caught.value.error) is DeadlineExceeded
    told = "token: not done in time: the whole check takes 5 seconds at most."
    assert str(caught.value) == told


def test_the_thread_of_the_stages_ends(stages: Stages) -> None:
    """None is left once the stages are over."""
    thread = stages.run("token", threading.current_thread)
    stages.close()
    thread.join(5)
    assert not thread.is_alive()


# -- server and list


@pytest.mark.parametrize("response", [{"content": b"hello"}, refusal(404), refusal(503)])
def test_a_server_that_responds_is_there(orgvue: MockedExports, response: dict[str, Any]) -> None:
    """Whatever it responds; it is asked once, and without the token."""
    orgvue.serve("GET", f"{API}/", response)
    assert connection.reach_server(orgvue.client) == "the server responds"
    (request,) = orgvue.adapter.request_history
    assert "Authorization" not in request.headers


def test_a_server_that_is_out_of_reach(orgvue: MockedExports) -> None:
    """Without a response the stage fails."""
    orgvue.serve("GET", f"{API}/", NO_CONNECTION)
    with pytest.raises(ConnectionFailed):
        connection.reach_server(orgvue.client)


WRONG_TENANT = {"status_code": 400, "json": {"errors": [{"pathParameter": "tenantId"}]}}


@pytest.mark.parametrize(
    "response,stage,kind",
    [
        (refusal(403, "40302"), "token", TenantRefusal),
        (refusal(401), "token", TenantRefusal),
        (refusal(403, "40345"), "tenant", TenantRefusal),
        (WRONG_TENANT, "tenant", TenantUnknown),
        (refusal(404), "tenant", TenantUnknown),
        (refusal(405), "tenant", Refusal),
        (refusal(429, "42901"), "datasets", Refusal),
        (refusal(500), "datasets", Refusal),
    ],
)
def test_a_refused_list_tells_its_stage(
    orgvue: MockedExports, response: dict[str, Any], stage: str, kind: type[Refusal]
) -> None:
    """The stage is what the refusal is about; one that may pass is about the list itself."""
    error = listing(orgvue, response)
    assert isinstance(error, StageFailed)
    assert error.stage == stage
    assert type(error.error) is kind


def test_a_list_without_a_response(orgvue: MockedExports) -> None:
    """A lost connection is no refusal: the caller's stage fails."""
    assert isinstance(listing(orgvue, NO_CONNECTION), ConnectionFailed)


def listing(orgvue: MockedExports, response: dict[str, Any]) -> Exception:
    """Why the list of datasets could not be read."""
    orgvue.serve("GET", f"{TENANT}/datasets", response)
    config = {"api_url": API, "tenant_id": "ACME", "api_token": "t"}
    tap = TapOrgvue(config=config, setup_mapper=False)
    tap.use_source(orgvue.client, None)
    with pytest.raises((StageFailed, ConnectionFailed)) as caught:
        connection.list_datasets(tap.source.discovery)
    tap.close()
    return caught.value


# -- the start of an export


def start_of(body: bytes, **headers: str) -> connection.ExportStart:
    """The start of a response."""
    orgvue = MockedExports()
    orgvue.serve("GET", EXPORT, {"content": body, "headers": headers})
    with orgvue.client.open(orgvue.request(), PROBE) as response:
        return connection.read_export_start(response)


EMPTY = document([])["content"]
GZIP = {"Content-Encoding": "gzip"}


@pytest.mark.parametrize(
    "body,headers,encoding",
    [
        (EMPTY, {}, "not compressed"),
        (gzip.compress(EMPTY), {}, "gzip, without Content-Encoding"),
        (gzip.compress(EMPTY), GZIP, "gzip, with Content-Encoding"),
    ],
    ids=["plain", "gzip without a header", "gzip"],
)
def test_the_compression_of_an_export(body: bytes, headers: dict[str, str], encoding: str) -> None:
    """It is told by the first bytes, and by the header beside them."""
    start = start_of(body, **headers)
    assert start.encoding == encoding
    assert tuple(each.key for each in start.headers) == KEYS
    assert start.is_empty


def padded(size: int, **members: Any) -> bytes:
    """An export without rows of so many bytes."""
    body = document([], **members)["content"]
    return body[:-1] + b" " * (size - len(body)) + body[-1:]


@pytest.mark.parametrize(
    "size,length,linked",
    [
        (200, "200", False),
        (64 * 1024, str(64 * 1024), False),
        (64 * 1024 + 1, str(64 * 1024 + 1), None),
        (200, "", None),
    ],
)
def test_only_a_short_export_is_read_to_its_end(size: int, length: str, linked: Any) -> None:
    """Whether it has a link to a next page stands at its end."""
    headers = {"Content-Length": length} if length else {}
    assert start_of(padded(size), **headers).has_next_link is linked


def test_a_link_at_the_end_of_an_export() -> None:
    """It is found in an export that tells its length; not behind rows, which are not read."""
    link = {"_links": {"next": {"url": "/next"}}}
    body = document([], **link)["content"]
    assert start_of(body, **{"Content-Length": str(len(body))}).has_next_link is True
    body = document([["1", "a"]], **link)["content"]
    start = start_of(body, **{"Content-Length": str(len(body))})
    assert (start.is_empty, start.has_next_link) == (False, None)


def test_a_start_without_an_end() -> None:
    """Eight megabytes before the first row are no export; up to there they are read."""
    begin = json.dumps({"headers": HEADERS, "rows": []}).encode()[:-2]
    assert start_of(begin + b" " * 7 * 1024**2 + b"]}").is_empty
    with pytest.raises(MalformedResponse) as caught:
        start_of(begin + b" " * 9 * 1024**2 + b"]}")
    told = "Orgvue sent an export with over 8 MB before its first row."
    assert str(caught.value) == told


@pytest.mark.parametrize("body", [b"", EMPTY[:-2], b"[]"])
def test_an_export_that_ends_early(body: bytes) -> None:
    """Half of an export is none, nor is another document."""
    with pytest.raises(MalformedResponse):
        start_of(body)


# -- an export job

NOT_ACCEPTED = "Orgvue accepts no export jobs here, so large datasets will be fetched in slices"


def outcome_of(
    orgvue: MockedExports, mode: ExportMode = ExportMode.AUTO
) -> tuple[JobOutcome, type[OrgvueError] | None]:
    """The outcome of a job, and the sort of its error."""
    outcome = connection.run_job(orgvue.client, DATASET_ID, mode)
    return outcome, None if outcome.error is None else type(outcome.error)


@pytest.mark.parametrize(
    "rows,read",
    [([], "its result was downloaded"), ([["1", "a"]], "the start of its result was read")],
)
def test_a_job_that_completes(orgvue: MockedExports, rows: Any, read: str) -> None:
    """Its result is read as far as its first row."""
    orgvue.serve("POST", JOB, ticket("completed"))
    orgvue.serve("GET", RESULT, {"content": gzip.compress(document(rows)["content"])})
    outcome, _ = outcome_of(orgvue)
    assert outcome.finding == f"an export job completed, and {read}"
    assert outcome.start is not None
    assert outcome.start.is_empty is not rows
    assert (outcome.error, outcome.fails, outcome.has_ticket) == (None, False, True)
    assert orgvue.adapter.request_history[0].json()["query"]["output"]["filter"]


@pytest.mark.parametrize("mode", list(ExportMode))
@pytest.mark.parametrize(
    "response,kind,fails",
    [
        (refusal(404), DatasetRefusal, False),
        (refusal(501), Refusal, False),
        (refusal(500), Refusal, True),
        (refusal(403, "40302"), TenantRefusal, True),
        (ticket("failed"), JobFailed, True),
    ],
)
def test_a_job_that_is_refused(
    orgvue: MockedExports,
    mode: ExportMode,
    response: dict[str, Any],
    kind: type[OrgvueError],
    *,
    fails: bool,
) -> None:
    """Only in auto mode, and only where Orgvue offers no jobs, slices do instead."""
    orgvue.serve("POST", JOB, response)
    outcome, error = outcome_of(orgvue, mode)
    assert error is kind
    assert (outcome.start, outcome.has_ticket) == (None, False)
    assert outcome.fails is (fails or mode is not ExportMode.AUTO)
    assert outcome.finding == NOT_ACCEPTED


@pytest.mark.parametrize("mode", [ExportMode.AUTO, ExportMode.ASYNC])
@pytest.mark.parametrize("url,status", [(RESULT, "completed"), (TICKET, "created")])
def test_a_host_of_files_that_is_out_of_reach(
    orgvue: MockedExports, mode: ExportMode, url: str, status: str
) -> None:
    """Slices do instead in auto mode; a ticket that was completed was one all the same."""
    orgvue.serve("POST", JOB, ticket(status))
    orgvue.serve("GET", url, NO_CONNECTION)
    outcome, error = outcome_of(orgvue, mode)
    assert error is FileHostUnreachable
    assert outcome.finding == (
        f"unavailable, so large datasets will be fetched in slices. {outcome.error}"
    )
    assert outcome.fails is (mode is ExportMode.ASYNC)
    assert outcome.has_ticket is (status == "completed")
