"""Decodes blocks of rows with the types of their columns, except where that would alter a value.

Typed decoding checks each cell's type in C. Once a date column holds another form, it is decoded
as text; once a column holds another type, it is decoded cell by cell: slower, same result.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.lossy_json import holds_long_number, holds_nul
from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.records.values import Literal, exact_number, json_text, read_cell
from tap_orgvue.schema.column_types import ColumnType

if TYPE_CHECKING:
    from tap_orgvue.records.row_layout import RowLayout
    from tap_orgvue.schema.columns import Column

_PYTHON_TYPES: dict[ColumnType, Any] = {
    ColumnType.TEXT: str,
    ColumnType.NUMBER: int | float,
    ColumnType.BOOLEAN: bool,
    ColumnType.DATE: str,
    ColumnType.DATE_TIME: str,
}
_NUMBERS = {int, float, Decimal, type(None)}
_MAX_BITS = 1023
"""The most bits of an integer; larger ones may be beyond the largest float."""
_ANY_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_PLACE = re.compile(r"\$\[(\d+)\](?:\[(\d+)\])?")


class DecodePlan:
    """One way to decode rows: some columns by type, the others cell by cell.

    Attributes:
        cellwise: Positions whose cells stay JSON text (`msgspec.Raw`).
        dates: Positions that are decoded as dates, which encode as the same texts.
    """

    def __init__(
        self,
        layout: RowLayout,
        cellwise: frozenset[int],
        dates: frozenset[int] = frozenset(),
        *,
        exact: bool = False,
    ) -> None:
        """Build the decoder.

        Args:
            layout: The layout of the rows.
            cellwise: Positions whose cells stay JSON text.
            dates: Positions to decode as dates.
            exact: True if numbers keep every digit; otherwise they become floats.
        """
        self.cellwise = cellwise
        self.dates = dates
        self._layout = layout
        self._numbers = [
            i
            for i, column in layout.shown()
            if exact and i not in cellwise and column.type is ColumnType.NUMBER
        ]
        row: Any = tuple[self._types()]  # type: ignore[misc]
        self._decoder: Any = msgspec.json.Decoder(
            list[row], float_hook=_exact_float if exact else None
        )

    def _types(self) -> tuple[Any, ...]:
        types: list[Any] = []
        for i, column in enumerate(self._layout.columns):
            if column is None or i in self.cellwise:
                types.append(msgspec.Raw)
            elif i in self._numbers:
                types.append(Any)
            else:
                types.append(self.type_at(i, column))
        return tuple(types)

    def type_at(self, position: int, column: Column) -> Any:
        """The Python type that the cells of a column are decoded to."""
        python_type = date if position in self.dates else _PYTHON_TYPES[column.type]
        return python_type if self._layout.is_key(position) else python_type | None

    def decode(self, block: bytes) -> list[Any]:
        """The rows of a block, each a tuple of cells.

        Raises:
            msgspec.ValidationError: A cell has another type, or a row another length.
            msgspec.DecodeError: The block is not JSON.
            _OtherThanNumbers: A number column holds another type.
        """
        rows: list[Any] = self._decoder.decode(block)
        others = {i for i in self._numbers if not self._are_numbers(i, [row[i] for row in rows])}
        if others:
            raise _OtherThanNumbers(others)
        return rows

    def _are_numbers(self, position: int, values: list[Any]) -> bool:
        types = set(map(type, values))
        too_large = int in types and any(
            type(value) is int and value.bit_length() > _MAX_BITS for value in values
        )
        null_key = type(None) in types and self._layout.is_key(position)
        return types <= _NUMBERS and not too_large and not null_key


class RowDecoder:
    """Decodes an export's blocks by the quickest plan that alters no value.

    The plans are: quick (numbers become floats), exact (numbers keep every digit), careful (every
    cell stays JSON text).
    """

    def __init__(self, layout: RowLayout, *, may_be_lossy: bool = True) -> None:
        """Start with the quick plan.

        Args:
            layout: The layout of the rows.
            may_be_lossy: False if a scan of the whole body found nothing that typed decoding
                alters.
        """
        self._layout = layout
        self._may_be_lossy = may_be_lossy
        self._cellwise = layout.cellwise
        self._dates = layout.date_positions
        self._careful = DecodePlan(layout, frozenset(range(len(layout.columns))))
        self._quick = DecodePlan(layout, self._cellwise, self._dates)
        self._exact: DecodePlan | None = None

    def decode(self, block: bytes, rows_before: int = 0) -> tuple[list[Any], DecodePlan]:
        """The rows of a block, each a sequence of cells, and the plan that decoded them.

        Args:
            block: A JSON array of rows.
            rows_before: The number of rows before the block, for messages.

        Raises:
            msgspec.DecodeError: The block is not a JSON array of whole arrays.
            MalformedResponse: A row does not have a cell for each header.
        """
        if self._may_be_lossy and holds_nul(block):
            return self._decode_carefully(block, rows_before), self._careful
        exact = self._may_be_lossy and holds_long_number(block)
        while True:
            plan = self._exact_plan() if exact else self._quick
            try:
                return plan.decode(block), plan
            except msgspec.ValidationError:
                if not self._adapt(block):
                    break
            except _OtherThanNumbers as found:
                self._cellwise |= found.positions
                self._plan_again()
            except (msgspec.DecodeError, UnicodeDecodeError):
                # The block ends within a row, or is not strict JSON.
                break
        return self._decode_carefully(block, rows_before), self._careful

    def read_dates_as_text(self) -> None:
        """Decode dates as text from now on."""
        if self._dates:
            self._dates = frozenset()
            self._plan_again()

    def _adapt(self, block: bytes) -> bool:
        """Change the plan for the columns that do not fit; False if no plan can decode the block.

        All of them are found in one pass: a plan for each would cost the square of their number.
        """
        try:
            rows = self._careful.decode(block)
        except msgspec.DecodeError:
            return False
        misfits = {
            i
            for i, column in self._layout.shown()
            if i not in self._cellwise
            and not _all_decode([row[i] for row in rows], self._quick.type_at(i, column))
        }
        # Orgvue's other form of a date has a time of day: as text it may fit.
        self._cellwise |= misfits - self._dates
        self._dates -= misfits
        self._plan_again()
        return bool(misfits)

    def _plan_again(self) -> None:
        self._quick, self._exact = DecodePlan(self._layout, self._cellwise, self._dates), None

    def _exact_plan(self) -> DecodePlan:
        if self._exact is None:
            self._exact = DecodePlan(self._layout, self._cellwise, self._dates, exact=True)
        return self._exact

    def _decode_carefully(self, block: bytes, rows_before: int) -> list[Any]:
        try:
            return self._careful.decode(block)
        except msgspec.ValidationError as error:
            # A block that ends within a nested value is refused here, as cut JSON.
            _ANY_ARRAY.decode(block)
            raise self._misshapen(error, rows_before) from None
        except msgspec.DecodeError as error:
            rows = _lenient_rows(block)
            if rows is None:
                raise
            if any(len(row) != len(self._layout.columns) for row in rows):
                raise self._misshapen(error, rows_before) from None
            return rows

    def _misshapen(self, error: Exception, rows_before: int) -> MalformedResponse:
        place = _PLACE.search(str(error))
        row = rows_before + (int(place.group(1)) if place else 0) + 1
        return MalformedResponse(
            f"Row {row} of an export is not an array of {len(self._layout.columns)} cells, one "
            "for each header."
        )


class _OtherThanNumbers(Exception):
    """Number columns hold another type."""

    def __init__(self, positions: set[int]) -> None:
        self.positions = positions


def _all_decode(cells: list[msgspec.Raw], python_type: Any) -> bool:
    """True if a type can decode all these cells."""
    try:
        _decoder_of(python_type).decode(b"[%b]" % b",".join(cells))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


@cache
def _decoder_of(python_type: Any) -> Any:
    return msgspec.json.Decoder(list[python_type])


def _exact_float(text: str) -> Any:
    """The exact value of a number with a fraction or exponent; a `Literal` if databases lack it."""
    rough = float(text)
    if repr(rough) == text:
        return rough
    number = exact_number(text)
    return Literal(text) if number is None else number


def _lenient_rows(block: bytes) -> list[Any] | None:
    """Decode JSON with NaN, Infinity or lone surrogates; None if the block is not even that."""
    try:
        rows = read_cell(block)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(row, list) for row in rows):
        return None
    return [[json_text(cell).encode() for cell in row] for row in rows]
