"""The bookmark of a run: no row is ever hidden by it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tap_orgvue.singer.bookmarks import ReplicationProgress, is_later, replication_bound

BOUND = datetime(2026, 5, 1, tzinfo=timezone.utc)


def bookmark_of(
    *pages: list[str], state: dict[str, Any] | None = None, bound: datetime = BOUND
) -> str | None:
    """The bookmark after some pages with these values of the key `changed`."""
    progress = ReplicationProgress()
    for page in pages:
        progress.start_page()
        progress.note(page, len(page))
    return progress.bookmark(state or {}, "changed", bound)


@pytest.mark.parametrize(
    "values,latest",
    [
        (["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"], "2026-01-02T00:00:00Z"),
        (["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"], "2026-01-02T00:00:00Z"),
        # As texts, the order is the other way round.
        (["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5Z"], "2026-01-01T00:00:00.5Z"),
        (["2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z"], "2026-01-01T00:00:00.5Z"),
        (["2026-01-01T00:00:00+02:00", "2025-12-31T23:00:00.0Z"], "2025-12-31T23:00:00.0Z"),
    ],
)
def test_the_latest_instant_is_the_bookmark(values: list[str], latest: str) -> None:
    """Values of different forms are compared as instants, within a page and across calls."""
    assert bookmark_of(values) == latest
    progress = ReplicationProgress()
    progress.start_page()
    for value in values:
        progress.note([value], 1)
    assert progress.bookmark({}, "changed", BOUND) == latest


def test_later_pages_do_not_count() -> None:
    """A row of the first page may change while a later page is fetched."""
    assert bookmark_of(["2026-01-01T00:00:00Z"], ["2026-02-01T00:00:00Z"]) == "2026-01-01T00:00:00Z"
    assert bookmark_of([], ["2026-02-01T00:00:00Z"]) is None


def test_without_values_there_is_no_bookmark() -> None:
    """Without a row that has a value the last bookmark stays."""
    state = {"replication_key": "changed", "replication_key_value": "2026-01-01T00:00:00Z"}
    assert bookmark_of([]) is None
    assert bookmark_of([], state=state) is None


@pytest.mark.parametrize("value", ["2030-01-01T00:00:00Z", "2026-05-01T00:00:00.001Z"])
def test_a_bookmark_is_never_after_its_bound(value: str) -> None:
    """A later value would hide all changes until then."""
    bookmark = bookmark_of([value])
    assert bookmark is not None
    assert not is_later(bookmark, "2026-05-01T00:00:00Z")
    assert not is_later("2026-05-01T00:00:00Z", bookmark)


@pytest.mark.parametrize(
    "last,bookmark",
    [
        ("2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("", "2026-01-01T00:00:00Z"),
        (None, "2026-01-01T00:00:00Z"),
    ],
)
def test_a_bookmark_never_goes_back(last: str | None, bookmark: str) -> None:
    """All rows up to the last bookmark were sent: an earlier value does not replace it."""
    state = {"replication_key": "changed", "replication_key_value": last}
    assert bookmark_of(["2026-01-01T00:00:00Z"], state=state) == bookmark


def test_a_bookmark_of_another_key_does_not_count() -> None:
    """A user who changes the replication key starts with its own values."""
    state = {"replication_key": "created", "replication_key_value": "2026-02-01T00:00:00Z"}
    assert bookmark_of(["2026-01-01T00:00:00Z"], state=state) == "2026-01-01T00:00:00Z"


def test_rows_without_a_value_are_counted() -> None:
    """On every page, whatever their values are read for."""
    progress = ReplicationProgress()
    for page in (["2026-01-01T00:00:00Z"], ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"], []):
        progress.start_page()
        progress.note(iter(page), 3)
    assert progress.nulls == 2 + 1 + 3


LOCAL = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)
SERVER = datetime(2026, 5, 1, 11, 58, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "server,has_key,bound",
    [
        (SERVER, True, SERVER - timedelta(seconds=60)),
        (None, True, LOCAL - timedelta(minutes=5)),
        (SERVER, False, SERVER),
        (None, False, LOCAL),
    ],
)
def test_how_far_an_export_is_complete(
    server: datetime | None, *, has_key: bool, bound: datetime
) -> None:
    """By the server's clock where it is known; without a key, without a margin."""
    assert replication_bound(LOCAL, server, has_key=has_key) == bound


@pytest.mark.parametrize(
    "one,other",
    [
        ("2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00-01:00", "2026-01-01T00:00:00+01:00"),
        ("2026-01-01T23:30:00.0000Z", "2026-01-02T00:00:00+01:00"),
        ("2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00+02:00"),
        ("2026-01-01T00:00:00Z", "nonsense"),
    ],
)
def test_later_is_a_question_of_instants(one: str, other: str) -> None:
    """Not of texts; a text that is no instant is before all that are."""
    assert is_later(one, other)
    assert not is_later(other, one)
    assert not is_later(one, one)
