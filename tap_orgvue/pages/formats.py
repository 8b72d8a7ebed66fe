"""Formats numbers, times and sizes for pages, independent of the locale."""

from __future__ import annotations

from tap_orgvue.timestamps import parse_instant

_NARROW_SPACE = "\u202f"
_MINUS = "\N{MINUS SIGN}"
_MINUTE, _HOUR = 60, 3600
_SHORT = 10
_KILO = 1000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def count(number: int) -> str:
    """`7 092`, with a narrow space that breaks no line."""
    return f"{number:,}".replace(",", _NARROW_SPACE).replace("-", _MINUS)


def counted(number: int, noun: str) -> str:
    """`1 stream`, `5 streams`; the noun's plural ends in s."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """`0.4 s`, `46 s`, `3 min 20 s`, `2 h 5 min`."""
    if value < _SHORT:
        return f"{max(value, 0.0):.1f} s".replace("0.0 s", "0 s")
    whole = round(value)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole // _MINUTE, _MINUTE)
    return f"{count(hours)} h {rest} min" if rest else f"{count(hours)} h"


def size(number: int) -> str:
    """`812 B`, `4.2 MB`, `18 GB`: powers of 1000."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < _KILO or unit == "TB":
            break
        value /= _KILO
    digits = 0 if unit == "B" or value >= _SHORT else 1
    return f"{value:.{digits}f} {unit}"


def percent(part: float, whole: float) -> str:
    """`0.2 %`, `12 %`; `0 %` of 0."""
    share = 100 * part / whole if whole else 0.0
    if share and share < 0.1:  # noqa: PLR2004 - what one decimal cannot show
        return "under 0.1 %"
    return f"{share:.0f} %" if share >= _SHORT or not share else f"{share:.1f} %"


def difference(now: int, before: int | None) -> str:
    """`+120 (+4.2 %)`, `same`, with a true minus sign; empty if `before` is None."""
    if before is None:
        return ""
    if now == before:
        return "same"
    sign = "+" if now > before else _MINUS
    changed = f"{sign}{count(abs(now - before))}"
    if not before:
        return changed
    share = percent(abs(now - before), before)
    return f"{changed} ({sign if share[0].isdigit() else ''}{share})"


def instant(text: str) -> str:
    """`31 Jan 2026, 02:00 UTC`; any other text is unchanged."""
    parsed = parse_instant(text)
    if parsed is None:
        return text
    return f"{day(text)}, {parsed:%H:%M} UTC"


def day(text: str) -> str:
    """`31 Jan 2026`; a text that is no instant is unchanged."""
    parsed = parse_instant(text)
    if parsed is None:
        return text
    return f"{parsed.day} {_MONTHS[parsed.month - 1]} {parsed.year}"
