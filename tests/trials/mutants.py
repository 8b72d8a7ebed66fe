"""Runs mutants of the package against the tests of their folder and lists the survivors.

`make mutants` runs a random sample of 150, `python -m tests.trials.mutants --seed 7 --only
tap_orgvue/exports` a chosen one. Mutants that change nothing of importance are listed in
`mutants_that_do_not_matter.toml`, each with a reason, and neither run nor counted.
"""

from __future__ import annotations

import argparse
import compileall
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from py_compile import PycInvalidationMode
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import msgspec

from tests.trials.mutations import find_mutants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.trials.mutations import Mutant

Counts = Counter[tuple[str, str]]
T = TypeVar("T")
R = TypeVar("R")

TESTS = {
    "tap_orgvue": "tests/command",
    "tap_orgvue/checking": "tests/command",
    "tap_orgvue/dbt": "tests/dbt",
    "tap_orgvue/exports": "tests/exports",
    "tap_orgvue/orgvue": "tests/orgvue",
    "tap_orgvue/pages": "tests/pages",
    "tap_orgvue/reporting": "tests/reporting",
    "tap_orgvue/records": "tests/records",
    "tap_orgvue/schema": "tests/schema",
    "tap_orgvue/settings": "tests/settings",
    "tap_orgvue/singer": "tests/singer",
    "tap_orgvue/streams": "tests/streams",
}
"""Each folder of the package and the folder of its tests."""

EXCLUDED = ("tap_orgvue/simulator/",)

UNIMPORTANT = "tests/trials/mutants_that_do_not_matter.toml"

REQUIRED = 90
"""The minimum share of killed mutants among those that matter, in percent."""

MEMORY = 4 << 30
"""Address space of a process, in bytes: a mutant that allocates without end fails."""

PLUGIN = Path(__file__).with_name("quickest_first.py")

PYTEST = (
    *("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", PLUGIN.stem),
    # Options for plugins do not apply, see Copy; the time limit of a test is that of the plugin.
    *("-o", "addopts=--import-mode=importlib", "-o", "faulthandler_timeout=0"),
)


@dataclass(frozen=True)
class Project:
    """A package and its tests.

    Attributes:
        root: The folder of both.
        package: The package's name.
        tests: Each folder of the package and the folder of its tests, relative to the root.
        excluded: Prefixes of paths without mutants.
        grace: The time limit of a test beyond three times its usual duration, in seconds.
    """

    root: Path = Path(__file__).resolve().parents[2]
    package: str = "tap_orgvue"
    tests: Mapping[str, str] = field(default_factory=lambda: TESTS)
    excluded: tuple[str, ...] = EXCLUDED
    grace: float = 10

    def mutants(self) -> list[Mutant]:
        """All mutants, by path and position."""
        files = {
            file.relative_to(self.root).as_posix(): file
            for file in sorted((self.root / self.package).rglob("*.py"))
        }
        return [
            mutant
            for path, file in files.items()
            if not path.startswith(self.excluded)
            for mutant in find_mutants(path, file.read_bytes())
        ]

    def tests_of(self, path: str) -> str:
        """The folder of a module's tests.

        Raises:
            SystemExit: The table has no entry for the module's folder.
        """
        folder = folder_of(path)
        if folder not in self.tests:
            raise SystemExit(f"No tests are named for {folder}: add it to the table.")
        return self.tests[folder]

    def test_files(self, path: str) -> list[str]:
        """The test files of a module's folder, first those that name the module.

        Raises:
            SystemExit: There are none.
        """
        module, tests = Path(path).with_suffix(""), self.tests_of(path)
        dotted = ".".join(module.parts)
        files = sorted((self.root / tests).rglob("test_*.py"))
        if not files:
            raise SystemExit(f"{tests} has no tests.")
        files.sort(key=lambda file: (module.name not in file.stem, dotted not in file.read_text()))
        return [str(file.relative_to(self.root)) for file in files]


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


