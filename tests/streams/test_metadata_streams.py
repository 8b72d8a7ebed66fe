"""The two streams about the datasets: `orgvue_datasets` and `orgvue_properties`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.simulator import Dataset, Property
from tests.support.datasets import people
from tests.support.runs import discover, entry, only, sync
from tests.support.schemas import assert_satisfied

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


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
    assert run.schemas["orgvue_datasets"]["schema"]["required"] == ["dataset_id"]
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
    assert run.schemas["orgvue_properties"]["schema"]["required"] == ["dataset_id", "key"]
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
