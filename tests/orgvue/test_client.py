"""The client: addresses, headers, the list's pages, limits, and responses of any shape."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import socketserver
import tracemalloc
from datetime import datetime, timedelta, timezone
from functools import cache
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_orgvue.orgvue.client import ClientOptions
from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    DeadlineExceeded,
    ErrorsInResponse,
    MalformedResponse,
    OrgvueError,
    Refusal,
    RequestLimitReached,
    RetryAfterTooLong,
    Stopped,
    TenantUnknown,
    TruncatedResponse,
)
from tap_orgvue.orgvue.models import BadEntry, Dataset, DatasetList
from tap_orgvue.orgvue.server_time import ServerTime
from tap_orgvue.settings import Settings
from tap_orgvue.settings.settings import SETTINGS_SCHEMA
from tests.support.mocked_orgvue import API, PROBE, TENANT, TOKEN, MockedOrgvue
from tests.support.runs import discover, sync

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

JSON = {"Content-Type": "application/json; charset=UTF-8"}
GZIP = {**JSON, "Content-Encoding": "gzip"}

LIST = f"{TENANT}/datasets"
IDS = [f"0B53AAAA-0000-4000-8000-00000000000{i}" for i in range(4)]


def entry(i: int) -> dict[str, Any]:
    """An entry of the list."""
    return {"datasetId": IDS[i], "name": f"D{i}", "type": "PEOPLE", "isPermissionedView": i == 1}


def page(*numbers: int, link: object = None) -> dict[str, Any]:
    """A page of the list with a next link."""
    return {"items": [entry(i) for i in numbers], "_links": {"next": link}}


# --- options and addresses


def test_options_hide_the_token() -> None:
    """The text of the options names tenant and server, but never the token."""
    options = ClientOptions(api_url=API, tenant_id="ACME", api_token=TOKEN)
    assert TOKEN not in f"{options} {options!r}"
    assert "'ACME' at 'https://orgvue.test'" in str(options)


def test_options_default_to_the_settings() -> None:
    """An option that is not given is as the setting of its name is by default."""
    given: dict[str, Any] = {"api_url": API, "tenant_id": "ACME", "api_token": TOKEN}
    options = ClientOptions(**given)
    settings = Settings.from_config(given, SETTINGS_SCHEMA)
    own = {"user_agent", "total_timeout"}
    for name in set(ClientOptions.__struct_fields__) - own:
        assert getattr(options, name) == getattr(settings, name), name
    assert options.total_timeout is None


def test_addresses() -> None:
    """The client names the address of each endpoint below the tenant's own path."""
    client = MockedOrgvue().client
    assert client.base_url == "https://orgvue.test/api/v1/ACME"
    assert client.dataset_url("X") == f"{TENANT}/datasets/X"
    assert client.export_url("X") == f"{TENANT}/datasets/X/export/jsonRows"
    assert client.items_url("X") == f"{TENANT}/datasets/X/items"
    assert client.drafts_url == f"{TENANT}/drafts"
    assert client.draft_actions_url == f"{TENANT}/drafts/actions"


def test_every_request_has_the_documented_headers() -> None:
    """Each request has token, content type and encoding, on GET as on POST."""
    orgvue = MockedOrgvue(user_agent="tap-orgvue/1")
    orgvue.serve("GET", LIST, {"json": page(0, link={"url": f"{LIST}?page=2"})})
    orgvue.serve("GET", f"{LIST}?page=2", {"status_code": 503}, {"json": []})
    orgvue.serve("GET", f"{LIST}/{IDS[0]}", {"json": {"properties": []}})
    orgvue.serve("POST", orgvue.client.export_url(IDS[0]), {"json": {}})
    orgvue.client.datasets()
    orgvue.client.metadata(IDS[0])
    orgvue.client.json(
        orgvue.client.prepare("POST", orgvue.client.export_url(IDS[0]), json={"query": {}}), PROBE
    )
    requests = orgvue.adapter.request_history
    assert len(requests) == 5
    for request in requests:
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert request.headers["Accept"] == "application/json"
        assert request.headers["Accept-Encoding"] == "gzip"
        assert request.headers["User-Agent"] == "tap-orgvue/1"
    assert requests[-1].json() == {"query": {}}


