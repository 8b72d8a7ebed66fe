"""Reads the JSON files of the command line: once, and in UTF-8 in any locale."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import IO, Any

from tap_orgvue.settings.checks import SettingsError

_INLINE = frozenset('{"\n')
"""Characters of JSON that paths do not have: a config given as a path would show its token."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_config(path: str) -> dict[str, Any]:
    """Read a config file, which may be a pipe.

    Raises:
        SettingsError: It cannot be read, or is not a JSON object.
    """
    if _INLINE & set(path):
        raise SettingsError(["config: takes the path of a file, or ENV, and no JSON."])
    place = f"config: {path[:200]!r}"
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError):
        raise SettingsError([f"{place} cannot be read."]) from None
    return _json_object(place, content)


def read_json_object(option: str, file: IO[str]) -> dict[str, Any]:
    """Read the file of an option.

    Args:
        option: `catalog` or `state`, for the message.
        file: The open file, at its beginning.

    Raises:
        SettingsError: It is not a JSON object.
    """
    return _json_object(*_content(option, file))


def read_last_json_object(option: str, file: IO[str]) -> dict[str, Any]:
    """Read the last JSON object of an option's file, which may have one object a line.

    Raises:
        SettingsError: It is not a JSON object, nor several, each on its line.
    """
    place, content = _content(option, file)
    text = _text(place, content)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if len(lines) < 2 or not _is_json(lines[0][1]):  # noqa: PLR2004 - one line is no several
        return _json_object(place, content)
    return [_parsed(place, line, number) for number, line in lines][-1]


def _content(option: str, file: IO[str]) -> tuple[str, bytes]:
    """The option and the file's name, for messages, and the file's bytes; closes the file."""
    place = f"{option}: {file.name!r}"
    # click opens files in the system's encoding: the bytes are behind that.
    binary = getattr(file, "buffer", None)
    # click closes none if `--discover` fails; Meltano has Python warn of a file left open.
    with file:
        try:
            return place, binary.read() if binary is not None else file.read().encode()
        except OSError:
            raise SettingsError([f"{place} cannot be read."]) from None


def _json_object(place: str, content: bytes) -> dict[str, Any]:
    return _parsed(place, _text(place, content))


def _text(place: str, content: bytes) -> str:
    """A file's text.

    Raises:
        SettingsError: It is empty, or not in UTF-8.
    """
    if content.startswith(_UTF_16) or b"\x00" in content[:4]:
        raise SettingsError([f"{place} is in UTF-16 or UTF-32; save it in UTF-8."])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SettingsError([f"{place} is not in UTF-8, see line {line}."]) from None
    if not text.strip():
        raise SettingsError([f"{place} is empty; it must hold a JSON object."])
    return text


def _parsed(place: str, text: str, line: int = 1) -> dict[str, Any]:
    """The JSON object of a text that begins in a line of its file.

    Raises:
        SettingsError: It is none.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        at = f"line {line + error.lineno - 1}, column {error.colno}"
        raise SettingsError([f"{place} is not JSON, see {at}."]) from None
    except (ValueError, RecursionError):
        # Numbers of thousands of digits, and very deep nesting.
        raise SettingsError([f"{place} holds JSON that is too large or too deep."]) from None
    if not isinstance(found, dict):
        where = f" in line {line}" if line > 1 else ""
        raise SettingsError([f"{place} does not hold a JSON object{where}."])
    return found


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
