"""Incremental replication: what is asked for, what is remembered, and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import Misconfigured, OrgvueError
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tap_orgvue.simulator.refusals import RefusalError
from tests.support.datasets import Watched, people
from tests.support.runs import Run, command, conditions, delivered, discover, entry, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Serve = Callable[..., Orgvue]

MODES = ["auto", "sync", "async", "paged"]
BOTH = [False, True]


def incremental(orgvue: Orgvue, key: str = "_modified_at", **settings: Any) -> dict[str, Any]:
    """A catalog in which People is replicated incrementally."""
    catalog = discover({**orgvue.config, **settings})
    return select(catalog, "people", replication_method="INCREMENTAL", replication_key=key)


def bookmark(run: Run) -> str | None:
    """Where a run says it got to."""
    found = run.state["bookmarks"]["people"].get("replication_key_value")
    assert found is None or isinstance(found, str)
    return found


def sent(run: Run) -> list[str]:
    """The ids of the people that came."""
    return [record["id"] for record in run.records["people"]]


# --- what is asked for


@pytest.mark.parametrize("mode", MODES)
def test_the_bookmark_is_asked_for_in_every_mode(orgvue: Orgvue, mode: str) -> None:
    """The first run takes all rows; the next those from the bookmark on, equal ones again."""
    config, catalog = {**orgvue.config, "export_mode": mode}, incremental(orgvue)
    orgvue.job_polls = ("completed",)
    before = len(orgvue.requests)
    first = sync(config, catalog)
    assert sent(first) == ["P0", "P1", "P2", "P3", "P4"]
    assert set(map(str, conditions(orgvue, before))) == {"None"}
    last = orgvue.dataset("People").rows[-1]["_modifiedAt"]
    assert bookmark(first) == last
    orgvue.dataset("People").update(1, salary=7)
    before = len(orgvue.requests)
    second = sync(config, catalog, first.state)
    assert conditions(orgvue, before) == [{"_modifiedAt": {"$gte": last}}]
    assert sent(second) == ["P1", "P4"]
    assert second.records["people"][0]["salary"] == 7
    assert bookmark(second) == orgvue.dataset("People").rows[1]["_modifiedAt"]


@pytest.mark.parametrize("mode", MODES)
def test_the_users_filter_holds_as_well(orgvue: Orgvue, mode: str) -> None:
    """Rows must pass both conditions; also two on one property, where they go together."""
    mine = {"onLeave": True, "_modifiedAt": {"$lt": "2030-01-01"}}
    config = {**orgvue.config, "export_mode": mode, "filters": {"people": mine}}
    orgvue.job_polls = ("completed",)
    catalog = incremental(orgvue)
    first = sync(config, catalog)
    assert sent(first) == ["P0", "P2", "P4"]
    for number in (1, 2):
        orgvue.dataset("People").update(number, salary=7)
    before = len(orgvue.requests)
    assert sent(sync(config, catalog, first.state)) == ["P2", "P4"]
    assert conditions(orgvue, before) == [
        {
            "onLeave": True,
            "_modifiedAt": {"$lt": "2030-01-01", "$gte": bookmark(first)},
        }
    ]


def test_slices_ask_for_what_is_new_too(serve: Serve) -> None:
    """Where what is new is itself too large for an answer, each slice of it has the condition."""
    orgvue = serve(people(200))
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state
    for number in range(0, 200, 2):
        orgvue.dataset("People").update(number, salary=7)
    orgvue.sync_limit_bytes = 4000
    before = len(orgvue.requests)
    run = sync({**orgvue.config, "export_mode": "paged"}, catalog, state)
    assert sorted(sent(run)) == sorted(f"P{i}" for i in [*range(0, 200, 2), 199])
    found = conditions(orgvue, before)
    assert len(found) > 3
    assert {str(condition["_modifiedAt"]) for condition in found} == {
        str({"$gte": state["bookmarks"]["people"]["replication_key_value"]})
    }


def test_a_start_date_counts_until_there_is_a_later_bookmark(orgvue: Orgvue) -> None:
    """`start_date` is where the first run begins; the later of it and the bookmark counts."""
    catalog = incremental(orgvue)
    start = str(orgvue.dataset("People").rows[2]["_modifiedAt"])
    config = {**orgvue.config, "start_date": start}
    first = sync(config, catalog)
    assert sent(first) == ["P2", "P3", "P4"]
    orgvue.dataset("People").update(0, salary=7)
    assert sent(sync(config, catalog, first.state)) == ["P0", "P4"]
    assert sent(sync({**config, "start_date": "2020-01-01"}, catalog, first.state)) == ["P0", "P4"]


def test_equal_instants_are_sent_again(orgvue: Orgvue) -> None:
    """A row that changes in the very millisecond of the bookmark is not missed."""
    catalog = incremental(orgvue)
    first = sync(orgvue.config, catalog)
    orgvue.dataset("People").add({"id": "P5", "_modifiedAt": bookmark(first)})
    assert sent(sync(orgvue.config, catalog, first.state)) == ["P4", "P5"]


def test_a_bound_is_never_later_than_the_bookmark(serve: Serve) -> None:
    """Orgvue's filters have milliseconds: a finer bookmark is rounded down, so none is missed."""
    dataset = people(0)
    dataset.add({"id": "P0", "_modifiedAt": "2026-01-01T00:00:00.123456+00:00"})
    orgvue = serve(dataset)
    catalog = incremental(orgvue)
    first = sync(orgvue.config, catalog)
    assert bookmark(first) == "2026-01-01T00:00:00.123456Z"
    before = len(orgvue.requests)
    assert sent(sync(orgvue.config, catalog, first.state)) == ["P0"]
    assert conditions(orgvue, before) == [{"_modifiedAt": {"$gte": "2026-01-01T00:00:00.123Z"}}]


