"""Runs the tests of a mutant in a copy of the project."""

from __future__ import annotations

import compileall
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from py_compile import PycInvalidationMode
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from tests.trials.mutated_project import Measures
from tests.trials.tracing import traced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tests.trials.mutated_project import Project
    from tests.trials.mutations import Mutant

T = TypeVar("T")
R = TypeVar("R")

PLUGINS = ("forked_pytest.py", "quickest_first.py", "reached.py")
"""Files beside this one that are imported from the root of a copy."""

NOT_ENTERED = "(no test enters the function)"

PYTEST = (
    *("-x", "-q", "--rootdir=.", "-p", "no:cacheprovider", "-p", "quickest_first"),
    # Options for plugins do not apply, see Copy; the time limit of a test is that of the plugin.
    *("-o", "addopts=--import-mode=importlib", "-o", "faulthandler_timeout=0"),
)


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
        """The test that failed, or did not end, or why none can; empty if the output names none."""
        if self.output == NOT_ENTERED:
            return NOT_ENTERED
        match = re.search(
            r"^(?:FAILED|ERROR) ([^\s[]+)|^  File .* in (test_\w+)$", self.output, re.MULTILINE
        )
        return match[1] or match[2] if match else ""


class Copy:
    """A copy of the project in a temporary folder; runs one mutant at a time."""

    def __init__(self, project: Project, folder: Path) -> None:
        """Copy the package, the tests and the files beside them; link to other folders."""
        # Its own paths: files of the original may change while mutants run.
        self.project, self.folder = replace(project, root=folder), folder
        self._order, self._run = folder / "order.json", 0
        for name in (project.package, "tests"):
            shutil.copytree(
                project.root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        plugins = [Path(__file__).with_name(name) for name in PLUGINS]
        for path in (*project.root.iterdir(), *plugins):
            if path.name.startswith(".") or (folder / path.name).exists():
                continue
            if path.is_file():
                shutil.copy(path, folder)
            else:
                (folder / path.name).symlink_to(path)
        self._compile()
        self._server = subprocess.Popen(
            [sys.executable, "-m", "forked_pytest", *project.imports],
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _compile(self) -> None:
        """Compile the package once, because the tests start many processes."""
        # Bytecode is checked against the source's hash: a mutant can have the original's size and
        # time.
        compileall.compile_dir(
            self.folder / self.project.package,
            quiet=2,
            invalidation_mode=PycInvalidationMode.CHECKED_HASH,
        )

    def mutated(self, mutant: Mutant) -> Result:
        """Run the tests in which a mutant can be noticed.

        Raises:
            FileNotFoundError: The tests of its folder have not been measured.
        """
        measures = msgspec.json.decode(self._measured(mutant.path).read_bytes(), type=Measures)
        files, tests = measures.selection(mutant)
        if not files:
            return Result(failed=False, output=NOT_ENTERED)
        file = self.folder / mutant.path
        source = file.read_bytes()
        file.write_bytes(mutant.apply(source))
        order = {"seconds": measures.seconds, "first": sorted(tests)}
        self._order.write_text(json.dumps(order), encoding="utf-8")
        try:
            return self._pytest(sorted(files), TEST_ORDER=str(self._order))
        finally:
            file.write_bytes(source)

    def measure(self, path: str) -> float:
        """Run a module's tests without a mutant; the seconds they take.

        Raises:
            SystemExit: The tests fail, or import the package from elsewhere.
        """
        package = self.project.package
        found = subprocess.check_output(
            [sys.executable, "-c", f"import {package}; print({package}.__file__)"],
            cwd="/",
            env=self._environment(),
            text=True,
        )
        if not found.startswith(str(self.folder)):
            raise SystemExit(f"The tests would not import a mutant, but {found}")
        started = time.monotonic()
        with self._traced():
            variables = {"TEST_MEASURES": str(self._measured(path))}
            result = self._unchanged(self.project.test_files(path), **variables)
        if result.failed:
            tests = self.project.tests_of(path)
            raise SystemExit(f"{tests} fails without any mutant:\n{result.output[-4000:]}")
        return time.monotonic() - started

    def alone(self, tests: Iterable[str]) -> None:
        """Run some tests without a mutant and without those that usually run before them.

        Raises:
            SystemExit: They fail, so they prove nothing about mutants.
        """
        result = self._unchanged(sorted(tests))
        if result.failed:
            raise SystemExit(f"{result.failure} fails without any mutant:\n{result.output[-4000:]}")

    def _unchanged(self, arguments: Sequence[str], **variables: str) -> Result:
        """Run tests without a mutant, twice if need be: on a busy machine one may fail for once."""
        result = self._pytest(arguments, **variables)
        return self._pytest(arguments, **variables) if result.failed else result

    @contextmanager
    def _traced(self) -> Iterator[None]:
        """Let the package note which of its functions are entered."""
        modules = self.project.modules()
        for path, source in modules.items():
            (self.folder / path).write_bytes(traced(path, source))
        self._compile()
        try:
            yield
        finally:
            for path, source in modules.items():
                (self.folder / path).write_bytes(source)
            self._compile()

    def _measured(self, path: str) -> Path:
        """The file of what is known of a module's tests; all copies share it."""
        return self.folder.with_name(self.project.tests_of(path).replace("/", "."))

    def _pytest(self, arguments: Sequence[str], **variables: str) -> Result:
        """Run pytest in the copy, then kill all processes that it left."""
        with TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as temporary:
            output = Path(temporary, "output")
            request = [[*PYTEST, *arguments], {"TMPDIR": temporary} | variables, str(output)]
            print(json.dumps(request), flush=True, file=self._server.stdin)
            self._run = self._answer()
            code = self._answer()
            self._end_run()
            return Result(code != 0, output.read_text(errors="replace"))

    def _answer(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())

    def _end_run(self) -> None:
        """Kill the run's process and all that it started."""
        if self._run:
            with suppress(ProcessLookupError):
                os.killpg(self._run, signal.SIGKILL)

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

    def close(self) -> None:
        """End all processes."""
        self._end_run()
        self._server.kill()
        self._server.communicate()


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
            self.callback(copy.close)
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
