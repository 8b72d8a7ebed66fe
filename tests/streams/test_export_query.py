"""Filters and links: `filters` and `linking_relationships`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import Misconfigured, OrgvueError
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import ids, people
from tests.support.runs import command, conditions, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

MODES = ["auto", "sync", "async", "paged"]
LINKS = "0B530000-0000-4000-8000-000000000001"


def warned(log: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """The warnings that hold all of these words."""
    lines = [r.getMessage() for r in log.records if r.levelno == logging.WARNING]
    return [line for line in lines if all(word in line for word in words)]


# --- filters


@pytest.mark.parametrize(
    "condition,found",
    [
        ({"id": "P1"}, ["P1"]),
        ({"salary": {"$gt": 1003}}, ["P4"]),
        ({"salary": {"$gte": 1003}}, ["P3", "P4"]),
        ({"salary": {"$lt": 1001.5}}, ["P0", "P1"]),
        ({"salary": {"$lte": 1001, "$gt": 1000}}, ["P1"]),
        ({"id": {"$in": ["P0", "P4"]}}, ["P0", "P4"]),
        ({"id": {"$nin": ["P0", "P4"]}}, ["P1", "P2", "P3"]),
        ({"onLeave": {"$ne": True}}, ["P1", "P3"]),
        ({"onLeave": True, "startDate": {"$gt": "2022-01-01T00:00:00.000Z"}}, ["P2", "P4"]),
        ({"Full Name": "Person 2"}, ["P2"]),
        ({"Full Name": None}, []),
    ],
)
def test_rows_are_those_that_match(
    orgvue: Orgvue, condition: dict[str, Any], found: list[str]
) -> None:
    """Every documented operator is passed on as it is, and the rows that match come."""
    catalog = discover(orgvue.config)
    before = len(orgvue.requests)
    run = sync({**orgvue.config, "filters": {"people": condition}}, catalog)
    assert ids(run.records["people"]) == found
    assert conditions(orgvue, before) == [condition]


@pytest.mark.parametrize("mode", MODES)
def test_a_filter_holds_in_every_mode(orgvue: Orgvue, mode: str) -> None:
    """However rows are fetched, and whichever columns are selected, the filter holds."""
    orgvue.job_polls = ("completed",)
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    config = {**orgvue.config, "export_mode": mode, "filters": {"people": {"salary": 1003}}}
    (record,) = sync(config, catalog).records["people"]
    assert record["id"] == "P3"
    assert "salary" not in record


def test_a_filter_holds_in_every_slice(serve: Serve) -> None:
    """Where the rows that match are too many for one answer, each slice has the filter."""
    orgvue = serve(people(200))
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 4000
    mine = {"onLeave": True, "_id": {"$ne": "nobody"}}
    before = len(orgvue.requests)
    run = sync({**orgvue.config, "export_mode": "paged", "filters": {"people": mine}}, catalog)
    assert sorted(ids(run.records["people"])) == sorted(f"P{i}" for i in range(0, 200, 2))
    found = conditions(orgvue, before)
    assert len(found) > 3
    assert all(each["onLeave"] is True and each["_id"]["$ne"] == "nobody" for each in found)


@pytest.mark.parametrize("by", ["name", "id", "id in lower case"])
def test_a_filter_is_for_a_stream_or_a_dataset(serve: Serve, by: str) -> None:
    """A filter is found by the stream's name or the dataset's id, and is for it alone."""
    orgvue = serve(people(), people(3, "Leavers"))
    dataset_id = orgvue.dataset("People").dataset_id
    word = {"name": "people", "id": dataset_id, "id in lower case": dataset_id.lower()}[by]
    run = sync({**orgvue.config, "filters": {word: {"id": "P1"}}})
    assert ids(run.records["people"]) == ["P1"]
    assert ids(run.records["leavers"]) == ["P0", "P1", "P2"]


@pytest.mark.parametrize(
    "filters,told",
    [
        ({"people": {"salary": {"$regex": "1"}}}, "$regex"),
        ({"people": {"salary": {"gt": 1}}}, "'gt'"),
        ({"people": {"salary": {"$gt": 1, "$exists": True}}}, "$exists"),
        ({"people": {"$or": [{"salary": 1}]}}, "$or"),
        ({"people": {"salary": {"$in": 5}}}, "$in takes a list"),
        ({"people": {"salary": {"$nin": "x"}}}, "$nin takes a list"),
        ({"people": {"salary": [1, 2]}}, "use $in"),
        ({"people": {"salary": {}}}, "is empty"),
        ({"people": "salary > 5"}, "object"),
        ([], "object"),
    ],
)
def test_what_is_no_filter_is_reported_before_any_request(
    orgvue: Orgvue, filters: object, told: str
) -> None:
    """An unknown operator, or another form, is one line that names the setting."""
    with pytest.raises(SettingsError) as caught:
        sync({**orgvue.config, "filters": filters}, {"streams": []})
    (line,) = caught.value.mistakes
    assert line.startswith("filters")
    assert told in line
    assert orgvue.requests == []


def test_the_command_takes_filters_from_its_file(orgvue: Orgvue) -> None:
    """Numbers of a config file, which are read as decimals, reach Orgvue as numbers."""
    config = {**orgvue.config, "filters": {"people": {"salary": {"$gt": 1002.5}}}}
    run = command(config, catalog=discover(orgvue.config))
    assert run.code == 0, run.stderr
    assert ids(run.records["people"]) == ["P3", "P4"]


@pytest.mark.parametrize("setting", ["filters", "linking_relationships"])
@pytest.mark.parametrize("with_catalog", [False, True])
def test_a_setting_for_no_stream_is_reported(
    orgvue: Orgvue,
    setting: str,
    with_catalog: bool,  # noqa: FBT001 - one of the cases
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A stream that is misspelt in a setting is told of, since the setting has no effect."""
    value: Any = {"salary": 5} if setting == "filters" else [LINKS]
    config = {**orgvue.config, setting: {"poeple": value, LINKS: value}}
    catalog = discover(orgvue.config)
    run = sync(config, catalog) if with_catalog else discover(config)
    assert run
    assert len(warned(caplog, setting, "'poeple'")) == 1
    assert len(warned(caplog, setting, LINKS)) == 1


