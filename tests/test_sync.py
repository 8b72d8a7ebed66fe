"""Sync: what a loader is sent, and what Orgvue is asked for it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_orgvue.simulator import Dataset, Property
from tests.conftest import people
from tests.running import Run, command, discover, entry, only, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]

FORMATS = jsonschema.FormatChecker(formats=["date"])
RFC_3339_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@FORMATS.checks("date-time")  # type: ignore[untyped-decorator]
def is_utc_instant(value: object) -> bool:
    """Whether an instant is RFC 3339 in UTC with `Z`, the only form the tap writes."""
    return not isinstance(value, str) or RFC_3339_UTC.fullmatch(value) is not None


def assert_satisfied(run: Run) -> None:
    """Every record satisfies its SCHEMA, formats included, and holds every property of it."""
    assert run.records
    for stream, records in run.records.items():
        schema = run.schemas[stream]["schema"]
        check = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
        for record in records:
            check.validate(record)
            assert set(record) == set(schema["properties"])


def one_column(type_: str, *cells: object) -> Dataset:
    """A dataset `Values` with a property `v` of a type, and a row for each of its cells."""
    return Dataset(
        "Values",
        properties=[Property("id", auto_id=True), Property("v", type_)],
        rows=[{"id": str(i), "v": cell} for i, cell in enumerate(cells)],
    )


def raw(type_: str, *literals: str) -> Dataset:
    """The same, with cells as JSON literals that are sent letter by letter."""
    headers = [
        {"key": "_id", "name": "_id", "type": "text"},
        {"key": "v", "name": "v", "type": type_},
    ]
    rows = ",".join(f'["ID{i}",{literal}]' for i, literal in enumerate(literals))
    body = f'{{"headers":{json.dumps(headers)},"rows":[{rows}]}}'
    return Dataset("Values", properties=[Property("v", type_)], body=body.encode())


def values(run: Run) -> list[Any]:
    """The column `v` of the stream `values`, in the order of its rows."""
    return [record["v"] for record in run.records["values"]]


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


def test_the_command_writes_the_same_messages(orgvue: Orgvue) -> None:
    """The command emits what the library does, and nothing else on standard output."""
    catalog = discover(orgvue.config)
    run = command(orgvue.config, catalog=catalog)
    assert run.code == 0, run.stderr
    assert len(run.messages) == run.stdout.count("\n")
    assert run.records == sync(orgvue.config, catalog).records
    assert orgvue.token not in run.stdout + run.stderr


# --- the values


@pytest.mark.parametrize(
    "type_,given,expected",
    [
        ("text", "", ""),
        ("text", None, None),
        ("text", " spaced ", " spaced "),
        ("text", 'a"b\\c\n\r\t\u2028é🎉', 'a"b\\c\n\r\t\u2028é🎉'),
        ("text", "007", "007"),
        ("text", 7, "7"),
        ("text", True, "true"),
        ("text", ["a", 1, None], '["a",1,null]'),
        ("number", 0, 0),
        ("number", -1, -1),
        ("number", 2**53 + 1, 2**53 + 1),
        ("number", 10**30 + 1, 10**30 + 1),
        ("number", 0.1, 0.1),
        ("number", 1e-7, 1e-7),
        ("number", "12.50", 12.5),
        ("number", None, None),
        ("boolean", True, True),
        ("boolean", False, False),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("boolean", None, None),
        ("date", "2022-01-02", "2022-01-02"),
        ("date", "2022-01-02T00:00:00.000Z", "2022-01-02"),
        ("date", "2022-01-02T00:00:00Z", "2022-01-02"),
        ("date", "2024-02-29", "2024-02-29"),
        ("date", "0001-01-01", "0001-01-01"),
        ("date", "9999-12-31", "9999-12-31"),
        ("date", None, None),
        ("currency", "EUR 5", "EUR 5"),
        ("currency", {"eur": 5.50}, '{"eur":5.5}'),
        ("currency", 5, "5"),
        ("currency", None, None),
    ],
)
def test_values_keep_their_meaning(
    serve: Serve, type_: str, given: object, expected: object
) -> None:
    """A value that fits its column, as it is or in another notation, is delivered exactly."""
    run = sync(serve(one_column(type_, given)).config)
    (record,) = run.records["values"]
    assert record["v"] == expected
    assert type(record["v"]) is type(expected)
    assert record["_rescued_data"] is None
    assert_satisfied(run)


@pytest.mark.parametrize(
    "type_,given",
    [
        ("number", "N/A"),
        ("number", ""),
        ("number", True),
        ("number", "NaN"),
        ("boolean", 0),
        ("boolean", "yes"),
        ("boolean", ""),
        ("date", ""),
        ("date", "2022-02-30"),
        ("date", "10000-01-01"),
        ("date", "02/01/2022"),
        ("date", 20220102),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_kept(
    serve: Serve, type_: str, given: object
) -> None:
    """A value that its column cannot hold leaves it null and is kept in `_rescued_data`."""
    run = sync(serve(one_column(type_, given)).config)
    (record,) = run.records["values"]
    assert record["v"] is None
    assert record["_rescued_data"] == {"v": given}
    assert_satisfied(run)


@pytest.mark.parametrize(
    "literal",
    [
        "12345678901234567890.123456789",
        "0.1",
        "123456789012345678901234567890",
        "1.0000000000000000000001",
        "-9007199254740993",
    ],
)
def test_numbers_keep_every_digit(serve: Serve, literal: str) -> None:
    """A number has on its way out the digits that Orgvue sent, without noise of floats."""
    run = sync(serve(raw("number", literal)).config)
    assert f'"v":{literal},' in run.stdout.replace(": ", ":").replace("}", ",")


@pytest.mark.parametrize(
    "given,expected",
    [
        ("2022-07-02T00:00:00.000Z", "2022-07-02T00:00:00.000Z"),
        ("2022-07-02T01:30:00.250+02:00", "2022-07-01T23:30:00.250Z"),
        ("2022-07-02", "2022-07-02T00:00:00.000Z"),
    ],
)
def test_instants_are_told_in_utc(serve: Serve, given: str, expected: str) -> None:
    """Generated instants are RFC 3339 in UTC with `Z`, whatever their offset was."""
    dataset = Dataset("Values", properties=[Property("id")], rows=[{"_modifiedAt": given}])
    run = sync(serve(dataset).config)
    assert [record["_modified_at"] for record in run.records["values"]] == [expected]
    assert run.schemas["values"]["schema"]["properties"]["_modified_at"]["format"] == "date-time"


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


def test_next_links_are_followed(serve: Serve) -> None:
    """Where list and exports come in pages, all pages are read, and each row is sent once."""
    orgvue = serve(people(25), people(0, "Nobody"), people(4, "Some"))
    orgvue.page_rows = 2
    run = sync(orgvue.config)
    for name, stream in (("People", "people"), ("Some", "some")):
        sent = [record["_id"] for record in run.records[stream]]
        assert sent == [row["_id"] for row in orgvue.dataset(name).rows]
    assert set(run.schemas) == {"people", "nobody", "some"}


def test_next_links_of_a_projection_are_followed(serve: Serve) -> None:
    """The pages of a projected export hold the projected columns, each row once."""
    orgvue = serve(people(7))
    catalog = select(discover(orgvue.config), "people", "salary", selected=False)
    orgvue.page_rows = 3
    run = sync(orgvue.config, catalog)
    sent = [record["_id"] for record in run.records["people"]]
    assert sent == [row["_id"] for row in orgvue.dataset("People").rows]
    assert_satisfied(run)


def test_links_to_another_origin_are_not_followed(serve: Serve) -> None:
    """A next link that leads elsewhere ends the run; the token goes nowhere else."""
    orgvue, elsewhere = serve(people(5)), serve(people(5))
    catalog = discover(orgvue.config)
    orgvue.page_rows, orgvue.next_origin = 2, elsewhere.api_url
    run = command(orgvue.config, catalog=catalog)
    assert run.code != 0
    assert "another server" in run.stderr
    assert "Traceback" not in run.stderr
    assert elsewhere.requests == []


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
    assert record["_rescued_data"] == {"n": "N/A"}
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


# --- the two streams about the datasets


def test_orgvue_datasets_has_a_row_for_each_dataset(serve: Serve) -> None:
    """`orgvue_datasets` tells of each dataset what list and metadata say, and its stream."""
    tree = Dataset(
        "Org Chart",
        type="POSITIONS",
        properties=[
            Property("code", auto_id=True, tree_id=True),
            Property("boss", tree_parent_id=True),
            Property("title", label_id=True),
        ],
        tags=("hr", "draft"),
        is_permissioned_view=True,
    )
    orgvue = serve(people(), tree)
    run = sync(orgvue.config, only(discover(orgvue.config), "orgvue_datasets"))
    found = {row["name"]: row for row in run.records["orgvue_datasets"]}
    assert found["Org Chart"] == {
        "dataset_id": tree.dataset_id,
        "name": "Org Chart",
        "type": "POSITIONS",
        "is_permissioned_view": True,
        "stream_name": "org_chart",
        "auto_id": "code",
        "label_id": "title",
        "tree_id": "code",
        "tree_parent_id": "boss",
        "tags": ["hr", "draft"],
        "cache_key": tree.cache_key,
    }
    assert found["People"]["tree_id"] is None
    assert found["People"]["is_permissioned_view"] is False
    assert run.schemas["orgvue_datasets"]["key_properties"] == ["dataset_id"]
    assert_satisfied(run)


def test_orgvue_properties_is_the_data_dictionary(serve: Serve) -> None:
    """`orgvue_properties` tells of each property its key, name, type, and its column."""
    dataset = Dataset(
        "Staff",
        properties=[
            Property("Employee ID", name="Number", auto_id=True, is_required=True, is_core=True),
            Property("fullName"),
            Property("full_name"),
        ],
    )
    orgvue = serve(dataset)
    catalog = discover(orgvue.config)
    run = sync(orgvue.config, only(catalog, "orgvue_properties"))
    rows = run.records["orgvue_properties"]
    assert rows[0] == {
        "dataset_id": dataset.dataset_id,
        "key": "Employee ID",
        "name": "Number",
        "type": "text",
        "is_required": True,
        "is_auto_id": True,
        "is_tree_id": False,
        "is_core": True,
        "stream_name": "staff",
        "column_name": "employee_id",
    }
    columns = {row["column_name"] for row in rows}
    assert columns < set(entry(catalog, "staff")["schema"]["properties"])
    assert run.schemas["orgvue_properties"]["key_properties"] == ["dataset_id", "key"]
    assert_satisfied(run)


def test_the_dictionary_leaves_out_what_may_not_be_read(serve: Serve) -> None:
    """A dataset whose metadata is refused is left out of both streams; the run succeeds."""
    hidden = people(2, "Hidden")
    orgvue = serve(people(), hidden)
    catalog = only(discover(orgvue.config), "orgvue_datasets", "orgvue_properties")
    hidden.hidden_because = (403, "403601", "DatasetAccessDenied", "No.")
    run = sync(orgvue.config, catalog)
    assert [row["name"] for row in run.records["orgvue_datasets"]] == ["People"]
    assert {row["stream_name"] for row in run.records["orgvue_properties"]} == {"people"}
