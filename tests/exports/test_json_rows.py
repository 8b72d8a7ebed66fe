"""jsonRows in blocks: the same rows wherever chunks are cut, and never fewer without an error."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_orgvue.exports import json_rows as module
from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.orgvue.errors import ErrorsInResponse, MalformedResponse, TruncatedResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = msgspec.json.Decoder(list[list[Any]]).decode
HEADERS = [
    {"key": "_id", "name": "Id", "type": "text"},
    {"key": "x", "name": "Größe", "type": "number"},
]

cells = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=12)
    | st.sampled_from(["],[", '"],["', "]", "[", "\\", '\\"],["', "]}", "é🎉", "\u2028"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
tables = st.lists(st.lists(cells, min_size=2, max_size=2), max_size=25)
styles = st.sampled_from(
    [
        {"separators": (",", ":")},
        {"separators": (", ", ": ")},
        {"indent": 2},
        {"indent": "\t", "ensure_ascii": False},
        {"separators": (",\r\n", ":"), "ensure_ascii": False},
    ]
)


@pytest.fixture(scope="module", autouse=True)
def _small_blocks() -> Iterator[None]:
    """Decode blocks of a few bytes, so that small documents are cut in many places."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", 40)
        yield


def in_chunks(document: bytes, size: int) -> Iterator[bytes]:
    """A document as it arrives."""
    for start in range(0, len(document), size):
        yield document[start : start + size]


def read(document: bytes, size: int = 7) -> list[Any]:
    """All rows of a document."""
    found = JsonRows(in_chunks(document, size))
    assert [header.key for header in found.headers] == ["_id", "x"]
    return [row for block in found.blocks(READ) for row in block]


def written(rows: list[Any], **more: Any) -> bytes:
    """A document, as compact as Orgvue writes it."""
    document = {"headers": HEADERS, "rows": rows, **more}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.slow
@given(tables, styles, st.integers(1, 400))
def test_rows_survive_whatever_the_chunks_are(
    rows: list[Any], style: dict[str, Any], size: int
) -> None:
    """Any rows are read as they were written, whatever the chunks and the white space."""
    document = json.dumps({"headers": HEADERS, "rows": rows}, **style).encode()
    assert read(document, size) == rows


@pytest.mark.slow
@given(tables, st.data())
@settings(max_examples=60)
def test_no_prefix_of_a_document_passes_for_the_whole(rows: list[Any], data: st.DataObject) -> None:
    """A document that ends early is an error, wherever it ends."""
    document = written(rows)
    length = data.draw(st.integers(0, len(document) - 1))
    with pytest.raises(MalformedResponse):
        read(document[:length])


@pytest.mark.parametrize(
    "document",
    [
        written([["a", 1], ["b", None], ["é],[", 2.5]]),
        written([["a", 1]], _links={"next": {"url": "https://x/y?z=1"}}),
        written([]),
        json.dumps({"headers": HEADERS, "rows": [["a", [1]], ["b", {}]]}, indent=1).encode(),
    ],
)
def test_truncation_at_every_byte_is_an_error(document: bytes) -> None:
    """Cut after any of its bytes, a document is an error."""
    assert read(document) == json.loads(document)["rows"]
    for length in range(len(document)):
        with pytest.raises(MalformedResponse):
            read(document[:length])


