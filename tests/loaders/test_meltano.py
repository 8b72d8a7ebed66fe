"""What `meltano run` does with the tap as users have it: installed from its wheel."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from tap_orgvue.simulator import Orgvue, Property
from tests.support.datasets import people
from tests.support.loaders import LOADERS, ROOT, SCHEMA, Database

if TYPE_CHECKING:
    from collections.abc import Callable

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


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose plugins are installed by the first run, and are there for the others."""
    folder = tmp_path_factory.mktemp("meltano")
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


@pytest.fixture
def project(installed: Project, tmp_path: Path) -> Project:
    """The project with its settings as shipped, and a state that no other test has seen."""
    installed.configure()
    return replace(installed, state=tmp_path / "meltano.db")


def test_select_rules_choose_streams_and_columns(
    project: Project, serve: Callable[..., Orgvue], database: Database
) -> None:
    """Meltano's `select` decides what is loaded, and what is asked of Orgvue at all.

    And `property_types` what it is loaded as, also by a pattern that Meltano cuts at its dot.
    """
    orgvue = serve(people(), people(3, "Leavers"))
    project.configure(
        select=["people.*", "!people.salary"],
        config={"property_types": {"people.startDate": "text"}},
    )
    project.run(orgvue, "target-postgres", **into(database))
    assert database.tables() == ["people"]
    assert database.count("people") == 5
    assert "salary" not in database.columns("people")
    assert database.columns("people")["start_date"] == "text"
    asked = [json.dumps(request.body) for request in orgvue.requests_to("export") if request.body]
    assert asked
    assert not any('"salary"' in body for body in asked)


def test_a_column_that_is_new_in_orgvue_arrives(
    project: Project, orgvue: Orgvue, database: Database
) -> None:
    """An installed tap discovers before each run, because of `use_cached_catalog: false`."""
    # Without discovery the tap would leave the column out.
    settings = {**into(database), "TAP_ORGVUE_NEW_PROPERTIES": "ignore"}
    project.run(orgvue, "target-postgres", **settings)
    assert "bonus" not in database.columns("people")
    orgvue.dataset("People").add_property(Property("Bonus", "number"), [1, 2, 3, 4, 5])
    project.run(orgvue, "target-postgres", **settings)
    assert database.columns("people")["bonus"] == "numeric"
    assert database.ask("select bonus from people order by id") == [(1,), (2,), (3,), (4,), (5,)]


def test_replication_is_set_in_the_metadata_extra(
    project: Project, orgvue: Orgvue, tmp_path: Path
) -> None:
    """Meltano's `metadata` makes a stream incremental: the next run asks for what has changed."""
    incremental = {"replication-method": "INCREMENTAL", "replication-key": "_modified_at"}
    project.configure(metadata={"people": incremental}, select=["people.*"])
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        orgvue.dataset("People").update(3, salary=1)
        settings = {"TARGET_JSONL_DESTINATION_PATH": str(tmp_path / run)}
        project.run(orgvue, "target-jsonl", **settings)
    assert len(_records(tmp_path / "first")) == 5
    assert [record["id"] for record in _records(tmp_path / "second")] == ["P3"]


def test_a_configuration_is_tested(project: Project, serve: Callable[..., Orgvue]) -> None:
    """`meltano config test` finds a good configuration valid, however much there is to send.

    Meltano takes the first record, asks the tap to end, and reads no further.
    """
    orgvue = serve(people(20_000))
    done = project.meltano(orgvue, "config", "test", "tap-orgvue")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Plugin configuration is valid" in done.stdout + done.stderr


def test_a_configuration_that_is_wrong(project: Project, orgvue: Orgvue) -> None:
    """`meltano config test` tells the tap's own sentence: the cause, with what to do."""
    env = {"TAP_ORGVUE_API_TOKEN": "a-token-that-nobody-made"}
    done = project.meltano(orgvue, "config", "test", "tap-orgvue", **env)
    assert done.returncode == 1
    _, verdict = (done.stdout + done.stderr).split("Plugin configuration is invalid")
    assert "40102 ApiTokenInvalid" in verdict
    assert "Copy `api_token` whole" in verdict
    assert "a-token-that-nobody-made" not in done.stdout + done.stderr


def test_the_connection_check_in_a_project(project: Project, orgvue: Orgvue) -> None:
    """`meltano invoke tap-orgvue --test` checks by stages, with the project's settings."""
    done = project.meltano(orgvue, "invoke", "tap-orgvue", "--test")
    assert done.returncode == 0, done.stdout + done.stderr
    stages = [line for line in done.stdout.splitlines() if line.startswith("✓")]
    assert len(stages) == 7


def _records(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.iterdir()
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


NESTED: dict[str, Any] = {
    "property_types": {"people.startDate": "text", "roles": {"a.b": "date"}},
    "property_names": {"people": {"a.b": "a_b"}},
    "filters": {"people": {"id": {"$in": ["P1", "P2"]}}},
    "stream_maps": {"people": {"double": "salary * 2"}},
}
"""Objects, whose members Meltano also sets as variables, cut at their dots."""


def test_variables_that_meltano_sets_are_no_mistakes(
    project: Project, orgvue: Orgvue, tmp_path: Path
) -> None:
    """Nested objects and inherited plugins fill the environment, and no run is refused for it."""
    config = {**NESTED, "exclude_properties": ["salary"], "stream_maps": {"people": {"x": "id"}}}
    project.configure(config=config, select=["people.*"])
    project.inherit("tap-orgvue--hr", "tap-orgvue-emea", config={"datasets": ["Peo*"]})
    for tap in ("tap-orgvue", "tap-orgvue--hr", "tap-orgvue-emea"):
        folder = tmp_path / tap
        folder.mkdir()
        settings = {"TARGET_JSONL_DESTINATION_PATH": str(folder)}
        for name, value in orgvue.config.items():
            settings[f"{tap.upper().replace('-', '_')}_{name.upper()}"] = str(value)
        done = project.meltano(orgvue, "run", tap, "target-jsonl", **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "did you mean" not in done.stdout + done.stderr
        records = _records(folder)
        assert [record["id"] for record in records] == ["P1", "P2"]
        assert "salary" not in records[0]


@pytest.mark.parametrize(
    "name,text",
    [
        ("INCLUDE_CALCULATIONS", "maybe"),
        ("RESCUE_DATA", "True "),
        ("EXCLUDE_PROPERTIES", "[salary]"),
        ("EXCLUDE_PROPERTY", '["salary"]'),
    ],
)
def test_what_cannot_be_read_runs_nothing(
    project: Project, orgvue: Orgvue, name: str, text: str
) -> None:
    """A wrong word in a variable ends `meltano run`, instead of becoming false or nothing."""
    done = project.meltano(
        orgvue, "run", "tap-orgvue", "target-jsonl", **{f"TAP_ORGVUE_{name}": text}
    )
    assert done.returncode != 0
    assert orgvue.requests == []


@pytest.mark.parametrize("value", ["false", False])
def test_a_choice_is_a_boolean(
    project: Project, orgvue: Orgvue, tmp_path: Path, value: Any
) -> None:
    """A switch that Meltano offers as a choice is read as the boolean that it is."""
    project.configure(config={"include_calculations": value}, select=["people.*"])
    project.run(orgvue, "target-jsonl", TARGET_JSONL_DESTINATION_PATH=str(tmp_path))
    assert {request.route for request in orgvue.requests_to("items")} == {"items"}
    assert orgvue.requests_to("export") == []
