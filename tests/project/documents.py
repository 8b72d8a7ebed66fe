"""What README.md and meltano.yml should say, from the tap's own tables.

`python -m tests.project.documents` writes the README's tables anew; `test_documents.py` tells when
that is due, and where meltano.yml, which is written by hand, differs.
"""

from __future__ import annotations

import copy
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.advice import ADVICE
from tap_orgvue.tap import TapOrgvue

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
MELTANO_YML = ROOT / "meltano.yml"

PAGES = {
    "tokens": "your server's `/tokens` page",
    "settings": "your server's `/app/configui` page",
}
"""How the README names the pages that an error gives as links."""

NO_DEFAULT = "none"

CHOICES = {"include_calculations", "rescue_data"}
"""Booleans that meltano.yml offers as a choice: Meltano makes any other word false, in silence."""

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
    if setting.name in CHOICES:
        return "options", ("true", True, "false", False), json.dumps(setting.default)
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


# -- README.md


def settings_table() -> str:
    """The README's table of the tap's own settings."""
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
    """The README's table of the settings that every SDK tap has."""
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
    """The README's table of Orgvue's refusals, from the advice that errors give."""
    rows = [
        (f"`{code}`", _sentence(meaning), todo.format_map(PAGES))
        for code, (meaning, todo) in ADVICE.items()
    ]
    return table(("code", "what it means", "what to do"), rows)


def _sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


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
    """The tables of the README that are made."""
    for name, text in (
        ("settings", settings_table()),
        ("settings of every SDK tap", sdk_settings_table()),
        ("troubleshooting", troubleshooting_table()),
    ):
        yield Part(README, f"<!-- made: {name} -->", "<!-- end -->", f"\n{text}\n")


if __name__ == "__main__":
    for part in parts():
        part.write()
    importlib.import_module("tests.project.report_documents").write()
