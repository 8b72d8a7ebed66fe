"""Values that do not fit their column: none is lost, none is invented, and none stops a load."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import people
from tests.support.runs import Run, command, discover, entry, rescued, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

SECRET = "Sick since Tuesday"


def cells(type_: str, *given: object) -> Dataset:
    """A dataset `Values` with a property `Some Value` of a type, and a row for each cell."""
    return Dataset(
        "Values",
        properties=[Property("Some Value", type_)],
        rows=[{"Some Value": cell} for cell in given],
    )


def literal(type_: str, *literals: str) -> Dataset:
    """The same, with cells as JSON that is sent letter by letter."""
    headers = [
        {"key": "_id", "name": "_id", "type": "text"},
        {"key": "Some Value", "name": "Some Value", "type": type_},
    ]
    rows = ",".join(f'["ID{i}",{text}]' for i, text in enumerate(literals))
    body = f'{{"headers":{json.dumps(headers)},"rows":[{rows}]}}'
    return Dataset("Values", properties=[Property("Some Value", type_)], body=body.encode())


def delivered(run: Run) -> list[tuple[Any, Any]]:
    """The column and what was rescued, of each row of the stream `values`."""
    return [(record["some_value"], rescued(record)) for record in run.records["values"]]


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    """What the log warned of."""
    return [r.getMessage() for r in log.records if r.levelno == logging.WARNING]


# --- what is rescued


@pytest.mark.parametrize(
    "type_,given,column",
    [
        ("number", "1e400", None),
        ("number", "Infinity", None),
        ("number", "12,5", None),
        ("number", " 5 5", None),
        ("number", " N/A ", None),
        ("number", "0x10", None),
        ("number", [1], None),
        ("number", {"amount": 5}, None),
        ("number", False, None),
        ("boolean", 1, None),
        ("boolean", "TRUE", None),
        ("boolean", ["true"], None),
        ("date", "9999-12-31T23:00:00-02:00", None),
        ("date", "12022-01-01", None),
        ("date", "0000-01-01", None),
        ("date", "2023-02-29", None),
        ("date", "2022-01-02T25:00:00Z", None),
        ("date", True, None),
        ("date", {"year": 2022}, None),
        ("date", "2022-01-02T13:45:00.000Z", "2022-01-02"),
        ("date", "2022-01-02T23:30:00-05:00", "2022-01-03"),
        ("date", "2022-01-02T00:00:00+02:00", "2022-01-01"),
        ("date", "2022-01-02T00:00:00.0000001Z", "2022-01-02"),
    ],
)
def test_what_a_column_cannot_hold_is_kept_beside_it(
    serve: Serve, type_: str, given: object, column: object
) -> None:
    """The column holds what it can, by default null, and `_rescued_data` the value, whole."""
    run = sync(serve(cells(type_, given)).config)
    assert delivered(run) == [(column, {"some_value": given})]


@pytest.mark.parametrize(
    "sent,rescued",
    [("NaN", "NaN"), ("Infinity", "Infinity"), ("-Infinity", "-Infinity"), ("1e999", "1e999")],
)
def test_numbers_that_are_not_finite_are_rescued_as_text(
    serve: Serve, sent: str, rescued: str
) -> None:
    """No number that JSON or a database lacks leaves the tap: its text is rescued."""
    run = sync(serve(literal("number", sent, "1.5")).config)
    assert delivered(run) == [(None, {"some_value": rescued}), (1.5, None)]


@pytest.mark.parametrize(
    "given,fitted",
    [
        ("2022-01-02T13:45:00+02:00", "2022-01-02T11:45:00.000Z"),
        ("2022-01-02 13:45", "2022-01-02T13:45:00.000Z"),
        ("2022-12-31T23:59:59.123456-01:00", "2023-01-01T00:59:59.123456Z"),
    ],
)
def test_offsets_are_converted(serve: Serve, given: str, fitted: str) -> None:
    """Where a date's time of day is wanted, its offset is converted to UTC."""
    config = {**serve(cells("date", given)).config, "property_types": {"some value": "date-time"}}
    assert delivered(sync(config)) == [(fitted, None)]


def test_an_instant_finer_than_loaders_keep_is_rescued(serve: Serve) -> None:
    """The column has the microseconds, `_rescued_data` the whole."""
    given = "2022-01-02T13:45:00.1234567Z"
    config = {**serve(cells("date", given)).config, "property_types": {"some value": "date-time"}}
    assert delivered(sync(config)) == [("2022-01-02T13:45:00.123456Z", {"some_value": given})]


