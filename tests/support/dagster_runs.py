"""Starts the example for Dagster on simulated tenants, in an environment that has Dagster."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support.loaders import LOADERS, ROOT, Database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_orgvue.simulator import Orgvue

EXAMPLE = ROOT / "examples" / "dagster"
PYTHON = LOADERS / "dagster" / "bin" / "python"
WORKER = Path(__file__).with_name("dagster_worker.py")
LOG = "dagster.log"
Answer = dict[str, Any]

BEFORE = 'echo $$ >> {file}.pids; env > {file}.env; exec {program} "$@"'
"""What starts the tap, or the loader, and leaves its environment and the ids of its processes."""


@dataclass(frozen=True)
class Dagster:
    """The example at work.

    Attributes:
        folder: Where its store is, and what the tap and the loader were started with.
        process: Runs one thing after another.
    """

    folder: Path
    process: subprocess.Popen[str]

    def run(self, job: str, partition: str | Mapping[str, str]) -> Answer:
        """Run a job; how it ended, what it told, and how long it would have waited."""
        self.begin(job, partition)
        return self.answer()

    def begin(self, job: str, partition: str | Mapping[str, str]) -> None:
        """Begin to run a job, and do not wait for it."""
        self._tell(job=job, partition=partition)

    def requests(self, sensor: str) -> list[dict[str, str]]:
        """The partitions of the runs that a sensor requests since it was asked last."""
        self._tell(sensor=sensor)
        found: list[dict[str, str]] = self._answer()
        return found

    def answer(self) -> Answer:
        """Wait for the run that was begun; how it ended."""
        found: Answer = self._answer()
        return found

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, (self.folder / LOG).read_text(encoding="utf-8")
        return json.loads(line)

    def _tell(self, **command: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def environment(self, program: str) -> str:
        """The environment that the `tap`, or the `loader`, was started in last."""
        return (self.folder / f"{program}.env").read_text(encoding="utf-8")

    def pids(self, program: str) -> list[int]:
        """The processes of the `tap`, or of the `loader`, in order of their start."""
        path = self.folder / f"{program}.pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def state(self, tenant: str) -> dict[str, Any]:
        """The states of a tenant's streams."""
        folder = self.folder / "store" / "states" / tenant
        return {path.stem: json.loads(path.read_bytes()) for path in folder.glob("*.json")}


def environment_of(
    folder: Path,
    database: Database,
    tenants: Mapping[str, Orgvue],
    *,
    shards: int = 2,
    **settings: Any,
) -> dict[str, str]:
    """The example's environment, in which the tap and the loader are watched.

    Args:
        folder: For all files.
        database: Where all is loaded to, each tenant in its schema.
        tenants: Name to tenant.
        shards: Of each tenant.
        settings: Settings of the tap, for all tenants.
    """
    written = {
        name: {
            "shards": shards,
            "tap": {"api_url": orgvue.api_url, "tenant_id": orgvue.tenant_id, **settings},
            "secrets": {"api_token": f"{name.upper()}_TOKEN"},
            "loader": {"default_target_schema": name},
        }
        for name, orgvue in tenants.items()
    }
    (folder / "tenants.json").write_text(json.dumps(written), encoding="utf-8")
    programs = {
        "tap": f"{shlex.quote(sys.executable)} -m tap_orgvue",
        "loader": shlex.quote(str(LOADERS / "target-postgres" / "bin" / "target-postgres")),
    }
    commands = {
        name: shlex.join(
            ["sh", "-c", BEFORE.format(file=shlex.quote(str(folder / name)), program=program), name]
        )
        for name, program in programs.items()
    }
    inherited = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ
    }
    return {
        **inherited,
        **{f"{name.upper()}_TOKEN": orgvue.token for name, orgvue in tenants.items()},
        "ORGVUE_TENANTS": str(folder / "tenants.json"),
        "ORGVUE_STORE": str(folder / "store"),
        "ORGVUE_TAP": commands["tap"],
        "ORGVUE_LOADER": commands["loader"],
        "TARGET_POSTGRES_SQLALCHEMY_URL": database.uri,
        "PGTZ": "UTC",
        "PYTHONPATH": str(EXAMPLE),
    }


@contextmanager
def dagster(folder: Path, env: Mapping[str, str]) -> Iterator[Dagster]:
    """Start the example, until the block ends.

    Args:
        folder: See `environment_of`.
        env: Its environment.
    """
    with (
        (folder / LOG).open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [str(PYTHON), str(WORKER)],
            env=dict(env),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        yield Dagster(folder, process)
