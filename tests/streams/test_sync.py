"""Sync: what a loader is sent, and what Orgvue is asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import people
from tests.support.runs import command, discover, entry, only, rescued, select, sync
from tests.support.schemas import assert_satisfied

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


# --- the messages


def test_every_row_becomes_a_record(orgvue: Orgvue) -> None:
    """Each row of an export is one RECORD, in the export's order, with its cells by column."""
    run = sync(orgvue.config)
    row = orgvue.dataset("People").rows[0]
    assert run.records["people"][0] == {
        "_id": row["_id"],
        "id": "P0",
        "full_name": "Person 0",
        "salary": 1000,
        "on_leave": True,
        "start_date": "2022-01-01",
        "_modified_at": row["_modifiedAt"],
        "_rescued_data": None,
    }
    assert [record["id"] for record in run.records["people"]] == ["P0", "P1", "P2", "P3", "P4"]


def test_records_satisfy_their_schema(serve: Serve) -> None:
    """Records of every declared type, with and without values, satisfy the SCHEMA sent before."""
    odd = Dataset(
        "Odd",
        properties=[
            Property("a", "text"),
            Property("b", "number"),
            Property("c", "boolean"),
            Property("d", "date"),
            Property("e", "hyperlink"),
        ],
        rows=[
            {},
            {"a": "", "b": 0.1, "c": False, "d": "2022-01-02", "e": {"url": "x"}},
            {"a": "x" * 5000, "b": -(2**70), "c": True, "d": "2022-01-02T00:00:00.000Z", "e": []},
            {"a": 'quote " \n\t\\ 🎉 \u2028', "b": 1e300, "e": "plain"},
            {"a": 12.5, "b": "12.50", "c": "true", "d": "2022-01-02T13:00:00+02:00", "e": 7},
            {"a": True, "b": "N/A", "c": "maybe", "d": "soon", "e": False},
        ],
    )
    run = sync(serve(people(), odd).config)
    assert len(run.records["odd"]) == 6
    assert_satisfied(run)


def test_one_schema_precedes_the_records_and_a_state_follows(orgvue: Orgvue) -> None:
    """A stream's messages are one SCHEMA with its key, its records, and in the end a STATE."""
    run = sync(orgvue.config)
    kinds = [message["type"] for message in run.messages]
    first = kinds.index("SCHEMA")
    assert kinds.count("SCHEMA") == 1
    assert first < kinds.index("RECORD")
    assert kinds[-1] == "STATE"
    assert run.schemas["people"]["key_properties"] == ["_id"]
    assert "people" in run.state["bookmarks"]


def test_an_empty_dataset_has_a_schema_and_no_records(serve: Serve) -> None:
    """A dataset without rows still gives its table."""
    run = sync(serve(people(0)).config)
    assert "people" in run.schemas
    assert run.records == {}


def test_a_run_can_begin_with_the_state_of_the_last(orgvue: Orgvue) -> None:
    """The state of a run is accepted by the next, which reads a full table again."""
    catalog = discover(orgvue.config)
    state = sync(orgvue.config, catalog).state
    again = sync(orgvue.config, catalog, state)
    assert len(again.records["people"]) == 5
    assert set(again.state["bookmarks"]) == set(state["bookmarks"])


def test_stream_maps_change_records(orgvue: Orgvue) -> None:
    """`stream_maps` speak column names: columns are removed, added, renamed and filtered."""
    maps = {
        "people": {
            "salary": "__NULL__",
            "shout": "full_name.upper()",
            "__filter__": "id != 'P1'",
            "__alias__": "staff",
        }
    }
    run = sync({**orgvue.config, "stream_maps": maps})
    assert set(run.records) == {"staff"}
    assert [record["shout"] for record in run.records["staff"]] == [
        f"PERSON {i}" for i in (0, 2, 3, 4)
    ]
    assert all("salary" not in record for record in run.records["staff"])


