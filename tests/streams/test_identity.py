"""A table always means what it meant: names have owners, and a state belongs to something."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import Misconfigured, OrgvueError
from tap_orgvue.settings import SettingsError
from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import people
from tests.support.runs import command, conditions, discover, entry, only, select, streams, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

OTHER_TENANT = "orgvue.us-east-1.concentra.io/OTHER"


def money(*keys: str) -> Dataset:
    """A dataset of number properties whose values tell the properties apart."""
    return Dataset(
        "Money",
        properties=[Property(key, "number") for key in keys],
        rows=[{key: (i + 1) * 10**at for at, key in enumerate(keys)} for i in range(2)],
    )


def again(orgvue: Orgvue, state: dict[str, Any], **settings: Any) -> Any:
    """A run as `meltano run` makes it: a discovery with the state, then a sync with both."""
    config = {**orgvue.config, **settings}
    return sync(config, discover(config, state), state)


def warnings(caplog: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """The warnings that hold all these words."""
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return [line for line in told if all(word in line for word in words)]


# --- columns


@pytest.mark.slow
def test_a_column_keeps_its_property(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A new property that would have the column's name gets a suffix, and one warning."""
    dataset = money("Bonus %")
    orgvue = serve(dataset)
    first = sync(orgvue.config)
    assert [row["bonus_pct"] for row in first.records["money"]] == [1, 2]
    dataset.add_property(Property("bonus_pct", "number"), [70, 80])
    second = again(orgvue, first.state)
    (newcomer,) = set(second.records["money"][0]) - set(first.records["money"][0])
    assert newcomer.startswith("bonus_pct_")
    assert [row["bonus_pct"] for row in second.records["money"]] == [1, 2]
    assert [row[newcomer] for row in second.records["money"]] == [70, 80]
    assert len(warnings(caplog, "'bonus_pct'", "property_names")) == 1
    third = again(orgvue, second.state)
    assert third.records["money"][0].keys() == second.records["money"][0].keys()


