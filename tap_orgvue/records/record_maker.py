"""How a block of an export's rows becomes records; everything is decided before the first row.

Rows are decoded whole, with the type of each column, so that a cell's type is checked by the
decoder. Where a date does not pass, its column is read as texts; what does not pass then is read
again cell by cell: the same result, slower.
"""

from __future__ import annotations

import hmac
import operator
import re
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.lossy_json import holds_long_number, holds_nul
from tap_orgvue.orgvue.errors import BrokenAnswer, OrgvueError
from tap_orgvue.orgvue.models import ID
from tap_orgvue.records.values import (
    Fitter,
    Literal,
    Misfit,
    canonical_text,
    exact_number,
    fit_date,
    fit_instant,
    json_text,
    read_cell,
)
from tap_orgvue.schema.column_types import Kind, kind_of
from tap_orgvue.schema.naming import RESCUED
from tap_orgvue.timestamps import all_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from tap_orgvue.orgvue.models import Property
    from tap_orgvue.schema.columns import Column


Record = dict[str, Any]

Row = Any
"""A row as an object that msgspec encodes as its record: a struct made for one export."""

_DECODED_AS: dict[Kind, Any] = {
    Kind.TEXT: str,
    Kind.NUMBER: int | float,
    Kind.BOOLEAN: bool,
    Kind.DATE: str,
    Kind.INSTANT: str,
}

_FIT: dict[Kind, Callable[[Any], Any]] = {Kind.DATE: fit_date, Kind.INSTANT: fit_instant}

_NUMBERS = {int, float, Decimal, type(None)}

_BITS = 1023
"""Of a whole number that databases hold: those of the largest float."""

_ANY_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])

_PLACE = re.compile(r"\$\[(\d+)\](?:\[(\d+)\])?")

_NO_FIELD_NAME = re.compile(r'["\\\x00-\x1f]')

_VALUES_REMEMBERED = 100_000


