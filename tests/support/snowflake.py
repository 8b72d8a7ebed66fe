"""Loads what the tap emits through the real target-snowflake into fakesnow, and asks that."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.loaders import LOADERS, SCHEMA, Loaded, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Sql = Callable[[Path, str], list[list[Any]]]

ACCOUNT = Path(__file__).with_name("fakesnow_account.py")
# Isolated: this folder is not on the path there, and nothing measures coverage.
PYTHON = (str(LOADERS / "target-snowflake" / "bin" / "python"), "-I", str(ACCOUNT))

DATABASE = "WAREHOUSE"
GENERATED = {"_ID", "_MODIFIED_AT", "_RESCUED_DATA"}


@dataclass(frozen=True)
class Snowflake:
    """An account of Snowflake's, as far as fakesnow has one.

    Attributes:
        folder: Where its data is.
        sql: What runs statements, see `running_sql`.
    """

    folder: Path
    sql: Sql

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Run one statement in the schema; its rows. What JSON does not know is given as text.

        Nothing can be loaded into the account any more.
        """
        return [tuple(row) for row in self.sql(self.folder, query)]

    def tables(self) -> dict[str, dict[str, str]]:
        """The tables, their columns and the types of those; without the loader's own columns."""
        found = self.ask(
            "select table_name, column_name, data_type from information_schema.columns "
            "where table_schema = current_schema() and not startswith(column_name, '_SDC_') "
            "order by table_name, ordinal_position"
        )
        tables: dict[str, dict[str, str]] = {}
        for table, column, kind in found:
            tables.setdefault(table, {})[column] = kind
        return tables

    def load(
        self,
        tap: dict[str, Any],
        catalog: dict[str, Any],
        state: dict[str, Any] | None = None,
        **target: Any,
    ) -> Loaded:
        """Pipe the tap into the loader, and expect that all goes well.

        Args:
            tap: The tap's settings.
            catalog: What the tap is given.
            state: What the tap is given.
            target: The loader's settings, beside those of the account.
        """
        login = {"account": "fake", "user": "fake", "password": "fake"}
        settings = {**login, "database": DATABASE, "schema": SCHEMA, **target}
        loaded = load([*PYTHON, "load", str(self.folder)], settings, tap, catalog, state)
        assert loaded.codes == (0, 0), loaded.log
        return loaded

    def as_it_is(self, folder: Path) -> Snowflake:
        """A copy that further loads do not change."""
        shutil.copytree(self.folder, folder)
        return Snowflake(folder, self.sql)


@contextmanager
def running_sql() -> Iterator[Sql]:
    """Start a process that runs statements, one after another; it keeps their accounts open."""
    with subprocess.Popen(
        [*PYTHON, "answer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(folder: Path, statement: str) -> list[list[Any]]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps([str(folder), DATABASE, SCHEMA, statement]) + "\n")
            process.stdin.flush()
            rows: list[list[Any]] = json.loads(process.stdout.readline())
            return rows

        yield ask
