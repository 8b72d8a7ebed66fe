"""The deliveries of exports: which are tried, in which order; each row exactly once."""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import chain
from types import GeneratorType as Generator
from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec

import pytest
import requests

from tap_orgvue.exports.byte_streams import read_ahead
from tap_orgvue.exports.fetcher import ExportFetcher
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    FileHostUnreachable,
    OrgvueError,
    Refusal,
    RequestInfo,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import ExportMode
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.simulator import Orgvue
from tests.support.datasets import people
from tests.support.exports import (
    EXPORT_OF_PEOPLE,
    READ,
    assert_complete,
    by_mode,
    get,
    lines_about,
    opened,
)
from tests.support.mocked_exports import (
    EXPORT,
    ITEMS,
    JOB,
    PROJECTION,
    RESULT,
    ROWS,
    MockedExports,
    document,
    refusal,
    ticket,
)
from tests.support.runs import Run, command, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Orgvue]


# --- the deliveries


TOO_LARGE = refusal(413)
NOT_HERE = refusal(404)
TIMEOUT = {"exc": requests.ReadTimeout("too slow")}
LINKED = {"query": {"output": {}}, "linkingRelationships": ["00"]}


def tenant(
    mode: ExportMode,
    *,
    get: dict[str, Any] = TOO_LARGE,
    post: dict[str, Any] = TOO_LARGE,
    job: dict[str, Any] = NOT_HERE,
    **options: Any,
) -> MockedExports:
    """A tenant whose routes respond as given."""
    orgvue = MockedExports(mode, **options)
    orgvue.serve("GET", EXPORT, get)
    orgvue.serve("POST", EXPORT, post)
    orgvue.serve("POST", JOB, job)
    orgvue.serve("GET", RESULT, document())
    return orgvue


SYNC, ASYNC, AUTO, PAGED = (
    ExportMode.SYNC,
    ExportMode.ASYNC,
    ExportMode.AUTO,
    ExportMode.PAGED,
)
OK = document()
COMPLETED = ticket("completed")
DELIVERIES: dict[str, tuple[ExportMode, Any, dict[str, Any], list[Any] | None, list[str]]] = {
    # description: (mode, query, responses, rows or None for slices, requests)
    "auto: whole": (AUTO, None, {"get": OK}, ROWS, ["GET jsonRows"]),
    "auto: a query": (AUTO, PROJECTION, {"post": OK}, ROWS, ["POST jsonRows"]),
    "auto: too large": (
        *(AUTO, None, {"job": COMPLETED}, ROWS),
        ["GET jsonRows", "POST export", "GET result"],
    ),
    "auto: a query too large": (
        *(AUTO, PROJECTION, {"job": COMPLETED}, ROWS),
        ["POST jsonRows", "POST export", "GET result"],
    ),
    "auto: a query not accepted": (
        *(AUTO, PROJECTION, {"post": NOT_HERE, "job": COMPLETED}, ROWS),
        ["POST jsonRows", "POST export", "GET result"],
    ),
    "auto: too large, no jobs": (
        *(AUTO, None, {}, None),
        ["GET jsonRows", "POST export", "GET jsonRows"],
    ),
    "auto: linked": (AUTO, LINKED, {"job": COMPLETED}, ROWS, ["POST export", "GET result"]),
    "sync: whole": (SYNC, None, {"get": OK}, ROWS, ["GET jsonRows"]),
    "sync: a query not accepted": (
        *(SYNC, PROJECTION, {"post": NOT_HERE, "job": COMPLETED}, ROWS),
        ["POST jsonRows", "POST export", "GET result"],
    ),
    "sync: linked": (SYNC, LINKED, {"job": COMPLETED}, ROWS, ["POST export", "GET result"]),
    "async: whole": (ASYNC, None, {"job": COMPLETED}, ROWS, ["POST export", "GET result"]),
    "paged: fits": (PAGED, None, {"get": OK}, ROWS, ["GET jsonRows"]),
    "paged: too large": (PAGED, None, {}, None, ["GET jsonRows"]),
    "paged: too slow": (PAGED, None, {"get": TIMEOUT}, None, ["GET jsonRows"]),
    "paged: linked": (PAGED, LINKED, {"job": COMPLETED}, ROWS, ["POST export", "GET result"]),
}