def test_the_file_host_gets_no_credentials() -> None:
    """A request through the transport for files has no token, wherever it goes."""
    orgvue = MockedOrgvue()
    for url in ("https://files.test/x", f"{API}/x"):
        orgvue.serve("GET", url, {"json": {}})
        with orgvue.client.open_file(orgvue.client.files.prepare("GET", url), PROBE):
            pass
    assert ["Authorization" in r.headers for r in orgvue.adapter.request_history] == [False, False]


# --- the list's pages


def test_the_list_is_an_array() -> None:
    """The documented list is one array of entries; a dataset without a name has an empty one."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": [entry(0), entry(1), {"datasetId": IDS[2]}]})
    assert orgvue.client.datasets().datasets == (
        Dataset(IDS[0], "D0", "PEOPLE", is_permissioned_view=False),
        Dataset(IDS[1], "D1", "PEOPLE", is_permissioned_view=True),
        Dataset(IDS[2], ""),
    )
    assert orgvue.urls == [LIST]


@pytest.mark.parametrize("link", [f"{LIST}?page=2", "?page=2", "/api/v1/ACME/datasets?page=2"])
@pytest.mark.parametrize("form", ["object", "text"])
def test_next_links_are_followed(link: str, form: str) -> None:
    """Every page of the list is read once, in order, whether its link is relative or not."""
    orgvue = MockedOrgvue()
    orgvue.serve(
        "GET", LIST, {"json": page(0, 1, link={"url": link} if form == "object" else link)}
    )
    orgvue.serve("GET", f"{LIST}?page=2", {"json": page(2, link={"url": "?page=3"})})
    orgvue.serve("GET", f"{LIST}?page=3", {"json": page(3)})
    assert [each.dataset_id for each in orgvue.client.datasets().datasets] == IDS
    assert orgvue.urls == [LIST, f"{LIST}?page=2", f"{LIST}?page=3"]


@pytest.mark.parametrize("back", [LIST, "?page=2"])
def test_pages_that_lead_in_a_circle(back: str) -> None:
    """A next link to a page that was read already is an error, not an endless list."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": page(0, link="?page=2")})
    orgvue.serve("GET", f"{LIST}?page=2", {"json": page(1, link=back)})
    with pytest.raises(MalformedResponse, match="lead in a circle"):
        orgvue.client.datasets()
    assert len(orgvue.urls) == 2


@pytest.mark.parametrize(
    "link,place",
    [
        ("https://evil.test/api/v1/ACME/datasets", "https://evil.test:443"),
        ("https://orgvue.test:444/datasets", "https://orgvue.test:444"),
        ("http://orgvue.test/datasets", "http://orgvue.test:80"),
        (f"https://{'a.' * 100}test/", f"https://{'a.' * 100}test:443"),
        (f"https://{'a.' * 200}test/", "https://…:443"),
    ],
)
def test_a_next_link_to_another_origin(link: str, place: str) -> None:
    """A next link to another scheme, host or port is an error that names it, and not followed."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": page(0, link=link)})
    with pytest.raises(MalformedResponse, match=rf"another server \({place}\)"):
        orgvue.client.datasets()
    assert orgvue.urls == [LIST]


def test_a_next_link_of_an_unknown_form() -> None:
    """A next link that is neither text nor an object with a `url` is an error."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": page(0, link=[1])})
    with pytest.raises(MalformedResponse, match="does not know"):
        orgvue.client.datasets()


LISTS: dict[str, tuple[Any, str]] = {
    "null": (None, "is not a list"),
    "a number": (5, "is not a list"),
    "an object": ({}, "is not a list"),
    "two lists": ({"a": [], "b": []}, "is not a list"),
    "of nulls": ([None, None], "Entry 1 of the list of datasets is not an object"),
    "of numbers": ([5], "is not an object"),
    "of lists": ([[]], "is not an object"),
    "without ids": ([{"name": "x"}], "datasets, 'x', has no text as its `datasetId`"),
    "with ids of numbers": ([{"datasetId": 5}], "has no text as its `datasetId`"),
    "with other ids": ([{"datasetId": "../x"}], "has a `datasetId` that is not a UUID"),
    "with errors": ({"errors": [{"code": "4711", "message": "No."}]}, r"errors \(4711: No\.\)"),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_another_shape(kind: str) -> None:
    """A list of datasets of another shape is one error, and no tenant without datasets."""
    body, message = LISTS[kind]
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"text": json.dumps(body)})
    with pytest.raises(OrgvueError, match=message):
        orgvue.client.datasets()


