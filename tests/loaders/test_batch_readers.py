"""What docs/loaders.md has people run over BATCH files, run as it stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.project.documents import DOCS
from tests.support.cells import differences, in_order, send, tenant

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cells import Rows, Sent

TYPES = {"string": "VARCHAR", "number": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE"} | {
    "date-time": "TIMESTAMP"
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sent]:
    """The folder in which the page's script was run, and what the tap sends as RECORD messages."""
    folder = tmp_path_factory.mktemp("readers")
    page = (DOCS / "loaders.md").read_text(encoding="utf-8")
    parts = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    wanted = [part for part in parts if "import json" in part or "duckdb" in part]
    assert len(wanted) == 3
    encoding = {"format": "jsonl", "compression": "gzip"}
    storage = {"root": (folder / "files").as_uri()}
    config = {"encoding": encoding, "storage": storage, "batch_size": 20}
    with tenant() as orgvue:
        sent = send(orgvue)
        # The lines then have columns that no SCHEMA names.
        files = send(orgvue, batch_config=config, emit_activate_version_messages=True)
    (folder / "messages.jsonl").write_text(files.messages, encoding="utf-8", newline="\n")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(wanted)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder, sent


def rows(folder: Path, sent: Sent, table: str) -> Rows:
    """What DuckDB has of each stream, dates and instants as text of the tap's form.

    Args:
        folder: Where the script was run.
        sent: The streams.
        table: What to query, with `{}` for the stream's name.
    """
    found: Rows = {}
    with duckdb.connect(str(folder / "orgvue.duckdb"), read_only=True) as database:
        for stream in sent.types:
            query = database.execute(f"select * from {table.format(stream)}")  # noqa: S608
            names = [column[0] for column in query.description or ()]
            found[stream] = in_order(
                {name: as_sent(cell) for name, cell in zip(names, row, strict=True)}
                for row in query.fetchall()
            )
    return found


def as_sent(cell: Any) -> Any:
    """Dates and instants in the tap's form."""
    if not hasattr(cell, "isoformat"):
        return cell
    text = cell.isoformat()
    return f"{cell.isoformat(timespec='milliseconds')}Z" if "T" in text else text


def as_floats(value: Any, kind: str) -> Any:
    """Numbers as DuckDB has them, and instants always with milliseconds."""
    if value is None:
        return None
    if kind == "date-time" and "." not in value:
        return value.replace("Z", ".000Z")
    return float(value) if kind == "number" else value


@pytest.mark.parametrize("table", ['"{}"', "read_parquet('{}.parquet')"], ids=["table", "parquet"])
def test_the_page_loads_every_cell_into_duckdb(
    loaded: tuple[Path, Sent], table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stream is a table, and a Parquet file, with every row and value; empty streams too."""
    folder, sent = loaded
    monkeypatch.chdir(folder)
    assert differences(rows(folder, sent, table), sent.stored(as_floats)) == []


def test_the_page_gives_columns_the_types_of_the_schema(loaded: tuple[Path, Sent]) -> None:
    """Columns in DuckDB have the SCHEMA's types, those without any value as well."""
    folder, sent = loaded
    with duckdb.connect(str(folder / "orgvue.duckdb"), read_only=True) as database:
        for stream, kinds in sent.types.items():
            found = database.execute(f'describe "{stream}"').fetchall()
            expected = [(name, TYPES[kind]) for name, kind in kinds.items()]
            assert [column[:2] for column in found] == expected


def test_the_page_keeps_the_state_for_the_next_run(loaded: tuple[Path, Sent]) -> None:
    """`state.json` is a state with all streams, which the tap takes."""
    folder, sent = loaded
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    assert state["bookmarks"].keys() >= sent.types.keys()
    with tenant() as orgvue:
        again = send(orgvue, state)
    assert again.rows.keys() == sent.rows.keys()
