"""One cell: a JSON value becomes a value of its column's type, or a misfit.

Orgvue does not promise that a cell has its property's declared type: a calculated number can hold
text. One value of another type or form fails a whole load, so no such value is emitted. Text in a
column of another type is read without the white space around it; blank text there is null.
"""

from __future__ import annotations

import hmac
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
"""The character that no database stores in text."""


class Misfit(msgspec.Struct, frozen=True):
    """A value that its column cannot hold, or can hold in part only.

    Attributes:
        whole: The value, to be rescued; numbers in it are `Literal`.
        fitted: The part that the column can hold; mostly None.
    """

    whole: Any
    fitted: Any = None


class Counts(msgspec.Struct):
    """Totals of one stream's rows, over all pages of its export.

    Attributes:
        rows: The number of rows.
        misfits: Column name to the number of values that did not fit.
        values: Column name to the number of values that were no nulls; only of columns with
            misfits, and only in the blocks since the first misfit.
        rows_counted: Column name to the number of rows that `values` is about.
        nul_characters: The number of NUL characters removed from text.
    """

    rows: int = 0
    misfits: Counter[str] = msgspec.field(default_factory=Counter)
    values: Counter[str] = msgspec.field(default_factory=Counter)
    rows_counted: Counter[str] = msgspec.field(default_factory=Counter)
    nul_characters: int = 0


class Fitter:
    """Fits raw JSON cells to the types of their columns."""

    def __init__(self, counts: Counts) -> None:
        """Make a fitter.

        Args:
            counts: Removed NUL characters are added to it.
        """
        self._counts = counts
        self._fits: Mapping[ColumnType, Callable[[Any], Any]] = {
            ColumnType.TEXT: self._text,
            ColumnType.NUMBER: _number,
            ColumnType.BOOLEAN: _boolean,
            ColumnType.DATE: fit_date,
            ColumnType.DATE_TIME: fit_date_time,
        }

    def fit(self, column_type: ColumnType, raw: bytes) -> Any:
        """Fit one cell.

        Args:
            column_type: The type of the cell's column.
            raw: The cell's JSON text.

        Returns:
            None, a value of the column's type, or a `Misfit`.

        Raises:
            UnicodeDecodeError: The cell is not UTF-8.
        """
        cell = read_cell(raw)
        if cell is None:
            return None
        fitted = self._fits[column_type](cell)
        if isinstance(fitted, Misfit):
            return Misfit(self.storable(fitted.whole), fitted.fitted)
        return fitted

    def hashed(self, column_type: ColumnType, raw: bytes, key: bytes) -> str | None:
        """The HMAC-SHA-256 of a cell, as 64 hex digits; equal values have equal hashes.

        Args:
            column_type: The type that its property is declared with.
            raw: The cell's JSON text.
            key: The secret key.

        Raises:
            UnicodeDecodeError: The cell is not UTF-8.
        """
        value = self.fit(column_type, raw)
        if isinstance(value, Misfit):
            value = value.whole
        if value is None:
            return None
        text = value if isinstance(value, str) else canonical_text(value)
        return hmac.digest(key, text.encode(), "sha256").hex()

    def _text(self, cell: Any) -> Any:
        if not isinstance(cell, str):
            return self._without_nul(cell.text if isinstance(cell, Literal) else json_text(cell))
        try:
            cell.encode()
        except UnicodeEncodeError:
            # A lone surrogate: the column gets the rest, the rescue gets the JSON escapes.
            rest = self._without_nul(cell.encode("utf-8", "replace").decode())
            return Misfit(json.dumps(cell), rest)
        return self._without_nul(cell)

    def _without_nul(self, text: str) -> str:
        if NUL in text:
            self._counts.nul_characters += text.count(NUL)
            text = text.replace(NUL, "")
        return text

    def storable(self, value: Any) -> Any:
        """A value as databases can store it in JSON: valid Unicode, no NUL, finite numbers."""
        if isinstance(value, str):
            return self._without_nul(value.encode("utf-8", "backslashreplace").decode())
        if isinstance(value, Literal):
            return value.text if exact_number(value.text) is None else value
        if isinstance(value, list):
            return [self.storable(entry) for entry in value]
        if isinstance(value, dict):
            return {self.storable(key): self.storable(entry) for key, entry in value.items()}
        return value


