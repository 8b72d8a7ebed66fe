"""How a block of an export's rows becomes records; everything is decided before the first row.

Rows are decoded whole, with the type of each column, so that a cell's type is checked by the
decoder. What does not pass is read again cell by cell: the same result, slower.
"""

from __future__ import annotations

import hmac
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.errors import BrokenAnswer, OrgvueError
from tap_orgvue.models import ID
from tap_orgvue.naming import RESCUED
from tap_orgvue.values import (
    Fitter,
    Kind,
    Misfit,
    canonical_text,
    fit_date,
    fit_instant,
    kind_of,
    read_cell,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from tap_orgvue.models import Property
    from tap_orgvue.schema import Column

Record = dict[str, Any]

_DECODED_AS: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.NUMBER: int | float,
    Kind.BOOLEAN: bool,
    Kind.DATE: str,
    Kind.INSTANT: str,
}
_FIT: dict[Kind, Callable[[Any], Any]] = {Kind.DATE: fit_date, Kind.INSTANT: fit_instant}
_PLACE = re.compile(r"\$\[(\d+)\](?:\[(\d+)\])?")
_DATES_REMEMBERED = 100_000

_EXACT_DIGITS = 16
"""Numbers of fewer digits are exact as a float."""
_NUMBER_SIGNS = b'0123456789.eE-,[]"'
_SIEVE = bytes.maketrans(b"123456789.E", b"0000000000e")
_NOT_OF_NUMBERS = bytes(sign for sign in range(256) if sign not in _NUMBER_SIGNS)
_LONG_RUN = b"0" * _EXACT_DIGITS
_LONG_NUMBER = re.compile(rb"[\[,]\s*-?[\d.]{%d}" % _EXACT_DIGITS)
_NUL_ESCAPE = b"\\u0000"


