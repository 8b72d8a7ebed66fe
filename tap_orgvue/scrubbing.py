"""Keeps secrets out of everything that is logged, whichever library logs it.

Tokens, presigned URLs and the passwords of proxies are secrets. A log record is cleaned where it
is made, before any handler, formatter or logging configuration sees it.
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
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote
from urllib.request import getproxies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType


_REPLACEMENT = "***"

_SHORTEST_SECRET = 4

_OWN_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
"""What every log record has; all else was given to it as `extra`."""

_CREDENTIALS: tuple[tuple[re.Pattern[str], str], ...] = (
    # By their names: as headers, as parts of a dict, as parameters.
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
    # Whatever has the form of a token.
    (re.compile(r"\beyJ[\w-]{5,2000}\.[\w-]+(?:\.[\w-]*)?"), _REPLACEMENT),
    # User names and passwords in addresses, as proxies have them.
    (re.compile(r"(\w://)[^\s/?#@\"']+@"), rf"\1{_REPLACEMENT}@"),
)

_WORD = re.compile(r"[^\s\"<>]+")

_PARAMETER = re.compile(r"[\w.%~-]+=")

_DEEPEST = 5


def _without_query(word: re.Match[str]) -> str:
    """A word without the query string that it may end in, of a URL or of a path alone."""
    path, mark, query = word.group().partition("?")
    is_query = query and path and ("/" in path or _PARAMETER.match(query))
    return f"{path}?{_REPLACEMENT}" if mark and is_query else word.group()


class Scrubber:
    """Replaces secrets in text.

    Attributes:
        secrets: Texts that are secret as they are.
    """

    def __init__(self) -> None:
        """Know no secret but those that show by their form."""
        self.secrets: set[str] = set()

    def keep(self, *secrets: str | None) -> None:
        """Learn secrets; they are never told again."""
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST_SECRET:
                # As it is, and as it looks in a repr, one within another, in JSON and in a URL.
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
        """The text without secrets."""
        # A secret may hold another: the longest goes first.
        for secret in sorted(self.secrets, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _REPLACEMENT)
        for pattern, replacement in _CREDENTIALS:
            text = pattern.sub(replacement, text)
        return _WORD.sub(_without_query, text) if "?" in text else text

    def install(self) -> None:
        """Clean every log record of this process, and what is told of uncaught exceptions."""
        self.keep(*_passwords_of_proxies())
        made = logging.Logger.makeRecord
        if getattr(made, "scrubber", None) is not self:
            # Not the factory of records, which is done before `extra` is added.
            logging.Logger.makeRecord = self._cleaning(made)  # type: ignore[method-assign]
        sys.excepthook = self.tell
        threading.excepthook = sys.unraisablehook = self._tell_of  # type: ignore[assignment]

    def _cleaning(self, make: Any) -> Any:
        @functools.wraps(make)
        def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record: logging.LogRecord = make(*args, **kwargs)
            self.clean_record(record)
            return record

        make_record.scrubber = self  # type: ignore[attr-defined]
        return make_record

    def _tell_of(self, args: threading.ExceptHookArgs) -> None:
        self.tell(args.exc_type, args.exc_value, args.exc_traceback)

    def tell(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell of an exception that nobody caught, without secrets."""
        told = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(self.clean(told))

    def clean_record(self, record: logging.LogRecord) -> None:
        """Take the secrets out of a log record: message, exception, stack, extras."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging must not end a run
            # Wrong arguments are a handler's to complain of, and it would tell them.
            record.msg = message = _text_of(record.msg)
            record.args = ()
        clean = self.clean(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[1] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            # Formatters may look at what was raised from what, told or not.
            parts = [told, *map(_text_of, _chain(record.exc_info[1]))]
            if any(self.clean(part) != part for part in parts):
                record.exc_text, record.exc_info = told, None
                # For formatters that know no text of exceptions.
                record.__dict__["exception_text"] = told
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self.clean(record.stack_info)
        for name in record.__dict__.keys() - _OWN_FIELDS:
            record.__dict__[name] = self._clean_value(record.__dict__[name])

    def _clean_value(self, value: Any, depth: int = 0) -> Any:
        """The same for something that a formatter may take apart."""
        if isinstance(value, dict) and depth < _DEEPEST:
            return {
                self._clean_value(name, depth + 1): self._clean_value(entry, depth + 1)
                for name, entry in value.items()
            }
        if isinstance(value, (list, tuple, set)) and depth < _DEEPEST:
            return [self._clean_value(entry, depth + 1) for entry in value]
        text = _text_of(value)
        clean = self.clean(text)
        return value if clean == text else clean


def _text_of(value: Any) -> str:
    """All that can be told of a value."""
    if isinstance(value, str):
        return value
    try:
        return f"{value} {value!r}"
    except Exception:  # noqa: BLE001 - logging must not end a run
        return f"<{type(value).__name__}>"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that it was raised from, or after."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        error = waiting.pop()
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            yield error
            waiting += [error.__cause__, error.__context__]


def _passwords_of_proxies() -> Iterator[str]:
    """The passwords in what the environment says of proxies, as they may be written."""
    for address in getproxies().values():
        credentials, at, _ = address.rpartition("://")[2].rpartition("@")
        user, colon, password = credentials.partition(":")
        if at and colon:
            yield password
            yield unquote(password)
            for text in (credentials, f"{unquote(user)}:{unquote(password)}"):
                yield base64.b64encode(text.encode()).decode()


SCRUBBER = Scrubber()
"""The process's: loggers are the process's too."""
