"""An export's columns, read as cheaply as the server allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.exports.byte_streams import decompressed
from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.orgvue.errors import (
    BrokenAnswer,
    ConnectionFailed,
    DatasetRefusal,
    OrgvueError,
    Refusal,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import EXPORT_FORMAT, ID, NO_NODE, Property, Query
from tap_orgvue.orgvue.thread_pool import Workers
from tap_orgvue.orgvue.transport import arriving

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence

    import requests

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset


NOTHING = Query(filter={ID: NO_NODE})
"""A query that no node matches: its answer is the headers alone."""

_STREAMED_BYTES = 16 * 1024

_WORTH_FINISHING_BYTES = 64 * 1024


class Description(msgspec.Struct, frozen=True):
    """What the export of a dataset looks like.

    Attributes:
        headers: Its columns, in the export's order.
        key: Key of the property that identifies a row: `_id`, else the dataset's own, else None.
    """

    dataset: Dataset
    headers: tuple[Property, ...]
    key: str | None


class Discovery:
    """Looks at datasets, several at once, learning which ways of asking this server accepts."""

    def __init__(self, client: Client, logger: logging.Logger) -> None:
        """Ask nothing yet."""
        self._client = client
        self._logger = logger
        self._post_accepted = True

    def describe(self, datasets: Sequence[Dataset]) -> Iterator[Description]:
        """Look at datasets.

        Yields:
            Their descriptions in the order given. A dataset that may not be read is left out with
            a warning.

        Raises:
            TenantRefusal: Nothing of this tenant can be read.
            OrgvueError: A dataset's export cannot be understood.
        """
        workers = Workers(self._client.settings.max_parallel_requests)
        try:
            for description in workers.map(self._describe, datasets):
                if description is not None:
                    yield description
        finally:
            workers.close()

    def _describe(self, dataset: Dataset) -> Description | None:
        try:
            headers = self.headers(dataset.dataset_id)
            return Description(dataset, headers, self._key(dataset, headers))
        except DatasetRefusal as refusal:
            self._logger.warning("Dataset %s is left out. %s", dataset, refusal)
            return None

    def _key(self, dataset: Dataset, headers: Sequence[Property]) -> str | None:
        keys = {header.key for header in headers}
        if ID in keys:
            return ID
        auto_id = self._client.metadata(dataset.dataset_id).auto_id
        return auto_id if auto_id in keys else None

    def headers(self, dataset_id: str) -> tuple[Property, ...]:
        """Ask for the columns of a dataset's export.

        By an export of nothing; where that is refused, by the beginning of an export of
        everything; where even that fails, by the metadata, which lacks generated properties.
        """
        if not self._client.settings.include_calculations:
            return self._stored(dataset_id)
        url = self._client.url(f"/datasets/{dataset_id}/export/{EXPORT_FORMAT}")
        if self._post_accepted:
            try:
                return self._head_of(self._client.prepare("POST", url, json=NOTHING.body()))
            except TenantRefusal:
                raise
            except (Refusal, BrokenAnswer, ConnectionFailed) as failure:
                first_failure: OrgvueError | None = failure
        else:
            first_failure = None
        try:
            headers = self._head_of(self._client.prepare("GET", url))
        except (TenantRefusal, DatasetRefusal):
            raise
        except (Refusal, BrokenAnswer, ConnectionFailed) as failure:
            self._logger.warning(
                "The columns of dataset %s come from its metadata, generated ones are missing: %s",
                dataset_id,
                failure,
            )
            return self._stored(dataset_id)
        if isinstance(first_failure, Refusal) and first_failure.not_accepted:
            # Not the dataset's fault, then: do not ask this way for the others.
            self._post_accepted = False
        return headers

    def _stored(self, dataset_id: str) -> tuple[Property, ...]:
        """The stored properties: what the metadata lists, and `_id`."""
        listed = self._client.metadata(dataset_id).properties
        own = [declared for declared in listed if declared.key != ID]
        return (Property(ID, "Id", "text"), *own)

    def _head_of(self, request: requests.PreparedRequest) -> tuple[Property, ...]:
        """Read an export only as far as its headers."""

        def once() -> tuple[Property, ...]:
            with self._client.open(request) as response:
                headers = JsonRows(decompressed(arriving(response, _STREAMED_BYTES))).headers
                # A short rest read to its end leaves a connection that can be used again.
                length = response.headers.get("Content-Length", "")
                if length.isdigit() and int(length) <= _WORTH_FINISHING_BYTES:
                    response.raw.read(_WORTH_FINISHING_BYTES, decode_content=False)
                return headers

        return self._client.retrying(once)
