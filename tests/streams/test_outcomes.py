"""The outcome of a stream's run, as the run report and the log have it."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.reporting.run_report import Change, Replication, Status, StreamReport
from tap_orgvue.simulator import Dataset, Property
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.runs import discover, only, select

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

VERSIONS = {"emit_activate_version_messages": True}


class Runs:
    """Runs with one catalog, each with the state of the one before.

    Attributes:
        catalog: The catalog; discovered with the first run's settings.
        state: The state of the last run.
    """

    def __init__(self, orgvue: Orgvue, **settings: Any) -> None:
        """Discover, but run nothing yet."""
        self._config = {**orgvue.config, **settings}
        self.catalog = discover(self._config)
        self.state: dict[str, Any] | None = None

    def run(self, stream: str = "people", **settings: Any) -> StreamReport:
        """Run, and give the outcome of a stream; the run may fail."""
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(out):
            tap = TapOrgvue(
                config={**self._config, **settings},
                catalog=json.loads(json.dumps(self.catalog)),
                state=self.state,
            )
            failed = tap.run()
            reports = tap.source.outcomes.reports(tap.source.journal, tap.source.client)
            tap.close()
        if not failed:
            out.seek(0)
            lines = [json.loads(line) for line in out if '"STATE"' in line]
            self.state = lines[-1]["value"]
        return next(each for each in reports if each.stream == stream)


def incremental(orgvue: Orgvue, **settings: Any) -> Runs:
    """Runs in which People is incremental."""
    runs = Runs(orgvue, **settings)
    key = "_modified_at"
    select(runs.catalog, "people", replication_method="INCREMENTAL", replication_key=key)
    return runs


def test_a_full_table(orgvue: Orgvue) -> None:
    """Its dataset, rows, requests; the next report has the rows of the last export.

    `start_date` does not count.
    """
    runs = Runs(orgvue, start_date="2020-01-01")
    dataset_id = orgvue.dataset("People").dataset_id
    first = runs.run()
    assert (first.status, first.dataset_id) == (Status.SUCCEEDED, dataset_id.upper())
    assert (first.rows, first.rows_before, first.rescued) == (5, None, {})
    assert (first.delivery, first.requests) == ("synchronous", {"export": 1})
    assert first.replication == Replication(method="FULL_TABLE")
    assert (first.deletions, first.deletions_withheld, first.changes) == ("off", None, ())
    orgvue.dataset("People").remove(0)
    assert (runs.run().rows_before, runs.run().rows_before) == (5, 4)


def test_an_incremental_stream(orgvue: Orgvue) -> None:
    """From where to where it was read; rows are not compared with an export's."""
    runs = incremental(orgvue)
    last = str(orgvue.dataset("People").rows[-1]["_modifiedAt"])
    first = runs.run()
    asked = Replication(method="INCREMENTAL", key="_modified_at", start=None, end=last)
    assert first.replication == asked
    orgvue.dataset("People").update(0, salary=5)
    changed = str(orgvue.dataset("People").rows[0]["_modifiedAt"])
    second = runs.run()
    assert second.replication == Replication(
        method="INCREMENTAL", key="_modified_at", start=last, end=changed
    )
    assert (second.rows, second.rows_before, second.deletions) == (2, None, "off")


def test_an_incremental_stream_begins_at_the_start_date(serve: Serve) -> None:
    """Without rows it ends nowhere."""
    runs = incremental(serve(people(0)), start_date="2020-01-01")
    assert runs.run().replication == Replication(
        method="INCREMENTAL", key="_modified_at", start="2020-01-01T00:00:00.000Z", end=None
    )


def test_a_stream_that_failed(orgvue: Orgvue) -> None:
    """Its error, and no end of what was requested."""
    runs = incremental(orgvue, max_retries=0, export_mode="sync")
    orgvue.refuse("500601", on="export", times=None)
    found = runs.run()
    assert found.status is Status.FAILED
    assert found.error is not None
    assert "500601" in found.error.message
    assert (found.rows, found.replication, found.changes) == (0, None, ())


def test_a_stream_that_is_a_full_table_again(orgvue: Orgvue) -> None:
    """It has no replication key and no end, although the catalog and the state know both."""
    runs = incremental(orgvue)
    runs.run()
    select(runs.catalog, "people", replication_method="FULL_TABLE")
    found = runs.run()
    assert (found.rows, found.replication) == (5, Replication(method="FULL_TABLE"))


@pytest.mark.parametrize("rescue", [True, False])
def test_rescued_values(serve: Serve, caplog: pytest.LogCaptureFixture, *, rescue: bool) -> None:
    """By column, where they are kept; the log warns of them in any case."""
    rows: list[dict[str, Any]] = [{"n": "N/A"}, {"n": 5}, {"n": "none"}]
    orgvue = serve(Dataset("People", properties=[Property("n", "number")], rows=rows))
    found = Runs(orgvue, rescue_data=rescue).run()
    assert found.rescued == ({"n": 2} if rescue else {})
    warned = [line for line in caplog.messages if "do not fit their column" in line]
    assert [line[:16] for line in warned] == (["Stream 'people':"] if rescue else [])


def test_stored_values_are_delivered_by_other_requests(orgvue: Orgvue) -> None:
    """As the report tells."""
    found = Runs(orgvue, include_calculations=False).run()
    assert found.requests.keys() == {"items", "metadata"}
    assert found.rows == 5


