"""The names of datasets, which a thread of its own requests."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from tap_orgvue.orgvue.models import Dataset, DatasetList
from tap_orgvue.streams import dataset_names
from tap_orgvue.streams.dataset_names import DatasetNames

if TYPE_CHECKING:
    from collections.abc import Callable

LISTED = DatasetList((Dataset("A1", "People"), Dataset("b2", "Staff")))


class Pool:
    """Runs nothing by itself.

    Attributes:
        submitted: What is to be run.
        waits: How long each wait for the result was allowed to take, in seconds.
        result: What a wait gives; None if it takes too long.
    """

    def __init__(self) -> None:
        """Run nothing yet."""
        self.submitted: list[Callable[[], Any]] = []
        self.waits: list[float | None] = []
        self.result: DatasetList | Exception | None = LISTED

    def submit(self, work: Callable[[], Any]) -> Future[Any]:
        """Note the task."""
        self.submitted.append(work)
        future: Future[Any] = Future()

        def exception(timeout: float | None = None) -> BaseException | None:
            self.waits.append(timeout)
            if self.result is None:
                raise FutureTimeout
            if isinstance(self.result, Exception):
                return self.result
            future.set_result(self.result)
            return None

        future.exception = exception  # type: ignore[method-assign]
        return future


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Pool:
    """The threads that would request the list."""
    pool = Pool()
    monkeypatch.setattr(dataset_names, "DaemonThreadPool", lambda _count: pool)
    return pool


def names(*, listed: bool = False, wanted: bool = True) -> DatasetNames:
    """The names of a tenant whose list discovery has requested, or not."""
    discovery = SimpleNamespace(datasets_by_id={each.dataset_id: each for each in LISTED.datasets})
    if listed:
        discovery.listed = list(LISTED.datasets)
    client = SimpleNamespace(datasets=lambda: LISTED)
    catalog = {"A1": "Employees"}
    return DatasetNames(cast("Any", client), cast("Any", discovery), catalog, wanted=wanted)


def test_the_list_is_requested_once(pool: Pool) -> None:
    """However many exports are there, and by whichever case of an id a name is looked up."""
    found = names()
    for _ in range(2):
        found.request()
    assert len(pool.submitted) == 1
    assert [found.now(each) for each in ("a1", "B2", "C3")] == ["People", "Staff", None]


@pytest.mark.parametrize("how", [{"listed": True}, {"wanted": False}], ids=str)
def test_the_list_is_requested_where_it_is_needed(pool: Pool, how: dict[str, bool]) -> None:
    """Not where discovery has read it, nor where nobody compares names."""
    found = names(**how)
    found.request()
    assert not pool.submitted
    assert found.now("a1") == ("People" if "listed" in how else None)
    assert found.now("C3") is None
    assert not pool.waits


def test_one_stream_waits_for_the_list(pool: Pool) -> None:
    """Where it takes too long the others do not wait as well; the names may come later."""
    pool.result = None
    found = names()
    found.request()
    assert [found.now("A1"), found.now("A1")] == [None, None]
    assert pool.waits == [5.0, 0.0]
    pool.result = LISTED
    assert found.now("A1") == "People"


def test_a_list_that_cannot_be_read_names_nothing(pool: Pool) -> None:
    """It is not waited for again."""
    pool.result = ValueError()
    found = names()
    found.request()
    assert [found.now("A1"), found.now("A1")] == [None, None]
    assert len(pool.waits) == 1


def test_a_name_of_metadata_is_the_newest(pool: Pool) -> None:
    """It is younger than the list; an empty one is none."""
    found = names()
    found.request()
    assert found.now("A1") == "People"
    found.note("a1", "Colleagues")
    found.note("B2", "")
    assert [found.now(each) for each in ("C3", "A1", "B2")] == [None, "Colleagues", "Staff"]
    assert len(pool.waits) == 1
    listed = names(listed=True)
    listed.note("A1", "Colleagues")
    assert listed.now("a1") == "Colleagues"


def test_the_catalogs_name_is_another() -> None:
    """It is what the dataset was called when the catalog was made."""
    found = names(listed=True)
    assert [found.in_catalog(each) for each in ("a1", "B2")] == ["Employees", None]


def test_closing_ends_the_thread() -> None:
    """A tap that is used as a library leaves no thread behind."""
    threads: list[threading.Thread] = []
    requested = threading.Event()

    def datasets() -> None:
        threads.append(threading.current_thread())
        requested.set()

    client, discovery = SimpleNamespace(datasets=datasets), SimpleNamespace()
    names = DatasetNames(cast("Any", client), cast("Any", discovery), {}, wanted=True)
    names.request()
    assert requested.wait(60)
    names.close()
    (thread,) = threads
    thread.join(5)
    assert not thread.is_alive()
