"""Knowledge flows one way: the Singer side knows what is between, and that the Orgvue side."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from singer_sdk import Tap
from singer_sdk.streams import RESTStream

import tap_orgvue

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(tap_orgvue.__file__).parent

ORGVUE = {
    *("care", "client", "errors", "exports", "instants", "items", "landing", "models", "rows"),
    *("transport", "token_dates", "workers"),
}
"""What is known of Orgvue: no Singer in here."""

BETWEEN = {
    *("ahead", "batches", "connection_check", "deletions", "discovery", "dotted_keys", "memory"),
    "naming",
    *(
        "pages",
        "questions",
        "record_maker",
        "rules",
        "schema",
        "scrubbing",
        "settings",
        "settings_checks",
    ),
    *("settings_schema", "settling", "tenant", "values"),
}
"""How the one becomes the other."""

SINGER = {"__main__", "command", "description_streams", "records", "streams", "tap", "writer"}


def imported(module: str) -> Iterator[str]:
    """What a module imports when it runs; for types alone, anybody may know anybody."""
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def known_to(module: str) -> set[str]:
    """The project's own modules that a module imports."""
    return {name.split(".")[1] for name in imported(module) if name.startswith("tap_orgvue.")} & (
        ORGVUE | BETWEEN | SINGER
    )


def test_every_module_has_its_place() -> None:
    """No module is without a layer, and none is in two."""
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert modules == ORGVUE | BETWEEN | SINGER
    assert len(modules) == len(ORGVUE) + len(BETWEEN) + len(SINGER)


@pytest.mark.parametrize("module", sorted(ORGVUE))
def test_the_orgvue_side_never_heard_of_singer(module: str) -> None:
    """What asks Orgvue knows nothing of taps, streams and settings' schemas."""
    assert known_to(module) <= ORGVUE
    assert not [name for name in imported(module) if name.startswith("singer")]


@pytest.mark.parametrize("module", sorted(BETWEEN))
def test_what_is_between_does_not_know_the_singer_side(module: str) -> None:
    """What turns one into the other is used by streams and does not use them."""
    assert known_to(module) <= ORGVUE | BETWEEN


def test_the_simulator_knows_nothing_of_the_tap() -> None:
    """The simulator is a telling of its own of what Orgvue is: disagreement is information."""
    for path in (FOLDER / "simulator").glob("*.py"):
        names = {
            name
            for name in imported(f"simulator/{path.stem}")
            if name.startswith(("tap_orgvue", "singer")) and name != "tap_orgvue"
        }
        assert all(name.startswith("tap_orgvue.simulator") for name in names), path.name


def test_private_members_of_the_sdk_are_used_in_one_place() -> None:
    """No module but `records` uses a private member of the SDK's streams and taps."""
    theirs = {
        name
        for owner in (RESTStream, Tap)
        for name in dir(owner)
        if name.startswith("_") and not name.startswith("__")
    } | {"_stream_version", "_input_schema", "_schema", "_stream_maps", "_tap_input_catalog"}
    folder = Path(tap_orgvue.__file__).parent
    for path in folder.glob("*.py"):
        if path.name == "records.py":
            continue
        used = {
            node.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Attribute)
        }
        own = {
            node.name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.FunctionDef)
        }
        assert not (used & theirs) - own, path.name
