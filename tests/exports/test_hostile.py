"""Hostile and broken exports, over real HTTP: right records, a rescue, or one clear error.

Every case is a dataset of one tenant, so that a run meets all of them: none stops another, none
ends with a traceback or with fewer rows than were sent, and nothing of a cell is ever logged.
"""

from __future__ import annotations

import copy
import gzip
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exports import byte_streams
from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.orgvue.models import NO_NODE
from tap_orgvue.orgvue.models import Dataset as Listed
from tap_orgvue.schema.naming import stream_names
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.runs import Run, command, discover, entry, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

pytestmark = pytest.mark.slow

MARK = "Ada-Secret-Lovelace"
"""What cells hold, and nothing else may tell."""

JSON = {"Content-Type": "application/json; charset=UTF-8"}
GZIP = {**JSON, "Content-Encoding": "gzip"}
COLUMNS = [("_id", "text"), ("name", "text"), ("pay", "number"), ("start", "date")]
HEADERS: list[Any] = [{"key": key, "name": key, "type": kind} for key, kind in COLUMNS]
POSITION = re.compile(r"after row \d|Row \d|after \d+ bytes|byte|headers|without rows|errors in")
"""How an error says where."""


def export(*rows: Any, headers: Any = HEADERS, **more: Any) -> bytes:
    """An export's body, as compact as Orgvue writes it."""
    document = {"headers": headers, "rows": list(rows), **more}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def raw(*cells: str) -> bytes:
    """An export with a row whose cells are JSON text, or almost."""
    return export("@").replace(b'"@"', f"[{','.join(cells)}]".encode("utf-8", "surrogatepass"))


ROW = ["1", MARK, 90125.25, "1987-06-05"]
RECORD = {"_id": "1", "name": MARK, "pay": 90125.25, "start": "1987-06-05"}


@dataclass(frozen=True)
class Case:
    """An answer, and what becomes of it.

    Attributes:
        body: The answer's bytes.
        records: What comes of it, each record with at least these values; None for an error.
        told: What the error says.
        headers: The answer's.
    """

    body: bytes
    records: list[dict[str, Any]] | None = None
    told: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


def read(body: bytes, *records: dict[str, Any], **headers: str) -> Case:
    """An answer that is read; as one whole record where no other is given."""
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return Case(body, list(records) or [RECORD], headers=renamed or JSON)


def cell(*cells: str, **expected: Any) -> Case:
    """An export with one row, whose record has these values, and these in `_rescued_data`."""
    rescued = expected.pop("_rescued_data", None)
    text = rescued and json.dumps(rescued, ensure_ascii=False, separators=(",", ":"))
    return read(raw(*cells), {"_rescued_data": text, **expected})


def told(body: bytes, words: str, headers: Mapping[str, str] = JSON) -> Case:
    """An answer that is an error."""
    return Case(body, told=words, headers=headers)


WHOLE = export(ROW)
MANY = [{"key": f"k{i}", "name": "n", "type": "text"} for i in range(5000)]
LARGE = MARK + "],[" * 3_400_000
"""A cell of ten megabytes."""
EMPTY = '"1"', "null", "null", "null"
PLACE = "not an array of 4 cells"

