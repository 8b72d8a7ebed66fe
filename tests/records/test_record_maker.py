"""Rows to records: the quick way and the careful way agree, and no cell is lost on either."""

from __future__ import annotations

import hmac
import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.orgvue.errors import MalformedResponse, OrgvueError
from tap_orgvue.orgvue.models import Property
from tap_orgvue.records import record_maker as module
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.records.values import Counts
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import Column
from tests.support.runs import rescued
from tests.trials.fuzz import as_written

KINDS = {
    "_id": ColumnType.TEXT,
    "t": ColumnType.TEXT,
    "n": ColumnType.NUMBER,
    "b": ColumnType.BOOLEAN,
    "d": ColumnType.DATE,
    "_m": ColumnType.DATE_TIME,
}
HEADERS = [Property(key, key, kind.value) for key, kind in KINDS.items()]
COLUMNS = [Column(key, key, kind) for key, kind in KINDS.items()]
MISFITS = b'[["poison",5,"x","x",5,5]]'

literals = st.one_of(
    st.sampled_from(
        [
            "null",
            "true",
            "false",
            '"true"',
            '""',
            "0",
            "-0",
            "-0.0",
            "1.0",
            "1.10",
            "1e2",
            "1E-7",
            "1e-400",
            "1e400",
            "12345678901234567",
            "0.12345678901234567890",
            "123456789012345678901234567890.5",
            "9" * 400,
            '"12.50"',
            '"007"',
            '"NaN"',
            '"1e5"',
            '"2022-01-02"',
            '"2022-01-02T00:00:00.000Z"',
            '"2022-01-02T23:30:00-05:00"',
            '"2022-01-02T01:02:03.123456789Z"',
            '"2022-02-30"',
            '"10000-01-01"',
            '"0001-01-01T00:00:00+14:00"',
            '"9999-12-31T23:00:00-05:00"',
            r'"a\u0000b"',
            r'"\u0000"',
            r'"\\u0000"',
            r'"\ud83c\udf89"',
            '{"a":[1,2.50,null]}',
            r'[["],[","\u0000"]]',
            "[]",
        ]
    ),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.dates().map(lambda date: f'"{date.isoformat()}"'),
    st.datetimes().map(lambda moment: f'"{moment.isoformat()}Z"'),
)
rows_of_literals = st.lists(st.lists(literals, min_size=5, max_size=5), max_size=8)


def maker(**options: Any) -> RecordMaker:
    """A maker of records with a column of each kind."""
    return RecordMaker(HEADERS, COLUMNS, ["_id"], **options)


def block_of(rows: list[list[str]]) -> bytes:
    """Rows of literals, each with an id, as they come."""
    written = [",".join([f'"ID{i}"', *row]) for i, row in enumerate(rows)]
    return f"[{','.join(f'[{row}]' for row in written)}]".encode()


def told(records: list[dict[str, Any]]) -> list[str]:
    """Records as texts that tell 1 from 1.0 and True, and 0.0 from -0.0; in any order of keys."""
    return [repr(sorted(record.items())) for record in records]


@given(rows_of_literals)
def test_the_quick_way_and_the_careful_way_agree(rows: list[list[str]]) -> None:
    """Once a column held what it should not, it is read carefully: with the same outcome."""
    quick, careful = maker(), maker()
    careful.records(MISFITS)
    assert told(quick.records(block_of(rows))) == told(careful.records(block_of(rows)))
    assert quick.counts.nul_characters == careful.counts.nul_characters


@given(rows_of_literals)
def test_blocks_make_no_difference(rows: list[list[str]]) -> None:
    """Rows make the same records in one block as each in a block of its own."""
    together = maker().records(block_of(rows))
    alone = maker()
    one_by_one = []
    for i, row in enumerate(rows):
        one_by_one += alone.records(f'[["ID{i}",{",".join(row)}]]'.encode())
    assert told(together) == told(one_by_one)
    assert alone.counts.rows == len(rows)


@given(rows_of_literals)
def test_rows_encode_as_their_records(rows: list[list[str]]) -> None:
    """What is written without looking at single values is what the records say, block for block."""
    quick, plain, later = maker(), maker(), maker()
    records = as_written(plain.records(block_of(rows)))
    assert as_written(quick.rows(block_of(rows))) == records
    one_by_one = [later.rows(f'[["ID{i}",{",".join(row)}]]'.encode()) for i, row in enumerate(rows)]
    assert [row for block in one_by_one for row in as_written(block)] == records
    assert quick.counts.misfits == plain.counts.misfits


