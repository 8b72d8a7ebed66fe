"""What each loader makes of every cell that the tap sent: docs/loaders.md has it as a table.

A loader that stores something else than it was given does so in a way that is spelt out here, as
a function from what was sent to what is stored.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.cells import differences, feed, in_order, send, tenant
from tests.support.loaders import LOADERS, SCHEMA
from tests.support.snowflake import DATABASE, PYTHON, Snowflake, running_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue
    from tests.support.cells import Rows, Sent
    from tests.support.loaders import Database

PIPELINEWISE = LOADERS / "pipelinewise-target-postgres" / "bin" / "target-postgres"


@pytest.fixture(scope="module")
def orgvue() -> Iterator[Orgvue]:
    """The tenant that all loaders are given."""
    with tenant() as found:
        yield found


@pytest.fixture(scope="module")
def sent(orgvue: Orgvue) -> Sent:
    """The tenant as RECORD messages, with a version for each stream."""
    return send(orgvue, emit_activate_version_messages=True)


@pytest.fixture
def as_files(orgvue: Orgvue, tmp_path: Path) -> Sent:
    """The tenant as BATCH files, in the test's folder."""
    return send(orgvue, batch_config=batch_config(tmp_path))


def batch_config(folder: Path) -> dict[str, Any]:
    """BATCH files in a folder."""
    encoding = {"format": "jsonl", "compression": "gzip"}
    return {"encoding": encoding, "storage": {"root": folder.as_uri()}, "batch_size": 20}


def as_python(value: Any, kind: str) -> Any:
    """Dates and instants in UTC as a database driver gives them; all else as it was sent."""
    if value is None:
        return None
    if kind == "date":
        return date.fromisoformat(value)
    if kind == "date-time":
        return datetime.fromisoformat(value.replace("Z", "+00:00")).replace(tzinfo=None)
    return value


def with_floats(value: Any, kind: str) -> Any:
    """The same, with numbers as binary floating point: about 16 digits."""
    return float(value) if kind == "number" and value is not None else as_python(value, kind)


def in_postgres(database: Database) -> Rows:
    """All tables, without the loader's own columns."""
    rows: Rows = {}
    for table in database.tables():
        columns = list(database.columns(table))
        listed = ", ".join(f'"{column}"' for column in columns)
        found = database.ask(f'select {listed} from "{table}"')  # noqa: S608
        rows[table] = in_order(dict(zip(columns, row, strict=True)) for row in found)
    return rows


def test_target_postgres_stores_every_cell(sent: Sent, database: Database) -> None:
    """target-postgres stores all as it was sent, numbers to their last digit."""
    loaded = feed("target-postgres", database.target_config, sent)
    assert loaded.codes == (0, 0), loaded.log
    assert differences(in_postgres(database), sent.stored(as_python)) == []


def test_target_postgres_copies_numbers_as_floats(
    sent: Sent, as_files: Sent, database: Database, tmp_path: Path
) -> None:
    """BATCH files with `use_copy` arrive as RECORD messages do, but for digits beyond a float's.

    The files stay.
    """
    files = sorted(tmp_path.iterdir())
    assert files
    recipe = {**database.target_config, "use_copy": True, "validate_records": False}
    loaded = feed("target-postgres", recipe, as_files)
    assert loaded.codes == (0, 0), loaded.log
    numbers = {
        table: in_order(
            {name: float(cell) if isinstance(cell, Decimal) else cell for name, cell in row.items()}
            for row in rows
        )
        for table, rows in in_postgres(database).items()
    }
    assert differences(numbers, sent.stored(with_floats)) == []
    assert sorted(tmp_path.iterdir()) == files


def test_target_snowflake_stores_every_cell(sent: Sent, tmp_path: Path) -> None:
    """target-snowflake stores all as it was sent, numbers as floats."""
    login = {"account": "fake", "user": "fake", "password": "fake"}
    settings = {**login, "database": DATABASE, "schema": SCHEMA}

    def as_text(value: Any, kind: str) -> Any:
        found = with_floats(value, kind)
        return str(found) if isinstance(found, date) else found

    with running_sql() as sql:
        account = Snowflake(tmp_path, sql)
        loaded = feed([*PYTHON, "load", str(account.folder)], settings, sent)
        assert loaded.codes == (0, 0), loaded.log
        stored = {}
        for table, columns in account.tables().items():
            listed = ", ".join(f'"{column}"' for column in columns)
            names = [column.lower() for column in columns]
            found = account.ask(f'select {listed} from "{table}"')  # noqa: S608
            stored[table.lower()] = in_order(dict(zip(names, row, strict=True)) for row in found)
    assert differences(stored, sent.stored(as_text)) == []