def test_all_misfits_of_a_row_are_rescued_together(serve: Serve) -> None:
    """A row with several values that do not fit keeps all of them, and its other columns."""
    orgvue = serve(people(2))
    orgvue.dataset("People").update(1, salary="N/A", onLeave="maybe", startDate="soon")
    first, second = sync(orgvue.config).records["people"]
    assert rescued(first) is None
    assert rescued(second) == {"salary": "N/A", "on_leave": "maybe", "start_date": "soon"}
    assert (second["salary"], second["on_leave"], second["start_date"]) == (None, None, None)
    assert (second["id"], second["full_name"]) == ("P1", "Person 1")


def test_every_stream_has_the_column(serve: Serve) -> None:
    """`_rescued_data` is a text column of every dataset's stream, null where nothing is."""
    run = sync(serve(people(), cells("number", 1)).config)
    assert set(run.records) == {"people", "values"}
    for stream, records in run.records.items():
        schema = run.schemas[stream]["schema"]["properties"]["_rescued_data"]
        assert schema["type"] == ["string", "null"]
        assert [rescued(record) for record in records] == [None] * len(records)


@pytest.mark.slow
def test_misfits_do_not_depend_on_their_neighbours(serve: Serve) -> None:
    """A misfit far into the rows changes no value before or after it."""
    rows: list[object] = [i / 4 for i in range(5000)]
    rows[4000] = "N/A"
    run = sync(serve(cells("number", *rows)).config)
    expected: list[tuple[object, object]] = [(cell, None) for cell in rows]
    expected[4000] = (None, {"some_value": "N/A"})
    assert delivered(run) == expected


# --- characters that no database stores


