"""The project whose tests mutants are run against, and the tests of each module."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from tests.trials.mutations import find_mutants
from tests.trials.reached import ANY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.trials.mutations import Mutant

TESTS = {
    "tap_orgvue": "tests/command",
    "tap_orgvue/checking": "tests/checking",
    "tap_orgvue/dbt": "tests/dbt",
    "tap_orgvue/drafts": "tests/drafts",
    "tap_orgvue/exports": "tests/exports",
    "tap_orgvue/orgvue": "tests/orgvue",
    "tap_orgvue/pages": "tests/pages",
    "tap_orgvue/reporting": "tests/reporting",
    "tap_orgvue/records": "tests/records",
    "tap_orgvue/schema": "tests/schema",
    # Its pages are what is looked at.
    "tap_orgvue/report_command.py": "tests/pages",
    "tap_orgvue/settings": "tests/settings",
    "tap_orgvue/singer": "tests/singer",
    "tap_orgvue/streams": "tests/streams",
}
"""Each folder of the package, or a module of it, and the folder of its tests."""

EXCLUDED = ("tap_orgvue/simulator/",)

SKIPPED_TESTS = {"test_in_browser.py"}
"""Files of tests that do not run: a browser reserves more memory than a mutant may have."""

IMPORTS = (
    *("asyncio", "backoff", "click.testing", "hypothesis", "jsonschema", "playwright.sync_api"),
    *("requests_mock", "singer_sdk", "trustme", "xdist.scheduler", "yaml"),
)

UNIMPORTANT = "tests/trials/mutants_that_do_not_matter.toml"


@dataclass(frozen=True)
class Project:
    """A package and its tests.

    Attributes:
        root: The folder of both.
        package: The package's name.
        tests: Each folder or module of the package and the folder of its tests, from the root.
        excluded: Prefixes of paths without mutants.
        imports: What many tests import beside the package.
        grace: The time limit of a test beyond three times its usual duration, in seconds.
    """

    root: Path = Path(__file__).resolve().parents[2]
    package: str = "tap_orgvue"
    tests: Mapping[str, str] = field(default_factory=lambda: TESTS)
    excluded: tuple[str, ...] = EXCLUDED
    imports: tuple[str, ...] = IMPORTS
    grace: float = 10

    def modules(self) -> dict[str, bytes]:
        """The content of each module that has mutants, by its path."""
        files = {
            file.relative_to(self.root).as_posix(): file
            for file in sorted((self.root / self.package).rglob("*.py"))
        }
        return {
            path: file.read_bytes()
            for path, file in files.items()
            if not path.startswith(self.excluded)
        }

    def mutants(self) -> list[Mutant]:
        """All mutants, by path and position."""
        return [
            mutant
            for path, source in self.modules().items()
            for mutant in find_mutants(path, source)
        ]

    def tests_of(self, path: str) -> str:
        """The folder of a module's tests.

        Raises:
            SystemExit: The table has no entry for the module's folder.
        """
        folder = folder_of(path)
        tests = self.tests.get(path) or self.tests.get(folder)
        if tests is None:
            raise SystemExit(f"No tests are named for {folder}: add it to the table.")
        return tests

    def test_files(self, path: str) -> list[str]:
        """The test files of a module's folder.

        Raises:
            SystemExit: There are none.
        """
        tests = self.tests_of(path)
        found = sorted((self.root / tests).rglob("test_*.py"))
        files = [file for file in found if file.name not in SKIPPED_TESTS]
        if not files:
            raise SystemExit(f"{tests} has no tests.")
        return [file.relative_to(self.root).as_posix() for file in files]


class Measures(msgspec.Struct):
    """What a run without mutants showed about the tests of a folder.

    Attributes:
        seconds: How long each test takes, by its node id.
        reached: The tests that enter a function, by `path function`, see `reached.py`.
    """

    seconds: dict[str, float]
    reached: dict[str, list[str]]

    def selection(self, mutant: Mutant) -> tuple[set[str], set[str]]:
        """The test files in which a mutant can be noticed, and the tests that enter its function.

        Where results are used without a call, that is each file, and the tests of the module.
        """
        place = f"{mutant.path} {mutant.function}"
        tests = set(self.reached.get(place, ()))
        if ANY + place in self.reached:
            tests = {
                test
                for name, tests in self.reached.items()
                if name.lstrip(ANY).startswith(f"{mutant.path} ")
                for test in tests
            }
            return {file_of(test) for test in self.seconds}, tests
        # Tests of one file may share what one of them made.
        return {file_of(test) for test in tests}, tests


class Unimportant(msgspec.Struct, forbid_unknown_fields=True):
    """A mutant that may survive: its identity, see `Mutant`, and the reason in a sentence."""

    path: str
    function: str
    text: str
    change: str
    reason: Annotated[str, msgspec.Meta(min_length=20)]


def unimportant(project: Project) -> set[tuple[str, str, str, str]]:
    """Read the identities of the mutants that do not matter.

    Raises:
        msgspec.ValidationError: An entry is incomplete.
    """
    content = (project.root / UNIMPORTANT).read_bytes()
    entries = msgspec.toml.decode(content, type=dict[str, list[Unimportant]])["mutant"]
    return {(entry.path, entry.function, entry.text, entry.change) for entry in entries}


def file_of(test: str) -> str:
    """The file of a test's node id."""
    return test.partition("::")[0]


def folder_of(path: str) -> str:
    """The folder of a module."""
    return path.rpartition("/")[0]
