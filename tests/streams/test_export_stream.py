"""The requests of a stream's export, and the records of its pages."""

from __future__ import annotations

import contextlib
import io
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError, Refusal
from tap_orgvue.simulator import Dataset, Property
from tap_orgvue.streams.prefetch import PrefetchedExport
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import Watched, people
from tests.support.runs import command, discover, entry, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

DIRECT = {"export_mode": "sync", "max_retries": 0}


# --- refusals


@pytest.mark.parametrize(
    "deselected,status,requests",
    [
        (("salary",), 400, ["export", "headers"]),
        (("salary",), 409, ["export"]),
        ((), 400, ["export"]),
    ],
    ids=["refused projection", "other refusal", "no projection"],
)
def test_only_a_refused_projection_may_name_what_is_gone(
    orgvue: Orgvue, deselected: tuple[str, ...], status: int, requests: list[str]
) -> None:
    """The columns are then looked up; the refusal is the stream's error if none is missing."""
    catalog = discover(orgvue.config)
    if deselected:
        select(catalog, "people", *deselected, selected=False)
    since = len(orgvue.requests)
    orgvue.refuse(status, on="export", times=1)
    with pytest.raises(Refusal, match=f"HTTP {status}"):
        sync({**orgvue.config, **DIRECT}, catalog)
    assert [request.kind for request in orgvue.requests[since:]] == requests


def test_a_projection_without_what_is_gone_is_requested_once_more(orgvue: Orgvue) -> None:
    """The column is null, and a second refusal is an error."""
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.dataset("People").remove_property("onLeave")
    since = len(orgvue.requests)
    orgvue.refuse(400, on="export", times=1)
    run = sync({**orgvue.config, **DIRECT}, catalog)
    assert [row["on_leave"] for row in run.records["people"]] == [None] * 5
    first, _, last = orgvue.requests[since:]
    projections = [
        request.body["query"]["output"]["projection"]
        for request in (first, last)
        if isinstance(request.body, dict)
    ]
    assert ["onLeave" in keys for keys in projections] == [True, False]


def test_a_dataset_that_is_gone_is_the_stream_s_error(orgvue: Orgvue) -> None:
    """With stream, dataset, what to do, and Orgvue's words; the export is not tried otherwise."""
    catalog = discover(orgvue.config)
    orgvue.dataset("People").hidden_because = "404601"
    with pytest.raises(OrgvueError) as failed:
        sync(orgvue.config, catalog)
    dataset_id = orgvue.dataset("People").dataset_id
    assert str(failed.value).startswith(
        f"Stream 'people': its dataset {dataset_id} is gone, or the token's user may not read it. "
        "Deselect the stream, or refresh the catalog. "
    )
    assert "404601" in str(failed.value)


@pytest.mark.parametrize("with_catalog", [True, False])
def test_new_properties_are_looked_for_where_a_projection_hides_them(
    orgvue: Orgvue, *, with_catalog: bool
) -> None:
    """In the headers; a run without a catalog has just read them."""
    config = {**orgvue.config, "exclude_properties": ["salary"]}
    catalog = discover(config) if with_catalog else None
    since = len(orgvue.requests)
    run = command(config, catalog=catalog)
    assert len(run.records["people"]) == 5
    kinds = [request.kind for request in orgvue.requests[since:]]
    assert kinds == (["headers", "export"] if with_catalog else ["list", "headers", "export"])