# --- what is remembered


def test_bookmarks_are_compared_as_instants(serve: Serve) -> None:
    """The latest of instants in several forms is the bookmark, whichever is the greatest text."""
    dataset = people(0)
    for number, text in enumerate(
        [
            "2026-01-01T09:00:00+09:00",  # midnight in UTC
            "2026-01-01T00:30:00.000Z",  # the latest
            "2026-01-01",
            "2026-01-01T00:29:59.999999+00:00",
            "2026-01-01T02:00:00+02:00",
        ]
    ):
        dataset.add({"id": f"P{number}", "_modifiedAt": text})
    orgvue = serve(dataset)
    assert bookmark(sync(orgvue.config, incremental(orgvue))) == "2026-01-01T00:30:00.000Z"


def test_rows_need_not_come_in_order(serve: Serve) -> None:
    """The latest change counts, not the last row's."""
    dataset = people(3)
    dataset.update(0, salary=7)
    orgvue = serve(dataset)
    assert bookmark(sync(orgvue.config, incremental(orgvue))) == dataset.rows[0]["_modifiedAt"]


def test_nothing_new_leaves_the_bookmark(orgvue: Orgvue) -> None:
    """An export without rows leaves the bookmark as it was."""
    catalog = incremental(orgvue)
    first = sync(orgvue.config, catalog)
    orgvue.dataset("People").remove(4)
    second = sync(orgvue.config, catalog, first.state)
    assert sent(second) == []
    assert bookmark(second) == bookmark(first)
    assert second.state == first.state


def test_a_bookmark_does_not_go_back(orgvue: Orgvue) -> None:
    """A server that does not heed the filter sends older rows; the bookmark stays where it was."""
    catalog = incremental(orgvue)
    first = sync(orgvue.config, catalog)
    orgvue.dataset("People").remove(4)
    orgvue.ignores_filters = True
    second = sync(orgvue.config, catalog, first.state)
    assert sent(second) == ["P0", "P1", "P2", "P3"]
    assert bookmark(second) == bookmark(first)


@pytest.mark.parametrize("batches", BOTH)
def test_a_change_dated_ahead_does_not_hide_others(
    orgvue: Orgvue, tmp_path: Path, *, batches: bool
) -> None:
    """A row dated in the future does not take the bookmark beyond the run's beginning."""
    ahead = datetime.now(timezone.utc) + timedelta(days=300)
    orgvue.dataset("People").update(0, _modifiedAt=ahead.isoformat())
    config = {**orgvue.config, **(in_batches(tmp_path) if batches else {})}
    found = bookmark(sync(config, incremental(orgvue)))
    assert found is not None
    assert datetime.fromisoformat(found.replace("Z", "+00:00")) <= datetime.now(timezone.utc)


def in_batches(folder: Path, **more: int) -> dict[str, Any]:
    """The settings of a tap that writes files."""
    encoding = {"format": "jsonl", "compression": "gzip"}
    return {"batch_config": {"encoding": encoding, "storage": {"root": folder.as_uri()}, **more}}