# --- limits


@pytest.mark.parametrize("limit", [1, 3])
def test_the_request_limit_counts_every_attempt(limit: int) -> None:
    """Retries count as requests; none is sent beyond `max_requests_per_run`."""
    orgvue = MockedOrgvue(max_requests_per_run=limit, max_retries=9)
    orgvue.serve("GET", LIST, {"status_code": 500})
    with pytest.raises(RequestLimitReached, match=f"the limit of {limit} requests"):
        orgvue.client.datasets()
    assert len(orgvue.urls) == orgvue.client.requests.totals().count == limit


@pytest.mark.parametrize("retries", [0, 2])
def test_the_maximum_of_retries(retries: int) -> None:
    """A request is sent once and then `max_retries` times; a call can ask for fewer attempts."""
    orgvue = MockedOrgvue(max_retries=retries)
    orgvue.serve("GET", LIST, {"status_code": 500})
    with pytest.raises(Refusal):
        orgvue.client.datasets()
    assert len(orgvue.urls) == retries + 1

    def attempt() -> None:
        with orgvue.client.open(orgvue.client.prepare("GET", LIST), PROBE):
            pass

    with pytest.raises(Refusal):
        orgvue.client.retrying(attempt, PROBE, tries=2)
    assert len(orgvue.urls) == retries + 3


def test_a_failed_request_leaves_its_slot() -> None:
    """Refused requests do not count as requests in flight."""
    orgvue = MockedOrgvue(max_parallel_requests=1, max_retries=3)
    orgvue.serve("GET", LIST, *[{"status_code": 500}] * 3, {"json": []})
    assert orgvue.client.datasets() == DatasetList(())


def test_requests_are_spaced() -> None:
    """Without any wait of its own, a second request waits for the rate limit."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": []})
    orgvue.client.datasets()
    assert orgvue.stop.waits == []
    orgvue.client.datasets()
    assert orgvue.stop.waits == [pytest.approx(1 / 90)]


def test_no_request_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed client sends nothing any more, and every wait has ended."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": []})
    closed: list[object] = []
    monkeypatch.setattr(orgvue.adapter, "close", lambda: closed.append(0))
    orgvue.client.close()
    assert orgvue.client.stop.is_set()
    # Both transports have the adapter for two schemes.
    assert len(closed) == 4
    with pytest.raises(Stopped):
        orgvue.client.datasets()
    assert orgvue.urls == []


def test_a_throttle_pauses_every_request_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """After a throttle the next request of any thread waits as long as the retry does."""
    caplog.set_level(logging.INFO)
    orgvue = MockedOrgvue(max_retries=0)
    orgvue.serve("GET", LIST, {"status_code": 429, "headers": {"Retry-After": "40"}}, {"json": []})
    orgvue.stop.ends_after = 1
    with pytest.raises(Refusal):
        orgvue.client.retrying(orgvue.client.datasets, PROBE, tries=2)
    assert orgvue.stop.waits == [40]
    assert "probe: throttled by Orgvue, waiting 40 s" in caplog.text


def test_no_request_after_the_deadline() -> None:
    """A client whose time is over sends nothing any more, and says which limit that is."""
    orgvue = MockedOrgvue(total_timeout=50)
    orgvue.serve("GET", LIST, {"json": []})
    orgvue.stop.now = 49.9
    orgvue.client.datasets()
    orgvue.stop.now = 50
    with pytest.raises(DeadlineExceeded, match="50 seconds in all is the limit"):
        orgvue.client.datasets()
    assert len(orgvue.urls) == 1


@pytest.mark.parametrize("limits", [{"total_timeout": 50}, {}])
def test_no_retry_beyond_a_deadline(limits: dict[str, Any]) -> None:
    """The client's own deadline and that of a caller end the retries, whichever is earlier."""
    orgvue = MockedOrgvue(**limits)
    orgvue.serve("GET", LIST, {"status_code": 503, "headers": {"Retry-After": "51"}})
    deadline = orgvue.client.deadline(100 if limits else 50, "`job_timeout`")

    def attempt() -> None:
        with orgvue.client.open(orgvue.client.prepare("GET", LIST), PROBE):
            pass

    with pytest.raises(DeadlineExceeded, match="50 seconds in all" if limits else "`job_timeout`"):
        orgvue.client.retrying(attempt, PROBE, deadline=deadline)
    assert len(orgvue.urls) == 1


