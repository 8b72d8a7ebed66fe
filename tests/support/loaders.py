"""Loads what the tap emits through real loaders, into real databases, and asks those."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tests.support.files import written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = Path(__file__).resolve().parents[2]
LOADERS = ROOT / ".venv-loaders"
"""Each loader has an environment of its own there, see the Makefile."""

SCHEMA = "orgvue"
TIMEOUT = 280
"""Seconds: less than a test may take, see pyproject.toml."""


@dataclass(frozen=True)
class Database:
    """A database of the embedded server's.

    Attributes:
        uri: As psycopg and target-postgres take it.
    """

    uri: str

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement; its rows, if it gives any. Tables are looked up in `orgvue`."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f"set search_path to {SCHEMA}")
            answer = connection.execute(query.encode(), values or None)
            return answer.fetchall() if answer.description else []

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.ask(f'select count(*) from "{table}"')[0][0])  # noqa: S608

    def tables(self) -> list[str]:
        """The names of the tables that were loaded, in order."""
        found = self.ask(
            "select table_name from information_schema.tables "
            "where table_schema = %s order by table_name",
            SCHEMA,
        )
        return [name for (name,) in found]

    def columns(self, table: str) -> dict[str, str]:
        """The columns that the tap gave a table, and their types; without the loader's own."""
        found = self.ask(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %s and table_name = %s order by ordinal_position",
            SCHEMA,
            table,
        )
        return {name: kind for name, kind in found if not name.startswith("_sdc_")}

    @property
    def target_config(self) -> dict[str, Any]:
        """What target-postgres needs to load into it."""
        return {"sqlalchemy_url": self.uri, "default_target_schema": SCHEMA}


def make_database(
    server_uri: str, name: str, *, zone: str = "UTC", like: str = "template1"
) -> Database:
    """Make a database whose sessions are in a time zone.

    Args:
        server_uri: That of the server's database `postgres`.
        name: The new database's name.
        zone: Its time zone, whatever a client's machine is in.
        like: The database that it is a copy of.
    """
    with psycopg.connect(server_uri, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(like)
            )
        )
        connection.execute(
            sql.SQL("alter database {} set timezone to {}").format(
                sql.Identifier(name), sql.Literal(zone)
            )
        )
    return Database(server_uri.replace("/postgres?", f"/{name}?"))


@dataclass(frozen=True)
class Loaded:
    """What a pipe of tap and loader left.

    Attributes:
        codes: The exit codes of both, the tap's first.
        log: What both wrote for people.
        state: The last state that the loader passed on; None when there was none.
    """

    codes: tuple[int, int]
    log: str
    state: dict[str, Any] | None


def load(  # noqa: PLR0913 - what both of them are given
    loader: str | Sequence[str],
    target_config: dict[str, Any],
    tap_config: dict[str, Any],
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    *,
    kill_when: Callable[[], bool] | None = None,
) -> Loaded:
    """Pipe the real tap into a real loader, as `tap-orgvue … | target-…` does.

    Args:
        loader: The loader's name, or the words that start it.
        target_config: The loader's settings.
        tap_config: The tap's settings.
        catalog: What the tap is given; it discovers without one.
        state: What the tap is given.
        kill_when: The tap is killed as soon as this is so.
    """
    with TemporaryDirectory() as folder:
        tap_folder, target_folder = Path(folder, "tap"), Path(folder, "target")
        for each in (tap_folder, target_folder):
            each.mkdir()
        words = written(tap_folder, config=tap_config, catalog=catalog, state=state)
        program = [LOADERS / loader / "bin" / loader] if isinstance(loader, str) else loader
        target_words = written(target_folder, config=target_config)
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            tap = subprocess.Popen(
                [sys.executable, "-m", "tap_orgvue", *words],
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=folder,
            )
            with tap:
                if kill_when is not None:
                    Thread(target=_kill, args=(tap, kill_when), daemon=True).start()
                target = subprocess.run(
                    [*program, *target_words],
                    stdin=tap.stdout,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=folder,
                    check=False,
                    timeout=TIMEOUT,
                    # The tap's coverage measurement, if there is any, is not the loader's.
                    env={k: v for k, v in os.environ.items() if not k.startswith("COV")},
                )
        states = target.stdout.decode().splitlines()
        return Loaded(
            (tap.returncode, target.returncode),
            log.read_text(encoding="utf-8"),
            json.loads(states[-1]) if states else None,
        )


def _kill(tap: subprocess.Popen[bytes], when: Callable[[], bool]) -> None:
    while tap.poll() is None:
        if when():
            tap.kill()
        time.sleep(0.01)
