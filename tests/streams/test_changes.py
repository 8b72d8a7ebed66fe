"""The change report: what changed in a dataset since the stream's last run."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.simulator import Dataset, Property
from tap_orgvue.streams.state import StreamState
from tests.support.datasets import people
from tests.support.runs import Run, command, discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

LINKS = "0B530000-0000-4000-8000-000000000001"


class Runs:
    """Runs of one tenant, each with the state of the one before.

    Attributes:
        told: The change reports of the last run.
    """

    def __init__(self, orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> None:
        """Run nothing yet."""
        self._orgvue = orgvue
        self._log = caplog
        self.catalog: dict[str, Any] | None = None
        self.state: dict[str, Any] | None = None
        self.told: list[str] = []

    def run(self, *, fresh: bool = False, **settings: Any) -> Run:
        """Run with the catalog of the first run, or with one as Orgvue is now."""
        config = {**self._orgvue.config, **settings}
        if self.catalog is None or fresh:
            self.catalog = discover(config, self.state)
        self._log.clear()
        run = sync(config, json.loads(json.dumps(self.catalog)), self.state)
        self.state = run.state
        self.told = [
            record.getMessage()
            for record in self._log.records
            if record.levelno == logging.WARNING and "changed since" in record.getMessage()
        ]
        return run

    def report(self, *words: str) -> None:
        """Check that the last run reported these words, in one line, and the next one nothing."""
        (line,) = self.told
        for word in words:
            assert word in line
        self.run()
        assert self.told == []


@pytest.fixture
def orgvue(serve: Serve) -> Orgvue:
    """A tenant with 120 people."""
    return serve(people(120))


@pytest.fixture
def runs(orgvue: Orgvue, caplog: pytest.LogCaptureFixture) -> Runs:
    """Runs, the first of which is done, and reported nothing."""
    runs = Runs(orgvue, caplog)
    runs.run()
    assert runs.told == []
    return runs


def test_nothing_changed(runs: Runs) -> None:
    """The same dataset is no change, however often it is read."""
    for fresh in (False, True, False):
        runs.run(fresh=fresh)
        assert runs.told == []


FRESH = pytest.mark.parametrize("fresh", [False, True], ids=["old catalog", "fresh catalog"])


@FRESH
def test_a_renamed_dataset(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """Its old and its new name, and the setting that names streams."""
    orgvue.dataset("People").rename("Staff")
    runs.run(fresh=fresh)
    runs.report("'people'", "'Staff' now", "'People' before", "`stream_names`")


@FRESH
def test_a_new_property(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """Its key, and what `new_properties` is."""
    orgvue.dataset("People").add_property(Property("grade", "number"))
    runs.run(fresh=fresh, new_properties="ignore")
    runs.report("New properties: 'grade'", "`new_properties` is ignore")


@FRESH
def test_a_property_that_is_gone(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """Its key, also if no catalog has it any more; its column is not said to be empty besides."""
    orgvue.dataset("People").remove_property("onLeave")
    since = len(orgvue.requests)
    runs.run(fresh=fresh)
    assert "without any value" not in runs.told[0]
    # A run that requests all columns need not look for one.
    assert orgvue.counts(since).get("headers", 0) == fresh
    runs.report("Properties gone: 'onLeave'", "`property_names`")


@FRESH
def test_a_renamed_property(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """Its key, and both display names."""
    orgvue.dataset("People").change_property("id", name="Number")
    runs.run(fresh=fresh)
    runs.report("'id' is called 'Number' now, 'Id' before", "`property_names`")


@FRESH
def test_a_retyped_property(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """Its key, and both types."""
    orgvue.dataset("People").change_property("salary", type="text")
    runs.run(fresh=fresh)
    runs.report("'salary' is text now, number before", "`property_types`")


@FRESH
def test_an_emptied_column(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """A column that had values, and has none in any row; with the setting for links."""
    for number in range(120):
        orgvue.dataset("People").update(number, salary=None, onLeave=None)
    runs.run(fresh=fresh)
    runs.report("without any value now: 'salary', 'on_leave'", "`linking_relationships`")


def test_all_at_once(orgvue: Orgvue, runs: Runs) -> None:
    """Everything that changed is in one line."""
    dataset = orgvue.dataset("People")
    dataset.rename("Staff")
    dataset.change_property("id", name="Number")
    dataset.remove_property("onLeave")
    dataset.add_property(Property("grade"))
    for _ in range(60):
        dataset.remove(0)
    runs.run()
    runs.report("'Staff'", "'Number'", "'onLeave'", "'grade'", "60 rows now, 120 before")


# --- rows


def test_fewer_rows(orgvue: Orgvue, runs: Runs) -> None:
    """Both numbers, and the setting."""
    for _ in range(40):
        orgvue.dataset("People").remove(0)
    runs.run(row_change_warn_percent=33)
    runs.report("80 rows now, 120 before", "`row_change_warn_percent` is 33")


def test_a_failed_stream_reports_what_changed(
    orgvue: Orgvue, runs: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    """The change may be the cause."""
    orgvue.dataset("People").change_property("id", name="Number")
    # Slices, of which a later one is refused.
    orgvue.sync_limit_bytes = 5_000
    orgvue.refuse(400, on="export", skip=4, times=None)
    with pytest.raises(Exception, match="HTTP 400"):
        runs.run(export_mode="paged")
    (line,) = [each for each in caplog.messages if "changed since" in each]
    assert "'id' is called 'Number' now" in line


@pytest.mark.parametrize("how", ["filters", "stream_maps", "incremental", "failed"])
def test_what_is_not_complete_is_not_compared(orgvue: Orgvue, runs: Runs, how: str) -> None:
    """Filtered, incremental and failed runs say nothing of rows and values."""
    filters: dict[str, dict[str, Any]] = {
        "filters": {"filters": {"people": {"salary": {"$gt": 1110}}}},
        "stream_maps": {"stream_maps": {"people": {"__filter__": "salary == None"}}},
    }
    settings = filters.get(how, {})
    if how == "incremental":
        assert runs.catalog is not None
        key = "_modified_at"
        select(runs.catalog, "people", replication_method="INCREMENTAL", replication_key=key)
        for times in range(2):
            runs.run()
            orgvue.dataset("People").update(times, salary=None)
    elif how != "failed":
        runs.run(**settings)
    for number in range(len(orgvue.dataset("People").rows)):
        orgvue.dataset("People").update(number, onLeave=None)
    for _ in range(60):
        orgvue.dataset("People").remove(0)
    if how == "failed":
        orgvue.refuse(400, on="export", times=None)
        with pytest.raises(Exception, match="HTTP 400"):
            runs.run()
    else:
        runs.run(**settings)
    assert runs.told == []


def test_the_last_complete_export_counts(orgvue: Orgvue, runs: Runs) -> None:
    """A filtered run between two complete ones is no change of rows, nor of values."""
    runs.run(filters={"people": {"salary": {"$lt": 1010}}})
    runs.run()
    assert runs.told == []
    for number in range(120):
        orgvue.dataset("People").update(number, onLeave=None)
    runs.run(filters={"people": {"salary": {"$lt": 1010}}})
    assert runs.told == []
    runs.run()
    runs.report("'on_leave'")


def test_an_empty_export_empties_no_column(orgvue: Orgvue, runs: Runs) -> None:
    """Without rows there is only their number to tell; the columns are remembered."""
    kept = list(orgvue.dataset("People").rows)
    for _ in range(120):
        orgvue.dataset("People").remove(0)
    runs.run()
    assert "without any value" not in runs.told[0]
    runs.report("0 rows now, 120 before")
    for row in kept:
        orgvue.dataset("People").add({**row, "salary": None})
    runs.run()
    runs.report("without any value now: 'salary'")


# --- values


def test_a_column_that_was_always_empty(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """It is no change, until it had values."""
    dataset = people(3)
    dataset.add_property(Property("bonus", "number"))
    orgvue = serve(dataset)
    runs = Runs(orgvue, caplog)
    for _ in range(2):
        runs.run()
        assert runs.told == []
    dataset.update(2, bonus=0)
    runs.run()
    assert runs.told == []
    dataset.update(2, bonus=None)
    runs.run()
    runs.report("'bonus'")


@pytest.mark.parametrize("settings", [{"stream_maps": {"people": {"twice": "2"}}}, {}], ids=str)
def test_values_in_every_form(
    serve: Serve, caplog: pytest.LogCaptureFixture, settings: dict[str, Any]
) -> None:
    """False, zero and rescued values are values, through stream maps too."""
    rows = [{"a": False, "b": 0, "c": "no number", "d": "2022-01-01"}]
    declared = {"a": "boolean", "b": "number", "c": "number", "d": "date"}
    properties = [Property(key, kind) for key, kind in declared.items()]
    orgvue = serve(Dataset("People", properties=properties, rows=rows))
    runs = Runs(orgvue, caplog)
    runs.run(**settings)
    orgvue.dataset("People").update(0, a=None, b=0, c="still none", d=None)
    runs.run(**settings)
    (line,) = runs.told
    assert "without any value now: 'a', 'd';" in line


def test_a_column_through_links(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Without the LINKS dataset that it needs, such a column is null: the setting is named."""
    plain = people(3)
    properties = [*plain.properties, Property("unit", needs_link=LINKS)]
    rows = [{**row, "unit": "A"} for row in plain.rows]
    orgvue = serve(
        Dataset("People", properties=properties, rows=rows),
        Dataset("Links", type="LINKS", dataset_id=LINKS),
    )
    orgvue.job_polls = ("completed",)
    runs = Runs(orgvue, caplog)
    runs.run(linking_relationships={"people": [LINKS]})
    runs.run()
    runs.report("without any value now: 'unit'", "`linking_relationships`")


