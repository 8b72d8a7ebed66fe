"""Decoding a block: by the quickest plan that alters no value, and what makes a plan change."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.models import Property
from tap_orgvue.records import row_decoder
from tap_orgvue.records.row_decoder import DecodePlan, RowDecoder
from tap_orgvue.records.row_layout import RowLayout
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = {
    "_id": ColumnType.TEXT,
    "t": ColumnType.TEXT,
    "n": ColumnType.NUMBER,
    "b": ColumnType.BOOLEAN,
    "d": ColumnType.DATE,
}
HEADERS = [Property(key, key, kind.value) for key, kind in KINDS.items()]
COLUMNS = [Column(key, key, kind) for key, kind in KINDS.items()]
ALL = frozenset(range(len(KINDS)))
ROW = b'[["A","x",1.5,true,"2022-01-02"]]'


def decoder(key: str = "_id", *, may_be_lossy: bool = True) -> RowDecoder:
    """A decoder of rows with a column of each type."""
    return RowDecoder(RowLayout(HEADERS, COLUMNS, [key]), may_be_lossy=may_be_lossy)


def test_rows_are_decoded_by_type() -> None:
    """Cells that fit are decoded to their column's type, a date to a date."""
    rows, plan = decoder().decode(ROW)
    assert rows == [("A", "x", 1.5, True, date(2022, 1, 2))]
    assert not plan.cellwise
    assert plan.dates == {4}


def test_nulls_are_decoded_in_every_column_but_the_key() -> None:
    """A null cell is None; in the key's column it is left to the careful plan."""
    rows, _ = decoder().decode(b'[["A",null,null,null,null]]')
    assert rows == [("A", None, None, None, None)]
    _, plan = decoder().decode(b'[[null,"x",1.5,true,null]]')
    assert 0 in plan.cellwise


def test_a_date_with_a_time_is_decoded_as_text() -> None:
    """A date column that holds Orgvue's other form stays text from then on."""
    made = decoder()
    rows, plan = made.decode(b'[["A","x",1,true,"2022-01-02T00:00:00.000Z"]]')
    assert rows == [("A", "x", 1, True, "2022-01-02T00:00:00.000Z")]
    assert (plan.cellwise, plan.dates) == (frozenset(), frozenset())
    rows, _ = made.decode(ROW)
    assert rows[0][4] == "2022-01-02"


def test_only_the_column_that_does_not_fit_is_decoded_cell_by_cell() -> None:
    """Another type makes its own column slow, and no other."""
    made = decoder()
    rows, plan = made.decode(b'[["A","x","N/A",true,"2022-01-02"]]')
    assert plan.cellwise == {2}
    assert bytes(rows[0][2]) == b'"N/A"'
    assert (rows[0][:2], rows[0][3:]) == (("A", "x"), (True, date(2022, 1, 2)))
    assert made.decode(ROW)[1].cellwise == {2}


def test_dates_can_be_read_as_text() -> None:
    """Stream maps see texts: once asked for, no date column is decoded as dates."""
    made = decoder()
    made.read_dates_as_text()
    rows, plan = made.decode(ROW)
    assert rows[0][4] == "2022-01-02"
    assert plan.dates == frozenset()
    made.read_dates_as_text()
    assert made.decode(ROW)[1] is plan, "asking again changes nothing"


def test_a_plan_is_made_once() -> None:
    """Blocks of one kind are decoded by one plan, with and without long numbers."""
    made = decoder()
    long = b'[["A","x",12345678901234567890,true,"2022-01-02"]]'
    plans = [made.decode(block)[1] for block in (ROW, long, ROW, long)]
    assert plans[0] is plans[2]
    assert plans[1] is plans[3]
    assert plans[0] is not plans[1]


