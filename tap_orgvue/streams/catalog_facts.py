"""What the catalog tells of the datasets behind its streams; a request each, for `--discover`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.errors import (
    DatasetRefusal,
    OrgvueError,
    RequestLimitReached,
    RetryAfterTooLong,
    Stopped,
    TenantRefusal,
)
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.schema.dataset_facts import DatasetFacts

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping, Sequence

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset, Metadata


def facts_of(
    datasets: Sequence[Dataset], client: Client, logger: logging.Logger
) -> dict[str, DatasetFacts]:
    """Request the metadata of datasets, several at once.

    Returns:
        Dataset id to its facts. Where metadata cannot be read, name and type are all: a catalog
        without the rest is a catalog all the same.

    Raises:
        TenantRefusal: Nothing of this tenant can be read.
        RequestLimitReached: The user's own limit of requests is reached.
    """

    def metadata_of(dataset: Dataset) -> Metadata | None:
        try:
            return client.metadata(dataset.dataset_id)
        except DatasetRefusal:
            return None

    facts = {each.dataset_id: DatasetFacts.of(each, None) for each in datasets}
    pool = DaemonThreadPool(client.options.max_parallel_requests)
    try:
        for dataset, metadata in zip(datasets, pool.map(metadata_of, datasets), strict=True):
            facts[dataset.dataset_id] = DatasetFacts.of(dataset, metadata)
    except (TenantRefusal, RequestLimitReached, RetryAfterTooLong, Stopped):
        raise
    except OrgvueError as error:
        # The other requests would take their retries as well.
        logger.warning("The catalog does not tell the keys of all datasets. %s", error)
    finally:
        pool.close()
    return facts


def add_to_root(entry: Mapping[str, Any], members: Mapping[str, str]) -> None:
    """Add members to the metadata of a catalog's stream, in place."""
    for item in entry["metadata"]:
        if not item["breadcrumb"]:
            item["metadata"].update(members)
