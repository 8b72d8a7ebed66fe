"""Bodies as plain bytes: whatever pieces they come in, nothing of them is passed over."""

from __future__ import annotations

import gzip
import random
import threading
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.exports.byte_streams import decompressed, read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


def cut(body: bytes, size: int) -> Iterator[bytes]:
    """A body in chunks of a size."""
    return (body[start : start + size] for start in range(0, len(body), size))


@pytest.mark.parametrize("padding", [b"", b"\0", b"\0" * 512])
def test_a_gzip_of_several_members(padding: bytes) -> None:
    """All members are read, wherever chunks cut them; what pads the last is not."""
    parts = [b'{"headers":[],', b'"rows":[]', b"}"]
    body = b"".join(map(gzip.compress, parts)) + padding
    for size in range(1, len(body) + 1):
        assert b"".join(decompressed(cut(body, size))) == b"".join(parts), f"in chunks of {size}"


def test_a_gzip_of_any_size() -> None:
    """Whole pieces, and pieces and a byte, of what compresses well and of what does not."""
    dice = random.Random(7)  # noqa: S311 - not for secrets
    for size in (2**18 - 1, 2**18, 2**18 + 1, 2**19):
        for plain in (b"0" * size, dice.randbytes(size)):
            body = gzip.compress(plain, 1)
            for chunk in (1000, len(body) - 8, len(body)):
                assert b"".join(decompressed(cut(body, chunk))) == plain


def test_nothing_is_read_behind_a_close() -> None:
    """Once reading ahead is closed, nobody reads on: the file may be gone then."""
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield b"x"

    chunks = read_ahead(endless())
    for _ in range(10):
        next(chunks)
    chunks.close()
    assert "orgvue-read" not in [thread.name for thread in threading.enumerate()]
    assert asked < 20
