"""Orgvue's refusals: one sentence each, with what to do, without traceback or query string."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.advice import ADVICE, ADVICE_BY_STATUS, Remedy
from tap_orgvue.orgvue.error_responses import refusal_of
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    DatasetRefusal,
    ErrorsInResponse,
    JobFailed,
    OrgvueError,
    Refusal,
    RequestInfo,
    TenantRefusal,
    TenantUnknown,
)
from tap_orgvue.scrubbing import Scrubber
from tests.support.runs import command, discover

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

DOCUMENTED = {
    "40101": "AuthorizationHeaderEmpty",
    "40102": "ApiTokenInvalid",
    "40103": "BearerTokenNotFound",
    "40301": "ApiTokenNotYetActive",
    "40302": "ApiTokenExpired",
    "40303": "ApiTokenSubnetViolation",
    "40321": "MultipleAccountsFound",
    "40322": "UserAccountDisabled",
    "40323": "UserAccountExpired",
    "40324": "UserAccountSubnetViolation",
    "40345": "TenantUsagePlanNotConfigured",
    "42901": "Throttled",
    "42902": "QuotaExceeded",
}
"""The codes of the API guide."""


def told(config: dict[str, object]) -> str:
    """What discovery is refused with."""
    with pytest.raises(OrgvueError) as caught:
        discover({**config, "max_retries": 0})
    return str(caught.value)


def worded(body: object, status: int = 400, trace: str = "") -> str:
    """The sentence of a refusal with this error body."""
    asked = RequestInfo("GET", "https://orgvue.test/api/v1/ACME/datasets?token=secret")
    headers = {"X-Amzn-Trace-Id": trace} if trace else {}
    return str(refusal_of(asked, status, headers, json.dumps(body).encode()))


def problem(code: str, name: str = "", message: str = "") -> dict[str, Any]:
    """An entry of an error body."""
    return {"code": code, "name": name, "message": message}


def refused(status: int, *codes: str, retry_after: str | None = None) -> Refusal:
    """A refusal with these codes."""
    body = json.dumps({"errors": [problem(code) for code in codes]}).encode()
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return refusal_of(RequestInfo("GET", "https://orgvue.test/x"), status, headers, body)


@pytest.mark.parametrize(
    "status,codes,kind",
    [
        *((403, (code,), TenantRefusal) for code in DOCUMENTED if code[:2] == "40"),
        *((429, ("42902",), TenantRefusal), (429, ("42901",), Refusal), (429, (), Refusal)),
        *((401, (), TenantRefusal), (401, ("401001",), TenantRefusal)),
        *((status, (), DatasetRefusal) for status in (403, 404, 410)),
        *((403, ("403001",), DatasetRefusal), (404, ("404001",), DatasetRefusal)),
        *((status, (), Refusal) for status in (302, 400, 405, 413, 500, 503)),
        *(
            (400, ("400603",), Refusal),
            (400, ("50001",), Refusal),
            (403, ("4030",), DatasetRefusal),
        ),
        (403, ("403001", "40302"), TenantRefusal),
        (403, ("42901", "403001"), DatasetRefusal),
    ],
)
def test_the_class_of_a_refusal(status: int, codes: tuple[str, ...], kind: type) -> None:
    """The gateway's codes concern the tenant, 403, 404 and 410 a dataset, all else one request."""
    assert type(refused(status, *codes)) is kind


@pytest.mark.parametrize("status", [200, 404, 405, 413, 429, 500, 501, 502, 503, 504])
def test_what_a_status_means_for_an_export(status: int) -> None:
    """413, 502 and 504 may mean too large; 404, 405 and 501 mean that the endpoint is missing."""
    refusal = refused(status)
    assert refusal.too_large is (status in {413, 502, 504})
    assert refusal.not_accepted is (status in {404, 405, 501})
    assert refusal.throttled is (status == 429)


@pytest.mark.parametrize(
    "status,codes,remedy",
    [
        *((status, (), Remedy.LATER) for status in (408, 425, 429, 500, 501, 503, 504)),
        *((429, (code,), Remedy.LATER) for code in ("42901", "42902")),
        *((status, (), Remedy.PERSON) for status in (301, 302, 401, 403, 404, 405, 410, 413)),
        *((status, ("40302",), Remedy.PERSON) for status in (400, 403)),
        *((400, codes, Remedy.UNKNOWN) for codes in ((), ("400603",))),
    ],
)
def test_what_helps_against_a_refusal(status: int, codes: tuple[str, ...], remedy: Remedy) -> None:
    """A later run, or a person who changes something; for other refusals nobody knows."""
    refusal = refused(status, *codes)
    assert refusal.remedy is remedy
    assert refusal.retryable is (remedy is Remedy.LATER and "42902" not in codes)