def test_an_unchanged_dataset(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was sent, and a line says so."""
    caplog.set_level(logging.INFO)
    runs = Runs(orgvue, skip_unchanged=True)
    assert runs.run().status is Status.SUCCEEDED
    found = runs.run()
    assert (found.status, found.rows, found.requests) == (Status.UNCHANGED, 0, {"metadata": 1})
    assert (found.replication, found.changes, found.dataset_name) == (None, (), "People")
    assert caplog.messages.count("people: unchanged since its last export") == 1


# --- deletions


@pytest.mark.parametrize(
    "settings,deletions",
    [
        (VERSIONS, "sent"),
        ({}, "off"),
        ({**VERSIONS, "filters": {"people": {"salary": {"$gt": 0}}}}, "off"),
    ],
    ids=["versions", "no versions", "filtered"],
)
def test_removed_rows(orgvue: Orgvue, settings: dict[str, Any], deletions: str) -> None:
    """Whether rows that are gone are removed from the table."""
    found = Runs(orgvue, **settings).run()
    assert (found.deletions, found.deletions_withheld) == (deletions, None)


def test_withheld_deletions(orgvue: Orgvue) -> None:
    """With the reason, as long as the table was not mirrored again."""
    runs = Runs(orgvue, **VERSIONS)
    runs.run()
    for _ in range(3):
        orgvue.dataset("People").remove(0)
    reason = "the export has 2 rows, fewer than 50 % of the 5 of the last one"
    for _ in range(2):
        found = runs.run()
        assert (found.deletions, found.deletions_withheld) == ("withheld", reason)
        assert found.status is Status.SUCCEEDED


@pytest.mark.parametrize("settings,deletions", [(VERSIONS, "withheld"), ({}, "off")], ids=str)
def test_rows_that_come_twice(
    serve: Serve, settings: dict[str, Any], deletions: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Others may be missing: nothing is removed, and rows are not compared with this export."""
    dataset = people(5)
    runs = Runs(serve(dataset), skip_unchanged=True, **settings)
    runs.run()
    for _ in range(2):
        dataset.add(dataset.rows[0])
    for before in (5, 5):
        found = runs.run()
        reason = "2 rows have the `_id` of an earlier row"
        assert (found.deletions, found.deletions_withheld) == (
            (deletions, reason) if settings else ("off", None)
        )
        assert (found.rows, found.rows_before, found.status) == (7, before, Status.SUCCEEDED)
    errors = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 2
    assert all(line.startswith("Stream 'people': 2 rows have the `_id`") for line in errors)


# --- names and changes


@pytest.mark.parametrize("settings", [{}, {"skip_unchanged": True}], ids=str)
def test_a_renamed_dataset_is_reported_by_its_new_name(
    orgvue: Orgvue, settings: dict[str, Any]
) -> None:
    """The change once; the name from then on."""
    runs = Runs(orgvue, **settings)
    assert runs.run().dataset_name == "People"
    orgvue.dataset("People").rename("Staff")
    found = runs.run()
    assert found.dataset_name == "Staff"
    assert found.changes == (
        Change(kind="dataset_renamed", name="Staff", before="People", now="Staff"),
    )
    found = runs.run()
    assert (found.dataset_name, found.changes) == ("Staff", ())


def test_a_dataset_whose_name_cannot_be_read_has_that_of_the_catalog(orgvue: Orgvue) -> None:
    """And no change of it."""
    runs = Runs(orgvue, max_retries=0)
    runs.run()
    orgvue.dataset("People").rename("Staff")
    orgvue.refuse(500, on="list", times=None)
    found = runs.run()
    assert (found.dataset_name, found.changes) == ("People", ())
    assert runs.state is not None
    assert runs.state["bookmarks"]["people"]["orgvue"]["dataset_name"] == "People"


def test_every_change_is_reported(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """The name, the properties, the rows, the values; told in one line, also of a failed stream."""
    dataset = people(120)
    orgvue = serve(dataset)
    runs = Runs(orgvue, row_change_warn_percent=10)
    runs.run()
    dataset.rename("Staff")
    dataset.change_property("id", name="Number")
    dataset.add_property(Property("grade"))
    for number in range(120):
        dataset.update(number, salary=None)
    for _ in range(20):
        dataset.remove(0)
    found = runs.run()
    assert [(each.kind, each.name, each.before, each.now) for each in found.changes] == [
        ("dataset_renamed", "Staff", "People", "Staff"),
        ("property_added", "grade", None, "grade"),
        ("property_renamed", "id", "Id", "Number"),
        ("rows_changed", "people", "120", "100"),
        ("column_emptied", "salary", None, None),
    ]
    assert len([line for line in caplog.messages if "changed since the last run" in line]) == 1


# --- the streams about the datasets


def test_the_streams_about_datasets(serve: Serve) -> None:
    """They are full tables whose rows are counted, and mirrored if all datasets were described."""
    hidden = people(2, "Hidden")
    orgvue = serve(people(), hidden)
    runs = Runs(orgvue, **VERSIONS)
    only(runs.catalog, "orgvue_datasets", "orgvue_properties")
    first = runs.run("orgvue_datasets")
    assert first.replication == Replication(method="FULL_TABLE")
    assert (first.status, first.rows, first.rows_before) == (Status.SUCCEEDED, 2, None)
    assert (first.deletions, first.dataset_id) == ("sent", None)
    second = runs.run("orgvue_properties")
    assert (second.rows, second.rows_before, second.deletions) == (10, 10, "sent")
    assert runs.state is not None
    own = runs.state["bookmarks"]["orgvue_datasets"]["orgvue"]
    assert (own["tenant"], own["rows"], own["permissioned"]) == ("DEMO", 2, False)
    hidden.hidden_because = "403601"
    third = runs.run("orgvue_datasets")
    assert (third.rows, third.rows_before, third.deletions) == (1, 2, "off")
    hidden.hidden_because = None
    assert runs.run("orgvue_datasets").rows_before == 2
