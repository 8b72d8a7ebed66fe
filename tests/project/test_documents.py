"""The documents and meltano.yml say what is so: settings, advice, regions, commands, examples."""

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
    DOCS,
    MELTANO_YML,
    README,
    ROOT,
    Part,
    Setting,
    meltano_form,
    parts,
    plugin_definition,
    settings,
)
from tests.project.meltano_definition import DEFINITION
from tests.support.runs import command

EXAMPLES = ["settings.md", "security-and-privacy.md", "streams-and-names.md", "loaders.md"]
"""Pages whose JSON blocks are settings."""

REQUIRED = {"api_token": "t", "tenant_id": "ACME", "region": "eu-west"}


PAGES = [README, *sorted(DOCS.glob("*.md"))]
"""What users read."""


def blocks(language: str, *pages: Path) -> list[str]:
    """The code blocks in a language of some pages, by default the README's."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages or [README])
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def projects() -> list[str]:
    """Every `meltano.yml`, and every part of one, that the documents show."""
    return [text for text in blocks("yaml", *PAGES) if re.search(r"^plugins:", text, re.MULTILINE)]


def commands() -> list[str]:
    """Every line of the README that a reader types, without what is set and piped."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("export ")]


HUB_REQUIRES = {"name", "namespace", "variant", "quality"}
"""Members of a plugin definition that Meltano's hub requires."""

HUB_ALLOWS = {
    *("label", "description", "docs", "repo", "logo_url", "domain_url", "keywords", "definition"),
    *("pip_url", "executable", "python", "supported_python_versions", "log_parser", "commands"),
    *("capabilities", "settings", "settings_group_validation", "select", "metadata", "schema"),
    *("maintenance_status", "hidden", "requires"),
    *("prereq", "next_steps", "settings_preamble", "usage"),
}
"""Those that it takes of an extractor beside them; it refuses all others."""

HUB_SETTING = {
    *("name", "aliases", "label", "value", "placeholder", "kind", "description", "tooltip"),
    *("documentation", "docs", "env", "options", "oauth", "hidden", "sensitive"),
    *("value_processor", "value_post_processor"),
}
"""Those that it takes of a setting."""


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
    """The made tables are those of the tap; else run `python -m tests.project.documents`."""
    assert part.found == part.text


def test_the_plugin_definition_is_up_to_date() -> None:
    """`meltano/tap-orgvue.yml` is what `python -m tests.project.documents` writes."""
    assert DEFINITION.read_text(encoding="utf-8") == plugin_definition()


def test_the_plugin_definition_has_the_form_of_the_hub() -> None:
    """The hub's checks hold: its members and no other, in order; a choice has options of text."""
    told = YAML(typ="safe").load(DEFINITION.read_text(encoding="utf-8"))
    assert HUB_REQUIRES <= told.keys() <= HUB_REQUIRES | HUB_ALLOWS
    ours = {"repo", "pip_url", "logo_url", "domain_url", "keywords", "prereq", "usage"}
    assert ours < told.keys()
    assert list(told) == sorted(told)
    assert told["maintenance_status"] in {"active", "beta", "development", "inactive", "unknown"}
    assert told["quality"] in {"gold", "silver", "bronze", "unknown"}
    assert "structured-logging" in told["capabilities"]
    for setting in told["settings"]:
        assert {"name", "kind", "label", "description"} <= setting.keys() <= HUB_SETTING
        assert list(setting) == sorted(setting)
        options = setting.get("options", ())
        assert bool(options) == (setting["kind"] == "options")
        assert all(isinstance(text, str) for option in options for text in option.values())
    known = {setting["name"] for setting in told["settings"]}
    assert all(set(group) <= known for group in told["settings_group_validation"])


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
    named = {*re.findall(r"^make (\w+)", text, re.MULTILINE), *re.findall(r"`make (\w+)[` ]", text)}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_module_that_a_document_runs_exists() -> None:
    """`python -m …` names a module that is there."""
    documents = [README, README.with_name("CONTRIBUTING.md")]
    text = "".join(document.read_text(encoding="utf-8") for document in documents)
    modules = set(re.findall(r"python -m ([\w.]+)", text))
    assert {"tap_orgvue.simulator", "tests.project.documents", "pytest"} <= modules
    assert all(find_spec(module) for module in modules)


