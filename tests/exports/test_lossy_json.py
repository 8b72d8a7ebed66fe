"""The scan for values that typed decoding would alter: none is missed, ordinary rows are clear."""

from __future__ import annotations

import pytest

from tap_orgvue.exports.lossy_json import LossyScan, holds_long_number, holds_nul

LOSSY = {
    "NUL": r'[["a\u0000"]]',
    "long number": "[[1,12345678901234567]]",
    "long fraction": '[["a",-0.1234567890123456]]',
    "long number behind spaces": f"[[1,{' ' * 200}12345678901234567]]",
    "long number first": "[[1234567890123456]]",
    "long number behind a member": '{"x":1234567890123456}',
    "tiny number": "[[1e-400,2]]",
    "tiny number behind an id": '[["1E-000A",1e-400]]',
    "tiny number before a line break": "[[2,1.5E-323\r\n]]",
    "tiny number with zeros before its exponent": f"[[1e-{'0' * 100}400]]",
}


@pytest.mark.parametrize("text", LOSSY.values(), ids=LOSSY.keys())
def test_a_lossy_value_is_found_in_one_piece_and_in_many(text: str) -> None:
    """A lossy value is found in a block, and in a body that comes in chunks of any size."""
    body = text.encode()
    assert holds_nul(body) or holds_long_number(body)
    for size in range(1, len(body) + 1):
        scan = LossyScan()
        for start in range(0, len(body), size):
            scan.feed(body[start : start + size])
        assert scan.found, f"in chunks of {size}"


@pytest.mark.parametrize(
    "text",
    [
        '[["D3ACEA1F-154A-5794-882E-100661462A68",1.5e-99,123456789012345]]',
        '[["1E-000A-00e-000",1e-99,123456789012345,-1234567890123.5]]',
        r'[["a\\u0001\\n",true]]',
        '[["1234567890123456789","2022-01-02T00:00:00.000Z",0.1234567890123]]',
    ],
)
def test_ordinary_rows_are_not_lossy(text: str) -> None:
    """Ids, digits in text and numbers of 15 digits are decoded by type."""
    body = text.encode()
    assert not holds_nul(body)
    assert not holds_long_number(body)


def test_a_scan_that_found_something_goes_on_saying_so() -> None:
    """Once found, ordinary chunks change nothing."""
    scan = LossyScan()
    scan.feed(b"[[1e-400]")
    assert scan.found
    scan.feed(b",[1]]")
    assert scan.found


def test_a_scan_without_chunks_found_nothing() -> None:
    """An empty body is not lossy."""
    scan = LossyScan()
    scan.feed(b"")
    assert not scan.found