@pytest.mark.parametrize("name", ["d", "_m"])
def test_the_latest_of_a_column_is_found_as_text(name: str) -> None:
    """A bookmark is a text, whatever a column of dates or instants is read as."""
    made = maker()
    day, instant = '"2022-01-02"', '"2022-01-02T10:00:00.000Z"'
    rows = made.rows(block_of([["null", "null", "null", day, instant], ["null"] * 5]))
    assert list(made.texts(rows, name)) == [json.loads(day if name == "d" else instant)]


def is_blank(key: str, literal: str) -> bool:
    """Whether a literal is a null, or a blank text that is one in its column."""
    return literal == "null" or (key != "t" and str(json.loads(literal)).strip() == "")


@given(rows_of_literals, st.integers(1, 60))
def test_no_row_and_no_cell_is_lost(rows: list[list[str]], size: int) -> None:
    """Every row is a record with every column; what is null in it was null or is rescued."""
    headers = [{"key": header.key, "type": header.type} for header in HEADERS]
    document = b'{"headers":%b,"rows":%b}' % (json.dumps(headers).encode(), block_of(rows))
    chunks = (document[i : i + size] for i in range(0, len(document), size))
    made = maker()
    records = [record for block in JsonRows(chunks).blocks(made.records) for record in block]
    assert [record["_id"] for record in records] == [f"ID{i}" for i in range(len(rows))]
    for record, row in zip(records, rows, strict=True):
        assert set(record) == {*KINDS, "_rescued_data"}
        kept = rescued(record) or {}
        for key, literal in zip(list(KINDS)[1:], row, strict=True):
            assert record[key] is not None or key in kept or is_blank(key, literal)


def test_a_column_the_export_lacks_is_null() -> None:
    """A column without a header is null in every record."""
    made = RecordMaker(HEADERS[:2], COLUMNS[:3], ["_id"])
    assert made.records(b'[["A","x"]]') == [
        {"_id": "A", "t": "x", "n": None, "_rescued_data": None}
    ]


def test_a_stranger_called_as_a_column_is_rescued_beside_its_misfit() -> None:
    """A new property whose key is the name of another's column takes no place from it."""
    headers = [Property("FTE", "FTE", "number"), Property("fte", "fte")]
    made = RecordMaker(headers, [Column("fte", "FTE", ColumnType.NUMBER)], rescued_keys={"fte"})
    assert made.records(b'[["N/A","new"]]') == [
        {"fte": None, "_rescued_data": '{"fte":"N/A","fte (property)":"new"}'}
    ]


def test_a_cell_that_no_column_shows_is_left_out() -> None:
    """A header without a column leaves nothing in the record, whatever its cells hold."""
    made = RecordMaker(HEADERS, COLUMNS[:2], ["_id"])
    assert made.records(b'[["A","x",{"secret":1},[],"y",null]]') == [
        {"_id": "A", "t": "x", "_rescued_data": None}
    ]


@pytest.mark.parametrize(
    "block",
    [b'[["A"]]', b'[["A",null,null,null,null,null,1]]', b"[[]]", b'[{"_id":"A"}]', b"[5]"],
)
def test_a_row_of_another_length_is_reported(block: bytes) -> None:
    """A row without a cell for each header is an error that says which row it is."""
    made = maker()
    made.records(b'[["A",null,null,null,null,null],["B",null,null,null,null,null]]')
    with pytest.raises(MalformedResponse, match="Row 3 "):
        made.records(block)


@pytest.mark.parametrize("after", [b"", MISFITS])
def test_a_key_without_a_value_is_reported(after: bytes) -> None:
    """A null key is an error: no table can hold it."""
    made = maker()
    if after:
        made.records(after)
    with pytest.raises(MalformedResponse, match="key '_id'"):
        made.records(b"[[null,null,null,null,null,null]]")


@pytest.mark.parametrize("literal", ["12345678901234567890", "0.1234567890123456789"])
def test_a_long_number_is_a_key(literal: str) -> None:
    """A number with many digits is a key with all of them; one that does not fit is an error."""
    made = RecordMaker(HEADERS, COLUMNS, ["n"])
    (record,) = made.records(f'[["A",null,{literal},null,null,null]]'.encode())
    assert str(record["n"]) == literal
    for other in ("null", '"N/A"', "1e400"):
        block = f'[["A",null,{literal},null,null,null],["B",null,{other},null,null,null]]'
        for again in (made, RecordMaker(HEADERS, COLUMNS, ["n"])):
            with pytest.raises(MalformedResponse, match=r"key 'n'.*after row "):
                again.records(block.encode())


