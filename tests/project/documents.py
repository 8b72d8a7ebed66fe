"""What the documents and meltano.yml should say, from the tap's own tables.

`python -m tests.project.documents` writes the tables of docs/ and CONTRIBUTING.md anew;
`test_documents.py` tells when that is due, and where meltano.yml, which is written by hand,
differs.
"""

from __future__ import annotations

import copy
import importlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from tap_orgvue.checking.assumptions import ASSUMPTIONS, Assumption
from tap_orgvue.checking.report import check_schema
from tap_orgvue.exit_codes import EXPLAINED
from tap_orgvue.orgvue.advice import ADVICE
from tap_orgvue.simulator import Orgvue, demo_tenant
from tap_orgvue.tap import TapOrgvue
from tests.project.meltano_definition import DEFINITION, definition
from tests.project.test_layers import IMPORTS
from tests.support.runs import command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
MELTANO_YML = ROOT / "meltano.yml"
PYPROJECT = ROOT / "pyproject.toml"

PAGES = {
    "tokens": "your server's `/tokens` page",
    "settings": "your server's `/app/configui` page",
}
"""How the documents name the pages that an error gives as links."""

NO_DEFAULT = "none"

TRUE_BY_DEFAULT = {"include_calculations", "rescue_data"}
"""Booleans that are strings in meltano.yml, so that the tap reads them: Meltano makes any word that
it does not know false, in silence."""

COMPUTED_DEFAULTS = {"user_agent": "`tap-orgvue/` and the version"}
"""Defaults that are not the same in each version, in words."""

KINDS = {"string": "string", "integer": "integer", "number": "decimal", "boolean": "boolean"} | {
    "array": "array",
    "object": "object",
}
"""JSON Schema type to Meltano's kind of a setting."""


@dataclass(frozen=True)
class Setting:
    """A setting as people are told of it.

    Attributes:
        name: What the config calls it.
        label: A short name.
        description: One or more sentences.
        kind: Meltano's kind.
        options: The values to choose from; empty for other kinds.
        default: None where there is none.
        required: Whether no run is possible without it.
        sensitive: Whether its value is a secret.
        own: Whether it is the tap's own, not one that every SDK tap has.
    """

    name: str
    label: str
    description: str
    kind: str
    options: tuple[str, ...]
    default: Any
    required: bool
    sensitive: bool
    own: bool


def meltano_form(setting: Setting) -> tuple[str, tuple[Any, ...], Any]:
    """Kind, options and default of a setting as meltano.yml has them."""
    if setting.name in TRUE_BY_DEFAULT:
        return "string", (), setting.default
    default = None if setting.name in COMPUTED_DEFAULTS else setting.default
    return setting.kind, setting.options, default


def settings() -> list[Setting]:
    """All settings of the tap: its own first, then those that the SDK adds."""
    schema = copy.deepcopy(TapOrgvue.config_jsonschema)
    TapOrgvue.append_builtin_config(schema)
    of_the_sdk: dict[str, Any] = {"properties": {}}
    TapOrgvue.append_builtin_config(of_the_sdk)
    return [
        Setting(
            name=name,
            label=declared["title"],
            description=declared["description"],
            kind=_kind(declared),
            options=tuple(value for value in declared.get("enum", ()) if value is not None),
            default=declared.get("default"),
            required=name in schema.get("required", ()),
            sensitive=bool(declared.get("secret")),
            own=name not in of_the_sdk["properties"],
        )
        for name, declared in schema["properties"].items()
    ]


def _kind(declared: dict[str, Any]) -> str:
    if "enum" in declared:
        return "options"
    if declared.get("format") == "date-time":
        return "date_iso8601"
    (kind,) = set(declared["type"]) - {"null"}
    return KINDS[kind]


# -- docs/


def settings_table() -> str:
    """The table of the tap's own settings."""
    rows = [
        (
            f"`{setting.name}`",
            _kind_in_words(setting),
            _default_in_words(setting),
            _meaning(setting),
        )
        for setting in settings()
        if setting.own
    ]
    return table(("setting", "kind", "default", "meaning"), rows)


def sdk_settings_table() -> str:
    """The table of the settings that every SDK tap has."""
    rows = [
        (f"`{setting.name}`", setting.kind, _meaning(setting))
        for setting in settings()
        if not setting.own
    ]
    return table(("setting", "kind", "meaning"), rows)


def _kind_in_words(setting: Setting) -> str:
    if setting.options:
        return "one of " + ", ".join(f"`{option}`" for option in setting.options)
    words = {"date_iso8601": "date and time"}.get(setting.kind, setting.kind)
    return f"{words}, secret" if setting.sensitive else words


def _default_in_words(setting: Setting) -> str:
    if setting.required:
        return "required"
    if setting.name in COMPUTED_DEFAULTS:
        return COMPUTED_DEFAULTS[setting.name]
    if setting.default is None:
        return NO_DEFAULT
    default = setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
    return f"`{default}`"


def _meaning(setting: Setting) -> str:
    """The description in one line, with names that Markdown would take for emphasis quoted."""
    return " ".join(_quoted(word) for word in setting.description.split())


def _quoted(word: str) -> str:
    bare = word.strip(".,;:()'")
    plain = "`" in word or "://" in word or not ("_" in bare or "*" in bare)
    return word if plain else word.replace(bare, f"`{bare}`")


