"""Each probe of a check: what it requests, and what it finds in each form of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.checking import probes
from tap_orgvue.checking.assumptions import Evidence
from tap_orgvue.checking.connection import ExportStart, JobOutcome
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    RequestInfo,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import Property
from tests.support.mocked_exports import (
    DATASET_ID,
    EXPORT,
    HEADERS,
    ITEMS,
    JOB,
    METADATA,
    NO_CONNECTION,
    ROWS,
    MockedExports,
    document,
    refusal,
    ticket,
)
from tests.support.mocked_orgvue import TENANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.orgvue.errors import OrgvueError

LIST = f"{TENANT}/datasets"
DRAFTS = f"{TENANT}/drafts"
OTHER_ID = "00000000-0000-0000-0000-00000000000B"
REQUEST = RequestInfo("GET", "https://h/api")
COLUMNS = [Property(each["key"], each["name"], each["type"]) for each in HEADERS]
HELD, FAILED, UNKNOWN = "held", "did_not_hold", "not_checked"


def found(evidence: Evidence) -> dict[str, tuple[str, str]]:
    """Result and note of each assumption that a probe found something on."""
    untouched = {each.name: each for each in Evidence().report()}
    return {
        each.name: (each.result.value, each.note)
        for each in evidence.report()
        if each != untouched[each.name]
    }


def short(rows: Any = (), headers: Any = HEADERS, **members: Any) -> dict[str, Any]:
    """A jsonRows response that tells its length."""
    response = document(rows, headers, **members)
    return {**response, "headers": {"Content-Length": str(len(response["content"]))}}


# -- exports


def probe_exports(
    *responses: dict[str, Any],
    columns: Sequence[Property] = COLUMNS,
    modified: str | None = OTHER_ID,
    filtered: dict[str, Any] | None = None,
) -> tuple[dict[str, tuple[str, str]], list[Any]]:
    """The findings on exports, and the bodies of the requests."""
    orgvue, evidence = MockedExports(), Evidence()
    orgvue.serve("POST", EXPORT, *responses)
    other = EXPORT.replace(DATASET_ID, OTHER_ID)
    orgvue.serve("POST", other, short(headers=HEADERS[:1]) if filtered is None else filtered)
    probes.probe_exports(orgvue.client, evidence, DATASET_ID, columns, modified)
    return found(evidence), [
        (request.url == other, request.json()["query"]["output"])
        for request in orgvue.adapter.request_history
    ]


ALL_EXPORTS = {
    "post-export": (HELD, ""),
    "empty-filter": (HELD, ""),
    "no-next-links": (HELD, ""),
    "projection": (HELD, ""),
    "modified-at-filter": (HELD, ""),
}
NARROW = short(headers=HEADERS[:1])


def test_exports_as_they_are_assumed() -> None:
    """Three requests without rows: all columns, one of them, and the nodes of a far future."""
    findings, asked = probe_exports(short(), NARROW)
    assert findings == ALL_EXPORTS
    (_, whole), (_, narrow), (elsewhere, modified) = asked
    assert list(whole) == ["filter"]
    assert narrow == {**whole, "projection": {"_id": 1}}
    assert elsewhere
    assert modified == {
        "filter": {"_modifiedAt": {"$gte": "2999-01-01T00:00:00.000Z"}},
        "projection": {"_modifiedAt": 1},
    }


@pytest.mark.parametrize(
    "first,then,different",
    [
        (short(ROWS), NARROW, {"empty-filter": (FAILED, "rows came"), "no-next-links": None}),
        # Its end is not read, so that it may have a link.
        (document([]), NARROW, {"no-next-links": None}),
        (
            short(_links={"next": {"url": "/x"}}),
            NARROW,
            {"no-next-links": (FAILED, "an export has one")},
        ),
        (short(), short(), {"projection": (FAILED, "other columns came")}),
        (short(), refusal(400, "400606"), {"projection": (FAILED, "HTTP 400, code 400606")}),
        (short(), NO_CONNECTION, {"projection": (UNKNOWN, "no complete response in time")}),
    ],
)
def test_exports_that_differ(
    first: dict[str, Any], then: dict[str, Any], different: dict[str, tuple[str, str] | None]
) -> None:
    """What differs is found on the assumption that it is about; the others hold."""
    expected = {**ALL_EXPORTS, **different}
    findings, _ = probe_exports(first, then)
    assert findings == {name: each for name, each in expected.items() if each is not None}


def test_exports_by_post_that_fail() -> None:
    """Without a POST nothing else can be found; a failure that may pass is tried once more."""
    others = dict.fromkeys(list(ALL_EXPORTS)[3:], (UNKNOWN, "the POST of an export failed"))
    others |= {"empty-filter": (UNKNOWN, "the POST of an export failed")}
    findings, asked = probe_exports(refusal(405))
    assert (findings, len(asked)) == ({**others, "post-export": (FAILED, "HTTP 405")}, 1)
    findings, asked = probe_exports(refusal(503))
    assert (findings, len(asked)) == ({**others, "post-export": (UNKNOWN, "HTTP 503")}, 2)
    findings, _ = probe_exports(refusal(503), short(), NARROW)
    assert findings == ALL_EXPORTS


def test_one_column_shows_nothing_of_projections() -> None:
    """Without other columns no projection is requested; else one of `_id`, or of the first."""
    findings, asked = probe_exports(short(), columns=COLUMNS[:1])
    assert "projection" not in findings
    assert len(asked) == 2
    _, asked = probe_exports(short(), NARROW, columns=COLUMNS[::-1])
    assert asked[1][1]["projection"] == {"_id": 1}
    _, asked = probe_exports(short(), NARROW, columns=[COLUMNS[1], Property("y", "Y", "text")])
    assert asked[1][1]["projection"] == {"x": 1}


@pytest.mark.parametrize(
    "modified,filtered,finding",
    [
        (None, None, (FAILED, "no export has the property")),
        (OTHER_ID, short([["1"]], HEADERS[:1]), (FAILED, "rows came")),
        (OTHER_ID, refusal(400, "400606"), (FAILED, "HTTP 400, code 400606")),
        (OTHER_ID, refusal(500), (UNKNOWN, "HTTP 500")),
    ],
)
def test_filters_by_the_time_of_a_change(
    modified: str | None, filtered: dict[str, Any] | None, finding: tuple[str, str]
) -> None:
    """They are found where an export has the time, by the rows that come."""
    findings, asked = probe_exports(short(), NARROW, modified=modified, filtered=filtered)
    assert findings == {**ALL_EXPORTS, "modified-at-filter": finding}
    assert any(elsewhere for elsewhere, _ in asked) is (modified is not None)


# -- errors


@pytest.mark.parametrize(
    "error,result,note",
    [
        (refusal_of(REQUEST, 400, {}, b""), FAILED, "HTTP 400"),
        (
            refusal_of(REQUEST, 403, {}, b'{"errors":[{"code":"403601"}]}'),
            FAILED,
            "HTTP 403, code 403601",
        ),
        # Nothing of this tenant can be read: that says nothing about the API.
        (
            refusal_of(REQUEST, 403, {}, b'{"errors":[{"code":"40302"}]}'),
            UNKNOWN,
            "HTTP 403, code 40302",
        ),
        (refusal_of(REQUEST, 503, {}, b""), UNKNOWN, "HTTP 503"),
        (refusal_of(REQUEST, 503, {}, b'{"errors":[{"code":"4030200"}]}'), UNKNOWN, "HTTP 503"),
        (MalformedResponse("x"), FAILED, "the response has another form"),
        (TruncatedResponse("x"), UNKNOWN, "the response has another form"),
        (ConnectionFailed("x", retryable=False), UNKNOWN, "no complete response in time"),
        (JobFailed("x"), UNKNOWN, "the job failed"),
    ],
)
def test_an_error_decides_only_what_it_shows(error: OrgvueError, result: str, note: str) -> None:
    """A final refusal, or another form, is a finding; all other errors leave it open."""
    evidence = Evidence()
    probes.note_failure(evidence, "items", error)
    assert found(evidence) == {"items": (result, note)}


# -- the lists


def entry(dataset_id: str = DATASET_ID, **links: object) -> dict[str, Any]:
    """An entry of the list of datasets, with links."""
    return {"datasetId": dataset_id, "_links": {f"dataset:{name}": links[name] for name in links}}


GOOD = entry(retrieve={"url": METADATA}, export={"url": f"{METADATA}/export".lower()})
ELSEWHERE = "other addresses or none for metadata and export in"


def probe_list(response: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """The findings on the list of datasets."""
    orgvue, evidence = MockedExports(), Evidence()
    orgvue.serve("GET", LIST, response)
    probes.probe_list(orgvue.client, evidence)
    return found(evidence)


def test_a_list_of_datasets_as_it_is_assumed() -> None:
    """One array, no further page, links to the documented addresses in any case, and the time."""
    date = {"Date": "Mon, 02 Mar 2026 08:00:00 GMT"}
    relative = entry(retrieve={"url": f"/api/v1/ACME/datasets/{DATASET_ID}"}, export=METADATA)
    assert probe_list({"json": [GOOD, GOOD], "headers": date}) == {
        "list-array": (HELD, ""),
        "no-next-links": (HELD, ""),
        "entry-links": (HELD, "in 2 of 2 entries"),
        "server-date": (HELD, ""),
    }
    relative["_links"]["dataset:export"] = {"url": f"{METADATA}/export"}
    assert probe_list({"json": [relative]})["entry-links"] == (HELD, "in 1 of 1 entries")


@pytest.mark.parametrize(
    "page,finding",
    [
        ([GOOD, {"datasetId": "x"}, {"name": "y"}, 5], (HELD, "in 1 of 2 entries")),
        ([{"datasetId": "x"}], (FAILED, "no entry has links")),
        ([{"_links": GOOD["_links"]}], (FAILED, "no entry has links")),
        ([], (FAILED, "no entry has links")),
        ({}, (FAILED, "no entry has links")),
        ({"a": 1, "datasets": [GOOD], "more": []}, (HELD, "in 1 of 1 entries")),
        ([GOOD, entry(OTHER_ID, retrieve=METADATA)], (FAILED, f"{ELSEWHERE} 1 of 2")),
        ([entry(retrieve={"url": METADATA})], (FAILED, f"{ELSEWHERE} 1 of 1")),
        ([entry(export={"url": f"{METADATA}/export"})], (FAILED, f"{ELSEWHERE} 1 of 1")),
        (
            [entry(retrieve={"url": METADATA}, export={"url": "https://h/x"})],
            (FAILED, f"{ELSEWHERE} 1 of 1"),
        ),
    ],
)
def test_links_of_entries(page: Any, finding: tuple[str, str]) -> None:
    """Entries with an id are counted, and those whose links lead elsewhere, to another host too."""
    findings = probe_list({"json": page})
    assert findings["entry-links"] == finding
    assert findings["list-array"][0] == (HELD if isinstance(page, list) else FAILED)
    assert findings["server-date"] == (FAILED, "there is none that can be read")


def test_a_list_with_a_next_page() -> None:
    """An object is told as one, and so is its link to a next page."""
    page = {"datasets": [GOOD], "_links": {"next": {"url": "/x"}}}
    findings = probe_list({"json": page})
    assert findings["list-array"] == (FAILED, "it is an object")
    assert findings["no-next-links"] == (FAILED, "the list has one")


@pytest.mark.parametrize(
    "response,finding",
    [
        (refusal(400), (FAILED, "HTTP 400")),
        (NO_CONNECTION, (UNKNOWN, "no complete response in time")),
        ({"json": {"_links": {"next": {"url": 5}}}}, (FAILED, "the response has another form")),
    ],
)
def test_a_list_of_datasets_that_fails(response: dict[str, Any], finding: tuple[str, str]) -> None:
    """All that the list would show shares the finding."""
    names = ("list-array", "no-next-links", "entry-links")
    assert probe_list(response) == dict.fromkeys(names, finding)


DRAFT = {"draftId": "A", "datasetId": "B"}


@pytest.mark.parametrize(
    "page,ids,bases",
    [
        ([DRAFT, DRAFT], (HELD, "in 2 of 2 entries"), (HELD, "in 2 of 2 entries")),
        ([], (HELD, ""), (UNKNOWN, "there is no draft")),
        ({"drafts": []}, (FAILED, "it is an object"), (UNKNOWN, "there is no draft")),
        ({"drafts": [DRAFT]}, (FAILED, "it is an object"), (HELD, "in 1 of 1 entries")),
        (
            [DRAFT, {"draftId": "A"}, 5],
            (FAILED, "no `draftId` in 1 of 3 entries"),
            (FAILED, "no `datasetId` in 2 of 3 entries"),
        ),
        (
            [{"draftId": 1, "datasetId": None}],
            (FAILED, "no `draftId` in 1 of 1 entries"),
            (FAILED, "no `datasetId` in 1 of 1 entries"),
        ),
        (5, *[(FAILED, "the response has another form")] * 2),
    ],
)
def test_the_list_of_drafts(page: Any, ids: tuple[str, str], bases: tuple[str, str]) -> None:
    """Ids and datasets of its entries are counted; an object is told as one."""
    orgvue, evidence = MockedExports(), Evidence()
    orgvue.serve("GET", DRAFTS, {"json": page})
    probes.probe_drafts(orgvue.client, evidence)
    assert found(evidence) == {"draft-list": ids, "draft-base": bases}


# -- headers, jobs, links, stored values


def test_headers_are_counted() -> None:
    """Exports without `_id`, and types that are none of the declared ones."""
    evidence = Evidence()
    probes.examine_headers(evidence, [])
    assert found(evidence) == {}
    declared = [Property("_id", "", each) for each in ("text", "number", "date", "boolean")]
    probes.examine_headers(evidence, [declared, COLUMNS])
    assert found(evidence) == {
        "id-column": (HELD, "in 2 of 2 exports"),
        "declared-types": (HELD, ""),
    }
    evidence = Evidence()
    odd = [Property("x", "", each) for each in ("multi", "odd", "date-time")]
    probes.examine_headers(evidence, [COLUMNS, odd, odd])
    assert found(evidence) == {
        "id-column": (FAILED, "missing in 2 of 3 exports"),
        "declared-types": (FAILED, "other types: 3"),
    }


GZIP = "gzip, without Content-Encoding"
JOB_HELD = {
    "job-ticket": (HELD, ""),
    "job-result": (HELD, GZIP),
    "job-encoding": (HELD, GZIP),
    "job-filter": (HELD, ""),
}


def all_of_a_job(finding: tuple[str, str], **different: tuple[str, str]) -> dict[str, Any]:
    """One finding on all of a job but some."""
    others = {name.replace("_", "-"): each for name, each in different.items()}
    return {**dict.fromkeys(JOB_HELD, finding), **others}


@pytest.mark.parametrize(
    "outcome,findings",
    [
        (JobOutcome(start=ExportStart((), True, None, GZIP)), JOB_HELD),  # noqa: FBT003
        (
            JobOutcome(start=ExportStart((), False, None, "not compressed")),  # noqa: FBT003
            {
                "job-ticket": (HELD, ""),
                "job-result": (HELD, "not compressed"),
                "job-encoding": (FAILED, "not compressed"),
                "job-filter": (FAILED, "rows came"),
            },
        ),
        (JobOutcome(), all_of_a_job((UNKNOWN, "no complete response in time"))),
        (JobOutcome(error=JobFailed("x")), all_of_a_job((UNKNOWN, "the job failed"))),
        (
            JobOutcome(error=MalformedResponse("x")),
            all_of_a_job(
                (UNKNOWN, "the response has another form"),
                job_ticket=(FAILED, "the response has another form"),
            ),
        ),
        (
            JobOutcome(error=JobFailed("x"), has_ticket=True),
            all_of_a_job(
                (UNKNOWN, "the job failed"),
                job_ticket=(HELD, ""),
                job_result=(FAILED, "the job failed"),
            ),
        ),
        (
            JobOutcome(error=FileHostUnreachable("x"), has_ticket=True),
            all_of_a_job((UNKNOWN, "its host cannot be reached from here"), job_ticket=(HELD, "")),
        ),
    ],
)
def test_the_outcome_of_a_job(outcome: JobOutcome, findings: dict[str, Any]) -> None:
    """A ticket holds once it was read; a host out of reach says nothing of a result."""
    evidence = Evidence()
    probes.examine_job(evidence, outcome)
    assert found(evidence) == findings


@pytest.mark.parametrize(
    "response,finding",
    [
        (ticket("created"), (HELD, "")),
        ({"json": ["no ticket"]}, (FAILED, "the response has another form")),
        (refusal(400), (FAILED, "HTTP 400")),
        (NO_CONNECTION, (UNKNOWN, "no complete response in time")),
    ],
)
def test_jobs_that_calculate_through_links(
    response: dict[str, Any], finding: tuple[str, str]
) -> None:
    """A job is requested with the ids and not waited for."""
    orgvue, evidence = MockedExports(), Evidence()
    orgvue.serve("POST", JOB, response)
    probes.probe_linking(orgvue.client, evidence, DATASET_ID, ["L1", "L2"])
    assert found(evidence) == {"job-linking": finding}
    (request,) = orgvue.adapter.request_history
    assert request.json()["linkingRelationships"] == ["L1", "L2"]
    assert request.json()["query"]["output"]["filter"]


@pytest.mark.parametrize(
    "response,finding,tries",
    [
        ({"content": b" [\n ] "}, (HELD, ""), 1),
        ({"content": b'[{"_id": "1"}]'}, (FAILED, "the filter is ignored"), 1),
        ({"content": b'{"items": []}'}, (FAILED, "it is no array"), 1),
        ({"content": b""}, (FAILED, "it is no array"), 1),
        (refusal(404), (FAILED, "HTTP 404"), 1),
        (refusal(502), (UNKNOWN, "HTTP 502"), 2),
    ],
)
def test_stored_values(response: dict[str, Any], finding: tuple[str, str], tries: int) -> None:
    """An empty array holds; a failure that may pass is tried once more."""
    orgvue, evidence = MockedExports(), Evidence()
    orgvue.serve("POST", ITEMS, response)
    probes.probe_items(orgvue.client, evidence, DATASET_ID)
    assert found(evidence) == {"items": finding}
    assert len(orgvue.adapter.request_history) == tries
    assert orgvue.adapter.request_history[0].json()["query"]["output"]["filter"]
