"""README.md and meltano.yml say what is so: settings, advice, regions, commands, examples."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tap_orgvue.settings.regions import REGIONS
from tap_orgvue.settings.settings import Settings
from tap_orgvue.tap import TapOrgvue
from tests.project.documents import (
    MELTANO_YML,
    README,
    ROOT,
    Part,
    Setting,
    meltano_form,
    parts,
    settings,
)

REQUIRED = {"api_token": "t", "tenant_id": "ACME", "region": "eu-west"}


def blocks(language: str) -> list[str]:
    """The README's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def commands() -> list[str]:
    """Every line of the README that a reader types, without what is set and piped."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("export ")]


@cache
def project() -> dict[str, Any]:
    """The `meltano.yml` that is shipped."""
    found: dict[str, Any] = YAML(typ="safe").load(MELTANO_YML.read_text(encoding="utf-8"))
    return found


def plugin(kind: str, name: str) -> dict[str, Any]:
    """A plugin of the `meltano.yml` that is shipped."""
    (found,) = [entry for entry in project()["plugins"][kind] if entry["name"] == name]
    return dict(found)


def in_meltano(name: str) -> dict[str, Any]:
    """What `meltano.yml` says of a setting of the tap."""
    listed = plugin("extractors", "tap-orgvue")["settings"]
    (found,) = [entry for entry in listed if entry["name"] == name]
    return dict(found)


@pytest.mark.parametrize("part", [pytest.param(part, id=part.name) for part in parts()])
def test_made_parts_are_up_to_date(part: Part) -> None:
    """Made tables are those of the tap; else run `python -m tests.project.documents`."""
    assert part.found == part.text


def test_meltano_knows_every_setting_and_no_other() -> None:
    """`meltano.yml` lists the settings that the tap has, each once."""
    listed = [entry["name"] for entry in plugin("extractors", "tap-orgvue")["settings"]]
    assert sorted(listed) == sorted(setting.name for setting in settings())


EVERY_SETTING = [pytest.param(setting, id=setting.name) for setting in settings()]
OWN_SETTINGS = [pytest.param(setting, id=setting.name) for setting in settings() if setting.own]


@pytest.mark.parametrize("setting", EVERY_SETTING)
def test_meltano_treats_a_setting_as_the_tap_does(setting: Setting) -> None:
    """Kind, options, default and secrecy of a setting are the same in `meltano.yml`."""
    told = in_meltano(setting.name)
    options = tuple(option["value"] for option in told.get("options", ()))
    assert (told["kind"], options, told.get("value")) == meltano_form(setting)
    assert told.get("sensitive", False) is setting.sensitive
    assert told["label"]
    assert told["description"]


@pytest.mark.parametrize("setting", OWN_SETTINGS)
def test_meltano_describes_a_setting_as_the_tap_does(setting: Setting) -> None:
    """A setting of the tap's own has one label and one description everywhere."""
    told = in_meltano(setting.name)
    assert (told["label"], told["description"]) == (setting.label, setting.description)


def test_every_setting_is_described() -> None:
    """No setting goes without a label and a sentence on what it does."""
    for setting in settings():
        assert setting.label
        assert setting.description.endswith((".", ")"))


def test_catalogs_are_not_kept_between_runs() -> None:
    """`meltano.yml` and the README's project both have `use_cached_catalog: false`."""
    told = YAML(typ="safe").load(blocks("yaml")[0])["plugins"]["extractors"][0]
    assert plugin("extractors", "tap-orgvue")["use_cached_catalog"] is False
    assert told["use_cached_catalog"] is False


def test_the_readme_has_every_region() -> None:
    """Each server's address is given with the region that stands for it."""
    rows = re.findall(r"^\| `(https://\S+)` \| `(\S+)` \|$", README.read_text(), re.MULTILINE)
    assert {region: url for url, region in rows} == dict(REGIONS)


