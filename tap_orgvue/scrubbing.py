"""Keeps secrets out of everything that is logged, whichever library logs it.

Tokens and presigned URLs are secrets. A log record is cleaned where it is made, before any
handler, formatter or logging configuration sees it.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from types import TracebackType

_REPLACEMENT = "***"
_SHORTEST_SECRET = 4

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Credentials by their names, as headers, as parts of a dict, as parameters.
    (
        re.compile(
            r"(?i)(authorization['\"]?\s*[:=]\s*(?:b(?=['\"]))?['\"]?)(?:(bearer|basic)\s+)?[^\s'\",}]+"
        ),
        rf"\1\2 {_REPLACEMENT}",
    ),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]{4,}"), rf"\1 {_REPLACEMENT}"),
    (re.compile(r"(?i)(x-amz-[\w-]+['\"]?\s*[=:]\s*['\"]?)[^&\s'\",}]+"), rf"\1{_REPLACEMENT}"),
    # Whatever has the form of a token.
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?"), _REPLACEMENT),
    # User names and passwords in addresses, as proxies have them.
    (re.compile(r"(\w://)[^\s/?#@\"']+@"), rf"\1{_REPLACEMENT}@"),
    # Query strings, of whole URLs and of paths. Whatever may stand in one is taken with it.
    (re.compile(r"((?:https?:/)?/[^\s?\"<>]*)\?[^\s\"<>]+"), rf"\1?{_REPLACEMENT}"),
    (re.compile(r"([\w.%~:@-])\?[\w.%~-]+=[^\s\"<>]*"), rf"\1?{_REPLACEMENT}"),
)


class Scrubber:
    """Replaces secrets in text.

    Attributes:
        secrets: Texts that are secret as they are.
    """

    def __init__(self) -> None:
        """Know no secret but those that show by their form."""
        self.secrets: set[str] = set()
        self._make_record = logging.getLogRecordFactory()

    def keep(self, *secrets: str | None) -> None:
        """Learn secrets; they are never told again."""
        for secret in secrets:
            if secret and len(secret) >= _SHORTEST_SECRET:
                # As it is, and as it looks in a repr, in JSON and in a URL.
                self.secrets |= {
                    secret,
                    repr(secret)[1:-1],
                    repr(secret.encode())[2:-1],
                    json.dumps(secret)[1:-1],
                    quote(secret, safe=""),
                }

    def clean(self, text: str) -> str:
        """The text without secrets."""
        # A secret may hold another: the longest goes first.
        for secret in sorted(self.secrets, key=len, reverse=True):
            if secret in text:
                text = text.replace(secret, _REPLACEMENT)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def install(self) -> None:
        """Clean every log record of this process from now on."""
        if logging.getLogRecordFactory() != self.record:
            self._make_record = logging.getLogRecordFactory()
            logging.setLogRecordFactory(self.record)
        sys.excepthook = self.tell
        threading.excepthook = lambda args: self.tell(
            args.exc_type, args.exc_value, args.exc_traceback
        )

    def tell(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Tell of an exception that nobody caught, without secrets."""
        told = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(self.clean(told))

    def record(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        """Make a log record without secrets."""
        record = self._make_record(*args, **kwargs)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging must not end a run
            # Wrong arguments are the handler's to complain of, but not to tell.
            message = str(record.msg)
            record.args = ()
        clean = self.clean(message)
        if clean != message:
            record.msg, record.args = clean, ()
        if record.exc_info and record.exc_info[0] is not None:
            # Formatted here: formatters would tell what the exceptions hold.
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_text, record.exc_info = told, None
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        return record


SCRUBBER = Scrubber()
"""The process's: loggers are the process's too."""
