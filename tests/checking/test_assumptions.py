"""`tap-orgvue --test` tells which inferred facts of the API hold, and nothing of the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.checking import probes
from tap_orgvue.checking.assumptions import ASSUMPTIONS, Evidence
from tap_orgvue.checking.report import Result
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    FileHostUnreachable,
    JobFailed,
    MalformedResponse,
    RequestInfo,
)
from tap_orgvue.simulator import Dataset, Property
from tests.support.checks import check, checked, results
from tests.support.datasets import people
from tests.support.runs import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.orgvue.errors import OrgvueError
    from tap_orgvue.simulator import Orgvue

REQUEST = RequestInfo("GET", "https://h/api")
NEVER_CHECKED = {"too-large-status", "wrong-tenant-status", "draft-actions"}
BY_SETTINGS = {"job-linking", "items", "draft-list", "draft-base"}


@pytest.fixture(autouse=True)
def _jobs_are_done_at_once(orgvue: Orgvue) -> None:
    """Nothing has to be waited for."""
    orgvue.job_polls = ("completed",)


def test_all_hold_as_documented(orgvue: Orgvue) -> None:
    """Where Orgvue does what is assumed, each assumption that can be checked held."""
    found = {each.name: each.result for each in checked(orgvue.config).assumptions}
    assert list(found) == [each.name for each in ASSUMPTIONS]
    unchecked = {name for name, result in found.items() if result is Result.NOT_CHECKED}
    assert unchecked == NEVER_CHECKED | BY_SETTINGS
    assert {result for name, result in found.items() if name not in unchecked} == {Result.HELD}


def other_links(orgvue: Orgvue) -> None:
    """Let the list's first entry lead to another path."""
    url = f"{orgvue.api_url}/elsewhere"
    links = {"dataset:retrieve": {"url": url}, "dataset:export": {"url": url}}
    orgvue.amend(on="list", entry=0, put={"_links": links}, times=None)


def another_type(orgvue: Orgvue) -> None:
    """Declare a property as something else."""
    orgvue.dataset("People").add_property(Property("tags", "multiValue"))