class Literal(msgspec.Struct, frozen=True):
    """A JSON number as it is written, before any rounding."""

    text: str


def read_cell(raw: bytes) -> Any:
    """Parse JSON with numbers as `Literal`; text may hold lone surrogates.

    Raises:
        UnicodeDecodeError: The cell is not UTF-8.
    """
    return _CELL.decode(raw.decode())


_CELL = json.JSONDecoder(parse_float=Literal, parse_int=Literal, parse_constant=Literal)

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)

_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)

_MAX_DIGITS = 4000
"""The most digits of a number, before and after its point; databases hold four times as many."""


def exact_number(text: str) -> int | float | Decimal | None:
    """Parse a JSON number without changing its value.

    Returns:
        An int, a float if it is exact, else a Decimal; None if the text is no JSON number, is not
        finite as a float, or has more digits than databases hold.
    """
    if not _NUMBER.fullmatch(text) or len(text) > _MAX_DIGITS:
        return None
    rough = float(text)
    if not math.isfinite(rough):
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    try:
        exact = Decimal(text)
    except InvalidOperation:
        # The exponent is beyond Decimal's range.
        return None
    if Decimal(repr(rough)) == exact:
        return rough
    return exact if exact.adjusted() >= -_MAX_DIGITS else None


def _number(cell: Any) -> Any:
    text = cell.text if isinstance(cell, Literal) else _unpadded(cell)
    if text == "":
        return None
    number = exact_number(text) if isinstance(text, str) else None
    return Misfit(cell) if number is None else number


def _boolean(cell: Any) -> Any:
    if isinstance(cell, bool):
        return cell
    text = _unpadded(cell)
    if text == "":
        return None
    return text == "true" if text in ("true", "false") else Misfit(cell)


def _unpadded(cell: Any) -> Any:
    """A text without the white space around it; any other value as it is."""
    return cell.strip() if isinstance(cell, str) else cell


def fit_date_time(cell: Any) -> Any:
    """Fit a value to a date-time column: RFC 3339 in UTC with `Z`; None if it is blank.

    A fraction finer than microseconds is cut, and the value is rescued whole.
    """
    if _unpadded(cell) == "":
        return None
    instant = parse_instant(cell) if isinstance(cell, str) else None
    if instant is None:
        return Misfit(cell)
    text = format_instant(instant)
    return Misfit(cell, text) if finer_than_microseconds(cell) else text


def fit_date(cell: Any) -> Any:
    """Fit a value to a date column: `YYYY-MM-DD`; None if it is blank.

    A value with a time of day becomes its date in UTC, and is rescued whole.
    """
    if isinstance(cell, str) and is_plain_day(cell):
        return cell[:10]
    if _unpadded(cell) == "":
        return None
    instant = parse_instant(cell) if isinstance(cell, str) else None
    if instant is None:
        return Misfit(cell)
    day = instant.date().isoformat()
    midnight = instant.time() == instant.time().min and not finer_than_microseconds(cell)
    return day if midnight else Misfit(cell, day)


def canonical_text(value: Any) -> str:
    """The text of a value that its hash is made of; equal values have equal texts.

    5, 5.0 and 5.00 are `5`; -0.0 is `0`; nested values are JSON with sorted keys.
    """
    if isinstance(value, Literal):
        value = exact_number(value.text)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return json.dumps(value, sort_keys=True, default=_json_number)
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not exact:
        return "0"
    text = f"{exact:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _json_number(value: Any) -> Any:
    """A number that the JSON encoder does not know: a `Literal`, or a Decimal as its text."""
    return exact_number(value.text) if isinstance(value, Literal) else str(value)


def json_text(value: Any) -> str:
    """The JSON text of a value, with numbers as they were written."""
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
