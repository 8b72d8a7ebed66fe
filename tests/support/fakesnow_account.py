"""An account of Snowflake's on this machine: fakesnow, which runs Snowflake's SQL in DuckDB files.

Run by the Python of target-snowflake's own environment, the only one that has fakesnow:
`load FOLDER …` is target-snowflake with its command line, `answer` takes SQL on standard input.

fakesnow puts itself in the place of `snowflake.connector`. It does not know the stage that every
user has, `@~`, nor queries of staged files, and the loader loads through nothing else. These are
understood here, and given to fakesnow as statements that it knows.
"""

from __future__ import annotations

import atexit
import json
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import fakesnow
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.instance import FakeSnow
from fakesnow.transforms.stage import LOCAL_BUCKET_PATH

if TYPE_CHECKING:
    from collections.abc import Callable

# fakesnow makes this folder when it is imported, and leaves it.
atexit.register(shutil.rmtree, LOCAL_BUCKET_PATH)

IN_STAGE = re.compile(r"'@~/([^']*)'(?:\(file_format => [^)]*\))?")
READ_LINES = (
    "create or replace temporary table staged_lines as "
    "select json as line, row_number() over () as seq from read_json_objects(?)"
)
STAGED = "temp.main.staged_lines"
"""What a query of staged files reads here: their lines, and the place of each among them."""

run_known: Callable[..., Any] = FakeSnowflakeCursor.execute


def understand_stages(folder: Path) -> None:
    """Let fakesnow run the loader's statements about the user's stage, which is a folder here."""

    def run(cursor: Any, command: str, params: Any = None, *args: Any, **options: Any) -> Any:
        named = IN_STAGE.search(command)
        if named is None:
            return run_known(cursor, command, params, *args, **options)
        place, verb = folder / named[1], command.split(maxsplit=1)[0].lower()
        if verb == "put":
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(url2pathname(urlsplit(params["file_uri"]).path), place)
            return run_known(cursor, "select 'UPLOADED' as status")
        if verb == "remove":
            shutil.rmtree(place)
            return run_known(cursor, "select 'removed' as result")
        return {"merge": merge, "copy": copy}[verb](cursor, read_staged(cursor, command, place))

    FakeSnowflakeCursor.execute = run


def read_staged(cursor: Any, command: str, place: Path) -> str:
    """Read the staged files into a table; the statement that queries it in their place."""
    files = [str(path) for path in sorted(place.iterdir())]
    # Behind fakesnow, which keeps books on every table and has none of temporary ones.
    cursor._duck_conn.execute(READ_LINES, [files])  # noqa: SLF001
    return IN_STAGE.sub(STAGED, command).replace("$1:", "line:").replace("SEQ8()", "seq")


def merge(cursor: Any, command: str) -> Any:
    """Merge rows of the staged lines, the last of each key, into a table."""
    # In DuckDB the window's keys would be those of the table, not the columns just named.
    command = re.sub(
        r"\((select .*)( from \S+) (QUALIFY .*)\) s on",
        r"(select * from (\1, seq\2) \3) s on",
        command,
    )
    # fakesnow merges with a table of its own, for which it wants a current schema.
    (schema,) = re.findall(r"^merge into (.+)\.[^.]+ d using", command)
    run_known(cursor, f"use schema {schema}")
    return run_known(cursor, command)


def copy(cursor: Any, command: str) -> Any:
    """Append rows of the staged lines to a table; the answer has their number where COPY has it."""
    insert = re.sub(r"^copy (into .*) from \((.*)\)\s*file_format = .*$", r"insert \1 \2", command)
    run_known(cursor, insert)
    return run_known(cursor, f"select 'all', 'LOADED', 0 as parsed, {cursor.rowcount} as loaded")


@cache
def opened(folder: str, database: str, schema: str) -> Any:
    """A connection to an account that is loaded no more."""
    return FakeSnow(db_path=folder).connect(database=database, schema=schema)


def answer() -> None:
    """Run SQL: for each line with an account's folder, where in it, and a statement, its rows."""
    for line in sys.stdin:
        *where, statement = json.loads(line)
        rows = opened(*where).cursor().execute(statement).fetchall()
        sys.stdout.write(json.dumps(rows, default=str) + "\n")
        sys.stdout.flush()


def load(folder: str, *words: str) -> None:
    """Run target-snowflake, with these words after its name on the command line."""
    from target_snowflake.target import TargetSnowflake  # noqa: PLC0415 - takes a second

    # The buffers are emptied one after another: fakesnow's merges trip over those of other threads.
    TargetSnowflake.max_parallelism = 1
    understand_stages(Path(folder) / "stage")
    # File formats, which are kept in memory alone, cannot be dropped.
    with fakesnow.patch(db_path=folder, nop_regexes=["drop file format"]):
        TargetSnowflake.cli(words)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    if verb == "load":
        load(*words)
    else:
        answer()