def test_the_longest_retry_after_is_an_option() -> None:
    """`max_retry_wait` bounds a `Retry-After`: a longer one ends the run."""
    orgvue = MockedOrgvue(max_retry_wait=100)
    orgvue.serve(
        "GET", LIST, *[{"status_code": 503, "headers": {"Retry-After": s}} for s in SECONDS]
    )
    with pytest.raises(RetryAfterTooLong, match=r"`max_retry_wait` \(100 seconds\)"):
        orgvue.client.datasets()
    assert len(orgvue.urls) == 2
    assert ClientOptions(api_url=API, tenant_id="A", api_token="x").max_retry_wait == 900


SECONDS = ("100", "101")


# --- the server's clock


def test_the_servers_time() -> None:
    """The `Date` of the latest response is kept, with the time at which it arrived."""
    orgvue = MockedOrgvue()
    dates = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:09 -0000")
    orgvue.serve("GET", LIST, *[{"json": [], "headers": {"Date": date}} for date in dates])
    assert orgvue.client.server_time() is None
    orgvue.client.datasets()
    at = datetime(2015, 10, 21, 7, 28, tzinfo=timezone.utc)
    assert orgvue.client.server_time() == ServerTime(at, 0)
    orgvue.stop.now = 7
    orgvue.client.datasets()
    assert orgvue.client.server_time() == ServerTime(at + timedelta(seconds=9), 7)


@pytest.mark.parametrize(
    "header,hour",
    [
        ("Thu, 01 Jan 2026 10:00:00 GMT", 10),
        ("Thu, 01 Jan 2026 10:00:00 -0000", 10),
        ("Thu, 01 Jan 2026 10:00:00 +0200", 8),
        ("soon", None),
        ("Thu, 99 Jan 2026 10:00:00 GMT", None),
    ],
)
def test_dates_of_responses(header: str, hour: int | None) -> None:
    """A date is an instant, in UTC where it names no zone; what is none tells no time."""
    found = ServerTime.from_header(header, 0.0)
    expected = None if hour is None else datetime(2026, 1, 1, hour, tzinfo=timezone.utc)
    assert (found and found.date) == expected


def test_a_response_without_a_date() -> None:
    """A response without a `Date` leaves the earlier one; the file host's clock is not Orgvue's."""
    orgvue = MockedOrgvue()
    date = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT"}
    orgvue.serve("GET", LIST, {"json": [], "headers": date}, {"json": []})
    orgvue.client.datasets()
    before = orgvue.client.server_time()
    orgvue.client.datasets()
    orgvue.serve(
        "GET", "https://files.test/", {"headers": {"Date": "Thu, 1 Jan 2026 00:00:00 GMT"}}
    )
    with orgvue.client.open_file(orgvue.client.files.prepare("GET", "https://files.test/"), PROBE):
        pass
    assert orgvue.client.server_time() == before is not None


