"""`make mutants` finds what tests do not notice, here in a package of two modules."""

from __future__ import annotations

import ast
import io
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pytest

from tests.trials.mutants import main
from tests.trials.mutated_project import TESTS, UNIMPORTANT, Project, folder_of
from tests.trials.mutations import find_mutants

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "small/__init__.py": "",
    "small/sizes/__init__.py": "",
    "small/exit.py": """\
import sys
sys.exit(6)
""",
    "small/sizes/limits.py": """\
from threading import Event

def is_long(size):
    return size > 3

def wait():
    event = Event()
    event.set()
    return event.wait()

def ahead():
    return range(9, 99)
""",
    "tests/command/test_exit.py": """\
import subprocess, sys

def test_exit(tmp_path):
    assert subprocess.run([sys.executable, "-m", "small.exit"], cwd=tmp_path).returncode == 6
""",
    "tests/sizes/test_limits.py": """\
from small.sizes.limits import ahead, is_long, wait

def test_limits():
    assert (is_long(3), is_long(4)) == (False, True)
    assert ahead()
    assert wait()
""",
    UNIMPORTANT: """\
[[mutant]]
path = "small/sizes/limits.py"
function = "ahead"
text = "return range(9, 99)"
change = "9 → 10"
reason = "How far ahead is read decides about speed alone."
""",
}


def small_project(folder: Path, **others: str) -> Project:
    """Write the small project, and other content for some files by their stems."""
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(others.get(path.stem, content), encoding="utf-8")
    tests = {"small": "tests/command", "small/sizes": "tests/sizes"}
    return Project(folder, "small", tests, imports=(), grace=2)


class Report(NamedTuple):
    """A run's exit code, its output, and the names it left in the temporary folder."""

    code: int
    lines: list[str]
    left: list[str]


def report(project: Project, *arguments: str) -> Report:
    """Run mutants with a temporary folder beside the project."""
    temporary = project.root.with_name(f"{project.root.name}-temporary")
    temporary.mkdir(exist_ok=True)
    with redirect_stdout(io.StringIO()) as output, pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(temporary))
        code = main(arguments, project)
    return Report(code, output.getvalue().splitlines(), [path.name for path in temporary.iterdir()])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report on all mutants of the small project."""
    return report(small_project(tmp_path_factory.mktemp("small")), "--seed", "1", "--verbose")


def test_what_no_test_notices_is_listed(whole: Report) -> None:
    """Survivors are printed with place and change; killed mutants are not."""
    survivors = [line for line in whole.lines if line.startswith("survived")]
    assert survivors == ["survived: small/sizes/limits.py:12  99 → 100"]


def test_the_test_that_notices_is_named(whole: Report) -> None:
    """With `--verbose`, killed mutants are printed with the test that failed."""
    test = "tests/sizes/test_limits.py::test_limits"
    assert f"killed: small/sizes/limits.py:4  3 → 4  {test}" in whole.lines
    assert "timed out: small/sizes/limits.py:8  event.set() → pass  test_limits" in whole.lines


def test_child_processes_run_the_mutant(whole: Report) -> None:
    """A change dies that only a command in another process, started elsewhere, can show."""
    assert "small: 2 of 2 killed, 0 of them by timeout" in whole.lines


def test_a_mutant_that_hangs_is_killed(whole: Report) -> None:
    """A wait without end counts as noticed once the time limit is over."""
    assert "small/sizes: 6 of 7 killed, 1 of them by timeout" in whole.lines


def test_a_mutant_with_a_reason_is_not_counted(whole: Report) -> None:
    """An entry in the list takes a mutant out of the count, and the rest decides the exit code."""
    assert whole.lines[0] == "seed 1: 10 of 10 mutants"
    assert whole.lines[-1].startswith("seed 1: 8 of 9 killed, 1 do not matter, ")
    assert whole.code == 1


def test_nothing_is_left(whole: Report) -> None:
    """The copies of the project are removed."""
    assert whole.left == []


def test_equal_seeds_are_equal_samples(tmp_path: Path) -> None:
    """A seed that was printed gives the same mutants again; another seed gives others."""
    project = small_project(tmp_path)
    first, again, other = (
        report(project, "--list", "--count", "4", "--seed", seed).lines[1:]
        for seed in ("1", "1", "2")
    )
    assert first == again
    assert first != other
    assert len(first) == 4


def test_only_some_folders(tmp_path: Path) -> None:
    """`--only` takes mutants of one folder or module."""
    lines = report(small_project(tmp_path), "--list", "--only", "small/exit.py").lines
    assert lines[1:] == ["small/exit.py:2  sys.exit(6) → pass", "small/exit.py:2  6 → 7"]


def test_tests_that_fail_anyway_prove_nothing(tmp_path: Path) -> None:
    """The run ends with pytest's output where tests fail without a mutant."""
    project = small_project(tmp_path, test_exit="def test_exit():\n    assert not 'right'\n")
    with pytest.raises(SystemExit, match=r"(?s)tests/command fails without .* assert not 'right'"):
        report(project, "--only", "small/exit.py")