def test_what_helps_against_other_errors() -> None:
    """Most kinds have a remedy; an error can have another one, and keeps it with its message."""
    info = RequestInfo("GET", "https://orgvue.test/x")
    assert OrgvueError("x").remedy is Remedy.UNKNOWN
    assert ErrorsInResponse.from_document(info, {"errors": ["x"]}).remedy is Remedy.UNKNOWN
    assert ConnectionFailed("x").remedy is Remedy.LATER
    assert ConnectionFailed("x", retryable=False).remedy is Remedy.PERSON
    assert JobFailed("x").remedy is Remedy.LATER
    assert JobFailed("x", remedy=Remedy.PERSON).with_message("y").remedy is Remedy.PERSON
    assert TenantUnknown.from_refusal(refused(400)).remedy is Remedy.PERSON


def test_an_error_about_a_response_has_its_codes() -> None:
    """A run report groups by codes and status, and Orgvue's support asks for the trace id."""
    info = RequestInfo("GET", "https://orgvue.test/x")
    errors = {"errors": [problem("500601"), problem("500602"), "words"]}
    codes = frozenset({"500601", "500602"})
    reported = ErrorsInResponse.from_document(info, errors, "Root=1-a")
    assert (reported.codes, reported.trace_id) == (codes, "Root=1-a")
    refusal = refusal_of(info, 409, {"X-Amzn-Trace-Id": "Root=1-b"}, json.dumps(errors).encode())
    failed = JobFailed("x", cause=refusal)
    assert (failed.codes, failed.status, failed.trace_id) == (codes, 409, "Root=1-b")
    other = JobFailed("x")
    assert (other.codes, other.status, other.trace_id) == (frozenset(), None, "")


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "errors", [["No rows."], [{"message": "No rows."}], {"message": "No rows."}]
)
def test_a_refusal_that_is_a_failed_job_ticket(status: int, errors: object) -> None:
    """A refusal's body can be a job ticket: its errors and its trace id are told."""
    ticket = {"jobStatus": "failed", "errors": errors, "X-Amzn-Trace-Id": "Root=1-ticket"}
    info = RequestInfo("POST", "https://orgvue.test/x")
    headers = {"X-Amzn-Trace-Id": "Root=1-header"}
    refusal = refusal_of(info, status, headers, json.dumps(ticket).encode())
    assert refusal.is_failed_job
    assert refusal.trace_id == "Root=1-ticket"
    assert str(refusal).startswith(
        f"Orgvue refused POST /x with HTTP {status}: the export job failed (No rows.)."
    )
    assert "Root=1-header" not in str(refusal)


@pytest.mark.parametrize("status", ["running", None, 5])
def test_a_refusal_that_is_no_failed_job_ticket(status: object) -> None:
    """Only the documented state makes a refusal a failed job."""
    body = json.dumps({"jobStatus": status, "errors": []}).encode()
    info = RequestInfo("POST", "https://orgvue.test/x")
    refusal = refusal_of(info, 400, {"X-Amzn-Trace-Id": "Root=1-header"}, body)
    assert not refusal.is_failed_job
    assert refusal.trace_id == "Root=1-header"
    assert "job" not in str(refusal)


@pytest.mark.parametrize(
    "errors,words",
    [
        ([{"code": "4711", "name": "N", "message": "No."}], "4711 N: No."),
        (["No.", {"message": "Never."}], "No.; Never."),
        *(("No.", "No."), ({"message": "No."}, "No.")),
        *((5, "no reason given"), ([[]], "no reason given"), (True, "no reason given")),
    ],
)
def test_errors_in_a_response(errors: object, words: str) -> None:
    """A response that reports errors is described in Orgvue's words, with its trace id."""
    info = RequestInfo("GET", "https://orgvue.test/x?secret")
    error = ErrorsInResponse.from_document(info, {"errors": errors}, "Root=1-a")
    assert str(error) == f"Orgvue's response to GET /x reports errors ({words}). Trace id: Root=1-a"
    without = str(ErrorsInResponse.from_document(info, {"errors": errors}))
    assert without == f"Orgvue's response to GET /x reports errors ({words})."


def test_a_tenant_that_is_unknown() -> None:
    """A refusal of the list names the tenant's settings and pages, not the dataset's."""
    refusal = refused(404, "404001", retry_after="5")
    unknown = TenantUnknown.from_refusal(refusal)
    assert "That means the tenant does not exist on this server, or the token's user" in str(
        unknown
    )
    assert "Check `tenant_id` at https://orgvue.test/tenants/tenants, `region`" in str(unknown)
    assert "the dataset's id" not in str(unknown)
    assert "job" not in str(unknown)
    assert (unknown.status, unknown.entries) == (404, refusal.entries)
    assert (unknown.trace_id, unknown.retry_after) == (refusal.trace_id, "5")


