"""One export has one shape: pages that differ, rows that come twice, errors beside rows."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import people
from tests.support.runs import command, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

VERSIONS = {"emit_activate_version_messages": True}


def in_pages(serve: Serve, rows: int = 6) -> Orgvue:
    """A tenant whose exports come in pages of two rows."""
    orgvue = serve(people(rows))
    orgvue.page_rows = 2
    return orgvue


BREAKS: dict[str, dict[str, Any]] = {
    "a property appeared": {"add": {"bonus": 1}},
    "a property is gone": {"drop": ["salary"]},
    "a property has another key": {"rename": {"salary": "pay"}},
    "a property has another type": {"retype": {"salary": "text"}},
    "the key is gone": {"drop": ["_id"]},
}


@pytest.mark.parametrize("how", BREAKS)
def test_pages_that_differ_fail_the_stream(serve: Serve, how: str) -> None:
    """Nothing is null because one page lacked it, and no row is removed over it."""
    orgvue = in_pages(serve)
    orgvue.reshape(on="page", **BREAKS[how])
    with pytest.raises(OrgvueError, match="changed between its pages"):
        sync({**orgvue.config, **VERSIONS})


def test_a_page_in_another_order_is_read_exactly(serve: Serve) -> None:
    """Records are made by key, so that the order of a page's columns does not matter."""
    orgvue = in_pages(serve)
    orgvue.reshape(on="page", first=["salary"])
    run = sync({**orgvue.config, **VERSIONS})
    assert [row["salary"] for row in run.records["people"]] == [1000 + i for i in range(6)]
    assert run.of_type("ACTIVATE_VERSION")


def test_slices_that_differ_fail_the_stream(serve: Serve) -> None:
    """A property that goes between two slices of an export fails its stream."""
    orgvue = serve(people(200))
    orgvue.sync_limit_bytes = 4000
    orgvue.reshape(on="slice", drop=["salary"], skip=2)
    with pytest.raises(OrgvueError, match="'salary'"):
        sync({**orgvue.config, "export_mode": "paged"})


def test_what_no_record_has_may_differ(serve: Serve) -> None:
    """A deselected property may go between two pages."""
    orgvue = in_pages(serve)
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.reshape(on="page", drop=["salary"])
    assert len(sync(orgvue.config, catalog).records["people"]) == 6


@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"people": {"twice": "salary * 2"}}}])
def test_a_row_that_comes_twice_is_reported(
    serve: Serve, caplog: pytest.LogCaptureFixture, maps: dict[str, Any]
) -> None:
    """It is counted, and no row is removed: the export may lack another one."""
    dataset = people(5)
    dataset.add(dataset.rows[0])
    orgvue = serve(dataset)
    run = sync({**orgvue.config, **VERSIONS, **maps})
    assert len(run.records["people"]) == 6
    assert not run.of_type("ACTIVATE_VERSION")
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert any("1 rows have the `_id` of an earlier row" in line for line in errors)


@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"people": {"b": "'b'"}}}])
def test_rows_without_ids_cannot_come_twice(
    serve: Serve, caplog: pytest.LogCaptureFixture, maps: dict[str, Any]
) -> None:
    """However alike they are."""
    rows: list[dict[str, Any]] = [{"a": "x"}, {"a": "x"}, {"a": None}, {"a": None}]
    orgvue = serve(Dataset("People", properties=[Property("a")], rows=rows, generated=()))
    run = sync({**orgvue.config, **VERSIONS, **maps})
    assert len(run.records["people"]) == 4
    assert run.of_type("ACTIVATE_VERSION")
    assert not [r for r in caplog.records if r.levelno == logging.ERROR]


def test_after_a_row_came_twice_versions_go_on(serve: Serve) -> None:
    """The next complete export is activated, with a later version; one without keeps the last."""
    dataset = people(5)
    dataset.add(dataset.rows[0])
    orgvue = serve(dataset)
    config = {**orgvue.config, **VERSIONS}
    state = sync(config).state
    between = sync(orgvue.config, state=state).state["bookmarks"]["people"]["orgvue"]
    assert between["version"] == state["bookmarks"]["people"]["orgvue"]["version"]
    dataset.remove(5)
    run = sync(config, state=state)
    (activated,) = run.of_type("ACTIVATE_VERSION")
    assert activated["version"] > state["bookmarks"]["people"]["orgvue"]["version"]


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_errors_beside_rows_fail_the_stream(orgvue: Orgvue, mode: str) -> None:
    """The export is not whole: Orgvue's words are the error, and no row is removed."""
    if mode == "sync":
        orgvue.add_errors("500601", on="export", times=None)
    else:
        orgvue.plan_job("running", "completed", errors="500601", times=None)
    config = {**orgvue.config, **VERSIONS, "export_mode": mode, "max_retries": 0}
    with pytest.raises(OrgvueError, match="500601"):
        sync(config)


def test_a_next_link_repeats_the_query(serve: Serve) -> None:
    """Method and body of the first page hold for the next: the same columns, the same rows."""
    orgvue = in_pages(serve)
    orgvue.strict_pages = True
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    config = {**orgvue.config, "filters": {"people": {"onLeave": {"$in": [True, False]}}}}
    run = sync(config, catalog)
    assert len(run.records["people"]) == 6
    assert all("salary" not in row for row in run.records["people"])


@pytest.mark.parametrize("answer", [{}, {"errors": []}, {"properties": {}}])
def test_metadata_that_is_none_makes_no_column_null(orgvue: Orgvue, answer: dict[str, Any]) -> None:
    """A response that lacks its properties is an error, not a dataset without columns."""
    config = {**orgvue.config, "include_calculations": False}
    catalog = discover(config)
    orgvue.answer(on="metadata", json=answer, times=None)
    with pytest.raises(OrgvueError):
        sync(config, catalog)


@pytest.mark.slow
def test_a_row_that_comes_twice_withholds_deletions_in_the_report(
    serve: Serve, tmp_path: Path
) -> None:
    """The run report says why no row is removed."""
    dataset = people(5)
    dataset.add(dataset.rows[0])
    config = {**serve(dataset).config, **VERSIONS, "run_report": str(tmp_path)}
    command(config)
    (file,) = tmp_path.glob("*.json")
    (told,) = json.loads(file.read_text())["streams"]
    assert told["deletions"] == "withheld"
    assert "1 rows have the `_id`" in told["deletions_withheld"]