def test_the_error_says_how_far_it_went() -> None:
    """A broken document's error says after which row it broke."""
    document = written([[f"row {i}", i] for i in range(5000)])
    found = JsonRows(in_chunks(document[:-9], 1000))
    count = 0
    with pytest.raises(MalformedResponse, match="broken after row") as caught:  # noqa: PT012
        for block in found.blocks(READ):
            count += len(block)
    assert f"after row {count}:" in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"   ",
        b"null",
        b"[]",
        b'"text"',
        b"<html></html>",
        b"{}",
        b'{"headers":[]}',
        b'{"rows":[]}',
        b'{"headers":null,"rows":[]}',
        b'{"headers":{},"rows":[]}',
        b'{"headers":[{"name":"x"}],"rows":[]}',
        b'{"headers":["x"],"rows":[]}',
        b'{"headers":[{"key":"x"},{"key":"x"}],"rows":[]}',
        b'{"headers":[],"rows":{}}',
        b'{5:1,"headers":[],"rows":[]}',
        b'{"headers":[],null:1,"rows":[]}',
        b'{"headers":[],"rows":null}',
        b'{"errors":[{"code":"500"}]}',
        b"\xff\xfe{\x00",
    ],
)
def test_a_document_of_another_shape_is_reported(document: bytes) -> None:
    """What is not headers and rows is one clear error."""
    with pytest.raises(MalformedResponse):
        list(JsonRows(iter([document])).blocks(READ))


@pytest.mark.parametrize("tail", [b"x", b"}", b",", b'{"headers":[]}', b"\x00"])
def test_what_follows_a_document_is_an_error(tail: bytes) -> None:
    """Something behind the end of a document means that it is not what it seems."""
    with pytest.raises(MalformedResponse):
        read(written([["a", 1]]) + tail)


@pytest.mark.parametrize("gap", [b"\x0b,", b",\x0c"])
def test_no_other_sign_is_white_space_between_rows(gap: bytes) -> None:
    """A sign that JSON has no place for is an error, also where a block of rows ends."""
    document = json.dumps({"headers": HEADERS, "rows": [["a", 1], ["b", 2]]})
    assert read(document.encode()) == [["a", 1], ["b", 2]]
    with pytest.raises(MalformedResponse):
        read(document.encode().replace(b"], [", b"]%b[" % gap))


def test_white_space_around_a_document_is_nothing() -> None:
    """White space before and after a document does not matter."""
    assert read(b"\r\n  " + written([["a", 1]]) + b"\n\n") == [["a", 1]]


def test_members_may_stand_in_any_order() -> None:
    """Headers behind the rows, and members that nobody knows, are read as well."""
    document = {"version": {"a": [1]}, "rows": [["a", 1]], "headers": HEADERS, "more": "],["}
    assert read(json.dumps(document).encode()) == [["a", 1]]


def test_the_link_to_the_next_page_is_known_after_the_rows() -> None:
    """`_links.next.url` is told, wherever it stands."""
    link = {"_links": {"next": {"url": "/next"}}}
    for document in (
        {"headers": HEADERS, "rows": [["a", 1]], **link},
        {**link, "headers": HEADERS, "rows": [["a", 1]]},
    ):
        found = JsonRows(iter([json.dumps(document).encode()]))
        assert [row for block in found.blocks(READ) for row in block] == [["a", 1]]
        assert found.next_url == "/next"


@pytest.mark.parametrize(
    "links", [None, 5, [], {}, {"next": None}, {"next": {}}, {"next": {"url": None}}, {"next": ""}]
)
def test_no_link_is_the_end(links: object) -> None:
    """`_links` without a next url mean that this is the last page."""
    found = JsonRows(iter([written([["a", 1]], _links=links)]))
    assert [row for block in found.blocks(READ) for row in block] == [["a", 1]]
    assert found.next_url is None


@pytest.mark.parametrize("link", [{"href": "/next"}, {"url": {"a": 1}}, ["/next"], True])
def test_a_next_page_that_cannot_be_found_is_reported(link: object) -> None:
    """A next page in a form that nobody knows is an error: these rows are not all."""
    found = JsonRows(iter([written([["a", 1]], _links={"next": link})]))
    with pytest.raises(MalformedResponse, match="has a next link"):
        list(found.blocks(READ))


ERRORS = [{"code": "500601", "name": "RowsMissing", "message": "No room"}]