@pytest.mark.slow
def test_a_column_keeps_its_property_when_that_is_gone(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The name of a property that is gone is not given to another: the table has its values.

    The newcomer's suffix is told once.
    """
    dataset = money("Cost Centre", "Other")
    orgvue = serve(dataset)
    state = sync(orgvue.config).state
    dataset.remove_property("Cost Centre")
    dataset.add_property(Property("cost_centre", "number"), [70, 80])
    second = again(orgvue, state)
    (newcomer,) = [name for name in second.records["money"][0] if name.startswith("cost_centre_")]
    assert [row[newcomer] for row in second.records["money"]] == [70, 80]
    assert "cost_centre" not in second.records["money"][0]
    assert len(warnings(caplog, "'cost_centre'", newcomer, "property_names")) == 1
    caplog.clear()
    again(orgvue, second.state)
    assert not warnings(caplog, "property_names")
    dataset.remove_property("cost_centre")
    dataset.add_property(Property("Cost Centre", "number"), [7, 8])
    third = again(orgvue, second.state)
    assert [row["cost_centre"] for row in third.records["money"]] == [7, 8]


@pytest.mark.slow
def test_a_catalog_without_the_state_gives_no_column_away(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """A property is sent under its remembered name, if the catalog selects both names."""
    dataset = money("Bonus %")
    orgvue = serve(dataset)
    state = sync(orgvue.config).state
    dataset.add_property(Property("bonus_pct", "number"), [70, 80])
    catalog = discover(orgvue.config)
    (suffixed,) = [n for n in entry(catalog, "money")["schema"]["properties"] if "pct_" in n]
    run = sync(orgvue.config, catalog, state)
    assert [row["bonus_pct"] for row in run.records["money"]] == [1, 2]
    (newcomer,) = [name for name in run.records["money"][0] if name.startswith("bonus_pct_")]
    assert [row[newcomer] for row in run.records["money"]] == [70, 80]
    assert warnings(caplog, "'Bonus %'", f"'{suffixed}'", "'bonus_pct'")
    for hidden in ("bonus_pct", suffixed):
        partly = select(discover(orgvue.config), "money", hidden, selected=False)
        rows = sync(orgvue.config, partly, state).records["money"]
        assert all("bonus_pct" not in row for row in rows), hidden


def test_a_pin_names_a_column(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """`property_names` wins over the rule, the state and the catalog; a moved column is told."""
    orgvue = serve(money("Bonus %", "Other"))
    state = sync(orgvue.config).state
    pins = {"property_names": {"money": {"Bonus %": "premium"}}}
    catalog = discover(orgvue.config)
    for made in (catalog, discover({**orgvue.config, **pins}, state)):
        run = sync({**orgvue.config, **pins}, made, state)
        assert [row["premium"] for row in run.records["money"]] == [1, 2]
        assert "bonus_pct" not in run.records["money"][0]
    assert warnings(caplog, "'bonus_pct'", "stays in the table")
    only_id = {"property_names": {orgvue.dataset("Money").dataset_id: {"Bonus %": "p"}}}
    assert "p" in sync({**orgvue.config, **only_id}).records["money"][0]


def test_a_pin_names_the_key_and_the_replication_key(orgvue: Orgvue) -> None:
    """Key and replication key follow their columns' pins."""
    pins = {"property_names": {"people": {"_id": "node_id", "_modifiedAt": "changed"}}}
    catalog = discover(orgvue.config)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    config = {**orgvue.config, **pins}
    first = sync(config, catalog)
    assert first.schemas["people"]["key_properties"] == ["node_id"]
    orgvue.dataset("People").update(0, salary=7)
    second = sync(config, catalog, first.state)
    assert {row["id"] for row in second.records["people"]} == {"P0", "P4"}


def test_the_dictionary_has_the_names_in_use(serve: Serve) -> None:
    """`orgvue_properties` tells the names that the run used, however the catalog was made."""
    dataset = money("Bonus %")
    orgvue = serve(dataset)
    state = sync(orgvue.config).state
    dataset.add_property(Property("bonus_pct", "number"), [70, 80])
    catalog = only(discover(orgvue.config), "money", "orgvue_properties")
    run = sync(orgvue.config, catalog, state)
    named = {row["key"]: row["column_name"] for row in run.records["orgvue_properties"]}
    own = {name for name in run.records["money"][0] if not name.startswith("_")}
    assert own == set(named.values())
    assert named["Bonus %"] == "bonus_pct"


@pytest.mark.slow
def test_a_state_is_small(serve: Serve) -> None:
    """300 streams of 150 columns would take less than a megabyte."""
    orgvue = serve(money(*(f"A property with a rather long name {i}" for i in range(150))))
    state = sync(orgvue.config).state["bookmarks"]["money"]
    assert len(json.dumps(state)) * 300 < 1_000_000


# --- streams


def test_a_stream_keeps_its_dataset(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A second dataset of the name gets the suffix, one warning names the pin, no row is lost."""
    orgvue = serve(people(3))
    first = sync(orgvue.config)
    newcomer = Dataset("People", dataset_id="11111111-2222-4333-8444-555555555555")
    orgvue.tenant.add(newcomer)
    second = again(orgvue, first.state)
    assert len(second.records["people"]) == 3
    assert "people_11111111" in second.schemas
    assert len(warnings(caplog, "'people'", "stream_names")) >= 1
    assert streams(discover(orgvue.config, second.state)) == ["people", "people_11111111"]


def test_a_renamed_dataset_keeps_its_stream(serve: Serve) -> None:
    """The state knows the dataset by its id."""
    orgvue = serve(people(3))
    state = sync(orgvue.config).state
    orgvue.dataset("People").rename("Staff")
    assert streams(discover(orgvue.config, state)) == ["people"]
    assert len(again(orgvue, state).records["people"]) == 3
    assert streams(discover(orgvue.config)) == ["staff"]


def test_the_command_discovers_with_a_state(serve: Serve) -> None:
    """`--discover` honours `--state`, in any order of the options, as `meltano run` gives it."""
    orgvue = serve(people(3))
    state = sync(orgvue.config).state
    orgvue.dataset("People").rename("Staff")
    run = command(orgvue.config, "--discover", state=state)
    assert streams(json.loads(run.stdout)) == ["people"]


def test_a_disputed_stream_is_not_sent(serve: Serve) -> None:
    """A catalog that gives a table to another dataset fails that stream, after the others."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    catalog = discover(orgvue.config)
    table, other = entry(catalog, "people"), entry(catalog, "staff")
    table["table_name"], other["table_name"] = other["table_name"], table["table_name"]
    del catalog["streams"][catalog["streams"].index(other)]
    with pytest.raises(Misconfigured, match="its table holds the dataset") as failed:
        sync(orgvue.config, catalog, state)
    assert orgvue.dataset("People").dataset_id in str(failed.value)
    assert orgvue.dataset("Staff").dataset_id in str(failed.value)


def test_a_pinned_name_begins_anew(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A name that `stream_names` gives to another dataset has none of the old one's state."""
    orgvue = serve(people(3), people(2, "Staff"))
    catalog = discover(orgvue.config)
    for name in ("people", "staff"):
        select(catalog, name, replication_method="INCREMENTAL", replication_key="_modified_at")
    state = sync(orgvue.config, catalog).state
    pins = {"stream_names": {orgvue.dataset("Staff").dataset_id: "people"}}
    config = {**orgvue.config, **pins, "missing_streams": "warn"}
    catalog = discover(config, state)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    run = sync(config, catalog, state)
    assert len(run.records["people"]) == 2
    assert warnings(caplog, "'people'", "begins anew", "still holds")
    last = orgvue.dataset("Staff").rows[-1]["_modifiedAt"]
    assert run.state["bookmarks"]["people"]["replication_key_value"] == last


# --- gone, forbidden, retired


@pytest.mark.slow
def test_a_dataset_that_is_gone_fails_the_run(serve: Serve) -> None:
    """The others are sent; then the run fails and names the stream, its dataset and the way out."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    orgvue.tenant.remove("Staff")
    run = command(orgvue.config, catalog=discover(orgvue.config, state), state=state)
    assert len(run.records["people"]) == 3
    assert run.code == 3
    assert "'staff'" in run.stderr
    assert "retired_streams" in run.stderr


@pytest.mark.slow
def test_a_dataset_that_is_forbidden_now_fails_the_run(serve: Serve) -> None:
    """With Orgvue's words, also in a run with the catalog of a discovery that skipped it."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    orgvue.dataset("Staff").hidden_because = "403601"
    catalog = discover(orgvue.config, state)
    assert "staff" not in streams(catalog)
    for made in (catalog, None):
        run = command(orgvue.config, catalog=made, state=state)
        assert len(run.records["people"]) == 3
        assert run.code == 3
        assert "403601" in run.stderr


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_retired_stream_is_forgotten(serve: Serve, by: str) -> None:
    """A retired stream is no error, and leaves the state."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    dataset_id = orgvue.dataset("Staff").dataset_id
    orgvue.tenant.remove("Staff")
    retired = "staff" if by == "name" else dataset_id
    run = again(orgvue, state, retired_streams=[retired])
    assert len(run.records["people"]) == 3
    assert "staff" not in run.state["bookmarks"]


def test_missing_streams_can_be_a_warning(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """`missing_streams: warn` lets the run succeed."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    orgvue.tenant.remove("Staff")
    assert len(again(orgvue, state, missing_streams="warn").records["people"]) == 3
    assert warnings(caplog, "'staff'", "gone")


@pytest.mark.slow
def test_what_is_narrowed_out_is_not_missing(serve: Serve) -> None:
    """Nor what the user deselects, nor what a catalog leaves out although Orgvue lists it."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    one = orgvue.dataset("People").dataset_id
    assert len(again(orgvue, state, datasets=[one]).records["people"]) == 3
    assert len(again(orgvue, state, datasets=["People"]).records["people"]) == 3
    catalog = discover(orgvue.config, state)
    assert sync(orgvue.config, only(catalog, "people"), state).records.keys() == {"people"}
    catalog["streams"] = [entry(catalog, "people")]
    assert sync(orgvue.config, catalog, state).records.keys() == {"people"}


# --- tenants


def of_tenant(state: dict[str, Any], tenant: str | None, *names: str) -> dict[str, Any]:
    """A state whose streams belong to a tenant."""
    for name in names:
        state["bookmarks"][name]["orgvue"]["tenant"] = tenant
    return state


def test_another_tenants_state_is_refused(serve: Serve) -> None:
    """Before anything is sent or asked, with whose it is and what to do; in discovery too."""
    orgvue = serve(people(3))
    state = of_tenant(sync(orgvue.config).state, OTHER_TENANT, "people")
    before = len(orgvue.requests)
    for words in ((), ("--discover",)):
        run = command(orgvue.config, *words, state=state)
        assert run.code == 3
        assert not run.stdout
        for word in (OTHER_TENANT, "--state-id-suffix", "meltano state clear", "overwrite"):
            assert word in run.stderr.splitlines()[-1]
    assert len(orgvue.requests) == before


def test_a_state_without_a_tenant_is_adopted(serve: Serve) -> None:
    """As a state of an older version; from then on it belongs to the tenant."""
    orgvue = serve(people(3))
    state = of_tenant(sync(orgvue.config).state, None, "people")
    run = again(orgvue, state)
    assert run.state["bookmarks"]["people"]["orgvue"]["tenant"] == "DEMO"


def test_streams_of_another_tenant_are_reported(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """A state that a full refresh merged from two tenants keeps this one's streams alone."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = of_tenant(sync(orgvue.config).state, OTHER_TENANT, "staff")
    run = again(orgvue, state)
    assert len(run.records["staff"]) == 2
    assert warnings(caplog, OTHER_TENANT, "staff")


def test_a_state_of_version_0_0_is_reported_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """By the run that sends records, not by the discovery before it; the next state has owners."""
    orgvue = serve(people(3))
    old = {"bookmarks": {"people": {"orgvue": {"types": {"number": ["salary"]}, "rows": 3}}}}
    catalog = discover(orgvue.config, old)
    assert not warnings(caplog)
    run = sync(orgvue.config, catalog, old)
    assert len(warnings(caplog, "older version", "people", "CHANGELOG")) == 1
    caplog.clear()
    again(orgvue, run.state)
    assert not warnings(caplog)


# --- questions


def changed_since(orgvue: Orgvue, since: int) -> list[Any]:
    """The filters of the exports since a request, without those of the bookmark's column."""
    return [
        condition and {key: value for key, value in condition.items() if key != "_modifiedAt"}
        for condition in conditions(orgvue, since)
    ]


def incremental(orgvue: Orgvue, *hidden: str, **settings: Any) -> dict[str, Any]:
    """A catalog in which People is incremental and some columns are deselected."""
    catalog = discover({**orgvue.config, **settings})
    if hidden:
        select(catalog, "people", *hidden, selected=False)
    return select(
        catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at"
    )


KEYS = {"hash_key": "0123456789abcdef"}
QUESTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "its filter": ({}, {"filters": {"people": {"onLeave": {"$in": [True, False]}}}}),
    "is hashed now": (KEYS, {**KEYS, "hash_properties": ["salary"]}),
    "no longer hashed": ({**KEYS, "hash_properties": ["salary"]}, KEYS),
    "hash_key": (
        {**KEYS, "hash_properties": ["salary"]},
        {"hash_key": "fedcba9876543210", "hash_properties": ["salary"]},
    ),
}


@pytest.mark.parametrize("reason", QUESTIONS)
def test_another_question_reads_everything_once(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """Rows that did not change would keep the old answer: all are read once, and it is said why."""
    before, after = ({**orgvue.config, **settings} for settings in QUESTIONS[reason])
    catalog = incremental(orgvue)
    state = sync(before, catalog).state
    assert len(sync(before, catalog, state).records["people"]) == 1
    run = sync(after, catalog, state)
    assert len(run.records["people"]) == 5
    assert len(warnings(caplog, "read once more", reason)) == 1
    assert len(sync(after, catalog, run.state).records["people"]) == 1


def test_linking_and_calculations_are_part_of_the_question(serve: Serve) -> None:
    """A change of `linking_relationships` or `include_calculations` reads everything once."""
    links = Dataset("Links", type="LINKS", properties=[Property("from_id"), Property("to_id")])
    orgvue = serve(people(5), links)
    orgvue.job_polls = ("completed",)
    catalog = only(incremental(orgvue), "people")
    state = sync(orgvue.config, catalog).state
    linking = {"linking_relationships": {"people": [links.dataset_id]}}
    run = sync({**orgvue.config, **linking}, catalog, state)
    assert len(run.records["people"]) == 5
    assert len(sync({**orgvue.config, **linking}, catalog, run.state).records["people"]) == 1


@pytest.mark.slow
def test_a_column_that_was_not_read_reads_everything_once(orgvue: Orgvue) -> None:
    """A column that is selected later, or is new in Orgvue, has its values in every row."""
    state = sync(orgvue.config, incremental(orgvue, "salary")).state
    second = sync(orgvue.config, incremental(orgvue), state)
    assert {row["salary"] for row in second.records["people"]} == {1000, 1001, 1002, 1003, 1004}
    orgvue.dataset("People").add_property(Property("grade", "text"), list("ABCDE"))
    old_catalog = incremental(orgvue, "grade")
    for column in (*entry(old_catalog, "people")["metadata"],):
        if "grade" in column["breadcrumb"]:
            entry(old_catalog, "people")["metadata"].remove(column)
    del entry(old_catalog, "people")["schema"]["properties"]["grade"]
    third = sync(orgvue.config, old_catalog, second.state)
    assert {row["grade"] for row in third.records["people"]} == set("ABCDE")
    assert len(sync(orgvue.config, old_catalog, third.state).records["people"]) == 1


def test_a_column_that_comes_back_reads_nothing_twice(orgvue: Orgvue) -> None:
    """A column that goes and comes back was read since the last complete read."""
    state = sync(orgvue.config, incremental(orgvue)).state
    without = sync(orgvue.config, incremental(orgvue, "salary"), state)
    assert len(without.records["people"]) == 1
    back = sync(orgvue.config, incremental(orgvue), without.state)
    assert len(back.records["people"]) == 1


def test_types_and_the_start_date_are_no_part_of_the_question(orgvue: Orgvue) -> None:
    """Nor is a column that is gone or deselected: nothing is read twice for them."""
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state
    for settings in ({"property_types": {"salary": "text"}}, {"start_date": "2020-01-01"}):
        assert len(sync({**orgvue.config, **settings}, catalog, state).records["people"]) == 1
    orgvue.dataset("People").remove_property("salary")
    assert len(sync(orgvue.config, catalog, state).records["people"]) == 1


def test_a_reload_that_fails_leaves_the_bookmark(orgvue: Orgvue) -> None:
    """The next run reads everything again."""
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state
    config = {**orgvue.config, "filters": {"people": {"onLeave": {"$in": [True, False]}}}}
    orgvue.refuse("500601", on="export", times=None)
    with pytest.raises(OrgvueError):
        sync({**config, "max_retries": 0, "export_mode": "sync"}, catalog, state)
    orgvue.calm()
    assert len(sync(config, catalog, state).records["people"]) == 5


# --- bookmarks


def bookmarked(state: dict[str, Any], value: str) -> dict[str, Any]:
    """The state with another bookmark."""
    state["bookmarks"]["people"]["replication_key_value"] = value
    return state


@pytest.mark.parametrize(
    "value,why", [("2999-01-01T00:00:00Z", "in the future"), ("yesterday", "cannot be read")]
)
def test_a_bookmark_that_is_none_reads_everything(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, value: str, why: str
) -> None:
    """It is told, and the next bookmark is a right one."""
    catalog = incremental(orgvue)
    state = bookmarked(sync(orgvue.config, catalog).state, value)
    run = sync(orgvue.config, catalog, state)
    assert len(run.records["people"]) == 5
    assert len(warnings(caplog, "bookmark", why)) == 1
    last = orgvue.dataset("People").rows[-1]["_modifiedAt"]
    assert run.state["bookmarks"]["people"]["replication_key_value"] == last


def test_a_start_date_counts_without_a_bookmark_only(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """One that is later than the bookmark would skip rows: the bookmark wins, and it is told."""
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state
    later = "2026-06-01T00:00:00Z"
    orgvue.dataset("People").update(0, salary=1)
    run = sync({**orgvue.config, "start_date": later}, catalog, state)
    assert {row["id"] for row in run.records["people"]} == {"P0", "P4"}
    assert len(warnings(caplog, "start_date", "bookmark")) == 1


def test_a_start_date_in_the_future_is_refused(orgvue: Orgvue) -> None:
    """It would read nothing, and say nothing."""
    config = {**orgvue.config, "start_date": "2999-01-01"}
    with pytest.raises(SettingsError, match="is in the future"):
        discover(config)


# --- what stays in the warehouse

LEFT: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "deselected": (("salary",), {}),
    "excluded": ((), {"exclude_properties": ["salary"]}),
    "hashed": ((), {**KEYS, "hash_properties": ["salary"]}),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", LEFT)
def test_clear_values_in_the_table_are_reported(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """Once a run, with the SQL that removes them, until a run without state."""
    hidden, settings = LEFT[how]
    state = sync(orgvue.config).state
    config = {**orgvue.config, **settings}
    for _ in range(2):
        caplog.clear()
        catalog = discover(config, state)
        if hidden:
            select(catalog, "people", *hidden, selected=False)
        state = sync(config, catalog, state).state
        (line,) = warnings(caplog, "earlier values")
        assert 'update "people" set "salary" = null' in line
    caplog.clear()
    again(orgvue, sync(config, catalog).state, **settings)
    assert not warnings(caplog, "earlier values")


@pytest.mark.parametrize("names", ["snake_case", "original"])
def test_a_state_tells_how_its_columns_are_named(orgvue: Orgvue, names: str) -> None:
    """So that another setting does not give a column two meanings."""
    state = sync({**orgvue.config, "column_names": names}).state
    assert state["bookmarks"]["people"]["orgvue"]["naming"] == names


def test_a_newcomer_with_the_name_of_a_dataset_that_is_gone_is_reported(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream of the dataset that is gone keeps the name."""
    gone = people(3)
    orgvue = serve(gone, people(2, "Staff"))
    state = sync(orgvue.config).state
    orgvue.tenant.remove(gone)
    orgvue.tenant.add(Dataset("People", dataset_id="11111111-2222-4333-8444-555555555555"))
    caplog.clear()
    discover(orgvue.config, state)
    (line,) = warnings(caplog, "share the name 'people'")
    assert gone.dataset_id.upper() in line
    assert "people_11111111" in line


def test_the_dictionary_needs_no_entry_of_the_dataset(serve: Serve) -> None:
    """A catalog of the dictionary alone has the column of each property."""
    orgvue = serve(people())
    catalog = only(discover(orgvue.config), "orgvue_properties")
    catalog["streams"] = [
        each for each in catalog["streams"] if each["tap_stream_id"] == "orgvue_properties"
    ]
    rows = sync(orgvue.config, catalog).records["orgvue_properties"]
    names = {row["key"]: row["column_name"] for row in rows}
    assert (names["salary"], names["onLeave"]) == ("salary", "on_leave")
