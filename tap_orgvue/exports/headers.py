"""Reads the columns of a dataset's export by the cheapest request that the server accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.exports.byte_streams import decompressed
from tap_orgvue.exports.json_rows import JsonRows
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import (
    RUN_ENDING,
    ConnectionFailed,
    DatasetRefusal,
    DeadlineExceeded,
    MalformedResponse,
    OrgvueError,
    Refusal,
    TenantRefusal,
)
from tap_orgvue.orgvue.models import ID, NO_NODE, Property, Query
from tap_orgvue.orgvue.request_log import Purpose, RequestKind
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.orgvue.transport import iter_raw

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Sequence

    import requests

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset, Metadata


NO_ROWS = Query(filter={ID: NO_NODE})
"""Matches no node: the response has headers and no rows (inferred)."""

_CHUNK_BYTES = 16 * 1024
_WORTH_FINISHING_BYTES = 64 * 1024
"""Longest body that is read to its end, so that its connection serves the next request."""
_ALIKE = 8
"""Datasets that fail alike, from the first on, until discovery ends."""


class DatasetHeaders(msgspec.Struct, frozen=True):
    """The columns of a dataset's export.

    Attributes:
        headers: The columns, in the export's order.
        key: Property key that identifies a row: `_id`, else the dataset's `autoId`, else None.
    """

    dataset: Dataset
    headers: tuple[Property, ...]
    key: str | None


class SkippedDataset(msgspec.Struct, frozen=True):
    """A dataset whose headers cannot be read.

    Attributes:
        dataset: The dataset.
        error: Why.
    """

    dataset: Dataset
    error: OrgvueError

    @property
    def forbidden(self) -> bool:
        """True if the token's user may not read it, or it is gone (403, 404)."""
        return isinstance(self.error, DatasetRefusal)


class NotReached(DeadlineExceeded):
    """The headers were not read in the time of a check; a run takes the time it needs."""

    remedy = Remedy.LATER


