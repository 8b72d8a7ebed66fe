"""The headers that a check reads: each export once, and late ones told from failed ones."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tap_orgvue.checking.headers import CheckedHeaders
from tap_orgvue.exports.headers import DatasetHeaders, NotReached, SkippedDataset
from tap_orgvue.orgvue.errors import (
    ConnectionFailed,
    DatasetRefusal,
    MalformedResponse,
    OrgvueError,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import Dataset
from tests.support.mocked_exports import (
    DATASET_ID,
    EXPORT,
    HEADERS,
    METADATA,
    NO_CONNECTION,
    MockedExports,
    document,
    refusal,
)

LOGGER = logging.getLogger(__name__)
SECONDS = 5
EMPTY = document([])
STORED = {"json": {"properties": [{"key": "x", "name": "X", "type": "text"}]}}


@pytest.fixture
def orgvue() -> MockedExports:
    """One dataset, which is refused with 404 unless a test serves it."""
    return MockedExports()


def reader(orgvue: MockedExports, *, include_calculations: bool = True) -> CheckedHeaders:
    """A reader whose deadline is `SECONDS` away."""
    deadline = orgvue.client.deadline(SECONDS, "5 seconds")
    calculated = {} if include_calculations else {"include_calculations": False}
    return CheckedHeaders(orgvue.client, LOGGER, deadline, **calculated)


def datasets(count: int) -> list[Dataset]:
    """Several datasets; the first one is that of the mocked exports."""
    ids = [DATASET_ID[:-1] + "ABCDEFGHIJKLMN"[number] for number in range(count)]
    return [Dataset(dataset_id=each, name=each[-1]) for each in ids]


def serve(orgvue: MockedExports, dataset: Dataset, response: dict[str, Any]) -> None:
    """Respond to both requests of a dataset's export, and for its metadata, in one way."""
    for method, url in (("POST", EXPORT), ("GET", EXPORT), ("GET", METADATA)):
        orgvue.serve(method, url.replace(DATASET_ID, dataset.dataset_id), response)


def test_an_export_is_requested_once(orgvue: MockedExports) -> None:
    """An id in another case is the same dataset's; `first` is set by then, and not before."""
    orgvue.serve("POST", EXPORT, EMPTY)
    headers = reader(orgvue)
    assert not headers.first.is_set()
    assert [each.key for each in headers.read(DATASET_ID)] == ["_id", "x"]
    assert headers.first.is_set()
    assert headers.read(DATASET_ID.lower()) is headers.found[DATASET_ID]
    assert orgvue.routes == ["POST jsonRows"]


def test_an_error_is_kept_as_well(orgvue: MockedExports) -> None:
    """It is raised for each caller, after one attempt; it sets nothing."""
    headers = reader(orgvue)
    for _ in range(2):
        with pytest.raises(DatasetRefusal):
            headers.read(DATASET_ID)
    assert orgvue.routes == ["POST jsonRows", "GET jsonRows"]
    assert not headers.first.is_set()
    assert headers.late() is None


def test_stored_columns_need_no_export(orgvue: MockedExports) -> None:
    """Without calculations the columns come from the metadata."""
    orgvue.serve("GET", METADATA, STORED)
    headers = reader(orgvue, include_calculations=False).read(DATASET_ID)
    assert [each.key for each in headers] == ["_id", "x"]
    assert orgvue.routes == [f"GET {DATASET_ID}"]


@pytest.mark.parametrize(
    "response,now,error",
    [
        (NO_CONNECTION, SECONDS - 1, ConnectionFailed),
        (NO_CONNECTION, SECONDS, NotReached),
        (refusal(403), SECONDS, DatasetRefusal),
        (refusal(403, "40302"), SECONDS, TenantRefusal),
        ({"content": b"[]"}, SECONDS, MalformedResponse),
    ],
)
def test_a_lost_connection_is_late_once_the_time_is_over(
    orgvue: MockedExports, response: dict[str, Any], now: float, error: type[OrgvueError]
) -> None:
    """What Orgvue responds is its word at any time; a lost connection is not."""
    serve(orgvue, datasets(1)[0], response)
    headers = reader(orgvue)
    orgvue.stop.now = now
    with pytest.raises(error) as caught:
        headers.read(DATASET_ID)
    assert type(caught.value) is error
    assert headers.late() is (caught.value if error is NotReached else None)


def test_why_an_export_failed_is_kept(orgvue: MockedExports) -> None:
    """Where the metadata had to do, each method has its error; a success forgets both."""
    orgvue.serve("GET", METADATA, STORED)
    orgvue.serve("GET", EXPORT, refusal(500))
    headers = reader(orgvue)
    assert len(headers.read(DATASET_ID)) == 2
    found = [headers.export_failure(DATASET_ID.lower(), method) for method in ("POST", "GET")]
    assert [error and error.status for error in found] == [404, 500]
    assert headers.export_failure(datasets(2)[1].dataset_id, "GET") is None
    orgvue.serve("GET", EXPORT, EMPTY)
    headers = reader(orgvue)
    assert len(headers.read(DATASET_ID)) == len(HEADERS)
    assert headers.export_failure(DATASET_ID, "POST") is None
    assert headers.export_failure(DATASET_ID, "GET") is None


def test_datasets_that_are_late_are_kept_apart(orgvue: MockedExports) -> None:
    """They are neither read nor skipped; all others are, in their order."""
    good, late, refused = datasets(3)
    serve(orgvue, good, EMPTY)
    serve(orgvue, late, NO_CONNECTION)
    serve(orgvue, refused, refusal(403))
    headers = reader(orgvue)
    orgvue.stop.now = SECONDS
    read, skipped = headers.read_all([good, late, refused])
    assert isinstance(read, DatasetHeaders)
    assert isinstance(skipped, SkippedDataset)
    assert (read.dataset, skipped.dataset, headers.not_reached) == (good, refused, [late])


@pytest.mark.parametrize("count", [1, 9])
def test_nothing_is_read_in_time(orgvue: MockedExports, count: int) -> None:
    """Where no dataset is known to be readable there is no plan, however many there are."""
    for dataset in datasets(count):
        serve(orgvue, dataset, NO_CONNECTION)
    headers = reader(orgvue)
    orgvue.stop.now = SECONDS
    with pytest.raises(NotReached, match="the connection failed"):
        list(headers.read_all(datasets(count)))
    assert headers.not_reached


def test_a_key_that_is_late(orgvue: MockedExports) -> None:
    """A dataset whose key is not known in time is not reached, although its columns are."""
    orgvue.serve("POST", EXPORT, document([], HEADERS[1:]))
    orgvue.serve("GET", METADATA, NO_CONNECTION)
    headers = reader(orgvue)
    orgvue.stop.now = SECONDS
    with pytest.raises(NotReached, match=r"^No dataset was reached in time\.$"):
        list(headers.read_all(datasets(1)))


def test_datasets_that_are_refused_are_not_late(orgvue: MockedExports) -> None:
    """Where each is refused, each is skipped."""
    for dataset in datasets(2):
        serve(orgvue, dataset, refusal(403))
    headers = reader(orgvue)
    orgvue.stop.now = SECONDS
    assert [type(each) for each in headers.read_all(datasets(2))] == [SkippedDataset] * 2
    assert headers.not_reached == []