@pytest.mark.parametrize(
    "date", ["soon", "Wed, 99 Foo 2015", "Mon, 1 Jan 99999999999 00:00:00 GMT"]
)
def test_a_date_that_is_none(date: str) -> None:
    """A `Date` that cannot be read is none."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": [], "headers": {"Date": date}})
    orgvue.client.datasets()
    assert orgvue.client.server_time() is None


# --- errors of small responses


def test_one_bad_entry_does_not_hide_the_others() -> None:
    """The list's good entries are datasets; its bad ones are told with their number."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"json": page(0, link="?page=2")})
    orgvue.serve("GET", f"{LIST}?page=2", {"json": [{"datasetId": "x", "name": "Bad"}, entry(1)]})
    listing = orgvue.client.datasets()
    assert [dataset.dataset_id for dataset in listing.datasets] == IDS[:2]
    assert listing.bad_entries == (BadEntry(2, "x", "Bad", "has a `datasetId` that is not a UUID"),)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_refused_list_is_a_wrong_tenant(status: int) -> None:
    """400, 403 and 404 of the list advise to check the tenant, and keep Orgvue's words."""
    orgvue = MockedOrgvue()
    errors = {"errors": [{"code": f"{status}602", "message": "No."}]}
    orgvue.serve("GET", LIST, {"status_code": status, "json": errors})
    with pytest.raises(
        TenantUnknown, match=r"602: No\.\)\..*`tenant_id` at https://orgvue.test/tenants"
    ):
        orgvue.client.datasets()


@pytest.mark.parametrize(
    "status,code", [(403, "40302"), (401, "401001"), (410, "410001"), (500, "5")]
)
def test_another_refusal_of_the_list(status: int, code: str) -> None:
    """The gateway's codes and other statuses of the list keep their own advice."""
    orgvue = MockedOrgvue(max_retries=0)
    orgvue.serve("GET", LIST, {"status_code": status, "json": {"errors": [{"code": code}]}})
    with pytest.raises(Refusal) as caught:
        orgvue.client.datasets()
    assert not isinstance(caught.value, TenantUnknown)
    assert "`tenant_id`" not in str(caught.value)


def test_a_refused_dataset_is_no_wrong_tenant() -> None:
    """A refusal of one dataset's metadata is that dataset's own."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", f"{LIST}/{IDS[0]}", {"status_code": 403})
    with pytest.raises(DatasetRefusal):
        orgvue.client.metadata(IDS[0])


@pytest.mark.parametrize("rest", [{}, {"properties": []}, {"items": [entry(0)]}])
def test_errors_beside_data(rest: dict[str, Any]) -> None:
    """A list or metadata with `errors` is an error in Orgvue's words, whatever is beside them."""
    body = {**rest, "errors": [{"code": "4711", "message": "Half."}]}
    orgvue = MockedOrgvue()
    for url in (LIST, f"{LIST}/{IDS[0]}"):
        orgvue.serve("GET", url, {"json": body, "headers": {"X-Amzn-Trace-Id": "Root=1-a\n"}})
    message = r"^Orgvue's response to GET .* reports errors \(4711: Half\.\)\. Trace id: Root=1-a$"
    with pytest.raises(ErrorsInResponse, match=message):
        orgvue.client.datasets()
    with pytest.raises(ErrorsInResponse, match=message):
        orgvue.client.metadata(IDS[0])


@pytest.mark.parametrize("errors", [[], None, {}, ""])
def test_no_errors(errors: object) -> None:
    """Empty `errors` are none."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", f"{LIST}/{IDS[0]}", {"json": {"properties": [], "errors": errors}})
    orgvue.serve("GET", LIST, {"json": {"items": [entry(0)], "errors": errors}})
    assert orgvue.client.metadata(IDS[0]).properties == ()
    assert len(orgvue.client.datasets().datasets) == 1


# --- small responses


@pytest.mark.parametrize("body", [b"", b"[", b'{"a": ', b"<html>", b"\xff\xfe", b"[" * 5000])
def test_a_body_that_is_not_json_is_retried(body: bytes) -> None:
    """A list that is not JSON, or only a part of it, is requested again."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"content": body}, {"json": [entry(0)]})
    assert len(orgvue.client.datasets().datasets) == 1
    orgvue = MockedOrgvue(max_retries=0)
    orgvue.serve("GET", LIST, {"content": body})
    message = "response to GET /api/v1/ACME/datasets is not JSON, or only a part of it"
    with pytest.raises(TruncatedResponse, match=message):
        orgvue.client.datasets()


