"""The layout of a row: which position is which column, and what a row encodes to."""

from __future__ import annotations

import gc

import msgspec
import pytest

from tap_orgvue.orgvue.models import Property
from tap_orgvue.records.row_layout import RowLayout, can_encode_rows_of
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column

HEADERS = [
    Property("_id", "_id", "text"),
    Property("unknown", "unknown", "number"),
    Property("Start", "Start", "date"),
    Property("_modifiedAt", "_modifiedAt", "date"),
]
COLUMNS = [
    Column("start", "Start", ColumnType.DATE),
    Column("id_", "_id", ColumnType.TEXT),
    Column("gone", "Gone", ColumnType.NUMBER),
    Column("secret", "_modifiedAt", ColumnType.TEXT, hashed=True),
]


def layout(*, rescue: bool = True) -> RowLayout:
    """A layout with a cell without a column, a hashed column, and a column without a cell."""
    return RowLayout(HEADERS, COLUMNS, ["id_"], rescue=rescue)


def encoded(made: RowLayout, cells: list[object]) -> object:
    """The JSON value that the row of these cells encodes to."""
    (row,) = made.make_rows([cells])
    return msgspec.json.decode(msgspec.json.encode(row))


def test_columns_stand_where_their_headers_stand() -> None:
    """Columns are found by key; a header without a column has None."""
    names = [column and column.name for column in layout().columns]
    assert names == ["id_", None, "start", "secret"]


def test_declared_types_are_those_of_the_headers() -> None:
    """A position's declared type is Orgvue's, whatever its column's type is."""
    assert layout().declared_types == [
        ColumnType.TEXT,
        ColumnType.NUMBER,
        ColumnType.DATE,
        ColumnType.DATE_TIME,
    ]


def test_a_row_encodes_with_the_names_of_columns() -> None:
    """Delivered columns come first, missing ones are null, `_rescued_data` is last and null."""
    made = layout()
    assert made.names == ["id_", "start", "secret", "gone", "_rescued_data"]
    record = encoded(made, ["A", 1, "2022-01-02", "x"])
    assert record == {
        "id_": "A",
        "start": "2022-01-02",
        "secret": "x",
        "gone": None,
        "_rescued_data": None,
    }
    assert list(record) == made.names


def test_without_rescue_a_row_has_no_rescued_data() -> None:
    """Where no values are rescued, the record has no `_rescued_data`."""
    made = layout(rescue=False)
    assert made.names == ["id_", "start", "secret", "gone"]
    assert "_rescued_data" not in encoded(made, ["A", 1, None, None])  # type: ignore[operator]


def test_a_row_of_all_cells_is_made_of_all() -> None:
    """Where every header has a column, every cell is in the record."""
    made = RowLayout(HEADERS[:1], COLUMNS[1:2], ["id_"], rescue=False)
    assert encoded(made, ["A"]) == {"id_": "A"}


def test_rows_are_no_work_for_the_garbage_collector() -> None:
    """A row refers to cells only: looking at millions of them for cycles would find none."""
    (row,) = layout().make_rows([["A", 1, None, "x"]])
    assert not gc.is_tracked(row)


def test_which_positions_are_keys() -> None:
    """Only a position whose column belongs to the key is one."""
    assert [layout().is_key(i) for i in range(len(HEADERS))] == [True, False, False, False]


def test_which_positions_are_decoded_cell_by_cell() -> None:
    """Cells without a column and hashed cells are decoded one by one; dates are known."""
    made = layout()
    assert made.cellwise == {1, 3}
    assert made.date_positions == {2}


def test_fields_are_found_by_column() -> None:
    """A delivered column has a field, also Orgvue's `_id`; a missing one has none."""
    made = layout()
    (row,) = made.make_rows([["A", 1, "2022-01-02", "x"]])
    assert getattr(row, made.field_named("start") or "") == "2022-01-02"
    assert made.field_named("gone") is None
    assert getattr(row, made.id_field or "") == "A"
    assert RowLayout(HEADERS[1:], COLUMNS).id_field is None


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "\x00"])
def test_names_that_need_escapes_cannot_be_encoded_as_rows(name: str) -> None:
    """A struct's field name is written as it is: names with JSON escapes take the SDK's path."""
    assert not can_encode_rows_of(["plain", name])
    made = RowLayout([Property(name, name)], [Column(name, name, ColumnType.TEXT)])
    (row,) = made.make_rows([["x"]])
    assert msgspec.structs.astuple(row) == ("x", None)


def test_other_names_can_be_encoded_as_rows() -> None:
    """Any other name is written as it is, with blanks and letters of any script."""
    assert can_encode_rows_of(["plain", "Größe (€)", "a b"])
    assert can_encode_rows_of([])
