"""The journal of a run: each stream's stages, its rows and its bytes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.reporting.journal import Journal, Stage, StreamJournal
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.runs import discover, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]
    Stages = dict[str, list[str]]

FETCHED = ["WAITING", "DOWNLOADING", "FETCHED", "SENDING", "ENDED"]
BY_JOB = ["WAITING", "JOB", *FETCHED[1:]]


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        """Begin at some time."""
        self.time = 1000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.time


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """The stages that each stream entered, one after the other."""
    entered: Stages = defaultdict(list)
    enter = StreamJournal.enter

    def noting(journal: StreamJournal, stage: Stage) -> None:
        if journal.stage is not stage:
            entered[journal.name].append(stage.name)
        enter(journal, stage)

    monkeypatch.setattr(StreamJournal, "enter", noting)
    return entered


def journal_of(config: dict[str, Any], catalog: dict[str, Any] | None = None) -> Journal:
    """The journal of a run, which may fail."""
    tap = TapOrgvue(config=config, catalog=catalog or discover(config))
    try:
        tap.run()
    finally:
        tap.close()
    return tap.source.journal


@pytest.mark.parametrize("mode,expected", [("sync", FETCHED), ("async", BY_JOB)])
@pytest.mark.parametrize("batches", [False, True], ids=["records", "batches"])
def test_the_stages_of_an_export(  # noqa: PLR0913 - two of them are a case
    orgvue: Orgvue, stages: Stages, tmp_path: Path, mode: str, expected: list[str], *, batches: bool
) -> None:
    """A stream waits, has its job run, downloads, waits for its turn and sends; then it has ended.

    All of its rows and bytes are counted, in RECORD messages as in BATCH files.
    """
    config: dict[str, Any] = {**orgvue.config, "export_mode": mode}
    if batches:
        encoding = {"format": "jsonl", "compression": "gzip"}
        storage = {"root": tmp_path.as_uri()}
        config["batch_config"] = {"encoding": encoding, "storage": storage}
    journal = journal_of(config)
    assert stages["people"] == expected
    people_journal = journal.streams[0]
    assert people_journal.rows == 5
    assert people_journal.bytes_received > 100
    assert journal.syncing is None


def test_the_stages_of_slices_and_pages(serve: Serve, stages: Stages) -> None:
    """Each further slice is waited for, downloaded and sent; rows add up."""
    orgvue = serve(people(200))
    orgvue.sync_limit_bytes = 10_000
    journal = journal_of({**orgvue.config, "export_mode": "paged"})
    assert journal.streams[0].rows == 200
    entered = stages["people"]
    assert entered[:2] == ["WAITING", "FETCHED"]
    assert entered.count("SENDING") > 2
    assert entered[-4:] == ["WAITING", "DOWNLOADING", "SENDING", "ENDED"]


def test_a_retry_is_a_wait(orgvue: Orgvue, stages: Stages) -> None:
    """A download that breaks off is waited for again; a retried refusal is the same wait."""
    catalog = discover(orgvue.config)
    orgvue.refuse((500, "500001", "Later", "Soon."), on="export", times=2)
    orgvue.hang_up(on="export", after=-20, times=1)
    journal = journal_of({**orgvue.config, "export_mode": "sync"}, catalog)
    assert stages["people"] == ["WAITING", "DOWNLOADING", *FETCHED]
    assert journal.streams[0].rows == 5


def test_a_job_that_is_lost(orgvue: Orgvue, stages: Stages) -> None:
    """A job that is requested again is waited for again."""
    orgvue.plan_job("failed", times=1)
    journal_of({**orgvue.config, "export_mode": "async"})
    assert stages["people"] == ["WAITING", "JOB", *BY_JOB]


def test_a_stream_that_fails(orgvue: Orgvue, stages: Stages) -> None:
    """A failed fetch does no work until its turn; then the stream has ended."""
    catalog = discover(orgvue.config)
    orgvue.refuse((400, "400001", "No", "Not so."), on="export", times=None)
    orgvue.refuse((400, "400001", "No", "Not so."), on="job", times=None)
    journal = journal_of({**orgvue.config, "max_retries": 0}, catalog)
    assert stages["people"][-2:] == ["PLANNED", "ENDED"]
    assert journal.syncing is None


def test_streams_made_of_metadata(serve: Serve, stages: Stages) -> None:
    """They wait for each dataset's metadata, and send its rows."""
    orgvue = serve(people(name="Alpha"), people(name="Beta"))
    catalog = select(discover(orgvue.config), "orgvue_properties")
    journal = journal_of(orgvue.config, catalog)
    found = {stream.name: stream for stream in journal.streams}
    assert list(found) == ["alpha", "beta", "orgvue_properties"]
    assert found["orgvue_properties"].rows == 10
    turns = ["WAITING", "SENDING"] * 2
    assert stages["orgvue_properties"] == [*turns, "WAITING", "SENDING", "ENDED"]


def test_discovery_is_counted(serve: Serve) -> None:
    """Datasets are counted as their columns are known, also those that cannot be read."""
    orgvue = serve(*(people(name=f"People {i}") for i in range(4)))
    orgvue.refuse(403, dataset="People 2", times=None)
    tap = TapOrgvue(config=orgvue.config, setup_mapper=False)
    journal = tap.source.journal
    assert (journal.to_discover, journal.discovering_since) == (0, None)
    assert len(tap.streams) == 5
    tap.close()
    assert (journal.discovered, journal.to_discover) == (4, 4)
    assert journal.discovering_since is None


def test_discovery_that_fails(orgvue: Orgvue) -> None:
    """Where the tenant cannot be read, nothing is being discovered any more."""
    orgvue.refuse("40302", times=None)
    tap = TapOrgvue(config=orgvue.config, setup_mapper=False)
    with pytest.raises(OrgvueError):
        _ = tap.streams
    tap.close()
    assert tap.source.journal.discovering_since is None


def test_a_stream_that_is_planned() -> None:
    """It is in no other stage since the run began, and nothing of it has come."""
    clock = Clock()
    stream = Journal(clock).stream("people")
    clock.time += 5
    assert stream.current == (Stage.PLANNED, 1000.0)
    assert (stream.name, stream.rows, stream.bytes_received) == ("people", 0, 0)
    assert stream.seconds_in(*Stage) == 5


def test_a_stage_goes_on() -> None:
    """Entering the current stage again neither ends it nor counts it twice."""
    clock = Clock()
    stream = Journal(clock).stream("people")
    stream.enter(Stage.WAITING)
    clock.time += 20
    stream.enter(Stage.WAITING)
    clock.time += 20
    assert stream.current == (Stage.WAITING, 1000.0)
    assert stream.seconds_in(Stage.WAITING) == 40
    stream.enter(Stage.SENDING)
    clock.time += 5
    assert stream.seconds_in(Stage.WAITING) == 40
    assert stream.seconds_in(Stage.WAITING, Stage.SENDING) == 45


def test_the_time_of_a_run() -> None:
    """It counts from the run's begin, whatever the clock says then."""
    clock = Clock()
    journal = Journal(clock)
    assert journal.seconds() == 0
    clock.time += 7.5
    assert (journal.seconds(), journal.now()) == (7.5, clock.time)
