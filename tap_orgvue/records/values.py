"""One cell: what Orgvue delivered, as the value its column promises, or the reason it is none.

Nothing promises that a cell has its property's declared type: a calculated number can hold text.
A value of the wrong type or form fails a whole load, so every value is right before it leaves.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.timestamps import (
    finer_than_microseconds,
    format_instant,
    is_plain_day,
    parse_instant,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


NUL = "\x00"


class Misfit(msgspec.Struct, frozen=True):
    """A value that its column cannot hold whole.

    Attributes:
        whole: The value as JSON can hold it: what is rescued.
        fitted: What the column can hold of it; mostly None.
    """

    whole: Any
    fitted: Any = None


class Counts(msgspec.Struct):
    """What the rows of a stream had, over all pages of its export.

    Attributes:
        rows: Rows.
        misfits: Column name to the number of values that did not fit it.
        nul_characters: NUL characters removed from text: no database stores them.
    """

    rows: int = 0
    misfits: Counter[str] = msgspec.field(default_factory=Counter)
    nul_characters: int = 0


class Fitter:
    """Fits raw JSON cells into columns."""

    def __init__(self, counts: Counts) -> None:
        """Count removed NUL characters there."""
        self._counts = counts
        self._fits: Mapping[ColumnType, Callable[[Any], Any]] = {
            ColumnType.TEXT: self._text,
            ColumnType.NUMBER: _number,
            ColumnType.BOOLEAN: _boolean,
            ColumnType.DATE: fit_date,
            ColumnType.DATE_TIME: fit_instant,
        }

    def fit(self, kind: ColumnType, raw: bytes) -> Any:
        """Read a cell.

        Args:
            kind: What its column holds.
            raw: The cell's JSON text, as it came.

        Returns:
            None, a value that the column holds, or a `Misfit`.
        """
        cell = read_cell(raw)
        if cell is None:
            return None
        fitted = self._fits[kind](cell)
        if isinstance(fitted, Misfit):
            return Misfit(self.storable(fitted.whole), fitted.fitted)
        return fitted

    def _text(self, cell: Any) -> Any:
        if not isinstance(cell, str):
            return self._without_nul(cell.text if isinstance(cell, Literal) else json_text(cell))
        try:
            cell.encode()
        except UnicodeEncodeError:
            # Half a character: the column holds the rest, the rescue its JSON escapes.
            rest = self._without_nul(cell.encode("utf-8", "replace").decode())
            return Misfit(json.dumps(cell), rest)
        return self._without_nul(cell)

    def _without_nul(self, text: str) -> str:
        if NUL in text:
            self._counts.nul_characters += text.count(NUL)
            text = text.replace(NUL, "")
        return text

    def storable(self, value: Any) -> Any:
        """A value as a JSON column can hold it."""
        if isinstance(value, str):
            return self._without_nul(value.encode("utf-8", "backslashreplace").decode())
        if isinstance(value, Literal):
            number = exact_number(value.text)
            return value.text if number is None else number
        if isinstance(value, list):
            return [self.storable(entry) for entry in value]
        if isinstance(value, dict):
            return {self.storable(key): self.storable(entry) for key, entry in value.items()}
        return value


class Literal(msgspec.Struct, frozen=True):
    """A number as it is written, not yet rounded to anything."""

    text: str


def read_cell(raw: bytes) -> Any:
    """Read JSON with its numbers as `Literal`; text may hold lone surrogates.

    Raises:
        UnicodeDecodeError: The cell is not UTF-8.
    """
    return _CELL.decode(raw.decode())


_CELL = json.JSONDecoder(parse_float=Literal, parse_int=Literal, parse_constant=Literal)

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")

_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")

_MOST_DIGITS = 4000
"""Of a number, before and behind its point: databases hold about four times as many."""


def exact_number(text: str) -> int | float | Decimal | None:
    """Read a number without changing its value.

    Returns:
        An int, a float where it is exact, else a Decimal; None when the text is no finite number
        that databases hold.
    """
    if not _NUMBER.fullmatch(text) or len(text) > _MOST_DIGITS:
        return None
    rough = float(text)
    if not math.isfinite(rough):
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        # Its exponent has more digits than any number.
        return None
    if Decimal(repr(rough)) == exact:
        return rough
    return exact if exact.adjusted() >= -_MOST_DIGITS else None


def _number(cell: Any) -> Any:
    text = cell.text if isinstance(cell, Literal) else cell
    number = exact_number(text) if isinstance(text, str) else None
    return Misfit(cell) if number is None else number


def _boolean(cell: Any) -> Any:
    if isinstance(cell, bool):
        return cell
    return {"true": True, "false": False}[cell] if cell in ("true", "false") else Misfit(cell)


def fit_instant(cell: Any) -> Any:
    """Bring an instant to RFC 3339 in UTC with `Z`."""
    instant = parse_instant(cell) if isinstance(cell, str) else None
    if instant is None:
        return Misfit(cell)
    text = format_instant(instant)
    return Misfit(cell, text) if finer_than_microseconds(cell) else text


def fit_date(cell: Any) -> Any:
    """Bring a calendar date to `YYYY-MM-DD`.

    A date with a time of day keeps its date in UTC, and is rescued whole.
    """
    if isinstance(cell, str) and is_plain_day(cell):
        return cell[:10]
    instant = parse_instant(cell) if isinstance(cell, str) else None
    if instant is None:
        return Misfit(cell)
    day = instant.date().isoformat()
    midnight = instant.time() == instant.time().min and not finer_than_microseconds(cell)
    return day if midnight else Misfit(cell, day)


def canonical_text(value: Any) -> str:
    """One text for equal values, however their numbers were written: 5, 5.0 and 5.00 are `5`.

    A zero has no sign.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return json.dumps(value, sort_keys=True, default=str)
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact:
        return "0"
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def json_text(value: Any) -> str:
    """JSON text of a nested value, its numbers as they were written."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, list):
        return f"[{','.join(json_text(entry) for entry in value)}]"
    if isinstance(value, dict):
        entries = (f"{_json_string(key)}:{json_text(entry)}" for key, entry in value.items())
        return f"{{{','.join(entries)}}}"
    if isinstance(value, str):
        return _json_string(value)
    return json.dumps(value)


def _json_string(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)
