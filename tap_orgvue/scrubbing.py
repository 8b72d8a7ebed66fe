"""Removes secrets and control characters from every log record, whichever library logs it.

Secrets are tokens, hash keys, query strings (those of presigned URLs among them) and the passwords
of proxies. Control characters are escaped, so that a property's name can neither forge a line of
the log nor steer a terminal: only the format of a message may break lines, not its arguments. A
record is cleaned when it is made, before any handler, formatter or logging configuration sees it.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from urllib.request import getproxies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


_REPLACEMENT = "***"

_SHORTEST_SECRET = 4
"""Characters. A shorter one would be replaced in the middle of ordinary words."""

_STANDARD_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
"""Fields of every log record; all others were passed as `extra`."""

_BLOCKS = frozenset({"exc_text", "stack_info", "exception_text"})
"""Fields of several lines."""

_CREDENTIALS: tuple[tuple[re.Pattern[str], str], ...] = (
    # By name: in headers, dicts and parameters.
    (
        re.compile(
            r"(?i)(authorization['\"]?\s?[:=]\s?(?:b(?=['\"]))?['\"]?)(?:(bearer|basic)\s+)?[^\s'\",}]+"
        ),
        rf"\1\2 {_REPLACEMENT}",
    ),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]{4,}"), rf"\1 {_REPLACEMENT}"),
    (
        re.compile(r"(?i)(x-amz-[\w-]{1,40}['\"]?\s?[=:]\s?['\"]?)[^&\s'\",}]+"),
        rf"\1{_REPLACEMENT}",
    ),
    (
        re.compile(r"(?i)((?:api_token|hash_key)(?:['\"]\s?:\s?['\"]|['\"]?=['\"]?))[^\s'\",}]+"),
        rf"\1{_REPLACEMENT}",
    ),
    # By form: JSON Web Tokens.
    (re.compile(r"\beyJ[\w-]{5,2000}\.[\w-]+(?:\.[\w-]*)?"), _REPLACEMENT),
    # User name and password of a URL, usually a proxy's.
    (re.compile(r"(\w://)[^\s/?#@\"']+@"), rf"\1{_REPLACEMENT}@"),
)

_WORD = re.compile(r"[^\s\"<>]+")

_PARAMETER = re.compile(r"[\w.%~-]+=")

_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that move a cursor, break a line, turn the direction of writing, or are none."""

_CONTROL_IN_LINE = re.compile(_CONTROL.pattern.replace("\x0a", "\x0b"))
"""The same without the line feed."""

_DEEPEST = 5
"""Levels of nested values in `extra` that are cleaned one by one; deeper ones become text."""


def _without_query(word: re.Match[str]) -> str:
    """A word with its query string replaced, if it is a URL or a path with one."""
    path, mark, query = word.group().partition("?")
    is_query = query and path and ("/" in path or _PARAMETER.match(query))
    return f"{path}?{_REPLACEMENT}" if mark and is_query else word.group()


