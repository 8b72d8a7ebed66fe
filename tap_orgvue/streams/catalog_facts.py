"""Adds facts about datasets to a catalog, from the list of datasets and from metadata."""

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
    """Add the facts about datasets to the metadata of their streams, in place.

    Args:
        entries: Dataset id to its stream in the catalog.
        datasets: The tenant's; those without a stream are left out.
        metadata: Dataset id to its metadata; a dataset without it has only name and type.
    """
    for dataset in datasets:
        if entry := entries.get(dataset.dataset_id):
            facts = DatasetFacts.of(dataset, metadata.get(dataset.dataset_id))
            for item in entry["metadata"]:
                if not item["breadcrumb"]:
                    item["metadata"].update(facts.to_metadata())