def test_the_readme_begins_with_demo_and_test() -> None:
    """The first two commands of the README are `make demo` and `make test`."""
    assert commands()[:2] == ["make demo", "make test"]


def test_every_make_target_of_the_readme_exists() -> None:
    """What the README has people make is a target of the Makefile."""
    text = README.read_text(encoding="utf-8")
    named = {*re.findall(r"^make (\w+)$", text, re.MULTILINE), *re.findall(r"`make (\w+)`", text)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"demo", "test", "help"} <= named <= targets


def test_every_module_that_a_document_runs_exists() -> None:
    """`python -m …` names a module that is there."""
    documents = [README, README.with_name("CONTRIBUTING.md")]
    text = "".join(document.read_text(encoding="utf-8") for document in documents)
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    assert {"tap_orgvue.simulator", "tests.project.documents", "pytest"} <= modules
    assert all(find_spec(module) for module in modules)


def test_every_option_of_the_readme_is_one_of_the_command() -> None:
    """The options after `tap-orgvue` are in its help."""
    helped = subprocess.run(
        [sys.executable, "-m", "tap_orgvue", "--help"], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in commands() if "tap-orgvue --" in line]
    options = {option for line in lines for option in re.findall(r"--[a-z-]+", line)}
    assert options >= {"--config", "--discover", "--catalog", "--test"}
    assert all(f"  {option} " in helped for option in options)


def test_about_describes_the_tap_in_a_line() -> None:
    """`--about` tells users what the tap is, and nothing of its insides."""
    words = [sys.executable, "-m", "tap_orgvue", "--about", "--format", "json"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r"Singer tap for Orgvue: .+\.", json.loads(told)["description"])


def test_meltano_runs_plugins_that_exist() -> None:
    """`meltano run` in the README names an extractor and a loader of `meltano.yml`."""
    (line,) = [line for line in commands() if line.startswith("meltano run")]
    extractor, loader = line.split()[2:]
    assert plugin("extractors", extractor)["executable"] == extractor
    assert plugin("loaders", loader)["executable"] == loader


@pytest.mark.parametrize("example", blocks("json"))
def test_example_settings_are_accepted(example: str) -> None:
    """The tap takes every JSON example of the README as settings."""
    schema = json.loads(json.dumps(TapOrgvue.config_jsonschema))
    TapOrgvue.append_builtin_config(schema)
    read = Settings.from_config({**REQUIRED, **json.loads(example)}, schema)
    assert read.tenant_id == REQUIRED["tenant_id"]


def test_the_readmes_projects_are_some_for_meltano(tmp_path: Path) -> None:
    """The README's `meltano.yml`, and each part of one, satisfies Meltano's schema as it stands."""
    projects = [tmp_path / f"{number}.yml" for number, _ in enumerate(blocks("yaml"))]
    for project, text in zip(projects, blocks("yaml"), strict=True):
        project.write_text(text, encoding="utf-8")
    checker = Path(sys.executable).with_name("check-jsonschema")
    arguments = ["--builtin-schema", "vendor.meltano", *map(str, projects)]
    done = subprocess.run([str(checker), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["tap-orgvue", "target-postgres"])
def test_the_recipe_for_large_tenants_uses_settings_that_exist(name: str) -> None:
    """Every setting of the recipe is one of the plugin's, as `meltano.yml` lists them."""
    recipe = YAML(typ="safe").load(blocks("yaml")[-1])["plugins"]
    kind = "extractors" if name.startswith("tap") else "loaders"
    (config,) = [entry["config"] for entry in recipe[kind] if entry["name"] == name]
    known = {entry["name"] for entry in plugin(kind, name)["settings"]}
    assert set(config) <= known


def test_extras_of_the_readme_exist() -> None:
    """The extras that can be installed are in the package's metadata."""
    text = README.read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in ("s3", "faker"):
        assert f"`{extra}`" in text
        assert re.search(rf"^{extra} = \[", pyproject, re.MULTILINE)
