"""Unwraps and checks the user's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.settings.checks import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADVICE = (
    "Give the value of the last STATE message, or what `meltano state get` prints; leave --state "
    "out to start anew."
)


def unwrapped_state(document: Mapping[str, Any]) -> dict[str, Any]:
    """The state itself, with `bookmarks`.

    Args:
        document: The state, or one in a STATE message, in the form in which Meltano exports a
            state (`singer_state`), or in the form in which it stores one (`completed`).

    Raises:
        SettingsError: It has none of these forms.
    """
    state = dict(document)
    if state.get("type") == "STATE" or state.keys() == {"value"}:
        state = _member(state, "value")
    if state.keys() & {"completed", "partial"} and "bookmarks" not in state:
        if state.get("partial"):
            raise SettingsError([f"state: a part of it is `partial`, Meltano's own. {_ADVICE}"])
        state = _member(state, "completed") if state.get("completed") else {}
    if "singer_state" in state and "bookmarks" not in state:
        state = _member(state, "singer_state")
    check_state(state)
    return state


def _member(state: Mapping[str, Any], name: str) -> dict[str, Any]:
    member = state.get(name)
    if not isinstance(member, dict):
        raise SettingsError([f"state: its `{name}` is no JSON object. {_ADVICE}"])
    return dict(member)


def check_state(state: Mapping[str, Any]) -> None:
    """Check that a document is a state; an empty one is valid.

    Raises:
        SettingsError: It is no state.
    """
    if state and "bookmarks" not in state:
        raise SettingsError([f"state: it has no `bookmarks`. {_ADVICE}"])
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict):
        raise SettingsError([f"state: its `bookmarks` are no JSON object. {_ADVICE}"])
    for stream, bookmark in bookmarks.items():
        if not isinstance(bookmark, dict):
            raise SettingsError([f"state: the bookmark of {stream!r} is no JSON object. {_ADVICE}"])
