"""Writes a project's files into a folder that belongs to its user.

A file that the user has edited is never overwritten: the new version is written beside it, as
`FILE.new`. A file that the user has removed is not written again. Edits are detected by the hashes
of written files in `.tap-orgvue-dbt.json`.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.settings.checks import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MANIFEST = ".tap-orgvue-dbt.json"
NEW = ".new"


class Written(msgspec.Struct):
    """The files of a project, by what was done to them; paths within the project.

    Attributes:
        created: Files that were not there.
        updated: Files that the user had not edited.
        unchanged: Files whose text was already the new one.
        kept: Files that the user has edited or created, some with a `FILE.new` beside them.
        beside: The `FILE.new` that were written.
        left_out: Files that the user has removed.
        removed: Files of datasets and roles that are gone, which the user had not edited.
        obsolete: Files of datasets and roles that are gone, which the user has edited.
    """

    created: list[str] = msgspec.field(default_factory=list)
    updated: list[str] = msgspec.field(default_factory=list)
    unchanged: list[str] = msgspec.field(default_factory=list)
    kept: list[str] = msgspec.field(default_factory=list)
    beside: list[str] = msgspec.field(default_factory=list)
    left_out: list[str] = msgspec.field(default_factory=list)
    removed: list[str] = msgspec.field(default_factory=list)
    obsolete: list[str] = msgspec.field(default_factory=list)


def write_project(folder: Path, files: Mapping[str, str], *, force: bool) -> Written:
    """Write files into a folder, which need not exist.

    Args:
        folder: The project's folder.
        files: Path in the project to the file's text.
        force: True to overwrite files that the user has edited, removed or created.

    Raises:
        SettingsError: The folder holds another dbt project, or cannot be written.
    """
    before = _hashes_in(folder)
    if before is None and (folder / "dbt_project.yml").exists() and not force:
        mistake = (
            f"--into: {str(folder)!r} holds a dbt project that this command has not written. "
            "Name another folder, or overwrite files of the same names with --force."
        )
        raise SettingsError([mistake])
    try:
        written = _write(folder, files, before or {}, force=force)
        _save(folder / MANIFEST, json.dumps(_hashes_of(files), indent=2) + "\n")
    except OSError as error:
        raise SettingsError(
            [f"--into: {str(folder)!r} cannot be written: {error.strerror}."]
        ) from error
    return written


def _write(
    folder: Path, files: Mapping[str, str], before: Mapping[str, str], *, force: bool
) -> Written:
    written = Written()
    for name, text in files.items():
        path, found = folder / name, _hash_at(folder / name)
        if found == _hash(text):
            written.unchanged.append(name)
        elif found is None and (name not in before or force):
            written.created.append(name)
            _save(path, text)
        elif found is None:
            written.left_out.append(name)
        elif force or found == before.get(name):
            written.updated.append(name)
            _save(path, text)
        else:
            written.kept.append(name)
            if before.get(name) != _hash(text):
                written.beside.append(name + NEW)
                _save(folder / (name + NEW), text)
    for name in sorted(before.keys() - files.keys()):
        found = _hash_at(folder / name)
        if found is not None and found == before[name]:
            written.removed.append(name)
            (folder / name).unlink()
        elif found is not None:
            written.obsolete.append(name)
    return written


def _save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # The same bytes on every system.
    path.write_bytes(text.encode())


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_at(path: Path) -> str | None:
    """The hash of a file's text with LF line ends; None if it is missing."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _hashes_of(files: Mapping[str, str]) -> dict[str, str]:
    return {name: _hash(text) for name, text in files.items()}


def _hashes_in(folder: Path) -> dict[str, str] | None:
    """The hashes of the files that an earlier run wrote; None without one.

    Raises:
        SettingsError: The file with the hashes is damaged.
    """
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=dict[str, str])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except msgspec.DecodeError:
        mistake = (
            f"--into: {MANIFEST} of {str(folder)!r} is damaged. Restore it, or remove it and "
            "overwrite files of the same names with --force."
        )
        raise SettingsError([mistake]) from None
