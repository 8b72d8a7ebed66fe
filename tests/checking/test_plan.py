"""`tap-orgvue --test`: what it says of a run is what the run does."""

from __future__ import annotations

import copy
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.support.checks import check, checked, planned, row_of
from tests.support.datasets import people
from tests.support.runs import command, discover, entry, only, select, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.support.runs import Run

HASH_KEY = "a key of sixteen characters and more"
NOBODY = "99999999-9999-4999-8999-999999999999"
READS = ("headers", "export", "metadata")


def tenant() -> list[Dataset]:
    """People, positions, and a dataset that the user may not read."""
    positions = Dataset(
        "Positions",
        type="POSITIONS",
        properties=[
            Property("id", "text", auto_id=True),
            Property("Job Title", "text"),
            Property("budget", "number"),
        ],
        rows=[{"id": "X1", "Job Title": "Chief", "budget": 10}],
    )
    secret = people(2, "Secret")
    secret.hidden_because = "403601"
    return [people(), positions, secret]


class Case(NamedTuple):
    """Settings, and what becomes of the catalog and the state before a run.

    Attributes:
        settings: Beside those of the tenant.
        catalog: Changes the discovered catalog; without it there is none.
        state: Made from the tenant.
        tenant: Changes the tenant after discovery.
    """

    settings: Mapping[str, Any] = MappingProxyType({})
    catalog: Callable[[dict[str, Any]], object] | None = None
    state: Callable[[Orgvue], dict[str, Any]] | None = None
    tenant: Callable[[Orgvue], object] = lambda _: None


def state_of(orgvue: Orgvue, stream: str, dataset_id: str) -> dict[str, Any]:
    """A state that knows a stream of a dataset."""
    own = {"tenant": orgvue.tenant_id, "dataset": dataset_id}
    return {"bookmarks": {stream: {"orgvue": own}}}


def state_of_two_tenants(orgvue: Orgvue) -> dict[str, Any]:
    """A state that has a stream of the tenant and one of another."""
    state = state_of(orgvue, "people", orgvue.dataset("People").dataset_id)
    state["bookmarks"]["other"] = {"orgvue": {"tenant": "OTHER"}}
    return state


def new_property(orgvue: Orgvue) -> None:
    """Add a property to the people."""
    orgvue.dataset("People").add_property(Property("bonus", "number", name="Bonus"), range(5))


def old_catalog_with(*deselected: str) -> Callable[[dict[str, Any]], object]:
    """Deselect columns of people."""
    return lambda catalog: select(catalog, "people", *deselected, selected=False)


