"""The package's folders know one another in one direction only."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tap_orgvue

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(tap_orgvue.__file__).parent

MAY_IMPORT: dict[str, set[str]] = {
    "orgvue": set(),
    "singer": set(),
    "schema": {"orgvue"},
    "exports": {"orgvue"},
    "records": {"exports", "schema", "orgvue"},
    "settings": {"schema", "orgvue"},
    "reporting": {"orgvue", "scrubbing"},
    "streams": {"reporting", "settings", "records", "exports", "schema", "singer", "orgvue"}
    | {"exit_codes"},
    "pages": {"reporting", "streams", "settings", "exports", "schema", "orgvue", "scrubbing"},
    "exit_codes": {"settings", "singer", "orgvue"},
    "checking": {"streams", "settings", "exports", "schema", "singer", "orgvue", "scrubbing"}
    | {"exit_codes"},
    "run_recording": {"reporting", "streams", "settings", "singer", "exit_codes", "scrubbing"},
    "tap_command": {
        *("checking", "reporting", "streams", "exports", "settings", "singer", "orgvue"),
        *("run_recording", "exit_codes", "pages", "scrubbing"),
    },
    "tap": {
        *("tap_command", "reporting", "streams", "settings", "exports", "schema", "singer"),
        *("orgvue", "run_recording", "exit_codes", "scrubbing"),
    },
    "cli": {"tap", "tap_command", "reporting", "settings", "singer", "orgvue", "scrubbing"}
    | {"run_recording", "exit_codes", "tuning"},
    "__main__": {"cli", "singer", "tuning"},
    "dbt": {"settings", "schema", "orgvue"},
    "report_command": {"pages", "tap", "settings", "orgvue", "scrubbing"},
    "tuning": set(),
    "scrubbing": set(),
    "timestamps": set(),
    "simulator": set(),
}
"""Folder or module to those it may import; type-only imports count."""

FOR_ALL = {"timestamps"}
"""Modules that every folder but the simulator may import."""

WITHOUT_SINGER_SDK = {"orgvue", "exports", "schema", "records", "simulator", "timestamps"}
"""Folders that may not import `singer_sdk`."""


def place(path: Path) -> str:
    """The folder or the root module that a file belongs to."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, type-only imports included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_file_has_its_place() -> None:
    """Each folder and each root module stands in the table, and nothing else does."""
    assert {place(path) for path in FILES} == MAY_IMPORT.keys()


@pytest.mark.parametrize("name", MAY_IMPORT)
def test_every_place_is_on_the_map(name: str) -> None:
    """CONTRIBUTING.md says what is in each folder and in each root module."""
    path = Path(__file__).parents[2] / "CONTRIBUTING.md"
    the_map = path.read_text(encoding="utf-8").partition("## Who may know whom")[0]
    kind = "/" if (PACKAGE / name).is_dir() else ".py"
    rows = [line for line in the_map.splitlines() if line.startswith("| `")]
    assert any(f"`{name}{kind}`" in row.split("|")[1] for row in rows)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """A file imports its own folder and those below it, as the table says."""
    own = place(path)
    allowed = MAY_IMPORT[own] | {own} | (FOR_ALL if own != "simulator" else set())
    found = {name.split(".")[1] for name in imports(path) if name.startswith("tap_orgvue.")}
    assert found - {"__version__"} <= allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_orgvues_half_knows_nothing_of_singer(path: Path) -> None:
    """What asks Orgvue and makes records never imports the SDK."""
    if place(path) in WITHOUT_SINGER_SDK:
        assert not [name for name in imports(path) if name.partition(".")[0] == "singer_sdk"]


def test_the_table_has_no_circle() -> None:
    """The folders can be put in an order in which each imports only earlier ones."""
    left = {name: set(below) for name, below in MAY_IMPORT.items()}
    while left:
        free = [name for name, below in left.items() if not below & left.keys()]
        assert free, f"these import one another: {sorted(left)}"
        for name in free:
            del left[name]