@pytest.mark.slow
def test_no_state_is_ahead_of_its_records(serve: Serve) -> None:
    """Before the last of many records no STATE has the new bookmark, though some come between."""
    orgvue = serve(people(25_000))
    catalog = incremental(orgvue)
    run = sync(orgvue.config, catalog)
    kinds = [message["type"] for message in run.messages]
    last = len(kinds) - 1 - kinds[::-1].index("RECORD")
    early = [message for message in run.messages[:last] if message["type"] == "STATE"]
    assert early
    for message in early:
        assert "replication_key_value" not in message["value"]["bookmarks"].get("people", {})
    assert bookmark(run) == orgvue.dataset("People").rows[-1]["_modifiedAt"]
    assert run.messages[-1]["type"] == "STATE"


@pytest.mark.parametrize("batches", BOTH)
def test_a_row_that_changes_between_two_slices_is_not_missed(
    serve: Serve, tmp_path: Path, *, batches: bool
) -> None:
    """A row that was sent, and changes while a later slice is fetched, comes with the next run.

    A row of that later slice changes after it: the latest change of all is no bookmark then.
    """
    dataset = Watched.people(200)
    orgvue = serve(dataset)
    catalog = incremental(orgvue)
    order = sorted(range(200), key=lambda i: str(dataset.rows[i]["_id"]))

    def change() -> None:
        if not changed_rows and delivered(orgvue, before):
            for number in (order[0], order[-1]):
                dataset.update(number, salary=7)
                changed_rows.add(str(dataset.rows[number]["id"]))

    changed_rows: set[str] = set()
    before, orgvue.sync_limit_bytes, dataset.happen = len(orgvue.requests), 8000, change
    config = {**orgvue.config, "export_mode": "paged", **(in_batches(tmp_path) if batches else {})}
    first = sync(config, catalog)
    assert len(changed_rows) == 2
    orgvue.sync_limit_bytes = None
    again = sync(orgvue.config, catalog, first.state)
    assert {r["id"] for r in again.records["people"] if r["salary"] == 7} == changed_rows


@pytest.mark.slow
@pytest.mark.parametrize("batches", BOTH)
def test_a_failed_stream_keeps_its_bookmark(serve: Serve, tmp_path: Path, *, batches: bool) -> None:
    """A stream that fails after some of its records asks for the same rows again."""
    dataset = Watched.people(200)
    orgvue = serve(dataset)
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state
    for number in range(200):
        dataset.update(number, salary=7)

    def refuse() -> None:
        if delivered(orgvue, before):
            raise RefusalError("400606")

    before, orgvue.sync_limit_bytes, dataset.happen = len(orgvue.requests), 8000, refuse
    config = {**orgvue.config, "export_mode": "paged"}
    more = in_batches(tmp_path, batch_size=10) if batches else {}
    failed = command({**config, **more}, catalog=catalog, state=state)
    assert failed.code == 5
    assert "400606" in failed.stderr.splitlines()[-1]
    if batches:
        # What was not told of is not left behind.
        told = [name for message in failed.of_type("BATCH") for name in message["manifest"]]
        assert sorted(told) == sorted(path.as_uri() for path in tmp_path.iterdir())
    else:
        assert 0 < len(sent(failed)) < 200
    assert failed.state["bookmarks"]["people"] == state["bookmarks"]["people"]
    dataset.happen = dataset.nothing
    orgvue.sync_limit_bytes = None
    assert len(sent(sync(config, catalog, failed.state))) == 200


def test_another_key_begins_anew(orgvue: Orgvue) -> None:
    """A bookmark of another replication key is none."""
    first = sync(orgvue.config, incremental(orgvue))
    second = sync(orgvue.config, incremental(orgvue, "start_date"), first.state)
    assert len(sent(second)) == 5
    assert bookmark(second) == "2022-01-05"


def test_a_date_is_asked_for_by_the_day(orgvue: Orgvue) -> None:
    """A calendar date as replication key takes the whole of the bookmark's day again."""
    catalog = incremental(orgvue, "start_date")
    state = sync(orgvue.config, catalog).state
    state["bookmarks"]["people"]["replication_key_value"] = "2022-01-04T12:00:00.000Z"
    assert sent(sync(orgvue.config, catalog, state)) == ["P3", "P4"]


@pytest.mark.parametrize("odd", ["yesterday", "", 5, None, {}, ["2026"]])
@pytest.mark.parametrize("start_date", [None, "2020-01-01"])
def test_an_odd_bookmark_is_as_if_there_were_none(
    orgvue: Orgvue, odd: object, start_date: str | None
) -> None:
    """A bookmark that is no instant takes every row again, and is then a right one."""
    state = {"replication_key": "_modified_at", "replication_key_value": odd}
    config = {**orgvue.config, "start_date": start_date}
    run = sync(config, incremental(orgvue), {"bookmarks": {"people": state}})
    assert len(sent(run)) == 5
    assert bookmark(run) == orgvue.dataset("People").rows[-1]["_modifiedAt"]