@pytest.mark.parametrize(
    "code,parameter,kind",
    [
        *(("400602", "tenantId", TenantUnknown), ("400603", "datasetId", Refusal)),
        *(("40302", "tenantId", TenantRefusal), ("404601", "tenantId", TenantUnknown)),
    ],
)
def test_a_path_with_a_wrong_tenant(code: str, parameter: str, kind: type) -> None:
    """An error about the path's `tenantId` is about the tenant, whatever was requested."""
    body = {"errors": [{**problem(code), "pathParameter": parameter}]}
    info = RequestInfo("POST", "https://orgvue.test/api/v1/ACME/datasets/X/export")
    refusal = refusal_of(info, int(code[:3]), {}, json.dumps(body).encode())
    assert type(refusal) is kind
    assert ("/tenants/tenants" in str(refusal)) is (kind is TenantUnknown)


def test_a_used_up_quota_is_no_throttle() -> None:
    """A used-up quota pauses no thread: nothing is sent after it."""
    assert not refused(429, "42902").throttled


def test_retry_after_is_kept() -> None:
    """A refusal has the `Retry-After` header as sent, or None."""
    assert refused(503, retry_after="5 s").retry_after == "5 s"
    assert refused(503).retry_after is None


def test_a_request_in_a_message() -> None:
    """A request is shown by its method and the path of its URL, if that is not too long."""
    info = RequestInfo("POST", f"https://me:pw@orgvue.test/{'a' * 600}?x=1#y")
    assert str(info) == "POST …"
    info = RequestInfo("POST", f"https://me:pw@orgvue.test/{'a' * 499}?x=1#y")
    assert str(info) == f"POST /{'a' * 499}"
    assert RequestInfo("GET", "https://orgvue.test:1/a/b").page("/tokens") == (
        "https://orgvue.test:1/tokens"
    )


@pytest.mark.parametrize("start", range(440, 510, 3))
def test_no_half_of_a_secret(start: int) -> None:
    """Wherever a text is cut, the scrubber still recognizes a secret in it, or it is gone."""
    secret, scrubber = "q7Zt-0kQ2" * 5, Scrubber()
    scrubber.keep(secret)
    words = ("lorem ipsum " * 50)[: start - 1]
    sentence = worded({"errors": [problem("400777", "Name", f"{words} {secret} and more " * 3)]})
    assert "q7Zt" not in scrubber.clean(sentence)


@pytest.mark.parametrize("status", [400, 499, 999])
def test_a_status_without_words(status: int) -> None:
    """A refusal without an error body has the status' phrase, if there is one."""
    phrase = "Bad Request" if status == 400 else "no reason given"
    assert f"with HTTP {status} ({phrase})." in str(refused(status))


def test_every_documented_code_has_advice() -> None:
    """The table of advice has the documented codes, all of them and no others."""
    assert set(ADVICE) == set(DOCUMENTED)


@pytest.mark.parametrize("code,name", DOCUMENTED.items())
def test_a_documented_code(orgvue: Orgvue, code: str, name: str) -> None:
    """A refusal tells what was asked, code, name and message, meaning, advice and trace id."""
    orgvue.refuse(code, times=None)
    sentence = told(orgvue.config)
    meaning, todo = ADVICE[code]
    path = f"GET /api/v1/{orgvue.tenant_id}/datasets"
    assert sentence.startswith(f"Orgvue refused {path} with HTTP {code[:3]} ({code} {name}: ")
    assert f"That means {meaning}. " in sentence
    assert todo.format(tokens=f"{orgvue.api_url}/tokens") in sentence
    assert "Trace id: Root=1-" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("status", sorted(ADVICE_BY_STATUS))
def test_a_status_without_a_code(status: int) -> None:
    """A gateway's refusal without Orgvue's error body has the advice of its status."""
    sentence = worded(None, int(status))
    assert f"HTTP {int(status)} (" in sentence
    assert f"That means {ADVICE_BY_STATUS[status][0]}. " in sentence


def test_links_lead_to_the_servers_own_pages(orgvue: Orgvue) -> None:
    """Advice links the tokens and the settings page of the server that was asked."""
    orgvue.refuse("40302")
    assert f"Make a new one at {orgvue.api_url}/tokens" in told(orgvue.config)
    orgvue.refuse((403, "403999", "No", "No."), on="list")
    assert f"{orgvue.api_url}/app/configui" in told(orgvue.config)


