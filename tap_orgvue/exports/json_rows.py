"""Reads an export's `{"headers": [...], "rows": [[...], ...]}` in blocks, in constant memory.

The format is `jsonRows` (API guide, "Synchronous export"). A block of bytes is cut between two rows
and decoded whole: a cut inside a string or a nested array leaves a bracket open, so that the block
does not decode, and the cut before it is tried.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tap_orgvue.exports.completeness import is_closed
from tap_orgvue.orgvue.error_body import error_codes, error_entries
from tap_orgvue.orgvue.errors import ErrorsInResponse, MalformedResponse, TruncatedResponse
from tap_orgvue.orgvue.models import Property, next_link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


T = TypeVar("T")

BLOCK_BYTES = 64 * 1024
"""Fewest bytes decoded at once: enough for speed, few enough for a small process."""

COMMA = rb"[ \t\r\n]*,[ \t\r\n]*"
"""A comma and JSON's white space: anything else between two brackets is part of a row."""

_HEAD_LIMIT = 64 * 1024 * 1024
"""Most bytes before the first row."""

_ROW_LIMIT = 256 * 1024 * 1024
"""Most bytes of a row, and of a document whose headers follow its rows."""

_WINDOW_BYTES = 8 * 1024
"""Bytes at the end of a block that are searched first for a break between rows."""

_MOST_GUESSES = 16
"""Possible breaks between rows that are tried before brackets are counted."""

_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
"""Leaves numbers as text: Python cannot read those of very many digits."""

_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_TOKEN = re.compile(rb'["\[\]{}]')

_BACKSLASH = 0x5C

_SPACE = " \t\r\n"

_WHITE = re.compile(f"[{_SPACE}]*")

_COMMA = re.compile(COMMA)