class HeaderReader:
    """Reads the headers of exports, by POST while the server accepts that. Thread safe.

    Attributes:
        not_reached: Datasets that a check had no time for; always empty in a run.
        reads_metadata: True if `read_all` reads each dataset's metadata beside its headers.
        metadata: Dataset id to its metadata, where it was read.
        metadata_error: Why it stopped reading metadata that no headers need; None if it did not.
    """

    def __init__(
        self,
        client: Client,
        logger: logging.Logger,
        *,
        include_calculations: bool = True,
        on_read: Callable[[], None] = lambda: None,
    ) -> None:
        """Request nothing yet.

        Args:
            client: The tenant.
            logger: For warnings about headers without generated properties.
            include_calculations: False if only the stored properties are wanted.
            on_read: Called in any thread once for each dataset of `read_all`, as it is done.
        """
        self._client = client
        self._logger = logger
        self._include_calculations = include_calculations
        self._on_read = on_read
        self._post_accepted = True
        self.not_reached: list[Dataset] = []
        self.reads_metadata = False
        self.metadata: dict[str, Metadata] = {}
        self.metadata_error: OrgvueError | None = None

    def read_all(self, datasets: Sequence[Dataset]) -> Iterator[DatasetHeaders | SkippedDataset]:
        """Read the headers of many datasets, several at once.

        With `reads_metadata` the metadata of datasets that can be read as well, as far as it can
        be: one dataset's metadata is requested while the headers of others are.

        Yields:
            The headers, or why there are none, in the order of the datasets.

        Raises:
            TenantRefusal: Nothing of this tenant can be read.
            RequestLimitReached: The user's own limit of requests is reached.
            RetryAfterTooLong: Orgvue asks for a longer wait than the user allows.
            OrgvueError: The first datasets all fail alike: it is not one dataset's trouble.
        """
        pool = DaemonThreadPool(self._client.options.max_parallel_requests)
        alike: list[SkippedDataset] = []
        try:
            for i, found in enumerate(pool.map(self._read_one, datasets)):
                if isinstance(found, SkippedDataset) and not found.forbidden and i == len(alike):
                    alike.append(found)
                    same = len({each.error.symptom for each in alike}) == 1
                    if len(alike) == _ALIKE and same:
                        raise found.error
                yield found
        finally:
            pool.close()

    def _read_one(self, dataset: Dataset) -> DatasetHeaders | SkippedDataset:
        found: DatasetHeaders | SkippedDataset
        try:
            headers = self.read(dataset.dataset_id)
            found = DatasetHeaders(dataset, headers, self._key(dataset, headers))
            if self.reads_metadata:
                self._try_metadata(dataset.dataset_id)
        except RUN_ENDING:
            raise
        except OrgvueError as error:
            found = SkippedDataset(dataset, error)
        self._on_read()
        return found

    def _key(self, dataset: Dataset, headers: Sequence[Property]) -> str | None:
        keys = {header.key for header in headers}
        if ID in keys:
            return ID
        # The columns may come from the metadata already.
        metadata = self.metadata.get(dataset.dataset_id) or self._request(dataset.dataset_id)
        return metadata.auto_id if metadata.auto_id in keys else None

    def _request(self, dataset_id: str) -> Metadata:
        """Request a dataset's metadata, and keep it."""
        self.metadata[dataset_id] = self._client.metadata(dataset_id)
        return self.metadata[dataset_id]

    def _try_metadata(self, dataset_id: str) -> None:
        """Request the metadata of a dataset, whose stream does not depend on it."""
        if dataset_id in self.metadata or self.metadata_error is not None:
            # After an error each further request would take its retries as well.
            return
        try:
            self._request(dataset_id)
        except DatasetRefusal:
            pass
        except RUN_ENDING:
            raise
        except OrgvueError as error:
            self.metadata_error = error

    def read(self, dataset_id: str) -> tuple[Property, ...]:
        """Read the headers of one dataset's export.

        Three sources are tried: a POST for an export without rows, the start of a GET for the whole
        export, and the metadata, which lacks generated properties.

        Raises:
            TenantRefusal: Nothing of this tenant can be read.
            DatasetRefusal: The dataset is gone, or the token's user may not read it.
            OrgvueError: The metadata cannot be read either.
        """
        if not self._include_calculations:
            return self._stored(dataset_id)
        url, purpose = self._client.export_url(dataset_id), Purpose(RequestKind.HEADERS, dataset_id)
        post_failure: OrgvueError | None = None
        if self._post_accepted:
            try:
                request = self._client.prepare("POST", url, json=NO_ROWS.body())
                return self._from_export(request, purpose)
            except TenantRefusal:
                raise
            except (Refusal, MalformedResponse, ConnectionFailed) as failure:
                post_failure = failure
        try:
            headers = self._from_export(self._client.prepare("GET", url), purpose)
        except (TenantRefusal, DatasetRefusal):
            raise
        except (Refusal, MalformedResponse, ConnectionFailed) as failure:
            self._logger.warning(
                "The columns of dataset %s come from its metadata, without generated ones: %s",
                dataset_id,
                failure,
            )
            return self._stored(dataset_id)
        if isinstance(post_failure, Refusal) and post_failure.not_accepted:
            # The GET succeeded: the server refuses the method, not the dataset.
            self._post_accepted = False
        return headers

    def _stored(self, dataset_id: str) -> tuple[Property, ...]:
        """The metadata's properties and `_id`."""
        properties = self._request(dataset_id).properties
        return (Property(ID, "Id", "text"), *(each for each in properties if each.key != ID))

    def _from_export(
        self, request: requests.PreparedRequest, purpose: Purpose
    ) -> tuple[Property, ...]:
        """Read an export up to its first row."""

        def attempt() -> tuple[Property, ...]:
            deadline = self._client.small_response_deadline()
            with self._client.open(request, purpose, deadline=deadline) as response:
                headers = JsonRows(decompressed(iter_raw(response, _CHUNK_BYTES))).headers
                # Only a body that is read to its end frees its connection for the next request.
                length = response.headers.get("Content-Length", "")
                if length.isdigit() and int(length) <= _WORTH_FINISHING_BYTES:
                    response.raw.read(_WORTH_FINISHING_BYTES, decode_content=False)
                return headers

        return self._client.retrying(attempt, purpose)
