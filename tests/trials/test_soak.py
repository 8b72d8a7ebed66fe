"""A soak of a few seconds; `make soak` does it with 300 datasets."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from tests.trials import soak

if TYPE_CHECKING:
    from tests.trials.soak import Outcome, Size

SMALL = soak.Size(
    datasets=30, rows=400, parallel=8, slow=0.05, late=0.3, server=0.1, broken=0.05, refused=0.03
)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """One bad day, with a few dozen datasets."""
    return soak.soak(SMALL)


def test_every_row_comes_once_and_right(outcome: Outcome) -> None:
    """However requests are throttled, broken off and late, and jobs fail, all rows come once."""
    assert outcome.code == 0, outcome.log
    assert (outcome.wrong, outcome.missing) == (0, 0)
    assert outcome.rows == sum(soak.row_count(SMALL, number) for number in range(30))
    assert outcome.streams == (30, 30)
    assert outcome.is_complete


def test_the_day_was_bad(outcome: Outcome) -> None:
    """Every kind of fault was met, and what was retried was logged."""
    faults = outcome.figures["faults"]
    assert {kind for kind, count in faults.items() if count} == {
        *("refused", "broken off", "slow", "failed jobs"),
    }
    assert outcome.retries
    assert set(outcome.figures["requests"]) == {"list", "export", "job", "ticket", "result"}


def test_orgvues_limits_were_kept(outcome: Outcome) -> None:
    """No more requests at once than set, and no more in a second than Orgvue allows."""
    assert outcome.figures["most at once"] <= SMALL.parallel
    assert outcome.figures["most in a second"] <= 100


def test_memory_is_flat(outcome: Outcome) -> None:
    """The tap's memory does not grow with the streams that it has behind it."""
    _, second, _, last = outcome.quarters()
    assert second > 0
    assert last - second < 32


def test_the_report(outcome: Outcome) -> None:
    """What `make soak` prints has the figures."""
    told = soak.report(SMALL, outcome)
    assert told.startswith("complete, exit code 0, in ")
    assert "30 of 30 complete" in told
    assert "0 otherwise, 0 missing" in told


def test_what_is_missing_is_reported(outcome: Outcome) -> None:
    """A row that did not come, or came otherwise, makes a soak fail."""
    assert not dataclasses.replace(outcome, missing=1).is_complete
    assert not dataclasses.replace(outcome, wrong=1).is_complete
    assert "NOT COMPLETE" in soak.report(SMALL, dataclasses.replace(outcome, code=1))


@pytest.mark.parametrize(
    "change", [{}, {"pay": 5}, {"_id": "00000001-0000-4000-8000-FFFFFFFFFFFF"}]
)
def test_a_soak_sees_what_is_wrong(change: dict[str, object]) -> None:
    """A row that is sent twice, changed or made up is none that should be."""
    size: Size = soak.Size(datasets=2, rows=100)
    check = soak.Check(size)
    record = soak.record(1, 3)
    check.take({"type": "RECORD", "stream": "dataset_001", "record": record})
    check.take({"type": "RECORD", "stream": "dataset_001", "record": {**record, **change}})
    assert (check.rows, check.wrong) == (1, 1)
    assert check.missing() == {0: 100, 1: 9}
