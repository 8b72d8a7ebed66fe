"""Files of the command line: read in UTF-8, once, and what is wrong with one."""

from __future__ import annotations

import errno
import io
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.files import read_config, read_json_object, read_last_json_object

if TYPE_CHECKING:
    from pathlib import Path


def opened(content: bytes) -> io.TextIOWrapper:
    """A file as click opens it on a system with another encoding."""
    raw = io.BytesIO(content)
    raw.name = "given.json"
    return io.TextIOWrapper(raw, encoding="latin-1")


def mistake(content: bytes, read: Any = read_json_object) -> str:
    """What is said of a file."""
    with pytest.raises(SettingsError) as caught:
        read("state", opened(content))
    (line,) = caught.value.mistakes
    return str(line)


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_files_are_in_utf_8(bom: bytes, tmp_path: Path) -> None:
    """Whatever the system's encoding is, with or without a byte order mark."""
    content = bom + '{"Größe": "部门"}'.encode()
    path = tmp_path / "config.json"
    path.write_bytes(content)
    read: dict[str, Any] = {"Größe": "部门"}
    assert read_config(str(path)) == read
    assert read_json_object("catalog", opened(content)) == read
    assert read_last_json_object("state", opened(content)) == read


@pytest.mark.parametrize("content", [b"{}", b"", b"\xff"])
def test_files_are_closed(content: bytes) -> None:
    """Read or refused: Meltano has Python warn of each file that is left open."""
    file = opened(content)
    with suppress(SettingsError):
        read_last_json_object("state", file)
    assert file.closed


@pytest.mark.parametrize(
    "content,told",
    [
        ('{"a": 1}'.encode("utf-16"), "is in UTF-16 or UTF-32; save it in UTF-8."),
        ('{"a": 1}'.encode("utf-16-le"), "is in UTF-16 or UTF-32; save it in UTF-8."),
        ('{"a": 1}'.encode("utf-32"), "is in UTF-16 or UTF-32; save it in UTF-8."),
        ('{"a": 1,\n"Größe": 1}'.encode("latin-1"), "is not in UTF-8, see line 2."),
        (b"", "is empty; it must hold a JSON object."),
        (b" \n", "is empty; it must hold a JSON object."),
        (b'{"a": 1,\n "b": }', "is not JSON, see line 2, column 7."),
        (b"[1]", "does not hold a JSON object."),
        (b"[" * 200_000, "holds JSON that is too large or too deep."),
        (b'{"a": ' + b"1" * 5000 + b"}", "holds JSON that is too large or too deep."),
    ],
)
def test_a_file_that_is_wrong(content: bytes, told: str) -> None:
    """Each wrong file is told with its name, the line where there is one, and no content."""
    for read in (read_json_object, read_last_json_object):
        assert mistake(content, read) == f"state: 'given.json' {told}"


def test_the_last_of_several_lines_counts() -> None:
    """A loader's output has a state a line."""
    content = b'{"a": 1}\n\n{"a": 2}\n'
    assert read_last_json_object("state", opened(content)) == {"a": 2}


def test_a_line_that_is_wrong() -> None:
    """Of several lines each must be a JSON object; the wrong one is told."""
    content = b'{"a": 1}\n\n{"a": \n{"a": 2}\n'
    assert mistake(content, read_last_json_object).endswith("is not JSON, see line 3, column 7.")
    content = b'{"a": 1}\n5\n'
    told = mistake(content, read_last_json_object)
    assert told.endswith("does not hold a JSON object in line 2.")


def test_an_object_over_several_lines_is_one() -> None:
    """A state that was formatted for people is one object."""
    assert read_last_json_object("state", opened(b'{\n"a": 1\n}')) == {"a": 1}


def test_a_file_without_bytes() -> None:
    """A text stream that has no bytes behind it is read as text."""
    file = io.StringIO('{"ä": 1}')
    file.name = "text"
    assert read_json_object("state", file) == {"ä": 1}


def test_a_config_that_is_a_pipe() -> None:
    """A pipe can be read once, and is."""
    reading, writing = os.pipe()
    os.write(writing, b'{"region": "eu-west"}')
    os.close(writing)
    try:
        assert read_config(f"/dev/fd/{reading}") == {"region": "eu-west"}
    finally:
        os.close(reading)


@pytest.mark.parametrize("path", ["missing.json", ".", "a\x00b"])
def test_a_config_that_cannot_be_read(path: str) -> None:
    """A path that leads to no file is told."""
    with pytest.raises(SettingsError) as caught:
        read_config(path)
    assert caught.value.mistakes == [f"config: {path!r} cannot be read."]


@pytest.mark.parametrize(
    "text", [' {"api_token": "secret"}', '"api_token": "secret"', "api_token:\n  secret"]
)
def test_a_config_that_is_no_path(text: str) -> None:
    """A config in place of its path is refused without being told: it may hold the token."""
    with pytest.raises(SettingsError) as caught:
        read_config(text)
    assert caught.value.mistakes == ["config: takes the path of a file, or ENV, and no JSON."]


class Unreadable(io.RawIOBase):
    """A file of a disk that fails."""

    name = "given.json"

    @override
    def readable(self) -> bool:
        return True

    @override
    def readall(self) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_a_file_whose_disk_fails() -> None:
    """It is told by its option, and closed."""
    file = io.TextIOWrapper(io.BufferedReader(Unreadable()))
    with pytest.raises(SettingsError) as caught:
        read_json_object("catalog", file)
    assert caught.value.mistakes == ["catalog: 'given.json' cannot be read."]
    assert file.closed
