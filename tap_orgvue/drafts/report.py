"""Logs what was left out of the changes in drafts: counts by key, never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.orgvue.error_body import one_line

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping

    from tap_orgvue.records.action_maker import ActionCounts

_MOST_NAMED = 50
"""The most keys that one sentence names."""


def report_actions(logger: logging.Logger, stream: str, counts: ActionCounts) -> None:
    """Log the values that were left out, the unknown actions, and the removed NUL characters.

    Args:
        logger: Logs at INFO what the user's own settings decide, else at WARNING.
        stream: The stream's name.
        counts: The totals of the run.
    """
    left_out = sum(counts.left_out.values()) + counts.other_keys
    if left_out:
        intended = all(treatment.is_intended for treatment, _ in counts.left_out)
        log = logger.info if intended and not counts.other_keys else logger.warning
        why = " ".join(_left_out(counts))
        log("'%s': %d values are left out of changes. %s", stream, left_out, why)
    if counts.unknown_words:
        logger.warning(
            "'%s': %d changes have an action that Orgvue's API guide does not name; it is sent as "
            "it is.",
            stream,
            counts.unknown_words,
        )
    if counts.cells.nul_characters:
        logger.warning(
            "'%s': %d NUL characters, which no database stores, were removed from text.",
            stream,
            counts.cells.nul_characters,
        )


def _left_out(counts: ActionCounts) -> Iterator[str]:
    by_treatment: dict[str, dict[str, int]] = {}
    for (treatment, key), count in counts.left_out.most_common():
        by_treatment.setdefault(treatment.value, {})[key] = count
    for why, keys in by_treatment.items():
        yield f"{why[0].upper()}{why[1:]}: {_listed(keys)}."
    if counts.other_keys:
        yield f"Of other keys: {counts.other_keys}."


def _listed(keys: Mapping[str, int]) -> str:
    shown = [f"{one_line(key, 60)!r} ({count})" for key, count in [*keys.items()][:_MOST_NAMED]]
    more = len(keys) - len(shown)
    return ", ".join([*shown, *([f"and {more} more keys"] if more else [])])
