"""Where requests go: links are followed on the API's own origin, redirects nowhere at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.adapters import HTTPAdapter

from tap_orgvue.orgvue.auth import BearerToken
from tap_orgvue.orgvue.client import Client, ClientOptions
from tap_orgvue.orgvue.errors import MalformedResponse, OrgvueError
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.datasets import people
from tests.support.runs import discover, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

API = "https://orgvue.eu-west-1.concentra.io"


@pytest.fixture
def thief() -> Iterator[Orgvue]:
    """Somebody else's server, which would like a token."""
    with Orgvue([people()]) as orgvue:
        yield orgvue


def assert_nothing_stolen(thief: Orgvue) -> None:
    """Nobody came by."""
    assert thief.requests == []


# --- redirects


ROUTES: dict[str, dict[str, Any]] = {
    "list": {},
    "metadata": {"include_calculations": False},
    "export": {"export_mode": "sync"},
    "items": {"include_calculations": False},
    "job": {"export_mode": "async"},
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
@pytest.mark.parametrize("route", ROUTES)
def test_redirects_of_the_api_are_not_followed(
    orgvue: Orgvue, thief: Orgvue, route: str, status: int
) -> None:
    """Wherever a redirect leads, it is an error, at once, and the token does not go along."""
    config = {**orgvue.config, **ROUTES[route]}
    catalog = None if route in {"list", "metadata"} else discover(config)
    before = len(orgvue.requests_to(route))
    headers = {"Location": f"{thief.api_url}/api/v1/{thief.tenant_id}/datasets"}
    orgvue.answer(on=route, status=status, headers=headers, times=None)
    with pytest.raises(OrgvueError, match=f"HTTP {status}"):
        sync(config, catalog)
    assert_nothing_stolen(thief)
    assert len(orgvue.requests_to(route)) == before + 1


@pytest.mark.parametrize("route", ["list", "export"])
def test_nor_where_they_lead_to_the_api_itself(orgvue: Orgvue, route: str) -> None:
    """A redirect within the API is not followed either: the answer would be to another question."""
    catalog = discover(orgvue.config) if route == "export" else None
    headers = {"Location": f"/api/v1/{orgvue.tenant_id}/datasets"}
    orgvue.answer(on=route, status=302, headers=headers, times=None)
    with pytest.raises(OrgvueError, match="the token must not follow"):
        sync({**orgvue.config, "export_mode": "sync"}, catalog)


@pytest.mark.parametrize("route", ["ticket", "result"])
@pytest.mark.parametrize("to", ["api", "thief"])
def test_redirects_of_the_file_host_are_not_followed(
    orgvue: Orgvue, thief: Orgvue, route: str, to: str
) -> None:
    """A ticket or a result that is elsewhere is lost; nothing is sent after it."""
    catalog = discover(orgvue.config)
    orgvue.job_polls = ("completed",)
    orgvue.job_status_word = "completed" if route == "result" else None
    before = len(orgvue.requests)
    url = orgvue.api_url if to == "api" else thief.api_url
    orgvue.answer(on=route, status=302, headers={"Location": f"{url}/stolen"}, times=None)
    with pytest.raises(OrgvueError, match="HTTP 302"):
        sync({**orgvue.config, "export_mode": "async", "max_retries": 0}, catalog)
    assert_nothing_stolen(thief)
    asked = orgvue.requests[before:]
    assert not [request for request in asked if request.path == "/stolen"]
    assert {request.route for request in asked} <= {"job", "ticket", "result"}


# --- links to a next page


def elsewhere(thief: Orgvue, orgvue: Orgvue) -> dict[str, str]:
    """Links that lead away from the API, some in disguise."""
    there, own = thief.api_url.removeprefix("http://"), orgvue.api_url.removeprefix("http://")
    path = f"/api/v1/{orgvue.tenant_id}/datasets"
    port = there.rpartition(":")[2]
    return {
        "plainly": f"http://{there}{path}",
        "without a scheme": f"//{there}{path}",
        "with the API as a user name": f"http://{own}@{there}{path}",
        "with the API as user and password": f"http://{own.replace(':', ':x')}@{there}{path}",
        "by another name of this machine": f"http://localhost:{port}{path}",
        "by another port": f"http://127.0.0.1:{port}{path}",
        "behind a fragment": f"http://{there}#@{own}{path}",
        "behind a query": f"http://{there}?@{own}{path}",
        "with a tab": f"ht\ttp://{there}{path}",
        "with a line break": f"http:\n//{there}{path}",
        "with space before": f"  http://{there}{path}",
        "in capitals": f"HTTP://{there}{path}",
        "by https": f"https://{own}{path}",
        "by ftp": f"ftp://{own}{path}",
        "to a file": "file:///etc/passwd",
        "to a script": "javascript:/x",
        "to no port": f"http://127.0.0.1:999999{path}",
        "to half an address": "http://[::1/x",
        "to nobody": "http://\x00/x",
    }


KINDS = list(elsewhere(Orgvue([]), Orgvue([])))


def listing(link: str) -> bytes:
    """A list of datasets with a next page."""
    return json.dumps({"items": [], "_links": {"next": {"url": link}}}).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_that_leads_elsewhere(orgvue: Orgvue, thief: Orgvue, kind: str) -> None:
    """A next page of the list on any other origin is an error, and nobody is asked for it."""
    link = elsewhere(thief, orgvue)[kind]
    headers = {"Content-Type": "application/json"}
    orgvue.answer(on="list", body=listing(link), headers=headers, times=None)
    with pytest.raises(MalformedResponse, match="next link"):
        discover({**orgvue.config, "max_retries": 0})
    assert_nothing_stolen(thief)
    assert len(orgvue.requests) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_that_leads_elsewhere(
    serve: Callable[..., Orgvue], thief: Orgvue, kind: str
) -> None:
    """A next page of an export on any other origin is an error of its stream."""
    dataset = Dataset("People", properties=[Property("x")], rows=[{"x": "1"}])
    orgvue = serve(dataset)
    catalog = discover(orgvue.config)
    link = elsewhere(thief, orgvue)[kind]
    dataset.body = json.dumps(
        {
            "headers": [{"key": "_id", "type": "text"}, {"key": "x", "type": "text"}],
            "rows": [["1", "a"]],
            "_links": {"next": {"url": link}},
        }
    ).encode()
    before = len(orgvue.requests)
    with pytest.raises(OrgvueError, match="next link"):
        sync({**orgvue.config, "export_mode": "sync"}, catalog)
    assert_nothing_stolen(thief)
    assert len(orgvue.requests) == before + 1


@pytest.mark.parametrize(
    "link",
    [
        *("?page=2", "/api/v1/DEMO/datasets?page=2", "datasets?page=2", "./datasets?page=2"),
        *("{api}/api/v1/DEMO/datasets?page=2", "{API}/api/v1/DEMO/datasets?page=2#x"),
    ],
)
def test_links_within_the_api_are_followed(orgvue: Orgvue, link: str) -> None:
    """Relative links and those to the API's own origin are asked for, with the token."""
    link = link.format(api=orgvue.api_url, API=orgvue.api_url.upper())
    headers = {"Content-Type": "application/json"}
    orgvue.answer(on="list", body=listing(link), headers=headers)
    discover(orgvue.config)
    second = orgvue.requests[1]
    assert second.header("Authorization") == f"Bearer {orgvue.token}"
    assert second.path.startswith("/api/v1/DEMO/")


@pytest.fixture(scope="module")
def client() -> Client:
    """A client of a real server, which nothing is asked of here."""
    return Client(ClientOptions(api_token="the-token", tenant_id="ACME", api_url=API))


HOSTS = ("orgvue.eu-west-1.concentra.io", "evil.test", "localhost", "127.0.0.1", "[::1]", "0", "")
pieces = st.sampled_from(
    [
        *HOSTS,
        *("https:", "http:", "HTTPS:", "//", "/", "\\", "@", ":", "#", "?", "443", "80", "%2f"),
        *("\t", "\n", "\r", " ", "\x00", "%00", ".", "..", "[", "]", "é", "\uff0e", "\u2024", "x"),
        *("ⓔvil.test", "evil.test.", ".concentra.io", ";", "&", "=", "\ud800", "\u202e", "\ufeff"),
    ]
)
links = st.lists(pieces, max_size=9).map("".join) | st.text(max_size=40)


def goes_to(request: requests.PreparedRequest) -> tuple[str, str, int]:
    """Where a connection would be made to for a request, as the library decides it."""
    host, _ = HTTPAdapter().build_connection_pool_key_attributes(request, verify=True)
    port = host["port"] or {"https": 443, "http": 80}[host["scheme"]]
    return host["scheme"], host["host"], port


@given(links)
def test_whatever_a_link_looks_like_the_token_stays(client: Client, link: str) -> None:
    """A link that is followed leads to the API's origin, however it is written."""
    home = ("https", HOSTS[0], 443)
    try:
        url = client.same_origin(link, f"{API}/api/v1/ACME/datasets")
        assert url is not None
        request = client.prepare("GET", url)
    except MalformedResponse as error:
        assert link == "" or "\n" not in str(error)  # noqa: PT017 - as right as a request
        return
    assert goes_to(request) == home


@given(st.sampled_from(["https://", "http://", "//", ""]), links)
def test_whatever_is_asked_the_token_goes_home(scheme: str, link: str) -> None:
    """The token is put on requests that connect to its origin, and on no others."""
    request = requests.Request("GET", f"{scheme}{link}")
    session = requests.Session()
    session.trust_env = False
    session.auth = BearerToken("the-token", API)
    try:
        prepared = session.prepare_request(request)
        place = goes_to(prepared)
    except (ValueError, KeyError):
        return  # No request comes of it at all.
    assert ("Authorization" in prepared.headers) == (place == ("https", HOSTS[0], 443))


# --- what addresses are made of


@pytest.mark.parametrize(
    "dataset_id",
    ["", " ", "../../stolen", "{api_token}", "A/export", "?x=1", "#", "é", "1" * 5000, "\n"],
)
def test_an_id_that_is_none(orgvue: Orgvue, dataset_id: str) -> None:
    """Addresses are made of ids that are UUIDs, and of no others."""
    entry = {"datasetId": dataset_id, "name": "People", "type": "PEOPLE"}
    headers = {"Content-Type": "application/json"}
    orgvue.answer(on="list", body=json.dumps([entry]).encode(), headers=headers, times=None)
    with pytest.raises(MalformedResponse, match="a `datasetId` that is not a UUID"):
        discover(orgvue.config)
    assert len(orgvue.requests) == 1


def test_a_catalogs_table_that_is_no_id(orgvue: Orgvue) -> None:
    """A `table_name` that was edited is not made an address of: the stream's name tells."""
    catalog = discover(orgvue.config)
    for entry in catalog["streams"]:
        entry["table_name"] = "../../{api_token}"
    run = sync(orgvue.config, catalog)
    assert len(run.records["people"]) == 5
    assert all("token" not in request.path for request in orgvue.requests)
