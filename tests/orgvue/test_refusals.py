"""Orgvue's refusals: one sentence each, with what to do, without traceback or query string."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.advice import ADVICE, ADVICE_BY_STATUS
from tap_orgvue.orgvue.errors import OrgvueError, RequestInfo, refusal_of
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
def test_a_status_without_a_code(orgvue: Orgvue, status: int) -> None:
    """What a gateway refuses without Orgvue's error body is told by its status."""
    orgvue.refuse(int(status), times=None, on="list")
    sentence = told(orgvue.config)
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


def test_several_errors_are_all_told() -> None:
    """Every entry of an error body is told, with the advice to each that is known."""
    sentence = worded(
        {"errors": [problem("40301", "A", "one"), problem("499999", "B", "two")]}, 403
    )
    assert "(40301 A: one; 499999 B: two)" in sentence
    assert "the token is not active yet" in sentence


def test_very_many_errors_are_all_told_once_each() -> None:
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


def test_no_query_string_is_told() -> None:
    """A refusal tells method and path, never the query."""
    assert "secret" not in worded({"errors": []})


def test_the_cause_is_the_last_line(orgvue: Orgvue) -> None:
    """The command ends with the cause as the last line on stderr, and without a traceback."""
    orgvue.refuse("40302", times=None)
    run = command(orgvue.config)
    assert run.code == 1
    assert "40302 ApiTokenExpired" in run.stderr.strip().splitlines()[-1]
    assert "Traceback" not in run.stderr


def test_a_failed_stream_is_the_last_line(orgvue: Orgvue) -> None:
    """Where a stream failed, the last line on stderr names it and its cause."""
    config = {**orgvue.config, "max_retries": 0}
    catalog = discover(config)
    orgvue.refuse("400603", on="export", times=None)
    run = command(config, catalog=catalog)
    assert run.code == 1
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
