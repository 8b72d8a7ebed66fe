"""The command, and what it does in a folder that belongs to its user."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue import __version__
from tap_orgvue.dbt.command import main
from tap_orgvue.dbt.writing import MANIFEST
from tests.support.catalogs import LINKS, PEOPLE, POSITIONS, catalog, stream

if TYPE_CHECKING:
    from pathlib import Path

VACANCIES = "models/marts/vacancies.sql"
LAYERS = "models/marts/layers.sql"


def write(folder: Path, *words: str, streams: tuple[dict[str, Any], ...] | None = None) -> int:
    """Run the command with a catalog of these streams, into `transform`."""
    path = folder / "catalog.json"
    path.write_text(json.dumps(catalog(*(streams or (PEOPLE, POSITIONS, LINKS)))), "utf-8")
    return main(["--catalog", str(path), "--into", str(folder / "transform"), *words])


def contents(folder: Path) -> dict[str, bytes]:
    """The files of the project."""
    root = folder / "transform"
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.slow
def test_the_command_is_installed(tmp_path: Path) -> None:
    """It runs as a process of its own, needs no tenant, and tells what it has done."""
    (tmp_path / "catalog.json").write_text(json.dumps(catalog(PEOPLE, POSITIONS, LINKS)))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tap_orgvue.dbt.command"),
            *("--catalog", "catalog.json", "--into", "transform/"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "people:     people" in done.stdout
    assert " created." in done.stdout
    assert (tmp_path / "transform" / "dbt_project.yml").is_file()


@pytest.mark.parametrize("missing", ["--catalog", "--into"])
def test_an_option_that_is_missing(capsys: pytest.CaptureFixture[str], missing: str) -> None:
    """It is named, and the exit code is that of a wrong command line."""
    [other] = {"--catalog", "--into"} - {missing}
    with pytest.raises(SystemExit, match="2"):
        main([other, "x"])
    assert f"required: {missing}" in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the tap's; the help has examples, a line each."""
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"tap-orgvue-dbt {__version__}\n"
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "\n  tap-orgvue-dbt --catalog catalog.json --into" in capsys.readouterr().out


@pytest.mark.parametrize(
    "streams,roles",
    [
        (
            (PEOPLE, POSITIONS, LINKS),
            {
                "people": "people",
                "positions": "positions",
                "links": "people_to_positions",
                "hierarchy": "positions",
                "cost": "annual_cost",
                "currency": "currency",
                "active": "leaver",
                "allocation": "allocation",
            },
        ),
        ((stream("people", "id", "PEOPLE", auto_id="id"),), {"people": "people"}),
        ((stream("rest", "x", "OTHER"),), {}),
    ],
)
def test_roles_are_reported(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    streams: tuple[dict[str, Any], ...],
    roles: dict[str, str],
) -> None:
    """Which table or column has each role, or none, and how many files were written where."""
    assert write(tmp_path, streams=streams) == 0
    files = f"Files in {tmp_path / 'transform'}: {len(contents(tmp_path)) - 1} created."
    names = "people positions links hierarchy cost currency active allocation"
    assert capsys.readouterr().out.splitlines() == [
        *(f"{f'{name}:':11} {roles.get(name, 'none')}" for name in names.split()),
        files,
    ]


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same catalog gives the same files, to the byte."""
    assert write(tmp_path) == 0
    before = contents(tmp_path)
    assert before[MANIFEST].startswith(b'{\n  ".gitignore": "')
    capsys.readouterr()
    assert write(tmp_path) == 0
    assert contents(tmp_path) == before
    out = capsys.readouterr().out
    assert f"{len(before) - 1} unchanged." in out
    assert "created" not in out


def test_an_edited_file_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What would be written is put beside it, once; `--force` overwrites."""
    write(tmp_path)
    sources = tmp_path / "transform" / "models" / "staging" / "sources.yml"
    sources.write_text("# mine\n")
    assert write(tmp_path) == 0
    # Nothing new has come: there is nothing to put beside it.
    assert sources.read_text() == "# mine\n"
    assert not sources.with_name("sources.yml.new").exists()
    assert "Kept, because it was edited: models/staging/sources.yml." in capsys.readouterr().out
    more = (PEOPLE, POSITIONS, LINKS, stream("more", "x", "OTHER"))
    assert write(tmp_path, streams=more) == 0
    assert sources.read_text() == "# mine\n"
    assert "more" in sources.with_name("sources.yml.new").read_text()
    assert "the new one is models/staging/sources.yml.new" in capsys.readouterr().out
    assert "models/staging/stg_more.sql" in contents(tmp_path)
    assert write(tmp_path, "--force", streams=more) == 0
    assert "more" in sources.read_text()