@pytest.mark.slow
def test_the_command_writes_the_same_messages(orgvue: Orgvue) -> None:
    """The command emits what the library does, and nothing else on standard output."""
    catalog = discover(orgvue.config)
    run = command(orgvue.config, catalog=catalog, fresh=True)
    assert run.code == 0, run.stderr
    assert len(run.messages) == run.stdout.count("\n")
    assert run.records == sync(orgvue.config, catalog).records
    assert orgvue.token not in run.stdout + run.stderr


# --- what is asked


def test_everything_is_asked_with_a_plain_get(orgvue: Orgvue) -> None:
    """Where nothing is deselected, the export is one GET without a body."""
    catalog = discover(orgvue.config)
    before = len(orgvue.requests)
    sync(orgvue.config, catalog)
    (request,) = orgvue.requests[before:]
    assert (request.method, request.route, request.raw) == ("GET", "export", b"")
    assert request.path.endswith("/export/jsonRows")


def test_deselected_columns_never_leave_orgvue(orgvue: Orgvue) -> None:
    """Deselecting a column asks for a projection of the others, in Orgvue's keys."""
    catalog = select(discover(orgvue.config), "people", "salary", "start_date", selected=False)
    before = len(orgvue.requests)
    run = sync(orgvue.config, catalog)
    (request,) = orgvue.requests[before:]
    assert request.method == "POST"
    assert request.body == {
        "query": {
            "output": {
                "projection": {
                    "_id": 1,
                    "id": 1,
                    "Full Name": 1,
                    "onLeave": 1,
                    "_modifiedAt": 1,
                }
            }
        }
    }
    assert "salary" not in run.schemas["people"]["schema"]["properties"]
    assert len(run.records["people"]) == 5
    assert_satisfied(run)


def test_keys_are_delivered_even_when_deselected(orgvue: Orgvue) -> None:
    """The key column and the replication key are part of every record."""
    catalog = discover(orgvue.config)
    columns = list(entry(catalog, "people")["schema"]["properties"])
    select(catalog, "people", *columns, selected=False)
    select(
        catalog,
        "people",
        replication_method="INCREMENTAL",
        replication_key="_modified_at",
    )
    entry(catalog, "people")["replication_key"] = "_modified_at"
    entry(catalog, "people")["replication_method"] = "INCREMENTAL"
    run = sync(orgvue.config, catalog)
    assert len(run.records["people"]) == 5
    for record in run.records["people"]:
        assert record["_id"]
        assert record["_modified_at"]
        assert "salary" not in record


def test_with_a_catalog_each_selected_stream_costs_one_request(serve: Serve) -> None:
    """A sync with a catalog discovers nothing: two of four streams cost two requests."""
    orgvue = serve(*(people(3, f"People {i}") for i in range(4)))
    catalog = only(discover(orgvue.config), "people_1", "people_3")
    before = len(orgvue.requests)
    run = sync(orgvue.config, catalog)
    assert [request.route for request in orgvue.requests[before:]] == ["export", "export"]
    assert set(run.records) == {"people_1", "people_3"}


def test_a_catalog_without_ids_costs_one_list_more(serve: Serve) -> None:
    """Where a catalog lacks the datasets' ids, one list call finds them."""
    orgvue = serve(people(), people(3, "Others"))
    catalog = discover(orgvue.config)
    for found in catalog["streams"]:
        found.pop("table_name", None)
    before = len(orgvue.requests)
    run = sync(orgvue.config, catalog)
    routes = [request.route for request in orgvue.requests[before:]]
    assert sorted(routes) == ["export", "export", "list"]
    assert set(run.records) == {"people", "others"}


def test_every_request_is_made_as_documented(orgvue: Orgvue) -> None:
    """Each request carries the bearer token, the content type, and accepts gzip."""
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    for name in ("orgvue_datasets", "orgvue_properties"):
        select(catalog, name)
    sync(orgvue.config, catalog)
    assert {request.route for request in orgvue.requests} == {"list", "metadata", "export"}
    for request in orgvue.requests:
        assert request.header("Authorization") == f"Bearer {orgvue.token}"
        assert request.header("Content-Type") == "application/json; charset=UTF-8"
        assert request.header("Accept-Encoding") == "gzip"
        assert str(request.header("User-Agent")).startswith("tap-orgvue/")