class RecordMaker:
    """Makes records of the rows of one export.

    Attributes:
        misfits: Column name to how many of its values did not fit.
        row_count: How many rows were read.
    """

    def __init__(  # noqa: PLR0913 - everything that is decided before the first row
        self,
        headers: Sequence[Property],
        columns: Sequence[Column],
        key_columns: Sequence[str] = (),
        *,
        rescue: bool = True,
        rescued_keys: Container[str] = (),
        hash_key: bytes | None = None,
    ) -> None:
        """Settle what each cell of a row becomes.

        Args:
            headers: The export's columns, in the order of its cells.
            columns: The stream's columns. One that the export lacks is null in every record; a
                cell that no column shows is left out.
            key_columns: Names of the columns that identify a record; never null.
            rescue: Whether a value that does not fit is kept in `_rescued_data`; otherwise it
                is an error.
            rescued_keys: Keys without a column whose values are kept in `_rescued_data`.
            hash_key: What hashed columns are hashed with.
        """
        self.misfits: Counter[str] = Counter()
        self.row_count = 0
        self.rescue = rescue
        self.key_columns = frozenset(key_columns)
        self.fitter = Fitter()
        by_key = {column.key: column for column in columns}
        self.headers = headers
        self.hash_key = hash_key
        self.shown = [by_key.get(header.key) for header in headers]
        self.rescued_keys = {
            i: header.key
            for i, header in enumerate(headers)
            if self.shown[i] is None and header.key in rescued_keys
        }
        delivered = {header.key for header in headers}
        self.constant: Record = {
            column.name: None for column in columns if column.key not in delivered
        }
        if rescue:
            self.constant[RESCUED] = None
        self.remembered = {kind: _Remembered(fit) for kind, fit in _FIT.items()}
        self._has_numbers = any(column and column.kind is Kind.NUMBER for column in self.shown)
        everything = frozenset(range(len(self.shown)))
        self._careful = _Plan(self, everything)
        self._quick = _Plan(
            self,
            frozenset(i for i, column in enumerate(self.shown) if column is None or column.hashed),
        )
        self._id_name = by_key[ID].name if ID in by_key else None

    @property
    def nul_count(self) -> int:
        """How many NUL characters were taken out."""
        return self.fitter.nul_count

    def records(self, block: bytes) -> list[Record]:
        """Make the records of a JSON array of rows.

        Raises:
            msgspec.DecodeError: The block is not a JSON array of whole arrays.
            BrokenAnswer: A row does not have a cell for each header, or its key is null.
            OrgvueError: A value does not fit, and none are to be rescued.
        """
        rows, plan = self._rows(block)
        records = plan.records(rows)
        self.row_count += len(rows)
        return records

    def _rows(self, block: bytes) -> tuple[list[Any], _Plan]:
        if not self._needs_care(block):
            while True:
                try:
                    return self._quick.decode(block), self._quick
                except msgspec.ValidationError as error:
                    place = _PLACE.search(str(error))
                    if place is None or place.group(2) is None:
                        break
                    column = int(place.group(2))
                    if column in self._quick.raw:
                        break
                    # This column holds what it should not: it is read carefully from now on.
                    self._quick = _Plan(self, self._quick.raw | {column})
        return self._careful_rows(block), self._careful

    def _careful_rows(self, block: bytes) -> list[Any]:
        try:
            return self._careful.decode(block)
        except msgspec.ValidationError as error:
            raise self._misshapen(error) from None
        except msgspec.DecodeError as error:
            rows = _lenient_rows(block)
            if rows is None:
                raise
            if any(len(row) != len(self.shown) for row in rows):
                raise self._misshapen(error) from None
            return rows

    def _needs_care(self, block: bytes) -> bool:
        """Whether a block may hold what the quick way would change: NULs, very long numbers."""
        if b"\\" in block and _NUL_ESCAPE in block:
            return True
        if not self._has_numbers:
            return False
        sieved = block.translate(_SIEVE, _NOT_OF_NUMBERS)
        if b"e-000," in sieved or b"e-000]" in sieved:
            return True
        return _LONG_RUN in sieved and _LONG_NUMBER.search(block) is not None

    def _misshapen(self, error: Exception) -> BrokenAnswer:
        place = _PLACE.search(str(error))
        row = self.row_count + (int(place.group(1)) if place else 0) + 1
        return BrokenAnswer(
            f"Row {row} of an export is not an array of {len(self.shown)} cells, one for each "
            "header."
        )

    def misfit(self, record: Record, name: str, misfit: Misfit) -> None:
        """Keep a value that does not fit: what its column can hold there, the whole rescued.

        Raises:
            OrgvueError: Nothing is to be rescued.
        """
        self.misfits[name] += 1
        if not self.rescue:
            row_id = record.get(self._id_name) if self._id_name else None
            which = f"row {row_id}" if row_id else f"row {self.row_count + 1} of its block or after"
            message = (
                f"A value of '{name}' does not fit its column ({which}), and `rescue_data` is "
                "false. Correct it in Orgvue, set its type with `property_types`, or set "
                "`rescue_data` to true."
            )
            raise OrgvueError(message)
        record[name] = misfit.fitted
        rescued = record[RESCUED]
        if rescued is None:
            rescued = record[RESCUED] = {}
        rescued[name] = misfit.whole