def test_an_export_that_is_made_again_frees_the_disk_of_the_first(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new column of an incremental stream needs the values of all rows."""
    key = "_modified_at"
    catalog = discover(orgvue.config)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key=key)
    state = sync(orgvue.config, catalog).state
    orgvue.dataset("People").add_property(Property("grade"), list("ABCDE"))
    closed: list[PrefetchedExport] = []
    close = PrefetchedExport.close

    def note(first: PrefetchedExport) -> None:
        closed.append(first)
        close(first)

    monkeypatch.setattr(PrefetchedExport, "close", note)
    run = sync(orgvue.config, catalog, state)
    assert [row["grade"] for row in run.records["people"]] == list("ABCDE")
    assert len(closed) == 1


# --- the catalog


def inclusions(catalog: dict[str, Any]) -> dict[str, str]:
    """Column name to its inclusion."""
    return {
        item["breadcrumb"][1]: item["metadata"]["inclusion"]
        for item in entry(catalog, "people")["metadata"]
        if item["breadcrumb"]
    }


@pytest.mark.parametrize("rescue", [True, False])
def test_columns_that_cannot_be_deselected(orgvue: Orgvue, *, rescue: bool) -> None:
    """The key, and rescued values if they are kept; excluded columns cannot be selected."""
    settings = {"rescue_data": rescue, "exclude_properties": ["salary"]}
    catalog = discover({**orgvue.config, **settings})
    found = inclusions(catalog)
    assert ("_rescued_data" in found) is rescue
    assert {name: kind for name, kind in found.items() if kind != "available"} == {
        "_id": "automatic",
        "salary": "unsupported",
        **({"_rescued_data": "automatic"} if rescue else {}),
    }
    tap = TapOrgvue(config={**orgvue.config, **settings}, catalog=catalog)
    assert inclusions(json.loads(tap.catalog_json_text)) == found


# --- pages


def test_records_are_written_before_the_next_page_is_awaited(serve: Serve) -> None:
    """The wait can take minutes: a loader has what was read by then."""
    dataset = Watched.people(200)
    orgvue = serve(dataset)
    catalog = discover(orgvue.config)
    orgvue.sync_limit_bytes = 8000
    written = io.BytesIO()
    seen: list[tuple[int, int]] = []

    def look() -> None:
        delivered = [r for r in orgvue.requests[since:] if r.kind == "export" and r.status == 200]
        seen.append((len(delivered), written.getvalue().count(b'"RECORD"')))

    since, dataset.happen = len(orgvue.requests), look
    with contextlib.redirect_stdout(io.TextIOWrapper(written, encoding="utf-8")):
        tap = TapOrgvue(config={**orgvue.config, "export_mode": "paged"}, catalog=catalog)
        assert not tap.run()
        tap.close()
        pages = [count for count, records in seen if count > 0]
        assert pages
        assert all(records > 0 for count, records in seen if count > 0)


def test_new_properties_of_a_page_do_not_matter_where_they_are_ignored(serve: Serve) -> None:
    """No record has them."""
    orgvue = serve(people(6))
    orgvue.page_rows = 2
    catalog = discover(orgvue.config)
    orgvue.reshape(on="page", add={"bonus": 1})
    config = {**orgvue.config, "new_properties": "ignore"}
    assert len(sync(config, catalog).records["people"]) == 6


def test_a_page_in_another_order_is_reported(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read exactly, so that a line at INFO is enough; pages that are alike are not told."""
    caplog.set_level(logging.INFO)
    orgvue = serve(people(6))
    orgvue.page_rows = 2
    orgvue.reshape(on="page", first=["salary"])
    for _ in range(2):
        sync(orgvue.config)
    (record,) = [r for r in caplog.records if "between its pages" in r.getMessage()]
    assert record.levelno == logging.INFO
    assert record.getMessage() == "'people': the export changed between its pages: reordered."


def test_an_error_in_a_page_names_stream_and_dataset(serve: Serve) -> None:
    """Wherever it comes from."""
    orgvue = serve(people(6))
    orgvue.page_rows = 2
    orgvue.reshape(on="page", drop=["salary"])
    dataset_id = orgvue.dataset("People").dataset_id
    with pytest.raises(OrgvueError, match=rf"^Stream 'people' \(dataset {dataset_id}\): "):
        sync(orgvue.config)


MAPS: dict[str, dict[str, Any]] = {
    "rows": {},
    "records": {"stream_maps": {"people": {"twice": "salary * 2.5"}}},
}


@pytest.mark.parametrize("how", MAPS)
def test_rows_are_told_apart_by_their_ids(
    serve: Serve, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the catalog has them, and however alike rows are otherwise."""
    dataset = people(6)
    for number in range(6):
        dataset.update(number, onLeave=True, salary=5)
    orgvue = serve(dataset)
    catalog = discover(orgvue.config)
    columns = entry(catalog, "people")["schema"]["properties"]
    entry(catalog, "people")["schema"]["properties"] = dict(reversed(columns.items()))
    run = sync({**orgvue.config, "emit_activate_version_messages": True, **MAPS[how]}, catalog)
    assert len(run.records["people"]) == 6
    assert run.of_type("ACTIVATE_VERSION")
    assert not [line for line in caplog.messages if "earlier row" in line]


def test_stream_maps_calculate_with_numbers_that_no_float_holds(serve: Serve) -> None:
    """They are floats there; records that no map changes have every digit."""
    text = "1234567890.123456789012345"
    body = (
        '{"headers":[{"key":"_id","name":"_id","type":"text"},'
        '{"key":"salary","name":"salary","type":"number"}],'
        f'"rows":[["A",{text}]]}}'
    )
    dataset = Dataset("People", properties=[Property("salary", "number")], body=body.encode())
    orgvue = serve(dataset)
    (record,) = sync({**orgvue.config, **MAPS["records"]}).records["people"]
    assert record["twice"] == pytest.approx(3086419725.3)
    assert text in sync(orgvue.config).stdout


@pytest.mark.parametrize("how", MAPS)
@pytest.mark.parametrize("page_rows", [None, 2])
def test_values_are_looked_for_on_every_page(
    serve: Serve, how: str, page_rows: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A column has values if any row of any page has one, in whichever order pages have them."""
    dataset = people(6)
    orgvue = serve(dataset)
    orgvue.page_rows = page_rows
    config = {**orgvue.config, **MAPS[how]}
    catalog = discover(config)
    state = sync(config, catalog).state
    for number in range(6):
        dataset.update(number, startDate=None, onLeave=None if number < 5 else False)
    orgvue.reshape(on="page", first=["startDate", "_modifiedAt"], times=None)
    caplog.clear()
    sync(config, catalog, state)
    (line,) = [line for line in caplog.messages if "without any value" in line]
    assert "Columns without any value now: 'start_date';" in line
