"""Whether a loader may remove the rows that a complete export does not have any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_orgvue.singer.deferred_versions import HeldVersions
    from tap_orgvue.streams.state import Memory


def let_go(
    stream: HeldVersions,
    memory: Memory,
    rows: int,
    *,
    permissioned: bool = False,
    guard_percent: int,
) -> bool:
    """Activate the version of a stream's records, unless rows that are missing may not be gone.

    Args:
        stream: All of its records are sent.
        memory: What is known of its last run; brought up to date.
        rows: How many there are.
        permissioned: Whether the user sees only a part of them.
        guard_percent: See `Memory.doubt`.

    Returns:
        Whether nothing was withheld.
    """
    if stream.version is None:
        # What a mirrored table is compared with is the last export that it was made to mirror.
        memory.rows = rows if memory.version is None else memory.rows
        return True
    doubt = memory.doubt(rows, permissioned=permissioned, guard_percent=guard_percent)
    memory.version = stream.version
    if doubt is None:
        stream.activate_version()
        memory.rows, memory.permissioned = rows, permissioned
        return True
    stream.logger.error(
        "'%s': rows that Orgvue no longer delivers are NOT removed from the table, because %s. If "
        "that is as it should be, run once with `delete_guard_percent` 0.",
        stream.name,
        doubt,
    )
    return False
