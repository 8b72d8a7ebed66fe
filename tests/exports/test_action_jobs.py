"""The actions of a draft's layer: a ticket, a URL or the array itself; else told in words."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import requests

from tap_orgvue.exports.action_jobs import ActionJobs, ActionRows, actions_request
from tap_orgvue.exports.byte_streams import decompressed, read_chunks
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    ErrorsInResponse,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    OrgvueError,
    Refusal,
    TenantRefusal,
    TruncatedResponse,
)
from tap_orgvue.records.action_maker import elements_of
from tests.support.mocked_exports import FILES, RESULT, TICKET, refusal, ticket
from tests.support.mocked_orgvue import TENANT, TOKEN, MockedOrgvue

ADDRESS = f"{TENANT}/drafts/actions"
ACTIONS = [{"_action": "delete", "_id": "x"}, {"_action": "update", "_id": "y", "n": 1.50}]
ARRAY = {"content": json.dumps(ACTIONS).encode()}
GONE = {"exc": requests.ConnectionError("no route")}


def fetched(orgvue: MockedOrgvue, timeout: float = 3600) -> list[Any]:
    """The actions, by a job."""
    jobs = ActionJobs(orgvue.client, timeout=timeout, temp_dir=None)
    file = jobs.fetch(actions_request(orgvue.client, "D", "later")).file
    with file:
        rows = ActionRows(decompressed(read_chunks(file, 7)))
        return [json.loads(each) for block in rows.blocks(elements_of) for each in block]


def answering(
    *responses: dict[str, Any], result: dict[str, Any] | None = None, **options: Any
) -> MockedOrgvue:
    """A tenant that answers so to the request for actions."""
    orgvue = MockedOrgvue(**{"max_retries": 0, **options})
    orgvue.serve("POST", ADDRESS, *responses)
    orgvue.serve("GET", TICKET, ticket("running"), ticket("completed"))
    orgvue.serve("GET", RESULT, result or ARRAY)
    return orgvue


def test_the_request() -> None:
    """One layer, by the documented body; no other parameter, and the token with the API only."""
    orgvue = answering(ticket("created"))
    assert fetched(orgvue) == ACTIONS
    first, *files = orgvue.adapter.request_history
    assert first.json() == {"layers": [{"draftId": "D", "layerKey": "later"}]}
    assert first.url == ADDRESS
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert [each.url for each in files] == [TICKET, TICKET, RESULT]
    assert not any("Authorization" in each.headers for each in files)


@pytest.mark.parametrize(
    "response",
    [
        ticket("completed"),
        ARRAY,
        {"content": gzip.compress(json.dumps(ACTIONS).encode(), mtime=0)},
        {"content": b" \n" + ARRAY["content"]},
        {"content": b" \n" * 100_000 + ARRAY["content"]},
        {"json": {"_links": {"result": {"url": RESULT}}}},
        {"json": {"_links": {"self": {"url": RESULT, "type": "downloadLink"}}}},
        {"json": {"resultLocation": RESULT}},
        {"json": {"url": RESULT}},
    ],
)
def test_answers_that_lead_to_the_actions(response: dict[str, Any]) -> None:
    """A URL in the answer is documented, its place is not."""
    assert fetched(answering(response)) == ACTIONS


@pytest.mark.parametrize("body", [b"[]", b" [ ] ", gzip.compress(b"[]", mtime=0)])
def test_an_empty_array(body: bytes) -> None:
    """No changes."""
    assert fetched(answering({"content": body})) == []
    assert fetched(answering(ticket("completed"), result={"content": body})) == []


def test_no_content() -> None:
    """A success without content is no changes."""
    assert fetched(answering({"status_code": 204})) == []


@pytest.mark.slow
def test_a_large_array_as_the_answer() -> None:
    """However large, it is on disk before it is read, and a break in it is found."""
    many = [{"_action": "update", "_id": str(number), "t": "x,{}]" * 9} for number in range(9000)]
    text = json.dumps(many).encode()
    assert fetched(answering({"content": text})) == many
    with pytest.raises(TruncatedResponse, match="in the middle"):
        fetched(answering({"content": text[:-10]}))


@pytest.mark.parametrize(
    "response,error,words",
    [
        ({"json": {"actions": []}}, MalformedResponse, "neither a job ticket nor an array"),
        ({"json": {"_links": 7, "url": 8}}, MalformedResponse, "neither a job ticket"),
        ({"json": {"errors": [{"code": "x"}]}}, ErrorsInResponse, "reports errors"),
        ({"json": {"jobStatus": "weird"}}, MalformedResponse, "status 'weird'"),
        ({"json": 7}, TruncatedResponse, "not the requested JSON"),
        ({"content": b""}, TruncatedResponse, "not the requested JSON"),
        ({"content": b"{]}"}, TruncatedResponse, "is not JSON"),
        ({"content": b'{"a":"%b"}' % (b"x" * 2_000_000)}, MalformedResponse, "a large object"),
        (refusal(403, "40302"), TenantRefusal, "40302"),
        (refusal(404, "404600"), DatasetRefusal, "404600"),
        (refusal(400, "400607"), Refusal, "400607"),
        ({"status_code": 400, "json": {"jobStatus": "failed"}}, JobFailed, "failed"),
        ({"json": {"url": "http://files.test/x"}}, MalformedResponse, "not https"),
    ],
)
def test_answers_that_do_not(
    response: dict[str, Any], error: type[OrgvueError], words: str
) -> None:
    """Each is told in words."""
    with pytest.raises(error, match=words):
        fetched(answering(response))


@pytest.mark.parametrize(
    "result,error,words",
    [
        ({"json": {"layers": []}}, MalformedResponse, "not a JSON array"),
        ({"json": {"errors": [{"code": "x"}]}}, ErrorsInResponse, "reports errors"),
        ({"content": b"<html>"}, JobFailed, "could not be fetched completely"),
    ],
)
def test_results_that_are_no_array(
    result: dict[str, Any], error: type[OrgvueError], words: str
) -> None:
    """The result of a job is documented as an array."""
    with pytest.raises(error, match=words):
        fetched(answering(ticket("completed"), result=result))


def test_a_lost_result_is_requested_again() -> None:
    """Links expire; the job is requested again."""
    orgvue = answering(ticket("completed"))
    orgvue.serve("GET", RESULT, refusal(403), ARRAY)
    assert fetched(orgvue) == ACTIONS
    assert orgvue.urls == [ADDRESS, RESULT, ADDRESS, RESULT]


def test_a_host_of_files_that_cannot_be_reached() -> None:
    """No other delivery of actions exists, so that none is advised."""
    with pytest.raises(FileHostUnreachable) as caught:
        fetched(answering(ticket("completed"), result=GONE))
    assert f"Allow https to {FILES.removeprefix('https://')}." in str(caught.value)
    assert "export_mode" not in str(caught.value)