CASES = {
    "as it is": Case(),
    "protected": Case(
        {
            "exclude_properties": ["sal*", "Job Title"],
            "hash_properties": ["people.Full Name"],
            "hash_key": HASH_KEY,
        }
    ),
    "a misspelt protection": Case({"exclude_properties": ["sallary", "budget"]}),
    "a misspelt protection, to be warned of": Case(
        {"exclude_properties": ["sallary"], "unmatched_patterns": "warn"}
    ),
    "settings without effect": Case(
        {
            "filters": {"peple": {"id": "P1"}},
            "property_types": {"nothing_*": "text"},
            "property_names": {"people": {"gone": "x"}},
            "stream_names": {NOBODY: "nobody"},
            "linking_relationships": {"nowhere": [NOBODY]},
        }
    ),
    "a filter over no property": Case({"filters": {"people": {"sallary": {"$gt": 1}}}}),
    "narrowed": Case({"datasets": ["peop*", "nothing*"]}),
    "narrowed to what may not be read": Case({"datasets": ["Secret"]}),
    "narrowed to nothing": Case({"datasets": ["nothing*"]}),
    "an unknown dataset": Case({"datasets": [NOBODY]}),
    "stored values": Case({"include_calculations": False, "exclude_properties": ["salary"]}),
    "deselected": Case({}, old_catalog_with("salary", "onLeave")),
    "only one": Case({}, lambda catalog: only(catalog, "positions")),
    "nothing selected": Case({}, only),
    "the tap's own": Case({}, lambda catalog: only(catalog, "orgvue_datasets", "positions")),
    "a new property": Case({}, lambda _: None, tenant=new_property),
    "a new property, ignored": Case(
        {"new_properties": "ignore"}, lambda _: None, tenant=new_property
    ),
    "a new property, fatal": Case({"new_properties": "fail"}, lambda _: None, tenant=new_property),
    "a new property beside deselected ones": Case(
        {"new_properties": "fail"}, old_catalog_with("salary"), tenant=new_property
    ),
    "a new property beside excluded ones": Case(
        {"exclude_properties": ["salary"]}, lambda _: None, tenant=new_property
    ),
    "a new property, excluded": Case(
        {"exclude_properties": ["Bonus", "salary"]}, lambda _: None, tenant=new_property
    ),
    "a dataset that went": Case(
        {},
        lambda _: None,
        tenant=lambda orgvue: setattr(orgvue.dataset("Positions"), "hidden_because", "404601"),
    ),
    "a missing stream": Case({}, None, lambda orgvue: state_of(orgvue, "old", NOBODY)),
    "a missing stream, to be warned of": Case(
        {"missing_streams": "warn"}, None, lambda orgvue: state_of(orgvue, "old", NOBODY)
    ),
    "streams of another tenant": Case({}, None, state_of_two_tenants),
    "a name of another dataset": Case(
        {}, lambda _: None, lambda orgvue: state_of(orgvue, "people", NOBODY)
    ),
    "a broken dataset": Case(
        {"max_retries": 0},
        None,
        tenant=lambda orgvue: orgvue.refuse(500, dataset="Positions", times=None),
    ),
    "a broken export": Case(
        {"max_retries": 0},
        None,
        tenant=lambda orgvue: orgvue.refuse(500, dataset="Positions", on="export", times=None),
    ),
    "nothing can be read": Case(
        {"max_retries": 0}, None, tenant=lambda orgvue: orgvue.refuse(500, on=READS, times=None)
    ),
    "no stream of the catalog may be read": Case(
        {},
        lambda catalog: only(catalog, "people", "positions"),
        tenant=lambda orgvue: orgvue.refuse("403601", on=READS, times=None),
    ),
    "no POST": Case(
        {"exclude_properties": ["salary"]},
        None,
        tenant=lambda orgvue: setattr(orgvue, "post_export", False),
    ),
    "jobs without links": Case(
        {"linking_relationships": {"people": [NOBODY]}},
        None,
        tenant=lambda orgvue: setattr(orgvue, "async_export", False),
    ),
    "incremental without a column": Case(
        {},
        lambda catalog: select(
            catalog, "people", replication_method="INCREMENTAL", replication_key="salary"
        ),
    ),
    "original names": Case({"column_names": "original"}),
    "named by its id, and refused": Case(
        {"datasets": ["*", Dataset("Secret", properties=[]).dataset_id]}
    ),
    "a catalog narrowed to one id": Case(
        {"datasets": [people().dataset_id, NOBODY]}, lambda _: None
    ),
    "a filter that slices need": Case(
        {"export_mode": "paged", "filters": {"people": {"_id": {"$gt": "1"}}}}
    ),
    "incremental without calculations": Case(
        {"include_calculations": False},
        lambda catalog: select(
            catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at"
        ),
    ),
    "a renamed property that was hashed": Case(
        {"hash_properties": ["salary"], "hash_key": HASH_KEY},
        lambda _: None,
        tenant=lambda orgvue: orgvue.dataset("People").change_property("salary", name="Pay"),
    ),
    "a renamed property, excluded by its new name": Case(
        {"exclude_properties": ["Pay"]},
        lambda _: None,
        tenant=lambda orgvue: orgvue.dataset("People").change_property("salary", name="Pay"),
    ),
    "a property that went": Case(
        {"exclude_properties": ["onLeave"], "hash_properties": ["salary"], "hash_key": HASH_KEY},
        lambda _: None,
        tenant=lambda orgvue: orgvue.dataset("People").remove_property("salary"),
    ),
    "another declared type": Case(
        {},
        lambda _: None,
        tenant=lambda orgvue: orgvue.dataset("People").change_property("salary", type="text"),
    ),
    "a wrong stream map": Case({"stream_maps": {"nobody": {"x": None}}}),
    "too few requests": Case({"max_requests_per_run": 3}),
    "a projection that is ignored": Case(
        {"exclude_properties": ["salary"]},
        old_catalog_with("onLeave"),
        tenant=lambda orgvue: setattr(orgvue, "ignores_projections", True),
    ),
}


def without_traces(text: str) -> str:
    """A text without trace ids, which are another in each run."""
    return re.sub("Root=[0-9a-f-]+", "", text)


def told(run: Run, level: str) -> list[str]:
    """The messages of a level in a run's log."""
    lines = re.findall(rf"\| {level} +\| [\w.-]+ +\| (.*)", without_traces(run.stderr))
    return [line.strip() for line in lines]


def hashed(run: Run, stream: str, *, or_null: bool = False) -> set[str]:
    """The columns of a stream whose every value is a hash; also those that are gone, on request."""
    records = [each["record"] for each in run.of_type("RECORD") if each["stream"] == stream]
    pattern = "None|[0-9a-f]{64}" if or_null else "[0-9a-f]{64}"
    return {
        name
        for name in (records[0] if records else ())
        if all(re.fullmatch(pattern, str(record[name])) for record in records)
    }