def encodes_itself(names: Iterable[str]) -> bool:
    """Whether rows with these column names encode as their records; if not, only records do."""
    return not any(_NO_FIELD_NAME.search(name) for name in names)


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
        hashed_keys: Container[str] = (),
        hash_key: bytes | None = None,
        careful: bool = True,
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
            hashed_keys: Those of them whose values are hashed.
            hash_key: What hashed columns are hashed with.
            careful: Whether blocks may hold what `care` looks for; False where the whole body was
                looked through.
        """
        self.misfits: Counter[str] = Counter()
        self.row_count = 0
        self.rescue = rescue
        self.careful = careful
        self.key_columns = frozenset(key_columns)
        self.fitter = Fitter()
        self.hash_key = hash_key or b""
        by_key = {column.key: column for column in columns}
        self.shown = [by_key.get(header.key) for header in headers]
        self.declared = [kind_of(header.key, header.type) for header in headers]
        names = {column.name for column in columns}
        self.strangers = [
            (
                i,
                # A column's misfits are rescued by its name, which may be another property's key.
                f"{header.key} (property)" if header.key in names else header.key,
                self._stranger_reader(i, header.key, hashed=header.key in hashed_keys),
            )
            for i, header in enumerate(headers)
            if self.shown[i] is None and header.key in rescued_keys
        ]
        self.remembered = {kind: _Remembered(fit) for kind, fit in _FIT.items()}
        delivered = {header.key for header in headers}
        self._gone = [column.name for column in columns if column.key not in delivered]
        self._names = [column.name for column in self.shown if column] + self._gone
        if rescue:
            self._names.append(RESCUED)
        self.row = self._row_struct()
        self.id_field = next(
            (field(i) for i, column in enumerate(self.shown) if column and column.key == ID), None
        )
        everything = frozenset(range(len(self.shown)))
        self._raw = frozenset(
            i for i, column in enumerate(self.shown) if column is None or column.hashed
        )
        self._days = frozenset(
            i for i, column in enumerate(self.shown) if column and column.kind is Kind.DATE
        )
        self._careful = _Plan(self, everything)
        self._quick = _Plan(self, self._raw, self._days)
        self._exact: _Plan | None = None

    def _row_struct(self) -> type[msgspec.Struct]:
        """A row's shape: a field for each column; those that the export lacks are null."""
        fields = [(field(i), Any) for i, column in enumerate(self.shown) if column]
        missing = [(f"missing{i}", Any, None) for i in range(len(self._gone))]
        rescued = [("rescued", Any, None)] if self.rescue else []
        every: list[Any] = [*fields, *missing, *rescued]
        names = {entry[0]: name for entry, name in zip(every, self._names, strict=True)}
        rename = names if encodes_itself(self._names) else None
        # Cells hold no references back, so that there is nothing for a garbage collector.
        return msgspec.defstruct("Row", every, rename=rename, gc=False)

    @property
    def nul_count(self) -> int:
        """How many NUL characters were taken out."""
        return self.fitter.nul_count

    def records(self, block: bytes) -> list[Record]:
        """Make the records of a JSON array of rows; raises what `rows` does."""
        # What changes records, as stream maps do, is given the texts that loaders are given.
        self._read_as_texts(self._days)
        names = self._names
        return [
            dict(zip(names, msgspec.structs.astuple(row), strict=True)) for row in self.rows(block)
        ]

    def rows(self, block: bytes) -> list[Row]:
        """Make objects that encode as the records of a JSON array of rows.

        Raises:
            msgspec.DecodeError: The block is not a JSON array of whole arrays.
            BrokenAnswer: A row does not have a cell for each header, or its key is null.
            OrgvueError: A value does not fit, and none are to be rescued.
        """
        cells, plan = self._cells(block)
        rows = plan.rows(cells)
        self.row_count += len(rows)
        return rows

    def latest(self, rows: Sequence[Row], name: str) -> Iterable[str]:
        """The values that rows have in a column, as texts, those that are null left out."""
        place = next(
            (field(i) for i, column in enumerate(self.shown) if column and column.name == name),
            None,
        )
        if place is None:
            return ()
        # Days are no texts here, and this is how they are written.
        return map(str, filter(None, map(operator.attrgetter(place), rows)))

    # -- reading

    def _cells(self, block: bytes) -> tuple[list[Any], _Plan]:
        if self.careful and holds_nul(block):
            return self._careful_cells(block), self._careful
        exact = self.careful and holds_long_number(block)
        while True:
            plan = self._exact_plan() if exact else self._quick
            try:
                return plan.decode(block), plan
            except msgspec.ValidationError as error:
                place = _PLACE.search(str(error))
                if place is None or place.group(2) is None:
                    break
                column = int(place.group(2))
                if column in self._raw:
                    break
                if column in self._days:
                    # It may hold Orgvue's other form of a date, with a time.
                    self._read_as_texts({column})
                else:
                    # It holds what it should not: it is read carefully from now on.
                    self._read_carefully(column)
            except _NotNumbers as found:
                self._read_carefully(found.column)
            except (msgspec.DecodeError, UnicodeDecodeError):
                # Cut within a row, or almost JSON.
                break
        return self._careful_cells(block), self._careful

    def _read_as_texts(self, columns: AbstractSet[int]) -> None:
        if columns:
            self._days -= columns
            self._plan_again()

    def _read_carefully(self, column: int) -> None:
        self._raw |= {column}
        self._plan_again()

    def _plan_again(self) -> None:
        self._quick, self._exact = _Plan(self, self._raw, self._days), None

    def _exact_plan(self) -> _Plan:
        if self._exact is None:
            self._exact = _Plan(self, self._raw, self._days, exact=True)
        return self._exact

    def _careful_cells(self, block: bytes) -> list[Any]:
        try:
            return self._careful.decode(block)
        except msgspec.ValidationError as error:
            # A cut within a nested value closes a row too early: then this refuses the block.
            _ANY_ARRAY.decode(block)
            raise self._misshapen(error) from None
        except msgspec.DecodeError as error:
            rows = _lenient_rows(block)
            if rows is None:
                raise
            if any(len(row) != len(self.shown) for row in rows):
                raise self._misshapen(error) from None
            return rows

    def _misshapen(self, error: Exception) -> BrokenAnswer:
        place = _PLACE.search(str(error))
        row = self.row_count + (int(place.group(1)) if place else 0) + 1
        return BrokenAnswer(
            f"Row {row} of an export is not an array of {len(self.shown)} cells, one for each "
            "header."
        )

    # -- what does not fit

    def misfit(self, row: Row, column: Column, misfit: Misfit) -> Any:
        """Rescue a value that does not fit whole.

        Returns:
            What its column can hold of it.

        Raises:
            BrokenAnswer: The column is a key.
            OrgvueError: Nothing is to be rescued.
        """
        self.misfits[column.name] += 1
        if misfit.fitted is None and column.name in self.key_columns:
            message = (
                f"A value of the key '{column.name}' does not fit its column (after row "
                f"{self.row_count}); no table can hold such a row."
            )
            raise BrokenAnswer(message)
        if not self.rescue:
            row_id = getattr(row, self.id_field) if self.id_field else None
            if isinstance(row_id, (msgspec.Raw, bytes)):
                row_id = read_cell(bytes(row_id))
            which = f"row {row_id}" if row_id else f"row {self.row_count + 1} of its block or after"
            message = (
                f"A value of {column.key!r} does not fit its column ({which}), and "
                "`rescue_data` is "
                "false. Correct it in Orgvue, set its type with `property_types`, or set "
                "`rescue_data` to true."
            )
            raise OrgvueError(message)
        rescue(row, column.name, misfit.whole)
        return misfit.fitted

    # -- cell by cell

    def reader(self, name: str, read: Callable[[bytes], Any]) -> Callable[[list[Any]], list[Any]]:
        """Read a column's cells, each from its JSON text.

        Args:
            name: The column's name, for the error.
            read: Reads one.
        """

        def read_all(cells: list[Any]) -> list[Any]:
            try:
                return [read(bytes(cell)) for cell in cells]
            except UnicodeDecodeError:
                message = f"A value of '{name}' is not UTF-8 text (after row {self.row_count})."
                raise BrokenAnswer(message) from None

        return read_all

    def _stranger_reader(
        self, position: int, key: str, *, hashed: bool
    ) -> Callable[[list[Any]], list[Any]]:
        kind = self.declared[position]
        if hashed:
            return self.reader(key, lambda raw: self.hashed(kind, raw))
        return self.reader(key, lambda raw: self.fitter.storable(read_cell(raw)))

    def hashed(self, kind: Kind, raw: bytes) -> str | None:
        """Equal values have equal hashes, whichever of its forms a value came in."""
        value = self.fitter.fit(kind, raw)
        if isinstance(value, Misfit):
            value = value.whole
        if value is None:
            return None
        text = value if isinstance(value, str) else canonical_text(value)
        return hmac.digest(self.hash_key, text.encode(), "sha256").hex()