def test_a_key_that_fits_in_part_is_kept() -> None:
    """A key column keeps the part that it can hold, and the whole value is rescued."""
    made = RecordMaker(HEADERS, COLUMNS, ["d"])
    (record,) = made.records(b'[["A",null,null,null,"2022-01-02T10:00:00Z",null]]')
    assert (record["d"], rescued(record)) == ("2022-01-02", {"d": "2022-01-02T10:00:00Z"})


@pytest.mark.parametrize("headers", [HEADERS, HEADERS[1:]])
def test_a_misfit_is_found_by_its_row(headers: list[Property]) -> None:
    """Without rescue the error names the row's `_id`, else how far the export had been read."""
    made = RecordMaker(headers, COLUMNS, rescue=False)
    cells = [b"null"] * (len(headers) - 5) + [b"null", b'"x"', b"null", b"null", b"null"]
    fine = [b"null"] * len(headers)
    made.rows(b"[[%b],[%b]]" % (b",".join(fine), b",".join(fine)))
    with pytest.raises(OrgvueError) as caught:
        made.rows(b"[[%b]]" % b",".join(cells))
    assert "'n'" in str(caught.value)
    assert "row 3 of its block or after" in str(caught.value)
    if headers is HEADERS:
        with pytest.raises(OrgvueError, match="row A"):
            made.rows(b'[["A",%b]]' % b",".join(cells[1:]))


@pytest.mark.parametrize("headers", [HEADERS, HEADERS[::-1]])
def test_a_misfit_s_row_is_named_wherever_its_id_stands(headers: list[Property]) -> None:
    """The row's `_id` may be delivered before or behind the value that does not fit."""
    made = RecordMaker(headers, COLUMNS, rescue=False)
    cells = {"_id": b'"A"', "n": b'"x"'}
    row = b",".join(cells.get(header.key, b"null") for header in headers)
    with pytest.raises(OrgvueError, match=r"\(row A\)"):
        made.rows(b"[[%b]]" % row)


@pytest.mark.parametrize("headers", [HEADERS, HEADERS[::-1]])
def test_a_misfit_s_row_is_not_named_by_an_id_that_is_hashed(headers: list[Property]) -> None:
    """An `_id` whose values are hashed is told as its hash, or not at all."""
    columns = [replace(COLUMNS[0], hashed=True), *COLUMNS[1:]]
    made = RecordMaker(headers, columns, rescue=False, hash_key=b"k")
    cells = {"_id": b'"Ada"', "n": b'"x"'}
    row = b",".join(cells.get(header.key, b"null") for header in headers)
    with pytest.raises(OrgvueError) as caught:
        made.rows(b"[[%b]]" % row)
    assert "Ada" not in str(caught.value)
    hashed = hmac.digest(b"k", b"Ada", "sha256").hex()
    told = f"(row {hashed})" if headers is HEADERS else "(row 1 of its block or after)"
    assert told in str(caught.value)


def test_counts_go_on_over_pages() -> None:
    """The counts of the pages before are continued, and a page without any begins at nothing."""
    counts = Counts(rows=5)
    made = maker(counts=counts)
    made.rows(b'[["A",null,"x",null,null,null]]')
    assert (counts.rows, counts.misfits["n"]) == (6, 1)
    assert maker().counts.rows == 0


def test_hashes_are_equal_for_equal_values() -> None:
    """A hash is made of the value's meaning by Orgvue's type, with the secret key; null is null."""
    columns = [Column("h", "n", ColumnType.TEXT, hashed=True)]

    def hashes(key: bytes | None, *literals: str) -> list[Any]:
        made = RecordMaker(HEADERS[2:3], columns, hash_key=key)
        return [record["h"] for record in made.records(f"[[{'],['.join(literals)}]]".encode())]

    one, same, text, other, misfit, nothing = hashes(b"k", "5", "5.0", '"5"', "6", '"x"', "null")
    assert one == same == text == hmac.digest(b"k", b"5", "sha256").hex()
    assert misfit == hmac.digest(b"k", b"x", "sha256").hex()
    assert one != other
    assert nothing is None
    assert hashes(b"l", "5") != [one]
    assert hashes(None, "5") == hashes(b"", "5")