CASES: dict[str, Case] = {
    # --- as it should be, in other clothes
    "whole": read(WHOLE),
    "with space": read(json.dumps(json.loads(WHOLE), indent=4).encode() + b"\r\n \n"),
    "rows first": read(json.dumps({"rows": [ROW], "headers": HEADERS}).encode()),
    "more members": read(export(ROW, version={"a": ["],["]}, errors=None)),
    "no rows": Case(export(), []),
    "compressed": read(gzip.compress(WHOLE), Content_Type="application/json", **GZIP),
    "compressed but not said": read(gzip.compress(WHOLE)),
    "compressed in two parts": read(gzip.compress(WHOLE[:50]) + gzip.compress(WHOLE[50:]), **GZIP),
    "compressed and padded": read(gzip.compress(WHOLE) + bytes(512), **GZIP),
    "said to be compressed": read(WHOLE, **GZIP),
    "said to be something else": read(WHOLE, **{**JSON, "Content-Encoding": "br"}),
    "as plain text": read(WHOLE, Content_Type="text/plain"),
    "as a page": read(WHOLE, Content_Type="text/html"),
    "as bytes": read(WHOLE, Content_Type="application/octet-stream"),
    "as latin 1": read(WHOLE, Content_Type="application/json; charset=iso-8859-1"),
    "as nothing": read(WHOLE, Content_Type=""),
    # --- rows of another shape
    "longer": told(export([*ROW, "x"]), f"Row 1 of an export is {PLACE}"),
    "shorter": told(export(ROW[:3]), f"Row 1 of an export is {PLACE}"),
    "empty": told(export([]), f"Row 1 of an export is {PLACE}"),
    "shorter later": told(export(ROW, ROW, ROW[:3]), f"Row 3 of an export is {PLACE}"),
    "much later": told(export(*[ROW] * 5000, [], *[ROW] * 9), f"Row 5001 of an export is {PLACE}"),
    "an object": told(export(RECORD), PLACE),
    "a null": told(export(ROW, None), f"Row 2 of an export is {PLACE}"),
    "a null between": told(export(ROW, None, ROW), f"Row 2 of an export is {PLACE}"),
    "a text between": told(export(ROW, "],[", ROW), f"Row 2 of an export is {PLACE}"),
    "objects between": told(export(ROW, {"a": ROW}, {}, ROW), f"Row 2 of an export is {PLACE}"),
    "a text": told(export(MARK), PLACE),
    "a number": told(export(5), PLACE),
    "one array too deep": told(export([ROW]), PLACE),
    "rows in an object": told(export(headers=HEADERS, rows={"a": ROW}), "not a JSON object with"),
    "rows null": told(b'{"headers":[],"rows":null}', "not a JSON object with headers and rows"),
    "rows missing": told(b'{"headers":[]}', "without rows"),
    "rows twice": told(WHOLE[:-1] + b',"rows":[["2",null,null,null]]}', "text follows its rows"),
    "no key": told(raw("null", f'"{MARK}"', "1", "null"), "no value for its key '_id'"),
    # --- headers of another shape
    "headers missing": told(b'{"rows":[["1"]]}', "without headers"),
    "headers null": told(export(ROW, headers=None), "without headers"),
    "headers an object": told(export(ROW, headers={"key": "_id"}), "without headers"),
    "headers texts": told(
        export(ROW, headers=["_id", "name", "pay", "start"]),
        "Column 1 of an export's headers has no `key`",
    ),
    "headers without keys": told(
        export(ROW, headers=[{"name": "x"}] * 4), "Column 1 of an export's headers has no `key`"
    ),
    "headers with numbers": told(export(ROW, headers=[{"key": 5}] * 4), "same key"),
    "headers with nulls": told(
        export(ROW, headers=[*HEADERS[:3], {"key": None}]), "Column 4 of an export's headers"
    ),
    "headers twice the same": told(export([*ROW, "x"], headers=[*HEADERS, HEADERS[1]]), "same key"),
    "headers of halves": told(
        raw(*EMPTY).replace(b'"key":"name"', b'"key":"\\ud800"'), "halves of characters"
    ),
    "headers without the key": told(export(ROW[1:], headers=HEADERS[1:]), "its key '_id'"),
    "headers and rows empty": told(export([], [], headers=[]), "its key '_id'"),
    "headers in another order": read(export(ROW[::-1], headers=HEADERS[::-1])),
    "headers without a type": read(
        export(ROW, headers=[{"key": key} for key, _ in COLUMNS]), RECORD
    ),
    "headers of odd types": read(
        export([*ROW, 7], headers=[*HEADERS, {"key": "odd", "type": ["number", {"a": 1}]}]),
        {**RECORD, "odd": "7"},
    ),
    "headers of five thousand": read(
        export([*ROW, *map(str, range(5000))], headers=[*HEADERS, *MANY]),
        {**RECORD, "k0": "0", "k4999": "4999"},
    ),
    # --- cells
    "nulls": cell(*EMPTY, name=None, pay=None, start=None),
    "nested": cell(
        *('"1"', '{"a":[1,{"b":null}]}', "[1,2]", '{"x":"' + MARK + '"}'),
        name='{"a":[1,{"b":null}]}',
        pay=None,
        start=None,
        _rescued_data={"pay": [1, 2], "start": {"x": MARK}},
    ),
    "text in a number": cell(
        '"1"', "null", f'"{MARK}"', "null", pay=None, _rescued_data={"pay": MARK}
    ),
    "a number as text": cell('"1"', "5.50", '"12.50"', "null", name="5.50", pay=12.5),
    "NaN as text": cell('"1"', '"NaN"', '"NaN"', "null", name="NaN", _rescued_data={"pay": "NaN"}),
    "NaN": cell('"1"', "null", "NaN", "null", pay=None, _rescued_data={"pay": "NaN"}),
    "infinity": cell('"1"', "null", "-Infinity", "null", _rescued_data={"pay": "-Infinity"}),
    "beyond infinity": cell('"1"', "null", "1e400", "null", _rescued_data={"pay": "1e400"}),
    "next to nothing": cell('"1"', "1e-400", "null", "null", name="1e-400", pay=None),
    "huge": cell('"1"', "null", "1" + "0" * 60, "null", pay=10**60),
    "beyond measure": cell(
        *('"1"', "9" * 5000, "9" * 5000, "null"),
        name="9" * 5000,
        pay=None,
        _rescued_data={"pay": "9" * 5000},
    ),
    "a date that is none": cell(
        '"1"', "null", "null", f'"{MARK}"', start=None, _rescued_data={"start": MARK}
    ),
    "a date of a year beyond": cell(
        '"1"', "null", "null", '"10000-01-01"', start=None, _rescued_data={"start": "10000-01-01"}
    ),
    "half a character": cell(
        *('"1"', '"\\ud800"', "null", "null"), name="?", _rescued_data={"name": '"\\ud800"'}
    ),
    "half a character in a number": cell(
        *('"1"', "null", '"\\udc00"', "null"), pay=None, _rescued_data={"pay": "\\udc00"}
    ),
    "half a character within": cell(
        *('"1"', "null", '{"\\udc00":["\\ud800"]}', "null"),
        pay=None,
        _rescued_data={"pay": {"\\udc00": ["\\ud800"]}},
    ),
    "odd signs": cell('"1"', '"\\u2028\\u0000é🎉\\u202e"', *EMPTY[2:], name="\u2028é🎉\u202e"),
    "ten megabytes": cell('"1"', f'"{LARGE}"', "null", "null", name=LARGE),
    "ten megabytes of a number": cell(
        '"1"', "null", f'"{LARGE}"', "null", pay=None, _rescued_data={"pay": LARGE}
    ),
    "deep": told(raw('"1"', "[" * 90_000 + "]" * 90_000, "null", "null"), "after row 0"),
    # --- not JSON, or not only
    "a page": told(
        b"<html><body>Sign in</body></html>", "not the requested JSON", {"Content-Type": "x/y"}
    ),
    "a page that says JSON": told(b"<!DOCTYPE html><p>" + MARK.encode(), "not the requested JSON"),
    "nothing at all": told(b"", "not the requested JSON"),
    "nothing compressed": told(gzip.compress(b""), "not the requested JSON", GZIP),
    "compressed twice": told(gzip.compress(gzip.compress(WHOLE)), "not the requested JSON", GZIP),
    "an array": told(b'[["1"]]', "not the requested JSON"),
    "a text alone": told(b'"x"', "not the requested JSON"),
    "an error": told(b'{"errors":[{"code":"500"}]}', "incomplete (500)"),
    "errors before rows": told(export(ROW).replace(b"{", b'{"errors":["Oops"],', 1), "(Oops)"),
    "errors behind rows": told(export(ROW, errors=[{"name": "Oops"}]), "incomplete (Oops)"),
    "with a mark before": told(b"\xef\xbb\xbf" + WHOLE, "not the requested JSON"),
    "in UTF-16": told(WHOLE.decode().encode("utf-16"), "not the requested JSON"),
    "two of them": told(WHOLE + WHOLE, "text follows its rows"),
    "with a tail": told(WHOLE + b"}", "broken after row"),
    "in another alphabet": told(
        raw('"1"', '"\xff"', "1", "1").replace(b"\xc3\xbf", b"\xff"), "row"
    ),
    "half a letter": told(WHOLE.replace(MARK.encode(), b"\xf0\x9f\x8e"), "row"),
    "a raw line break": told(WHOLE.replace(MARK.encode(), b"a\nb"), "after row 0"),
    "words of no language": told(raw('"1"', "undefined", "null", "null"), "after row 0"),
    "single quotes": told(WHOLE.replace(b'"', b"'"), "not a JSON object with headers and rows"),
    "a comma too much": told(export(ROW, ROW).replace(b"]]", b"],]"), "after row"),
    "a comma too few": told(export(ROW, ROW).replace(b"],[", b"] ["), "after row"),
    "a number with a zero": told(raw('"1"', "null", "007", "null"), "after row 0"),
    "a remark": told(WHOLE.replace(b'"rows":', b'"rows":/*x*/'), "not a JSON object with headers"),
    "compression damaged": told(gzip.compress(WHOLE)[:10] + b"\xff" * 99, "damaged", GZIP),
    "another sum": told(gzip.compress(WHOLE)[:-8] + b"12345678", "damaged", GZIP),
    "another compression": told(zlib.compress(WHOLE), "not the requested JSON", GZIP),
}