def excluded(catalog: dict[str, Any], stream: str) -> set[str]:
    """The columns that the catalog says cannot be selected."""
    return {
        item["breadcrumb"][1]
        for item in entry(catalog, stream)["metadata"]
        if item["metadata"].get("inclusion") == "unsupported"
    }


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_plan_is_what_the_run_does(serve: Callable[..., Orgvue], case: Case) -> None:
    """Streams, columns, exclusion, hashing, errors, warnings and exit code are the run's."""
    orgvue = serve(*tenant())
    orgvue.job_polls = ("completed",)
    config = {**orgvue.config, **case.settings}
    catalog = None
    if case.catalog is not None:
        others = ("datasets", "new_properties")
        catalog = discover({name: config[name] for name in config if name not in others})
        case.catalog(catalog)
    state = case.state(orgvue) if case.state else None
    case.tenant(orgvue)
    report = check(config, catalog, copy.deepcopy(state))
    run = command(config, catalog=catalog, state=state)

    assert report["exit_code"] == run.code
    failed = [stage for stage in report["stages"] if stage["status"] == "failed"]
    errors = [stage["text"] for stage in failed if stage["stage"] != "plan"] + report["errors"]
    assert bool(errors) is bool(run.code)
    log = without_traces(run.stderr)
    assert [e for e in map(without_traces, errors) if e not in log and not at_the_end(e)] == []
    # What is an error is no warning beside it, neither in the check nor in the run.
    assert not [
        e for e in report["errors"] for line in report["warnings"] if quoted(e) & quoted(line)
    ]
    warnings = {line for line in told(run, "WARNING") if not of_a_sync(line)}
    warned = {without_traces(line).strip() for line in report["warnings"]}
    # A run that has no request left ends in the middle of discovery.
    assert warned >= warnings if "max_requests_per_run" in case.settings else warned == warnings
    if errors and not run.of_type("SCHEMA"):
        # The run ended before its first stream.
        return
    readable = {
        row["stream"] for row in report["streams"] if row["selected"] and row["readable"] == "yes"
    }
    assert readable == run.schemas.keys()
    for stream in readable:
        row, schema = planned(report, stream), run.schemas[stream]["schema"]["properties"]
        if row["source"] == "metadata":
            continue
        assert set(row["columns"]) == schema.keys() - {"_rescued_data"}
        assert hashed(run, stream) <= set(row["hashed"]) <= hashed(run, stream, or_null=True)
        assert not set(row["columns"]) & {*row["excluded"], *row["deselected"]}


def quoted(text: str) -> set[str]:
    """A setting with the pattern that a mistake is about; empty if it is about none."""
    found = re.match(r"(\w+): (?:the pattern )?('[^']*') matches no property", text)
    return {f"{found[1]} {found[2]}"} if found else set()


def at_the_end(error: str) -> bool:
    """True for what a run tells in other words, only once it came so far."""
    return "`max_requests_per_run`" in error or "needs an export job" in error


def of_a_sync(line: str) -> bool:
    """True for a warning that a run gives cause for: its rows, their delivery, its end."""
    return " is fetched by " in line or "changed since the last run" in line


@pytest.mark.slow
@pytest.mark.parametrize("refusal,code", [(500, 5), ("40302", 3), ("42902", 4)], ids=str)
def test_no_stream_of_the_catalog_can_be_read(
    orgvue: Orgvue, refusal: int | str, code: int
) -> None:
    """Streams that fail, each for itself, are told from a refusal that ends the run."""
    catalog = only(discover(orgvue.config), "people")
    orgvue.refuse(refusal, on=READS, times=None)
    config = {**orgvue.config, "max_retries": 0}
    assert check(config, catalog)["exit_code"] == command(config, catalog=catalog).code == code


@pytest.mark.slow
def test_a_bookmark_that_no_longer_counts(orgvue: Orgvue) -> None:
    """Why rows would be read again, and what comes of a bookmark, is told as in the run."""
    orgvue.job_polls = ("completed",)
    catalog = select(
        discover(orgvue.config),
        "people",
        replication_method="INCREMENTAL",
        replication_key="_modified_at",
    )
    state = command(orgvue.config, catalog=catalog).state
    new_property(orgvue)
    config = {**orgvue.config, "start_date": "2026-10-01"}
    report = check(config, catalog, copy.deepcopy(state))
    run = command(config, catalog=catalog, state=state)
    assert report["warnings"] == [each for each in told(run, "WARNING") if not of_a_sync(each)]
    assert any("all rows are read once more" in line for line in report["warnings"])
    assert planned(report, "people")["replication_method"] == "INCREMENTAL"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["as it is", "protected", "narrowed", "stored values"])