# --- what cannot be


@pytest.mark.parametrize(
    "key,told",
    [
        ("nowhere", "'nowhere' is not a column"),
        ("full_name", "'full_name' is no date"),
        ("salary", "'salary' is no date"),
        ("_modifiedAt", "'_modifiedAt' is not a column"),
    ],
)
def test_a_key_that_cannot_be_asked_by_is_reported_before_any_request(
    orgvue: Orgvue, key: str, told: str
) -> None:
    """A replication key that is no date of the dataset's is one line, before Orgvue is asked."""
    catalog = incremental(orgvue, key)
    before = len(orgvue.requests)
    run = command(orgvue.config, catalog=catalog)
    assert run.code == 3
    last = run.stderr.splitlines()[-1]
    assert told in last
    assert "_modifiedAt" in last
    assert "Traceback" not in run.stderr
    assert len(orgvue.requests) == before
    assert not run.of_type("RECORD")


@pytest.mark.parametrize(
    "settings,told",
    [
        ({"hash_properties": ["_modifiedAt"], "hash_key": "x" * 16}, "is no date"),
        ({"property_types": {"_modifiedAt": "text"}}, "is no date"),
        ({"exclude_properties": ["_modifiedAt"]}, "is not a column"),
    ],
)
def test_a_setting_that_takes_the_key_away_is_reported(
    orgvue: Orgvue, settings: dict[str, Any], told: str
) -> None:
    """What hides, hashes or retypes the replication key, with a catalog of before, is an error."""
    with pytest.raises(Misconfigured, match=told):
        sync({**orgvue.config, **settings}, incremental(orgvue))


@pytest.mark.parametrize("found", ["nothing", "refuse"])
def test_a_key_that_is_gone_is_reported(orgvue: Orgvue, found: str) -> None:
    """A key that the dataset no longer has does not look like "nothing new" for ever."""
    catalog = incremental(orgvue, "start_date")
    state = sync(orgvue.config, catalog).state
    orgvue.dataset("People").remove_property("startDate")
    orgvue.unknown_filter = found
    with pytest.raises(OrgvueError, match=r"'start_date' is gone|400606"):
        sync(orgvue.config, catalog, state)


def test_a_key_that_orgvue_does_not_filter_by_is_reported(orgvue: Orgvue) -> None:
    """Orgvue's refusal of the filter is told in its own words."""
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state
    orgvue.refuse("400606", on=("export", "job"), times=None)
    run = command(orgvue.config, catalog=catalog, state=state)
    assert run.code == 5
    assert "400606" in run.stderr.splitlines()[-1]
    assert run.state["bookmarks"] == state["bookmarks"]


@pytest.mark.parametrize("condition", [{"$gte": "2020-01-01"}, "2020-01-01T00:00:00.000Z"])
@pytest.mark.parametrize("with_state", BOTH)
def test_a_filter_on_the_key_is_an_error_not_a_guess(
    orgvue: Orgvue, condition: object, *, with_state: bool
) -> None:
    """A condition that excludes the tap's own is told before any request, in the first run too."""
    catalog = incremental(orgvue)
    state = sync(orgvue.config, catalog).state if with_state else None
    before = len(orgvue.requests)
    with pytest.raises(Misconfigured, match=r"'_modifiedAt'.*`filters`"):
        sync({**orgvue.config, "filters": {"people": {"_modifiedAt": condition}}}, catalog, state)
    assert len(orgvue.requests) == before


# --- stored values alone


def test_stored_values_by_a_date_of_their_own(orgvue: Orgvue) -> None:
    """With `include_calculations` false the items are asked with the filter."""
    config = {**orgvue.config, "include_calculations": False}
    catalog = incremental(orgvue, "start_date", include_calculations=False)
    first = sync(config, catalog)
    assert len(sent(first)) == 5
    before = len(orgvue.requests)
    assert sent(sync(config, catalog, first.state)) == ["P4"]
    assert conditions(orgvue, before) == [{"startDate": {"$gte": "2022-01-05T00:00:00.000Z"}}]
    assert "items" in [request.route for request in orgvue.requests[before:]]


