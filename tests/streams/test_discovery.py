"""Discovery: which streams a tenant has, what they look like, and what finding out costs.

`python -m tests.streams.test_discovery` renews the snapshot after a change that is meant.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import Misconfigured
from tap_orgvue.simulator import Dataset, Orgvue, Property
from tap_orgvue.streams import discovery
from tests.support.datasets import people
from tests.support.runs import command, discover, entry, properties, streams, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., Orgvue]

SNAPSHOT = Path(__file__).parent / "snapshots" / "discovery.json"


def small_tenant() -> list[Dataset]:
    """A tenant with a dataset of every sort that discovery tells apart."""
    return [
        people(),
        Dataset(
            "Org-Chart 2026",
            type="POSITIONS",
            properties=[
                Property("code", name="Position code", auto_id=True, tree_id=True),
                Property("reportsTo", name="Reports to", tree_parent_id=True),
                Property("Größe", "number"),
                Property("budget %", "currency"),
            ],
            generated=("_id", "_depth", "_is_leaf", "_modifiedAt"),
        ),
        Dataset(
            "Links",
            type="LINKS",
            properties=[Property("from_id"), Property("to_id"), Property("link_id", auto_id=True)],
            generated=(),
        ),
        Dataset("Loose", properties=[Property("note")], generated=()),
        Dataset("plan a", properties=[Property("x")]),
        Dataset("Plan-A", properties=[Property("x")]),
    ]


def root(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """The metadata of a stream itself."""
    for item in entry(catalog, stream)["metadata"]:
        if not item["breadcrumb"]:
            found: dict[str, Any] = item["metadata"]
            return found
    raise AssertionError


def known(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """What a stream's metadata tells of its dataset."""
    return {k: text for k, text in root(catalog, stream).items() if k.startswith("orgvue-")}


# --- the catalog


def test_the_catalog_of_a_small_tenant() -> None:
    """`--discover` prints exactly the catalog that is kept beside the tests."""
    with Orgvue(small_tenant()) as orgvue:
        run = command(orgvue.config, "--discover")
    assert run.code == 0, run.stderr
    assert json.loads(run.stdout) == json.loads(SNAPSHOT.read_text())


def test_the_catalog_tells_of_each_dataset(serve: Serve) -> None:
    """A stream's metadata has its dataset's name, type, own key, label and tree, where known."""
    orgvue = serve(*small_tenant())
    told = {name: known(discover(orgvue.config), name) for name in ("org_chart_2026", "loose")}
    assert told == {
        "org_chart_2026": {
            "orgvue-dataset": "Org-Chart 2026",
            "orgvue-type": "POSITIONS",
            "orgvue-auto-id": "code",
            "orgvue-tree-id": "code",
            "orgvue-tree-parent-id": "reportsTo",
        },
        "loose": {"orgvue-dataset": "Loose", "orgvue-type": "PEOPLE"},
    }


@pytest.mark.parametrize("error", ["403601", (500, "500601", "InternalError", "No.")])
def test_a_catalog_without_a_datasets_keys_is_a_catalog(serve: Serve, error: Any) -> None:
    """Where metadata is refused the catalog tells name and type, and its streams are all there."""
    orgvue = serve(*small_tenant())
    whole = discover(orgvue.config)
    orgvue.refuse(error, on=["metadata"], times=999)
    catalog = discover({**orgvue.config, "max_retries": 0})
    # The key of `links` and `loose`, which have no `_id`, is known from their metadata alone.
    assert {*streams(catalog)} >= {*streams(whole)} - {"links", "loose"}
    assert known(catalog, "people") == {"orgvue-dataset": "People", "orgvue-type": "PEOPLE"}


