"""Runs dbt, from the environment of its own, on a project that `tap-orgvue-dbt` has written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg.conninfo import conninfo_to_dict

from tap_orgvue.dbt.command import main
from tests.support.loaders import LOADERS, TIMEOUT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.loaders import Database

DBT = LOADERS / "dbt" / "bin" / "dbt"
MODELS = "orgvue_models"
"""The schema of the models, in the profile that the project has as an example."""


def generated(catalog: dict[str, Any], folder: Path, *words: str) -> Path:
    """Write the project of a catalog, with its example of a profile for a profile.

    Args:
        catalog: As discovered.
        folder: A temporary one.
        words: Further words of the command line.
    """
    path, project = folder / "catalog.json", folder / "transform"
    path.write_text(json.dumps(catalog), encoding="utf-8")
    assert main(["--catalog", str(path), "--into", str(project), *words]) == 0
    shutil.copy(project / "profiles.example.yml", project / "profiles.yml")
    return project


@dataclass(frozen=True)
class Dbt:
    """What a run of dbt left.

    Attributes:
        code: The exit code.
        log: What it wrote for people.
        results: Name of a model, snapshot or test to its status.
        failures: Name of a test to the number of rows that it found.
    """

    code: int
    log: str
    results: dict[str, str]
    failures: dict[str, int]

    @property
    def found(self) -> dict[str, int]:
        """The tests that found rows, and how many."""
        return {name: count for name, count in self.failures.items() if count}


def dbt(project: Path, *words: str, database: Database | None = None) -> Dbt:
    """Run dbt in a project.

    Args:
        project: Its folder.
        words: dbt's command and its options.
        database: The Postgres that the profile's variables name.
    """
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("DBT_", "COV"))}
    if database is not None:
        login = conninfo_to_dict(database.uri)
        variables["DBT_POSTGRES_HOST"] = str(login["host"])
        variables["DBT_POSTGRES_DATABASE"] = str(login["dbname"])
    variables["DBT_SNOWFLAKE_DATABASE"] = "warehouse"
    done = subprocess.run(
        [DBT, "--no-use-colors", *words],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    results = project / "target" / "run_results.json"
    told = json.loads(results.read_text(encoding="utf-8"))["results"] if results.exists() else []
    return Dbt(
        done.returncode,
        done.stdout + done.stderr,
        {_name(each): each["status"] for each in told},
        {_name(each): each["failures"] or 0 for each in told if "test." in each["unique_id"]},
    )


def _name(result: dict[str, Any]) -> str:
    return str(result["unique_id"].split(".")[2])