FAILING: dict[str, tuple[Callable[[Orgvue], object], set[str], int]] = {
    "no POST of exports": (lambda o: setattr(o, "post_export", False), {"post-export"}, 0),
    "filters ignored": (
        lambda o: setattr(o, "ignores_filters", True),
        {"empty-filter", "modified-at-filter", "job-filter"},
        0,
    ),
    "projections ignored": (lambda o: setattr(o, "ignores_projections", True), {"projection"}, 0),
    "no filter by _modifiedAt": (
        lambda o: setattr(o, "unfilterable", ("_modifiedAt",)),
        {"modified-at-filter"},
        0,
    ),
    "no _modifiedAt": (
        lambda o: o.reshape(drop=["_modifiedAt"], on="headers", times=None),
        {"modified-at-filter"},
        0,
    ),
    "no _id": (lambda o: o.reshape(drop=["_id"], on="headers", times=None), {"id-column"}, 0),
    "a status that is unknown": (
        lambda o: setattr(o, "job_status_word", "pondering"),
        {"job-ticket"},
        5,
    ),
    "a ticket of another form": (
        lambda o: o.answer(on="job", status=202, json=["no ticket"], times=None),
        {"job-ticket"},
        5,
    ),
    "no jobs": (lambda o: setattr(o, "async_export", False), {"job-ticket"}, 0),
    "a result of another form": (
        lambda o: o.answer(on="download", body=b"<html>", times=None),
        {"job-result"},
        5,
    ),
    "plain results": (lambda o: setattr(o, "plain_results", True), {"job-encoding"}, 0),
    "pages": (lambda o: setattr(o, "page_rows", 1), {"list-array"}, 0),
    "a next link": (
        lambda o: o.amend(on="headers", put={"_links": {"next": {"url": "/x"}}}, times=None),
        {"no-next-links"},
        0,
    ),
    "other links": (other_links, {"entry-links"}, 0),
    "no links": (
        lambda o: o.amend(on="list", entry=0, remove=["_links"], times=None),
        {"entry-links"},
        0,
    ),
    "no Date": (lambda o: setattr(o, "date_header", None), {"server-date"}, 0),
    "another type": (another_type, {"declared-types"}, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("trouble,names,code", FAILING.values(), ids=FAILING.keys())
def test_one_that_does_not_hold_is_reported(
    orgvue: Orgvue, trouble: Callable[[Orgvue], object], names: set[str], code: int
) -> None:
    """It is named, with what the tap does instead; a check fails where a large export would."""
    trouble(orgvue)
    report = check({**orgvue.config, "max_retries": 0})
    failed = [each for each in report["assumptions"] if each["result"] == "did_not_hold"]
    assert {each["name"] for each in failed} == names
    assert all(each["note"] and each["otherwise"] for each in failed)
    assert report["exit_code"] == code


@pytest.mark.slow
@pytest.mark.parametrize("with_encoding", [True, False])
def test_the_compression_of_results_is_reported(orgvue: Orgvue, with_encoding: bool) -> None:  # noqa: FBT001
    """A result is read as a bare gzip file and with `Content-Encoding`; it is told which."""
    orgvue.result_content_encoding = with_encoding
    [told] = [each for each in check(orgvue.config)["assumptions"] if each["name"] == "job-result"]
    word = "with" if with_encoding else "without"
    assert (told["result"], told["note"]) == ("held", f"gzip, {word} Content-Encoding")


def test_a_token_that_tells_no_date() -> None:
    """A token that is no JWT is told as such, without a request."""
    evidence = Evidence()
    probes.examine_token(evidence, "not-a-jwt-but-a-token")
    [told] = [each for each in evidence.report() if each.name == "token-dates"]
    assert told.result is Result.DID_NOT_HOLD


@pytest.mark.slow
def test_what_depends_on_settings(orgvue: Orgvue) -> None:
    """Links and stored values are looked at where the settings need them."""
    linked = {"linking_relationships": {"people": [orgvue.dataset("People").dataset_id]}}
    assert results(check({**orgvue.config, **linked}))["job-linking"] == "held"
    stored = results(check({**orgvue.config, "include_calculations": False}))
    assert stored["items"] == "held"
    assert stored["post-export"] == "not_checked"
    orgvue.ignores_filters = True
    stored = results(check({**orgvue.config, "include_calculations": False}))
    assert stored["items"] == "did_not_hold"


@pytest.mark.slow
def test_nothing_of_the_tenant_is_in_that_part(serve: Callable[..., Orgvue]) -> None:
    """The part that users send names no dataset, property, id, host, port or value."""
    key = "Very private key"
    dataset = Dataset(
        "Severance 2027",
        properties=[Property(key, "text", auto_id=True), Property("pay", "odd type of ours")],
        rows=[{key: "cell value", "pay": 12345}],
    )
    orgvue = serve(dataset)
    orgvue.job_polls = ("completed",)
    words = ["Severance", "severance", key, "pay", "odd type", "cell value", "12345"]
    words += [dataset.dataset_id, orgvue.tenant_id, orgvue.token, "127.0.0.1"]
    words += [orgvue.api_url.rpartition(":")[2], orgvue.files_url.rpartition(":")[2]]
    for reason in (None, (400, "400607", key, f"{key} is odd"), (404, "Severance", key, key)):
        orgvue.calm()
        if reason is not None:
            orgvue.refuse(reason, on=["headers", "job"], times=None)
        text = command({**orgvue.config, "max_retries": 0}, "--test").stdout
        part = text.partition("Facts of Orgvue's API")[2]
        assert "post-export" in part
        assert [word for word in words if word in part] == []


@pytest.mark.slow
def test_rows_that_come_unasked_are_not_read_to_their_end(serve: Callable[..., Orgvue]) -> None:
    """Where a filter is ignored, only the start of each response is read."""
    orgvue = serve(people(20_000))
    orgvue.job_polls, orgvue.ignores_filters = ("completed",), True
    # All of it would take minutes.
    orgvue.trickle = 40_000
    report = check(orgvue.config)
    assert results(report)["empty-filter"] == "did_not_hold"
    assert report["exit_code"] == 0


@pytest.mark.parametrize("on", ["headers", "download"])
def test_a_body_without_an_end_is_left(orgvue: Orgvue, on: str) -> None:
    """A response that goes on for ever is read as far as it says something."""
    orgvue.drip(on=on, after=5_000, seconds=0.01, times=None)
    report = check(orgvue.config)
    assert report["exit_code"] == 0
    found = results(report)
    assert (found["empty-filter"], found["job-filter"]) == ("held", "held")


def test_facts_before_a_failure_are_reported(orgvue: Orgvue) -> None:
    """Where nothing can be read, what was not reached is not checked."""
    orgvue.refuse("40302", times=None)
    report = check(orgvue.config)
    assert set(results(report).values()) == {"not_checked"}
    assert report["streams"] == []


def by_name(report: dict[str, Any], name: str) -> dict[str, Any]:
    """One assumption."""
    return next(each for each in report["assumptions"] if each["name"] == name)


@pytest.mark.slow
def test_a_refusal_is_reported_by_its_numbers(orgvue: Orgvue) -> None:
    """The note of a refused request has its HTTP status and Orgvue's code."""
    orgvue.unfilterable = ("_modifiedAt",)
    assert by_name(check(orgvue.config), "modified-at-filter")["note"] == "HTTP 400, code 400606"


@pytest.mark.parametrize(
    "error,words",
    [
        (refusal_of(REQUEST, 404, {}, b'{"errors":[{"code":"404601"}]}'), "HTTP 404, code 404601"),
        (refusal_of(REQUEST, 403, {}, b'{"errors":[{"code":"Ada"}]}'), "HTTP 403"),
        (refusal_of(REQUEST, 403, {}, b'{"errors":[{"code":"1234"}]}'), "HTTP 403"),
        (MalformedResponse("Ada"), "the response has another form"),
        (FileHostUnreachable("Ada"), "its host cannot be reached from here"),
        (JobFailed("Ada"), "the job failed"),
        (ConnectionFailed("Ada"), "no complete response in time"),
    ],
)
def test_words_for_errors(error: OrgvueError, words: str) -> None:
    """They name nothing of the tenant, not even a code that is none of Orgvue's."""
    assert probes._note(error) == words  # noqa: SLF001 - what each probe says of an error