# --- what cannot be seen


def test_a_deselected_column_is_no_change(orgvue: Orgvue, runs: Runs) -> None:
    """Neither when it is deselected, nor when it is selected again; nothing is looked up."""
    assert runs.catalog is not None
    before = len(orgvue.requests)
    select(runs.catalog, "people", "salary", selected=False)
    runs.run()
    assert runs.told == []
    select(runs.catalog, "people", "salary", selected=True)
    runs.run()
    assert runs.told == []
    counts = orgvue.counts(before)
    assert (counts["metadata"], counts["headers"]) == (0, 0)


@FRESH
def test_a_deselected_property_that_is_gone(orgvue: Orgvue, runs: Runs, *, fresh: bool) -> None:
    """A property that nobody requests is looked for in Orgvue before it counts as gone."""
    assert runs.catalog is not None
    select(runs.catalog, "people", "salary", selected=False)
    orgvue.dataset("People").remove_property("onLeave")
    if fresh:
        runs.catalog = discover(orgvue.config, runs.state)
        select(runs.catalog, "people", "salary", selected=False)
    runs.run()
    runs.report("Properties gone: 'onLeave'")


def test_a_projection_that_is_refused(orgvue: Orgvue, runs: Runs) -> None:
    """Where Orgvue refuses to project what is gone, that is told as well."""
    assert runs.catalog is not None
    select(runs.catalog, "people", "salary", selected=False)
    orgvue.dataset("People").remove_property("onLeave")
    orgvue.refuse(400, on="export", times=1)
    runs.run()
    runs.report("Properties gone: 'onLeave'")


