"""Meltano projects that run the tap as users have it: installed from its wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tests.support.loaders import LOADERS, ROOT, SCHEMA, Database

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

MELTANO = Path(sys.executable).with_name("meltano")
TIMEOUT = 240


@dataclass(frozen=True)
class Project:
    """A Meltano project, made from the `meltano.yml` that is shipped.

    Attributes:
        folder: Where it is.
        wheel: The tap, as it is released.
        constraints: The file that pins what is installed with it.
        state: The file of Meltano's own database, which keeps the state between runs.
    """

    folder: Path
    wheel: Path
    constraints: Path
    state: Path

    def configure(self, **extras: Any) -> None:
        """Write `meltano.yml`: as shipped, but for where the plugins are, and these extras."""
        shipped = YAML(typ="safe").load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
        (tap,) = shipped["plugins"]["extractors"]
        tap["pip_url"] = f"{self.wheel.as_uri()} -c {self.constraints.as_uri()}"
        tap.update(extras)
        for loader in shipped["plugins"]["loaders"]:
            # Those of the tests' own environments: installed already, at locked versions.
            del loader["pip_url"]
            loader["executable"] = str(LOADERS / loader["name"] / "bin" / loader["name"])
        YAML(typ="safe").dump(shipped, self.folder / "meltano.yml")

    def inherit(self, *names: str, **extras: Any) -> None:
        """Add plugins that inherit from the tap, each with these extras of its own."""
        path = self.folder / "meltano.yml"
        whole = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        whole["plugins"]["extractors"] += [
            {"name": name, "inherit_from": "tap-orgvue", **extras} for name in names
        ]
        YAML(typ="safe").dump(whole, path)

    def run(self, orgvue: Orgvue, loader: str, **env: str) -> None:
        """Run tap and loader, and expect that all goes well."""
        done = self.meltano(orgvue, "run", "tap-orgvue", loader, **env)
        assert done.returncode == 0, done.stdout + done.stderr

    def meltano(self, orgvue: Orgvue, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Meltano's."""
        return subprocess.run(
            [str(MELTANO), *words],
            cwd=self.folder,
            env={**_inherited(), **self._environment(orgvue), **env},
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def _environment(self, orgvue: Orgvue) -> dict[str, str]:
        """Meltano's settings and the tap's."""
        config = {f"TAP_ORGVUE_{name.upper()}": str(value) for name, value in orgvue.config.items()}
        return {
            **config,
            "MELTANO_DATABASE_URI": f"sqlite:///{self.state}",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            # pip has set up the environment of the tests; it finds the tap's dependencies too.
            "MELTANO_VENV_BACKEND": "virtualenv",
        }


def _inherited() -> dict[str, str]:
    """The environment without what is set for other projects, or measures coverage."""
    others = ("COV", "MELTANO_", "TAP_ORGVUE_", "TARGET_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def into(database: Database) -> dict[str, str]:
    """target-postgres' settings, likewise."""
    return {
        "TARGET_POSTGRES_SQLALCHEMY_URL": database.uri,
        "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": SCHEMA,
    }


def make_project(folder: Path) -> Project:
    """Build the tap's wheel, and pin what is installed with it.

    Args:
        folder: An empty one, for the wheel and the project.
    """
    # Not by pip, which is not in every environment: tox' have none.
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", str(folder)], cwd=ROOT, check=True, timeout=TIMEOUT)
    (wheel,) = folder.glob("tap_orgvue-*.whl")
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = re.findall(r"^([\w.-]+==[^\s;]+(?: *;[^\\\n]+)?)", locked, re.MULTILINE)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(pins), encoding="utf-8")
    project = folder / "project"
    project.mkdir()
    return Project(project, wheel, constraints, folder / "meltano.db")