def test_a_rescued_property_can_be_hashed() -> None:
    """A property without a column is rescued as its hash, or as it is; others are dropped."""
    made = RecordMaker(
        HEADERS, COLUMNS[:1], ["_id"], rescued_keys={"t", "n"}, hashed_keys={"n"}, hash_key=b"k"
    )
    (record,) = made.records(b'[["A","x",5,true,null,null]]')
    hashed = hmac.digest(b"k", b"5", "sha256").hex()
    assert record == {"_id": "A", "_rescued_data": f'{{"t":"x","n":"{hashed}"}}'}
    (empty,) = made.records(b'[["A",null,null,true,null,null]]')
    assert rescued(empty) is None


@pytest.mark.parametrize("text", ["2022-01-02", "2022-01-02T00:00:00.000Z"])
def test_repeated_dates_are_fitted_alike(text: str) -> None:
    """A date is fitted the same in every block, with and without other forms around it."""
    made = maker()
    block = b'[["A",null,null,null,"%b",null],["B",null,null,null,null,"%b"]]' % (
        (text.encode(),) * 2
    )
    for _ in range(3):
        first, second = made.records(block)
        assert (first["d"], second["_m"]) == ("2022-01-02", "2022-01-02T00:00:00.000Z")
        assert (second["d"], first["_m"]) == (None, None)


def test_the_latest_of_no_column_is_nothing() -> None:
    """A column that the export lacks has no values."""
    made = RecordMaker(HEADERS[:2], COLUMNS, ["_id"])
    assert list(made.texts(made.rows(b'[["A","x"]]'), "_m")) == []


def test_a_block_that_is_cut_is_refused() -> None:
    """A block that ends within a row is not taken for a shorter one."""
    for block in (b'[["A",null', b'[["A",null]', b"[", b""):
        with pytest.raises(msgspec.DecodeError):
            maker().records(block)


def test_misfits_are_counted_by_column() -> None:
    """How many values did not fit is known for each column."""
    made = maker()
    made.records(b'[["A",null,"x","x",null,null],["B",null,"y",null,null,null]]')
    assert made.counts.misfits == {"n": 2, "b": 1}


def test_without_rescue_a_misfit_is_an_error_without_its_value() -> None:
    """With `rescue_data` false the error names column and row, and not the value."""
    with pytest.raises(OrgvueError, match=r"'n'.*row A") as caught:
        maker(rescue=False).records(b'[["A",null,"very private",null,null,null]]')
    assert "private" not in str(caught.value)


def test_a_value_that_is_not_utf8_is_reported() -> None:
    """Bytes that are no text are an error that names the column."""
    made = maker()
    made.records(MISFITS)
    with pytest.raises((MalformedResponse, msgspec.DecodeError, UnicodeDecodeError)):
        made.records(b'[["A","\xff",null,null,null,null]]')


def test_numbers_that_json_does_not_know_are_rescued() -> None:
    """NaN and Infinity, which some servers write, are values that do not fit."""
    for word in ("NaN", "Infinity", "-Infinity"):
        (record,) = maker().records(f'[["A",null,{word},null,null,null]]'.encode())
        assert record["n"] is None
        assert rescued(record) == {"n": word}


@pytest.mark.parametrize(
    "literal,kept",
    [
        ('"N/A"', '"N/A"'),
        ('"Zoë \\"\\ud83c\\udf89"', '"Zoë \\"🎉"'),
        ("true", "true"),
        ("[1.50,1e2,{}]", "[1.50,1e2,{}]"),
        (
            '{"a": 123456789012345678901234567890.10, "b": [null]}',
            '{"a":123456789012345678901234567890.10,"b":[null]}',
        ),
        ("1e400", '"1e400"'),
        ("[NaN]", '["NaN"]'),
        ("[1e-9999]", '["1e-9999"]'),
    ],
)
def test_what_is_rescued_is_json_as_it_was_written(literal: str, kept: str) -> None:
    """`_rescued_data` is JSON text; numbers have every digit, or are text if none can hold them."""
    for made in (maker(), maker(may_be_lossy=False)):
        (record,) = made.records(f'[["A",null,{literal},null,null,null]]'.encode())
        assert (record["n"], record["_rescued_data"]) == (None, f'{{"n":{kept}}}')


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0\u2003"])
def test_a_blank_is_null_in_every_column_but_text(blank: str) -> None:
    """A blank where a number, boolean, date or instant should be is no value, and no misfit."""
    cells = json.dumps(["A", *[blank] * 5])
    for after in (b"", MISFITS):
        made = maker()
        made.records(after or b"[]")
        made.counts.misfits.clear()
        (record,) = made.records(f"[{cells}]".encode())
        assert record == {**dict.fromkeys(KINDS), "_id": "A", "t": blank, "_rescued_data": None}
        assert not made.counts.misfits


