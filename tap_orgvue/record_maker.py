"""How a block of an export's rows becomes records; everything is decided before the first row.

Rows are decoded whole, with the type of each column, so that a cell's type is checked by the
decoder. What does not pass is read again cell by cell: the same result, slower.
"""

from __future__ import annotations

import hmac
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.care import needs_care
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
    json_text,
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
_ANY_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_PLACE = re.compile(r"\$\[(\d+)\](?:\[(\d+)\])?")
_PLAIN_NAME = re.compile(r"_?[a-z][a-z0-9_]*")
_DATES_REMEMBERED = 100_000


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
        by_key = {column.key: column for column in columns}
        self._keys = {column.name: column.key for column in columns}
        self.headers = headers
        self.hash_key = hash_key
        self.shown = [by_key.get(header.key) for header in headers]
        self.rescued_keys = {
            i: header.key
            for i, header in enumerate(headers)
            if self.shown[i] is None and header.key in rescued_keys
        }
        self.hashed_keys = {
            header.key: kind_of(header.key, header.type)
            for header in headers
            if header.key in hashed_keys
        }
        delivered = {header.key for header in headers}
        self.constant: Record = {
            column.name: None for column in columns if column.key not in delivered
        }
        if rescue:
            self.constant[RESCUED] = None
        self.remembered = {kind: _Remembered(fit) for kind, fit in _FIT.items()}
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
        if not (self.careful and needs_care(block)):
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
                except (msgspec.DecodeError, UnicodeDecodeError):
                    # Cut within a row, or almost JSON.
                    break
        return self._careful_rows(block), self._careful

    def _careful_rows(self, block: bytes) -> list[Any]:
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

    def misfit(self, record: Record, name: str, misfit: Misfit) -> None:
        """Keep a value that does not fit: what its column can hold there, the whole rescued.

        Raises:
            OrgvueError: Nothing is to be rescued.
        """
        self.misfits[name] += 1
        if misfit.fitted is None and name in self.key_columns:
            message = (
                f"A value of the key '{name}' does not fit its column (after row "
                f"{self.row_count}); no table can hold such a row."
            )
            raise BrokenAnswer(message)
        if not self.rescue:
            row_id = record.get(self._id_name) if self._id_name else None
            which = f"row {row_id}" if row_id else f"row {self.row_count + 1} of its block or after"
            message = (
                f"A value of {self._keys[name]!r} does not fit its column ({which}), and "
                "`rescue_data` is "
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
        self._as_struct = all(_PLAIN_NAME.fullmatch(name) for name in self._names)
        row = self._row_struct() if self._as_struct else tuple[self._types()]  # type: ignore[misc]
        self._decoder = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]
        self._left_out = [
            (name, maker.rescued_keys.get(i))
            for i, name in enumerate(self._names)
            if maker.shown[i] is None
        ]
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

    def _row_struct(self) -> type[msgspec.Struct]:
        """A row as a struct: decoded from an array, and made a dict, faster than a tuple."""
        fields = list(zip(self._names, self._types(), strict=True))
        return msgspec.defstruct(
            "Row", fields, array_like=True, forbid_unknown_fields=True, gc=False
        )

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
        names, constant = self._names, self._maker.constant
        records: list[Record] = (
            list(map(msgspec.structs.asdict, rows))
            if self._as_struct and not (rows and isinstance(rows[0], list))
            # The lengths were checked before.
            else [dict(zip(names, row)) for row in rows]  # noqa: B905
        )
        for record in records:
            record.update(constant)
        for name, key in self._left_out:
            for record in records:
                raw = record.pop(name)
                if key is not None:
                    self._rescue_stranger(record, key, raw)
        for name, known in self._timed:
            self._fit_known(records, name, known)
        for name, kind in self._cells:
            for record in records:
                self._fit_cell(record, name, kind)
        for name, kind in self._hashed:
            for record in records:
                record[name] = self._hash(kind, record[name])
        return records

    def _fit_known(self, records: list[Record], name: str, known: _Remembered) -> None:
        """Fit a column of dates, most of which are known already."""
        values = [record[name] for record in records]
        if known.unchanged.issuperset(values):
            return
        for record, fitted in zip(records, map(known.__getitem__, values), strict=True):
            record[name] = fitted
        if known.has_misfits:
            for record in records:
                if isinstance(record[name], Misfit):
                    self._maker.misfit(record, name, record[name])

    def _rescue_stranger(self, record: Record, key: str, raw: msgspec.Raw) -> None:
        if key in self._maker.hashed_keys:
            value: Any = self._hash(self._maker.hashed_keys[key], raw)
        else:
            value = self._maker.fitter.storable(read_cell(bytes(raw)))
        if value is not None and self._maker.rescue:
            if record[RESCUED] is None:
                record[RESCUED] = {}
            record[RESCUED][key] = value

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


class _Remembered(dict[str | None, Any]):
    """Dates repeat: what one was found to be is remembered, up to a bound.

    Attributes:
        has_misfits: Whether any of them was none.
        unchanged: Those that already are in the form of their column.
    """

    def __init__(self, fit: Callable[[Any], Any]) -> None:
        super().__init__({None: None})
        self._fit = fit
        self.has_misfits = False
        self.unchanged: set[str | None] = {None}

    def __missing__(self, value: str) -> Any:
        if len(self) >= _DATES_REMEMBERED:
            self.clear()
            self.unchanged.clear()
            self[None] = None
        fitted = self[value] = self._fit(value)
        if fitted == value:
            self.unchanged.add(value)
        self.has_misfits |= isinstance(fitted, Misfit)
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
