"""The tap before and behind its streams: what settings, catalog and state name, and what exists."""

from __future__ import annotations

import functools
import json
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.singerlib import Catalog

from tap_orgvue.orgvue.errors import Misconfigured, Stopped
from tap_orgvue.reporting.recorder import RunRecorder
from tap_orgvue.settings import SettingsError
from tap_orgvue.simulator import Draft
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import Watched, people
from tests.support.drafts import ACTIONS, CHANGES, DRAFTS, staff, tenant, with_drafts
from tests.support.runs import discover, entry, only, streams, sync
from tests.support.small_tap import standard_output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

MISSPELT = {"exclude_properties": ["slary"]}
KEY = "a key of more than sixteen characters"


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings since this was last called, in order."""
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    caplog.clear()
    return told


def facts(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """The metadata of a stream."""
    (root,) = (m["metadata"] for m in entry(catalog, stream)["metadata"] if not m["breadcrumb"])
    return dict(root)


# --- properties that settings protect


@pytest.mark.parametrize("setting", ["exclude_properties", "hash_properties"])
def test_a_misspelt_protection_ends_a_run(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, setting: str
) -> None:
    """Before any row, since it would send the values; a discovery warns of it, once."""
    config = {**orgvue.config, setting: ["slary"], "hash_key": KEY}
    told = (
        f"{setting}: 'slary' matches no property, so that values it should protect would be sent. "
        "Correct it, or set `unmatched_patterns` to warn."
    )
    catalog = discover(config)
    assert warned(caplog) == [told]
    with pytest.raises(SettingsError) as refused:
        sync(config, catalog)
    assert refused.value.mistakes == [told]
    assert warned(caplog) == []


ELSEWHERE: dict[str, dict[str, Any]] = {
    "a wildcard": {"exclude_properties": ["sl?ry"]},
    "a type": {"property_types": {"slary": "text"}},
    "a run over some datasets": {**MISSPELT, "datasets": ["People"]},
    "a user who says so": {**MISSPELT, "unmatched_patterns": "warn"},
}


@pytest.mark.parametrize("settings", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_pattern_that_may_match_elsewhere_ends_no_run(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture, settings: dict[str, Any]
) -> None:
    """It is one warning, in a discovery and in a run."""
    config = {**orgvue.config, **settings}
    catalog = discover(config)
    [told] = warned(caplog)
    assert told.endswith("ry' matches no property of any stream.")
    assert len(sync(config, catalog).records["people"]) == 5
    assert warned(caplog) == [told]


def test_a_catalog_of_an_older_version_may_lack_a_property(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Such a catalog leaves excluded properties out: a pattern for one is a warning."""
    catalog = discover(orgvue.config)
    del catalog["orgvue"]
    assert sync({**orgvue.config, **MISSPELT}, catalog).records["people"]
    assert [line for line in warned(caplog) if "'slary' matches no property of any" in line]