TWO_TESTS = """\
from time import sleep
from small.sizes.limits import is_long

said = []

def test_slow():
    said.append(is_long(4))
    sleep(0.3)
    assert said == [True] and not is_long(3)

def test_quick():
    assert is_long(4) and not is_long(3)
"""


def test_quick_tests_run_first(tmp_path: Path) -> None:
    """Of two tests that notice a mutant, the quick one does so, wherever it stands."""
    project = small_project(tmp_path, test_limits=TWO_TESTS)
    code, lines, _ = report(
        project, "--verbose", "--count", "1", "--only", "small/sizes/limits.py:4"
    )
    assert lines[2].startswith("killed: ")
    assert lines[2].endswith("  tests/sizes/test_limits.py::test_quick")
    assert code == 0, "all that matter died"


def test_a_test_that_needs_another_proves_nothing(tmp_path: Path) -> None:
    """A test that fails without those before it is not taken for a mutant's death."""
    dependent = TWO_TESTS.replace("assert is_long(4) and", "assert said and")
    project = small_project(tmp_path, test_limits=dependent)
    with pytest.raises(SystemExit, match=r"(?s)::test_quick fails without .* assert said"):
        report(project, "--count", "1", "--only", "small/sizes/limits.py:4")


def test_a_folder_needs_tests(tmp_path: Path) -> None:
    """The run ends where a folder has no entry in the table, or the tests' folder is empty."""
    project = small_project(tmp_path)
    with pytest.raises(SystemExit, match="No tests are named for small/sizes"):
        Project(tmp_path, "small", {"small": "tests/command"}).test_files("small/sizes/limits.py")
    (tmp_path / "tests" / "sizes" / "test_limits.py").unlink()
    with pytest.raises(SystemExit, match="tests/sizes has no tests"):
        project.test_files("small/sizes/limits.py")


def test_only_tests_that_can_notice_run(tmp_path: Path) -> None:
    """Once all have run, a survivor is run against the tests that enter its function."""
    project = small_project(tmp_path)
    runs = tmp_path / "runs"
    (tmp_path / "tests" / "sizes" / "test_others.py").write_text(f"""\
from small.sizes.limits import ahead

def test_ahead():
    with open({str(runs)!r}, "a") as file:
        file.write("x")
    assert ahead()
""")
    for place, times in (("limits.py:4", 1), ("limits.py:12", 2)):
        runs.unlink(missing_ok=True)
        report(project, "--only", f"small/sizes/{place}")
        assert runs.read_text() == "x" * times


def test_a_function_that_no_test_enters(tmp_path: Path) -> None:
    """A mutant of it survives without a run, and the report says why."""
    project = small_project(tmp_path, test_limits="def test_nothing():\n    pass\n")
    lines = report(project, "--only", "small/sizes/limits.py:4").lines
    assert "survived: small/sizes/limits.py:4  3 → 4  (no test enters the function)" in lines


def test_what_is_used_without_a_call(tmp_path: Path) -> None:
    """A constant, as a cached result, may be noticed by any test of the folder."""
    constant = "LIMIT = 3\n\ndef is_long(size):\n    return size > LIMIT\n"
    project = small_project(tmp_path, limits=constant, test_limits="def test_no():\n    pass\n")
    (tmp_path / "tests" / "sizes" / "test_others.py").write_text("""\
def test_limit():
    from small.sizes.limits import LIMIT
    assert LIMIT == 3
""")
    code, _, _ = report(project, "--only", "small/sizes/limits.py:1")
    assert code == 0


def test_an_entry_that_matches_nothing_is_reported(tmp_path: Path) -> None:
    """The list cannot outlive the code that it speaks of."""
    stale = FILES[UNIMPORTANT].replace("9, 99", "9, 100")
    project = small_project(tmp_path, mutants_that_do_not_matter=stale)
    assert report(project, "--list").lines[0] == (
        f"{UNIMPORTANT} has an entry without a mutant:"
        " small/sizes/limits.py, ahead, return range(9, 100), 9 → 10"
    )


