"""What a team does with Meltano: add the tap, choose, run, schedule, keep states apart."""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from demo.__main__ import constraints
from tap_orgvue.simulator import Orgvue, Property, Tenant, demo_tenant
from tests.project.documents import README
from tests.project.meltano_definition import DEFINITION
from tests.support.datasets import people
from tests.support.loaders import ROOT, Database
from tests.support.meltano import MELTANO

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.meltano import Project


def beside_the_checkout(folder: Path) -> Path:
    """An empty project folder with the checkout beside it, as the README has people make it."""
    (folder / "tap-orgvue").symlink_to(ROOT, target_is_directory=True)
    project = folder / "project"
    project.mkdir()
    return project


def meltano(project: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Meltano in a project of its own making, and expect that all goes well."""
    others = ("COV", "MELTANO_", "TAP_ORGVUE_", "TARGET_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    done = subprocess.run(
        [str(MELTANO), *words],
        cwd=project,
        env={
            **inherited,
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_VENV_BACKEND": "virtualenv",
            "PIP_CONSTRAINT": str(constraints(project.parent)),
            **env,
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def variables(orgvue: Orgvue) -> dict[str, str]:
    """A tenant's settings as the tap's variables."""
    return {f"TAP_ORGVUE_{name.upper()}": str(value) for name, value in orgvue.config.items()}


def test_the_readmes_project_works_as_it_stands(tmp_path: Path, database: Database) -> None:
    """The README's `meltano.yml`, copied literally, loads what it selects, and nothing else."""
    project = beside_the_checkout(tmp_path)
    (text,) = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (project / "meltano.yml").write_text(text, encoding="utf-8")
    with Orgvue(demo_tenant(people=30, positions=10)) as orgvue:
        meltano(
            project,
            *("run", "tap-orgvue", "target-postgres"),
            **variables(orgvue),
            TARGET_POSTGRES_SQLALCHEMY_URL=database.uri,
            PGTZ="UTC",
        )
    assert database.tables() == ["people", "positions"]
    assert "salary" not in database.columns("people")


def test_the_tap_is_added_from_its_definition(tmp_path: Path) -> None:
    """`meltano add --from-ref` makes an extractor with every setting, and installs it."""
    project = beside_the_checkout(tmp_path)
    meltano(project, "init", ".", "--no-usage-stats")
    ref = f"../tap-orgvue/{DEFINITION.relative_to(ROOT)}"
    meltano(project, "add", "tap-orgvue", "--plugin-type", "extractor", "--from-ref", ref)
    meltano(project, "config", "set", "tap-orgvue", "_use_cached_catalog", "false")
    told = YAML(typ="safe").load((project / "meltano.yml").read_text(encoding="utf-8"))
    (plugin,) = told["plugins"]["extractors"]
    defined = YAML(typ="safe").load(DEFINITION.read_text(encoding="utf-8"))
    assert plugin["use_cached_catalog"] is False
    assert [each["name"] for each in plugin["settings"]] == [
        each["name"] for each in defined["settings"]
    ]
    assert plugin["capabilities"] == defined["capabilities"]
    with Orgvue(demo_tenant(people=5, positions=5)) as orgvue:
        checked = meltano(project, "invoke", "tap-orgvue", "--test", **variables(orgvue))
    assert "✗" not in checked.stdout


def test_settings_are_shown_without_secrets(project: Project, orgvue: Orgvue) -> None:
    """`meltano config print` shows what is set, and no token."""
    done = project.meltano(orgvue, "config", "print", "tap-orgvue")
    assert done.returncode == 0, done.stderr
    assert f'"tenant_id": "{orgvue.tenant_id}"' in done.stdout
    assert orgvue.token not in done.stdout


def test_streams_and_columns_are_listed(project: Project, orgvue: Orgvue) -> None:
    """`meltano select --list` names every stream and column, and what is chosen."""
    project.configure(select=["people.*", "!people.salary"])
    done = project.meltano(orgvue, "select", "--list", "--all", "tap-orgvue")
    assert done.returncode == 0, done.stderr
    chosen = {
        line.split()[-1]: line.split("]")[0].strip("\t [")
        for line in done.stdout.splitlines()
        if "people." in line
    }
    assert chosen["people.full_name"].strip() == "selected"
    assert chosen["people.salary"].strip() == "excluded"
    assert chosen["people._id"].strip() == "automatic"


def records(folder: Path) -> list[dict[str, Any]]:
    """The records that target-jsonl wrote for the stream `people`."""
    lines = (folder / "people.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def loaded(
    project: Project,
    orgvue: Orgvue,
    folder: Path,
    *options: str,
    before: Sequence[str] = (),
    **env: str,
) -> list[str]:
    """The ids of the people that one `meltano run` writes into a new folder."""
    folder.mkdir()
    words = [*before, "run", *options, "tap-orgvue", "target-jsonl"]
    env["TARGET_JSONL_DESTINATION_PATH"] = str(folder)
    done = project.meltano(orgvue, *words, **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return [record["id"] for record in records(folder)] if any(folder.iterdir()) else []


INCREMENTAL = {"people": {"replication-method": "INCREMENTAL", "replication-key": "_modified_at"}}


def test_states_are_kept_shown_and_cleared(
    project: Project, orgvue: Orgvue, tmp_path: Path
) -> None:
    """`--full-refresh` reads all once more; a suffix is a state of its own; a state can be moved.

    `state get`, `state set` and `state clear` show, restore and forget it.
    """
    project.configure(metadata=INCREMENTAL, select=["people.*"])
    everyone = ["P0", "P1", "P2", "P3", "P4"]
    orgvue.dataset("People").update(3, salary=0)
    assert len(loaded(project, orgvue, tmp_path / "first")) == len(everyone)
    orgvue.dataset("People").update(3, salary=1)
    kept = project.meltano(orgvue, "state", "get", "dev:tap-orgvue-to-target-jsonl").stdout
    assert loaded(project, orgvue, tmp_path / "second") == ["P3"]
    assert len(loaded(project, orgvue, tmp_path / "whole", "--full-refresh")) == len(everyone)
    suffix = ("--state-id-suffix", "other")
    assert len(loaded(project, orgvue, tmp_path / "other", *suffix)) == len(everyone)
    listed = project.meltano(orgvue, "state", "list").stdout
    assert "dev:tap-orgvue-to-target-jsonl:other" in listed
    (tmp_path / "state.json").write_text(kept, encoding="utf-8")
    state = ["--force", "dev:tap-orgvue-to-target-jsonl"]
    done = project.meltano(
        orgvue, "state", "set", *state, "--input-file", str(tmp_path / "state.json")
    )
    assert done.returncode == 0, done.stderr
    assert loaded(project, orgvue, tmp_path / "restored") == ["P3"]
    assert project.meltano(orgvue, "state", "clear", *state).returncode == 0
    assert len(loaded(project, orgvue, tmp_path / "cleared")) == len(everyone)


def test_a_catalog_is_read_anew(project: Project, orgvue: Orgvue, tmp_path: Path) -> None:
    """`--refresh-catalog` finds a new column where the project keeps its catalogs."""
    project.configure(
        use_cached_catalog=True, select=["people.*"], config={"new_properties": "ignore"}
    )
    loaded(project, orgvue, tmp_path / "first")
    orgvue.dataset("People").add_property(Property("Bonus", "number"), [1, 2, 3, 4, 5])
    loaded(project, orgvue, tmp_path / "cached")
    assert "bonus" not in records(tmp_path / "cached")[0]
    loaded(project, orgvue, tmp_path / "refreshed", "--refresh-catalog")
    assert records(tmp_path / "refreshed")[0]["bonus"] == 1


def test_jobs_and_schedules(project: Project, orgvue: Orgvue, tmp_path: Path) -> None:
    """A job runs tap and loader by its name, and a schedule runs the job."""
    project.configure(select=["people.*"])
    folder = tmp_path / "out"
    folder.mkdir()
    settings = {"TARGET_JSONL_DESTINATION_PATH": str(folder)}
    commands = [
        ["job", "add", "nightly", "--tasks", "tap-orgvue target-jsonl"],
        ["schedule", "add", "every-night", "--job", "nightly", "--interval", "@daily"],
        ["schedule", "run", "every-night"],
    ]
    for words in commands:
        done = project.meltano(orgvue, *words, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(records(folder)) == 5


def test_two_environments_are_two_tenants(project: Project, tmp_path: Path) -> None:
    """Each environment of a project has a tenant and a state of its own."""
    project.configure(select=["people.*"], metadata=INCREMENTAL)
    with (
        Orgvue(Tenant([people(2)], tenant_id="ONE")) as one,
        Orgvue(Tenant([people(3)], tenant_id="TWO")) as two,
    ):
        for environment, orgvue, count in (("dev", one, 2), ("demo", two, 3)):
            chosen = ["--environment", environment]
            assert len(loaded(project, orgvue, tmp_path / environment, before=chosen)) == count
        states = project.meltano(one, "state", "list").stdout
        assert "dev:tap-orgvue-to-target-jsonl" in states
        assert "demo:tap-orgvue-to-target-jsonl" in states
        # The state of one is refused for the other.
        words = ["run", "tap-orgvue", "target-jsonl"]
        refused = project.meltano(two, *words, TARGET_JSONL_DESTINATION_PATH=str(tmp_path))
    assert refused.returncode == 1
    assert "it belongs to the tenant ONE" in refused.stdout + refused.stderr


def _system_folder(project: Project, folder: Path) -> Path:
    """A folder of Meltano's own for a run, with the plugins that the project has installed."""
    system = folder.with_suffix(".sys")
    system.mkdir()
    (system / "extractors").symlink_to(project.folder / ".meltano" / "extractors")
    return system


def test_two_runs_at_once_have_a_folder_each(project: Project, tmp_path: Path) -> None:
    """Two runs at once load what they should, each in a `MELTANO_SYS_DIR_ROOT` of its own.

    In one folder they would overwrite each other's catalog and state.
    """
    project.configure(select=["people.*"])
    with (
        Orgvue(Tenant([people(2)], tenant_id="ONE")) as one,
        Orgvue(Tenant([people(3)], tenant_id="TWO")) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        runs = [
            pool.submit(
                loaded,
                project,
                orgvue,
                tmp_path / orgvue.tenant_id,
                MELTANO_SYS_DIR_ROOT=str(_system_folder(project, tmp_path / orgvue.tenant_id)),
                MELTANO_DATABASE_URI=f"sqlite:///{tmp_path}/{orgvue.tenant_id}.db",
            )
            for orgvue in (one, two)
        ]
        assert [len(run.result()) for run in runs] == [2, 3]


def test_an_error_is_an_error_in_meltanos_log(project: Project, orgvue: Orgvue) -> None:
    """With `structured-logging` the tap's errors keep their level in Meltano's own log."""
    env = {"TAP_ORGVUE_API_TOKEN": "a-token-that-nobody-made"}
    words = ["--log-format", "json", "run", "tap-orgvue", "target-jsonl"]
    done = project.meltano(orgvue, *words, **env)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    levels = {line["level"] for line in lines if "40102" in json.dumps(line)}
    assert levels == {"error"}