def test_names_are_not_checked_against_some_of_the_streams(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a check had no time for a dataset, a setting may name that one or a property of it."""
    settings = {**MISSPELT, "filters": {"staff": {"id": "1"}}}
    tap = TapOrgvue(config={**orgvue.config, **settings}, setup_mapper=False)
    tap.source.headers.not_reached += tap.source.discovery.datasets
    assert tap.streams.keys() >= {"people"}
    tap.check_patterns()
    assert not tap.all_streams_known
    assert warned(caplog) == []
    tap.close()


# --- streams and datasets that settings name


def test_a_dataset_that_a_setting_names_twice(orgvue: Orgvue) -> None:
    """By its stream and by its id, a mistake; so is a setting that drafts do not have."""
    dataset_id = orgvue.dataset("People").dataset_id
    settings = {
        "property_names": {"people": {"salary": "pay"}, dataset_id: {"salary": "wage"}},
        "filters": {DRAFTS: {"id": "1"}},
    }
    with pytest.raises(SettingsError) as refused:
        discover({**orgvue.config, **settings})
    assert refused.value.mistakes == [
        "property_names: names the stream 'people' twice, by its name and by its dataset's id.",
        (
            f"filters: is not possible for '{DRAFTS}': drafts are read completely; narrow "
            "`drafts` instead."
        ),
    ]


def test_names_without_effect_are_warnings(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream, a dataset and a property that do not exist; a pin that counts is none."""
    nobody = "11111111-2222-4333-8444-555555555555"
    settings = {
        "filters": {"peeple": {"id": "1"}},
        "stream_names": {nobody: "nobody"},
        "property_names": {"people": {"slary": "wage", "salary": "pay"}},
    }
    discover({**orgvue.config, **settings})
    assert warned(caplog) == [
        "filters: there is no stream and no dataset 'peeple'; what is set for it has no effect.",
        (
            f"stream_names: there is no stream and no dataset '{nobody}'; what is set for it has "
            "no effect."
        ),
        "property_names: stream 'people' has no property 'slary'; its pin has no effect.",
    ]


def test_other_streams_may_exist(serve: Serve) -> None:
    """Where `datasets` narrows a run, or discovery skipped a dataset, then or in this run."""
    orgvue = serve(people(3), people(2, "Staff"))
    config = {**orgvue.config, "max_retries": 0}

    def all_known(catalog: dict[str, Any] | None = None, **settings: Any) -> bool:
        tap = TapOrgvue(config={**config, **settings}, catalog=catalog)
        tap.close()
        return tap.all_streams_known

    assert all_known()
    assert all_known(discover(config))
    assert not all_known(datasets=["People"])
    for route in ("headers", "export", "metadata"):
        orgvue.refuse("500601", on=route, dataset="Staff", times=None)
    catalog = discover(config)
    assert not all_known()
    assert not all_known(catalog)


# --- the catalog


def test_a_catalog_knows_the_datasets(orgvue: Orgvue) -> None:
    """Each stream of a dataset has its id and facts about it; those of the tap itself have none."""
    dataset_id = orgvue.dataset("People").dataset_id
    catalog = discover(orgvue.config)
    assert entry(catalog, "people")["table_name"] == dataset_id
    found = facts(catalog, "people")
    assert [found[f"orgvue-{word}"] for word in ("dataset", "type", "auto-id")] == [
        *("People", "PEOPLE", "id"),
    ]
    assert catalog["orgvue"] == {"skipped": [], "names": {dataset_id: "People"}}
    for own in ("orgvue_datasets", "orgvue_properties"):
        assert "orgvue-dataset" not in facts(catalog, own)
        assert entry(catalog, own).get("table_name") is None


def test_a_catalog_of_a_catalog_requests_nothing(orgvue: Orgvue) -> None:
    """It has the streams of the one that is given, whose datasets are not looked at again."""
    catalog = discover(orgvue.config)
    since = len(orgvue.requests)
    tap = TapOrgvue(config=dict(orgvue.config), catalog=catalog)
    again = tap.catalog_dict
    tap.close()
    assert streams(again) == ["people"]
    assert len(orgvue.requests) == since


# --- a run


def test_a_run_without_streams_is_refused(orgvue: Orgvue) -> None:
    """A catalog that selects nothing is a mistake; nothing is requested."""
    catalog = only(discover(orgvue.config))
    since = len(orgvue.requests)
    with pytest.raises(
        Misconfigured, match=r"Nothing is selected: the catalog selects no stream of the tap"
    ):
        sync(orgvue.config, catalog)
    assert len(orgvue.requests) == since


def test_a_state_of_two_tenants_is_warned_of(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a run, as the streams of the other tenant are ignored; a discovery is silent."""
    state = sync(orgvue.config).state
    state["bookmarks"]["staff"] = {"orgvue": {"tenant": "orgvue.test/OTHER"}}
    catalog = discover(orgvue.config, state)
    assert warned(caplog) == []
    run = sync(orgvue.config, catalog, state)
    [told] = warned(caplog)
    assert told.startswith("The state holds streams of another tenant (orgvue.test/OTHER)")
    assert "staff" not in run.state["bookmarks"]


def test_a_journal_knows_how_many_streams_there_are(serve: Serve) -> None:
    """Those of the run, in their order, from its first request on."""
    datasets = [Watched.people(3, name) for name in ("Alpha", "Beta", "Gamma")]
    config = {**serve(*datasets).config, "max_parallel_requests": 1}
    catalog = only(discover(config), "alpha", "beta", "orgvue_datasets")
    tap = TapOrgvue(config=config, catalog=catalog)
    seen: list[list[str]] = []
    datasets[0].happen = lambda: seen.append([each.name for each in tap.source.journal.streams])
    with standard_output():
        tap.run()
    tap.close()
    assert seen
    assert {tuple(names) for names in seen} == {("alpha", "beta", "orgvue_datasets")}


@pytest.mark.parametrize("missing_streams", ["fail", "warn"])
def test_a_stream_whose_dataset_is_gone(
    serve: Serve, caplog: pytest.LogCaptureFixture, missing_streams: str
) -> None:
    """It is a failure of the run, or a warning and none, as `missing_streams` says."""
    orgvue = serve(people(3), people(2, "Staff"))
    state = sync(orgvue.config).state
    orgvue.tenant.remove("Staff")
    tap = TapOrgvue(config={**orgvue.config, "missing_streams": missing_streams}, state=state)
    absent = [(name, str(error)) for name, error in tap.not_sent()]
    tap.close()
    told = absent if missing_streams == "fail" else [("staff", text) for text in warned(caplog)]
    assert len(told) == 1
    assert told[0][0] == "staff"
    assert told[0][1].startswith("Stream 'staff' of earlier runs has no dataset any more")
    assert warned(caplog) == []
    assert len(absent) == (missing_streams == "fail")


@pytest.mark.parametrize(
    "form",
    [
        lambda state: state,
        lambda state: {"type": "STATE", "value": state},
        lambda state: {"singer_state": state},
    ],
    ids=["a state", "a message", "Meltano's export"],
)
def test_a_state_in_every_form(
    orgvue: Orgvue, form: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    """The state of an earlier run is the same in the message, and as Meltano exports it."""
    state = {"bookmarks": {"people": {"replication_key_value": "2026-01-01T00:00:00Z"}}}
    tap = TapOrgvue(config=dict(orgvue.config), state=form(state), setup_mapper=False)
    tap.close()
    assert tap.state == state


@pytest.mark.filterwarnings("ignore:Passing a catalog file path")
@pytest.mark.parametrize("by_path", [True, False])
def test_a_tap_in_a_notebook(orgvue: Orgvue, tmp_path: Path, by_path: bool) -> None:  # noqa: FBT001
    """It takes a path or the SDK's object for a catalog, and has its streams at once."""
    catalog = only(discover(orgvue.config), "people")
    since = len(orgvue.requests)
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps(catalog))
    given = path if by_path else Catalog.from_dict(catalog)
    tap = TapOrgvue(config=dict(orgvue.config), catalog=given)
    tap.close()
    assert [stream.name for stream in tap.selected_streams()] == ["people"]
    assert tap.mapper.stream_maps.keys() == {"people"}
    assert len(orgvue.requests) == since


def test_expressions_of_stream_maps_log_no_values(orgvue: Orgvue) -> None:
    """The SDK logs their results at DEBUG: values of cells."""
    logger = logging.getLogger("singer_sdk.mapper")
    logger.setLevel(logging.DEBUG)
    TapOrgvue(config=dict(orgvue.config), setup_mapper=False).close()
    assert not logger.isEnabledFor(logging.DEBUG)


def test_a_recorded_run_is_reported_by_its_settings(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As they were read: folder and number of reports, and the tenant."""
    monkeypatch.setattr(TapOrgvue, "recorder", recorder := RunRecorder())
    config = {**orgvue.config, "run_report": str(tmp_path), "run_report_keep": 7}
    TapOrgvue(config=config, setup_mapper=False).close()
    found = recorder.settings
    assert (found.folder, found.keep) == (str(tmp_path), 7)
    assert found.tenant_id == orgvue.config["tenant_id"]


def _meet(others: threading.Barrier) -> None:
    others.wait(timeout=5)


def test_exports_are_requested_before_their_turn(serve: Serve) -> None:
    """Those of selected streams, in any number that `max_parallel_requests` allows."""
    datasets = [Watched.people(3, name) for name in ("Alpha", "Beta")]
    config = serve(*datasets).config
    catalog = discover(config)
    both = threading.Barrier(2)
    for dataset in datasets:
        dataset.happen = functools.partial(_meet, both)
    assert {name: len(found) for name, found in sync(config, catalog).records.items()} == {
        "alpha": 3,
        "beta": 3,
    }


def test_a_closed_tap_requests_nothing(orgvue: Orgvue) -> None:
    """What is left of its streams is stopped, rather than waited for."""
    tap = TapOrgvue(config=dict(orgvue.config), setup_mapper=False)
    tap.close()
    with pytest.raises(Stopped):
        _ = tap.streams
    assert orgvue.requests == []


# --- drafts


def test_drafts_without_their_setting(caplog: pytest.LogCaptureFixture) -> None:
    """A catalog that selects them is warned of: nothing of them is requested or sent."""
    base = staff()
    with tenant([base], Draft("Plan", CHANGES, base=base)) as orgvue:
        catalog = only(discover(with_drafts(orgvue)), DRAFTS, "staff")
        assert warned(caplog) == []
        since = len(orgvue.requests)
        run = sync(orgvue.config, catalog)
        assert {each.route for each in orgvue.requests[since:]} == {"export"}
    [told] = warned(caplog)
    assert told.startswith(f"Stream '{DRAFTS}' is selected, but `drafts` is not set")
    assert set(run.records) == {"staff"}


def test_drafts_that_a_catalog_lacks(caplog: pytest.LogCaptureFixture) -> None:
    """A catalog of before they were set has no stream for them: it has to be made again."""
    base = staff()
    with tenant([base], Draft("Plan", CHANGES, base=base)) as orgvue:
        run = sync(with_drafts(orgvue), discover(orgvue.config))
    [told] = warned(caplog)
    assert told.startswith("drafts: the catalog has no streams of drafts")
    assert set(run.records) == {"staff"}


@pytest.mark.parametrize("selected", [(), (DRAFTS,), (ACTIONS,), (DRAFTS, ACTIONS)], ids=str)
def test_drafts_are_requested_for_selected_streams(selected: tuple[str, ...]) -> None:
    """The list of drafts for either stream of them, their changes for one only."""
    base = staff()
    with tenant([base], Draft("Plan", CHANGES, base=base)) as orgvue:
        config = with_drafts(orgvue)
        catalog = only(discover(config), "staff", *selected)
        since = len(orgvue.requests)
        run = sync(config, catalog)
        routes = {each.route for each in orgvue.requests[since:]}
    assert ("drafts" in routes) is bool(selected)
    assert ("draft_actions" in routes) is (ACTIONS in selected)
    assert set(run.records) == {"staff", *selected}


def test_drafts_are_requested_before_their_turn() -> None:
    """While a dataset is fetched whose stream comes first."""
    plain = staff()
    base = Watched("Employees", properties=plain.properties, rows=plain.rows)
    with tenant([base], Draft("Plan", CHANGES, base=base)) as orgvue:
        config = with_drafts(orgvue)
        catalog = discover(config)
        since = len(orgvue.requests)

        def requested() -> bool:
            return "draft_actions" in {each.route for each in orgvue.requests[since:]}

        seen: list[bool] = []

        def wait() -> None:
            deadline = time.monotonic() + 5
            while not requested() and time.monotonic() < deadline:
                time.sleep(0.01)
            seen.append(requested())

        base.happen = wait
        sync(config, catalog)
    assert seen
    assert all(seen)


@pytest.mark.parametrize("drafts", [True, False])
def test_a_pattern_for_drafts_only(drafts: bool, caplog: pytest.LogCaptureFixture) -> None:  # noqa: FBT001
    """It matches if drafts are sent; without them it protects nothing."""
    base = staff()
    pattern = f"{ACTIONS}.Base Pay"
    with tenant([base], Draft("Plan", base=base)) as orgvue:
        config = with_drafts(orgvue) if drafts else dict(orgvue.config)
        discover({**config, "exclude_properties": [pattern]})
    told = [line for line in warned(caplog) if f"{pattern!r} matches no property" in line]
    assert len(told) == (not drafts)