class Result(NamedTuple):
    """Whether tests failed, and what they printed."""

    failed: bool
    output: str

    @property
    def outcome(self) -> str:
        """What became of a mutant: `killed`, `timed out` or `survived`."""
        if not self.failed:
            return "survived"
        return "timed out" if re.search(r"Timeout \(\d+:\d\d:\d\d", self.output) else "killed"

    @property
    def failure(self) -> str:
        """The test that failed, or did not end; empty if the output names none."""
        match = re.search(
            r"^(?:FAILED|ERROR) (\S+)|^  File .* in (test_\w+)$", self.output, re.MULTILINE
        )
        return match[1] or match[2] if match else ""


class Copy:
    """A copy of the project in a temporary folder; runs one mutant at a time."""

    def __init__(self, project: Project, folder: Path) -> None:
        """Copy the package, the tests and the files beside them."""
        # Its own paths: files of the original may change while mutants run.
        self.project, self.folder = replace(project, root=folder), folder
        self._process: subprocess.Popen[bytes] | None = None
        for name in (project.package, "tests"):
            shutil.copytree(
                project.root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        for file in (*project.root.iterdir(), PLUGIN):
            if file.is_file() and not file.name.startswith("."):
                shutil.copy(file, folder)
        # Bytecode is checked against the source's hash: a mutant can have the original's size and
        # time. Compiled once, because the tests start many processes.
        compileall.compile_dir(
            folder / project.package, quiet=2, invalidation_mode=PycInvalidationMode.CHECKED_HASH
        )

    def mutated(self, mutant: Mutant) -> Result:
        """Run the tests of a mutant."""
        file = self.folder / mutant.path
        source = file.read_bytes()
        file.write_bytes(mutant.apply(source))
        try:
            return self._tested(mutant.path)
        finally:
            file.write_bytes(source)

    def unchanged(self, path: str) -> float:
        """Run a module's tests without a mutant; the seconds they take.

        Raises:
            SystemExit: The tests fail, or import the package from elsewhere.
        """
        package = self.project.package
        code = f"import os; os.chdir('/'); import {package}; print({package}.__file__)"
        _, found = self._python(["-c", code])
        if not found.startswith(str(self.folder)):
            raise SystemExit(f"The tests would not import a mutant, but {found}")
        started = time.monotonic()
        result = self._tested(path)
        if result.failed:
            tests = self.project.tests_of(path)
            raise SystemExit(f"{tests} fails without any mutant:\n{result.output[-4000:]}")
        return time.monotonic() - started

    def _tested(self, path: str) -> Result:
        """Run a module's tests: the first time in a folder to measure them, then in order."""
        times = self.folder.with_name(self.project.tests_of(path).replace("/", "."))
        return self._python([*PYTEST, *self.project.test_files(path)], TEST_TIMES=str(times))

    def _python(self, arguments: Sequence[str], **variables: str) -> Result:
        """Run Python in the copy, then kill all processes that it left."""
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as temporary:
            output = Path(temporary, "output")
            with output.open("wb") as file:
                self._process = subprocess.Popen(
                    [sys.executable, *arguments],
                    cwd=self.folder,
                    env=self._environment() | {"TMPDIR": temporary} | variables,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._process.wait()
            self.kill()
            return Result(self._process.returncode != 0, output.read_text(errors="replace"))

    def _environment(self) -> dict[str, str]:
        """Variables by which child processes, too, import the copy, and write no bytecode."""
        # Settings of a pytest or coverage run around this one do not apply.
        foreign = ("COV", "PYTEST_")
        inherited = {name: os.environ[name] for name in os.environ if not name.startswith(foreign)}
        return inherited | {
            # For Hypothesis: the same examples each time, and no failure because they take long.
            "CI": "1",
            # No test needs an installed plugin, and they take a second of each run to import.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(self.folder),
            "TEST_GRACE": str(self.project.grace),
        }

    def kill(self) -> None:
        """Kill the process and its children."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


class Workers(ExitStack):
    """Threads with a copy of the project each; on exit, processes and copies are removed."""

    def __init__(self, project: Project, jobs: int) -> None:
        """Make the copies."""
        super().__init__()
        folder = self.enter_context(TemporaryDirectory(prefix="mutants-"))
        self._pool = self.enter_context(ThreadPoolExecutor(jobs))
        self._free = SimpleQueue[Copy]()
        for number in range(jobs):
            copy = Copy(project, Path(folder, str(number)))
            self.callback(copy.kill)
            self._free.put(copy)
        # Called first on exit, so that no mutant starts after the kills.
        self.callback(self._pool.shutdown, wait=False, cancel_futures=True)

    def map(self, function: Callable[[Copy, T], R], items: Sequence[T]) -> Iterator[R]:
        """Call a function with a copy and each item; the results in the items' order."""

        def call(item: T) -> R:
            copy = self._free.get()
            try:
                return function(copy, item)
            finally:
                self._free.put(copy)

        return self._pool.map(call, items)


def run(project: Project, mutants: Sequence[Mutant], jobs: int, *, verbose: bool) -> Counts:
    """Run mutants and print each that survives or reaches its time limit.

    Args:
        project: The package and its tests.
        mutants: Those to run.
        jobs: The number of mutants in parallel.
        verbose: Whether to print killed mutants, too, with the test that failed.

    Returns:
        The number of mutants by folder and outcome.

    Raises:
        SystemExit: Tests fail without any mutant.
    """
    counts = Counts()
    paths = {folder_of(mutant.path): mutant.path for mutant in mutants}
    with Workers(project, jobs) as workers:
        durations = workers.map(Copy.unchanged, list(paths.values()))
        for path, duration in zip(paths.values(), durations, strict=True):
            tell(f"{project.tests_of(path)} takes {duration:.1f} s")
        for mutant, result in zip(mutants, workers.map(Copy.mutated, mutants), strict=True):
            counts[folder_of(mutant.path), result.outcome] += 1
            if verbose or result.outcome != "killed":
                tell(f"{result.outcome}: {mutant}  {result.failure}".rstrip())
        # A survivor proves that the tests pass in the order of their time. Where there is none:
        doubtful = [path for folder, path in paths.items() if not counts[folder, "survived"]]
        for _ in workers.map(Copy.unchanged, doubtful):
            pass
    return counts


def folder_of(path: str) -> str:
    """The folder of a module."""
    return path.rpartition("/")[0]


def tell(line: str) -> None:
    """Print a line at once, as the run takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None, project: Project | None = None) -> int:
    """Run a sample.

    Args:
        arguments: The command line; by default that of the process.
        project: What is tested; by default the tap.

    Returns:
        The exit code: 1 if more than a tenth of the mutants that matter survived.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.trials.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat the sample of an earlier run")
    parser.add_argument("--count", type=int, default=150, help="the size of the sample")
    parser.add_argument("--only", default="", help="how their places start, as tap_orgvue/exports")
    parser.add_argument("--jobs", type=int, default=2, help="the number of mutants in parallel")
    parser.add_argument("--list", action="store_true", help="print the sample, run nothing")
    parser.add_argument("--verbose", action="store_true", help="print killed mutants, too")
    options = parser.parse_args(arguments)
    project, started = project or Project(), time.monotonic()
    seed = int(time.time()) if options.seed is None else options.seed

    everything, listed = project.mutants(), unimportant(project)
    for entry in sorted(listed - {mutant.identity for mutant in everything}):
        tell(f"{UNIMPORTANT} has an entry without a mutant: {', '.join(entry)}")
    found = [mutant for mutant in everything if str(mutant).startswith(options.only)]
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    sample = dice.sample(found, min(options.count, len(found)))
    tell(f"seed {seed}: {len(sample)} of {len(found)} mutants")
    if options.list:
        for mutant in sorted(sample, key=lambda mutant: (mutant.path, mutant.start)):
            tell(str(mutant))
        return 0

    matter = [mutant for mutant in sample if mutant.identity not in listed]
    counts = run(project, matter, options.jobs, verbose=options.verbose)
    for folder in sorted({folder for folder, _ in counts}):
        killed, timed_out = counts[folder, "killed"], counts[folder, "timed out"]
        total = killed + timed_out + counts[folder, "survived"]
        tell(f"{folder}: {killed + timed_out} of {total} killed, {timed_out} of them by timeout")
    killed = sum(number for (_, became), number in counts.items() if became != "survived")
    tell(
        f"seed {seed}: {killed} of {len(matter)} killed,"
        f" {len(sample) - len(matter)} do not matter, {time.monotonic() - started:.0f} s"
    )
    return int(100 * killed < REQUIRED * len(matter))


if __name__ == "__main__":
    # Like SIGINT, it shall leave neither processes nor copies.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with suppress(ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.exit(main())
