"""The stages of a stream in the journal, and the bytes that it received."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.reporting.journal import Journal, Stage, StreamJournal
from tap_orgvue.streams.journal_progress import JournalProgress
from tests.support.datasets import people
from tests.support.runs import discover, only, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Stage]]:
    """The stages that each stream enters, in order."""
    found: dict[str, list[Stage]] = {}
    enter = StreamJournal.enter

    def note(journal: StreamJournal, stage: Stage) -> None:
        entered = found.setdefault(journal.name, [])
        if entered[-1:] != [stage]:
            entered.append(stage)
        enter(journal, stage)

    monkeypatch.setattr(StreamJournal, "enter", note)
    return found


@pytest.mark.parametrize(
    "step,stage",
    [
        ("waiting", Stage.WAITING),
        ("job_started", Stage.JOB),
        ("downloading", Stage.DOWNLOADING),
    ],
)
def test_each_step_of_an_export_is_a_stage(step: str, stage: Stage) -> None:
    """So that the report tells what a stream waited for."""
    entry = Journal().stream("people")
    getattr(JournalProgress(entry), step)()
    assert entry.stage is stage


def test_each_page_is_a_wait(serve: Serve, stages: dict[str, list[Stage]]) -> None:
    """A stream that is fetched and whose turn has come sends rows between its waits."""
    orgvue = serve(people(4))
    orgvue.page_rows = 2
    sync(orgvue.config)
    assert stages["people"] == [
        *(Stage.WAITING, Stage.DOWNLOADING, Stage.FETCHED, Stage.SENDING),
        *(Stage.WAITING, Stage.DOWNLOADING, Stage.SENDING),
        Stage.ENDED,
    ]


def test_a_failed_export_waits_for_its_turn(orgvue: Orgvue, stages: dict[str, list[Stage]]) -> None:
    """Its error is told then."""
    catalog = discover(orgvue.config)
    orgvue.refuse(400, on="export", times=None)
    with pytest.raises(OrgvueError):
        sync(orgvue.config, catalog)
    assert stages["people"] == [Stage.WAITING, Stage.PLANNED, Stage.ENDED]


def test_received_bytes_are_counted() -> None:
    """Each part that arrives is added to the stream's bytes."""
    entry = Journal().stream("people")
    for _ in range(2):
        JournalProgress(entry).received(5)
    assert entry.bytes_received == 10


def test_an_unchanged_dataset_waits_for_orgvue_too(
    orgvue: Orgvue, stages: dict[str, list[Stage]]
) -> None:
    """The request that shows that nothing changed is a wait."""
    config = {**orgvue.config, "skip_unchanged": True}
    catalog = discover(config)
    state = sync(config, catalog).state
    stages.clear()
    sync(config, catalog, state)
    assert stages["people"][:2] == [Stage.WAITING, Stage.FETCHED]


def test_descriptions_end_with_sending(serve: Serve, stages: dict[str, list[Stage]]) -> None:
    """What follows the last response is no wait for Orgvue."""
    orgvue = serve(people(), people(2, "Staff"))
    sync(orgvue.config, only(discover(orgvue.config), "orgvue_datasets"))
    found = [Stage.SENDING, Stage.WAITING]
    assert stages["orgvue_datasets"] == [
        *(Stage.WAITING, *found, *found),
        *(Stage.SENDING, Stage.ENDED),
    ]
