"""The JSON Schema that is shipped, and the tables of docs/run-report.md, from the report's structs.

`python -m tests.project.documents` writes both anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_orgvue.reporting import run_report
from tap_orgvue.reporting.run_report import report_schema
from tests.project.documents import ROOT, Part

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA_FILE = Path(run_report.__file__).with_name("run_report.schema.json")
PAGE = ROOT / "docs" / "run-report.md"

_STRUCTS = ("RunReport", "StreamReport", "Replication", "Change", "ErrorReport")
_UNITS = {"seconds": "seconds", "bytes": "bytes"}
"""The last or first word of a member's name, and its unit."""


HEADINGS = {
    "ErrorReport": "error",
    "StreamReport": "a-stream",
    "Replication": "replication",
    "Change": "change",
}
"""Struct to the heading of its table in docs/run-report.md."""


def schema_text() -> str:
    """The schema as it is shipped."""
    return json.dumps(report_schema(), indent=2) + "\n"


def members_table(struct: str) -> str:
    """The members of a struct as Markdown."""
    declared = report_schema()["$defs"][struct]  # type: ignore[index]
    lines = ["| Member | Type | Unit | Meaning |", "| --- | --- | --- | --- |"]
    for name, member in declared["properties"].items():
        words = {name.split("_")[0], name.split("_")[-1]}
        unit = next((unit for word, unit in _UNITS.items() if word in words), "")
        text = member.get("description", "").rstrip()
        lines.append(f"| `{name}` | {_type_of(member)} | {unit} | {text} |")
    return "\n".join(lines)


def status_table() -> str:
    """What each status means."""
    lines = ["| Status | Meaning |", "| --- | --- |"]
    source = Path(run_report.__file__).read_text(encoding="utf-8").splitlines()
    for status in run_report.Status:
        place = next(i for i, line in enumerate(source) if f'= "{status.value}"' in line)
        lines.append(f"| `{status.value}` | {source[place + 1].strip().strip(chr(34))} |")
    return "\n".join(lines)


def _type_of(member: dict[str, Any]) -> str:
    if "anyOf" in member:
        return " or ".join(_type_of(each) for each in member["anyOf"])
    if "$ref" in member:
        name = member["$ref"].rpartition("/")[2]
        return "status" if name == "Status" else f"[{name}](#{HEADINGS[name]})"
    if member.get("type") == "array":
        return f"list of {_type_of(member['items'])}"
    if member.get("type") == "object":
        return f"object of {_type_of(member['additionalProperties'])}"
    return str(member["type"])


def parts() -> Iterator[Part]:
    """The made parts of the page."""
    tables = {"status": status_table(), **{name: members_table(name) for name in _STRUCTS}}
    for name, text in tables.items():
        yield Part(PAGE, f"<!-- made: {name} -->", "<!-- end -->", f"\n{text}\n\n")


def write() -> None:
    """Write file and tables."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    for part in parts():
        part.write()