@pytest.mark.parametrize(
    "document",
    [
        {"errors": ERRORS, "headers": HEADERS, "rows": [["a", 1]]},
        {"headers": HEADERS, "errors": ERRORS, "rows": [["a", 1]]},
        {"headers": HEADERS, "rows": [["a", 1]], "errors": ERRORS},
        {"headers": HEADERS, "rows": [], "errors": ERRORS},
        {"rows": [["a", 1]], "errors": ERRORS, "headers": HEADERS},
        {"headers": HEADERS, "errors": ERRORS},
        {"headers": HEADERS, "errors": ERRORS, "rows": None},
        {"errors": ERRORS},
    ],
)
def test_errors_beside_rows_are_an_error(document: object) -> None:
    """An export that reports errors is incomplete: the error has Orgvue's words and the trace."""
    found = JsonRows(iter([json.dumps(document).encode()]), "Root=1-abc")
    told = r"incomplete \(500601 RowsMissing: No room\)\. Trace id: Root=1-abc$"
    with pytest.raises(ErrorsInResponse, match=told) as caught:
        list(found.blocks(READ))
    assert not caught.value.retryable


@pytest.mark.parametrize("errors", [[[]], {"a": 1}, True])
def test_errors_of_an_unknown_form_are_errors(errors: object) -> None:
    """Whatever `errors` holds, the export is incomplete."""
    with pytest.raises(ErrorsInResponse, match=r"which is therefore incomplete \(.+\)\.$"):
        read(written([["a", 1]], errors=errors))


@pytest.mark.parametrize("errors", [None, [], {}, ""])
def test_no_errors_are_none(errors: object) -> None:
    """Empty `errors` say that there are none."""
    assert read(written([["a", 1]], errors=errors)) == [["a", 1]]


def test_rows_are_counted() -> None:
    """The number of rows is known once they are read."""
    found = JsonRows(in_chunks(written([["a", 1]] * 50), 7))
    assert (found.count, sum(map(len, found.blocks(READ))), found.count) == (0, 50, 50)
    assert list(found.blocks(READ)) == [], "they are read once"
    assert found.count == 50


def test_headers_need_only_the_beginning() -> None:
    """The headers are known before most of the document has arrived."""
    taken = 0

    def iter_raw() -> Iterator[bytes]:
        nonlocal taken
        for chunk in in_chunks(written([["a" * 50, i] for i in range(50_000)]), 4096):
            taken += len(chunk)
            yield chunk

    assert len(JsonRows(iter_raw()).headers) == 2
    assert taken < 100_000


@pytest.mark.slow
def test_a_row_may_be_larger_than_a_block() -> None:
    """Cells of a megabyte, full of what looks like the end of a row, are read whole."""
    large = ["],[" * 300_000, 1]
    assert read(written([["a", 1], large, ["b", 2], large]), 50_000) == [
        ["a", 1],
        large,
        ["b", 2],
        large,
    ]


def test_many_columns_are_read() -> None:
    """Five thousand columns are headers and cells like a few."""
    headers = [{"key": f"k{i}", "name": "n" * 20, "type": "text"} for i in range(5000)]
    document = json.dumps({"headers": headers, "rows": [[str(i) for i in range(5000)]] * 3})
    found = JsonRows(in_chunks(document.encode(), 8192))
    assert len(found.headers) == 5000
    assert [len(row) for block in found.blocks(READ) for row in block] == [5000] * 3


def test_a_row_that_is_no_json_is_reported() -> None:
    """Bytes that are not UTF-8, and words that JSON does not know, are told with their place."""
    for cell in (b'"\xff"', b"NaN", b"undefined"):
        document = written([["a", 1], ["b", 2]]).replace(b'"b"', cell)
        with pytest.raises(MalformedResponse, match="after row"):
            read(document)


