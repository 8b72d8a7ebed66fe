"""The demo tenant loaded, a dbt project made for it and built, and three questions answered.

Beside each answer stands the figure that Python computes from the tenant's own rows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from demo.__main__ import OTHERS, ROOT, SCHEMA, print_table
from demo.database import postgres
from demo.figures import Figures
from tap_orgvue.simulator import Orgvue, demo_tenant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVIRONMENTS = ROOT / ".venv-loaders"
TAP = Path(sys.executable).with_name("tap-orgvue")
TAP_DBT = Path(sys.executable).with_name("tap-orgvue-dbt")
LOADER = ENVIRONMENTS / "target-postgres" / "bin" / "target-postgres"
DBT = ENVIRONMENTS / "dbt" / "bin" / "dbt"
PROJECT = ROOT / ".meltano" / "answers" / "transform"
"""Where the project stays, to be looked at."""
MODELS = "orgvue_models"

LAYERS = "select level, nodes from layers order by level"
WHO = """
    (select person_name, position_title, level, status, reports_to, vacant_positions_between
    from reporting_lines where level <= 2
    order by status desc, level, position_key, person_name limit 7)
    union all
    (select person_name, position_title, level, status, reports_to, vacant_positions_between
    from reporting_lines where vacant_positions_between > 0
    order by level, position_key, person_name limit 3)
"""
REPORTS = """
    select 'people in positions', count(*) from reporting_lines
    union all
    select 'with somebody above', count(reports_to_position) from reporting_lines
"""
HEADCOUNT = """
    select value, headcount from headcount
    where dimension = 'position_department' and value is not null order by value
"""
COST = """
    select value, cost from cost
    where dimension = 'position_department' and value is not null and currency = 'EUR'
    order by value
"""
VACANCIES = "select status, count(*) from vacancies group by status order by status"
VACANT = """
    select position_department, count(*) from vacancies
    where status = 'vacant' group by position_department order by position_department
"""


class StepFailed(Exception):
    """A command ended with an error."""


def main() -> int:
    """Run it.

    Returns:
        The exit code: 0 if every answer is the figure beside it.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with TemporaryDirectory(prefix="orgvue-answers-") as folder:
            return run(Path(folder))
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130
    except StepFailed as failed:
        print(f"\n{failed}", file=sys.stderr)
        return 1


def run(folder: Path) -> int:
    """Load, build, ask, compare.

    Args:
        folder: A temporary one, of the demo's own.
    """
    with Orgvue(demo_tenant()) as orgvue, postgres(folder) as uri:
        # What is set for another project or a real tenant has no part in this.
        env = {
            **{name: text for name, text in os.environ.items() if not name.startswith(OTHERS)},
            "TAP_ORGVUE_API_URL": orgvue.api_url,
            "TAP_ORGVUE_TENANT_ID": orgvue.tenant_id,
            "TAP_ORGVUE_API_TOKEN": orgvue.token,
            "TAP_ORGVUE_EMIT_ACTIVATE_VERSION_MESSAGES": "true",
            "TARGET_POSTGRES_SQLALCHEMY_URL": uri,
            "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
            "TARGET_POSTGRES_USE_COPY": "true",
            "TARGET_POSTGRES_VALIDATE_RECORDS": "false",
            "DBT_POSTGRES_HOST": str(conninfo_to_dict(uri)["host"]),
            "PGTZ": "UTC",
        }
        catalog = folder / "catalog.json"
        step("tap-orgvue --config ENV --discover > catalog.json")
        with catalog.open("wb") as out:
            checked([TAP, "--config", "ENV", "--discover"], env, folder, stdout=out)
        step("tap-orgvue --config ENV --catalog catalog.json | target-postgres --config ENV")
        load(env, catalog, folder)
        step(f"tap-orgvue-dbt --catalog catalog.json --into {PROJECT.relative_to(ROOT)}")
        checked([TAP_DBT, "--catalog", catalog, "--into", PROJECT, "--force"], env, folder)
        profile = (PROJECT / "profiles.example.yml").read_text(encoding="utf-8")
        (PROJECT / "profiles.yml").write_text(profile, encoding="utf-8")
        step("dbt build")
        checked([DBT, "--no-use-colors", "--quiet", "build"], env, PROJECT)
        return answers(uri, Figures(orgvue.tenant))


