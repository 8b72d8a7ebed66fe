"""Decodes blocks of rows, with the type of each column where that alters nothing.

Typed decoding checks each cell's type in C. A date column that holds another form is decoded as
text from then on, and a column that holds another type cell by cell: the same result, slower.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.lossy_json import holds_long_number, holds_nul
from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.records.values import Literal, exact_number, json_text, read_cell
from tap_orgvue.schema.column_types import ColumnType

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from tap_orgvue.records.row_layout import RowLayout

_PYTHON_TYPES: dict[ColumnType, Any] = {
    ColumnType.TEXT: str,
    ColumnType.NUMBER: int | float,
    ColumnType.BOOLEAN: bool,
    ColumnType.DATE: str,
    ColumnType.DATE_TIME: str,
}
_NUMBERS = {int, float, Decimal, type(None)}
_MAX_BITS = 1023
"""Of an integer that databases hold: those of the largest float."""
_ANY_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_PLACE = re.compile(r"\$\[(\d+)\](?:\[(\d+)\])?")


class DecodePlan:
    """One way to decode rows: some columns by type, the others cell by cell.

    Attributes:
        cellwise: Positions whose cells stay JSON text (`msgspec.Raw`).
        dates: Positions that are decoded as dates: they encode as the same texts.
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
            exact: True if numbers keep every digit, instead of becoming floats.
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
                python_type = date if i in self.dates else _PYTHON_TYPES[column.type]
                types.append(python_type if self._layout.is_key(i) else python_type | None)
        return tuple(types)

    def decode(self, block: bytes) -> list[Any]:
        """The cells of whole rows.

        Raises:
            msgspec.DecodeError: A value has another type, or the block is not whole.
            _OtherThanNumbers: A number column holds another type.
        """
        rows: list[Any] = self._decoder.decode(block)
        for i in self._numbers:
            values = [row[i] for row in rows]
            types = set(map(type, values))
            too_large = int in types and any(
                type(value) is int and value.bit_length() > _MAX_BITS for value in values
            )
            null_key = type(None) in types and self._layout.is_key(i)
            if too_large or null_key or not types <= _NUMBERS:
                raise _OtherThanNumbers(i)
        return rows


class RowDecoder:
    """Decodes an export's blocks: quickly, exactly where numbers need it, else cell by cell."""

    def __init__(self, layout: RowLayout, *, may_be_lossy: bool = True) -> None:
        """Start with the quick plan.

        Args:
            layout: The layout of the rows.
            may_be_lossy: False if the whole body was scanned and typed decoding alters nothing.
        """
        self._layout = layout
        self._may_be_lossy = may_be_lossy
        self._cellwise = layout.cellwise
        self._dates = layout.date_positions
        self._careful = DecodePlan(layout, frozenset(range(len(layout.columns))))
        self._quick = DecodePlan(layout, self._cellwise, self._dates)
        self._exact: DecodePlan | None = None

    def decode(self, block: bytes, rows_before: int = 0) -> tuple[list[Any], DecodePlan]:
        """The cells of a JSON array of rows, and the plan that decoded them.

        Args:
            block: The array.
            rows_before: Rows of the export before the block, for messages.

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
            except msgspec.ValidationError as error:
                if not self._adapt(error):
                    break
            except _OtherThanNumbers as found:
                self.read_cellwise(found.position)
            except (msgspec.DecodeError, UnicodeDecodeError):
                # Cut within a row, or almost JSON.
                break
        return self._decode_carefully(block, rows_before), self._careful

    def read_dates_as_text(self, positions: AbstractSet[int] | None = None) -> None:
        """Decode dates as text from now on: those at some positions, or all of them."""
        positions = self._dates if positions is None else positions
        if positions:
            self._dates -= positions
            self._plan_again()

    def read_cellwise(self, position: int) -> None:
        """Read the cells at a position one by one from now on."""
        self._cellwise |= {position}
        self._plan_again()

    def _adapt(self, error: msgspec.ValidationError) -> bool:
        """Change the plan for the cell that does not fit; False where no plan would help."""
        place = _PLACE.search(str(error))
        if place is None or place.group(2) is None:
            return False
        position = int(place.group(2))
        if position in self._cellwise:
            return False
        if position in self._dates:
            # It may hold Orgvue's other form of a date, with a time.
            self.read_dates_as_text({position})
        else:
            self.read_cellwise(position)
        return True

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
            # A cut within a nested value closes a row too early: this refuses such a block.
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
    """A number column holds another type."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position


def _exact_float(text: str) -> Any:
    """A number with a fraction or an exponent, exactly as written; a `Literal` if it is none."""
    rough = float(text)
    if repr(rough) == text:
        return rough
    number = exact_number(text)
    return Literal(text) if number is None else number


def _lenient_rows(block: bytes) -> list[Any] | None:
    """Decode what is almost JSON: NaN, Infinity and lone surrogates, which then do not fit."""
    try:
        rows = read_cell(block)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(row, list) for row in rows):
        return None
    return [[json_text(cell).encode() for cell in row] for row in rows]