@pytest.mark.parametrize(
    "document,told",
    [
        (b'{"headers":[]}', "without rows"),
        (b'{"headers":[],"more":1}', "without rows"),
        (b'{"rows":[]}', "without headers"),
        (b'{"headers":5,"rows":[]}', "without headers"),
        (b'{"headers":[{"key":"a"},{"key":"a"}],"rows":[]}', "two columns the same key"),
        (b'{"headers":[{"key":"a","name":"\\ud800"}],"rows":[]}', "halves of characters"),
        (b'{"headers":[],"rows":[]}x', "unexpected text follows its rows"),
        (b'{"headers":[],"rows":[],"rows":[]}', "unexpected text follows its rows"),
        (b'{"headers":[],"rows":[],}', "unexpected text follows its rows"),
        (b'{"headers":[],"rows":[] "a":1}', "unexpected text follows its rows"),
        (b'{"headers":[],"rows":[]', "ends early or is not JSON"),
        (b'{"headers":[],"rows":[[}', "after row 0: the document ends early or is not JSON"),
        (b'{"headers":[],"rows":[1e]}', "after row 0"),
        (b"[]", "not a JSON object with headers and rows"),
    ],
)
def test_an_error_says_what_is_wrong(document: bytes, told: str) -> None:
    """Each broken document is one error, which says what is wrong with it."""
    with pytest.raises(MalformedResponse, match=told):
        list(JsonRows(iter([document])).blocks(READ))


@pytest.mark.parametrize("cell", [b"nope", b'"\xff"'])
def test_a_bad_row_among_many_is_reported_by_its_place(cell: bytes) -> None:
    """The rows before its block are read, and the error says how many those are."""
    rows = [[f"row {i}", i] for i in range(2000)]
    document = written([*rows, ["bad", "@"], *rows]).replace(b'"@"', cell)
    found = JsonRows(in_chunks(document, 100))
    before: list[Any] = []
    with pytest.raises(MalformedResponse) as caught:  # noqa: PT012 - the rows before it count
        for block in found.blocks(READ):
            before += block
    assert before == rows[: len(before)]
    assert len(before) > 1000
    assert str(caught.value) == (
        f"An export is broken after row {len(before)}: a row is not valid JSON, or nested too "
        "deeply."
    )


def test_a_document_without_a_head_may_be_cut() -> None:
    """A document that is no object with headers is retryable: it may have been cut."""
    with pytest.raises(TruncatedResponse) as caught:
        _ = JsonRows(iter([b'{"headers":['])).headers
    assert caught.value.retryable


@pytest.mark.parametrize("where", ["before", "after"])
def test_members_may_be_large(where: str) -> None:
    """Members before and behind the rows are read, whatever their size."""
    more = {"more": ["x" * 1000] * 100}
    rows = [["a", 1], ["b", 2]]
    document = {"headers": HEADERS, "rows": rows}
    document = {**more, **document} if where == "before" else {**document, **more}
    assert read(json.dumps(document).encode(), 1000) == rows


def limit(monkeypatch: pytest.MonkeyPatch, name: str, size: int) -> None:
    """Lower one of the limits."""
    monkeypatch.setattr(module, name, size)


def test_headers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document whose first row does not come is not read to its end."""
    limit(monkeypatch, "_HEAD_LIMIT", 50_000)
    chunks = itertools.repeat(b'{"headers":[' + b" " * 1000, 1000)
    with pytest.raises(MalformedResponse, match="not a JSON object"):
        _ = JsonRows(chunks).headers
    assert sum(1 for _ in chunks) > 700


def test_a_row_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row without an end is an error before all of it is in memory."""
    limit(monkeypatch, "_ROW_LIMIT", 100_000)
    start = written([["a", 1], ["b", 2]])[:-2]
    chunks = itertools.chain([start + b',["'], itertools.repeat(b"x" * 1000, 1000))
    with pytest.raises(MalformedResponse, match="after row 2: a row is larger than 256 MB"):
        list(JsonRows(chunks).blocks(READ))
    assert sum(1 for _ in chunks) > 700


