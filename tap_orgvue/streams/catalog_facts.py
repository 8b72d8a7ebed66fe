"""What the catalog tells of the datasets behind its streams, from the list and from metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.schema.dataset_facts import DatasetFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_orgvue.orgvue.models import Dataset, Metadata


def add_facts(
    entries: Mapping[str, Mapping[str, Any]],
    datasets: Iterable[Dataset],
    metadata: Mapping[str, Metadata],
) -> None:
    """Add what is known of datasets to the metadata of their streams, in place.

    Args:
        entries: Dataset id to its stream in the catalog.
        datasets: The tenant's; those without a stream are left out.
        metadata: Dataset id to its metadata. Without it name and type are all: a catalog without
            the rest is a catalog all the same.
    """
    for dataset in datasets:
        if entry := entries.get(dataset.dataset_id):
            facts = DatasetFacts.of(dataset, metadata.get(dataset.dataset_id))
            for item in entry["metadata"]:
                if not item["breadcrumb"]:
                    item["metadata"].update(facts.to_metadata())