@pytest.mark.parametrize("key", ["n", "b", "d", "_m"])
def test_a_blank_key_is_reported(key: str) -> None:
    """A blank in a key's column is a key without a value."""
    with pytest.raises(MalformedResponse, match=f"no value for its key '{key}'"):
        RecordMaker(HEADERS, COLUMNS, [key]).rows(b'[["A",null," "," "," "," "]]')


def test_half_a_character_is_rescued() -> None:
    """A lone surrogate, which no database stores, leaves the rest of its text."""
    (record,) = maker().records(rb'[["A","a\ud800b",null,null,null,null]]')
    assert record["t"] == "a?b"
    assert rescued(record) == {"t": r'"a\ud800b"'}
    json.dumps(record).encode()


def test_nul_characters_are_taken_out_and_counted() -> None:
    """NUL, which no database stores in text, is taken out of cells, and how often is known."""
    made = maker()
    (record,) = made.records(rb'[["A","a\u0000b\u0000",null,null,null,null]]')
    assert record["t"] == "ab"
    assert rescued(record) is None
    assert made.counts.nul_characters == 2


@pytest.mark.slow
def test_many_different_dates_are_fitted() -> None:
    """Dates beyond what is remembered are fitted like the first."""
    made = RecordMaker(HEADERS[4:5], COLUMNS[4:5])
    texts = [
        f"{1000 + i // 336:04d}-{i // 28 % 12 + 1:02d}-{i % 28 + 1:02d}" for i in range(100_500)
    ]
    records = made.records(json.dumps([[text] for text in texts]).encode())
    assert [record["d"] for record in records] == texts


@pytest.mark.slow
def test_long_texts_where_dates_should_be_do_not_fill_the_memory() -> None:
    """Texts that no date is as long as are rescued, and not kept for rows to come."""
    made = RecordMaker(HEADERS[4:], COLUMNS[4:])
    tracemalloc.start()
    try:
        for i in range(20):
            texts = [f"{i}/{j} {'x' * 5000}" for j in range(100)]
            block = json.dumps([[text, text] for text in texts]).encode()
            rows = made.rows(block)
            assert all(row.cell0 is None and row.rescued for row in rows)
        del rows
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 5 * len(block)


def test_values_are_counted_from_the_first_misfit_on() -> None:
    """How many values a column with misfits has is known for its block and those after it."""
    made = maker()
    made.rows(b'[["A",null,1,true,"2022-01-02",null]]')
    assert not made.counts.rows_counted
    made.rows(b'[["B",null,"x",null,"soon",null],["C",null,null,null,"2022-01-02",null]]')
    made.rows(b'[["D",null,2,null,"2022-01-02",null],["E",null,2,null,null,null]]')
    assert made.counts.rows_counted == {"n": 4, "d": 4}
    assert made.counts.values == {"n": 3, "d": 3}
    assert made.counts.misfits == {"n": 1, "d": 1}


def test_a_repeated_date_is_fitted_once() -> None:
    """A value is fitted where it first occurs; a block in which no value changes is left alone."""
    fitted: list[str] = []

    def fit(text: str) -> str:
        fitted.append(text)
        return text.strip()

    fits = module._FitCache(fit)  # noqa: SLF001 - how often it fits shows nowhere else
    assert fits.fit_all(["a", None, "a", " b"]) == ["a", None, "a", "b"]
    assert fits.fit_all([" b", "a"]) == ["b", "a"]
    assert fits.fit_all(["a", None, "a"]) is None
    assert fitted == ["a", " b"]


def test_fitted_values_take_a_bound_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they take too much they are dropped, and values fit as before; null stays null."""
    monkeypatch.setattr(module, "_CACHE_BYTES", 3000)
    fits = module._FitCache(lambda text: text)  # noqa: SLF001 - its size shows nowhere else
    for i in range(100):
        values = [f"{i} {j}" for j in range(5)]
        assert fits.fit_all([None, *values, None]) in (None, [None, *values, None])
    assert len(fits) < 20
    assert len(fits._unchanged) < 20  # noqa: SLF001 - as above