class _Plan:
    """One way to read rows: some columns decoded by type, the others cell by cell.

    Attributes:
        raw: Positions of the cells that are read one by one.
    """

    def __init__(self, maker: RecordMaker, raw: frozenset[int]) -> None:
        self.raw = raw
        self._maker = maker
        # A name that no column has, for cells that no column shows.
        self._names = [
            column.name if column else f"\x00{i}" for i, column in enumerate(maker.shown)
        ]
        self._left_out = [
            (name, maker.rescued_keys.get(i))
            for i, name in enumerate(self._names)
            if maker.shown[i] is None
        ]
        self._decoder = msgspec.json.Decoder(list[tuple[self._types()]])  # type: ignore[misc]
        self._cells = [
            (column.name, column.kind)
            for i, column in enumerate(maker.shown)
            if column and i in raw and not column.hashed
        ]
        self._hashed = [
            (column.name, kind_of(maker.headers[i].key, maker.headers[i].type))
            for i, column in enumerate(maker.shown)
            if column and column.hashed
        ]
        self._timed = [
            (column.name, maker.remembered[column.kind])
            for i, column in enumerate(maker.shown)
            if column and i not in raw and column.kind in _FIT
        ]

    def _types(self) -> tuple[Any, ...]:
        types: list[Any] = []
        for i, column in enumerate(self._maker.shown):
            if column is None or i in self.raw:
                types.append(msgspec.Raw)
            elif column.name in self._maker.key_columns:
                types.append(_DECODED_AS[column.kind])
            else:
                types.append(_DECODED_AS[column.kind] | None)
        return tuple(types)

    def decode(self, block: bytes) -> list[Any]:
        rows: list[Any] = self._decoder.decode(block)
        return rows

    def records(self, rows: list[Any]) -> list[Record]:
        maker, names, constant = self._maker, self._names, self._maker.constant
        left_out, timed, cells = self._left_out, self._timed, self._cells
        # The decoder has checked the lengths.
        records: list[Record] = [dict(zip(names, row), **constant) for row in rows]  # noqa: B905
        for record in records:
            for name, key in left_out:
                raw = record.pop(name)
                if key is not None:
                    self._rescue_stranger(record, key, raw)
            for name, known in timed:
                value = record[name]
                if value is not None:
                    fitted = known[value]
                    if fitted.__class__ is Misfit:
                        maker.misfit(record, name, fitted)
                    else:
                        record[name] = fitted
            for name, kind in cells:
                self._fit_cell(record, name, kind)
            for name, kind in self._hashed:
                record[name] = self._hash(kind, record[name])
        return records

    def _rescue_stranger(self, record: Record, key: str, raw: msgspec.Raw) -> None:
        cell = read_cell(bytes(raw))
        if cell is not None and self._maker.rescue:
            if record[RESCUED] is None:
                record[RESCUED] = {}
            record[RESCUED][key] = self._maker.fitter.storable(cell)

    def _hash(self, kind: Kind, raw: msgspec.Raw) -> str | None:
        """Equal values have equal hashes, whichever of its forms a value came in."""
        fitter = self._maker.fitter
        value = fitter.fit(kind, bytes(raw))
        if isinstance(value, Misfit):
            value = value.whole
        if value is None:
            return None
        text = value if isinstance(value, str) else canonical_text(value)
        return hmac.new(self._maker.hash_key or b"", text.encode(), "sha256").hexdigest()

    def _fit_cell(self, record: Record, name: str, kind: Kind) -> None:
        maker = self._maker
        try:
            fitted = maker.fitter.fit(kind, bytes(record[name]))
        except UnicodeDecodeError:
            message = f"A value of '{name}' is not UTF-8 text (after row {maker.row_count})."
            raise BrokenAnswer(message) from None
        if isinstance(fitted, Misfit):
            record[name] = fitted.fitted
            maker.misfit(record, name, fitted)
        else:
            record[name] = fitted
        if record[name] is None and name in maker.key_columns:
            message = (
                f"A row of an export has no value for its key '{name}' (after row "
                f"{maker.row_count}); no table can hold it."
            )
            raise BrokenAnswer(message)


class _Remembered(dict[str, Any]):
    """Dates repeat: what one was found to be is remembered, up to a bound."""

    def __init__(self, fit: Callable[[Any], Any]) -> None:
        super().__init__()
        self._fit = fit

    def __missing__(self, value: str) -> Any:
        if len(self) >= _DATES_REMEMBERED:
            self.clear()
        fitted = self[value] = self._fit(value)
        return fitted


def _lenient_rows(block: bytes) -> list[Any] | None:
    """Read what is almost JSON: NaN, Infinity and halves of characters are then misfits."""
    try:
        rows = json.loads(block)
    except ValueError:
        return None
    if not all(isinstance(row, list) for row in rows):
        return None
    return [[json.dumps(cell).encode() for cell in row] for row in rows]
