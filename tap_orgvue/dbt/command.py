"""The command `tap-orgvue-dbt`: a catalog in, a dbt project out. No request is sent."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tap_orgvue import __version__
from tap_orgvue.dbt.catalog import dataset_tables, tables_in
from tap_orgvue.dbt.project import project_files
from tap_orgvue.dbt.roles import COLUMN_ROLES, TABLE_ROLES, RoleFinder
from tap_orgvue.dbt.text import one_line
from tap_orgvue.dbt.writing import write_project
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.settings.files import read_json_object

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_orgvue.dbt.roles import Roles
    from tap_orgvue.dbt.writing import Written

_DONE, _USAGE, _PERSON_NEEDED = 0, 2, 3
"""As in `exit_codes`, which may not be imported here."""
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,39}")
_PACKAGES = {"dbt", "dbt_postgres", "dbt_snowflake"}
"""dbt's own packages, beside which a project may not have the same name."""

_EPILOG = """\
examples:
  tap-orgvue --config config.json --discover > catalog.json
  tap-orgvue-dbt --catalog catalog.json --into transform/
  tap-orgvue-dbt --catalog catalog.json --into transform/ --roles people=staff,cost=total_cost

An edited file is never overwritten without --force: what would be written is put beside it, as
FILE.new. A file that was removed stays away.
"""


class WrongOption(SettingsError):
    """The command line is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code, as the tap's: 0; 2 if the command line is wrong; 3 if a person is needed, for
        the catalog, the folder, or a name that the catalog lacks. An error is a line on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        lines = _run(options)
    except SettingsError as error:
        for mistake in error.mistakes:
            print(one_line(mistake), file=sys.stderr)  # noqa: T201 - the command's own output
        return _USAGE if isinstance(error, WrongOption) else _PERSON_NEEDED
    for line in lines:
        print(line)  # noqa: T201 - likewise
    return _DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tap-orgvue-dbt",
        description="Write a dbt project for a tenant's tables, from a catalog of the tap.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--catalog", required=True, metavar="FILE", help="what `tap-orgvue --discover` wrote"
    )
    parser.add_argument("--into", required=True, metavar="FOLDER", help="the project's folder")
    parser.add_argument(
        "--schema",
        default="orgvue",
        help="the schema that the loader writes into (default: orgvue)",
    )
    parser.add_argument(
        "--project-name",
        default="orgvue",
        metavar="NAME",
        help="the name of the project and of its profile (default: orgvue)",
    )
    parser.add_argument(
        "--roles",
        action="append",
        default=[],
        metavar="ROLE=NAME,…",
        help="the roles that the catalog lacks or has wrong: a stream for "
        f"{', '.join(TABLE_ROLES)}; a column for {', '.join(COLUMN_ROLES)}; or none",
    )
    parser.add_argument(
        "--joins",
        action="append",
        default=[],
        metavar="LINKS=FROM:TO,…",
        help="the streams that a LINKS dataset joins",
    )
    parser.add_argument(
        "--force", action="store_true", help="overwrite files that were edited or removed"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _run(options: argparse.Namespace) -> list[str]:
    """Run the command, once the options are parsed.

    Returns:
        The lines to print.

    Raises:
        SettingsError: An option, the catalog or the folder is invalid.
    """
    for option, name in (("--schema", options.schema), ("--project-name", options.project_name)):
        if not _NAME.fullmatch(name):
            raise WrongOption(
                [f"{option}: takes a name of a-z, 0-9 and _, of at most 40 characters."]
            )
    if options.project_name in _PACKAGES:
        raise WrongOption([f"--project-name: {options.project_name} is a package of dbt's own."])
    try:
        with Path(options.catalog).open(encoding="utf-8") as file:
            document = read_json_object("catalog", file)
    except OSError as error:
        raise WrongOption(
            [f"--catalog: {options.catalog!r} cannot be read: {error.strerror}."]
        ) from error
    tables = tables_in(document)
    if not list(dataset_tables(tables)):
        raise SettingsError(["--catalog: it selects no stream of a dataset."])
    finder = RoleFinder(tables, _pairs("--roles", options.roles), _pairs("--joins", options.joins))
    roles = finder.find()
    files = project_files(tables, roles, project=options.project_name, schema=options.schema)
    written = write_project(Path(options.into), files, force=options.force)
    return [
        *_role_lines(roles),
        *(one_line(note) for note in roles.notes),
        *_file_lines(written, options.into),
    ]


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """`a=b,c=d` as a dict.

    Raises:
        WrongOption: It is not of that form, or gives a name twice.
    """
    pairs: dict[str, str] = {}
    for text in ",".join(given).split(",") if given else ():
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise WrongOption([f"{option}: {text!r} is not of the form NAME=VALUE."])
        if name in pairs:
            raise WrongOption([f"{option}: {name!r} is given twice."])
        pairs[name] = value
    return pairs


def _role_lines(roles: Roles) -> Iterator[str]:
    for role, table in (
        ("people", roles.people),
        ("positions", roles.positions),
        ("links", roles.links),
        ("hierarchy", roles.tree),
    ):
        yield f"{role + ':':<11} {table.stream if table else 'none'}"
    for role, column in (
        ("cost", roles.cost),
        ("currency", roles.currency),
        ("active", roles.activity and roles.activity[0]),
        ("allocation", roles.allocation),
    ):
        yield f"{role + ':':<11} {column.name if column else 'none'}"


def _file_lines(written: Written, folder: str) -> Iterator[str]:
    counts = {
        "created": written.created,
        "updated": written.updated,
        "unchanged": written.unchanged,
        "removed": written.removed,
    }
    numbers = ", ".join(f"{len(names)} {word}" for word, names in counts.items() if names)
    yield f"Files in {folder}: {numbers or 'none written'}."
    for name in written.kept:
        beside = f"; the new one is {name}.new" if f"{name}.new" in written.beside else ""
        yield f"Kept, because it was edited: {name}{beside}."
    for name in written.left_out:
        yield f"Not written, because it was removed: {name}."
    for name in written.obsolete:
        yield f"Kept, because it was edited, although the catalog has no place for it: {name}."


if __name__ == "__main__":
    sys.exit(main())
