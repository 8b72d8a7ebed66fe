"""The form of the run report: structs, the schema that is shipped, and the documentation agree."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import msgspec
import pytest

from tap_orgvue.exit_codes import SIGNAL, ExitCode, reason_of
from tap_orgvue.reporting.run_report import (
    REASONS,
    ErrorReport,
    RunReport,
    Status,
    StreamReport,
    report_schema,
)
from tests.project.report_documents import PAGE, SCHEMA_FILE, parts, schema_text

if TYPE_CHECKING:
    from tests.project.documents import Part


def test_the_shipped_schema_is_that_of_the_structs() -> None:
    """`python -m tests.project.documents` writes it anew."""
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text()
    jsonschema.Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize("part", list(parts()), ids=lambda part: part.name)
def test_the_documentation_has_every_member(part: Part) -> None:
    """`python -m tests.project.documents` writes the tables anew."""
    assert part.found == part.text


def test_every_member_is_described() -> None:
    """A reader is told of each member, and of its unit where it is a number of something."""
    for name, struct in report_schema()["$defs"].items():  # type: ignore[attr-defined]
        for member, declared in struct.get("properties", {}).items():
            assert declared.get("description"), f"{name}.{member}"
    assert "seconds |" in PAGE.read_text(encoding="utf-8")


def test_the_smallest_report_satisfies_the_schema() -> None:
    """A run that ended before its first request."""
    report = RunReport(
        tenant="ACME",
        tenant_id="ACME",
        tap_version="1",
        sdk_version="1",
        python_version="3",
        began_at="2026-01-31T02:00:00Z",
        ended_at="2026-01-31T02:00:00Z",
        seconds=0.0,
        waiting_seconds=0.0,
        exit_code=1,
        reason="person_needed",
    )
    plain = json.loads(msgspec.json.encode(report))
    jsonschema.validate(plain, report_schema())
    totals = ("rows", "rescued", "retries", "throttles", "bytes_received")
    assert [plain[name] for name in totals] == [0] * 5
    assert (plain["version"], plain["error"], plain["requests"], plain["streams"]) == (
        *(1, None, {}, []),
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**plain, "began_at": "2026-01-31T02:00:00.5Z"}, report_schema())


def test_the_smallest_report_of_a_stream() -> None:
    """A stream that the run did not reach has no rows, requests, times or removals."""
    report = StreamReport(stream="people", status=Status.NOT_REACHED)
    plain = json.loads(msgspec.json.encode(report))
    numbers = ("rows", "retries", "throttles", "bytes_received")
    assert {name: plain.pop(name) for name in numbers} == dict.fromkeys(numbers, 0)
    seconds = ("waiting_seconds", "sending_seconds")
    assert {name: plain.pop(name) for name in seconds} == dict.fromkeys(seconds, 0.0)
    assert {name: member for name, member in plain.items() if member} == {
        "stream": "people",
        "status": "not_reached",
        "deletions": "off",
    }


def test_an_error_is_final_unless_it_says_otherwise() -> None:
    """No program tries again what nobody has said may pass."""
    assert not ErrorReport(type="A", message="b").retryable


def test_the_reasons_are_those_of_the_exit_codes() -> None:
    """Every exit code has its reason in the report's form, and so has a signal."""
    assert [*REASONS] == [*map(reason_of, ExitCode), reason_of(SIGNAL + 15)]
