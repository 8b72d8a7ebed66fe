"""A state as it is given: understood in every wrapping, or refused with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.state import unwrapped_state

STATE: dict[str, Any] = {"bookmarks": {"people": {"rows": 5}}}


@pytest.mark.parametrize(
    "given",
    [
        STATE,
        {"type": "STATE", "value": STATE},
        {"value": STATE},
        {"singer_state": STATE},
        {"completed": {"singer_state": STATE}, "partial": {}},
        {"completed": {"singer_state": STATE}},
        {"type": "STATE", "value": {"singer_state": STATE}},
    ],
)
def test_a_state_in_its_wrapping(given: dict[str, Any]) -> None:
    """A STATE message, and what Meltano exports or stores, holds the state itself."""
    assert unwrapped_state(given) == STATE


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"type": "STATE", "value": {}},
        {"singer_state": {}},
        {"completed": {}, "partial": {}},
    ],
)
def test_an_empty_state(given: dict[str, Any]) -> None:
    """A first run's state is empty, wrapped or not."""
    assert unwrapped_state(given) == {}


def test_members_beside_the_bookmarks_stay() -> None:
    """Whatever stands beside the bookmarks belongs to the state."""
    state = {**STATE, "singer_state": 1, "completed": 2, "partial": 3}
    assert unwrapped_state(state) == state


@pytest.mark.parametrize(
    "given,told",
    [
        ({"people": {"rows": 5}}, "it has no `bookmarks`"),
        ({"type": "STATE"}, "its `value` is no JSON object"),
        ({"type": "STATE", "value": []}, "its `value` is no JSON object"),
        ({"singer_state": "{}"}, "its `singer_state` is no JSON object"),
        ({"completed": 5}, "its `completed` is no JSON object"),
        ({"completed": {}, "partial": {"singer_state": STATE}}, "a part of it is `partial`"),
        ({"bookmarks": []}, "its `bookmarks` are no JSON object"),
        ({"bookmarks": {"people": 5}}, "the bookmark of 'people' is no JSON object"),
        ({"type": "RECORD", "record": {}}, "it has no `bookmarks`"),
    ],
)
def test_a_state_that_is_refused(given: dict[str, Any], told: str) -> None:
    """What is no state is never ignored; the line says where one is found."""
    with pytest.raises(SettingsError) as caught:
        unwrapped_state(given)
    (line,) = caught.value.mistakes
    assert line.startswith(f"state: {told}")
    assert "meltano state get" in line