@pytest.mark.parametrize(
    "literal,number",
    [
        ("12345678901234567890", 12345678901234567890),
        ("0.12345678901234567890", Decimal("0.12345678901234567890")),
        ("12345678901234.5", 12345678901234.5),
        ("1.50000000000000000000", 1.5),
        ("1" + "0" * 400, b"1" + b"0" * 400),
    ],
)
def test_long_numbers_keep_every_digit(literal: str, number: object) -> None:
    """A number beyond a float's precision is decoded exactly, as text where none can hold it."""
    rows, _ = decoder().decode(b'[["A","x",%b,true,null]]' % literal.encode())
    found = bytes(rows[0][2]) if isinstance(rows[0][2], msgspec.Raw) else rows[0][2]
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("other", ['"N/A"', "true", "[1]", "null"])
def test_a_number_beside_a_long_one_may_be_anything(other: str) -> None:
    """With a long number in the block, a misfit in its column still is left as JSON text."""
    made = decoder()
    block = b'[["A","x",12345678901234567890,true,null],["B","x",%b,true,null]]'
    rows, plan = made.decode(block % other.encode())
    assert plan.cellwise == (frozenset() if other == "null" else {2})
    if other == "null":
        assert [row[2] for row in rows] == [12345678901234567890, None]
    else:
        assert [bytes(row[2]) for row in rows] == [b"12345678901234567890", other.encode()]


@pytest.mark.parametrize("cell,careful", [("12345678901234567890", False), ("null", True)])
def test_a_long_number_in_a_key_column(cell: str, careful: bool) -> None:  # noqa: FBT001 - a case
    """A long number is a key like any other; a null key beside it is left to the careful plan."""
    block = b'[["A","x",12345678901234567890,true,null],["B","x",%b,true,null]]'
    rows, plan = decoder("n").decode(block % cell.encode())
    assert (2 in plan.cellwise) == careful
    if not careful:
        assert [row[2] for row in rows] == [12345678901234567890] * 2


def test_numbers_of_all_kinds_are_decoded_together() -> None:
    """Whole, fractional, long and absent numbers of one block need no look at each cell."""
    numbers = ("1", "1.5", "12345678901234567890", "0.12345678901234567890", "null")
    rows = ",".join(f'["A","x",{number},true,null]' for number in numbers)
    found, plan = decoder().decode(f"[{rows}]".encode())
    exact = Decimal("0.12345678901234567890")
    assert [row[2] for row in found] == [1, 1.5, 12345678901234567890, exact, None]
    assert plan.cellwise == frozenset()


def test_a_number_too_large_for_databases_is_left_as_text() -> None:
    """Integers up to 1023 bits are decoded; of a larger one only its JSON text is known."""
    fits, large = str(2**1023 - 1).encode(), str(2**1023).encode()
    block = b'[["A","x",%b,true,null]]'
    assert decoder().decode(block % fits)[0][0][2] == 2**1023 - 1
    rows, plan = decoder().decode(block % large)
    assert bytes(rows[0][2]) == large
    assert plan.cellwise == {2}


def test_a_nul_character_makes_its_block_careful() -> None:
    """A block with a NUL is decoded cell by cell, the blocks around it are not."""
    made = decoder()
    rows, plan = made.decode(rb'[["A","a\u0000b",1.5,true,null]]')
    assert bytes(rows[0][1]) == rb'"a\u0000b"'
    assert plan.cellwise == ALL
    assert made.decode(ROW)[1].cellwise == frozenset()


def test_a_scanned_body_is_not_scanned_again() -> None:
    """Where a whole body was found harmless, its blocks are decoded by the quick plan."""
    made = decoder(may_be_lossy=False)
    rows, plan = made.decode(rb'[["A","a\u0000b",0.12345678901234567890,true,null]]')
    assert (rows[0][1], plan.cellwise) == ("a\x00b", frozenset())
    assert rows[0][2] == 0.12345678901234568, "the quick plan has floats only"
    assert type(rows[0][2]) is float
    assert decoder(may_be_lossy=True).decode(ROW)[1].cellwise == frozenset()
    by_default = RowDecoder(RowLayout(HEADERS, COLUMNS, ["_id"]))
    assert by_default.decode(rb'[["A","a\u0000b",1,true,null]]')[1].cellwise == ALL