def escaped(text: str, characters: re.Pattern[str] = _CONTROL) -> str:
    """A text with its control characters as in a Python literal, a backslash and letters."""
    return characters.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class Scrubber:
    """Replaces secrets in text.

    Attributes:
        secrets: Texts that are secret as they are.
    """

    def __init__(self) -> None:
        """Know no secret yet; some are recognized by their form."""
        self.secrets: set[str] = set()

    def keep(self, *secrets: str | None) -> None:
        """Add secrets; None and very short ones are skipped."""
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST_SECRET:
                # Also as it looks in a repr, in a repr of a repr, in JSON and in a URL.
                self.secrets |= {
                    secret,
                    repr(secret)[1:-1],
                    repr(repr(secret)[1:-1])[1:-1],
                    repr(secret.encode())[2:-1],
                    json.dumps(secret)[1:-1],
                    quote(secret, safe=""),
                    quote(secret),
                }

    def clean(self, text: str) -> str:
        """The text with `***` for each secret."""
        # A secret may contain another: the longest is replaced first.
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, _REPLACEMENT)
        for pattern, replacement in _CREDENTIALS:
            text = pattern.sub(replacement, text)
        return _WORD.sub(_without_query, text) if "?" in text else text

    def line(self, text: str) -> str:
        """A text as one line, without secrets and control characters."""
        return escaped(self.clean(text))

    def lines(self, text: str) -> str:
        """A text without secrets and control characters; its line feeds stay."""
        return escaped(self.clean(text), _CONTROL_IN_LINE)

    def install(self) -> None:
        """Clean every log record of this process, and the reports of uncaught exceptions."""
        self.keep(*_proxy_passwords())
        original = logging.Logger.makeRecord
        if getattr(original, "scrubber", None) is not self:
            # The record factory would be too early: `extra` is added after it.
            logging.Logger.makeRecord = self._cleaning(original)  # type: ignore[method-assign]
        sys.excepthook = self.report
        threading.excepthook = sys.unraisablehook = self._report_args  # type: ignore[assignment]

    def _cleaning(self, make: Any) -> Any:
        @functools.wraps(make)
        def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record: logging.LogRecord = make(*args, **kwargs)
            self.clean_record(record)
            return record

        make_record.scrubber = self  # type: ignore[attr-defined]
        return make_record

    def _report_args(self, args: threading.ExceptHookArgs) -> None:
        self.report(args.exc_type, args.exc_value, args.exc_traceback)

    def report(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write the traceback of an uncaught exception to stderr, without secrets."""
        sys.stderr.write(self.lines(_traceback_of(kind, error, trace)) + "\n")

    def clean_record(self, record: logging.LogRecord) -> None:
        """Clean a log record in place: message, logger's name, exception, stack, extras."""
        # A stream's logger has the stream's name in its own.
        record.name = escaped(record.name)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging must not end a run
            # The arguments do not fit. A handler would complain, and print them.
            record.msg = message = _text_of(record.msg)
            record.args = ()
        clean = self.clean(message)
        if _CONTROL.search(clean):
            clean = self.lines(self.clean(_one_line_each(record)))
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            text = _traceback_of(*record.exc_info)
            # A formatter may show causes that the traceback leaves out.
            parts = map(_text_of, _chain(record.exc_info[1]))
            if self.lines(text) != text or any(self.line(part) != part for part in parts):
                record.exc_text, record.exc_info = text, None
                # For formatters that ignore `exc_text`.
                record.__dict__["exception_text"] = text
        for name in _BLOCKS & record.__dict__.keys():
            if record.__dict__[name]:
                record.__dict__[name] = self.lines(record.__dict__[name])
        for name in record.__dict__.keys() - _STANDARD_FIELDS - _BLOCKS:
            record.__dict__[name] = self._clean_value(record.__dict__[name])

    def _clean_value(self, value: Any, depth: int = 0) -> Any:
        """Clean a value of `extra`, member by member."""
        if isinstance(value, dict) and depth < _DEEPEST:
            return {
                self._clean_value(name, depth + 1): self._clean_value(entry, depth + 1)
                for name, entry in value.items()
            }
        if isinstance(value, (list, tuple, set)) and depth < _DEEPEST:
            return [self._clean_value(entry, depth + 1) for entry in value]
        text = _text_of(value)
        clean = self.line(text)
        return value if clean == text else clean


def _one_line_each(record: logging.LogRecord) -> str:
    """The message of a record, with line feeds of its format only."""
    if not record.args or not isinstance(record.msg, str):
        return escaped(record.getMessage().rstrip("\n"))
    given = record.args
    arguments: Any = (
        {name: _in_one_line(value) for name, value in given.items()}
        if isinstance(given, Mapping)
        else tuple(map(_in_one_line, given))
    )
    try:
        return str(record.msg % arguments)
    except (TypeError, ValueError):
        # `%c` takes one character.
        return escaped(record.getMessage())


def _in_one_line(value: object) -> object:
    """An argument of a message, as text if that has control characters."""
    if not _CONTROL.search(_text_of(value)):
        return value
    # Warnings end in a line feed.
    return escaped(str(value).rstrip("\n"))


def _traceback_of(
    kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
) -> str:
    """A traceback in which no exception's own text breaks a line."""
    text = "".join(traceback.format_exception(kind, error, trace)).rstrip()
    for each in _chain(error):
        with suppress(Exception):
            message = str(each)
            text = text.replace(message, escaped(message))
    return text


def _text_of(value: Any) -> str:
    """Everything that a formatter could show of a value: its `str` and its `repr`."""
    if isinstance(value, str):
        return value
    try:
        return f"{value} {value!r}"
    except Exception:  # noqa: BLE001 - logging must not end a run
        return f"<{type(value).__name__}>"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and all its causes and contexts, each once."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            yield error
            waiting += [error.__cause__, error.__context__]


def _proxy_passwords() -> Iterator[str]:
    """The passwords of the environment's proxies, in the forms that libraries write them in."""
    for address in getproxies().values():
        credentials, at, _ = address.rpartition("://")[2].rpartition("@")
        user, colon, password = credentials.partition(":")
        if at and colon:
            yield password
            yield unquote(password)
            for text in (credentials, f"{unquote(user)}:{unquote(password)}"):
                yield base64.b64encode(text.encode()).decode()


SCRUBBER = Scrubber()
"""The one of this process, since loggers are shared by the whole process."""