def field(position: int) -> str:
    """The field of a row that holds a cell."""
    return f"cell{position}"


def rescue(row: Row, name: str, value: Any) -> None:
    """Keep a value in a row's `_rescued_data`."""
    if row.rescued is None:
        row.rescued = {}
    row.rescued[name] = value


class _NotNumbers(Exception):
    """A column of numbers holds something else."""

    def __init__(self, column: int) -> None:
        super().__init__()
        self.column = column


class _Plan:
    """One way to read rows: some columns decoded by type, the others cell by cell."""

    def __init__(
        self,
        maker: RecordMaker,
        raw: frozenset[int],
        days: frozenset[int] = frozenset(),
        *,
        exact: bool = False,
    ) -> None:
        """Settle how each column is read.

        Args:
            maker: What is the same for all plans.
            raw: Positions of the cells that are read one by one.
            days: Positions of dates that are decoded as such: they encode as the same texts.
            exact: Whether numbers are read as they are written, not as floats.
        """
        self._maker = maker
        shown = [(i, column) for i, column in enumerate(maker.shown) if column]
        typed = [(i, column) for i, column in shown if i not in raw]
        self._numbers = [i for i, c in typed if exact and c.kind is Kind.NUMBER]
        row: Any = tuple[self._types(raw, days)]  # type: ignore[misc]
        self._decoder: Any = msgspec.json.Decoder(list[row], float_hook=_exact if exact else None)
        positions = [i for i, _ in shown]
        everything = len(positions) == len(maker.shown)
        self._pick = None if everything else _picker(positions)
        fits: list[tuple[int, Column, Callable[[list[Any]], list[Any] | None]]] = [
            *(
                (i, c, maker.remembered[c.kind].fit_all)
                for i, c in typed
                if c.kind in _FIT and i not in days
            ),
            *((i, c, self._cell_fitter(c, maker.declared[i])) for i, c in shown if i in raw),
        ]
        self._fits = fits

    def _types(self, raw: frozenset[int], days: frozenset[int]) -> tuple[Any, ...]:
        types: list[Any] = []
        for i, column in enumerate(self._maker.shown):
            if column is None or i in raw:
                types.append(msgspec.Raw)
            elif i in self._numbers:
                types.append(Any)
            else:
                shape = date if i in days else _DECODED_AS[column.kind]
                types.append(shape if column.name in self._maker.key_columns else shape | None)
        return tuple(types)

    def decode(self, block: bytes) -> list[Any]:
        """The cells of whole rows.

        Raises:
            msgspec.DecodeError: A value has another type, or the block is not whole.
            _NotNumbers: The same, for a number.
        """
        rows: list[Any] = self._decoder.decode(block)
        for i in self._numbers:
            values = [row[i] for row in rows]
            kinds = set(map(type, values))
            beyond = int in kinds and any(type(v) is int and v.bit_length() > _BITS for v in values)
            if beyond or not kinds <= _NUMBERS or (type(None) in kinds and self._is_key(i)):
                raise _NotNumbers(i)
        return rows

    def _is_key(self, position: int) -> bool:
        column = self._maker.shown[position]
        return column is not None and column.name in self._maker.key_columns

    def rows(self, cells: list[Any]) -> list[Row]:
        """Make rows of their cells."""
        maker, make, pick = self._maker, self._maker.row, self._pick
        rows: list[Row] = (
            [make(*row) for row in cells] if pick is None else [make(*pick(row)) for row in cells]
        )
        for i, column, fit_all in self._fits:
            values = fit_all([row[i] for row in cells])
            if values is None:
                continue
            place = field(i)
            for row, value in zip(rows, values, strict=True):
                fitted = maker.misfit(row, column, value) if type(value) is Misfit else value
                setattr(row, place, fitted)
        for i, key, read in maker.strangers:
            for row, value in zip(rows, read([cell[i] for cell in cells]), strict=True):
                if value is not None and maker.rescue:
                    rescue(row, key, value)
        return rows

    def _cell_fitter(self, column: Column, declared: Kind) -> Callable[[list[Any]], list[Any]]:
        maker = self._maker
        if column.hashed:
            return maker.reader(column.name, lambda raw: maker.hashed(declared, raw))
        read = maker.reader(column.name, lambda raw: maker.fitter.fit(column.kind, raw))
        if column.name not in maker.key_columns:
            return read

        def read_key(cells: list[Any]) -> list[Any]:
            values = read(cells)
            if None in values:
                message = (
                    f"A row of an export has no value for its key '{column.name}' (after row "
                    f"{maker.row_count}); no table can hold it."
                )
                raise BrokenAnswer(message)
            return values

        return read_key