def test_a_setting_for_a_stream_is_not_reported(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """A filter that is in force is nothing to warn of, nor is one over what is not selected."""
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    sync({**orgvue.config, "filters": {"people": {"salary": 1003}}}, catalog)
    hidden = {"exclude_properties": ["salary"], "filters": {"people": {"salary": 1003}}}
    sync({**orgvue.config, **hidden}, discover({**orgvue.config, **hidden}))
    assert not warned(caplog)


def test_a_stream_that_is_named_twice_is_a_mistake(orgvue: Orgvue) -> None:
    """A filter by name and another by id for one dataset: neither is guessed to be meant."""
    twice = {"people": {"id": "P1"}, orgvue.dataset("People").dataset_id: {"id": "P2"}}
    with pytest.raises(SettingsError, match="filters: names the stream 'people' twice"):
        sync({**orgvue.config, "filters": twice}, discover(orgvue.config))


@pytest.mark.parametrize(
    "key,advice",
    [("salery", "misspelt"), ("full_name", "'Full Name'")],
)
def test_a_filter_over_no_property_is_reported(
    orgvue: Orgvue, key: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a filter finds nothing in Orgvue: the log says why, with the key of a column."""
    run = sync({**orgvue.config, "filters": {"people": {key: "x"}}})
    assert not run.records["people"]
    assert len(warned(caplog, "'people'", repr(key), advice)) == 1


# --- filters on ids, in slices

ID_CONDITIONS: list[object] = [{"$gte": "A"}, {"$lt": "A"}, "A"]


@pytest.mark.parametrize("condition", ID_CONDITIONS, ids=str)
def test_a_range_of_ids_is_an_error_in_the_mode_paged(orgvue: Orgvue, condition: object) -> None:
    """Slices are ranges of `_id`: a condition that excludes them is told before any request."""
    catalog = discover(orgvue.config)
    before = len(orgvue.requests)
    config = {**orgvue.config, "export_mode": "paged", "filters": {"people": {"_id": condition}}}
    run = command(config, catalog=catalog)
    assert run.code == 3
    last = run.stderr.splitlines()[-1]
    for word in ("'people'", "'_id'", "`filters`", "`export_mode`"):
        assert word in last
    assert len(orgvue.requests) == before


@pytest.mark.slow
@pytest.mark.parametrize("condition", ID_CONDITIONS, ids=str)
def test_a_range_of_ids_is_an_error_where_slices_turn_out_to_be_needed(
    serve: Serve, condition: object
) -> None:
    """Where slices are the last way, no row is sent before that is told."""
    orgvue = serve(people(400))
    catalog = discover(orgvue.config)
    if not isinstance(condition, dict):
        condition = orgvue.dataset("People").rows[0]["_id"]
    config = {**orgvue.config, "filters": {"people": {"_id": condition}}}
    assert sync(config, catalog).records["people"]
    orgvue.sync_limit_bytes, orgvue.async_export = 50, False
    run = command(config, catalog=catalog)
    assert run.code == 3
    assert "'_id'" in run.stderr.splitlines()[-1]
    assert not run.of_type("RECORD")


# --- links


@pytest.fixture
def linked(serve: Serve) -> Orgvue:
    """People, of which a property is calculated through links."""
    plain = people(4)
    dataset = Dataset(
        "People",
        properties=[*plain.properties, Property("posts", "number", needs_link=LINKS)],
        rows=[{**row, "posts": i} for i, row in enumerate(plain.rows)],
    )
    links = Dataset(
        "Links",
        type="LINKS",
        dataset_id=LINKS,
        properties=[Property("from_id"), Property("to_id")],
        rows=[{"from_id": "P0", "to_id": "X"}],
    )
    orgvue = serve(dataset, links)
    orgvue.job_polls = ("completed",)
    return orgvue


def test_without_links_such_properties_are_empty(linked: Orgvue) -> None:
    """Orgvue calculates nothing through links that it is not told of."""
    assert [r["posts"] for r in sync(linked.config).records["people"]] == [None] * 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("by_id", [False, True])
def test_links_are_asked_for_by_a_job_in_every_mode(
    linked: Orgvue,
    mode: str,
    by_id: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """Only a job takes them: whatever the mode, that stream is read by one, the others are not."""
    word = linked.dataset("People").dataset_id if by_id else "people"
    config = {**linked.config, "export_mode": mode, "linking_relationships": {word: [LINKS]}}
    catalog = discover(linked.config)
    before = len(linked.requests)
    run = sync(config, catalog)
    assert [r["posts"] for r in run.records["people"]] == [0, 1, 2, 3]
    assert len(run.records["links"]) == 1
    (job,) = [
        request
        for request in linked.requests[before:]
        if request.route == "job" and request.dataset_id != LINKS
    ]
    assert job.body == {"query": {"output": {}}, "linkingRelationships": [LINKS]}
    direct = [r.dataset_id for r in linked.requests[before:] if r.route == "export"]
    assert direct == ([] if mode == "async" else [LINKS])


def test_links_go_together_with_all_else_that_can_be_asked(linked: Orgvue) -> None:
    """Filter, bookmark and projection stand in the job's body beside the links."""
    catalog = select(
        discover(linked.config),
        "people",
        replication_method="INCREMENTAL",
        replication_key="_modified_at",
    )
    select(catalog, "people", "salary", selected=False)
    config = {
        **linked.config,
        "linking_relationships": {"people": [LINKS]},
        "filters": {"people": {"onLeave": True}},
    }
    state = sync(config, catalog).state
    linked.dataset("People").update(0, salary=7)
    records = sync(config, catalog, state).records["people"]
    assert [(record["id"], record["posts"]) for record in records] == [("P0", 0), ("P2", 2)]
    body = linked.requests_to("job")[-1].body
    assert isinstance(body, dict)
    assert body["linkingRelationships"] == [LINKS]
    output = body["query"]["output"]
    assert set(output["filter"]) == {"onLeave", "_modifiedAt"}
    assert output["projectionMode"] == "replace"
    assert "salary" not in output["projection"]


def test_links_without_jobs_are_an_error(linked: Orgvue) -> None:
    """Where there are no jobs, such a stream fails rather than come without its links."""
    linked.async_export = False
    config = {**linked.config, "linking_relationships": {"people": [LINKS]}}
    with pytest.raises(OrgvueError, match="404"):
        sync(config, discover(linked.config))


@pytest.mark.parametrize(
    "settings,told",
    [
        ({"linking_relationships": {"people": ["links"]}}, "'links' is not a dataset's id"),
        ({"linking_relationships": {"people": LINKS}}, "array"),
        (
            {"linking_relationships": {"people": [LINKS]}, "include_calculations": False},
            "include_calculations",
        ),
    ],
)
def test_what_are_no_links_is_reported_before_any_request(
    orgvue: Orgvue, settings: dict[str, Any], told: str
) -> None:
    """Links are ids of datasets, and of no use without calculations."""
    with pytest.raises(SettingsError) as caught:
        sync({**orgvue.config, **settings}, {"streams": []})
    (line,) = caught.value.mistakes
    assert line.startswith("linking_relationships")
    assert told in line
    assert orgvue.requests == []


@pytest.mark.slow
def test_a_misconfigured_stream_does_not_stop_the_others(serve: Serve) -> None:
    """A filter that cannot be fails its own stream; the others are delivered."""
    orgvue = serve(people(), people(3, "Leavers"))
    config = {**orgvue.config, "export_mode": "paged", "filters": {"people": {"_id": "A"}}}
    run = command(config, catalog=discover(orgvue.config))
    assert run.code == 3
    assert len(run.records["leavers"]) == 3
    with pytest.raises(Misconfigured):
        sync(config, discover(orgvue.config))