class JsonRows:
    """One jsonRows document.

    Attributes:
        count: The rows read so far.
        next_url: The URL of `_links.next` once all rows are read; None without such a link. Whether
            Orgvue ever sends one is not documented.
    """

    row_break = re.compile(rb"\]%b\[" % COMMA)
    """The bytes between two rows, with the brackets on both sides."""

    def __init__(self, chunks: Iterator[bytes], trace_id: str = "") -> None:
        """Read nothing yet.

        Args:
            chunks: The decompressed document, in chunks of any size.
            trace_id: Orgvue's `X-Amzn-Trace-Id`, for messages; may be empty.
        """
        self._trace_id = trace_id
        self.next_url: str | None = None
        self._chunks = chunks
        self._pending = b""
        self._members: dict[str, Any] = {}
        self.count = 0
        self._in_rows = False
        self._guesses_are_right = True
        self._headers: tuple[Property, ...] | None = None

    @property
    def headers(self) -> tuple[Property, ...]:
        """The columns of every row, in the order of the cells.

        Reads the document up to its first row.

        Raises:
            ErrorsInResponse: The document reports errors before its rows.
            MalformedResponse: The document has no headers or no rows, or two headers have one key.
        """
        if self._headers is None:
            self._read_head()
            self._check_errors()
            declared = self._members.get("headers")
            if not isinstance(declared, list):
                message = "Orgvue sent an export without headers."
                raise MalformedResponse(message)
            self._headers = tuple(
                Property.from_json(entry, f"Column {i} of an export's headers")
                for i, entry in enumerate(declared, 1)
            )
            if any(not _is_text(f"{header.key}{header.name}") for header in self._headers):
                raise MalformedResponse("The headers of an export hold halves of characters.")
            if len({header.key for header in self._headers}) < len(self._headers):
                message = "The headers of an export give two columns the same key."
                raise MalformedResponse(message)
        return self._headers

    @property
    def is_empty(self) -> bool:
        """True if no row follows the headers; reads no further than the first row's beginning.

        Raises:
            MalformedResponse: The document ends before the first row could begin; else as for
                `headers`.
        """
        _ = self.headers
        while not (start := self._pending.lstrip()):
            # White space is dropped: it may have no end.
            self._pending = b""
            if not self._fill(1):
                raise self._broken("the document ends early")
        self._pending = start
        return start.startswith(b"]")

    def blocks(self, decode: Callable[[bytes], list[T]]) -> Iterator[list[T]]:
        """Read all rows.

        Args:
            decode: Decodes a JSON array of rows. An array that is cut inside a row must raise
                `msgspec.DecodeError`.

        Yields:
            Blocks of at least one row, in the document's order.

        Raises:
            ErrorsInResponse: The document reports errors; its rows may not be all.
            MalformedResponse: The document is incomplete or not JSON; says after which row.
        """
        _ = self.headers
        wanted = BLOCK_BYTES
        while self._in_rows:
            ended = not self._fill(wanted)
            rows = self._cut(decode)
            if ended:
                if rows is not None:
                    self.count += len(rows)
                    yield rows
                yield from self._last_block(decode)
                return
            if rows is None:
                # A row is larger than a block: search again in twice as many bytes.
                wanted = 2 * len(self._pending)
                if wanted > _ROW_LIMIT:
                    raise self._broken("a row is larger than 256 MB")
                continue
            wanted = BLOCK_BYTES
            self.count += len(rows)
            yield rows

    # -- rows

    def _fill(self, wanted: int) -> bool:
        """Read until this many bytes are pending; False if the document ends earlier."""
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
        """Decode the pending rows up to the last break; None if there is no break."""
        for end, begin in itertools.islice(self._row_breaks(), _MOST_GUESSES):
            # A failed decode can take long: it is risked only while each guess was right.
            if not self._guesses_are_right and not is_closed([b"[", self._pending[:end], b"]"]):
                continue
            try:
                rows = decode(b"".join((b"[", memoryview(self._pending)[:end], b"]")))
            except _UNDECODABLE:
                self._guesses_are_right = False
                continue
            self._pending = self._pending[begin:]
            return rows
        last = self._last_row_break()
        if last is None:
            return None
        end, begin = last
        try:
            rows = decode(b"[%b]" % self._pending[:end])
        except _UNDECODABLE:
            raise self._broken("a row is not valid JSON, or nested too deeply") from None
        self._pending = self._pending[begin:]
        return rows

    def _row_breaks(self) -> Iterator[tuple[int, int]]:
        """Offsets at which a row may end and the next begin, from the last to the first."""
        window, right = _WINDOW_BYTES, len(self._pending)
        while right > 0:
            left = max(0, right - window)
            # Overlap by the length of a break with some white space.
            end = min(right + 64, len(self._pending))
            for match in reversed(list(self.row_break.finditer(self._pending, left, end))):
                if match.start() < right:
                    yield match.start() + 1, match.end() - 1
            right = left
            window *= 2

    def _last_row_break(self) -> tuple[int, int] | None:
        """The offsets of the last break, found by counting brackets: text can look like breaks."""
        text, at, depth, end, last = self._pending, 0, 0, None, None
        while token := _TOKEN.search(text, at):
            at = token.end()
            if token.group() == b'"':
                at = _after_quote(text, at)
            elif token.group() in b"[{":
                if depth == 0 and end is not None and _COMMA.fullmatch(text, end, token.start()):
                    last = end, token.start()
                depth += 1
            else:
                depth -= 1
                if depth < 0:
                    break
                end = at if depth == 0 else end
        return last

    def _last_block(self, decode: Callable[[bytes], list[T]]) -> Iterator[list[T]]:
        """Decode the last rows, and the members behind them."""
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
            raise self._broken("unexpected text follows its rows")
        self._members.update(rest)
        self._check_errors()
        self.next_url = next_link(self._members)
        try:
            rows = decode(text[:end].encode("utf-8", "surrogateescape"))
        except _UNDECODABLE:
            raise self._broken("a row is not valid JSON, or nested too deeply") from None
        self.count += len(rows)
        if rows:
            yield rows

    def _broken(self, what: str) -> MalformedResponse:
        return MalformedResponse(f"An export is broken after row {self.count}: {what}.")

    # -- the other members

    def _read_head(self) -> None:
        """Read the members before the first row."""
        # What arrives first may be all there is for a long time.
        wanted = 1
        while True:
            more = self._fill(wanted)
            text = self._pending.decode("utf-8", "surrogateescape")
            try:
                end = self._read_members(text)
            except (ValueError, IndexError, RecursionError):
                if not more or wanted > _HEAD_LIMIT:
                    self._check_errors()
                    message = (
                        "Orgvue sent an export that is not a JSON object with headers and rows."
                    )
                    raise TruncatedResponse(message) from None
                wanted = max(16 * 1024, 2 * wanted)
                continue
            # Characters and bytes differ in number.
            self._pending = self._pending[len(text[:end].encode("utf-8", "surrogateescape")) :]
            return

    def _read_members(self, text: str) -> int:
        """Read the object's members up to the first row; the offset of that row."""
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
                self._check_errors()
                raise MalformedResponse("Orgvue sent an export without rows.")
            at = _skip(text, at, ",")

    def _read_backwards(self, at: int) -> int:
        """Read the headers behind the rows, which takes the whole document (never seen)."""
        if self._fill(_ROW_LIMIT):
            message = "Orgvue sent a large export whose headers follow its rows."
            raise MalformedResponse(message)
        whole = _JSON.decode(self._pending.decode("utf-8", "surrogateescape"))
        self._members = {key: value for key, value in whole.items() if key != "rows"}
        return at

    def _check_errors(self) -> None:
        """Check for the member `errors`, which no documented export has.

        Raises:
            ErrorsInResponse: There are any.
        """
        if not self._members.get("errors"):
            return
        entries = error_entries(self._members)
        words = "; ".join(map(str, entries)) or "no reason given"
        trace = f" Trace id: {self._trace_id}" if self._trace_id else ""
        error = ErrorsInResponse(
            f"Orgvue reports errors in an export, which is therefore incomplete ({words}).{trace}"
        )
        raise error.with_reply(error_codes(entries), self._trace_id)


def _after_quote(text: bytes, at: int) -> int:
    """The offset behind the string that contains an offset; the text's end if it is not closed."""
    while (quote := text.find(b'"', at)) >= 0:
        begin = quote
        while text[begin - 1] == _BACKSLASH:
            begin -= 1
        at = quote + 1
        if (quote - begin) % 2 == 0:
            return at
    return len(text)


def _is_text(text: str) -> bool:
    """False for text with halves of characters (lone surrogates), which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _skip(text: str, at: int, expected: str = "") -> int:
    """The offset behind white space and an expected character.

    Raises:
        ValueError: Another character is there.
        IndexError: The text ends before it.
    """
    match = _WHITE.match(text, at)
    at = match.end() if match else at
    if expected:
        if text[at] != expected:
            raise ValueError(expected)
        at += 1
    return at
