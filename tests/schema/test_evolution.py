"""Properties that come and go between discovery and sync: the export's headers are the truth."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.orgvue.models import Property as OrgvueProperty
from tap_orgvue.schema.column_rules import ColumnRules, NewProperties
from tap_orgvue.schema.column_types import ColumnType
from tap_orgvue.schema.columns import CatalogColumns, Column
from tap_orgvue.schema.evolution import ResolvedColumns, reconcile
from tap_orgvue.schema.ownership import ColumnNaming, ColumnOwners
from tap_orgvue.simulator import Orgvue, Property
from tests.support.datasets import people
from tests.support.runs import command, discover, rescued, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Orgvue]

MODES = ["sync", "async", "paged"]


def warnings(log: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """The warnings that hold all of these words."""
    lines = [r.getMessage() for r in log.records if r.levelno == logging.WARNING]
    return [line for line in lines if all(word in line for word in words)]


def grown(orgvue: Orgvue) -> dict[str, Any]:
    """A catalog from before two properties were added."""
    catalog = discover(orgvue.config)
    people_ = orgvue.dataset("People")
    people_.add_property(Property("Bonus %", "number", name="Bonus"), [1, 2, 3, 4, "N/A"])
    people_.add_property(Property("reviewed", "date"), ["2022-01-02", None, None, None, None])
    return catalog


# --- that come


@pytest.mark.parametrize("mode", MODES)
def test_new_properties_are_added(
    orgvue: Orgvue, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By default the one SCHEMA, before the first record, has the new columns, of their types."""
    run = sync({**orgvue.config, "export_mode": mode}, grown(orgvue))
    kinds = [message["type"] for message in run.messages]
    assert kinds.count("SCHEMA") == 1
    assert kinds.index("SCHEMA") < kinds.index("RECORD")
    schema = run.schemas["people"]["schema"]["properties"]
    assert schema["bonus_pct"]["type"] == ["number", "null"]
    assert (schema["reviewed"]["type"], schema["reviewed"]["format"]) == (
        ["string", "null"],
        "date",
    )
    first, *_, last = run.records["people"]
    assert (first["bonus_pct"], first["reviewed"]) == (1, "2022-01-02")
    assert rescued(last) == {"bonus_pct": "N/A"}
    (line,) = warnings(caplog, "'people'", "new_properties", "--refresh-catalog")
    assert "'Bonus %'" in line


def test_new_properties_take_no_name_that_is_taken(orgvue: Orgvue) -> None:
    """A new key that folds to an existing column's name gets a name of its own, always the same."""
    catalog = discover(orgvue.config)
    orgvue.dataset("People").add_property(Property("Salary", "text"), ["a", "b", "c", "d", "e"])
    first, second = (sync(orgvue.config, catalog) for _ in range(2))
    assert first.records == second.records
    record = first.records["people"][0]
    assert record["salary"] == 1000
    (other,) = [name for name in record if name.startswith("salary_")]
    assert record[other] == "a"


def test_new_properties_in_batches(orgvue: Orgvue, tmp_path: Any) -> None:
    """In BATCH mode the SCHEMA has the new columns as well."""
    batches = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": tmp_path.as_uri()},
    }
    run = sync({**orgvue.config, "batch_config": batches}, grown(orgvue))
    assert "bonus_pct" in run.schemas["people"]["schema"]["properties"]
    assert len(run.of_type("BATCH")) == 1