def test_metadata_that_fails_for_another_reason_is_reported_once(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """After a failure that a retry does not help, no further metadata is asked for."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(9)))
    orgvue.refuse((500, "500601", "InternalError", "No."), on=["metadata"], times=999)
    catalog = discover({**orgvue.config, "max_retries": 0, "max_parallel_requests": 1})
    assert len(streams(catalog)) == 9
    assert len(orgvue.requests_of("metadata")) == 1
    (line,) = [r.getMessage() for r in caplog.records if "keys of some datasets" in r.getMessage()]
    assert "500601" in line


@pytest.mark.slow
def test_a_run_takes_a_catalog_with_and_without_facts(serve: Serve) -> None:
    """Records are the same with a catalog of before, which told nothing of datasets."""
    orgvue = serve(*small_tenant())
    catalog = discover(orgvue.config)
    new = sync(orgvue.config, catalog)
    for found in catalog["streams"]:
        for item in found["metadata"]:
            for word in [word for word in item["metadata"] if word.startswith("orgvue-")]:
                del item["metadata"][word]
    assert known(catalog, "people") == {}
    old = sync(orgvue.config, catalog)
    assert (old.schemas, old.records) == (new.schemas, new.records)


def test_each_dataset_is_a_stream(serve: Serve) -> None:
    """There is one stream for each dataset, besides the two that describe them."""
    catalog = discover(serve(*small_tenant()).config)
    names = streams(catalog)
    assert names[:4] == ["links", "loose", "org_chart_2026", "people"]
    assert len(names) == 6
    assert {found["tap_stream_id"] for found in catalog["streams"]} - set(names) == {
        "orgvue_datasets",
        "orgvue_properties",
    }


def test_streams_are_found_in_any_order_with_the_same_names(serve: Serve) -> None:
    """The catalog's names do not depend on the order of Orgvue's list."""
    forwards = discover(serve(*small_tenant()).config)
    backwards = discover(serve(*reversed(small_tenant())).config)
    for found in forwards["streams"]:
        assert entry(backwards, found["tap_stream_id"]) == found


def test_the_schema_is_inferred_from_the_headers(serve: Serve) -> None:
    """Declared types become JSON types, in the export's order, all nullable but the key."""
    dataset = Dataset(
        "Types",
        properties=[
            Property("t", "text", name="Some text"),
            Property("n", "number"),
            Property("b", "boolean"),
            Property("d", "date"),
            Property("x", "hologram"),
            Property("endsAt", "date"),
        ],
        generated=("_id", "_modifiedAt"),
    )
    columns = properties(discover(serve(dataset).config), "types")
    assert " ".join(columns) == "_id t n b d x ends_at _modified_at _rescued_data"
    assert {name: declared["type"] for name, declared in columns.items()} == {
        "_id": ["string"],
        "t": ["string", "null"],
        "n": ["number", "null"],
        "b": ["boolean", "null"],
        "d": ["string", "null"],
        "x": ["string", "null"],
        "ends_at": ["string", "null"],
        "_modified_at": ["string", "null"],
        "_rescued_data": ["string", "null"],
    }
    formats = {name: found["format"] for name, found in columns.items() if "format" in found}
    # The user's own `endsAt` is a calendar date: only generated keys are instants.
    assert formats == {"d": "date", "ends_at": "date", "_modified_at": "date-time"}
    assert columns["t"]["title"] == "Some text"
    assert columns["n"]["title"] == "n"


def test_the_key_is_the_id_or_the_customer_s_own(serve: Serve) -> None:
    """The key is `_id` where the export has it, else the dataset's `autoId`, else none."""
    catalog = discover(serve(*small_tenant()).config)
    assert root(catalog, "people")["table-key-properties"] == ["_id"]
    assert root(catalog, "links")["table-key-properties"] == ["link_id"]
    assert root(catalog, "loose").get("table-key-properties", []) == []


def test_the_own_key_goes_by_its_column_name(serve: Serve) -> None:
    """A key property called `Employee ID` is the key column `employee_id`, never null."""
    dataset = Dataset("Staff", properties=[Property("Employee ID", auto_id=True)], generated=())
    catalog = discover(serve(dataset).config)
    assert root(catalog, "staff")["table-key-properties"] == ["employee_id"]
    assert properties(catalog, "staff")["employee_id"]["type"] == ["string"]


def test_an_own_key_that_is_not_exported_is_no_key(serve: Serve) -> None:
    """An `autoId` that the export's headers lack cannot be the key."""
    headers = '{"headers":[{"key":"x","name":"x","type":"text"}],"rows":[]}'
    dataset = Dataset(
        "Staff",
        properties=[Property("no", auto_id=True), Property("x")],
        body=headers.encode(),
    )
    catalog = discover(serve(dataset).config)
    assert root(catalog, "staff").get("table-key-properties", []) == []


def test_the_time_of_the_last_change_is_offered_for_replication(serve: Serve) -> None:
    """`_modified_at` is a valid replication key where present; full table is the default."""
    catalog = discover(serve(*small_tenant()).config)
    assert root(catalog, "people")["valid-replication-keys"] == ["_modified_at"]
    assert "valid-replication-keys" not in root(catalog, "loose")
    for name in ("people", "loose"):
        assert root(catalog, name).get("forced-replication-method", "FULL_TABLE") == "FULL_TABLE"
        assert entry(catalog, name).get("replication_method") in (None, "FULL_TABLE")
        assert not entry(catalog, name).get("replication_key")


def test_the_descriptive_streams_are_opt_in(orgvue: Orgvue) -> None:
    """`orgvue_datasets` and `orgvue_properties` are in the catalog, not selected by default."""
    catalog = discover(orgvue.config)
    assert root(catalog, "orgvue_datasets")["selected-by-default"] is False
    assert root(catalog, "orgvue_properties")["selected-by-default"] is False
    assert root(catalog, "people")["selected-by-default"] is True
    assert set(sync(orgvue.config, catalog).schemas) == {"people"}


def test_the_catalog_carries_the_datasets_ids(serve: Serve) -> None:
    """The `table_name` of each dataset's entry is its id."""
    orgvue = serve(*small_tenant())
    catalog = discover(orgvue.config)
    assert entry(catalog, "people")["table_name"] == orgvue.dataset("People").dataset_id
    ids = {entry(catalog, name)["table_name"] for name in streams(catalog)}
    assert ids == {dataset.dataset_id for dataset in orgvue.tenant.datasets}


def test_colliding_datasets_all_carry_their_ids(serve: Serve) -> None:
    """Of datasets whose names fold together, every one has a part of its id in its name."""
    orgvue = serve(*small_tenant())
    catalog = discover(orgvue.config)
    for name in ("plan a", "Plan-A"):
        dataset_id = orgvue.dataset(name).dataset_id
        stream = f"plan_a_{dataset_id[:8].lower()}"
        assert entry(catalog, stream)["table_name"] == dataset_id


def test_datasets_of_one_name(serve: Serve) -> None:
    """Two datasets of the very same name are two streams."""
    first = people(1, "Same")
    second = people(2, "Other")
    second.rename("Same")
    run = sync(serve(first, second).config)
    assert sorted(len(records) for records in run.records.values()) == [1, 2]


def test_columns_that_fold_together(serve: Serve) -> None:
    """Properties whose keys fold together are separate columns with the values of each."""
    dataset = Dataset(
        "Twins",
        properties=[Property("full Name"), Property("full_name"), Property("FULL-NAME")],
        rows=[{"full Name": "a", "full_name": "b", "FULL-NAME": "c"}],
    )
    (record,) = sync(serve(dataset).config).records["twins"]
    assert record["full_name"] == "b"
    assert sorted(value for name, value in record.items() if name.startswith("full_name")) == [
        "a",
        "b",
        "c",
    ]


def test_original_names_that_break_loaders_are_warned_of(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """With `column_names: original`, keys stand as they are, and the risky ones are told."""
    dataset = Dataset("Odd", properties=[Property("salary %"), Property("plain")])
    catalog = discover({**serve(dataset).config, "column_names": "original"})
    assert list(properties(catalog, "odd"))[:3] == ["_id", "salary %", "plain"]
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len([line for line in warnings if "salary %" in line]) == 1
    assert not [line for line in warnings if "plain" in line]


# --- pins and filters


def test_a_pinned_stream_keeps_its_name(orgvue: Orgvue) -> None:
    """`stream_names` names a stream by its dataset's id, in either case, whatever it is called."""
    dataset = orgvue.dataset("People")
    dataset.rename("Something else")
    pins = {dataset.dataset_id.lower(): "staff"}
    assert streams(discover({**orgvue.config, "stream_names": pins})) == ["staff"]


@pytest.mark.parametrize(
    "patterns,expected",
    [
        (["People"], {"people"}),
        (["pEOPLE"], {"people"}),
        (["*chart*"], {"org_chart_2026"}),
        (["l*"], {"links", "loose"}),
        (["People", "LOOSE"], {"people", "loose"}),
        (["Org-Chart ????"], {"org_chart_2026"}),
        ([], {"links", "loose", "org_chart_2026", "people"}),
    ],
)
def test_the_setting_datasets_lets_in_by_name(
    serve: Serve, patterns: list[str], expected: set[str]
) -> None:
    """Patterns match whole names in any case; nothing but what they match is looked at."""
    orgvue = serve(*small_tenant()[:4])
    catalog = discover({**orgvue.config, "datasets": patterns})
    assert set(streams(catalog)) == expected
    looked_at = {r.dataset_id for r in orgvue.requests if r.dataset_id}
    assert looked_at == {entry(catalog, name)["table_name"] for name in expected}


def test_the_setting_datasets_lets_in_by_id(serve: Serve) -> None:
    """An id lets its dataset in, whichever case it is written in."""
    orgvue = serve(*small_tenant())
    dataset_id = orgvue.dataset("Loose").dataset_id
    for given in (dataset_id, dataset_id.lower()):
        assert streams(discover({**orgvue.config, "datasets": [given]})) == ["loose"]


def test_a_pattern_that_matches_nothing_is_a_warning(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """A pattern without a match is told, and the others count."""
    assert streams(discover({**orgvue.config, "datasets": ["nope*", "people"]})) == ["people"]
    assert "nope*" in caplog.text


def test_an_id_that_does_not_exist_is_an_error(orgvue: Orgvue) -> None:
    """An id that the tenant does not have ends the run, naming it."""
    missing = "0B530000-0000-4000-8000-000000000001"
    run = command({**orgvue.config, "datasets": [missing, "people"]}, "--discover")
    assert run.code != 0
    assert missing in run.stderr
    assert "datasets" in run.stderr
    assert "Traceback" not in run.stderr


def test_filtering_datasets_renames_no_stream(serve: Serve) -> None:
    """A dataset's stream has the same name whether or not its namesake is let in."""
    orgvue = serve(*small_tenant())
    dataset_id = orgvue.dataset("plan a").dataset_id
    assert streams(discover({**orgvue.config, "datasets": [dataset_id]})) == [
        f"plan_a_{dataset_id[:8].lower()}"
    ]


# --- what it costs


@pytest.mark.slow
def test_discovery_makes_two_requests_for_each_dataset_and_one_more(serve: Serve) -> None:
    """Each dataset costs two cheap requests, for columns and keys, besides the list.

    A run without a catalog needs no keys, and makes the first of them alone.
    """
    orgvue = serve(*(people(3, f"People {i}") for i in range(12)))
    discover(orgvue.config)
    assert [request.route for request in orgvue.requests[:1]] == ["list"]
    assert orgvue.counts() == {"list": 1, "headers": 12, "metadata": 12}
    for request in orgvue.requests_of("headers"):
        assert request.method == "POST"
        assert isinstance(request.body, dict)
        assert request.body["query"]["output"]["filter"]
    before = len(orgvue.requests)
    assert command(orgvue.config).code == 0
    assert orgvue.counts(before) == {"list": 1, "headers": 12, "export": 12}


def test_the_keys_of_a_dataset_are_read_while_the_columns_of_others_are(serve: Serve) -> None:
    """With one request at a time each dataset is finished before the next is begun."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(3)))
    discover({**orgvue.config, "max_parallel_requests": 1})
    assert [request.kind for request in orgvue.requests] == ["list", *["headers", "metadata"] * 3]


@pytest.mark.slow
def test_metadata_is_requested_once_where_columns_need_it(serve: Serve) -> None:
    """Without an `_id`, and without calculations, a stream needs the metadata itself."""
    orgvue = serve(*small_tenant())
    discover(orgvue.config)
    assert orgvue.counts() == {"list": 1, "headers": 6, "metadata": 6}
    before = len(orgvue.requests)
    discover({**orgvue.config, "include_calculations": False})
    assert orgvue.counts(before) == {"list": 1, "metadata": 6}


def test_the_keys_of_a_dataset_that_is_left_out_are_not_asked_for(serve: Serve) -> None:
    """A dataset that may not be read costs no request for metadata."""
    hidden = people(1, "Hidden")
    hidden.hidden_because = "403601"
    orgvue = serve(hidden, people())
    discover(orgvue.config)
    (request,) = orgvue.requests_of("metadata")
    assert request.dataset_id == orgvue.dataset("People").dataset_id


def test_datasets_are_looked_at_concurrently(serve: Serve) -> None:
    """Several datasets are looked at at once, and never more than the setting allows."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(9)))
    orgvue.seconds_of["export"] = 0.2
    discover({**orgvue.config, "max_parallel_requests": 3})
    assert orgvue.most_at_once == 3


@pytest.mark.parametrize(
    "error",
    ["403601", "404601", (410, "410600", "Gone", "It was deleted.")],
)
def test_a_dataset_that_may_not_be_read_is_left_out(
    serve: Serve, error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A dataset that is refused is left out with a warning that says which and why."""
    hidden = people(1, "Hidden")
    hidden.hidden_because = error
    orgvue = serve(hidden, people())
    assert streams(discover(orgvue.config)) == ["people"]
    code = error if isinstance(error, str) else error[1]
    (line,) = [r.getMessage() for r in caplog.records if hidden.dataset_id in r.getMessage()]
    assert "Hidden" in line
    assert code in line
    assert "Trace id" in line


@pytest.mark.parametrize("code", ["40102", "40302", "40322", "40345", "42902"])
def test_a_tenant_wide_refusal_stops_at_once(serve: Serve, code: str) -> None:
    """What every request would meet ends discovery at once, with the code and what to do."""
    orgvue = serve(*(people(1, f"People {i}") for i in range(30)))
    orgvue.refuse(code, on="export", times=None)
    run = command({**orgvue.config, "max_parallel_requests": 2}, "--discover")
    assert run.code != 0
    assert code in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""
    assert len(orgvue.requests) < 10


def test_a_refused_list_is_reported(orgvue: Orgvue) -> None:
    """A list that is refused ends the run with Orgvue's words and the advice, on the last line."""
    orgvue.refuse("40302", on="list", times=None)
    run = command(orgvue.config, "--discover")
    assert run.code != 0
    last = run.stderr.strip().splitlines()[-1]
    assert "40302" in last
    assert "/tokens" in last
    assert len(orgvue.requests) == 1


def test_a_tenant_without_datasets(serve: Serve) -> None:
    """An empty list of datasets is an error: a token without access looks like an empty tenant."""
    with pytest.raises(Misconfigured, match="list of datasets is empty"):
        discover(serve().config)


@pytest.mark.parametrize(
    "body", [b'{"a": 1}', b'"text"', b'[{"name": "no id"}]', b"[1]", b'{"a": [], "b": []}']
)
def test_a_list_that_is_none_is_reported(orgvue: Orgvue, body: bytes) -> None:
    """A list of another shape than documented is one clear error."""
    orgvue.answer(on="list", body=body, headers={"Content-Type": "application/json"}, times=None)
    with pytest.raises(Exception, match="list of datasets"):
        discover(orgvue.config)


@pytest.mark.parametrize(
    "count,listed",
    [
        (5, "0, 1, 2, 3, 4"),
        (6, "0, 1, 2, 3, 4, and 1 more"),
        (9, "0, 1, 2, 3, 4, and 4 more"),
    ],
)
def test_long_lists_are_cut(count: int, listed: str) -> None:
    """A message names five, and how many more there are."""
    assert discovery._listed(map(str, range(count))) == listed  # noqa: SLF001 - in many messages


def renew_snapshot() -> None:
    """Write the catalog of the small tenant where the test finds it."""
    with Orgvue(small_tenant()) as orgvue:
        catalog = discover(orgvue.config)
    SNAPSHOT.write_text(json.dumps(catalog, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    renew_snapshot()


@pytest.mark.parametrize("pattern", ["[Draft]*", "[draft]\u00a0people", "?draft? people"])
def test_brackets_in_a_name_are_brackets_in_its_pattern(serve: Serve, pattern: str) -> None:
    """Only `*` and `?` are wildcards in `datasets`; case and kinds of blanks make no difference."""
    orgvue = serve(people(1, "[Draft] People"), people(1, "Draft"), people(1, "People"))
    assert streams(discover({**orgvue.config, "datasets": [pattern]})) == ["draft_people"]