def test_a_catalog_that_somebody_cut_is_no_change(orgvue: Orgvue, runs: Runs) -> None:
    """A property that only the catalog lacks is not gone."""
    assert runs.catalog is not None
    select(runs.catalog, "people", "salary", selected=False)
    (people_entry,) = [e for e in runs.catalog["streams"] if e["tap_stream_id"] == "people"]
    del people_entry["schema"]["properties"]["on_leave"]
    since = len(orgvue.requests)
    runs.run()
    assert runs.told == []
    assert "headers" in [request.kind for request in orgvue.requests[since:]]


@pytest.mark.slow
def test_properties_that_cannot_be_looked_up_are_no_change(orgvue: Orgvue, runs: Runs) -> None:
    """The rows were read all the same."""
    assert runs.catalog is not None
    select(runs.catalog, "people", "salary", selected=False)
    (people_entry,) = [e for e in runs.catalog["streams"] if e["tap_stream_id"] == "people"]
    del people_entry["schema"]["properties"]["on_leave"]
    for route, skip in (("headers", 0), ("metadata", 0), ("export", 1)):
        orgvue.refuse(500, on=route, skip=skip, times=None)
    assert len(runs.run(max_retries=0).records["people"]) == 120
    assert runs.told == []
    orgvue.calm()
    orgvue.dataset("People").remove_property("onLeave")
    runs.run()
    runs.report("Properties gone: 'onLeave'")


def test_an_excluded_property(orgvue: Orgvue, runs: Runs) -> None:
    """A property that is excluded from now on is not gone; new ones are still told."""
    runs.run(exclude_properties=["salary"])
    assert runs.told == []
    orgvue.dataset("People").add_property(Property("grade", "number"))
    runs.run(exclude_properties=["salary"])
    assert "New properties: 'grade'" in runs.told[0]
    runs.run(exclude_properties=["salary"])
    assert runs.told == []


