"""Pages go on as ordered: by POST, without rows, in circles, or with what changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Client

QUERY = {"query": {"output": {"filter": {"salary": {"$gt": 1}}, "projection": {"id": 1}}}}


def next_url(document: dict[str, Any]) -> str:
    """Give the address of the next page."""
    return str(document["_links"]["next"]["url"])


def following(client: Client, document: dict[str, Any]) -> dict[str, Any]:
    """Read the next page of a plain export."""
    found: dict[str, Any] = client.session.get(next_url(document), timeout=20).json()
    return found


def test_pages_of_a_post(client: Client) -> None:
    """With `strict_pages` the next page takes the first one's method and body, and says so."""
    client.orgvue.page_rows, client.orgvue.strict_pages = 1, True
    first = client.post("/export/jsonRows", "People", QUERY).json()
    url = next_url(first)
    assert first["_links"]["next"]["method"] == "POST"
    assert client.error(client.session.get(url, timeout=20)) == (405, "405601")
    assert client.error(client.session.post(url, json={}, timeout=20)) == (400, "400601")
    second = client.session.post(url, json=QUERY, timeout=20).json()
    assert (first["rows"], second["rows"]) == ([["a"]], [["b"]])
    asked = [(each.method, each.body) for each in client.orgvue.requests_of("export")]
    assert asked == [("POST", QUERY), ("GET", None), ("POST", {}), ("POST", QUERY)]


def test_pages_of_a_get(client: Client) -> None:
    """With `strict_pages` a plain export still goes on by GET."""
    client.orgvue.page_rows, client.orgvue.strict_pages = 3, True
    first = client.get("/export/jsonRows", "People").json()
    assert len(following(client, first)["rows"]) == 1


def test_links_without_a_method(client: Client) -> None:
    """A link to the next page need not say by which method."""
    client.orgvue.page_rows, client.orgvue.next_method = 1, False
    assert {*client.get().json()["_links"]["next"]} == {"url"}


def test_pages_without_end(client: Client) -> None:
    """Pages can go on without rows for ever, each at an address of its own."""
    client.orgvue.page_rows, client.orgvue.page_end = 3, "empty"
    page = client.get("/export/jsonRows", "People").json()
    rows, addresses = [len(page["rows"])], {next_url(page)}
    for _ in range(4):
        page = following(client, page)
        rows.append(len(page["rows"]))
        addresses.add(next_url(page))
    assert (rows, len(addresses)) == ([3, 1, 0, 0, 0], 5)


def test_pages_in_a_circle(client: Client) -> None:
    """The last page can name itself as the next, in exports and in the list."""
    client.orgvue.page_rows, client.orgvue.page_end = 3, "loop"
    page = following(client, client.get("/export/jsonRows", "People").json())
    assert following(client, page) == page
    listed = client.get().json()
    assert following(client, listed) == listed


def test_rows_change_between_pages(client: Client) -> None:
    """With `live_pages` a page shows the dataset as it is by then, so that rows shift."""
    client.orgvue.page_rows, client.orgvue.live_pages = 2, True
    first = client.get("/export/jsonRows", "People").json()
    client.orgvue.dataset("People").remove(0)
    second = following(client, first)
    assert [row[1] for row in (*first["rows"], *second["rows"])] == ["a", "b", "D"]


@pytest.mark.parametrize("live", [False, True])
def test_properties_change_between_pages(client: Client, *, live: bool) -> None:
    """A property that goes while pages are read goes from later pages where they are live."""
    people = client.orgvue.dataset("People")
    client.orgvue.page_rows, client.orgvue.live_pages = 2, live
    client.orgvue.meanwhile(lambda: people.remove_property("salary"), on="page")
    first = client.get("/export/jsonRows", "People").json()
    second = following(client, first)
    keys = [[header["key"] for header in page["headers"]] for page in (first, second)]
    assert ("salary" in keys[0], "salary" in keys[1]) == (True, not live)


def test_changes_between_slices(client: Client) -> None:
    """A change can be made while one slice of several is under way."""
    people = client.orgvue.dataset("People")
    client.orgvue.meanwhile(lambda: people.change_property("id", key="code"), on="slice", skip=1)
    halves = [client.export(filter={"_id": {bound: "8"}}).json() for bound in ("$lt", "$gte")]
    assert [half["headers"][1]["key"] for half in halves] == ["id", "code"]
    assert {row[1] for half in halves for row in half["rows"]} == {"a", "b", "c", "D"}