def catalogued(orgvue: Orgvue, names: Iterable[str]) -> dict[str, Any]:
    """A catalog of datasets that are all like the first, without asking for each."""
    with Orgvue([like("First")]) as first:
        catalog = discover(first.config)
    pattern = entry(catalog, "first")
    listed = {orgvue.dataset(name).dataset_id: name for name in names}
    catalog["streams"] = []
    for dataset_id, name in listed.items():
        made = copy.deepcopy(pattern)
        made.update(tap_stream_id=stream_of(name), stream=stream_of(name), table_name=dataset_id)
        catalog["streams"].append(made)
    return catalog


def stream_of(name: str) -> str:
    """What the stream of a dataset is called."""
    (stream,) = stream_names([Listed(NO_NODE, name)], {}).values()
    return stream


def like(name: str) -> Dataset:
    """A dataset whose export has the columns of the cases."""
    properties = [Property(key, kind) for key, kind in COLUMNS[1:]]
    return Dataset(name, properties=properties, rows=[dict(RECORD)], generated=("_id",))


def met(names: Iterable[str], trouble: Callable[[Orgvue, str], object], **settings: Any) -> Run:
    """A run over datasets of these names, each with its trouble, everything logged."""
    names = list(names)
    with Orgvue([like(name) for name in names]) as orgvue:
        for name in names:
            trouble(orgvue, name)
        config = {**orgvue.config, "export_mode": "sync", "max_retries": 0, **settings}
        catalog = catalogued(orgvue, names)
        return command(config, catalog=catalog, env={"LOGLEVEL": "DEBUG"})