def test_the_plan_is_what_discovery_finds(serve: Callable[..., Orgvue], name: str) -> None:
    """Streams, columns and exclusion of the plan are those of the catalog."""
    orgvue = serve(*tenant())
    orgvue.job_polls = ("completed",)
    config = {**orgvue.config, **CASES[name].settings}
    report, catalog = check(config), discover(config)
    rows = [row for row in report["streams"] if row["dataset_id"]]
    assert [row["stream"] for row in rows if row["readable"] == "yes"] == streams(catalog)
    for row in rows:
        if row["readable"] == "yes":
            assert set(row["excluded"]) == excluded(catalog, row["stream"])
            known = entry(catalog, row["stream"])["schema"]["properties"].keys()
            assert {*row["columns"], *row["excluded"]} == known - {"_rescued_data"}


@pytest.mark.slow
def test_a_run_that_needs_no_columns_is_checked_all_the_same(orgvue: Orgvue) -> None:
    """With a catalog, an unchanged dataset is not exported; the check examines exports by it."""
    orgvue.job_polls = ("completed",)
    config = {**orgvue.config, "skip_unchanged": True}
    catalog = only(discover(config), "people")
    state = command(config, catalog=catalog).state
    report = check(config, catalog, state)
    assert planned(report, "people")["unchanged"]
    assert {stage["stage"]: stage["status"] for stage in report["stages"]}["columns"] == "passed"


def test_deselected_columns_are_listed(orgvue: Orgvue) -> None:
    """Those that the catalog deselects are told, and no others."""
    orgvue.job_polls = ("completed",)
    catalog = select(discover(orgvue.config), "people", "salary", "on_leave", selected=False)
    found = row_of(checked(orgvue.config, catalog), "people")
    assert found.deselected == ["salary", "on_leave"]
    assert "full_name" in found.columns


@pytest.mark.slow
def test_what_may_not_be_read_is_reported(serve: Callable[..., Orgvue]) -> None:
    """A dataset that is refused has a row with the refusal; nothing else fails for it."""
    orgvue = serve(*tenant())
    report = check({**orgvue.config, "export_mode": "paged"})
    row = planned(report, "secret")
    assert (row["readable"], row["fails"], row["columns"]) == ("no", False, [])
    assert "403601" in row["reason"]
    assert report["exit_code"] == 0
    assert planned(report, "people")["deliveries"] == ["slices"]
    text = command({**orgvue.config, "export_mode": "paged"}, "--test").stdout
    assert "  ⚠  secret " in text
    assert "⚠ Dataset 'Secret' " in text


@pytest.mark.parametrize(
    "settings,source,deliveries",
    [
        ({}, "export", ["synchronous", "job", "slices"]),
        ({"export_mode": "sync"}, "export", ["synchronous"]),
        ({"export_mode": "async"}, "export", ["job"]),
        ({"export_mode": "paged"}, "export", ["slices"]),
        ({"linking_relationships": {"people": [NOBODY]}}, "export", ["job"]),
        ({"include_calculations": False}, "items", ["synchronous", "slices"]),
    ],
)
def test_deliveries(
    orgvue: Orgvue, settings: dict[str, Any], source: str, deliveries: list[str]
) -> None:
    """A row says how the export would be fetched, in the order in which that is tried."""
    orgvue.job_polls = ("completed",)
    found = row_of(checked({**orgvue.config, **settings}), "people")
    assert (found.source, list(found.deliveries)) == (source, deliveries)


@pytest.mark.slow
def test_an_unchanged_dataset(orgvue: Orgvue) -> None:
    """With `skip_unchanged`, a dataset that did not change has no delivery."""
    orgvue.job_polls = ("completed",)
    config = {**orgvue.config, "skip_unchanged": True}
    state = command(config).state
    before = len(orgvue.requests)
    row = planned(check(config, state=state), "people")
    assert (row["readable"], row["unchanged"], row["deliveries"]) == ("yes", True, [])
    asked = [request.body for request in orgvue.requests_to("export")[before:]]
    assert all("filter" in str(body) for body in asked)


@pytest.mark.slow
def test_folders_that_cannot_be_written(orgvue: Orgvue, tmp_path: Path) -> None:
    """Unwritable folders fail the check as they fail a run; that of reports is a warning."""
    orgvue.job_polls = ("completed",)
    batches = {
        "encoding": {"format": "jsonl", "compression": "none"},
        "storage": {"root": "file:///proc/tap-orgvue"},
    }
    unnameable = {**batches, "storage": {"root": str(tmp_path / ("long" * 64))}}
    settings = [("temp_dir", "/proc", 3), ("batch_config", batches, 6)]
    for name, value, code in (*settings, ("batch_config", unnameable, 6)):
        report = check({**orgvue.config, name: value})
        assert report["exit_code"] == command({**orgvue.config, name: value}).code == code
        assert any(name in error for error in report["errors"])
    for folder in ("/proc/reports", str(tmp_path / ("long" * 64))):
        report = check({**orgvue.config, "run_report": folder})
        assert report["exit_code"] == 0
        assert any(line.startswith("run_report: no report") for line in report["warnings"])