def test_an_entry_needs_a_reason(tmp_path: Path) -> None:
    """Nobody can take a mutant out of the count without a sentence."""
    bare = FILES[UNIMPORTANT].replace("reason =", "# reason =")
    project = small_project(tmp_path, mutants_that_do_not_matter=bare)
    with pytest.raises(msgspec.ValidationError, match="missing required field `reason`"):
        report(project, "--list")


@pytest.mark.parametrize(
    "source, changes",
    [
        ("x = a < b <= c", ["a < b <= c → a <= b <= c", "a < b <= c → a < b < c"]),
        ("x = a is not b", ["a is not b → a is b"]),
        ("x = a in b", ["a in b → a not in b"]),
        ("x = a and b or c", ["a and b or c → (a and b) and c", "a and b → a or b"]),
        ("x = not a", ["not a → a"]),
        ("x = a + b", ["a + b → a - b"]),
        ("x = a + 'b'", []),
        ("x = True, 7, 0.5, None, 'text'", ["True → False", "7 → 8"]),
        ("x = f(a, strict=True)", ["strict=True → strict=False"]),
        ("x = a[b:]", ["b → b + 1"]),
        ("x = a[:-1]", ["1 → 2"]),
        ("x = b if a else c", ["if a → if True", "if a → if False"]),
        ("x = [b for b in c if a]", ["if a → if True", "if a → if False"]),
        ("if a:\n    pass", ["if a → if True", "if a → if False"]),
        ("while a:\n    continue", ["if a → if False", "continue → pass"]),
        ("while True:\n    break", ["True → False", "break → pass"]),
        ("def f(a='b', *, c=1):\n    return a", ["'b' → ''", "1 → 2", "return a → return None"]),
        ("def f():\n    return False", ["False → True"]),
        ("f(a)", ["f(a) → pass"]),
        ("a.b = c", ["a.b = c → pass"]),
        ("del a[b]", ["del a[b] → pass"]),
        ("a += b", ["a += b → pass", "a += b → a -= b"]),
        ("raise a", ["raise a → pass"]),
        ("logger.warning('text', a + b)", ["logger.warning('text', a + b) → pass"]),
        ("match a:\n    case b if c:\n        pass", ["if c → if True", "if c → if False"]),
        ("f(1, 1)", ["f(1, 1) → pass", "1 → 2", "1 → 2 (2)"]),
    ],
)
def test_changes(source: str, changes: list[str]) -> None:
    """Each kind of code has its changes, in a fixed order; equal ones are numbered."""
    assert [mutant.change for mutant in find_mutants("m.py", source.encode())] == changes


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "x: Literal[1]",
        "def f(a: Literal[1]) -> Literal[2]:\n    pass",
        "if TYPE_CHECKING:\n    import a\n    b = 1",
        "if __name__ == '__main__':\n    f()",
        "def __repr__(self):\n    return 'a'",
        "@overload\ndef f(a=1): ...",
        "T = TypeVar('T', covariant=True)",
        "class A(B, frozen=True):\n    pass",
        "class A:\n    def __init__(self, a):\n        self.a = a",
        "self.logger.info('text', 1 + 1)",
        "x = f'{a + 1}'",
        "raise AssertionError  # pragma: no cover - cannot be",
    ],
)
def test_what_is_not_changed(source: str) -> None:
    """Documentation, types, debug output and wording have no mutants."""
    assert list(find_mutants("m.py", source.encode())) == []


def test_only_the_expression_changes() -> None:
    """All around a change stays as it was written, and the change binds as it should."""
    source = 'é = "é"  # a comment\nx = a == b  and not (\n    c or d\n)  # another\n'.encode()
    (dropped,) = (m for m in find_mutants("m.py", source) if m.change == "not (c or d) → c or d")
    assert dropped.apply(source).decode() == (
        'é = "é"  # a comment\nx = a == b  and (c or d)  # another\n'
    )
    assert dropped.identity == ("m.py", "", "x = a == b  and not (", "not (c or d) → c or d")


def test_every_mutant_of_the_tap_is_another_program() -> None:
    """No mutant dies because it is not Python, and none survives because it is the original."""
    project = Project()
    for mutant in project.mutants()[::40]:
        source = (project.root / mutant.path).read_bytes()
        changed = ast.parse(mutant.apply(source))
        assert ast.dump(changed) != ast.dump(ast.parse(source)), mutant


def test_every_folder_of_the_tap_has_tests() -> None:
    """The table names tests for each folder with mutants; the simulator has none."""
    folders = {folder_of(mutant.path) for mutant in Project().mutants()}
    assert folders <= set(TESTS)