def test_stored_values_have_no_moment_of_change(orgvue: Orgvue) -> None:
    """`_modifiedAt` is not among the stored values: the error names the setting."""
    catalog = incremental(orgvue)
    with pytest.raises(Misconfigured, match=r"stored values.*include_calculations"):
        sync({**orgvue.config, "include_calculations": False}, catalog)


# --- the catalog


def test_the_catalog_offers_the_key(serve: Serve) -> None:
    """The column of `_modifiedAt` is the valid replication key; no stream is forced to use it."""
    orgvue = serve(people(), Dataset("Bare", properties=[Property("x")], generated=("_id",)))
    catalog = discover(orgvue.config)
    valid = {
        found["tap_stream_id"]: item["metadata"].get("valid-replication-keys")
        for found in catalog["streams"]
        for item in found["metadata"]
        if not item["breadcrumb"]
    }
    assert valid["people"] == ["_modified_at"]
    assert not valid["bare"]
    assert not entry(catalog, "people").get("replication_key")


# --- how far a bookmark goes


def test_a_bookmark_stays_behind_the_clock(orgvue: Orgvue) -> None:
    """A row that changed a moment ago is read again: another may have changed unseen meanwhile."""
    catalog = incremental(orgvue)
    now = datetime.now(timezone.utc)
    orgvue.dataset("People").update(0, _modifiedAt=now.isoformat())
    first = sync(orgvue.config, catalog)
    found = datetime.fromisoformat((bookmark(first) or "").replace("Z", "+00:00"))
    assert found < now
    assert sent(sync(orgvue.config, catalog, first.state)) == ["P0"]


def test_a_stream_without_a_key_has_no_margin(serve: Serve) -> None:
    """Rows that are read again would be doubled; the log says so."""
    now = datetime.now(timezone.utc) - timedelta(seconds=1)
    rows = [{"a": "old"}, {"a": "new", "_modifiedAt": now.isoformat()}]
    dataset = Dataset("People", properties=[Property("a")], rows=rows, generated=("_modifiedAt",))
    orgvue = serve(dataset)
    catalog = incremental(orgvue)
    run = command(orgvue.config, catalog=catalog)
    assert run.schemas["people"]["key_properties"] == []
    assert datetime.fromisoformat((bookmark(run) or "").replace("Z", "+00:00")) == now
    assert "'people' has no key" in run.stderr


@pytest.mark.slow
@pytest.mark.parametrize("maps", [{}, {"people": {"x": "id"}}])
def test_rows_without_a_value_of_the_key(orgvue: Orgvue, maps: dict[str, Any]) -> None:
    """No later run would request them: they are counted, once, when they are read."""
    for number in (1, 3):
        orgvue.dataset("People").update(number, startDate=None)
    config, catalog = {**orgvue.config, "stream_maps": maps}, incremental(orgvue, "start_date")
    first = command(config, catalog=catalog)
    assert len(first.records["people"]) == 5
    told = [line for line in first.stderr.splitlines() if "no value of the replication key" in line]
    assert len(told) == 1
    assert "'people': 2 rows" in told[0]
    second = command(config, catalog=catalog, state=first.state)
    assert "no value of the replication key" not in second.stderr


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_a_bookmark_goes_by_orgvues_clock(orgvue: Orgvue, ahead: float) -> None:
    """However wrong the clock here is: 60 s before a response that preceded the export."""
    orgvue.date_header = ahead
    config = {**orgvue.config, "skip_unchanged": True}
    catalog = incremental(orgvue)
    orgvue.dataset("People").update(0, _modifiedAt=orgvue.now(seconds=600))
    before = datetime.now(timezone.utc).replace(microsecond=0)
    found = datetime.fromisoformat((bookmark(sync(config, catalog)) or "").replace("Z", "+00:00"))
    elapsed = found + timedelta(seconds=60) - timedelta(seconds=ahead)
    assert before <= elapsed <= datetime.now(timezone.utc)


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_a_server_without_a_clock(orgvue: Orgvue, date: str | None) -> None:
    """Without a `Date` that can be read, the bookmark is 5 minutes before the run."""
    orgvue.date_header = date
    config = {**orgvue.config, "skip_unchanged": True}
    catalog = incremental(orgvue)
    orgvue.dataset("People").update(0, _modifiedAt="2999-01-01T00:00:00.000Z")
    before = datetime.now(timezone.utc) - timedelta(seconds=1)
    found = datetime.fromisoformat((bookmark(sync(config, catalog)) or "").replace("Z", "+00:00"))
    assert before <= found + timedelta(minutes=5) <= datetime.now(timezone.utc)