def test_files_that_nobody_edited_follow_the_catalog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are updated; what the catalog has no place for is removed, if it was not edited.

    A file that the user has removed is not told of then.
    """
    write(tmp_path)
    quality = tmp_path / "transform" / "tests" / "quality"
    for edited in (quality / "orphans.sql", quality / "cycles.sql"):
        edited.write_text("select 1 as mine\n")
    (tmp_path / "transform" / LAYERS).unlink()
    capsys.readouterr()
    assert write(tmp_path, streams=(PEOPLE,)) == 0
    *_, numbers, first, second = capsys.readouterr().out.splitlines()
    assert re.search(r": \d+ updated, \d+ unchanged, \d+ removed\.$", numbers)
    told = "Kept, because it was edited, although the catalog has no place for it: tests/quality"
    assert [first, second] == [f"{told}/cycles.sql.", f"{told}/orphans.sql."]
    left = contents(tmp_path)
    assert VACANCIES not in left
    assert left["tests/quality/orphans.sql"] == b"select 1 as mine\n"
    assert b"positions" not in left["models/staging/sources.yml"]


def test_what_was_removed_stays_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that the user has removed is not written again, until `--force` says so."""
    write(tmp_path)
    (tmp_path / "transform" / VACANCIES).unlink()
    assert write(tmp_path) == 0
    assert VACANCIES not in contents(tmp_path)
    assert f"Not written, because it was removed: {VACANCIES}." in capsys.readouterr().out
    assert write(tmp_path, "--force") == 0
    assert VACANCIES in contents(tmp_path)


def test_a_file_with_other_line_ends_is_not_edited(tmp_path: Path) -> None:
    """Git may have changed them."""
    write(tmp_path)
    path = tmp_path / "transform" / VACANCIES
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert write(tmp_path, streams=(PEOPLE,)) == 0
    assert VACANCIES not in contents(tmp_path)


def test_the_project_of_another_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dbt project that the command has not written is left alone, whole."""
    (tmp_path / "transform").mkdir()
    (tmp_path / "transform" / "dbt_project.yml").write_text("name: theirs\n")
    assert write(tmp_path) == 3
    assert [*contents(tmp_path)] == ["dbt_project.yml"]
    assert "--force" in capsys.readouterr().err


def test_files_beside_are_nobodys_business(tmp_path: Path) -> None:
    """A folder with other things in it takes the project, and keeps them."""
    (tmp_path / "transform" / "models").mkdir(parents=True)
    (tmp_path / "transform" / "README.md").write_text("mine\n")
    (tmp_path / "transform" / "models" / "own.sql").write_text("select 1\n")
    assert write(tmp_path) == 0
    left = contents(tmp_path)
    assert left["README.md"] == b"mine\n"
    assert left["models/own.sql"] == b"select 1\n"
    assert "README.md.new" in left


@pytest.mark.parametrize(
    "words,code,said",
    [
        (["--schema", "a b"], 2, "--schema"),
        (["--project-name", "1x"], 2, "--project-name"),
        (["--project-name", "dbt"], 2, "a package of dbt's own"),
        (["--roles", "people"], 2, "--roles: 'people' is not of the form"),
        (["--roles", "people=a,people=b"], 2, "given twice"),
        (["--roles", "people=nobody"], 3, "There are: people"),
        (["--joins", "people_to_positions=x:y"], 3, "--joins"),
    ],
)
def test_a_wrong_option_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    """It is told in a line, and nothing is written; a name may be right for another catalog."""
    assert write(tmp_path, *words) == code
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "transform").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"streams": 7}', json.dumps(catalog()), '{"streams": [{}]}']
)
def test_a_catalog_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """It is told in one line, and nothing is written."""
    (tmp_path / "catalog.json").write_text(text)
    words = ["--catalog", str(tmp_path / "catalog.json"), "--into", str(tmp_path / "transform")]
    assert main(words) == 3
    told = capsys.readouterr().err
    assert "catalog" in told
    assert told.count("\n") == 1
    assert not (tmp_path / "transform").exists()


def test_files_that_cannot_be_read_or_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A catalog that is not there, a folder that is a file, and a damaged list of hashes."""
    assert main(["--catalog", str(tmp_path / "none"), "--into", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "transform").write_text("a file")
    assert write(tmp_path) == 3
    assert "cannot be written" in capsys.readouterr().err
    (tmp_path / "transform").unlink()
    write(tmp_path)
    (tmp_path / "transform" / MANIFEST).write_text("[]")
    assert write(tmp_path) == 3
    assert "is damaged" in capsys.readouterr().err


def test_names_of_project_and_schema(tmp_path: Path) -> None:
    """Both are where dbt looks for them."""
    assert write(tmp_path, "--schema", "raw", "--project-name", "acme") == 0
    left = contents(tmp_path)
    assert b"name: acme\n" in left["dbt_project.yml"]
    assert b"schema: raw\n" in left["models/staging/sources.yml"]
    assert b"\nacme:\n" in left["profiles.example.yml"]