@pytest.mark.parametrize("code", ["40321", "40345"])
def test_only_support_can_help(orgvue: Orgvue, code: str) -> None:
    """Where only Orgvue's support can help, its address is told."""
    orgvue.refuse(code)
    assert "support@orgvue.com" in told(orgvue.config)


def test_several_errors_are_all_reported() -> None:
    """Every entry of an error body is told, with the advice to each that is known."""
    sentence = worded(
        {"errors": [problem("40301", "A", "one"), problem("499999", "B", "two")]}, 403
    )
    assert "(40301 A: one; 499999 B: two)" in sentence
    assert "the token is not active yet" in sentence


def test_very_many_errors_are_all_reported_once_each() -> None:
    """However many an error body lists, each is told; advice to one code comes once."""
    many = [problem("40301", "A", f"no. {i}") for i in range(300)]
    sentence = worded({"errors": many}, 403)
    assert all(f"no. {i}" in sentence for i in range(300))
    assert sentence.count("the token is not active yet") == 1


def test_an_unknown_code_passes_in_orgvues_words() -> None:
    """A code that is not in the table is told as Orgvue tells it."""
    sentence = worded({"errors": [problem("400777", "SomethingNew", "It is\nnew.")]})
    assert "(400777 SomethingNew: It is new.)" in sentence


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"errors": None},
        {"errors": 3},
        {"errors": {"code": "40302"}},
        {"errors": [None, 3, "x", []]},
        {"errors": [{"code": {"a": 1}, "message": [1]}]},
        {"errors": [problem("1" * 5000, "x" * 5000)]},
        {"errors": ["x " * 5000]},
        {"errors": "x"},
    ],
)
def test_error_bodies_of_any_shape(body: object) -> None:
    """An error body that is not as documented still makes one line, of bounded length."""
    sentence = worded(body)
    assert sentence.startswith("Orgvue refused GET /api/v1/ACME/datasets with HTTP 400 (")
    assert "\n" not in sentence
    assert len(sentence) < 2000


def test_an_entry_of_another_shape_hides_no_other() -> None:
    """What is wrong with one entry of an error body does not keep the others from being told."""
    assert "40302 X" in worded({"errors": [3, problem("40302", "X")]}, 403)


def test_no_query_string_is_reported() -> None:
    """A refusal tells method and path, never the query."""
    assert "secret" not in worded({"errors": []})


def test_the_cause_is_the_last_line(orgvue: Orgvue) -> None:
    """The command ends with the cause as the last line on stderr, and without a traceback."""
    orgvue.refuse("40302", times=None)
    run = command(orgvue.config)
    assert run.code == 3
    assert "40302 ApiTokenExpired" in run.stderr.strip().splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_a_failed_stream_is_the_last_line(orgvue: Orgvue) -> None:
    """Where a stream failed, the last line on stderr names it and its cause."""
    config = {**orgvue.config, "max_retries": 0}
    catalog = discover(config)
    orgvue.refuse("400603", on="export", times=None)
    run = command(config, catalog=catalog)
    assert run.code == 5
    last = run.stderr.strip().splitlines()[-1]
    assert "people: " in last
    assert "400603 PathParameterMustBeUUIDString" in last
    assert "Traceback" not in run.stderr


def test_a_traceback_at_debug_level(orgvue: Orgvue) -> None:
    """With the log level DEBUG the traceback is there."""
    orgvue.refuse("40302", times=None)
    run = command(orgvue.config, env={"LOGLEVEL": "DEBUG", "TAP_ORGVUE_LOGLEVEL": "DEBUG"})
    assert "Traceback" in run.stderr
    assert orgvue.token not in run.stderr


def test_another_message() -> None:
    """An error with another message keeps its kind and all that is known of it."""
    error = refusal_of(RequestInfo("GET", "https://h/api"), 403, {"X-Amzn-Trace-Id": "1"}, b"")
    other = error.with_message("people: refused")
    assert (type(other), str(other)) == (type(error), "people: refused")
    assert (other.status, other.trace_id) == (403, "1")


def test_errors_of_one_cause() -> None:
    """Their symptoms are equal, whatever they name; another status, code or type differs."""
    symptoms = [
        refusal_of(RequestInfo("GET", f"https://h/{path}"), status, {}, body).symptom
        for path, status, body in (
            ("a", 500, b""),
            ("b", 500, b""),
            ("a", 502, b""),
            ("a", 500, b'{"errors": [{"code": "1"}]}'),
        )
    ]
    first, same, *others = symptoms
    assert first == same
    assert len({first, *others, OrgvueError("a").symptom}) == 4
