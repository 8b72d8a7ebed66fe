"""The stages of a stream in the journal, and the bytes that it received."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

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