@pytest.mark.parametrize("name", DELIVERIES)
def test_each_mode_has_its_deliveries(name: str) -> None:
    """Each mode tries its deliveries in its order, until one works."""
    mode, query, responses, rows, routes = DELIVERIES[name]
    orgvue = tenant(mode, **responses)
    assert orgvue.rows(query) == rows
    assert orgvue.routes == routes


@pytest.mark.parametrize(
    "name,delivery",
    [
        ("auto: whole", "synchronous"),
        ("auto: too large", "job"),
        ("auto: too large, no jobs", "slices"),
        ("sync: a query not accepted", "job"),
        ("paged: fits", "slices"),
    ],
)
def test_the_delivery_that_worked_is_known(name: str, delivery: str) -> None:
    """The run report tells how each dataset came, and nothing of one that did not."""
    mode, query, responses, _, _ = DELIVERIES[name]
    orgvue = tenant(mode, **responses)
    assert orgvue.fetcher.delivery_of(EXPORT) is None
    orgvue.rows(query)
    assert orgvue.fetcher.delivery_of(EXPORT) == delivery
    assert orgvue.fetcher.delivery_of(f"{EXPORT}?page=2") == delivery
    assert orgvue.fetcher.delivery_of(ITEMS) is None


FAILURES: dict[str, tuple[ExportMode, Any, dict[str, Any], str, list[str]]] = {
    # description: (mode, query, responses, the error's words, requests)
    "sync: too large": (SYNC, None, {}, "413", ["GET jsonRows"]),
    "sync: a query too large": (SYNC, PROJECTION, {}, "413", ["POST jsonRows"]),
    "sync: not here": (SYNC, None, {"get": NOT_HERE}, "404", ["GET jsonRows"]),
    "async: no jobs": (ASYNC, None, {}, "404", ["POST export"]),
    "auto: forbidden": (AUTO, None, {"get": refusal(403)}, "403", ["GET jsonRows"]),
    "auto: not here": (AUTO, None, {"get": NOT_HERE}, "404", ["GET jsonRows"]),
    "auto: a bad query": (AUTO, PROJECTION, {"post": refusal(400)}, "400", ["POST jsonRows"]),
    "auto: no JSON": (
        *(AUTO, None, {"get": {"content": b"<html>"}}),
        *("not the requested JSON", ["GET jsonRows"]),
    ),
    "auto: a job forbidden": (
        *(AUTO, None, {"job": refusal(403)}),
        *("403", ["GET jsonRows", "POST export"]),
    ),
    "auto: a job fails": (
        *(AUTO, None, {"job": ticket("failed")}),
        *("failed", ["GET jsonRows", *["POST export"] * 3]),
    ),
    "auto: linked, no jobs": (AUTO, LINKED, {}, "404", ["POST export"]),
    "paged: forbidden": (PAGED, None, {"get": refusal(403)}, "403", ["GET jsonRows"]),
    "paged: refused": (PAGED, None, {"get": refusal(500)}, "500", ["GET jsonRows"]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_that_another_delivery_does_not_mend_is_an_error(name: str) -> None:
    """An error about the dataset, the token or the server ends the export at once."""
    mode, query, responses, told, routes = FAILURES[name]
    orgvue = tenant(mode, **responses)
    with pytest.raises(OrgvueError, match=told):
        orgvue.fetch(query)
    assert orgvue.routes == routes


@pytest.mark.parametrize("status,attempts", [(413, 1), (502, 1), (504, 1), (503, 4), (500, 4)])
def test_what_may_be_too_large_is_not_retried(status: int, attempts: int) -> None:
    """In auto and paged the next delivery is tried at once; other failures are retried first."""
    for mode in (AUTO, PAGED):
        orgvue = tenant(mode, get=refusal(status), job=COMPLETED, max_retries=3)
        with suppress(OrgvueError):
            orgvue.rows()
        assert orgvue.routes.count("GET jsonRows") == attempts


@pytest.mark.parametrize("response", [refusal(502), refusal(504), TIMEOUT])
def test_a_timeout_is_retried_where_there_is_no_other_delivery(response: dict[str, Any]) -> None:
    """In the mode sync a gateway's timeout is retried."""
    orgvue = tenant(SYNC, max_retries=2)
    orgvue.serve("GET", EXPORT, response, response, OK)
    assert orgvue.rows() == ROWS


@pytest.mark.parametrize(
    "exception", [requests.ConnectionError("closed"), requests.ConnectTimeout("no route")]
)
def test_a_lost_connection_is_not_a_reason_for_another_delivery(exception: Exception) -> None:
    """A connection that fails says nothing about the export's size."""
    orgvue = tenant(AUTO, get={"exc": exception}, job=COMPLETED)
    with pytest.raises(ConnectionFailed):
        orgvue.fetch()
    assert orgvue.routes == ["GET jsonRows"]


def test_an_unreachable_file_host_is_a_reason_for_slices() -> None:
    """In auto an export whose result cannot be reached is fetched in slices."""
    orgvue = tenant(AUTO, job=COMPLETED)
    orgvue.serve("GET", RESULT, {"exc": requests.ConnectionError("no route")})
    assert orgvue.rows() is None
    orgvue = tenant(ASYNC, job=COMPLETED)
    orgvue.serve("GET", RESULT, {"exc": requests.ConnectionError("no route")})
    with pytest.raises(FileHostUnreachable):
        orgvue.rows()


@pytest.mark.parametrize("mode", [AUTO, SYNC, PAGED])
@pytest.mark.parametrize("page", [f"{EXPORT}?page=2", f"{EXPORT}/2"])
def test_a_next_page_has_no_other_delivery(mode: ExportMode, page: str) -> None:
    """A next page that is too large is an error: a job would deliver the first pages again."""
    orgvue = tenant(mode, get=OK, job=COMPLETED)
    orgvue.serve("GET", page, TOO_LARGE)
    orgvue.rows()
    with pytest.raises(Refusal, match="413"):
        orgvue.fetch(url=page)
    assert "POST export" not in orgvue.routes


def test_a_next_page_says_nothing_about_the_dataset() -> None:
    """After a next page the whole export still has all of its deliveries."""
    orgvue = tenant(AUTO, get=TOO_LARGE, job=COMPLETED, max_retries=1)
    orgvue.serve("GET", f"{EXPORT}?page=2", refusal(504), OK)
    orgvue.fetch(url=f"{EXPORT}?page=2").close()
    assert orgvue.rows() == ROWS


def test_a_dataset_s_delivery_is_remembered() -> None:
    """A delivery that failed for a dataset is not tried again, in this run, for this dataset."""
    orgvue = tenant(AUTO, job=COMPLETED)
    other = EXPORT.replace("00A", "00B")
    orgvue.serve("GET", other, OK)
    orgvue.rows()
    orgvue.fetch(url=other).close()
    orgvue.rows(PROJECTION)
    assert orgvue.routes == [
        *("GET jsonRows", "POST export", "GET result"),
        "GET jsonRows",
        *("POST export", "GET result"),
    ]


def test_a_remembered_delivery_still_has_those_after_it() -> None:
    """When a delivery that has worked fails later, the ones after it are tried."""
    orgvue = tenant(AUTO, job=COMPLETED)
    orgvue.rows()
    orgvue.serve("POST", JOB, NOT_HERE)
    assert orgvue.rows() is None


def test_a_change_of_delivery_is_logged_once() -> None:
    """One line at INFO has the stream's name and why, and no advice; the refusal is for DEBUG."""
    logger = create_autospec(logging.Logger, instance=True)
    orgvue = tenant(AUTO, job=COMPLETED, logger=logger)
    for _ in range(2):
        orgvue.rows()
    (told,) = logger.info.call_args_list
    assert told.args[0] % told.args[1:] == (
        "'people' is fetched by export job, because its synchronous export is too large for one "
        "response (HTTP 413)."
    )
    (whole,) = logger.debug.call_args_list
    assert (whole.args[0] % whole.args[1:]).startswith("Orgvue refused GET")
    logger.warning.assert_not_called()


@pytest.mark.parametrize(
    "response,why",
    [
        (refusal(504), "its synchronous export is too large for one response (HTTP 504)"),
        (refusal(404), "Orgvue accepts no synchronous export of it (HTTP 404)"),
        ({"exc": requests.ReadTimeout}, "its synchronous export took too long"),
    ],
    ids=["504", "404", "a timeout"],
)
def test_why_a_delivery_changes(response: dict[str, Any], why: str) -> None:
    """Each reason that is meant to change the delivery is told in a clause."""
    logger = create_autospec(logging.Logger, instance=True)
    orgvue = tenant(AUTO, post=response, job=COMPLETED, logger=logger)
    assert orgvue.rows(PROJECTION) is not None
    (told,) = logger.info.call_args_list
    assert told.args[0] % told.args[1:] == f"'people' is fetched by export job, because {why}."


def test_a_file_host_out_of_reach_is_a_warning() -> None:
    """Slices will do, but somebody can let the host through: that is told with what to do."""
    logger = create_autospec(logging.Logger, instance=True)
    orgvue = tenant(AUTO, job=COMPLETED, logger=logger)
    orgvue.serve("GET", RESULT, {"exc": requests.ConnectionError})
    assert orgvue.rows() is None
    (told,) = logger.warning.call_args_list
    text = told.args[0] % told.args[1:]
    assert text.startswith("'people' is fetched by synchronous exports in slices. The host of")
    assert "Allow https to files.test" in text


@pytest.mark.parametrize("mode", [AUTO, ASYNC, SYNC, PAGED])
def test_items_are_fetched_as_an_array(mode: ExportMode) -> None:
    """Items have no job: in every mode they come at once, else in slices."""
    orgvue = tenant(mode)
    orgvue.serve("GET", ITEMS, {"content": b'[{"_id": "1"}]'})
    response = orgvue.fetch(url=ITEMS)
    assert response.status_code == 200
    response.close()
    assert orgvue.routes == ["GET items"]


def test_items_that_are_too_large_come_in_slices() -> None:
    """Items that do not fit into one response are requested in slices; there is no job for them."""
    orgvue = tenant(AUTO)
    orgvue.serve("GET", ITEMS, TOO_LARGE)
    assert orgvue.fetch(url=ITEMS).status_code == 413
    assert "POST export" not in orgvue.routes


def test_items_are_not_an_object() -> None:
    """A response of another form than the requested one is an error."""
    orgvue = tenant(AUTO)
    orgvue.serve("GET", ITEMS, OK)
    with pytest.raises(TruncatedResponse, match="not the requested JSON"):
        orgvue.fetch(url=ITEMS)


@pytest.mark.parametrize("reads_ahead", [True, False])
def test_a_fetcher_hands_its_options_on(tmp_path: Path, *, reads_ahead: bool) -> None:
    """A missing `temp_dir` is an error of every delivery; `reads_ahead` starts a thread or none."""
    orgvue = tenant(AUTO, get=OK)
    gone = str(tmp_path / "gone")
    exports = ExportFetcher(
        orgvue.client, AUTO, job_timeout=60, reads_ahead=reads_ahead, temp_dir=gone
    )
    with pytest.raises(OrgvueError, match="temp_dir"):
        exports.fetch(orgvue.request(), "people", EXPORT_OF_PEOPLE)
    exports = ExportFetcher(orgvue.client, AUTO, job_timeout=60, reads_ahead=reads_ahead)
    with exports.fetch(orgvue.request(), "people", EXPORT_OF_PEOPLE) as response:
        chunks = response.chunks()
        assert isinstance(chunks, Generator)
        assert (chunks.gi_code is read_ahead.__code__) is reads_ahead


@pytest.mark.parametrize(
    "mode,body,planned",
    [
        (AUTO, None, ("synchronous", "job", "slices")),
        (AUTO, LINKED, ("job",)),
        (ASYNC, None, ("job",)),
        (PAGED, None, ("slices",)),
        (SYNC, None, ("synchronous",)),
        (SYNC, PROJECTION, ("synchronous", "job")),
    ],
)
def test_the_deliveries_that_would_be_tried(
    mode: ExportMode, body: Any, planned: tuple[str, ...]
) -> None:
    """The check tells them without an export."""
    orgvue = MockedExports(mode)
    purpose = Purpose(RequestKind.EXPORT, "a")
    assert orgvue.fetcher.planned(orgvue.request(body), purpose) == planned
    assert orgvue.fetcher.planned(orgvue.request(url=ITEMS), Purpose(RequestKind.ITEMS)) == (
        *("synchronous", "slices"),
    )


@pytest.mark.parametrize(
    "mode,body,status,final",
    [
        (AUTO, None, 413, False),
        (AUTO, None, 403, True),
        (AUTO, None, 404, True),
        (AUTO, PROJECTION, 404, False),
        (AUTO, LINKED, 403, False),
        (ASYNC, None, 403, False),
        (SYNC, None, 413, True),
        (SYNC, PROJECTION, 413, True),
        (SYNC, PROJECTION, 404, False),
    ],
)
def test_errors_that_no_other_delivery_mends(
    mode: ExportMode, body: Any, status: int, *, final: bool
) -> None:
    """A refusal of the synchronous export is final unless another delivery would be tried."""
    orgvue = MockedExports(mode)
    error = refusal_of(RequestInfo("GET", EXPORT), status, {}, b"")
    purpose = Purpose(RequestKind.EXPORT, "a")
    assert orgvue.fetcher.is_final(orgvue.request(body), purpose, error) is final


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
    "answered up to a brace": ("first", "answer", {"body": b'{"headers":[],"rows":[["1",{}'}),
    "answered up to a brace in a text": ("first", "answer", {"body": b'{"rows":[["]]}'}),
    "cut behind a header": ("first", "hang_up", {"behind": "}", "tells_length": False}),
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
    "result cut behind a header": ("result", "hang_up", {"behind": "}", "tells_length": False}),
    "result answered up to a brace": ("result", "answer", {"body": b'{"headers":[{"key":"_id"}'}),
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_a_synchronous_export_that_is_too_large_is_reported(serve: Serve) -> None:
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
    caplog.set_level(logging.INFO)
    orgvue = serve(people(60))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes, orgvue.too_large_status = 3000, status
    orgvue.job_polls = ("completed",)
    before = len(orgvue.requests)
    assert_complete(orgvue, sync(orgvue.config, catalog))
    routes = [request.route for request in orgvue.requests[before:]]
    assert routes == ["export", "job", "ticket", "result"]
    said = [r.getMessage() for r in caplog.records if "is fetched by export job" in r.getMessage()]
    assert len(said) == 1
    assert "'people'" in said[0]
    assert str(status) in said[0]


@pytest.mark.slow
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
    caplog.set_level(logging.INFO)
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
    exports = ExportFetcher(client, job_timeout=60, reads_ahead=True)
    for _ in range(2):
        answer = exports.fetch(get(client, orgvue), "people", EXPORT_OF_PEOPLE)
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
