"""The type of a column: what a user pins, and what it was in the runs before."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.datasets import people
from tests.support.runs import command, discover, entry, rescued, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Orgvue]

SCHEMAS: dict[str, dict[str, Any]] = {
    "text": {"type": ["string", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date"},
    "date-time": {"type": ["string", "null"], "format": "date-time"},
}


def typed(schema: dict[str, Any], column: str) -> dict[str, Any]:
    """What a SCHEMA message or a catalog says of a column's type."""
    declared = schema["schema"]["properties"][column]
    return {word: declared[word] for word in ("type", "format") if word in declared}


def warnings(log: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """The warnings that hold all of these words."""
    lines = [r.getMessage() for r in log.records if r.levelno == logging.WARNING]
    return [line for line in lines if all(word in line for word in words)]


# --- pinned


@pytest.mark.parametrize(
    "declared,given,kind,expected",
    [
        ("number", 7, "text", "7"),
        ("number", 1.50, "text", "1.5"),
        ("text", "12.50", "number", 12.5),
        ("text", "true", "boolean", True),
        ("text", "2022-01-02", "date", "2022-01-02"),
        ("date", "2022-01-02T13:45:00Z", "date-time", "2022-01-02T13:45:00.000Z"),
        ("date", "2022-01-02", "text", "2022-01-02"),
    ],
)
def test_a_property_is_what_it_is_pinned_to(
    serve: Serve, declared: str, given: object, kind: str, expected: object
) -> None:
    """Catalog, SCHEMA and record have the type that `property_types` says, not Orgvue's."""
    dataset = Dataset("Values", properties=[Property("v", declared)], rows=[{"v": given}])
    config = {**serve(dataset).config, "property_types": {"v": kind}}
    catalog = discover(config)
    run = sync(config, catalog)
    assert typed(entry(catalog, "values"), "v") == SCHEMAS[kind]
    assert typed(run.schemas["values"], "v") == SCHEMAS[kind]
    (record,) = run.records["values"]
    assert (record["v"], rescued(record)) == (expected, None)


def test_a_pin_needs_no_new_catalog(orgvue: Orgvue) -> None:
    """A type that is pinned after discovery is in force in the next run, whatever the catalog."""
    catalog = discover(orgvue.config)
    run = sync({**orgvue.config, "property_types": {"salary": "text"}}, catalog)
    assert typed(run.schemas["people"], "salary") == SCHEMAS["text"]
    assert run.records["people"][0]["salary"] == "1000"


def test_patterns_meet_keys_in_any_case(serve: Serve) -> None:
    """Patterns are over keys, with * and ?, in any case; `stream.key` speaks of one stream."""
    orgvue = serve(people(1), people(1, "Leavers"))
    pins = {"SAL*": "text", "leavers.salary": "boolean", "full nam?": "number"}
    run = sync({**orgvue.config, "property_types": pins})
    assert typed(run.schemas["people"], "salary") == SCHEMAS["text"]
    assert typed(run.schemas["leavers"], "salary") == SCHEMAS["boolean"]
    assert typed(run.schemas["leavers"], "full_name") == SCHEMAS["number"]
    assert rescued(run.records["leavers"][0]) == {"salary": 1000, "full_name": "Person 0"}


def test_a_pin_of_nothing_is_reported(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """A pattern that meets no property is told at discovery: it may be misspelt."""
    discover({**orgvue.config, "property_types": {"salery": "text"}})
    assert warnings(caplog, "salery")


@pytest.mark.parametrize("kind", ["string", "integer", "", "Text"])
def test_unknown_types_are_mistakes(orgvue: Orgvue, kind: str) -> None:
    """Only the five types can be pinned; any other word ends the run before a request."""
    with pytest.raises(SettingsError, match="property_types"):
        discover({**orgvue.config, "property_types": {"salary": kind}})
    assert not orgvue.requests


# --- remembered


def test_a_column_keeps_the_type_of_its_table(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """After Orgvue's declared type changed, also in the catalog, the emitted one stays.

    Values are fitted to it, else rescued; one warning names the two ways to accept the new type.
    """
    state = sync(orgvue.config).state
    people_ = orgvue.dataset("People")
    people_.replace_property("salary", Property("salary", "text"))
    people_.update(0, salary="12.50")
    people_.update(1, salary="a lot")
    run = sync(orgvue.config, discover(orgvue.config), state)
    assert typed(run.schemas["people"], "salary") == SCHEMAS["number"]
    first, second, *_ = run.records["people"]
    assert (first["salary"], rescued(first)) == (12.5, None)
    assert (second["salary"], rescued(second)) == (None, {"salary": "a lot"})
    (line,) = warnings(caplog, "'people'", "property_types", "--full-refresh")
    assert "'salary'" in line
    again = sync(orgvue.config, discover(orgvue.config), run.state)
    assert typed(again.schemas["people"], "salary") == SCHEMAS["number"]


def test_a_full_refresh_accepts_the_new_type(orgvue: Orgvue) -> None:
    """Without state, which is what `--full-refresh` does, the declared type counts."""
    sync(orgvue.config)
    orgvue.dataset("People").replace_property("salary", Property("salary", "text"))
    run = sync(orgvue.config, discover(orgvue.config))
    assert typed(run.schemas["people"], "salary") == SCHEMAS["text"]


def test_a_pin_accepts_the_new_type(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """`property_types` wins over what is remembered, and is remembered in its turn."""
    state = sync(orgvue.config).state
    pinned = {**orgvue.config, "property_types": {"salary": "text"}}
    run = sync(pinned, discover(pinned), state)
    assert typed(run.schemas["people"], "salary") == SCHEMAS["text"]
    assert not warnings(caplog, "salary")
    # The pin is gone, the table is not.
    after = sync(orgvue.config, discover(orgvue.config), run.state)
    assert typed(after.schemas["people"], "salary") == SCHEMAS["text"]


def test_a_type_that_is_back_is_not_reported(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing changed, nothing is said."""
    state = sync(orgvue.config).state
    sync(orgvue.config, discover(orgvue.config), state)
    assert not warnings(caplog)


def test_a_catalog_that_is_behind_is_reported(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """A type that changed after discovery: the catalog's stays, and the log has the command."""
    catalog = discover(orgvue.config)
    people_ = orgvue.dataset("People")
    people_.replace_property("salary", Property("salary", "text"))
    people_.update(0, salary="12.50")
    people_.update(1, salary="a lot")
    run = sync(orgvue.config, catalog)
    assert typed(run.schemas["people"], "salary") == SCHEMAS["number"]
    first, second, *_ = run.records["people"]
    assert (first["salary"], rescued(second)) == (12.5, {"salary": "a lot"})
    assert len(warnings(caplog, "'salary'", "--refresh-catalog", "--discover")) == 1


def test_a_column_that_was_away_comes_back_as_it_was(orgvue: Orgvue) -> None:
    """A deselected or removed property that returns with another type has its table's type."""
    state = sync(orgvue.config).state
    people_ = orgvue.dataset("People")
    people_.remove_property("salary")
    state = sync(orgvue.config, discover(orgvue.config), state).state
    people_.add_property(Property("salary", "text"), ["1", "2", "3", "4", "x"])
    run = sync(orgvue.config, discover(orgvue.config), state)
    assert typed(run.schemas["people"], "salary") == SCHEMAS["number"]
    assert [record["salary"] for record in run.records["people"]] == [1, 2, 3, 4, None]


def test_a_new_property_is_remembered_too(orgvue: Orgvue) -> None:
    """A column that was added without a new catalog keeps the type that it was added with."""
    catalog = discover(orgvue.config)
    people_ = orgvue.dataset("People")
    people_.add_property(Property("bonus", "number"), [1, 2, 3, 4, 5])
    first = sync(orgvue.config, catalog)
    assert typed(first.schemas["people"], "bonus") == SCHEMAS["number"]
    people_.replace_property("bonus", Property("bonus", "text"))
    people_.update(0, bonus="a lot")
    second = sync(orgvue.config, catalog, first.state)
    assert typed(second.schemas["people"], "bonus") == SCHEMAS["number"]
    assert rescued(second.records["people"][0]) == {"bonus": "a lot"}


def test_a_run_that_fails_remembers_nothing(serve: Serve) -> None:
    """What a failed run would have emitted is not taken for the table's type."""
    orgvue = serve(people(2))
    state = sync(orgvue.config).state
    before = copy.deepcopy(state)
    orgvue.dataset("People").replace_property("salary", Property("salary", "text"))
    orgvue.dataset("People").update(0, salary="a lot")
    strict = {**orgvue.config, "rescue_data": False}
    with pytest.raises(Exception, match="salary"):
        sync(strict, discover(strict), state)
    assert state == before


@pytest.mark.parametrize(
    "odd",
    [
        [],
        "x",
        {"types": []},
        {"types": {"number": 5}},
        {"types": {"unheard of": ["salary"]}},
        {"rows": "x", "version": "x", "permissioned": "x", "exported_at": 5},
        {"rows": {}, "version": [], "cache_key": 1, "fingerprint": 2},
    ],
)
def test_an_odd_state_is_as_if_there_were_none(orgvue: Orgvue, odd: object) -> None:
    """A state that was edited, or is of another version, stops no run."""
    config = {**orgvue.config, "emit_activate_version_messages": True, "skip_unchanged": True}
    state = {"bookmarks": {"people": {"orgvue": odd}}}
    run = sync(config, discover(config), state)
    assert len(run.records["people"]) == 5
    assert run.of_type("ACTIVATE_VERSION")


@pytest.mark.parametrize(
    "state", ['{"bookmarks": {"people": 5}}', '{"bookmarks": []}', "[]", "null", "", "{"]
)
def test_what_is_no_state_is_reported(orgvue: Orgvue, tmp_path: Path, state: str) -> None:
    """A file that holds no state ends the run before any request, in one line."""
    path = tmp_path / "state.json"
    path.write_text(state)
    run = command(orgvue.config, "--state", str(path), catalog={"streams": []})
    assert run.code == 3
    assert "state: " in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert not orgvue.requests