def answers(orgvue: Orgvue, name: str) -> None:
    """Have a case's dataset answer as the case says."""
    case = CASES[name]
    orgvue.answer(on="export", dataset=name, body=case.body, headers=dict(case.headers), times=None)


def errors_of(run: Run) -> dict[str, str]:
    """Stream name to its error, as the last lines on stderr tell them."""
    lines = run.stderr.splitlines()
    begin = max(i for i, line in enumerate(lines) if "streams failed:" in line)
    found = [re.fullmatch(r"  (\w+): (.*)", line) for line in lines[begin + 1 :]]
    return {match[1]: match[2] for match in found if match}


@pytest.fixture(scope="module")
def all_of_them() -> Run:
    """One run over all cases."""
    return met(CASES, answers)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.records is not None])
def test_what_can_be_read_is_read(all_of_them: Run, name: str) -> None:
    """Every row is a record with its values; what its column cannot hold is rescued."""
    expected = CASES[name].records or []
    records = all_of_them.records[stream_of(name)]
    assert len(records) == len(expected)
    for record, values in zip(records, expected, strict=True):
        assert {column: record[column] for column in values} == values


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.records is None])
def test_what_cannot_is_one_error(all_of_them: Run, name: str) -> None:
    """The stream fails with one line that says what is wrong and where, and it alone fails."""
    sentence = errors_of(all_of_them)[stream_of(name)]
    assert CASES[name].told in sentence
    assert POSITION.search(sentence)
    assert all_of_them.state["bookmarks"].get(stream_of(name), {}) == {}


