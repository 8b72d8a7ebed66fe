"""What a catalog tells of a dataset, there and back."""

from __future__ import annotations

from tap_orgvue.orgvue.models import Dataset, Metadata
from tap_orgvue.schema.dataset_facts import DatasetFacts

PEOPLE = Dataset("0B53D2A1-0000-4000-8000-000000000001", 'P"eople {{', "PEOPLE")


def test_facts_survive_a_catalog() -> None:
    """What is written into a stream's metadata is read back, unknown members apart."""
    facts = DatasetFacts.of(PEOPLE, Metadata(auto_id="Employee ID", tree_parent_id="boss"))
    written = facts.to_metadata()
    assert written == {
        "orgvue-dataset": 'P"eople {{',
        "orgvue-type": "PEOPLE",
        "orgvue-auto-id": "Employee ID",
        "orgvue-tree-parent-id": "boss",
    }
    assert DatasetFacts.from_metadata({**written, "selected": True, "inclusion": "x"}) == facts


def test_every_property_that_metadata_names_is_a_fact() -> None:
    """Own key, label, key in the tree and parent are told apart."""
    metadata = Metadata(auto_id="id", label_id="label", tree_id="tree", tree_parent_id="parent")
    assert DatasetFacts.of(PEOPLE, metadata) == DatasetFacts(
        dataset=PEOPLE.name,
        type="PEOPLE",
        auto_id="id",
        label_id="label",
        tree_id="tree",
        tree_parent_id="parent",
    )


def test_a_catalog_of_before_tells_nothing() -> None:
    """Metadata without these members, or with others than text, is no error."""
    assert DatasetFacts.from_metadata({}) == DatasetFacts()
    assert DatasetFacts.from_metadata({"orgvue-type": 7, "orgvue-tree-id": None}) == DatasetFacts()


def test_metadata_that_cannot_be_read_leaves_name_and_type() -> None:
    """The list of datasets tells those two."""
    assert DatasetFacts.of(PEOPLE, None) == DatasetFacts(dataset=PEOPLE.name, type="PEOPLE")
