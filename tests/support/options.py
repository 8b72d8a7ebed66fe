"""Calls the command's options in this process: milliseconds instead of a process of its own."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tap_orgvue.tap import TapOrgvue
from tests.support.files import written
from tests.support.runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable


def with_option(config: dict[str, Any], *words: str, **documents: dict[str, Any] | None) -> Run:
    """Read the command line of a discovery or a check, as click does.

    Args:
        config: The settings.
        words: What is on the command line beside the files.
        documents: Option, as `catalog`, to what it is given.
    """
    with TemporaryDirectory() as name:
        line = [*words, *written(Path(name), config=config, **documents)]
        command = TapOrgvue.get_singer_command()
        return _told(lambda: command.main(line, standalone_mode=False))


def as_run(
    config: dict[str, Any],
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    *,
    parse_env: bool = False,
) -> Run:
    """Run the tap as the command does once it has read its options.

    Args:
        config: The settings.
        catalog: What it is given.
        state: What it is given.
        parse_env: Whether the environment counts as well.
    """
    given = {"catalog": catalog, "state": state}
    with TemporaryDirectory() as name, contextlib.ExitStack() as files:
        options: dict[str, Any] = {"config": SimpleNamespace(config=config, parse_env=parse_env)}
        for option, content in given.items():
            if content is not None:
                path = Path(name, f"{option}.json")
                path.write_text(json.dumps(content), encoding="utf-8")
                options[option] = files.enter_context(path.open(encoding="utf-8"))
        return _told(lambda: TapOrgvue.invoke(**options))


def _told(call: Callable[[], int | None]) -> Run:
    """What a call writes to standard output, and its exit code; nobody records it any more."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out):
            code = call()
    finally:
        TapOrgvue.recorder = None
    out.seek(0)
    return Run(out.read(), code=code or 0)