def test_nul_characters_are_taken_out(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """NULs are taken out of text, nested and rescued text too, and told by their number."""
    orgvue = serve(cells("text", "a\x00b\x00", "c", {"k\x00": ["\x00"]}), people(1))
    orgvue.dataset("People").update(0, salary="1\x00")
    run = sync(orgvue.config)
    values = [value for value, _ in delivered(run)]
    assert values[:2] == ["ab", "c"]
    assert rescued(run.records["people"][0]) == {"salary": "1"}
    assert "\\u0000" not in run.stdout.replace("\\\\u0000", "")
    told = [line for line in warnings(caplog) if "NUL" in line]
    assert len([line for line in told if "'values': " in line]) == 1
    assert len([line for line in told if "'people': 1 NUL" in line]) == 1


def test_half_characters_do_not_stop_a_load(serve: Serve) -> None:
    """Text with half a surrogate pair keeps what can be stored, and its escapes are rescued."""
    run = sync(serve(literal("text", r'"a\ud83d b"', r'"\ud83d\ude00"')).config)
    assert delivered(run) == [("a? b", {"some_value": r'"a\ud83d b"'}), ("\U0001f600", None)]


# --- what is said of it


def test_misfits_are_counted_and_never_shown(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning a stream tells how many values of each property did not fit, and no value."""
    orgvue = serve(people(9), cells("date", SECRET, SECRET, None), people(2, "Fine"))
    for i in range(4):
        orgvue.dataset("People").update(i, salary=SECRET)
    orgvue.dataset("People").update(7, onLeave=SECRET)
    orgvue.dataset("People").update(8, onLeave=None)
    caplog.set_level(logging.DEBUG)
    sync(orgvue.config)
    told = [line for line in warnings(caplog) if "_rescued_data" in line]
    kept = "values that do not fit their column are kept in _rescued_data."
    advice = "`property_types` gives a property another type, for example"
    shares = "'salary' (property 'salary'): 4 of 9; 'on_leave' (property 'onLeave'): 1 of 8."
    of_people, of_values = sorted(told)
    assert of_people == (
        f'Stream \'people\': {kept} {shares} {advice} {{"people": {{"salary": "text"}}}}.'
    )
    assert of_values == (
        f"Stream 'values': {kept} 'some_value' (property 'Some Value'): all 2. {advice} "
        '{"values": {"Some Value": "text"}}.'
    )
    assert SECRET not in caplog.text


def test_the_type_that_a_warning_advises_is_taken(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """`property_types` as the warning writes it ends the warning, whatever is in the key."""
    key = 'Größe "[x]"\n*'
    orgvue = serve(Dataset("Values", properties=[Property(key, "number")], rows=[{key: "N/A"}]))
    sync(orgvue.config)
    (line,) = [line for line in warnings(caplog) if "property_types" in line]
    advised = json.loads(line.partition("for example ")[2].removesuffix("."))
    caplog.clear()
    run = sync({**orgvue.config, "property_types": advised})
    assert "N/A" in run.records["values"][0].values()
    assert not warnings(caplog)


@pytest.mark.slow
def test_the_command_shows_no_value_either(serve: Serve) -> None:
    """Neither warnings nor the error of a strict run hold a cell's value, even when debugging."""
    orgvue = serve(cells("number", SECRET))
    for strict in (False, True):
        config = {**orgvue.config, "rescue_data": not strict}
        run = command(config, env={"TAP_ORGVUE_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"})
        assert (run.code != 0) == strict
        assert "some_value" in run.stderr
        assert SECRET not in run.stderr


# --- without rescue


def test_without_rescue_there_is_no_column(orgvue: Orgvue) -> None:
    """`rescue_data: false` leaves the column out of catalog, SCHEMA and records."""
    config = {**orgvue.config, "rescue_data": False}
    catalog = discover(config)
    assert "_rescued_data" not in entry(catalog, "people")["schema"]["properties"]
    run = sync(config, catalog)
    assert "_rescued_data" not in run.schemas["people"]["schema"]["properties"]
    assert all("_rescued_data" not in record for record in run.records["people"])


def test_without_rescue_also_with_a_catalog_from_before(orgvue: Orgvue) -> None:
    """A catalog that still has `_rescued_data` does not bring it back."""
    run = sync({**orgvue.config, "rescue_data": False}, discover(orgvue.config))
    assert "_rescued_data" not in run.schemas["people"]["schema"]["properties"]
    assert all("_rescued_data" not in record for record in run.records["people"])


def test_with_rescue_also_with_a_catalog_from_before(orgvue: Orgvue) -> None:
    """A catalog without `_rescued_data`, made when it was off, does not make values fall away."""
    catalog = discover({**orgvue.config, "rescue_data": False})
    orgvue.dataset("People").update(0, salary="N/A")
    run = sync(orgvue.config, catalog)
    assert "_rescued_data" in run.schemas["people"]["schema"]["properties"]
    assert rescued(run.records["people"][0]) == {"salary": "N/A"}


def test_a_catalog_with_an_object_column_still_works(orgvue: Orgvue) -> None:
    """A catalog from before, where `_rescued_data` was an object, emits it as JSON text too."""
    catalog = discover(orgvue.config)
    entry(catalog, "people")["schema"]["properties"]["_rescued_data"]["type"] = ["object", "null"]
    orgvue.dataset("People").update(0, salary="N/A")
    run = sync(orgvue.config, catalog)
    column = run.schemas["people"]["schema"]["properties"]["_rescued_data"]
    assert column["type"] == ["string", "null"]
    assert [record["_rescued_data"] for record in run.records["people"][:2]] == [
        '{"salary":"N/A"}',
        None,
    ]


@pytest.mark.parametrize(
    "type_,given",
    [
        ("number", SECRET),
        ("date", SECRET),
        ("boolean", SECRET),
        ("date", "2022-01-02T13:00:00Z"),
    ],
)
def test_without_rescue_a_misfit_fails_its_stream(serve: Serve, type_: str, given: str) -> None:
    """The error names stream, property and row id, and says what can be done; not the value."""
    orgvue = serve(cells(type_, None, None, given))
    with pytest.raises(OrgvueError) as caught:
        sync({**orgvue.config, "rescue_data": False})
    told = str(caught.value)
    row_id = orgvue.dataset("Values").rows[2]["_id"]
    for word in ("'values'", "Some Value", str(row_id), "property_types", "rescue_data"):
        assert word in told
    assert given not in told


def test_new_properties_cannot_be_rescued_without_rescue(orgvue: Orgvue) -> None:
    """`new_properties: rescue` without `rescue_data` would lose values: it is a mistake."""
    with pytest.raises(SettingsError, match=r"new_properties: .*rescue_data"):
        discover({**orgvue.config, "rescue_data": False, "new_properties": "rescue"})


# --- keys


@pytest.mark.parametrize("kind", ["number", "boolean", "date", "date-time"])
def test_a_key_that_does_not_fit_fails_the_stream(orgvue: Orgvue, kind: str) -> None:
    """A key can be neither null nor rescued: a value that does not fit it ends its stream."""
    with pytest.raises(OrgvueError, match="_id"):
        sync({**orgvue.config, "property_types": {"_id": kind}})


def test_a_key_may_be_a_date(serve: Serve) -> None:
    """Where the customer's own key is a date, a bad one ends the stream, a good one is kept."""
    dataset = Dataset(
        "Days",
        properties=[Property("day", "date", auto_id=True), Property("n", "number")],
        rows=[{"day": "2022-01-01T00:00:00.000Z"}, {"day": "2022-01-02"}],
        generated=(),
    )
    orgvue = serve(dataset)
    run = sync(orgvue.config)
    assert run.schemas["days"]["key_properties"] == ["day"]
    assert [record["day"] for record in run.records["days"]] == ["2022-01-01", "2022-01-02"]
    orgvue.dataset("Days").update(1, day="yesterday")
    with pytest.raises(OrgvueError, match="'day'"):
        sync(orgvue.config)


# --- beside the SDK's own means of changing records


def test_deselecting_it_does_not_make_values_disappear(orgvue: Orgvue) -> None:
    """`_rescued_data` is automatic: deselecting it has no effect, and SCHEMA and records agree."""
    catalog = select(discover(orgvue.config), "people", "_rescued_data", selected=False)
    orgvue.dataset("People").update(0, salary="N/A")
    run = sync(orgvue.config, catalog)
    assert "_rescued_data" in run.schemas["people"]["schema"]["properties"]
    assert rescued(run.records["people"][0]) == {"salary": "N/A"}


def test_stream_maps_see_what_was_rescued(orgvue: Orgvue) -> None:
    """A stream map reads `_rescued_data` as JSON text, keeps it, renames it, or removes it."""
    orgvue.dataset("People").update(0, salary="N/A")
    maps = {
        "people": {
            "odd": "_rescued_data is not None",
            "was": "json.loads(_rescued_data or '{}').get('salary')",
            "_rescued_data": "__NULL__",
        }
    }
    run = sync({**orgvue.config, "stream_maps": maps})
    first, second, *_ = run.records["people"]
    assert (first["odd"], first["was"], first["salary"]) == (True, "N/A", None)
    assert (second["odd"], second["was"], second["salary"]) == (False, None, 1001)
    assert "_rescued_data" not in first
    assert "_rescued_data" not in run.schemas["people"]["schema"]["properties"]


@pytest.mark.parametrize(
    "number", ["12345678901234567890.123456789", "0.12345678901234567890", "1e30", "7", "1" * 40]
)
def test_stream_maps_calculate_with_any_number(serve: Serve, number: str) -> None:
    """A number of any length is one that a map calculates with; without maps it is exact."""
    orgvue = serve(literal("number", number))
    formulas = {"more": "some_value * 1.1 + 1", "half": "float(some_value) / 2"}
    run = sync({**orgvue.config, "stream_maps": {"values": formulas}})
    (record,) = run.records["values"]
    assert record["more"] == pytest.approx(float(number) * 1.1 + 1)
    assert record["half"] == float(number) / 2
    plain = sync(orgvue.config).stdout.partition('"record":')[2]
    assert Decimal(plain.partition('"some_value":')[2].partition(",")[0]) == Decimal(number)


def test_a_map_of_other_columns_keeps_what_was_rescued(orgvue: Orgvue) -> None:
    """A stream map that does not speak of `_rescued_data` passes it on."""
    orgvue.dataset("People").update(0, salary="N/A")
    run = sync({**orgvue.config, "stream_maps": {"people": {"shout": "full_name.upper()"}}})
    assert rescued(run.records["people"][0]) == {"salary": "N/A"}
    assert run.schemas["people"]["schema"]["properties"]["_rescued_data"]


def test_flattening_keeps_what_was_rescued(serve: Serve) -> None:
    """With flattening on, records still satisfy the SCHEMA and no rescued value is lost."""
    orgvue = serve(people(3))
    orgvue.dataset("People").update(0, salary="N/A", onLeave={"from": {"day": 1}})
    flat = {"flattening_enabled": True, "flattening_max_depth": 3}
    run = sync({**orgvue.config, **flat})
    schema = run.schemas["people"]["schema"]["properties"]
    for record in run.records["people"]:
        assert set(record) <= set(schema)
    first, second, _ = run.records["people"]
    assert rescued(first) == {"salary": "N/A", "on_leave": {"from": {"day": 1}}}
    assert schema["_rescued_data"]["type"] == ["string", "null"]
    assert rescued(second) is None