def test_a_redirect_is_not_followed(serve: Serve) -> None:
    """A redirect is a refusal: neither the request nor the token travels on."""
    orgvue, elsewhere = serve(people(5)), serve(people(5))
    catalog = discover(orgvue.config)
    path = f"/api/v1/DEMO/datasets/{orgvue.dataset('People').dataset_id}/export/jsonRows"
    orgvue.answer(on="export", status=302, headers={"Location": elsewhere.api_url + path})
    run = command(orgvue.config, catalog=catalog)
    assert run.code != 0
    assert "302" in run.stderr
    assert run.records == {}
    assert elsewhere.requests == []


# --- datasets that are gone


def test_a_gone_dataset_is_an_error(serve: Serve) -> None:
    """A selected stream whose dataset was deleted fails the run, naming stream and id."""
    gone = people(3, "Gone")
    orgvue = serve(people(), gone)
    catalog = discover(orgvue.config)
    orgvue.tenant.remove(gone)
    run = command(orgvue.config, catalog=catalog)
    assert run.code != 0
    assert "'gone'" in run.stderr
    assert gone.dataset_id in run.stderr
    assert "Traceback" not in run.stderr
    assert "gone" not in run.records


def test_a_gone_dataset_of_a_catalog_without_ids_is_an_error(serve: Serve) -> None:
    """Without an id in the catalog, a selected stream that no dataset has fails the run."""
    orgvue = serve(people())
    catalog = discover(orgvue.config)
    entry(catalog, "people").pop("table_name")
    orgvue.dataset("People").rename("Staff")
    run = command(orgvue.config, catalog=catalog)
    assert run.code != 0
    assert "'people'" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_gone_dataset_that_is_not_selected_does_not_matter(serve: Serve) -> None:
    """A stream that is not selected may be gone."""
    gone = people(3, "Gone")
    orgvue = serve(people(), gone)
    catalog = only(discover(orgvue.config), "people")
    entry(catalog, "gone").pop("table_name")
    orgvue.tenant.remove(gone)
    assert set(sync(orgvue.config, catalog).records) == {"people"}


def test_a_renamed_dataset_keeps_its_stream(orgvue: Orgvue) -> None:
    """A catalog finds its datasets by id, so that renaming one in Orgvue changes no table."""
    catalog = discover(orgvue.config)
    orgvue.dataset("People").rename("Staff")
    assert set(sync(orgvue.config, catalog).records) == {"people"}


# --- original keys


def test_columns_can_be_called_as_in_orgvue(orgvue: Orgvue) -> None:
    """With `column_names: original`, records and schema have Orgvue's keys."""
    config = {**orgvue.config, "column_names": "original"}
    run = sync(config)
    assert set(run.records["people"][0]) == {
        "_id",
        "id",
        "Full Name",
        "salary",
        "onLeave",
        "startDate",
        "_modifiedAt",
        "_rescued_data",
    }
    assert_satisfied(run)


def test_a_property_called_as_the_rescue_is(serve: Serve) -> None:
    """With original keys too, a property of that key has a column beside `_rescued_data`."""
    odd = [Property("_rescued_data", "text"), Property("n", "number")]
    tenant = serve(Dataset("Odd", properties=odd, rows=[{"_rescued_data": "mine", "n": "N/A"}]))
    run = sync({**tenant.config, "column_names": "original"})
    [record] = run.records["odd"]
    assert rescued(record) == {"n": "N/A"}
    [name] = [name for name, value in record.items() if value == "mine"]
    assert name in run.schemas["odd"]["schema"]["properties"]


def test_selection_speaks_column_names(orgvue: Orgvue) -> None:
    """A column called otherwise than its key is deselected by its column name."""
    catalog = select(discover(orgvue.config), "people", "full_name", selected=False)
    run = sync(orgvue.config, catalog)
    assert "full_name" not in run.records["people"][0]
    body = orgvue.requests[-1].body
    assert isinstance(body, dict)
    assert "Full Name" not in body["query"]["output"]["projection"]
