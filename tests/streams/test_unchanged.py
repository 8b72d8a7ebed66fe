"""`skip_unchanged`: what is taken to be as it was, and what is exported all the same."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.streams import dataset_stream
from tests.support.datasets import Watched, people
from tests.support.runs import Run, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

SKIPPING = {"skip_unchanged": True}


def skipped(run: Run) -> bool:
    """Whether nothing but state came of a run; else all rows did."""
    came = {message["type"] for message in run.messages}
    assert came == {"STATE"} or len(run.records["people"]) == 5
    return came == {"STATE"}


@pytest.fixture
def before(orgvue: Orgvue) -> tuple[dict[str, Any], dict[str, Any]]:
    """The catalog and the state of a run that took all rows."""
    config = {**orgvue.config, **SKIPPING}
    catalog = discover(config)
    run = sync(config, catalog)
    assert not skipped(run)
    return catalog, run.state


def test_an_unchanged_dataset_is_not_exported(
    orgvue: Orgvue, before: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """One request for the metadata, no export, and nothing but the state as it was."""
    catalog, state = before
    since = len(orgvue.requests)
    run = sync({**orgvue.config, **SKIPPING}, catalog, state)
    assert skipped(run)
    assert [request.route for request in orgvue.requests[since:]] == ["metadata"]
    assert run.state == state


def test_by_default_everything_is_exported(
    orgvue: Orgvue, before: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Without the setting nobody asks whether anything changed; the list tells names only."""
    catalog, state = before
    since = len(orgvue.requests)
    assert not skipped(sync(orgvue.config, catalog, state))
    assert {request.route for request in orgvue.requests[since:]} == {"export", "list"}


def test_a_change_is_exported(
    orgvue: Orgvue, before: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Another cache key is a new export, after which it is unchanged again."""
    catalog, state = before
    config = {**orgvue.config, **SKIPPING}
    orgvue.dataset("People").update(0, salary=5)
    run = sync(config, catalog, state)
    assert not skipped(run)
    assert skipped(sync(config, catalog, run.state))


@pytest.mark.parametrize(
    "other",
    [
        {"filters": {"people": {"salary": {"$gt": 0}}}},
        {"property_types": {"salary": "text"}},
        {"rescue_data": False},
        {"new_properties": "ignore"},
        {"exclude_properties": ["salary"]},
        {"hash_properties": ["salary"], "hash_key": "0123456789abcdef"},
        {"emit_activate_version_messages": True},
        {"stream_maps": {"people": {"twice": "float(salary) * 2"}}},
        {"flattening_enabled": True, "flattening_max_depth": 1},
        {"linking_relationships": {"people": ["0B530000-0000-4000-8000-000000000001"]}},
        {"start_date": "2020-01-01"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_question_is_exported(
    orgvue: Orgvue, before: tuple[dict[str, Any], dict[str, Any]], other: dict[str, Any]
) -> None:
    """What decides what a loader is sent is part of what must be as it was."""
    catalog, state = before
    orgvue.job_polls = ("completed",)
    assert not skipped(sync({**orgvue.config, **SKIPPING, **other}, catalog, state))


@pytest.mark.slow
def test_other_columns_are_exported(
    orgvue: Orgvue, before: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    """Selecting other columns, or replicating otherwise, is another question as well."""
    catalog, state = before
    config = {**orgvue.config, **SKIPPING}
    other = select(discover(config), "people", "salary", selected=False)
    assert not skipped(sync(config, other, state))
    incremental = select(
        catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at"
    )
    assert not skipped(sync(config, incremental, state))


def test_another_version_of_the_tap_exports(
    orgvue: Orgvue,
    before: tuple[dict[str, Any], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A newer tap may make other records of the same rows."""
    catalog, state = before
    monkeypatch.setattr(dataset_stream, "__version__", "0.0.1")
    assert not skipped(sync({**orgvue.config, **SKIPPING}, catalog, state))


@pytest.mark.parametrize(
    "days,most,skips",
    [(6.9, 7, True), (1.1, 1, False), (40, 60, True)],
)
def test_an_old_export_is_made_again(
    orgvue: Orgvue,
    before: tuple[dict[str, Any], dict[str, Any]],
    days: float,
    most: int,
    skips: bool,  # noqa: FBT001 - what is expected
) -> None:
    """After `max_unchanged_days` an export is made anew."""
    catalog, state = before
    made = datetime.now(timezone.utc) - timedelta(days=days)
    state["bookmarks"]["people"]["orgvue"]["exported_at"] = made.isoformat()
    config = {**orgvue.config, **SKIPPING, "max_unchanged_days": most}
    assert skipped(sync(config, catalog, state)) == skips


def test_a_change_during_the_export_is_not_missed(serve: Callable[..., Orgvue]) -> None:
    """The key is read before the export: what changes in between is exported with the next run."""
    dataset = Watched.people(5)
    orgvue = serve(dataset)
    config = {**orgvue.config, **SKIPPING}
    catalog = discover(config)

    def change() -> None:
        dataset.happen = dataset.nothing
        dataset.update(0, salary=5)

    dataset.happen = change
    first = sync(config, catalog)
    second = sync(config, catalog, first.state)
    assert not skipped(second)
    assert skipped(sync(config, catalog, second.state))


def test_a_run_that_failed_is_not_taken_for_done(serve: Callable[..., Orgvue]) -> None:
    """What was not delivered whole is exported again."""
    orgvue = serve(people())
    config = {**orgvue.config, **SKIPPING}
    catalog = discover(config)
    orgvue.refuse(400, on="export", times=None)
    with pytest.raises(Exception, match="HTTP 400"):
        sync(config, catalog)
    orgvue.calm()
    assert not skipped(sync(config, catalog, {"bookmarks": {"people": {}}}))


def test_withheld_deletions_are_not_taken_for_done(orgvue: Orgvue) -> None:
    """An export whose deletions the guard withheld is made again, so that they can be allowed."""
    config = {**orgvue.config, **SKIPPING, "emit_activate_version_messages": True}
    catalog = discover(config)
    state = sync(config, catalog).state
    for _ in range(3):
        orgvue.dataset("People").remove(0)
    state = sync(config, catalog, state).state
    allowed = sync({**config, "delete_guard_percent": 0}, catalog, state)
    assert allowed.of_type("ACTIVATE_VERSION")
    assert skipped(sync(config, catalog, allowed.state))


def test_a_skipped_stream_activates_nothing(orgvue: Orgvue) -> None:
    """Where no record is sent, no version is activated."""
    config = {**orgvue.config, **SKIPPING, "emit_activate_version_messages": True}
    catalog = discover(config)
    first = sync(config, catalog)
    assert first.of_type("ACTIVATE_VERSION")
    assert skipped(sync(config, catalog, first.state))


@pytest.mark.slow
def test_an_incremental_stream_keeps_its_bookmark_when_skipped(orgvue: Orgvue) -> None:
    """The bookmark of a stream that is skipped is as it was."""
    config = {**orgvue.config, **SKIPPING}
    catalog = select(
        discover(config),
        "people",
        replication_method="INCREMENTAL",
        replication_key="_modified_at",
    )
    first = sync(config, catalog)
    second = sync(config, catalog, first.state)
    assert skipped(second)
    assert second.state == first.state
