"""The page `docs/beyond-one-machine.md`: its script keeps to the contract, snippets are sound."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tests.support.datasets import people
from tests.support.loaders import LOADERS, ROOT, Database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

PAGE = (ROOT / "docs" / "beyond-one-machine.md").read_text(encoding="utf-8")


BASH = shutil.which("bash") or "bash"


def blocks(language: str) -> list[str]:
    """The page's code in a language."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return found


def command(folder: Path, name: str, program: str) -> None:
    """Put a command into a folder, which leaves its environment beside."""
    path = folder / name
    path.write_text(f'#!/bin/sh\nenv > {folder}/{name}.env\nexec {program} "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_script_loads_keeps_the_last_state_and_ends_with_a_code_that_says_what_to_do(
    serve: Callable[..., Orgvue], database: Database, tmp_path: Path
) -> None:
    """As it stands on the page, but for the folders.

    0 with a state; 3 for a refused token; 6 where the loader failed, and the state stays.
    """
    orgvue = serve(people(3))
    command(tmp_path, "tap-orgvue", f"{sys.executable} -m tap_orgvue")
    command(tmp_path, "target-postgres", f"{LOADERS}/target-postgres/bin/target-postgres")
    text = next(block for block in blocks("sh") if block.startswith("#!"))
    for folder in ("/etc/orgvue", "/var/lib/orgvue"):
        text = text.replace(folder, str(tmp_path / "orgvue"))
    script = tmp_path / "orgvue-load"
    script.write_text(text, encoding="utf-8")
    (tmp_path / "orgvue").mkdir()
    config = {"api_url": orgvue.api_url, "tenant_id": orgvue.tenant_id}
    (tmp_path / "orgvue" / "acme.json").write_text(json.dumps(config), encoding="utf-8")

    def run(token: str = orgvue.token, warehouse: str = database.uri) -> int:
        own = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TOKEN": token, "WAREHOUSE": warehouse}
        return subprocess.run(
            [BASH, str(script), "acme"], env={**os.environ, **own}, cwd=tmp_path, check=False
        ).returncode

    assert run() == 0
    assert database.ask("select count(*) from acme.people") == [(3,)]
    state = tmp_path / "orgvue" / "acme" / "state.json"
    kept = state.read_bytes()
    assert "people" in json.loads(kept)["bookmarks"]
    assert orgvue.token not in (tmp_path / "target-postgres.env").read_text()
    assert database.uri not in (tmp_path / "tap-orgvue.env").read_text()
    assert run(warehouse=database.uri.replace("postgresql://", "postgresql://nobody@")) == 6
    assert run(token="of another tenant") == 3
    assert state.read_bytes() == kept


def test_the_snippets_can_be_read() -> None:
    """Kubernetes' job is not retried where a person is needed; Airflow's is Python."""
    [manifest] = map(import_module("yaml").safe_load, blocks("yaml"))
    [never, _] = manifest["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert never["onExitCodes"]["values"] == [2, 3]
    [dag] = blocks("python")
    compile(dag, "dag.py", "exec")