def test_every_option_of_the_readme_is_one_of_the_command() -> None:
    """The options after `tap-orgvue` are in its help."""
    helped = command({}, "--help").stdout
    lines = [line for line in commands() if "tap-orgvue --" in line]
    options = {option for line in lines for option in re.findall(r"--[a-z-]+", line)}
    assert options >= {"--config", "--discover", "--catalog", "--test"}
    assert all(f"  {option} " in helped for option in options)


def test_about_describes_the_tap_in_a_line() -> None:
    """`--about` tells users what the tap is, and nothing of its insides."""
    told = command({}, "--about", "--format", "json").stdout
    assert re.fullmatch(r"Singer tap for Orgvue: .+\.", json.loads(told)["description"])


def test_meltano_runs_plugins_that_exist() -> None:
    """`meltano run` in the README names an extractor and a loader of `meltano.yml`."""
    (line,) = [line for line in commands() if line.startswith("meltano run")]
    extractor, loader = line.split()[2:]
    assert plugin("extractors", extractor)["executable"] == extractor
    assert plugin("loaders", loader)["executable"] == loader


@pytest.mark.parametrize("example", blocks("json", README, *(DOCS / page for page in EXAMPLES)))
def test_example_settings_are_accepted(example: str) -> None:
    """The tap takes every JSON example of the README and of the pages on settings."""
    schema = json.loads(json.dumps(TapOrgvue.config_jsonschema))
    TapOrgvue.append_builtin_config(schema)
    read = Settings.from_config({**REQUIRED, **json.loads(example)}, schema)
    assert read.tenant_id == REQUIRED["tenant_id"]


@pytest.mark.slow
def test_every_project_is_one_for_meltano(tmp_path: Path) -> None:
    """Each `meltano.yml` of the documents satisfies Meltano's schema as it stands."""
    paths = [tmp_path / f"{number}.yml" for number, _ in enumerate(projects())]
    for path, text in zip(paths, projects(), strict=True):
        path.write_text(text, encoding="utf-8")
    checker = Path(sys.executable).with_name("check-jsonschema")
    arguments = ["--builtin-schema", "vendor.meltano", *map(str, paths)]
    done = subprocess.run([str(checker), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", projects())
def test_every_project_uses_settings_that_exist(text: str) -> None:
    """Each `config` of the documents has settings that `meltano.yml` lists for the plugin."""
    plugins = YAML(typ="safe").load(text)["plugins"]
    for kind, known in (("extractors", "tap-orgvue"), ("loaders", "target-postgres")):
        for entry in plugins.get(kind, ()):
            if known in {entry["name"], entry.get("inherit_from")}:
                listed = {setting["name"] for setting in plugin(kind, known)["settings"]}
                assert set(entry.get("config", {})) <= listed


def test_the_readme_has_every_extra() -> None:
    """The extras that can be installed are those of the package's metadata."""
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = pyproject.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    assert sorted(rows) == sorted(re.findall(r"^([\w-]+) = \[", extras, re.MULTILINE))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    """Links that the site does not check: those of the documents outside docs/."""
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    """The documentation becomes a site: no link is broken, no page loads from another host."""
    words = [sys.executable, "-m", "sphinx", "-W", "-n", "-q", "-E", "--keep-going"]
    folders = ["-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "site")]
    done = subprocess.run([*words, *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = {page.stem: page.read_text("utf-8") for page in (tmp_path / "site").glob("*.html")}
    assert "settings" in pages
    foreign = re.compile(r'<(?:link|script|img)\b[^>]*(?:href|src)="(?:https?:)?//')
    assert [name for name, text in pages.items() if foreign.search(text)] == []