def test_new_properties_can_be_rescued(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """`rescue` keeps their values, by key, in `_rescued_data`, and adds no column."""
    run = sync({**orgvue.config, "new_properties": "rescue"}, grown(orgvue))
    assert "bonus_pct" not in run.schemas["people"]["schema"]["properties"]
    assert [rescued(record) for record in run.records["people"]] == [
        {"Bonus %": 1, "reviewed": "2022-01-02"},
        {"Bonus %": 2},
        {"Bonus %": 3},
        {"Bonus %": 4},
        {"Bonus %": "N/A"},
    ]
    assert len(warnings(caplog, "'people'", "rescue", "'Bonus %'")) == 1


def test_new_properties_can_be_ignored(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """`ignore` leaves them out, and says so."""
    run = sync({**orgvue.config, "new_properties": "ignore"}, grown(orgvue))
    before = run.schemas["people"]["schema"]["properties"]
    assert not {"bonus_pct", "reviewed"} & set(before)
    assert {rescued(record) is None for record in run.records["people"]} == {True}
    assert len(warnings(caplog, "'people'", "ignore", "'Bonus %'")) == 1


def test_new_properties_can_fail_their_stream(serve: Serve) -> None:
    """`fail` ends the stream before anything of it is sent; the error names the property."""
    orgvue = serve(people())
    catalog = grown(orgvue)
    run = command({**orgvue.config, "new_properties": "fail"}, catalog=catalog)
    assert run.code == 3
    assert not run.of_type("RECORD")
    assert not run.schemas
    assert "'Bonus %'" in run.stderr
    assert "--refresh-catalog" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("choice", ["add", "rescue", "fail"])
def test_strangers_are_kept_out_where_columns_are_deselected(orgvue: Orgvue, choice: str) -> None:
    """Who deselected a column gets what the catalog names: the projection asks for no more."""
    catalog = select(grown(orgvue), "people", "salary", selected=False)
    run = sync({**orgvue.config, "new_properties": choice}, catalog)
    assert set(run.records["people"][0]) == {
        "_id",
        "id",
        "full_name",
        "on_leave",
        "start_date",
        "_modified_at",
        "_rescued_data",
    }
    projection = orgvue.requests[-1].body["query"]["output"]["projection"]  # type: ignore[index]
    assert not {"Bonus %", "reviewed", "salary"} & set(projection)


def test_a_new_property_can_be_pinned(orgvue: Orgvue) -> None:
    """`property_types` counts for properties that the catalog does not have."""
    config = {**orgvue.config, "property_types": {"bonus*": "text"}}
    run = sync(config, grown(orgvue))
    assert [record["bonus_pct"] for record in run.records["people"]] == ["1", "2", "3", "4", "N/A"]


# --- that go


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("unknown", ["ignore", "refuse"])
@pytest.mark.parametrize("deselecting", [False, True])
def test_a_property_that_is_gone_is_null(
    orgvue: Orgvue,
    mode: str,
    unknown: str,
    deselecting: bool,  # noqa: FBT001 - one of the cases
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is null in every record, with one warning, also where the projection is refused for it."""
    catalog = discover(orgvue.config)
    if deselecting:
        select(catalog, "people", "full_name", selected=False)
    orgvue.dataset("People").remove_property("salary")
    orgvue.unknown_projection = unknown
    run = sync({**orgvue.config, "export_mode": mode}, catalog)
    assert run.schemas["people"]["schema"]["properties"]["salary"]["type"] == ["number", "null"]
    assert [record["salary"] for record in run.records["people"]] == [None] * 5
    assert [record["id"] for record in run.records["people"]] == ["P0", "P1", "P2", "P3", "P4"]
    assert ("full_name" in run.records["people"][0]) == (not deselecting)
    assert len(warnings(caplog, "'people'", "'salary'")) == 1


def test_a_refusal_for_another_reason_is_not_hidden(orgvue: Orgvue) -> None:
    """A 400 that is not about a gone property is told as it is, and not asked again for ever."""
    catalog = select(discover(orgvue.config), "people", "full_name", selected=False)
    orgvue.refuse("400607", on=("export", "job"), times=None)
    with pytest.raises(OrgvueError, match="400607"):
        sync(orgvue.config, catalog)


def test_a_renamed_property_is_one_gone_and_one_new(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """The old column is null, the new one has the values, and the log tells of both."""
    catalog = discover(orgvue.config)
    people_ = orgvue.dataset("People")
    people_.remove_property("salary")
    people_.add_property(Property("Base Pay", "number"), [1, 2, 3, 4, 5])
    run = sync(orgvue.config, catalog)
    found = [(record["salary"], record["base_pay"]) for record in run.records["people"]]
    assert found == [(None, 1), (None, 2), (None, 3), (None, 4), (None, 5)]
    assert len(warnings(caplog, "'salary'")) == 1
    assert len(warnings(caplog, "'Base Pay'")) == 1


# --- that come while others are excluded


@pytest.fixture
def excluding(orgvue: Orgvue) -> tuple[dict[str, Any], dict[str, Any]]:
    """A config that excludes a property, and a catalog of it from before two were added."""
    config = {**orgvue.config, "exclude_properties": ["salary"]}
    catalog = discover(config)
    orgvue.dataset("People").add_property(Property("Bonus %", "number"), [1, 2, 3, 4, 5])
    orgvue.dataset("People").add_property(Property("old salary", name="Salary"), ["a"] * 5)
    return config, catalog


@pytest.mark.parametrize("mode", MODES)
def test_new_properties_are_added_beside_excluded_ones(
    orgvue: Orgvue, excluding: tuple[dict[str, Any], dict[str, Any]], mode: str
) -> None:
    """A new property is added although a projection keeps excluded ones out, new ones as well."""
    config, catalog = excluding
    before = len(orgvue.requests)
    run = sync({**config, "export_mode": mode}, catalog)
    assert [record["bonus_pct"] for record in run.records["people"]] == [1, 2, 3, 4, 5]
    assert not {"salary", "old_salary"} & set(run.schemas["people"]["schema"]["properties"])
    sent = "".join(request.raw.decode() for request in orgvue.requests[before:])
    assert '"Bonus %"' in sent
    assert "salary" not in sent


def test_new_properties_beside_excluded_ones_can_be_rescued_or_fail(
    excluding: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """`rescue` and `fail` hold as well, and neither sees an excluded property."""
    config, catalog = excluding
    run = sync({**config, "new_properties": "rescue"}, catalog)
    assert "Bonus %" in str(rescued(run.records["people"][0]))
    assert "old salary" not in run.stdout
    with pytest.raises(OrgvueError, match=r"new properties, 'Bonus %', and"):
        sync({**config, "new_properties": "fail"}, catalog)


def test_noticing_new_properties_costs_one_request_where_it_is_needed(
    orgvue: Orgvue, excluding: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """One request a stream, and none if new ones are ignored, or the run itself discovers."""
    config, catalog = excluding

    def requests_of(config: dict[str, Any], catalog: dict[str, Any] | None) -> int:
        before = len(orgvue.requests)
        sync(config, catalog)
        return len(orgvue.requests) - before

    assert requests_of({**config, "new_properties": "ignore"}, catalog) == 1
    assert requests_of(config, catalog) == 2
    assert requests_of(config, discover(config)) == 2
    deselecting = select(discover(config), "people", "full_name", selected=False)
    assert requests_of(config, deselecting) == 1


# --- the columns of a run, without a run


NAME = Column("full_name", "Full Name", ColumnType.TEXT, "Name")
PAY = Column("pay", "Pay", ColumnType.NUMBER, "Pay")
HEADERS = [OrgvueProperty("Full Name", "Name", "text"), OrgvueProperty("Pay", "Pay", "number")]
BONUS = OrgvueProperty("Bonus %", "Bonus", "number")


def resolved(
    *headers: OrgvueProperty,
    earlier: dict[str, str] | None = None,
    selected: tuple[str, ...] = ("full_name", "pay"),
    **rules: Any,
) -> ResolvedColumns:
    """The columns of a run whose catalog has a name and a pay."""
    catalog = CatalogColumns("people", [NAME, PAY], frozenset(selected))
    by_type: dict[str, list[str]] = {}
    for name, column_type in (earlier or {}).items():
        by_type.setdefault(column_type, []).append(name)
    naming = ColumnNaming(owners=ColumnOwners.from_types(by_type))
    return reconcile(catalog, headers or HEADERS, ColumnRules(**rules), naming)


def test_columns_are_those_of_the_catalog() -> None:
    """Where nothing changed, a run has the catalog's columns, and nothing is told."""
    assert resolved() == ResolvedColumns([NAME, PAY])


def test_only_selected_columns_are_of_a_run() -> None:
    """A deselected or excluded column is in no record; then no property counts as new."""
    assert resolved(*HEADERS, BONUS, selected=("pay",)) == ResolvedColumns([PAY])
    assert resolved(excluded=("pay",)).columns == [NAME]


@pytest.mark.parametrize("pattern", ["pay", "Compensation", "people.comp*"])
def test_a_property_is_protected_by_each_of_its_names(pattern: str) -> None:
    """The display name in the catalog protects a property, and so does the one in the export."""
    renamed = OrgvueProperty("Pay", "Compensation", "number")
    assert resolved(HEADERS[0], renamed, excluded=(pattern,)).columns == [NAME]
    hashed = resolved(HEADERS[0], renamed, hashed=(pattern,)).columns[1]
    assert hashed == replace(PAY, type=ColumnType.TEXT, hashed=True)


def test_an_excluded_column_may_be_deselected() -> None:
    """New properties are added where only an excluded column is deselected."""
    made = resolved(*HEADERS, BONUS, selected=("full_name",), excluded=("pay",))
    assert [column.key for column in made.columns] == ["Full Name", "Bonus %"]


def test_a_missing_property_keeps_its_column() -> None:
    """The column stays, with a warning that names it."""
    made = resolved(HEADERS[0])
    assert made.columns == [NAME, PAY]
    assert [("'Pay'" in line, "'pay'" in line) for line in made.warnings] == [(True, True)]


def test_an_emitted_type_stays() -> None:
    """The type of earlier runs wins over the catalog's and Orgvue's; the log says so once."""
    made = resolved(earlier={"pay": "text"})
    assert made.columns == [NAME, replace(PAY, type=ColumnType.TEXT)]
    (line,) = made.warnings
    assert "was text" in line
    assert "is number" in line


def test_a_declared_type_that_changed_is_reported() -> None:
    """The catalog's type stays where Orgvue declares another one now."""
    made = resolved(HEADERS[0], OrgvueProperty("Pay", "Pay", "text"))
    assert made.columns == [NAME, PAY]
    (line,) = made.warnings
    assert "'Pay' as text" in line
    assert "has number" in line


def test_a_pinned_type_needs_no_word() -> None:
    """A pin wins over all other types, and over a property that is hashed it is a text."""
    types = {"pay": ColumnType.DATE}
    made = resolved(earlier={"pay": "text"}, types=types)
    assert made == ResolvedColumns([NAME, replace(PAY, type=ColumnType.DATE)])
    hashed = resolved(types=types, hashed=("pay",)).columns[1]
    assert hashed == replace(PAY, type=ColumnType.TEXT, hashed=True)


@pytest.mark.parametrize(
    "earlier,pins,expected",
    [
        ({}, {}, "number"),
        ({"bonus_pct": "date"}, {}, "date"),
        ({"bonus_pct": "date"}, {"b*": "text"}, "text"),
    ],
)
def test_a_new_property_has_the_type_of_its_column(
    earlier: dict[str, str], pins: dict[str, str], expected: str
) -> None:
    """A new column has the type that is pinned, else the one emitted before, else Orgvue's."""
    types = {key: ColumnType(value) for key, value in pins.items()}
    made = resolved(*HEADERS, BONUS, earlier=earlier, types=types)
    assert made.columns[2:] == [Column("bonus_pct", "Bonus %", ColumnType(expected), "Bonus")]
    (line,) = made.warnings
    assert "'Bonus %'" in line
    assert "add" in line


@pytest.mark.parametrize("choice", ["rescue", "ignore"])
def test_a_new_property_without_a_column(choice: str) -> None:
    """Rescued properties are known by key, hashed ones too; ignored ones are only told."""
    ssn = OrgvueProperty("ssn", "SSN", "text")
    new = NewProperties(choice)
    made = resolved(*HEADERS, BONUS, ssn, new_properties=new, hashed=("ssn",))
    assert made.columns == [NAME, PAY]
    rescued = {"Bonus %", "ssn"} if choice == "rescue" else set()
    assert made.rescued_keys == rescued
    assert made.hashed_keys == rescued - {"Bonus %"}
    assert len(made.warnings) == 1


def test_a_new_property_can_be_an_error() -> None:
    """With `fail` the error names stream and property; an excluded one is no new property."""
    with pytest.raises(OrgvueError, match=r"'people'.*'Bonus %'.*fail"):
        resolved(*HEADERS, BONUS, new_properties=NewProperties.FAIL)
    made = resolved(*HEADERS, BONUS, new_properties=NewProperties.FAIL, excluded=("b*",))
    assert made.columns == [NAME, PAY]
