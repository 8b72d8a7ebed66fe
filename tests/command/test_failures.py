"""When one stream fails, and when the run must stop."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.records.record_maker import RecordMaker
from tap_orgvue.simulator import Dataset, Draft
from tap_orgvue.simulator.refusals import RefusalError
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import Watched, people
from tests.support.drafts import ACTIONS, CHANGES, staff, tenant, with_drafts
from tests.support.runs import command, delivered, discover, into_closed_pipe, only, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue


@pytest.fixture
def two(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with two datasets."""
    return serve(people(20, "Alpha"), people(30, "Beta"))


def test_the_others_go_on(two: Orgvue) -> None:
    """A stream that fails is named with its reason at the end; the others are complete."""
    catalog = discover(two.config)
    state = sync(two.config, catalog).state
    two.refuse(400, times=None, on="export", dataset="Alpha")
    run = command(two.config, catalog=catalog, state=state)
    assert run.code == 5
    assert len(run.records["beta"]) == 30
    assert "alpha" not in run.records
    assert run.state["bookmarks"]["alpha"] == state["bookmarks"]["alpha"]
    assert "1 of 2 streams failed" in run.stderr
    assert "Traceback" not in run.stderr
    assert "HTTP 400" in run.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_failed_stream_holds_on_to_nothing(serve: Callable[..., Orgvue]) -> None:
    """What was read of an export that fails in its middle is gone before the run ends."""
    plain = people(8000)
    rows = [*plain.rows[:4000], {"salary": "much"}, *plain.rows[4000:]]
    datasets = [Dataset(name, properties=plain.properties, rows=rows) for name in ("Alpha", "Beta")]
    config: dict[str, Any] = {**serve(*datasets).config, "rescue_data": False}
    tap = TapOrgvue(config=config, catalog=discover(config))
    before = _exports_being_read()
    with contextlib.redirect_stdout(io.StringIO()):
        failed = tap.run()
    assert list(failed) == ["alpha", "beta"]
    assert _exports_being_read() <= before
    assert "orgvue-read" not in [thread.name for thread in threading.enumerate()]
    tap.close()


def _exports_being_read() -> int:
    """How many objects there are that hold something of an export."""
    gc.collect()
    return sum(isinstance(thing, (RecordMaker, JsonRows)) for thing in gc.get_objects())


def test_a_failed_stream_activates_nothing(two: Orgvue) -> None:
    """No ACTIVATE_VERSION for a stream whose export broke in its middle."""
    config = {**two.config, "emit_activate_version_messages": True}
    catalog = discover(config)
    two.answer(on="export", dataset="Alpha", times=None, body=b'{"headers":[{"key":"_id"}],"rows":')
    run = command({**config, "max_retries": 0}, catalog=catalog)
    assert run.code == 5
    assert [message["stream"] for message in run.of_type("ACTIVATE_VERSION")] == ["beta"]


@pytest.mark.parametrize("code,ends_with", [("40302", 3), ("42902", 4)])
def test_what_concerns_the_tenant_stops_at_once(two: Orgvue, code: str, ends_with: int) -> None:
    """Token and quota errors end the run: nothing else is tried."""
    catalog = discover(two.config)
    two.refuse(code, times=None)
    before = len(two.requests)
    run = command({**two.config, "max_parallel_requests": 1}, catalog=catalog)
    assert run.code == ends_with
    assert run.records == {}
    assert len(two.requests) - before <= 2
    assert code in run.stderr.splitlines()[-1]


def test_the_users_own_brake(two: Orgvue) -> None:
    """A run ends with an error once it has made as many requests as it may."""
    catalog = discover(two.config)
    run = command({**two.config, "max_requests_per_run": 1}, catalog=catalog)
    assert run.code == 4
    assert "`max_requests_per_run`" in run.stderr.splitlines()[-1]


