"""Decides whether a loader may remove rows that a complete export no longer has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_orgvue.singer.deferred_versions import DeferredVersionStream
    from tap_orgvue.streams.state import StreamState


def activate_version_if_safe(
    stream: DeferredVersionStream,
    state: StreamState,
    rows: int,
    *,
    permissioned: bool,
    guard_percent: int,
) -> str | None:
    """Activate the version of a stream's records, unless missing rows may still exist.

    Args:
        stream: All of its records are sent.
        state: The stream's state after its last run; updated.
        rows: Rows of the export.
        permissioned: True if the token's user sees only a part of the dataset.
        guard_percent: The setting `delete_guard_percent`.

    Returns:
        Why the message was withheld; None if it was not.
    """
    if stream.version is None:
        # The guard compares a mirrored table with the last export that it mirrors.
        state.rows = rows if state.version is None else state.rows
        return None
    reason = reason_to_withhold(state, rows, permissioned=permissioned, guard_percent=guard_percent)
    state.version = stream.version
    if reason is None:
        stream.activate_version()
        state.rows, state.permissioned = rows, permissioned
        return None
    stream.logger.error(
        "'%s': rows that Orgvue no longer delivers are NOT removed from the table, because %s. If "
        "this is intended, run once with `delete_guard_percent` 0.",
        stream.name,
        reason,
    )
    return reason


def reason_to_withhold(
    state: StreamState, rows: int, *, permissioned: bool, guard_percent: int
) -> str | None:
    """Why missing rows may still exist; None if they may be removed.

    Args:
        state: The stream's state after its last run.
        rows: Rows of the export.
        permissioned: True if the token's user sees only a part of the dataset now.
        guard_percent: The smallest share of the last export's rows; 0 switches the guard off.
    """
    if not guard_percent:
        return None
    if permissioned and state.permissioned is False:
        return "the token's user sees only a part of the dataset now"
    if state.rows is not None and rows * 100 < state.rows * guard_percent:
        return (
            f"the export has {rows} rows, fewer than {guard_percent} % of the {state.rows} of the "
            "last one"
        )
    return None
