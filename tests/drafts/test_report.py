"""The log about what was left out of changes: how many values of which keys, and why."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from tap_orgvue.drafts.report import report_actions
from tap_orgvue.records.action_maker import ActionCounts
from tap_orgvue.records.values import Counts
from tap_orgvue.schema.change_rules import Treatment

EXCLUDED, DESELECTED = Treatment.EXCLUDED, Treatment.DESELECTED


def logged(caplog: pytest.LogCaptureFixture, counts: ActionCounts) -> list[tuple[str, str]]:
    """Level and text of each line about a run's counts."""
    with caplog.at_level(logging.INFO):
        report_actions(logging.getLogger("drafts"), "the_stream", counts)
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_nothing_is_logged_where_nothing_was_left_out(caplog: pytest.LogCaptureFixture) -> None:
    """Rows alone are no reason for a line."""
    assert logged(caplog, ActionCounts(rows=3)) == []


def test_values_are_counted_by_reason_and_key(caplog: pytest.LogCaptureFixture) -> None:
    """One line, which names each reason once, the most frequent one and its keys first."""
    left_out = {
        (EXCLUDED, "salary"): 2,
        (DESELECTED, "team"): 3,
        (EXCLUDED, "bonus"): 1,
        (DESELECTED, "two\nlines"): 1,
    }
    ((level, text),) = logged(caplog, ActionCounts(left_out=Counter(left_out)))
    assert level == "INFO"
    assert text == (
        "'the_stream': 7 values are left out of changes. Deselected, or not read in this run: "
        "'team' (3), 'two lines' (1). Excluded by `exclude_properties`: 'salary' (2), 'bonus' (1)."
    )


@pytest.mark.parametrize("doubt", [Treatment.UNKNOWN, Treatment.UNREADABLE, Treatment.UNSURE])
@pytest.mark.parametrize("first", [True, False])
def test_what_no_setting_decides_is_a_warning(
    caplog: pytest.LogCaptureFixture,
    doubt: Treatment,
    first: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """Also beside what the user's own settings leave out."""
    left_out = Counter({(doubt, "odd"): 2 if first else 1, (EXCLUDED, "salary"): 1})
    ((level, _),) = logged(caplog, ActionCounts(left_out=left_out))
    assert level == "WARNING"


def test_keys_that_were_not_counted_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    """Their values are part of the total, and a warning whatever the reason of the others."""
    counts = ActionCounts(left_out=Counter({(EXCLUDED, "salary"): 2}), other_keys=5)
    ((level, text),) = logged(caplog, counts)
    assert level == "WARNING"
    assert text.startswith("'the_stream': 7 values are left out of changes.")
    assert text.endswith("'salary' (2). Of other keys: 5.")


@pytest.mark.parametrize("more", [0, 1, 7])
def test_very_many_keys_are_named_in_part(caplog: pytest.LogCaptureFixture, more: int) -> None:
    """The line names the most frequent keys, and the number of all further ones."""
    left_out = Counter({(EXCLUDED, f"key {number}"): 1 for number in range(50 + more)})
    left_out[EXCLUDED, "often"] = 2
    del left_out[EXCLUDED, "key 0"]
    ((_, text),) = logged(caplog, ActionCounts(left_out=left_out))
    assert "'often' (2), 'key 1' (1), " in text
    assert text.count("'key ") == 49
    assert ("more keys" in text) == (more > 0)
    if more:
        assert text.endswith(f"'key 49' (1), and {more} more keys.")


def test_a_very_long_key_is_named_in_part(caplog: pytest.LogCaptureFixture) -> None:
    """A line stays readable."""
    left_out = Counter({(EXCLUDED, "pay of " * 100): 1})
    ((_, text),) = logged(caplog, ActionCounts(left_out=left_out))
    assert "'pay of pay" in text
    assert len(text) < 250


def test_unknown_actions_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The API guide may be older than Orgvue."""
    ((level, text),) = logged(caplog, ActionCounts(unknown_words=2))
    assert level == "WARNING"
    assert text == (
        "'the_stream': 2 changes have an action that Orgvue's API guide does not name; it is sent "
        "as it is."
    )


def test_nul_characters_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    """What was removed from a value is told."""
    assert logged(caplog, ActionCounts(cells=Counts(nul_characters=4))) == [
        (
            "WARNING",
            "'the_stream': 4 NUL characters, which no database stores, were removed from text.",
        )
    ]
