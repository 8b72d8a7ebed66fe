"""How far an incremental stream has come."""

from __future__ import annotations

from tap_orgvue.timestamps import parse_instant


def _is_later(one: str, other: str) -> bool:
    if len(one) == len(other) and one[-1:] == other[-1:] == "Z":
        # Both are in UTC and of one form, whose texts are in the order of time.
        return one > other
    first, second = parse_instant(one), parse_instant(other)
    return first is not None and (second is None or first > second)
