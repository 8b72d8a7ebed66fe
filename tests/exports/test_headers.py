"""The columns of an export, by the cheapest request that Orgvue answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.datasets import people
from tests.support.runs import discover, properties, streams

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Orgvue]


def test_a_filter_that_is_ignored_costs_no_download(serve: Serve) -> None:
    """Where Orgvue ignores the filter, the answer is read only as far as its headers."""
    orgvue = serve(people(20_000))
    orgvue.ignores_filters = True
    catalog = discover(orgvue.config)
    assert "salary" in properties(catalog, "people")


@pytest.mark.parametrize("status", [405, 404, 400])
def test_headers_are_fetched_with_a_get_where_posts_are_refused(serve: Serve, status: int) -> None:
    """Where the POST is refused, the beginning of a GET tells the same columns."""
    orgvue = serve(people())
    expected = discover(orgvue.config)
    before = len(orgvue.requests)
    orgvue.refuse((status, f"{status}999", "NotHere", "Not this way."), on="export")
    assert discover(orgvue.config) == expected
    methods = [(request.method, request.route) for request in orgvue.requests[before:]]
    assert methods == [("GET", "list"), ("POST", "export"), ("GET", "export")]


def test_a_post_that_is_not_there_is_not_tried_for_every_dataset(serve: Serve) -> None:
    """Once learnt that synchronous exports take no POST, no more are sent."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(10)))
    orgvue.post_export = False
    catalog = discover({**orgvue.config, "max_parallel_requests": 1})
    assert len(streams(catalog)) == 10
    posts = [request for request in orgvue.requests if request.method == "POST"]
    assert len(posts) == 1


def test_a_get_for_headers_reads_only_the_beginning(serve: Serve) -> None:
    """The body of the GET is closed after the headers, however long it would go on."""
    orgvue = serve(people(30_000))
    orgvue.post_export = False
    orgvue.trickle = 400_000
    catalog = discover(orgvue.config)
    assert "salary" in properties(catalog, "people")
    (get,) = [r for r in orgvue.requests_to("export") if r.method == "GET"]
    assert get.header("Authorization")


def test_columns_come_from_the_metadata_where_no_export_answers(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """Where both ways fail, the metadata's properties and `_id` make the schema, with a warning."""
    orgvue = serve(people())
    orgvue.post_export = False
    orgvue.sync_limit_bytes = 10
    columns = properties(discover(orgvue.config), "people")
    assert list(columns) == [
        "_id",
        "id",
        "full_name",
        "salary",
        "on_leave",
        "start_date",
        "_rescued_data",
    ]
    assert columns["salary"]["type"] == ["number", "null"]
    assert orgvue.dataset("People").dataset_id in caplog.text


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"[]",
        b'{"rows": []}',
        b'{"headers": 5, "rows": []}',
        b'{"headers": [{"name": "no key"}], "rows": []}',
        b'{"headers": [{"key": "a"}, {"key": "a"}], "rows": []}',
    ],
)
def test_an_export_that_is_none_is_replaced_by_the_metadata(serve: Serve, body: bytes) -> None:
    """Where the export's beginning cannot be understood, the metadata is asked instead."""
    dataset = Dataset("Odd", properties=[Property("x", "number")], body=body)
    # What is cut may be whole the next time: one more try is enough here.
    config = {**serve(dataset).config, "max_retries": 1}
    columns = properties(discover(config), "odd")
    assert columns["x"]["type"] == ["number", "null"]
