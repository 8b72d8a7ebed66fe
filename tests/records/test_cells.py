"""Cells through the whole tap: a value keeps its meaning, or is null and kept beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Property
from tests.support.runs import Run, rescued, sync
from tests.support.schemas import assert_satisfied

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


def one_column(type_: str, *cells: object) -> Dataset:
    """A dataset `Values` with a property `v` of a type, and a row for each of its cells."""
    return Dataset(
        "Values",
        properties=[Property("id", auto_id=True), Property("v", type_)],
        rows=[{"id": str(i), "v": cell} for i, cell in enumerate(cells)],
    )


def raw(type_: str, *literals: str) -> Dataset:
    """The same, with cells as JSON literals that are sent letter by letter."""
    headers = [
        {"key": "_id", "name": "_id", "type": "text"},
        {"key": "v", "name": "v", "type": type_},
    ]
    rows = ",".join(f'["ID{i}",{literal}]' for i, literal in enumerate(literals))
    body = f'{{"headers":{json.dumps(headers)},"rows":[{rows}]}}'
    return Dataset("Values", properties=[Property("v", type_)], body=body.encode())


def values(run: Run) -> list[Any]:
    """The column `v` of the stream `values`, in the order of its rows."""
    return [record["v"] for record in run.records["values"]]


@pytest.mark.parametrize(
    "type_,given,expected",
    [
        ("text", "", ""),
        ("text", None, None),
        ("text", " spaced ", " spaced "),
        ("text", 'a"b\\c\n\r\t\u2028é🎉', 'a"b\\c\n\r\t\u2028é🎉'),
        ("text", "007", "007"),
        ("text", 7, "7"),
        ("text", True, "true"),
        ("text", ["a", 1, None], '["a",1,null]'),
        ("number", 0, 0),
        ("number", -1, -1),
        ("number", 2**53 + 1, 2**53 + 1),
        ("number", 10**30 + 1, 10**30 + 1),
        ("number", 0.1, 0.1),
        ("number", 1e-7, 1e-7),
        ("number", "12.50", 12.5),
        ("number", None, None),
        ("number", "", None),
        ("number", " 12.50\u00a0", 12.5),
        ("boolean", True, True),
        ("boolean", False, False),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("boolean", None, None),
        ("boolean", " \t", None),
        ("boolean", " true ", True),
        ("date", "2022-01-02", "2022-01-02"),
        ("date", "2022-01-02T00:00:00.000Z", "2022-01-02"),
        ("date", "2022-01-02T00:00:00Z", "2022-01-02"),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "0001-01-01", "0001-01-01"),
        ("date", "9999-12-31", "9999-12-31"),
        ("date", None, None),
        ("date", "", None),
        ("date", " 2022-01-02 ", "2022-01-02"),
        ("text", "  ", "  "),
        ("currency", "", ""),
        ("currency", "EUR 5", "EUR 5"),
        ("currency", {"eur": 5.50}, '{"eur":5.5}'),
        ("currency", 5, "5"),
        ("currency", None, None),
    ],
)
def test_values_keep_their_meaning(
    serve: Serve, type_: str, given: object, expected: object
) -> None:
    """A value that fits its column, as it is or in another notation, is delivered exactly."""
    run = sync(serve(one_column(type_, given)).config)
    (record,) = run.records["values"]
    assert record["v"] == expected
    assert type(record["v"]) is type(expected)
    assert rescued(record) is None
    assert_satisfied(run)


@pytest.mark.parametrize(
    "type_,given",
    [
        ("number", "N/A"),
        ("number", True),
        ("number", "\u0661\u0662"),
        ("number", "1\u0662"),
        ("number", "$1,234"),
        ("number", "5 %"),
        ("number", "NaN"),
        ("boolean", 0),
        ("boolean", "yes"),
        ("boolean", "Y"),
        ("date", "2022-02-30"),
        ("date", "10000-01-01"),
        ("date", "31/12/2024"),
        ("date", "\u0662\u0660\u0662\u0662-01-02"),
        ("date", 45657),
        ("date", 20220102),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_kept(
    serve: Serve, type_: str, given: object
) -> None:
    """A value that its column cannot hold leaves it null and is kept in `_rescued_data`."""
    run = sync(serve(one_column(type_, given)).config)
    (record,) = run.records["values"]
    assert record["v"] is None
    assert rescued(record) == {"v": given}
    assert_satisfied(run)


@pytest.mark.parametrize(
    "literal",
    [
        "12345678901234567890.123456789",
        "0.1",
        "123456789012345678901234567890",
        "1.0000000000000000000001",
        "-9007199254740993",
    ],
)
def test_numbers_keep_every_digit(serve: Serve, literal: str) -> None:
    """A number has on its way out the digits that Orgvue sent, without noise of floats."""
    run = sync(serve(raw("number", literal)).config)
    assert f'"v":{literal},' in run.stdout.replace(": ", ":").replace("}", ",")


@pytest.mark.parametrize(
    "given,expected",
    [
        ("2022-07-02T00:00:00.000Z", "2022-07-02T00:00:00.000Z"),
        ("2022-07-02T01:30:00.250+02:00", "2022-07-01T23:30:00.250Z"),
        ("2022-07-02", "2022-07-02T00:00:00.000Z"),
    ],
)
def test_instants_are_reported_in_utc(serve: Serve, given: str, expected: str) -> None:
    """Generated instants are RFC 3339 in UTC with `Z`, whatever their offset was."""
    dataset = Dataset("Values", properties=[Property("id")], rows=[{"_modifiedAt": given}])
    run = sync(serve(dataset).config)
    assert [record["_modified_at"] for record in run.records["values"]] == [expected]
    assert run.schemas["values"]["schema"]["properties"]["_modified_at"]["format"] == "date-time"
