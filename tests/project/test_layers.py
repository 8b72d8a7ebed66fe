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

IMPORTS: dict[str, set[str]] = {
    "orgvue": set(),
    "singer": set(),
    "schema": {"orgvue"},
    "exports": {"orgvue"},
    "records": {"exports", "schema", "orgvue"},
    "settings": {"schema", "orgvue"},
    "reporting": {"settings", "orgvue", "scrubbing"},
    "streams": {
        *("exit_codes", "reporting", "settings", "records", "exports", "schema", "singer"),
        "orgvue",
    },
    "drafts": {
        "streams",
        "reporting",
        "settings",
        "records",
        "exports",
        "schema",
        "singer",
        "orgvue",
    },
    "pages": {"streams", "reporting", "settings", "exports", "schema", "orgvue", "scrubbing"},
    "exit_codes": {"settings", "singer", "orgvue"},
    "run_ending": {"exit_codes", "reporting", "singer"},
    "checking": {
        *("exit_codes", "drafts", "streams", "settings", "exports", "schema", "singer"),
        *("orgvue", "scrubbing"),
    },
    "tap_command": {
        *("checking", "drafts", "exit_codes", "pages", "streams", "reporting", "settings"),
        *("exports", "run_ending", "singer", "orgvue", "scrubbing"),
    },
    "tap": {
        *("tap_command", "drafts", "streams", "reporting", "settings", "exports", "schema"),
        *("singer", "orgvue", "scrubbing"),
    },
    "cli": {
        *("tap", "tap_command", "run_ending", "exit_codes", "settings", "singer", "scrubbing"),
        "tuning",
    },
    "__main__": {"cli", "singer", "tuning"},
    "dbt": {"settings", "schema", "orgvue"},
    "report_command": {"tap", "pages", "settings", "orgvue", "scrubbing"},
    "tuning": set(),
    "scrubbing": set(),
    "timestamps": set(),
    "simulator": set(),
}
"""Folder or module to those it imports, no more and no fewer; type-only imports count."""

FOR_ALL = {"timestamps"}
"""Modules that every folder but the simulator may import."""

WITHOUT_SINGER_SDK = {"orgvue", "exports", "schema", "records", "simulator", "timestamps"}
"""Folders that may not import `singer_sdk`."""


def place(path: Path) -> str:
    """The folder or the root module that a file belongs to."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def all_imports(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, type-only imports included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.module, f"{path} has a relative import"
            assert not node.level, f"{path} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports(path: Path) -> Iterator[str]:
    """Dotted names of what a file imports of the package."""
    return (name for name in all_imports(path) if name.startswith("tap_orgvue."))


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_file_has_its_place() -> None:
    """Each folder and each root module stands in the table, and nothing else does."""
    assert {place(path) for path in FILES} == IMPORTS.keys()


@pytest.mark.parametrize("name", IMPORTS)
def test_every_place_is_on_the_map(name: str) -> None:
    """CONTRIBUTING.md says what is in each folder and in each root module."""
    path = Path(__file__).parents[2] / "CONTRIBUTING.md"
    the_map = path.read_text(encoding="utf-8").partition("## Who may know whom")[0]
    kind = "/" if (PACKAGE / name).is_dir() else ".py"
    rows = [line for line in the_map.splitlines() if line.startswith("| `")]
    assert any(f"`{name}{kind}`" in row.split("|")[1] for row in rows)


@pytest.mark.parametrize("name", IMPORTS)
def test_each_place_imports_what_the_table_says(name: str) -> None:
    """The files of a folder import those of the table's places, no others, and each of them."""
    files = [path for path in FILES if place(path) == name]
    found = {dotted.split(".")[1] for path in files for dotted in imports(path)}
    allowed = FOR_ALL if name != "simulator" else set()
    assert found - {name, "__version__"} - allowed == IMPORTS[name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_orgvues_half_knows_nothing_of_singer(path: Path) -> None:
    """What asks Orgvue and makes records never imports the SDK."""
    if place(path) in WITHOUT_SINGER_SDK:
        assert not [name for name in all_imports(path) if name.partition(".")[0] == "singer_sdk"]


def test_the_table_has_no_circle() -> None:
    """The folders can be put in an order in which each imports only earlier ones."""
    left = {name: set(below) for name, below in IMPORTS.items()}
    while left:
        free = [name for name, below in left.items() if not below & left.keys()]
        assert free, f"these import one another: {sorted(left)}"
        for name in free:
            del left[name]
