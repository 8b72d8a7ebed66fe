"""Error bodies: their entries, and Orgvue's words as one safe line."""

from __future__ import annotations

import pytest

from tap_orgvue.orgvue.error_body import (
    ApiErrorEntry,
    error_document,
    error_entries,
    one_line,
)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"5", b"null", b"[" * 5000, b'{"errors": [', b"\xff"]
)
def test_a_body_that_is_no_object(body: bytes) -> None:
    """A body of any other shape is an empty document."""
    assert error_document(body) == {}
    assert error_document(b'{"errors": []}') == {"errors": []}


def test_documented_entries() -> None:
    """An entry has its code, name, message and path parameter as text, each on one line."""
    entry = {"code": 400603, "name": "N", "message": "a\nb", "pathParameter": "datasetId", "x": 1}
    assert error_entries({"errors": [entry]}) == [ApiErrorEntry("400603", "N", "a b", "datasetId")]


@pytest.mark.parametrize("errors", [None, 5, True, [], [None, 5, [], True], [{}, {"x": 1}]])
def test_errors_of_another_shape(errors: object) -> None:
    """Entries that are neither texts nor objects with words are skipped."""
    assert error_entries({"errors": errors}) == []
    assert error_entries({}) == []


@pytest.mark.parametrize("errors", ["No\nrows.", ["No rows."], {"message": "No rows."}])
def test_errors_as_text(errors: object) -> None:
    """A text, and an object that stands alone, are entries too (inferred)."""
    assert error_entries({"errors": errors}) == [ApiErrorEntry("", "", "No rows.")]


@pytest.mark.parametrize(
    "entry,text",
    [
        (ApiErrorEntry("40302", "ApiTokenExpired", "Expired."), "40302 ApiTokenExpired: Expired."),
        (ApiErrorEntry("40302", "", ""), "40302"),
        (ApiErrorEntry("", "Name", ""), "Name"),
        (ApiErrorEntry("", "", "Words."), "Words."),
        (ApiErrorEntry("1", "", "Words."), "1: Words."),
    ],
)
def test_an_entry_in_a_message(entry: ApiErrorEntry, text: str) -> None:
    """An entry of an error body is shown without its empty parts."""
    assert str(entry) == text


@pytest.mark.parametrize(
    "value,text",
    [
        *((None, ""), ("", ""), (5, "5"), (" a  b ", "a b"), ("a\nb\tc\x00d", "a b c d")),
        *(("a\u2028b\x85c\u202ed", "a b c d"), ("é部", "é部"), (["x"], "['x']")),
        *(("\x1b[31mred", "[31mred"), ("a\ud83cb", "a b"), ("\u200fa\u2066b\ufeff", "a b")),
        *(("a\r\n2026-01-01 ERROR b", "a 2026-01-01 ERROR b"), ("a\u2029b", "a b")),
    ],
)
def test_one_line(value: object, text: str) -> None:
    """A value of a response becomes one line of printable characters."""
    assert one_line(value) == text


@pytest.mark.parametrize(
    "value,text",
    [
        *(
            ("x" * 10, "x" * 10),
            ("x" * 11, "…"),
            ("ab cdefghij", "ab …"),
            ("ab cdefg hij", "ab cdefg …"),
        ),
        *(
            ("ab cdefgh ij", "ab cdefgh…"),
            ("部" * 11, "部" * 9 + "…"),
            ("ab cdefg部hij", "ab cdefg部…"),
        ),
    ],
)
def test_a_long_line_is_cut_between_words(value: str, text: str) -> None:
    """A longer text is cut, but never within a word that may be a secret."""
    assert one_line(value, 10) == text
    assert len(one_line("部" * 600)) == 500