def _picker(positions: Sequence[int]) -> Callable[[Any], Sequence[Any]]:
    """Takes some of a row's cells."""
    return lambda row: [row[i] for i in positions]


def _exact(text: str) -> Any:
    """A number that is not whole, as exactly as it is written; what none is, is a `Literal`."""
    rough = float(text)
    if repr(rough) == text:
        return rough
    number = exact_number(text)
    return Literal(text) if number is None else number


class _Remembered(dict[str | None, Any]):
    """Dates repeat: what one was found to be is remembered, up to a bound."""

    def __init__(self, fit: Callable[[Any], Any]) -> None:
        super().__init__({None: None})
        self._fit = fit
        self._unchanged: set[str | None] = {None}

    def fit_all(self, values: list[str | None]) -> list[Any] | None:
        """Fit a column's values; None where all of them are in its form already."""
        if self._unchanged.issuperset(values):
            return None
        if self._fit is fit_instant and all_plain(values):
            return None
        return list(map(self.__getitem__, values))

    def __missing__(self, value: str) -> Any:
        if len(self) >= _VALUES_REMEMBERED:
            self.clear()
            self[None] = None
            self._unchanged = {None}
        fitted = self[value] = self._fit(value)
        if fitted == value:
            self._unchanged.add(value)
        return fitted


def _lenient_rows(block: bytes) -> list[Any] | None:
    """Read what is almost JSON: NaN, Infinity and halves of characters are then misfits."""
    try:
        rows = read_cell(block)
    except (ValueError, RecursionError):
        return None
    if not all(isinstance(row, list) for row in rows):
        return None
    return [[json_text(cell).encode() for cell in row] for row in rows]