def test_target_jsonl_stores_every_cell(sent: Sent, tmp_path: Path) -> None:
    """target-jsonl writes all as it was sent; a stream without rows has no file."""
    settings = {"destination_path": str(tmp_path), "do_timestamp_file": False}
    loaded = feed("target-jsonl", settings, sent)
    assert loaded.codes == (0, 0), loaded.log
    stored = {
        path.stem: in_order(
            json.loads(line, parse_float=Decimal)
            for line in path.read_text(encoding="utf-8").split("\n")[:-1]
        )
        for path in tmp_path.iterdir()
    }
    expected = sent.stored(lambda value, _: value)
    assert expected.pop("open_requisitions") == []
    assert differences(stored, expected) == []


def as_csv(value: Any, kind: str) -> str:
    """What stands in a CSV file: null and empty text are the same there."""
    if value is None:
        return ""
    if kind == "date-time":
        return str(datetime.fromisoformat(value.replace("Z", "+00:00")))
    return str(value)


def in_csv(folder: Path) -> Rows:
    """All files."""
    rows: Rows = {}
    for path in folder.iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            rows[path.stem] = in_order(csv.DictReader(file))
    return rows


def test_target_csv_stores_every_cell(sent: Sent, tmp_path: Path) -> None:
    """target-csv writes all as it was sent, null as empty text, and `True` and `False`."""
    loaded = feed("target-csv", {"output_path": str(tmp_path)}, sent)
    assert loaded.codes == (0, 0), loaded.log
    assert differences(in_csv(tmp_path), sent.stored(as_csv)) == []


def test_target_csv_takes_instants_in_batch_files_as_they_are(
    sent: Sent, as_files: Sent, tmp_path: Path
) -> None:
    """From BATCH files target-csv writes the same, but instants in the tap's form; files stay."""
    files = set(tmp_path.iterdir())
    folder = tmp_path / "csv"
    loaded = feed("target-csv", {"output_path": str(folder)}, as_files)
    assert loaded.codes == (0, 0), loaded.log
    expected = sent.stored(lambda value, kind: as_csv(value, "" if kind == "date-time" else kind))
    assert differences(in_csv(folder), expected) == []
    assert set(tmp_path.iterdir()) == {*files, folder}


def test_target_csv_takes_no_batch_files_with_versions(orgvue: Orgvue, tmp_path: Path) -> None:
    """With `emit_activate_version_messages` lines of BATCH files have columns it does not know."""
    files = send(orgvue, batch_config=batch_config(tmp_path), emit_activate_version_messages=True)
    loaded = feed("target-csv", {"output_path": str(tmp_path / "csv")}, files)
    assert loaded.codes == (0, 1)
    assert re.search("fields not in fieldnames: .*'_sdc_table_version'", loaded.log)


def pipelinewise_config(database: Database) -> dict[str, Any]:
    """A database, as this loader takes it; and streams without a key."""
    parts = conninfo_to_dict(database.uri)
    login = {"user": parts["user"], "password": "any", "dbname": parts["dbname"]}
    place = {"host": parts["host"], "port": 5432, "default_target_schema": SCHEMA}
    return {**place, **login, "primary_key_required": False}


def as_pipelinewise(value: Any, kind: str) -> Any:
    """What it damages: empty text is null, JSON's escapes stay, dates are text, numbers floats."""
    if value == "":
        return None
    if kind == "string" and value is not None:
        return re.sub(r'\\(["\\])', r"\1", json.dumps(value, ensure_ascii=False)[1:-1])
    return value if kind == "date" else with_floats(value, kind)


@pytest.mark.skipif(
    not PIPELINEWISE.exists() and sys.version_info >= (3, 12),
    reason="psycopg2-binary 2.9.5, which the loader pins, has no wheel for this Python",
)
def test_pipelinewise_target_postgres_loads_with_damage(sent: Sent, database: Database) -> None:
    """It loads every row; what it makes of texts, dates and numbers is known."""
    loaded = feed([str(PIPELINEWISE)], pipelinewise_config(database), sent)
    assert loaded.codes == (0, 0), loaded.log
    assert differences(in_postgres(database), sent.stored(as_pipelinewise)) == []
    assert set(database.columns("people").values()) == {
        *("character varying", "double precision", "boolean", "timestamp without time zone")
    }


def test_loaders_that_know_no_batch_files_refuse_them(
    as_files: Sent, database: Database, tmp_path: Path
) -> None:
    """target-jsonl and pipelinewise-target-postgres fail at a BATCH message, and store nothing."""
    folder = tmp_path / "output"
    loaded = feed("target-jsonl", {"destination_path": str(folder)}, as_files)
    assert loaded.codes == (0, 1)
    assert not folder.exists()
    if PIPELINEWISE.exists():
        loaded = feed([str(PIPELINEWISE)], pipelinewise_config(database), as_files)
        assert loaded.codes == (0, 1)
        assert "Unknown message type BATCH" in loaded.log
        assert all(not rows for rows in in_postgres(database).values())