@pytest.mark.parametrize("size,told", [(4_000, ""), (11_000, "headers follow its rows")])
def test_headers_behind_the_rows_are_bounded(
    monkeypatch: pytest.MonkeyPatch, size: int, told: str
) -> None:
    """Headers behind the rows need the whole document in memory: a large one is an error."""
    limit(monkeypatch, "_ROW_LIMIT", 10_000)
    rest = json.dumps({"rows": [["a", 1]], "headers": HEADERS}).encode()
    document = rest[:-1] + b" " * (size - len(rest)) + b"}"
    if told:
        with pytest.raises(MalformedResponse, match=told):
            read(document)
    else:
        assert read(document) == [["a", 1]]


def test_the_cells_of_a_block_are_decoded_once() -> None:
    """Rows that look like the ends of rows are found with few attempts to decode."""
    attempts: list[int] = []

    def decode(block: bytes) -> list[Any]:
        attempts.append(len(block))
        return READ(block)

    rows = [[[[i]] * 20, i] for i in range(200)]
    found = JsonRows(in_chunks(written(rows), 1000))
    assert [row for block in found.blocks(decode) for row in block] == rows
    # One wrong guess; then only what is known to be whole.
    assert sum(attempts) < 2 * len(written(rows))


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "rows,empty", [("[]", True), ("[  ]", True), ("[[1,2]]", False), ("[ \n [1,2]]", False)]
)
def test_whether_a_row_follows(rows: str, size: int, *, empty: bool) -> None:
    """That is told by the first row's beginning, and all rows can be read afterwards."""
    document = f'{{"headers":{json.dumps(HEADERS)},"rows":{rows}}}'.encode()
    found = JsonRows(in_chunks(document, size))
    assert found.is_empty is empty
    assert list(itertools.chain(*found.blocks(READ))) == ([] if empty else [[1, 2]])


def test_white_space_without_end_takes_no_memory() -> None:
    """What is read before the first row is dropped; a document that ends there is told."""
    head = f'{{"headers":{json.dumps(HEADERS)},"rows":['.encode()
    found = JsonRows(itertools.chain([head], itertools.repeat(b" " * 1000, 50)))
    with pytest.raises(MalformedResponse, match="ends early"):
        _ = found.is_empty
    assert found._pending == b""  # noqa: SLF001 - what is kept in memory


@pytest.mark.parametrize(
    "text,at,behind",
    [
        (rb'x"y', 0, 2),
        (rb'x\"y"z', 0, 5),
        (rb'x\\"y"z', 0, 4),
        (rb'x\\\"y"z', 0, 7),
        (rb'"x"y', 1, 3),
        (rb"x\"y", 0, 4),
        (rb"xyz", 0, 3),
    ],
)
def test_the_end_of_a_string(text: bytes, at: int, behind: int) -> None:
    """A quotation mark behind an odd number of backslashes is a part of it."""
    assert module._after_quote(text, at) == behind  # noqa: SLF001 - one of the ways to a cut


def test_no_block_is_empty() -> None:
    """A document without rows has no blocks."""
    assert list(JsonRows(iter([written([])])).blocks(READ)) == []


def test_brackets_of_plain_rows_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting takes many times as long: it is left for the last row, behind which none begins."""
    counted: list[bytes] = []
    count = JsonRows._last_row_break  # noqa: SLF001 - the slow way shows in no result

    def noted(rows: JsonRows) -> tuple[int, int] | None:
        counted.append(rows._pending)  # noqa: SLF001 - as above
        return count(rows)

    monkeypatch.setattr(JsonRows, "_last_row_break", noted)
    rows = [[f"row {i}", i] for i in range(200)]
    assert read(written(rows), 100) == rows
    assert len(counted) <= 1


def test_rows_full_of_row_ends_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every guess is wrong, brackets are counted, and memory holds no more than a few."""
    limit(monkeypatch, "_ROW_LIMIT", 10_000)
    rows = [["],[" * 100, i] for i in range(100)]
    assert read(written(rows), 100) == rows
