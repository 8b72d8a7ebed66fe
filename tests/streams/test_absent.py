"""One dataset's trouble is its own; nothing to do is not success; protection outlives a rename."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import Misconfigured, OrgvueError, Refusal
from tap_orgvue.settings import SettingsError
from tests.support.datasets import people
from tests.support.runs import command, discover, select, streams, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

QUICK = {"max_retries": 0, "export_mode": "sync"}
HASHED = {"hash_properties": ["Salary"], "hash_key": "0123456789abcdef"}


def broken(orgvue: Orgvue, name: str) -> None:
    """Let every request about a dataset fail with a server's error."""
    for route in ("headers", "export", "metadata"):
        orgvue.refuse("500601", on=route, dataset=name, times=None)


def warnings(caplog: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """The warnings that hold all these words."""
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return [line for line in told if all(word in line for word in words)]


# --- one dataset's trouble


def test_a_dataset_that_fails_in_discovery_stops_no_other(serve: Serve) -> None:
    """The others are discovered and sent; then the run ends with an error that names it."""
    orgvue = serve(people(3), people(2, "Staff"))
    broken(orgvue, "Staff")
    run = command({**orgvue.config, **QUICK})
    assert len(run.records["people"]) == 3
    assert run.code == 5
    assert "'Staff'" in run.stderr.splitlines()[-1]
    assert "500601" in run.stderr


def test_a_discovery_that_left_something_out_succeeds(serve: Serve) -> None:
    """Meltano runs nothing after a failed discovery: the catalog says what it lacks, and why."""
    orgvue = serve(people(3), people(2, "Staff"))
    broken(orgvue, "Staff")
    run = command({**orgvue.config, **QUICK}, "--discover")
    assert run.code == 0
    catalog = json.loads(run.stdout)
    assert streams(catalog) == ["people"]
    (skipped,) = catalog["orgvue"]["skipped"]
    assert skipped["name"] == "Staff"
    assert skipped["dataset_id"] == orgvue.dataset("Staff").dataset_id
    assert "500601" in skipped["reason"]
    assert "ERROR" in run.stderr


@pytest.mark.parametrize("healed", [False, True])
def test_a_run_with_such_a_catalog_fails(serve: Serve, *, healed: bool) -> None:
    """It asks for the dataset again, sends the others, and ends with an error in any case."""
    orgvue = serve(people(3), people(2, "Staff"))
    broken(orgvue, "Staff")
    config = {**orgvue.config, **QUICK}
    catalog = discover(config)
    if healed:
        orgvue.calm()
    run = command(config, catalog=catalog)
    assert len(run.records["people"]) == 3
    assert run.code == 5
    assert "'Staff'" in run.stderr.splitlines()[-1]
    assert ("Run again" in run.stderr) is healed


@pytest.mark.parametrize("in_catalog", [False, True])
def test_a_bad_entry_of_the_list_stops_no_dataset(serve: Serve, *, in_catalog: bool) -> None:
    """An entry without an id is told, the others are sent, and the run ends with an error."""
    orgvue = serve(people(3), people(2, "Staff"))
    orgvue.amend(on="list", entry="Staff", remove=["datasetId"], times=None)
    catalog = discover(orgvue.config) if in_catalog else None
    run = command(orgvue.config, catalog=catalog)
    assert len(run.records["people"]) == 3
    assert run.stderr.count("1 of 2 streams failed") == 1
    assert {request.status for request in orgvue.requests} == {200}
    assert run.code == 5
    assert "Staff" in run.stderr.splitlines()[-1]


def test_when_every_dataset_fails_alike_discovery_ends(serve: Serve) -> None:
    """Eight in a row are not one dataset's trouble."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(9)))
    for route in ("headers", "export", "metadata"):
        orgvue.refuse("500601", on=route, times=None)
    with pytest.raises(Refusal, match="500601"):
        discover({**orgvue.config, **QUICK})


# --- nothing to do


def test_a_dataset_named_by_id_must_be_readable(serve: Serve) -> None:
    """A refusal of it is an error, not a warning: nobody asked for anything else."""
    orgvue = serve(people(3), people(2, "Staff"))
    orgvue.dataset("Staff").hidden_because = "403601"
    config = {**orgvue.config, "datasets": [orgvue.dataset("Staff").dataset_id, "People"]}
    with pytest.raises(Refusal, match="403601"):
        discover(config)


def test_when_no_dataset_is_readable_the_run_fails(serve: Serve) -> None:
    """With Orgvue's words for the first of them."""
    orgvue = serve(people(3))
    orgvue.dataset("People").hidden_because = "403601"
    with pytest.raises(Misconfigured, match=r"None of the 1 datasets can be read.*403601"):
        discover(orgvue.config)


def test_patterns_that_match_no_dataset_fail_the_run(orgvue: Orgvue) -> None:
    """`datasets` that let nothing in are a mistake."""
    with pytest.raises(Misconfigured, match="none of the tenant's 1 datasets"):
        discover({**orgvue.config, "datasets": ["Nothing*"]})


@pytest.mark.parametrize("by", ["id", "name"])
def test_datasets_narrow_a_catalog_too(serve: Serve, by: str) -> None:
    """What `datasets` does not let in is not sent, whatever the catalog selects."""
    orgvue = serve(people(3), people(2, "Staff"))
    catalog = discover(orgvue.config)
    wanted = orgvue.dataset("Staff").dataset_id if by == "id" else "staff"
    run = sync({**orgvue.config, "datasets": [wanted]}, catalog)
    assert run.records.keys() == {"staff"}


# --- protection


def salaries(run: Any) -> set[Any]:
    """The values of the column `salary`; empty without one."""
    return {row.get("salary") for row in run.records["people"]} - {None}


def test_a_rename_unprotects_nothing(serve: Serve) -> None:
    """A property that was hashed by its display name stays hashed when Orgvue renames it."""
    dataset = people(3)
    orgvue = serve(dataset)
    dataset.change_property("salary", name="Salary")
    config = {**orgvue.config, **HASHED}
    first = sync(config)
    assert all(len(str(value)) == 64 for value in salaries(first))
    dataset.change_property("salary", name="Pay")
    second = sync(config, discover(config, first.state), first.state)
    assert salaries(second) == salaries(first)
    third = sync(orgvue.config, discover(orgvue.config, second.state), second.state)
    assert salaries(third) == {1000, 1001, 1002}


def test_a_rename_does_not_include_what_was_excluded(serve: Serve) -> None:
    """Nor is a property asked for that was excluded by the name it had."""
    dataset = people(3)
    orgvue = serve(dataset)
    dataset.change_property("salary", name="Salary")
    config = {**orgvue.config, "exclude_properties": ["Salary"]}
    state = sync(config).state
    dataset.change_property("salary", name="Pay")
    run = sync(config, discover(config, state), state)
    assert not salaries(run)
    assert run.state["bookmarks"]["people"]["orgvue"]["protected"] == [["Salary", "salary"]]


def test_excluded_properties_are_in_the_catalog(orgvue: Orgvue) -> None:
    """As unsupported, so that `meltano select --list` shows what is kept out."""
    catalog = discover({**orgvue.config, "exclude_properties": ["salary"]})
    (entry,) = [each for each in catalog["streams"] if each["tap_stream_id"] == "people"]
    (found,) = [m for m in entry["metadata"] if m["breadcrumb"] == ["properties", "salary"]]
    assert found["metadata"]["inclusion"] == "unsupported"
    select(catalog, "people", "salary", selected=True)
    assert not salaries(sync({**orgvue.config, "exclude_properties": ["salary"]}, catalog))


@pytest.mark.parametrize("setting", ["exclude_properties", "hash_properties"])
def test_a_pattern_that_protects_nothing_ends_the_run(orgvue: Orgvue, setting: str) -> None:
    """Before any row, since a misspelt one would send the values; in discovery it is a warning."""
    config = {**orgvue.config, setting: ["slary"], "hash_key": HASHED["hash_key"]}
    catalog = discover(config)
    with pytest.raises(SettingsError, match=f"{setting}: 'slary' matches no property"):
        sync(config, catalog)


@pytest.mark.slow
def test_what_may_be_elsewhere_is_a_warning(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A wildcard, a narrowed run, a catalog of an older version, and a property that is gone."""
    orgvue = serve(people(3), people(2, "Staff"))
    exact, wild = {"exclude_properties": ["slary"]}, {"exclude_properties": ["sl*ry"]}
    old_catalog = discover(orgvue.config)
    del old_catalog["orgvue"]
    for settings, catalog in (
        (wild, None),
        ({**exact, "datasets": ["People"]}, None),
        (exact, old_catalog),
        ({**exact, "unmatched_patterns": "warn"}, None),
    ):
        caplog.clear()
        sync({**orgvue.config, **settings}, catalog)
        assert warnings(caplog, "exclude_properties", "matches no property")
    config = {**orgvue.config, "exclude_properties": ["salary"]}
    state = sync(config).state
    for name in ("People", "Staff"):
        orgvue.dataset(name).remove_property("salary")
    sync(config, discover(config, state), state)


def test_settings_that_name_nothing_are_reported(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """`stream_names`, `property_names`, `property_types` and `linking_relationships` that miss."""
    nobody = "11111111-2222-4333-8444-555555555555"
    settings: dict[str, dict[str, Any]] = {
        "stream_names": {nobody: "nobody"},
        "property_names": {"people": {"slary": "pay"}},
        "property_types": {"slary": "text"},
        "linking_relationships": {"peeple": [nobody]},
    }
    for setting, value in settings.items():
        caplog.clear()
        discover({**orgvue.config, setting: value})
        assert warnings(caplog, setting), setting


def test_a_failed_dataset_is_reported_once(serve: Serve) -> None:
    """The error that ends the run names each failure, and nothing twice."""
    orgvue = serve(people(3), people(2, "Staff"))
    broken(orgvue, "Staff")
    with pytest.raises(OrgvueError, match="Dataset 'Staff' could not be read"):
        sync({**orgvue.config, **QUICK}, discover({**orgvue.config, **QUICK}))


@pytest.mark.parametrize("narrowed", [False, True])
def test_a_stream_that_the_catalog_lost_is_reported(serve: Serve, *, narrowed: bool) -> None:
    """Its dataset is still there; where `datasets` narrows the run nobody expects it."""
    orgvue = serve(people(3), people(2, "Staff"))
    catalog = discover(orgvue.config)
    state = sync(orgvue.config, catalog).state
    catalog["streams"] = [e for e in catalog["streams"] if e["tap_stream_id"] != "staff"]
    settings = {"datasets": ["Peo*"]} if narrowed else {}
    run = command({**orgvue.config, **settings}, catalog=catalog, state=state)
    assert ("'staff' of earlier runs is not in the catalog" in run.stderr) is not narrowed


@pytest.mark.slow
def test_the_report_has_the_id_of_a_dataset_that_is_gone(serve: Serve, tmp_path: Path) -> None:
    """A missing stream is reported with the dataset that it had."""
    gone = people(2, "Staff")
    orgvue = serve(people(3), gone)
    state = sync(orgvue.config).state
    orgvue.tenant.remove(gone)
    command({**orgvue.config, "run_report": str(tmp_path)}, state=state)
    (file,) = tmp_path.glob("*.json")
    (told,) = (s for s in json.loads(file.read_text())["streams"] if s["stream"] == "staff")
    assert told["dataset_id"] == gone.dataset_id.upper()


def test_a_protection_that_was_taken_back_is_forgotten(orgvue: Orgvue) -> None:
    """A pattern that is no setting any more is not kept in the state."""
    state = sync({**orgvue.config, "exclude_properties": ["salary"]}).state
    run = sync(orgvue.config, discover(orgvue.config, state), state)
    assert not run.state["bookmarks"]["people"]["orgvue"].get("protected")


def test_a_protection_outlives_its_property(serve: Serve) -> None:
    """A property that is gone stays protected, should it come back with another name."""
    dataset = people(3)
    orgvue = serve(dataset, people(2, "Staff"))
    dataset.change_property("salary", name="Base Pay")
    config = {**orgvue.config, "exclude_properties": ["Base Pay"], "unmatched_patterns": "warn"}
    state = sync(config).state
    dataset.remove_property("salary")
    run = sync(config, discover(config, state), state)
    assert run.state["bookmarks"]["people"]["orgvue"]["protected"] == [["Base Pay", "salary"]]


def test_nothing_is_requested_of_an_entry_without_an_id(serve: Serve) -> None:
    """A run with a catalog that lacks it requests the datasets that have one."""
    orgvue = serve(people(3), people(2, "Staff"))
    orgvue.amend(on="list", entry="Staff", remove=["datasetId"], times=None)
    catalog = discover(orgvue.config)
    since = len(orgvue.requests)
    with pytest.raises(OrgvueError, match="no text as its `datasetId`"):
        sync(orgvue.config, catalog)
    dataset_id = orgvue.dataset("People").dataset_id
    assert all(dataset_id in request.path for request in orgvue.requests[since:])
