"""Complete documents: closed at their end, and at no byte before, whatever their texts hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.exports import completeness
from tap_orgvue.exports.completeness import EndOfExport, is_closed

if TYPE_CHECKING:
    from collections.abc import Iterator

texts = st.text(st.sampled_from('"\\[]{}a,é\n'), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
documents = st.lists(values, max_size=4) | st.dictionaries(texts, values, max_size=4)


def in_chunks(text: bytes, size: int) -> Iterator[bytes]:
    """A text as it arrives."""
    return (text[start : start + size] for start in range(0, len(text), size))


@given(documents, st.booleans(), st.integers(1, 20))
def test_a_document_is_closed_at_its_end_and_nowhere_else(
    document: Any,
    ensure_ascii: bool,  # noqa: FBT001
    size: int,
) -> None:
    """Cut behind any byte, a document is open, whatever its texts hold and its chunks are."""
    text = json.dumps(document, ensure_ascii=ensure_ascii).encode()
    assert is_closed(in_chunks(text, size))
    for length in range(1, len(text)):
        assert not is_closed(in_chunks(text[:length], size)), text[:length]


@pytest.mark.parametrize(
    "text",
    [
        rb'{"a":"}',
        rb'{"a":"\"}',
        rb'{"a":"\\\"}',
        rb'{"rows":[{}',
        rb'{"rows":[["]]}',
        rb'{"a":["[","]"}',
        rb"{{",
        rb'{"',
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_an_open_document_is_open(text: bytes, size: int) -> None:
    """A bracket in a text closes nothing; an escaped quote or backslash ends no text."""
    assert not is_closed(in_chunks(text, size))


@pytest.mark.parametrize("text", [rb'{"a":"\\"}', rb'{"a":"\\\\","b":"\u005d["}', rb'{"a":"]"}'])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_closed_document_is_closed(text: bytes, size: int) -> None:
    """An escaped backslash before a quote leaves it the end of its text."""
    assert is_closed(in_chunks(text, size))


# --- the end of an export


def is_certain(text: bytes, size: int = 100) -> bool:
    """Whether an export that comes in chunks is known to be complete without a count."""
    end = EndOfExport()
    for chunk in in_chunks(text, size):
        end.feed(chunk)
    return end.is_certain()


def export(*rows: list[Any], **members: Any) -> bytes:
    """An export as compact as Orgvue writes it."""
    document = {"headers": [{"key": "a"}], "rows": list(rows), **members}
    return json.dumps(document, separators=(",", ":")).encode()


ROWS = [[f"row {i}", i] for i in range(100)]


def test_an_ordinary_export_needs_no_count() -> None:
    """An export with braces in its headers and at its end is complete without a count."""
    assert is_certain(export(*ROWS))
    assert is_certain(export(*ROWS) + b"\r\n ")
    assert is_certain(export(*ROWS), 10**6)
    assert is_certain(export(), 10**6)


@pytest.mark.parametrize(
    "text",
    [
        export(*ROWS, ["a", {"b": 1}]),
        export(*ROWS, ["{", 1]),
        export(*ROWS[:20], ["{", 1], *ROWS[:20]),
        export(*ROWS, _links={"next": {"url": "/x"}}),
        export([["x" * 50] * 50]),
        export(*ROWS).replace(b'],["row 9', b'] ,["row 9'),
        b'[{"_id":"1"},' + b'{"_id":"2"},' * 20 + b'{"_id":"3"}]',
    ],
    ids=[
        *("an object", "a brace in a text", "a brace in an earlier text", "a member behind"),
        *("one long row", "space", "items"),
    ],
)
def test_another_document_needs_a_count(text: bytes) -> None:
    """An unusual document is counted: complete, it is closed; cut anywhere, it is not."""
    for length in range(1, len(text)):
        assert not is_certain(text[:length])
        assert not is_closed([text[:length]])
    assert is_closed([text])
    assert not is_certain(text)


@pytest.mark.parametrize(
    "cell", ["}", "]}", "]]}", "]] }", "[[1]]}", '"]]}', "\\]]}", {"a": [[1]]}]
)
def test_a_cut_export_is_never_certain(cell: object) -> None:
    """Cut behind any byte, behind braces in texts and objects too, an export is not complete."""
    text = export(*ROWS[:20], ["a", cell], *ROWS[20:40])
    for length in range(1, len(text)):
        assert not is_certain(text[:length]), text[:length]


def test_the_last_row_may_be_in_several_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tail spans chunks; a last row longer than the tail is counted."""
    text = export(*ROWS, ["x" * 500, 1])
    assert is_certain(text, 7) is False
    assert is_certain(text, 60)
    monkeypatch.setattr(completeness, "_TAIL_BYTES", 400)
    assert not is_certain(text, 60)