def troubleshooting_table() -> str:
    """The table of Orgvue's refusals, from the advice that errors give."""
    rows = [
        (f"`{code}`", _sentence(meaning), todo.format_map(PAGES))
        for code, (meaning, todo) in ADVICE.items()
    ]
    return table(("code", "what it means", "what to do"), rows)


def exit_codes_table() -> str:
    """The table of exit codes of `docs/operating.md`."""
    rows = [
        (f"{code:d}", f"`{code.reason}`", meaning, advice)
        for code, (meaning, advice) in EXPLAINED.items()
    ]
    return table(("code", "word", "what happened", "what to do"), rows)


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def assumptions_table() -> str:
    """The inferred facts of the API, for docs/api-assumptions.md."""
    rows = [
        (
            f"`{each.name}`",
            each.fact,
            each.used,
            each.otherwise,
            _when_checked(each),
        )
        for each in ASSUMPTIONS
    ]
    heading = ("name", "what the tap assumes", "what relies on it", "otherwise", "checked")
    return table(heading, rows)


def _when_checked(each: Assumption) -> str:
    if not each.unchecked:
        return "yes"
    is_setting = each.unchecked.startswith("`")
    return f"yes, unless {each.unchecked}" if is_setting else f"no, {each.unchecked}"


def transcript() -> Part:
    """What the check says of the simulator's tenant, with the settings of docs/checking.md."""
    document = DOCS / "checking.md"
    example = re.findall(r"```json\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)[0]
    with Orgvue(demo_tenant(300, 120, 2026)) as orgvue:
        text = command({**orgvue.config, **json.loads(example)}, "--test").stdout
    return Part(document, "<!-- transcript -->", "<!-- end of it -->", f"\n```text\n{text}```\n\n")


def check_members() -> str:
    """The members of the document of `--test --format json`, a table for each kind of object."""
    kinds = check_schema()["$defs"]
    parts = []
    for name, kind in kinds.items():
        if "properties" in kind:
            rows = [
                (f"`{member}`", _type_in_words(form, kinds), form.get("description", ""))
                for member, form in kind["properties"].items()
            ]
            parts.append(f"**{name}.** {kind['description']}\n\n")
            parts.append(table(("member", "type", "meaning"), rows) + "\n")
    return "".join(parts).rstrip("\n") + "\n"


def _type_in_words(form: dict[str, Any], kinds: dict[str, Any]) -> str:
    if "anyOf" in form:
        return " or ".join(_type_in_words(each, kinds) for each in form["anyOf"])
    if "allOf" in form:
        return _type_in_words(form["allOf"][0], kinds)
    if "$ref" in form:
        name = form["$ref"].rpartition("/")[2]
        options = kinds[name].get("enum")
        return ", ".join(f"`{option}`" for option in options) if options else name
    if form["type"] == "array":
        return f"list of {_type_in_words(form['items'], kinds)}"
    return str(form["type"])


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def layers_table() -> str:
    """Which folder or module of the package may import which."""
    rows = "".join(
        f"{name:<{max(map(len, IMPORTS))}} → "
        f"{', '.join(each for each in IMPORTS if each in below) or 'nothing'}\n"
        for name, below in IMPORTS.items()
    )
    return f"```text\n{rows}```"


# -- the places of all of them


@dataclass(frozen=True)
class Part:
    """A made part of a document: what stands between two lines of it.

    Attributes:
        path: The document.
        first: The line before the part.
        last: The line after it.
        text: What should stand between them.
    """

    path: Path
    first: str
    last: str
    text: str

    @property
    def name(self) -> str:
        """What a failing test calls it."""
        return f"{self.path.name}: {self.first.strip()}"

    @property
    def found(self) -> str:
        """What stands between the two lines now."""
        _, after = self._document.split(f"{self.first}\n", 1)
        return after.split(f"{self.last}\n", 1)[0]

    @property
    def _document(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def write(self) -> None:
        """Put the text into its place."""
        before, after = self._document.split(f"{self.first}\n", 1)
        _, rest = after.split(f"{self.last}\n", 1)
        whole = f"{before}{self.first}\n{self.text}{self.last}\n{rest}"
        self.path.write_text(whole, encoding="utf-8")


def parts() -> Iterator[Part]:
    """The tables of the documents that are made."""
    for page, name, text in (
        ("docs/settings.md", "settings", settings_table()),
        ("docs/settings.md", "settings of every SDK tap", sdk_settings_table()),
        ("docs/troubleshooting.md", "troubleshooting", troubleshooting_table()),
        ("docs/operating.md", "exit codes", exit_codes_table()),
        ("docs/api-assumptions.md", "assumptions", assumptions_table()),
        ("docs/checking.md", "members of the check's document", check_members()),
        ("CONTRIBUTING.md", "who may know whom", layers_table()),
    ):
        path = ROOT / page
        yield Part(path, f"<!-- made: {name} -->", "<!-- end -->", f"\n{text}\n")


def plugin_definition() -> str:
    """The text of `meltano/tap-orgvue.yml`."""
    project = YAML(typ="safe").load(MELTANO_YML.read_text(encoding="utf-8"))
    (plugin,) = project["plugins"]["extractors"]
    pyproject = PYPROJECT.read_text(encoding="utf-8")
    urls = re.findall(r'^(\w+) = "(https://[^"]+)"$', pyproject, re.MULTILINE)
    pythons = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', pyproject)
    return definition(plugin, dict(urls), pythons)


if __name__ == "__main__":
    for part in (*parts(), transcript()):
        part.write()
    DEFINITION.write_text(plugin_definition(), encoding="utf-8")
    importlib.import_module("tests.project.report_documents").write()
