"""The simulator refuses what Orgvue refuses, with its codes and in its words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulator.conftest import Client

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "given, expected",
    [
        (None, (401, "40101")),
        ("", (401, "40101")),
        ("Basic dXNlcjpwYXNz", (401, "40103")),
        ("Bearer", (401, "40103")),
        ("Bearer a.b.c", (401, "40102")),
    ],
)
def test_tokens(client: Client, given: str | None, expected: tuple[int, str]) -> None:
    """Without the tenant's bearer token nothing is answered, and the code says what was wrong."""
    assert client.error(client.get(Authorization=given)) == expected


@pytest.mark.parametrize(
    "starts, expires, expected",
    [
        (NOW + DAY, NOW + 2 * DAY, (403, "40301")),
        (NOW - 2 * DAY, NOW - DAY, (403, "40302")),
    ],
)
def test_token_dates(
    serve: Callable[[Tenant], Client],
    starts: datetime,
    expires: datetime,
    expected: tuple[int, str],
) -> None:
    """A token is refused before its start and after its end."""
    client = serve(Tenant(token_starts=starts, token_expires=expires))
    assert client.error(client.get()) == expected


def test_token_between_its_dates(serve: Callable[[Tenant], Client]) -> None:
    """A token opens the tenant from its start to its end."""
    client = serve(Tenant(token_starts=NOW - DAY, token_expires=NOW + DAY))
    assert client.get().status_code == 200


def test_header_names_are_case_sensitive(client: Client) -> None:
    """A header in another spelling counts as missing."""
    lower = client.get(Authorization=None, authorization=f"Bearer {client.orgvue.token}")
    assert client.error(lower) == (401, "40101")
    client.session.headers["content-type"] = str(client.session.headers.pop("Content-Type"))
    assert client.error(client.get()) == (415, "415001")


@pytest.mark.parametrize("given", [None, "application/json", "text/plain"])
def test_content_types(client: Client, given: str | None) -> None:
    """Every request, also a GET, names the documented content type with its charset."""
    assert client.error(client.get(Content_Type=given)) == (415, "415001")


def test_another_tenant(client: Client) -> None:
    """The token's tenant is the only one."""
    url = client.url().replace("/DEMO/", "/OTHER/")
    refused = client.session.get(url, timeout=20)
    assert client.error(refused) == (400, "400602")
    assert refused.json()["errors"][0]["pathParameter"] == "tenantId"


def test_dataset_ids(client: Client) -> None:
    """A dataset id is a UUID, and one of the tenant's."""
    refused = client.get("/People")
    assert client.error(refused) == (400, "400603")
    assert refused.json()["errors"][0]["pathParameter"] == "datasetId"
    unknown = client.get("/00000000-0000-0000-0000-000000000000/export/jsonRows")
    assert client.error(unknown) == (404, "404601")


def test_unknown_paths_and_methods(client: Client) -> None:
    """There is nothing at other paths, and other methods are not allowed."""
    assert client.error(client.get("/a/b/c")) == (404, "404602")
    assert client.error(client.session.put(client.url(), timeout=20)) == (405, "405601")
    assert client.error(client.get("/export", "People")) == (405, "405601")
    assert [request.route for request in client.orgvue.requests] == ["unknown", "list", "job"]


def test_the_error_body(client: Client) -> None:
    """A refusal is a JSON document of errors with name, code and message."""
    refused = client.get(Authorization="Bearer a.b.c")
    assert refused.json() == {
        "errors": [
            {
                "name": "ApiTokenInvalid",
                "code": "40102",
                "message": "The API token is not valid.",
            }
        ]
    }
    assert refused.headers["Content-Type"] == "application/json; charset=UTF-8"


@pytest.mark.parametrize(
    "reason, expected",
    [
        ("403601", (403, "403601")),
        ("40322", (403, "40322")),
        ((404, "404999", "Gone", "It is gone."), (404, "404999")),
    ],
)
def test_hidden_datasets(
    serve: Callable[[Tenant], Client],
    reason: str | tuple[int, str, str, str],
    expected: tuple[int, str],
) -> None:
    """A hidden dataset is listed, and everything else about it refused."""
    client = serve(Tenant([Dataset("Hidden", hidden_because=reason)]))
    assert [each["name"] for each in client.get().json()] == ["Hidden"]
    for path in ("", "/export/jsonRows", "/items"):
        assert client.error(client.get(path, "Hidden")) == expected
    assert client.error(client.job("Hidden")) == expected


def test_datasets_that_are_not_listed(serve: Callable[[Tenant], Client]) -> None:
    """A dataset can be kept out of the list, refused or not."""
    client = serve(Tenant([Dataset("Shown"), Dataset("Quiet", listed=False)]))
    assert [each["name"] for each in client.get().json()] == ["Shown"]
    assert client.get("", "Quiet").status_code == 200


def test_datasets_come_and_go(serve: Callable[[Tenant], Client]) -> None:
    """Between two requests a dataset can be renamed, added, deleted or forbidden."""
    client = serve(Tenant([Dataset("Old"), Dataset("Gone"), Dataset("Secret")]))
    tenant, gone = client.orgvue.tenant, client.url("", "Gone")
    client.orgvue.dataset("Old").rename("New")
    client.orgvue.dataset("Secret").hidden_because = "403601"
    tenant.remove("Gone")
    tenant.add(Dataset("Gone", dataset_id="7918D0B4-0000-4000-8000-000000000000"))
    listed = {each["name"]: each["datasetId"] for each in client.get().json()}
    assert list(listed) == ["New", "Secret", "Gone"]
    assert listed["New"] == Dataset("Old").dataset_id
    assert listed["Gone"] not in gone
    assert client.error(client.session.get(gone, timeout=20)) == (404, "404601")
    assert client.error(client.get("", "Secret")) == (403, "403601")


def test_synchronous_post_can_be_missing(client: Client) -> None:
    """With `post_export` off a query is not accepted synchronously, a plain GET is."""
    client.orgvue.post_export = False
    assert client.error(client.export()) == (405, "405601")
    assert client.get("/export/jsonRows", "People").status_code == 200


def test_asynchronous_exports_can_be_missing(client: Client) -> None:
    """With `async_export` off there is no such endpoint."""
    client.orgvue.async_export = False
    assert client.error(client.job()) == (404, "404602")


def test_too_large(client: Client) -> None:
    """A synchronous export over the limit is refused; less of the same dataset is not."""
    client.orgvue.sync_limit_bytes = 500
    refused = client.get("/export/jsonRows", "People")
    assert client.error(refused) == (413, "413601")
    assert client.export(projection={"id": 1}).status_code == 200


@pytest.mark.parametrize("status", [502, 503, 504])
def test_too_large_for_the_gateway(client: Client, status: int) -> None:
    """It can also be told the way gateways do, without a JSON body."""
    client.orgvue.sync_limit_bytes = 500
    client.orgvue.too_large_status = status
    refused = client.get("/export/jsonRows", "People")
    assert refused.status_code == status
    assert refused.text.startswith("<html>") == (status != 503)
