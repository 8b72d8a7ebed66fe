"""ACTIVATE_VERSION: sent after a complete export, and withheld where rows may not be gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.running import discover, select, sync

if TYPE_CHECKING:
    import pytest

    from tap_orgvue.simulator import Orgvue


def mirrored(orgvue: Orgvue, **settings: Any) -> dict[str, Any]:
    """A config that lets deletions happen."""
    return {**orgvue.config, "emit_activate_version_messages": True, **settings}


def test_it_comes_after_the_records_and_before_the_last_state(orgvue: Orgvue) -> None:
    """Records carry the version that is activated behind the last of them."""
    run = sync(mirrored(orgvue))
    kinds = [message["type"] for message in run.messages]
    assert kinds == ["SCHEMA", *["RECORD"] * 5, "ACTIVATE_VERSION", "STATE"]
    (activated,) = run.of_type("ACTIVATE_VERSION")
    assert {record["version"] for record in run.of_type("RECORD")} == {activated["version"]}


def test_versions_strictly_increase(orgvue: Orgvue) -> None:
    """Two runs within a second, or after a clock was set back, have rising versions."""
    first = sync(mirrored(orgvue))
    first.state["bookmarks"]["people"]["orgvue"]["version"] += 1000
    second = sync(mirrored(orgvue), state=first.state)
    before = first.state["bookmarks"]["people"]["orgvue"]["version"]
    assert second.of_type("ACTIVATE_VERSION")[0]["version"] == before + 1


def test_filtered_and_incremental_streams_delete_nothing(orgvue: Orgvue) -> None:
    """What was not asked for is not taken to be gone."""
    run = sync(mirrored(orgvue, filters={"people": {"salary": {"$gt": 1001}}}))
    assert len(run.of_type("RECORD")) == 3
    assert not run.of_type("ACTIVATE_VERSION")
    catalog = discover(orgvue.config)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    assert not sync(mirrored(orgvue), catalog).of_type("ACTIVATE_VERSION")


def test_the_guard(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """An export with too few rows deletes nothing, says so, until the user allows it."""
    state = sync(mirrored(orgvue)).state
    for _ in range(3):
        orgvue.dataset("People").remove(0)
    for _ in range(2):
        run = sync(mirrored(orgvue), state=state)
        assert len(run.of_type("RECORD")) == 2
        assert not run.of_type("ACTIVATE_VERSION")
        state = run.state
    assert "delete_guard_percent" in caplog.text
    allowed = sync(mirrored(orgvue, delete_guard_percent=0), state=state)
    assert allowed.of_type("ACTIVATE_VERSION")
    assert sync(mirrored(orgvue), state=allowed.state).of_type("ACTIVATE_VERSION")


def test_a_view_that_became_permissioned(orgvue: Orgvue) -> None:
    """A user who sees only a part of a dataset now deletes nothing of the rest."""
    state = sync(mirrored(orgvue)).state
    orgvue.dataset("People").is_permissioned_view = True
    assert not sync(mirrored(orgvue), state=state).of_type("ACTIVATE_VERSION")


def test_an_unchanged_dataset_is_not_exported(orgvue: Orgvue) -> None:
    """With `skip_unchanged` an equal cache key emits state alone, and a change all rows."""
    config = {**orgvue.config, "skip_unchanged": True}
    catalog = discover(config)
    state = sync(config, catalog).state
    before = len(orgvue.requests)
    run = sync(config, catalog, state)
    assert {message["type"] for message in run.messages} == {"STATE"}
    assert [request.route for request in orgvue.requests[before:]] == ["metadata"]
    assert run.state == state
    orgvue.dataset("People").update(0, salary=5)
    assert len(sync(config, catalog, state).records["people"]) == 5


def test_an_unchanged_dataset_is_exported_after_a_while_or_for_other_questions(
    orgvue: Orgvue,
) -> None:
    """An old export, other columns or other settings make a new one."""
    config = {**orgvue.config, "skip_unchanged": True}
    catalog = discover(config)
    state = sync(config, catalog).state
    other = select(discover(config), "people", "salary", selected=False)
    assert len(sync(config, other, state).records["people"]) == 5
    assert len(sync({**config, "rescue_data": False}, catalog, state).records["people"]) == 5
    state["bookmarks"]["people"]["orgvue"]["exported_at"] = "2020-01-01T00:00:00.000Z"
    assert len(sync(config, catalog, state).records["people"]) == 5
