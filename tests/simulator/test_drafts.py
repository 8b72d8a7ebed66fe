"""Drafts are listed, and their layers exported as item actions, through a job or at once."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_orgvue.simulator import Dataset, Draft, Tenant, many_actions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulator.conftest import Client

HIRES: list[dict[str, object]] = [
    {"_action": "create", "id": "new", "salary": 50},
    {"_action": "update", "_id": "7918D0B4-0000-4000-8000-000000000000", "salary": 65000},
    {"_action": "delete", "_id": "7918D0B4-0000-4000-8000-000000000001"},
]
LINK: dict[str, object] = {"_action": "replace", "from_id": 1, "to_id": "b", "share": 0.5}


@pytest.fixture
def drafts(serve: Callable[[Tenant], Client], people: Dataset) -> Client:
    """A client of a tenant with a draft of `People` in two layers, and one based on nothing."""
    plan = Draft("Plan", HIRES, base=people, layers={"links": [LINK]}, details={"owner": "Zoë"})
    return serve(Tenant([people], [plan, Draft("Loose")]))


def api(client: Client, path: str) -> str:
    """Give an address of the tenant."""
    return client.url().removesuffix("/datasets") + path


def listed(client: Client) -> requests.Response:
    """List the drafts."""
    return client.session.get(api(client, "/drafts"), timeout=20)


def exported(client: Client, *layers: tuple[str, str], query: str = "") -> requests.Response:
    """Ask for the actions of layers, each given as a draft's name and a layer's key."""
    named = [
        {"draftId": client.orgvue.draft(name).draft_id, "layerKey": key} for name, key in layers
    ]
    url = api(client, f"/drafts/actions?{query}")
    return client.session.post(url, json={"layers": named}, timeout=20)


def actions(client: Client, *layers: tuple[str, str]) -> list[dict[str, Any]]:
    """Read the actions of layers through a job."""
    ticket = exported(client, *layers, query="resultEncoding=gzip").json()
    while ticket["jobStatus"] in {"created", "running"}:
        ticket = client.ticket(ticket).json()
    found: list[dict[str, Any]] = json.loads(gzip.decompress(client.result(ticket).content))
    return found


def test_the_list(drafts: Client) -> None:
    """The list tells id, name, base dataset where there is one, layers, and where to go on."""
    plan, loose = listed(drafts).json()
    assert plan == {
        "draftId": drafts.orgvue.draft("Plan").draft_id,
        "name": "Plan",
        "datasetId": drafts.orgvue.dataset("People").dataset_id,
        "layers": [{"layerKey": "default"}, {"layerKey": "links"}],
        "_links": {
            "draft:actions": {
                "url": api(drafts, "/drafts/actions"),
                "method": "POST",
                "type": "resource",
            }
        },
        "owner": "Zoë",
    }
    assert (loose["name"], "datasetId" in loose) == ("Loose", False)


def test_the_list_may_tell_little(drafts: Client) -> None:
    """What the list tells besides the id is up to the draft."""
    drafts.orgvue.draft("Plan").tells = ()
    drafts.orgvue.draft("Loose").base = "no uuid"
    plan, loose = listed(drafts).json()
    assert {*plan} == {"draftId", "owner"}
    assert loose["datasetId"] == "no uuid"


def test_entries_can_be_altered(drafts: Client) -> None:
    """An entry of the list can be any JSON."""
    drafts.orgvue.amend(on="drafts", entry="Plan", put={"layers": ["default"]})
    drafts.orgvue.amend(on="drafts", entry="Loose", to=7)
    plan, loose = listed(drafts).json()
    assert (plan["layers"], loose) == (["default"], 7)


def test_actions(drafts: Client) -> None:
    """A job gives the actions of the layers that were named, in order, as they are."""
    assert actions(drafts, ("Plan", "default")) == HIRES
    assert actions(drafts, ("Plan", "links"), ("Plan", "default")) == [LINK, *HIRES]
    assert actions(drafts, ("Loose", "default")) == []


def test_a_job_of_actions(drafts: Client) -> None:
    """The answer is a job ticket like that of an export; its requests name the draft."""
    first = exported(drafts, ("Plan", "default"))
    assert (first.status_code, first.json()["jobStatus"]) == (202, "created")
    ticket = first.json()
    while "result" not in ticket["_links"]:
        ticket = drafts.ticket(ticket).json()
    result = drafts.result(ticket)
    assert result.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert result.json() == HIRES
    plan = (drafts.orgvue.draft("Plan").draft_id,)
    assert {request.draft_ids for request in drafts.orgvue.requests} == {plan}
    assert drafts.orgvue.counts() == {"draft_actions": 1, "poll": 3, "download": 1}


def test_other_answers(drafts: Client) -> None:
    """The answer can be a completed ticket, or the array of actions itself."""
    drafts.orgvue.draft_answer = "completed"
    ticket = exported(drafts, ("Plan", "default")).json()
    assert ticket["jobStatus"] == "completed"
    assert drafts.result(ticket).json() == HIRES
    drafts.orgvue.draft_answer = "array"
    answer = exported(drafts, ("Plan", "default"))
    assert (answer.status_code, answer.json()) == (200, HIRES)


def test_strange_actions(drafts: Client) -> None:
    """A layer holds whatever it was given: unknown words, no id, no object."""
    strange: list[Any] = [{"_action": "merge"}, {"_id": "x"}, 7, None, {"_action": None}]
    drafts.orgvue.draft("Plan").actions = strange
    assert actions(drafts, ("Plan", "default")) == strange


def test_clearing(drafts: Client) -> None:
    """A cleared draft is listed and empty; the export before it keeps what was there."""
    ticket = exported(drafts, ("Plan", "default")).json()
    drafts.orgvue.draft("Plan").clear()
    assert actions(drafts, ("Plan", "default"), ("Plan", "links")) == []
    for _ in range(3):
        ticket = drafts.ticket(ticket).json()
    assert drafts.result(ticket).json() == HIRES
    assert len(listed(drafts).json()) == 2


def test_deleting(drafts: Client) -> None:
    """A deleted draft is neither listed nor exported, from that moment on."""
    tenant, plan = drafts.orgvue.tenant, drafts.orgvue.draft("Plan")
    drafts.orgvue.meanwhile(lambda: tenant.remove_draft("Plan"), on="drafts", after=True)
    assert [each["name"] for each in listed(drafts).json()] == ["Plan", "Loose"]
    assert [each["name"] for each in listed(drafts).json()] == ["Loose"]
    body = {"layers": [{"draftId": plan.draft_id, "layerKey": "default"}]}
    refused = drafts.session.post(api(drafts, "/drafts/actions"), json=body, timeout=20)
    assert drafts.error(refused) == (404, "404603")
    tenant.add_draft(plan)
    tenant.remove_draft(plan)
    with pytest.raises(KeyError):
        drafts.orgvue.draft("Plan")


def test_refusing(drafts: Client) -> None:
    """The list, one draft, a layer, or drafts altogether can be refused."""
    drafts.orgvue.refuse("403602", on="drafts")
    assert drafts.error(listed(drafts)) == (403, "403602")
    drafts.orgvue.refuse("500601", on="draft_actions", draft="Plan")
    assert drafts.error(exported(drafts, ("Plan", "default"))) == (500, "500601")
    assert drafts.error(exported(drafts, ("Plan", "nothing"))) == (404, "404604")
    drafts.orgvue.draft("Plan").hidden_because = "403602"
    assert drafts.error(exported(drafts, ("Plan", "default"))) == (403, "403602")
    assert exported(drafts, ("Loose", "default")).status_code == 202
    drafts.orgvue.drafts = False
    assert drafts.error(listed(drafts)) == (404, "404602")
    assert drafts.error(exported(drafts, ("Loose", "default"))) == (404, "404602")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"layers": []},
        {"layers": "x"},
        {"layers": ["x"]},
        {"layers": [{"draftId": 7, "layerKey": "default"}]},
        {"layers": [{"draftId": "no uuid", "layerKey": "default"}]},
        {"layers": [{"draftId": "x", "layerKey": "default"}], "resultLocation": "https://x"},
    ],
)
def test_wrong_bodies(drafts: Client, body: object) -> None:
    """A body that names no layers is refused, and so is a result location."""
    refused = drafts.session.post(api(drafts, "/drafts/actions"), json=body, timeout=20)
    assert drafts.error(refused) == (400, "400601")


def test_wrong_methods_and_encodings(drafts: Client) -> None:
    """Drafts are read by GET, actions by POST; other encodings than gzip are refused."""
    url = api(drafts, "/drafts/actions")
    assert drafts.error(drafts.session.get(url, timeout=20)) == (405, "405601")
    refused = drafts.session.post(api(drafts, "/drafts"), json={}, timeout=20)
    assert drafts.error(refused) == (405, "405601")
    refused = exported(drafts, ("Plan", "default"), query="resultEncoding=br")
    assert drafts.error(refused) == (400, "400605")


def test_jobs_of_a_draft_can_be_planned(drafts: Client) -> None:
    """Trouble of jobs meets those of a draft too."""
    drafts.orgvue.plan_job("failed", errors="500601", draft="Plan")
    drafts.orgvue.refuse(503, on="poll", draft="Loose")
    for name, expected in (("Loose", 503), ("Plan", 200)):
        ticket = exported(drafts, (name, "default")).json()
        polled = drafts.ticket(ticket)
        assert polled.status_code == expected
    assert polled.json()["jobStatus"] == "failed"


@pytest.mark.slow
def test_a_huge_draft(drafts: Client) -> None:
    """A draft of very many actions is made while it is sent, plain or compressed alike."""
    people = drafts.orgvue.dataset("People")
    drafts.orgvue.draft("Plan").actions = many_actions(30_000, people)
    drafts.orgvue.draft_answer = "completed"
    plain, packed = (
        drafts.result(exported(drafts, ("Plan", "default"), query=f"resultEncoding={name}").json())
        for name in ("identity", "gzip")
    )
    found = plain.json()
    assert len(found) == 30_000
    assert gzip.decompress(packed.content) == plain.content
    assert int(packed.headers["Content-Length"]) == len(packed.content)
    assert found[0] == {"_action": "update", "_id": people.rows[0]["_id"], "id": "0"}
    assert {each["_id"] for each in found} == {row["_id"] for row in people.rows}
    drafts.orgvue.draft_answer = "array"
    drafts.orgvue.hang_up(on="draft_actions", after=100_000)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        exported(drafts, ("Plan", "default"))
    drafts.orgvue.amend(on="draft_actions", to="too large to be altered")
    assert len(exported(drafts, ("Plan", "default")).json()) == 30_000


@pytest.mark.slow
def test_a_huge_draft_takes_no_memory(serve: Callable[[Tenant], Client]) -> None:
    """However many actions a layer has, the simulator holds a few of them at a time."""

    def make() -> Iterator[dict[str, object]]:
        return ({"_action": "create", "text": "x" * 2000} for _ in range(5000))

    client = serve(Tenant([], [Draft("Huge", make)]))
    client.orgvue.draft_answer = "completed"
    ticket = exported(client, ("Huge", "default")).json()
    tracemalloc.start()
    try:
        with requests.get(ticket["_links"]["result"]["url"], stream=True, timeout=20) as result:
            size = sum(map(len, result.iter_content(65536)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 10_000_000
    assert peak < size / 4
