"""Decompression and reading ahead: no byte is lost, wherever a body is cut into chunks."""

from __future__ import annotations

import gzip
import io
import random
import threading
from typing import TYPE_CHECKING

import pytest

from tap_orgvue.exports import byte_streams
from tap_orgvue.exports.byte_streams import decompressed, read_ahead, read_chunks
from tap_orgvue.orgvue.errors import MalformedResponse, TruncatedResponse

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


PLAIN = b'{"headers":[],"rows":[]}'
PACKED = gzip.compress(PLAIN, mtime=0)


@pytest.mark.parametrize("body", [b"", b"\x1f", b"x", PLAIN, b"\x1fx", b"\x8b\x1f"])
def test_a_body_that_is_not_gzip_is_passed_on(body: bytes) -> None:
    """Bytes that do not begin as gzip does are passed on as they are, empty bodies included."""
    for size in range(1, len(body) + 2):
        assert b"".join(decompressed(cut(body, size))) == body


def test_a_gzip_is_decompressed_in_small_pieces() -> None:
    """No piece is larger than `piece_bytes`, and none is empty."""
    plain = bytes(100_000)
    pieces = list(decompressed(iter([gzip.compress(plain)]), 1000))
    assert b"".join(pieces) == plain
    assert {len(piece) for piece in pieces} == {1000}


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_gzip_cut_anywhere_is_truncated(size: int) -> None:
    """A gzip that ends before its last byte is an error that says where it stops."""
    for length in range(len(b"\x1f\x8b"), len(PACKED)):
        with pytest.raises(TruncatedResponse, match=f"it stops at byte {length}") as caught:
            list(decompressed(cut(PACKED[:length], size)))
        assert caught.value.retryable


@pytest.mark.parametrize(
    "damaged",
    [
        PACKED[:2] + b"\xff" + PACKED[3:],
        PACKED[:15] + b"\xff\xff\xff" + PACKED[18:],
        PACKED[:-5] + b"\xff" + PACKED[-4:],
        PACKED[:-1] + b"\xff",
    ],
    ids=["method", "data", "checksum", "length"],
)
def test_a_damaged_gzip_is_truncated(damaged: bytes) -> None:
    """A damaged header, body, checksum or length is a retryable error."""
    with pytest.raises(TruncatedResponse, match=rf"damaged before byte {len(PACKED)}"):
        list(decompressed(iter([damaged])))


@pytest.mark.parametrize("tail", [b"\x1f", b"\x1fx", b"x\x1f\x8b", b"\0\x1f"])
def test_what_follows_a_gzip_and_is_none_is_ignored(tail: bytes) -> None:
    """Bytes behind the last member that begin no further one are padding."""
    for size in (1, 2, 1000):
        assert b"".join(decompressed(cut(PACKED + tail, size))) == PLAIN


@pytest.mark.parametrize("padding", [b"\0", b"x" * 100])
def test_a_connection_that_breaks_in_the_padding_is_noticed(padding: bytes) -> None:
    """What pads a gzip is read to its end: what broke off there may have been another member."""

    def breaking() -> Iterator[bytes]:
        yield PACKED + padding
        raise TruncatedResponse("broken off")

    pieces = decompressed(breaking())
    assert next(pieces) == PLAIN
    with pytest.raises(TruncatedResponse, match="broken off"):
        next(pieces)


def test_a_second_member_that_is_cut_is_truncated() -> None:
    """A further member must be complete like the first."""
    with pytest.raises(TruncatedResponse):
        list(decompressed(iter([PACKED + PACKED[:-1]])))


@pytest.fixture
def small_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Suspect whatever expands to more than a hundred thousand bytes."""
    monkeypatch.setattr(byte_streams, "_SUSPICIOUS_BYTES", 100_000)


@pytest.mark.usefixtures("small_bounds")
@pytest.mark.parametrize("size,is_bomb", [(100_000, False), (200_000, True)])
def test_an_expansion_beyond_reason_is_an_error(*, size: int, is_bomb: bool) -> None:
    """A large body that expands more than 500 times is no export; a small one may expand so."""
    packed = gzip.compress(bytes(size))
    assert size > 500 * len(packed)
    if is_bomb:
        words = rf"expands further than an export can: {len(packed)} bytes to {size}\."
        with pytest.raises(MalformedResponse, match=words) as caught:
            list(decompressed(iter([packed])))
        assert not caught.value.retryable
    else:
        assert len(b"".join(decompressed(iter([packed])))) == size


@pytest.mark.usefixtures("small_bounds")
def test_an_expansion_within_reason_is_read() -> None:
    """A large body that expands less is read, however large."""
    dice = random.Random(7)  # noqa: S311 - not for secrets
    plain = (dice.randbytes(1000) + bytes(100_000)) * 3
    assert b"".join(decompressed(iter([gzip.compress(plain)]))) == plain


def test_a_file_is_read_in_chunks() -> None:
    """A file's bytes come in order, in chunks of the size that is asked for."""
    assert list(read_chunks(io.BytesIO(b"abcdefg"), 3)) == [b"abc", b"def", b"g"]


def threads() -> list[str]:
    """The names of the threads that read ahead."""
    return [each.name for each in threading.enumerate() if each.name == "orgvue-read"]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 10])
def test_reading_ahead_keeps_the_chunks(count: int) -> None:
    """The chunks come in their order, and no thread is left."""
    assert list(read_ahead(iter([b"%d" % i for i in range(count)]))) == [
        b"%d" % i for i in range(count)
    ]
    assert threads() == []


def test_the_first_two_chunks_need_no_thread() -> None:
    """A thread starts with the third chunk."""
    chunks = read_ahead(iter([b"a", b"b", b"c", b"d"]))
    for expected in (b"a", b"b"):
        assert next(chunks) == expected
        assert threads() == []
    assert next(chunks) == b"c"
    chunks.close()


def test_an_error_of_the_source_is_raised_where_chunks_are_read() -> None:
    """The chunks before an error come first; then the error itself is raised."""

    def failing() -> Iterator[bytes]:
        yield from (b"a", b"b", b"c")
        raise TruncatedResponse("cut")

    chunks = read_ahead(failing())
    assert [next(chunks) for _ in range(3)] == [b"a", b"b", b"c"]
    with pytest.raises(TruncatedResponse, match="cut"):
        next(chunks)
    assert threads() == []


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
    (thread,) = (each for each in threading.enumerate() if each.name == "orgvue-read")
    assert thread.daemon, "no disk and no network holds up the exit"
    chunks.close()
    assert "orgvue-read" not in [thread.name for thread in threading.enumerate()]
    assert asked < 20
