"""Compares records with the SCHEMA that they were announced by."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jsonschema

if TYPE_CHECKING:
    from tests.support.runs import Run

FORMATS = jsonschema.FormatChecker(formats=["date"])
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@FORMATS.checks("date-time")  # type: ignore[untyped-decorator]
def is_utc_instant(value: object) -> bool:
    """Whether an instant is RFC 3339 in UTC with `Z`, the only form the tap writes."""
    return not isinstance(value, str) or RFC_3339_UTC.fullmatch(value) is not None


def assert_satisfied(run: Run) -> None:
    """Every record satisfies its SCHEMA, formats included, and holds every property of it."""
    assert run.records
    for stream, records in run.records.items():
        schema = run.schemas[stream]["schema"]
        check = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
        for record in records:
            check.validate(record)
            assert set(record) == set(schema["properties"])