def test_all_the_others_went_well(all_of_them: Run) -> None:
    """No case fails that should not, and the run ends with an error because some do."""
    failing = {stream_of(name) for name, case in CASES.items() if case.records is None}
    assert set(errors_of(all_of_them)) == failing
    assert all_of_them.code == 5


def test_nothing_of_a_cell_is_reported(all_of_them: Run) -> None:
    """With everything logged, and tracebacks shown, no cell's value is on stderr."""
    assert MARK in all_of_them.stdout
    for value in (MARK, "90125.25", "1987-06-05", "undefined", "xd800"):
        assert value not in all_of_them.stderr


# --- ended anywhere


SMALL = export(["1", "é🎉"], headers=[{"key": "_id"}, {"key": "name"}])
PACKED = gzip.compress(SMALL, mtime=0)
CUTS = {
    **{f"Plain {size}": (SMALL[:size], JSON) for size in range(len(SMALL))},
    **{f"Packed {size}": (PACKED[:size], GZIP) for size in range(len(PACKED))},
    **{f"Silent {size}": (PACKED[:size], JSON) for size in range(0, len(PACKED), 7)},
}
"""Name of a dataset to an answer that ends early, though its length is as it was told."""
BROKEN_OFF = {f"Broken {size}": size for size in range(0, len(PACKED), 3)}
"""Name of a dataset to where its connection breaks."""


def ends(orgvue: Orgvue, name: str) -> None:
    """Have a dataset's answer end early, by itself or with its connection."""
    if name in CUTS:
        body, headers = CUTS[name]
        orgvue.answer(on="export", dataset=name, body=body, headers=headers, times=None)
    else:
        orgvue.dataset(name).body = SMALL
        if name in BROKEN_OFF:
            orgvue.hang_up(on="export", dataset=name, after=BROKEN_OFF[name], times=None)


@pytest.mark.slow
def test_an_export_that_ends_anywhere_is_an_error() -> None:
    """Cut after any byte, of the text or of its compression, within letters too: never fewer rows.

    The error says after how many bytes, or that the connection broke off.
    """
    run = met([*CUTS, *BROKEN_OFF, "Whole"], ends)
    told = errors_of(run)
    assert set(told) == {stream_of(name) for name in (*CUTS, *BROKEN_OFF)}
    assert {stream: len(records) for stream, records in run.records.items()} == {"whole": 1}
    assert run.records["whole"][0]["name"] == "é🎉"
    for name in CUTS:
        assert POSITION.search(told[stream_of(name)])
    for name in BROKEN_OFF:
        assert re.search(r"broke off|was closed", told[stream_of(name)])


# --- larger than it looks


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspect what expands to more than a megabyte, not only beyond a gigabyte."""
    monkeypatch.setattr(byte_streams, "_SUSPICIOUS_BYTES", 10**6)


BOMBS = {
    "in a cell": WHOLE.replace(MARK.encode(), b"a" * 10**7),
    "before it begins": b" " * 10**7 + WHOLE,
    "in headers": WHOLE.replace(b'"name":"name"', b'"name":"' + b"a" * 10**7 + b'"'),
}


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("kind", BOMBS)
def test_an_answer_that_expands_beyond_reason(kind: str, mode: str) -> None:
    """Compressed a thousandfold, which no rows with ids can be, it is an error of its stream."""
    with Orgvue([like("People")]) as orgvue:
        catalog = discover(orgvue.config)
        orgvue.job_status_word = "completed"
        bomb, on = gzip.compress(BOMBS[kind]), "export" if mode == "sync" else "result"
        orgvue.answer(on=on, body=bomb, headers=GZIP, times=None)
        config = {**orgvue.config, "export_mode": mode, "max_retries": 0}
        with pytest.raises(OrgvueError, match=r"expands further than an export can: \d+ bytes to"):
            sync(config, catalog)


@pytest.mark.usefixtures("small_bounds")
def test_what_compresses_well_is_no_bomb() -> None:
    """Many equal rows, each with an id of its own, are read."""
    rows = [[f"{i:08X}-0000-4000-8000-{i * 7919:012X}", *ROW[1:]] for i in range(20_000)]
    with Orgvue([like("People")]) as orgvue:
        catalog = discover(orgvue.config)
        orgvue.dataset("People").body = export(*rows)
        assert len(sync(orgvue.config, catalog).records["people"]) == 20_000
