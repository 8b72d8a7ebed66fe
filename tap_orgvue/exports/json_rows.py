"""An export's `{"headers": [...], "rows": [[...], ...]}`, read as it arrives in constant memory."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_orgvue.orgvue.errors import MalformedResponse, TruncatedResponse
from tap_orgvue.orgvue.models import Property, next_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


T = TypeVar("T")

BLOCK_BYTES = 64 * 1024
"""How much is decoded at once, at least: enough to be fast, little enough to forget."""

COMMA = rb"[ \t\r\n]*,[ \t\r\n]*"
"""What must stand between two rows: a row that is no array would be passed over unseen."""

_HEAD_LIMIT = 64 * 1024 * 1024

_ROW_LIMIT = 256 * 1024 * 1024

_WINDOW_BYTES = 8 * 1024

_MOST_GUESSES = 16
"""Breaks between rows that are tried before the rows are counted bracket by bracket."""

_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Numbers are not read here, and those of very many digits cannot be."""

_NOT_WHOLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_SIGN = re.compile(rb'["\[\]{}]')

_BACKSLASH = 0x5C

_SPACE = " \t\r\n"

_WHITE = re.compile(f"[{_SPACE}]*")

_COMMA = re.compile(COMMA)


class JsonRows:
    """One jsonRows document.

    Attributes:
        next_url: What `_links.next` says, once all rows are read; None where there is no link.
    """

    row_break = re.compile(rb"\]%b\[" % COMMA)
    """What stands between two rows."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """Take a document's plain bytes; nothing is read yet."""
        self.next_url: str | None = None
        self._chunks = chunks
        self._pending = b""
        self._members: dict[str, Any] = {}
        self._count = 0
        self._in_rows = False
        self._headers: tuple[Property, ...] | None = None

    @property
    def headers(self) -> tuple[Property, ...]:
        """The columns of every row, in their order.

        Reads only as far as the rows begin.

        Raises:
            MalformedResponse: The document has no headers, or two with the same key.
        """
        if self._headers is None:
            self._read_head()
            declared = self._members.get("headers")
            if not isinstance(declared, list):
                message = "An export without headers came."
                raise MalformedResponse(message)
            self._headers = tuple(
                Property.from_json(entry, f"Column {i} of an export's headers")
                for i, entry in enumerate(declared, 1)
            )
            if any(not _is_text(f"{header.key}{header.name}") for header in self._headers):
                raise MalformedResponse("An export came whose headers hold halves of characters.")
            if len({header.key for header in self._headers}) < len(self._headers):
                message = "An export came whose headers give two columns the same key."
                raise MalformedResponse(message)
        return self._headers

    def blocks(self, decode: Callable[[bytes], list[T]]) -> Iterator[list[T]]:
        """Read all rows.

        Args:
            decode: Reads a JSON array of rows. It is given arrays of whole rows, and now and then
                one that is cut within a row: that it must refuse with `msgspec.DecodeError`.

        Raises:
            MalformedResponse: The document is not closed or not JSON; says after which row.
        """
        _ = self.headers
        wanted = BLOCK_BYTES
        while self._in_rows:
            ended = not self._fill(wanted)
            rows = self._cut(decode)
            if ended:
                if rows is not None:
                    self._count += len(rows)
                    yield rows
                yield from self._last_block(decode)
                return
            if rows is None:
                # A row larger than a block: look again when there is twice as much.
                wanted = 2 * len(self._pending)
                if wanted > _ROW_LIMIT:
                    raise self._broken("a row is larger than 256 MB")
                continue
            wanted = BLOCK_BYTES
            self._count += len(rows)
            yield rows

    # -- rows

    def _fill(self, wanted: int) -> bool:
        """Have this many bytes at hand; False where the document ends before."""
        parts, size = [self._pending], len(self._pending)
        while size < wanted:
            chunk = next(self._chunks, None)
            if chunk is None:
                self._pending = b"".join(parts)
                return False
            parts.append(chunk)
            size += len(chunk)
        self._pending = b"".join(parts)
        return True

    def _cut(self, decode: Callable[[bytes], list[T]]) -> list[T] | None:
        """Decode the longest prefix of whole rows, if there is one.

        A prefix that decodes is a prefix of whole rows: a cut within a string or a nested array
        leaves something open.
        """
        for end, begin in itertools.islice(self._row_breaks(), _MOST_GUESSES):
            try:
                rows = decode(b"".join((b"[", memoryview(self._pending)[:end], b"]")))
            except _NOT_WHOLE:
                continue
            self._pending = self._pending[begin:]
            return rows
        last = self._last_row_break()
        if last is None:
            return None
        end, begin = last
        try:
            rows = decode(b"[%b]" % self._pending[:end])
        except _NOT_WHOLE:
            raise self._broken("a row is not valid JSON, or nested too deeply") from None
        self._pending = self._pending[begin:]
        return rows

    def _row_breaks(self) -> Iterator[tuple[int, int]]:
        """Where a row may end and the next begin, from the last to the first."""
        window, right = _WINDOW_BYTES, len(self._pending)
        while right > 0:
            left = max(0, right - window)
            # Overlap by the length of a break with some space in it.
            end = min(right + 64, len(self._pending))
            for match in reversed(list(self.row_break.finditer(self._pending, left, end))):
                if match.start() < right:
                    yield match.start() + 1, match.end() - 1
            right = left
            window *= 2

    def _last_row_break(self) -> tuple[int, int] | None:
        """The same for the last, counted: text can be full of what looks like breaks."""
        text, at, depth, end, last = self._pending, 0, 0, None, None
        while sign := _SIGN.search(text, at):
            at = sign.end()
            if sign.group() == b'"':
                at = _after_quote(text, at)
            elif sign.group() in b"[{":
                if depth == 0 and end is not None and _COMMA.fullmatch(text, end, sign.start()):
                    last = end, sign.start()
                depth += 1
            else:
                depth -= 1
                if depth < 0:
                    break
                end = at if depth == 0 else end
        return last

    def _last_block(self, decode: Callable[[bytes], list[T]]) -> Iterator[list[T]]:
        self._in_rows = False
        text = "[" + self._pending.decode("utf-8", "surrogateescape")
        try:
            _, end = _JSON.raw_decode(text)
            tail = text[end:].strip(_SPACE)
            follows = tail.startswith(",")
            members = "{" + tail[int(follows) :]
            rest, after = _JSON.raw_decode(members)
        except (ValueError, RecursionError):
            raise self._broken("the document ends early or is not JSON") from None
        if members[after:].strip(_SPACE) or "rows" in rest or bool(rest) is not follows:
            raise self._broken("something stands behind its rows that does not belong there")
        self._members.update(rest)
        self._read_links()
        try:
            rows = decode(text[:end].encode("utf-8", "surrogateescape"))
        except _NOT_WHOLE:
            raise self._broken("a row is not valid JSON, or nested too deeply") from None
        self._count += len(rows)
        if rows:
            yield rows

    def _broken(self, what: str) -> MalformedResponse:
        return MalformedResponse(f"An export is broken after row {self._count}: {what}.")

    # -- what stands around the rows

    def _read_head(self) -> None:
        wanted = 16 * 1024
        while True:
            more = self._fill(wanted)
            text = self._pending.decode("utf-8", "surrogateescape")
            try:
                end = self._read_members(text)
            except (ValueError, IndexError, RecursionError):
                if not more or wanted > _HEAD_LIMIT:
                    message = "An export came that is not a JSON object with headers and rows."
                    raise TruncatedResponse(message) from None
                wanted *= 2
                continue
            # Only ever longer than the text that was looked at.
            self._pending = self._pending[len(text[:end].encode("utf-8", "surrogateescape")) :]
            return

    def _read_members(self, text: str) -> int:
        """Read the object's members up to the first row; where it begins."""
        self._members.clear()
        at = _skip(text, 0, "{")
        while True:
            at = _skip(text, at)
            if text[at] != '"':
                raise ValueError(text[at])
            key, at = _JSON.raw_decode(text, at)
            at = _skip(text, at, ":")
            if key == "rows":
                at = _skip(text, at, "[")
                self._in_rows = True
                if "headers" not in self._members:
                    return self._read_backwards(at)
                return at
            self._members[key], at = _JSON.raw_decode(text, _skip(text, at))
            if text[_skip(text, at)] == "}":
                raise MalformedResponse("An export without rows came.")
            at = _skip(text, at, ",")

    def _read_backwards(self, at: int) -> int:
        """Headers that stand behind the rows: the whole document is needed (never seen)."""
        if self._fill(_ROW_LIMIT):
            message = "A large export came whose headers stand behind its rows."
            raise MalformedResponse(message)
        whole = _JSON.decode(self._pending.decode("utf-8", "surrogateescape"))
        self._members = {key: value for key, value in whole.items() if key != "rows"}
        return at

    def _read_links(self) -> None:
        self.next_url = next_link(self._members)


def _after_quote(text: bytes, at: int) -> int:
    """Where a string ends that begins before a place; the end of all where it does not."""
    while (quote := text.find(b'"', at)) >= 0:
        begin = quote
        while text[begin - 1] == _BACKSLASH:
            begin -= 1
        at = quote + 1
        if (quote - begin) % 2 == 0:
            return at
    return len(text)


def _is_text(text: str) -> bool:
    """Whether text can be written anywhere: halves of characters cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _skip(text: str, at: int, sign: str = "") -> int:
    """Pass over white space, and a sign that must be there."""
    match = _WHITE.match(text, at)
    at = match.end() if match else at
    if sign:
        if text[at] != sign:
            raise ValueError(sign)
        at += 1
    return at