def step(command: str) -> None:
    """Tell what is run."""
    print(f"[{time.strftime('%H:%M:%S')}] $ {command}", flush=True)


def checked(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    folder: Path,
    stdout: Any = subprocess.PIPE,
) -> None:
    """Run a command.

    Raises:
        StepFailed: It ended with an error; the message has what it wrote.
    """
    done = subprocess.run(
        command, env=env, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        told = ((done.stdout or b"") + done.stderr).decode(errors="replace")
        raise StepFailed(f"{Path(command[0]).name} ended with {done.returncode}:\n{told[-3000:]}")


def load(env: Mapping[str, str], catalog: Path, folder: Path) -> None:
    """Pipe the tap into the loader.

    Raises:
        StepFailed: Either ended with an error.
    """
    log = folder / "log"
    with (
        log.open("wb") as stderr,
        subprocess.Popen(
            [TAP, "--config", "ENV", "--catalog", catalog],
            env=env,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as tap,
    ):
        loaded = subprocess.run(
            [LOADER, "--config", "ENV"],
            env=env,
            cwd=folder,
            stdin=tap.stdout,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            check=False,
        )
    if tap.returncode or loaded.returncode:
        told = log.read_text(encoding="utf-8", errors="replace")
        raise StepFailed(f"The load ended with an error:\n{told[-3000:]}")


def answers(uri: str, figures: Figures) -> int:
    """Ask the models, and print their answers beside the figures.

    Returns:
        1 if one of them differs, else 0.
    """
    lines = figures.reports_to()
    reporting = {
        "people in positions": len(lines),
        "with somebody above": sum(above is not None for above in lines.values()),
    }
    headcount = {name: part for name, part in figures.headcount().items() if name}
    cost = {name: part for (name, code), part in figures.cost().items() if name and code == "EUR"}
    vacancies = figures.vacancies()
    vacant = [key for key, status in vacancies.items() if status == "vacant"]
    departments = Counter(figures.positions[key]["department"] for key in vacant)
    questions = (
        ("   Layers", "level", LAYERS, figures.layers()),
        ("   Reporting lines", "", REPORTS, reporting),
        ("2. Headcount by department", "department", HEADCOUNT, headcount),
        ("   Its cost in EUR", "department", COST, cost),
        ("3. Vacancies", "status", VACANCIES, Counter(vacancies.values())),
        ("   Vacant by department", "department", VACANT, departments),
    )
    with psycopg.connect(uri, options=f"-c search_path={MODELS}") as connection:
        heading = ("person", "position", "level", "status", "reports to", "vacancies passed")
        found = connection.execute(WHO).fetchall()
        rows = [["" if cell is None else cell for cell in row] for row in found]
        print_table("1. Who reports to whom", heading, rows)
        right = [
            beside(title, name, connection.execute(query.encode()).fetchall(), expected)
            for title, name, query, expected in questions
        ]
    print(f"\nThe dbt project is in {PROJECT.relative_to(ROOT)}.")
    return 0 if all(right) else 1


def beside(
    title: str, name: str, found: Sequence[tuple[Any, Any]], figures: Mapping[Any, Any]
) -> bool:
    """Print dbt's figures beside Python's.

    Returns:
        True if all of them are equal.
    """
    answer = dict(found)
    names = [*answer, *(each for each in figures if each not in answer)]
    rows = []
    for each in names:
        ours, theirs = figures.get(each, 0), answer.get(each, 0)
        same = ours == theirs
        rows.append((each, number(theirs), number(ours), "" if same else "DIFFERENT"))
    print_table(title, (name, "dbt", "Python", ""), rows)
    return not any(row[-1] for row in rows)


def number(value: Any) -> str:
    """A figure with at most two decimals."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
