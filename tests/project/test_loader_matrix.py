"""docs/loaders.md names the loaders that are tested, in the versions that are."""

from __future__ import annotations

import re

import pytest

from tests.project.documents import DOCS, ROOT

LOCKS = sorted((ROOT / "loaders").glob("*.lock"))
PAGE = (DOCS / "loaders.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading of the page."""
    return re.split(r"\n#+ ", PAGE.partition(f"# {title}\n")[2])[0]


def matrix() -> dict[str, str]:
    """Loader to requirement, as the page has them of those in the tests."""
    return dict(re.findall(r"^\| (\S+) \| `(\S+)` \|", section("In the tests"), re.MULTILINE))


def test_the_page_has_each_tested_loader_and_no_other() -> None:
    """The matrix has a row for each lock file."""
    assert sorted(matrix()) == [path.stem for path in LOCKS]


@pytest.mark.parametrize("name", [path.stem for path in LOCKS])
def test_the_page_has_the_version_that_is_tested(name: str) -> None:
    """The matrix names the package and the version of the lock file, and so does the input."""
    requirement = matrix()[name]
    for path in (ROOT / "loaders" / f"{name}.lock", ROOT / "loaders" / f"{name}.in"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert any(line.split(" ")[0] == requirement for line in lines), path.name
    assert requirement.split("==")[0].endswith(name)


def test_loaders_measured_once_are_not_those_that_are_tested() -> None:
    """No loader stands in both tables."""
    once = re.findall(r"`([\w-]+)==", section("Measured once"))
    assert once
    assert not {*once} & {requirement.split("==")[0] for requirement in matrix().values()}
