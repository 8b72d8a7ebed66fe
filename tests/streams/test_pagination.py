"""Exports in slices and in pages: each row exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import create_autospec
from urllib.parse import urljoin

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.orgvue.errors import MalformedResponse, Misconfigured, OrgvueError
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tap_orgvue.streams.pagination import MAX_PAGES_WITHOUT_ROWS, ExportPaginator, Link, Slice
from tests.support.datasets import people
from tests.support.exports import assert_complete, by_mode
from tests.support.mocked_exports import EXPORT
from tests.support.runs import command, discover, select, sync
from tests.support.schemas import assert_satisfied

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Orgvue]


# --- in slices


@pytest.mark.parametrize("status", [413, 502, 504])
def test_slices_that_are_too_large_split_themselves(serve: Serve, status: int) -> None:
    """In the mode paged a dataset is read in slices of `_id`, small enough, each row once."""
    orgvue = serve(people(200))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes, orgvue.too_large_status = 8000, status
    run = sync(by_mode(orgvue, "paged"), catalog)
    assert_complete(orgvue, run)
    assert orgvue.requests_to("job") == []
    bodies: list[Any] = [r.body for r in orgvue.requests if is_slice(r.body)]
    filters = [body["query"]["output"]["filter"] for body in bodies]
    assert filters
    operators = {operator for found in filters for operator in found["_id"]}
    assert operators <= {"$gt", "$gte", "$lt", "$lte"}


def test_a_slice_is_a_filter() -> None:
    """Its lower bound is in it, its upper bound is not; the slice of all nodes filters nothing."""
    assert Slice("3", "7").filter() == {"_id": {"$gte": "3", "$lt": "7"}}
    assert Slice(high="7").filter() == {"_id": {"$lt": "7"}}
    assert Slice("3").filter() == {"_id": {"$gte": "3"}}
    assert Slice().filter() == {}


@pytest.mark.parametrize(
    "low,middle,high",
    [
        (None, "A", None),
        (None, "4", "A"),
        ("A", "a", None),
        ("A", "AA", "B"),
        ("3", "3A", "4"),
        ("3A", "3a", "4"),
        ("3f", "3fA", "4"),
        ("39", "39A", "3A"),
        ("3", "34", "3A"),
        ("3", "3-A", "30"),
    ],
)
def test_a_slice_is_split_half_way(low: str | None, middle: str, high: str | None) -> None:
    """By the digit half-way between both bounds; by one digit more if they are neighbours."""
    assert Slice(low, high).halves() == (Slice(low, middle), Slice(middle, high))


@given(st.lists(st.booleans(), max_size=30))
def test_halves_leave_no_gap(turns: list[bool]) -> None:
    """However often slices are split, a half ends where the other begins, and none is empty."""
    found = Slice()
    for turn in turns:
        low, high = found.halves()
        assert (low.low, low.high, high.high) == (found.low, high.low, found.high)
        assert (found.low or "") < (low.high or "") < (found.high or "~")
        found = high if turn else low


@pytest.mark.parametrize("turn", [0, 1])
def test_a_slice_of_one_row_is_not_split_for_ever(turn: int) -> None:
    """Bounds have up to 40 characters, more than any id; then the row itself is too large."""
    found, lengths = Slice(), {0}

    def split() -> None:
        nonlocal found
        while max(lengths) <= 40:
            found = found.halves()[turn]
            lengths.update(len(bound or "") for bound in (found.low, found.high))

    with pytest.raises(Misconfigured, match="Even a single row"):
        split()
    assert max(lengths) == 40


def is_slice(body: object) -> bool:
    """Whether a request asks for a range of ids."""
    if not isinstance(body, dict):
        return False
    bounds = body["query"]["output"].get("filter", {}).get("_id")
    return isinstance(bounds, dict)


def with_ids(ids: list[str]) -> Dataset:
    """People with these ids."""
    return Dataset(
        "People",
        properties=[Property("note")],
        rows=[{"_id": node_id, "note": "x" * 100} for node_id in ids],
    )


IDS = {
    "upper case": [f"{i:08X}-1111-4111-8111-{i * 7919:012X}" for i in range(0, 2**32, 2**25)],
    "lower case": [f"{i:08x}-1111-4111-8111-{i * 7919:012x}" for i in range(0, 2**32, 2**25)],
    "of both cases": [
        f"{i:08x}-aaaa-4aaa-8aaa-00000000000f" if i % 3 else f"{i:08X}-AAAA-4AAA-8AAA-00000000000F"
        for i in range(0, 2**32, 2**26 + 1)
    ],
    "close together": [f"AAAAAAAA-AAAA-4AAA-8AAA-{i:012X}" for i in range(16)],
    "at the ends": ["0", "00000000-0000-4000-8000-000000000000", "FFFFFFFF", "ffffffff", "~", " "],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", IDS)
def test_every_id_is_in_exactly_one_slice(serve: Serve, kind: str) -> None:
    """Whatever ids look like, no row falls between two slices and none is in both."""
    orgvue = serve(with_ids(IDS[kind]))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = max(700, 50 * len(IDS[kind]))
    run = sync(by_mode(orgvue, "paged"), catalog)
    assert_complete(orgvue, run)
    assert len(orgvue.requests_to("export")) > 3


def test_slices_ask_for_the_selected_columns_only(serve: Serve) -> None:
    """Each slice has the projection of the selected columns."""
    orgvue = serve(people(60))
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.sync_limit_bytes = 3000
    before = len(orgvue.requests)
    run = sync(by_mode(orgvue, "paged"), catalog)
    assert_complete(orgvue, run)
    assert all("salary" not in record for record in run.records["people"])
    slices = [request.body for request in orgvue.requests[before:] if is_slice(request.body)]
    assert slices
    for body in slices:
        assert isinstance(body, dict)
        assert "salary" not in body["query"]["output"]["projection"]


def test_a_slice_that_breaks_is_asked_for_again(serve: Serve) -> None:
    """A connection that breaks within a slice costs a retry, and no row."""
    orgvue = serve(people(60))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 5000
    orgvue.hang_up(on="export", after=-1, times=1)
    orgvue.refuse(503, on="export", times=1)
    assert_complete(orgvue, sync(by_mode(orgvue, "paged"), catalog))


@pytest.mark.slow
def test_a_row_too_large_for_any_answer_is_reported(serve: Serve) -> None:
    """Where even one row is too large, the run ends with an error instead of splitting forever."""
    orgvue = serve(people(3))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 50
    with pytest.raises(OrgvueError, match="export_mode"):
        sync(by_mode(orgvue, "paged"), catalog)


def test_a_dataset_without_ids_cannot_be_sliced(serve: Serve) -> None:
    """Where the export has no `_id`, a too large answer is an error that says so."""
    dataset = Dataset(
        "People", properties=[Property("x")], rows=[{"x": "y" * 50}] * 40, generated=()
    )
    orgvue = serve(dataset)
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 500
    with pytest.raises(OrgvueError, match="_id"):
        sync(by_mode(orgvue, "paged"), catalog)


# --- in pages


@pytest.mark.slow
def test_next_links_are_followed(serve: Serve) -> None:
    """Where list and exports come in pages, all pages are read, and each row is sent once."""
    orgvue = serve(people(25), people(0, "Nobody"), people(4, "Some"))
    orgvue.page_rows = 2
    run = sync(orgvue.config)
    for name, stream in (("People", "people"), ("Some", "some")):
        sent = [record["_id"] for record in run.records[stream]]
        assert sent == [row["_id"] for row in orgvue.dataset(name).rows]
    assert set(run.schemas) == {"people", "nobody", "some"}


def test_next_links_of_a_projection_are_followed(serve: Serve) -> None:
    """The pages of a projected export hold the projected columns, each row once."""
    orgvue = serve(people(7))
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.page_rows = 3
    run = sync(orgvue.config, catalog)
    sent = [record["_id"] for record in run.records["people"]]
    assert sent == [row["_id"] for row in orgvue.dataset("People").rows]
    assert_satisfied(run)


def test_links_to_another_origin_are_not_followed(serve: Serve) -> None:
    """A next link that leads elsewhere ends the run; the token goes nowhere else."""
    orgvue, elsewhere = serve(people(5)), serve(people(5))
    catalog = discover(orgvue.config)
    orgvue.page_rows, orgvue.next_origin = 2, elsewhere.api_url
    run = command(orgvue.config, catalog=catalog)
    assert run.code != 0
    assert "another server" in run.stderr
    assert "Traceback" not in run.stderr
    assert elsewhere.requests == []


@pytest.mark.parametrize("next_method", [True, False])
def test_the_next_page_of_a_query_repeats_its_method_and_body(
    serve: Serve, *, next_method: bool
) -> None:
    """A projected export goes on with the same POST, to the same columns."""
    orgvue = serve(people(7))
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.page_rows, orgvue.strict_pages, orgvue.next_method = 2, True, next_method
    before = len(orgvue.requests)
    assert_complete(orgvue, sync(orgvue.config, catalog))
    pages = [request for request in orgvue.requests[before:] if request.route == "export"]
    assert len(pages) == 4
    assert {request.method for request in pages} == {"POST"}
    assert all(request.body == pages[0].body for request in pages)


@pytest.mark.slow
def test_pages_without_rows_end_with_an_error(serve: Serve) -> None:
    """Next links that go on without rows end the stream with an error that says why."""
    orgvue = serve(people(4))
    catalog = discover(orgvue.config)
    orgvue.page_rows, orgvue.page_end = 2, "empty"
    before = len(orgvue.requests)
    with pytest.raises(OrgvueError, match="100 pages of an export in a row had no rows"):
        sync(orgvue.config, catalog)
    assert len(orgvue.requests) - before < 110


# --- the paginator


def paged(rows: int, link: str | None, request: requests.PreparedRequest) -> Any:
    """A page of a request."""
    page = create_autospec(ExportResponse, instance=True)
    page.request, page.url = request, request.url
    page.rows = create_autospec(JsonRows, instance=True, count=rows, next_url=link)
    return page


def prepared(method: str, body: Any = None) -> requests.PreparedRequest:
    """A request for an export."""
    return requests.Request(method, EXPORT, json=body).prepare()


def absolute(link: str | None, page: str) -> str | None:
    """The address of a link, on whatever origin."""
    return urljoin(page, link) if link else None


def test_a_link_repeats_the_request() -> None:
    """A next page has the method and the body of the page before it."""
    request = prepared("POST", {"query": {"output": {}}})
    link = ExportPaginator(absolute).get_next(paged(1, "?page=2", request))
    assert isinstance(link, Link)
    assert (link.url, link.method, link.query) == (
        f"{EXPORT}?page=2",
        "POST",
        {"query": {"output": {}}},
    )
    plain = ExportPaginator(absolute).get_next(paged(1, "?page=2", prepared("GET")))
    assert isinstance(plain, Link)
    assert (plain.method, plain.query) == ("GET", None)


@pytest.mark.slow
def test_rows_begin_the_count_of_empty_pages_anew() -> None:
    """Only pages in a row without rows are counted."""
    paginator = ExportPaginator(absolute)
    counts = [*[0] * MAX_PAGES_WITHOUT_ROWS, 1, *[0] * MAX_PAGES_WITHOUT_ROWS]
    for number, rows in enumerate(counts):
        assert paginator.get_next(paged(rows, f"?page={number}", prepared("GET")))
    with pytest.raises(MalformedResponse, match="no end"):
        paginator.get_next(paged(0, "?page=last", prepared("GET")))


def test_links_that_lead_in_a_circle_are_an_error() -> None:
    """A link that was followed before is not followed again."""
    paginator = ExportPaginator(absolute)
    assert paginator.get_next(paged(1, "?page=2", prepared("GET")))
    with pytest.raises(MalformedResponse, match="in a circle"):
        paginator.get_next(paged(1, "?page=2", prepared("GET")))


def test_no_link_is_the_last_page() -> None:
    """Without a link there is no further page, rows or not."""
    for rows in (0, 1):
        assert ExportPaginator(absolute).get_next(paged(rows, None, prepared("GET"))) is None


def test_a_page_that_is_too_large_is_split() -> None:
    """Each half is requested, the lower one first; a half that is too large is split again."""
    paginator = ExportPaginator(absolute)
    requested = []
    for is_too_large in (True, False, True, False):
        page = paged(1, None, prepared("GET"))
        if is_too_large:
            page.rows = None
        paginator.advance(page)
        requested.append(paginator.current_value)
    assert requested == [Slice(None, "A"), Slice("A", None), Slice("A", "a"), Slice("a", None)]
    paginator.advance(paged(1, None, prepared("GET")))
    assert paginator.finished


def test_a_page_behind_a_link_is_not_split() -> None:
    """Its rows are no range of ids: the stream fails instead of sending rows twice."""
    paginator = ExportPaginator(absolute)
    paginator.advance(paged(1, "?page=2", prepared("GET")))
    page = paged(0, None, prepared("GET"))
    page.rows = None
    with pytest.raises(OrgvueError, match="cannot be split"):
        paginator.get_next(page)


def test_a_page_without_rows_is_not_the_last() -> None:
    """The one after it may have some."""
    assert ExportPaginator(absolute).continue_if_empty(paged(0, None, prepared("GET")))