def test_every_failure_is_named_at_the_end(serve: Callable[..., Orgvue]) -> None:
    """The summary has a line with its reason for each stream that failed, and no other."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"), people(3, "Gamma"), people(3, "Delta"))
    catalog = discover(orgvue.config)
    orgvue.refuse(400, times=None, on="export", dataset="Alpha")
    orgvue.dataset("Gamma").hidden_because = (403, "403601", "DatasetAccessDenied", "No.")
    run = command(orgvue.config, catalog=catalog)
    assert run.code == 5
    assert set(run.records) == {"beta", "delta"}
    summary, alpha, gamma = run.stderr.splitlines()[-3:]
    assert "2 of 4 streams failed" in summary
    assert alpha.startswith("  alpha: ")
    assert "HTTP 400" in alpha
    assert gamma.startswith("  gamma: ")
    assert "403601" in gamma


def test_a_failed_stream_activates_nothing_after_some_of_its_records(
    serve: Callable[..., Orgvue],
) -> None:
    """Records of a version that is never activated remove nothing; the next run has a later one."""
    dataset = Watched.people(200)
    orgvue = serve(dataset)
    config = {
        **orgvue.config,
        "export_mode": "paged",
        "emit_activate_version_messages": True,
        "max_retries": 0,
    }
    catalog = discover(config)
    state = sync(config, catalog).state

    def refuse() -> None:
        if delivered(orgvue, before):
            raise RefusalError("400606")

    before, orgvue.sync_limit_bytes, dataset.happen = len(orgvue.requests), 8000, refuse
    failed = command(config, catalog=catalog, state=state)
    assert failed.code == 5
    versions = {message["version"] for message in failed.of_type("RECORD")}
    assert len(versions) == 1
    assert not failed.of_type("ACTIVATE_VERSION")
    assert failed.state["bookmarks"] == state["bookmarks"]


@pytest.mark.slow
def test_a_stream_that_fails_behind_its_last_record(two: Orgvue) -> None:
    """Where it cannot be known whether rows are gone, none is removed, and the state stays."""
    config = {**two.config, "emit_activate_version_messages": True, "max_retries": 0}
    catalog = discover(config)
    state = sync(config, catalog).state
    two.refuse(500, on="list", times=None)
    run = command(config, catalog=catalog, state=state)
    assert run.code == 5
    assert {stream: len(found) for stream, found in run.records.items()} == {
        "alpha": 20,
        "beta": 30,
    }
    assert not run.of_type("ACTIVATE_VERSION")
    assert run.state == state


def test_what_stops_a_run_leaves_what_is_delivered(serve: Callable[..., Orgvue]) -> None:
    """A token that expires midway: streams before are whole, with state; the others are named."""
    second = Watched.people(20, "Beta")
    orgvue = serve(people(20, "Alpha"), second, people(20, "Gamma"))
    catalog = discover(orgvue.config)

    def expire() -> None:
        orgvue.refuse("40302", times=None)
        raise RefusalError("40302")

    second.happen = expire
    run = command({**orgvue.config, "max_parallel_requests": 1}, catalog=catalog)
    assert run.code == 3
    assert {stream: len(records) for stream, records in run.records.items()} == {"alpha": 20}
    assert "rows" in run.state["bookmarks"]["alpha"]["orgvue"]
    *_, told, _, last = run.stderr.splitlines()
    assert "beta, gamma" in told
    assert "alpha" not in told
    assert "40302" in last


def test_a_loader_that_goes_away(orgvue: Orgvue, tmp_path: Path) -> None:
    """A closed pipe is one line and an error, not a traceback."""
    done = into_closed_pipe(orgvue.config, tmp_path)
    assert done.returncode == 6
    assert "closed the pipe" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_drafts_that_fail_keep_what_was_protected() -> None:
    """Some of their rows may be sent: the state remembers what a pattern protected there."""
    base = staff()
    with tenant([base], Draft("Plan", CHANGES, base=base), Draft("Bad", base=base)) as orgvue:
        orgvue.refuse("403602", on="draft_actions", draft="Bad", times=None)
        ids = [each.draft_id for each in orgvue.tenant.drafts]
        config = with_drafts(orgvue, *ids, exclude_properties=["Base Pay"])
        run = command(config, catalog=only(discover(config), ACTIONS))
    assert run.code == 3
    assert "Base Pay" in json.dumps(run.state["bookmarks"][ACTIONS])