def test_half_a_character() -> None:
    """A lone surrogate, which is valid JSON but no text, becomes a question mark."""
    orgvue = MockedOrgvue()
    orgvue.serve("GET", LIST, {"text": json.dumps([entry(0) | {"name": "Caf\ud83c é"}])})
    assert orgvue.client.datasets().datasets[0].name == "Caf? é"


@cache
def bomb() -> bytes:
    """A list that expands to 200 megabytes."""
    return gzip.compress(b"[" + b" " * (200 * 1024 * 1024), compresslevel=1)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["list", "metadata"])
def test_a_small_answer_that_is_not_small(orgvue: Orgvue, route: str) -> None:
    """A list or a metadata answer that expands without end is given up, in bounded memory."""
    orgvue.answer(on=route, body=bomb(), headers=GZIP, times=None)
    config = {**orgvue.config, "max_retries": 0, "include_calculations": False}
    tracemalloc.start()
    try:
        with pytest.raises(OrgvueError, match="is not JSON, or only a part of it"):
            discover(config)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * 1024 * 1024


def test_a_name_with_half_a_character(orgvue: Orgvue) -> None:
    """A dataset whose name ends in half a character is listed all the same."""
    name = json.dumps([{"datasetId": orgvue.dataset("People").dataset_id, "name": "People\ud83c"}])
    orgvue.answer(on="list", body=name.encode(), headers=JSON, times=None)
    run = sync(orgvue.config)
    assert len(run.records["people"]) == 5


# --- not even HTTP


class Wire(socketserver.ThreadingTCPServer):
    """Answers every connection with the same bytes, and ends it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, answer: bytes) -> None:
        """Find a free port."""
        super().__init__(("127.0.0.1", 0), _Wired)
        self.answer = answer

    @property
    def config(self) -> dict[str, Any]:
        """The settings of a tap that asks it."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        return {"api_url": url, "tenant_id": "DEMO", "api_token": "x" * 40, "max_retries": 0}


class _Wired(socketserver.StreamRequestHandler):
    server: Wire

    @override
    def handle(self) -> None:
        """Take a request, say what is to be said."""
        while self.rfile.readline() not in {b"\r\n", b""}:
            pass
        with contextlib.suppress(OSError):
            self.wfile.write(self.server.answer)


OK = b"HTTP/1.1 200 OK\r\n"
WIRED: dict[str, bytes] = {
    "nothing": b"",
    "noise": bytes(range(256)) * 40,
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "no status": b"HTTP/1.1 abc\r\n\r\n",
    "a status of its own": b"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\n[]",
    "no headers": OK,
    "a header too long": OK + b"X: " + b"a" * 100_000 + b"\r\n\r\n[]",
    "too many headers": OK + b"X: a\r\n" * 500 + b"\r\n[]",
    "headers of noise": OK + bytes(range(0x80, 0x100)) + b"\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]",
    "a length below nothing": OK + b"Content-Length: -5\r\n\r\n[",
    "a length beyond all": OK + b"Content-Length: 99999999999999999999\r\n\r\n[]",
    "chunks of no size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n[]\r\n",
    "chunks without an end": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
    "a chunk below nothing": OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n[]\r\n0\r\n\r\n",
    "compressed noise": OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b" + b"\xff" * 50,
    "compressed oddly": OK + b"Content-Encoding: " + b"gzip, " * 50 + b"gzip\r\n\r\n[]",
    "promises alone": b"HTTP/1.1 100 Continue\r\n\r\n" * 200,
    "a redirect to nowhere": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
    "a retry of noise": b"HTTP/1.1 503 No\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
    "an error without end": b"HTTP/1.1 403 No\r\n\r\n" + b'{"errors":[' * 9000,
    "an error of noise": b"HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n\r\n" + b"\x00" * 99,
}


@pytest.mark.parametrize("kind", WIRED)
def test_what_is_not_even_http(kind: str) -> None:
    """Whatever a server says, it is one sentence that names the request."""
    with Wire(WIRED[kind]) as wire:
        Thread(target=wire.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            with pytest.raises(OrgvueError, match="GET /api/v1/DEMO/datasets") as caught:
                discover(wire.config)
        finally:
            wire.shutdown()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
