"""Bytes are looked through before they are decoded by type: what that would change is found."""

from __future__ import annotations

import pytest

from tap_orgvue.exports.lossy_json import LossyScan, holds_long_number, holds_nul

NEEDS_CARE = {
    "NUL": r'[["a\u0000"]]',
    "long number": "[[1,12345678901234567]]",
    "long fraction": '[["a",-0.1234567890123456]]',
    "long number behind spaces": f"[[1,{' ' * 200}12345678901234567]]",
    "tiny number": "[[1e-400,2]]",
    "tiny number before a line break": "[[2,1.5E-323\r\n]]",
    "tiny number with zeros before its exponent": f"[[1e-{'0' * 100}400]]",
}


@pytest.mark.parametrize("text", NEEDS_CARE.values(), ids=NEEDS_CARE.keys())
def test_care_is_seen_in_one_piece_and_in_many(text: str) -> None:
    """What needs care is found in a block, and in a body that comes in chunks of any size."""
    body = text.encode()
    assert holds_nul(body) or holds_long_number(body)
    for size in range(1, len(body) + 1):
        sieve = LossyScan()
        for start in range(0, len(body), size):
            sieve.feed(body[start : start + size])
        assert sieve.found, f"in chunks of {size}"


@pytest.mark.parametrize(
    "text",
    [
        '[["D3ACEA1F-154A-5794-882E-100661462A68",1.5e-99,123456789012345]]',
        '[["1234567890123456789","2022-01-02T00:00:00.000Z",0.1234567890123]]',
    ],
)
def test_ordinary_rows_need_none(text: str) -> None:
    """Ids, and digits in text, are no reason to look at every cell."""
    body = text.encode()
    assert not holds_nul(body)
    assert not holds_long_number(body)