@pytest.mark.slow
def test_stored_values_only(runs: Runs) -> None:
    """What `include_calculations` leaves out is not gone, and not new afterwards."""
    for calculations in (False, False, True, True):
        runs.run(include_calculations=calculations)
        assert runs.told == []


def test_a_failed_list_tells_no_name(orgvue: Orgvue, runs: Runs) -> None:
    """The list of datasets is read for names only: the run does not fail without it."""
    orgvue.dataset("People").rename("Staff")
    orgvue.refuse(500, on="list", times=None)
    runs.run(max_retries=0)
    assert runs.told == []
    orgvue.calm()
    runs.run()
    runs.report("'Staff' now, 'People' before")


# --- states


def test_a_state_of_an_earlier_version(orgvue: Orgvue, runs: Runs) -> None:
    """It knows no properties: nothing is told, all is remembered from then on."""
    assert runs.state is not None
    own = runs.state["bookmarks"]["people"]["orgvue"]
    for member in ("properties", "details", "owned", "dataset_name", "row_count"):
        del own[member]
    dataset = orgvue.dataset("People")
    dataset.rename("Staff")
    dataset.change_property("salary", type="text", name="Pay")
    dataset.add_property(Property("grade"))
    for _ in range(60):
        dataset.remove(0)
    runs.run()
    assert runs.told == []
    dataset.remove_property("grade")
    runs.run()
    runs.report("Properties gone: 'grade'")


@pytest.mark.parametrize(
    "damage",
    [{"properties": 5}, {"details": "x"}, {"properties": ":?", "details": ""}, {"row_count": "9"}],
    ids=str,
)
def test_a_damaged_state_reports_nothing_false(
    orgvue: Orgvue, runs: Runs, damage: dict[str, Any]
) -> None:
    """Members of another form count as missing."""
    assert runs.state is not None
    runs.state["bookmarks"]["people"]["orgvue"].update(damage)
    for _ in range(60):
        orgvue.dataset("People").remove(0)
    runs.run()
    assert not [line for line in runs.told if "propert" in line]


def test_every_member_of_a_state_replaces_an_old_one(runs: Runs) -> None:
    """`meltano run --full-refresh` merges objects: there is none, and no member is left out."""
    assert runs.state is not None
    first = runs.state["bookmarks"]["people"]["orgvue"]
    assert not [name for name, value in first.items() if isinstance(value, dict)]
    runs.state = None
    again = runs.run().state
    assert again["bookmarks"]["people"]["orgvue"].keys() == first.keys()


def test_another_dataset_begins_anew(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A stream that another dataset takes over is not compared with the old one."""
    orgvue = serve(people(120), people(500, "Staff"))
    orgvue.dataset("Staff").add_property(Property("grade"))
    runs = Runs(orgvue, caplog)
    runs.run()
    pins = {orgvue.dataset("Staff").dataset_id: "people"}
    runs.run(fresh=True, stream_names=pins, missing_streams="warn")
    assert runs.told == []


@pytest.mark.slow
def test_a_property_that_is_gone_is_reported_with_its_name(
    orgvue: Orgvue, runs: Runs, tmp_path: Path
) -> None:
    """The state knows its display name where the catalog is as Orgvue is now."""
    orgvue.dataset("People").change_property("onLeave", name="Away")
    runs.run(fresh=True)
    orgvue.dataset("People").remove_property("onLeave")
    config = {**orgvue.config, "run_report": str(tmp_path)}
    command(config, catalog=discover(config, runs.state), state=runs.state)
    (file,) = tmp_path.glob("*.json")
    (told,) = (s for s in json.loads(file.read_text())["streams"] if s["stream"] == "people")
    (change,) = told["changes"]
    assert (change["name"], change["before"]) == ("onLeave", "Away")


def test_a_stream_that_fails_at_its_end_reports_changes_once(
    orgvue: Orgvue,
    runs: Runs,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They were told already."""
    orgvue.dataset("People").change_property("id", name="Number")

    def fail(_state: StreamState) -> None:
        raise OrgvueError("No room.")

    monkeypatch.setattr(StreamState, "to_json", fail)
    with pytest.raises(OrgvueError, match="No room"):
        runs.run()
    assert len([each for each in caplog.messages if "changed since" in each]) == 1