def test_json_that_is_not_strict_is_decoded_cell_by_cell() -> None:
    """NaN, Infinity and lone surrogates are decoded as their text."""
    rows, plan = decoder().decode(rb'[["A","\ud800",NaN,true,null],["B","x",-Infinity,true,null]]')
    assert plan.cellwise == ALL
    assert [row[2] for row in rows] == [b"NaN", b"-Infinity"]
    assert rows[0][1] == rb'"\ud800"'


@pytest.mark.parametrize("block", [b'[["A","x"', b'[["A","x",1,true,["2"]', b"", b"[", b"[[NaN]"])
def test_a_block_that_ends_too_early_is_refused(block: bytes) -> None:
    """A cut block is a decoding error: the reader then takes a shorter or longer one."""
    with pytest.raises(msgspec.DecodeError) as caught:
        decoder().decode(block)
    assert not isinstance(caught.value, msgspec.ValidationError)


@pytest.mark.parametrize(
    "block,row",
    [
        (b'[["A"]]', 8),
        (b'[["A","x",1,true,null],["B","x",1,true,null,6]]', 9),
        (b'[["A","x",1,true,null],5]', 9),
        (b'[["A","x",NaN,true,null],["B",NaN]]', 8),
    ],
)
def test_a_row_of_another_length_is_an_error(block: bytes, row: int) -> None:
    """The error says which row it is, counted from the export's first, and its right length."""
    with pytest.raises(MalformedResponse, match=rf"Row {row} .*array of 5 cells"):
        decoder().decode(block, 7)
    with pytest.raises(MalformedResponse, match=rf"Row {row - 7} .*array of 5 cells"):
        decoder().decode(block)


@pytest.mark.parametrize("block", [b"[NaN]", b'[["A","x",NaN,true,null],7]', b'[{"a":NaN}]'])
def test_what_is_no_row_beside_nan_is_refused(block: bytes) -> None:
    """JSON that is not strict is decoded only if it is an array of arrays."""
    with pytest.raises(msgspec.DecodeError):
        decoder().decode(block)


def test_a_fraction_too_small_for_databases_is_left_as_text() -> None:
    """Beside a long number as well, such a number is known by its JSON text only."""
    rows, plan = decoder().decode(b'[["A","x",1.5e-20000,true,null]]')
    assert bytes(rows[0][2]) == b"1.5e-20000"
    assert plan.cellwise == {2}


def test_all_columns_that_do_not_fit_are_found_at_once() -> None:
    """However many columns hold another type, a block is planned anew only once or twice."""
    headers = [Property(f"k{i}", f"k{i}", "number") for i in range(50)]
    columns = [Column(header.key, header.key, ColumnType.NUMBER) for header in headers]
    for row in (['"x"'] * 50, ['"x"'] * 49 + ["12345678901234567890"]):
        made = RowDecoder(RowLayout(headers, columns))
        plans: list[DecodePlan] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(row_decoder, "DecodePlan", counted(plans))
            rows, plan = made.decode(f"[[{','.join(row)}]]".encode())
        assert [bytes(cell) for cell in rows[0][:49]] == [b'"x"'] * 49
        assert set(range(49)) <= plan.cellwise
        assert len(plans) <= 3


def counted(plans: list[DecodePlan]) -> Callable[..., DecodePlan]:
    """A maker of plans that keeps them in a list."""

    def make(*arguments: Any, **options: Any) -> DecodePlan:
        plans.append(DecodePlan(*arguments, **options))
        return plans[-1]

    return make


def test_a_column_of_dates_with_times_and_of_numbers_is_decoded_cell_by_cell() -> None:
    """A date column is tried as text before its cells are decoded one by one."""
    rows, plan = decoder().decode(b'[["A","x",1,1,"2022-01-02 10:00"],["B","x",1,true,5]]')
    assert plan.cellwise == {3, 4}
    assert [bytes(row[4]) for row in rows] == [b'"2022-01-02 10:00"', b"5"]
