"""Reads the headers of exports for a check: each dataset once, until the check's deadline."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_orgvue.exports.headers import HeaderReader, NotReached, SkippedDataset
from tap_orgvue.orgvue.errors import ConnectionFailed, DeadlineExceeded, OrgvueError, TenantRefusal

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Sequence

    import requests

    from tap_orgvue.exports.headers import DatasetHeaders
    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.deadlines import Deadline
    from tap_orgvue.orgvue.models import Dataset, Property
    from tap_orgvue.orgvue.request_log import Purpose


class CheckedHeaders(HeaderReader):
    """Keeps headers and errors, and distinguishes failures from a lack of time. Thread safe.

    Attributes:
        found: Dataset id in upper case to its headers, or why they cannot be read.
        first: Set once the headers of a dataset are known.
    """

    def __init__(
        self,
        client: Client,
        logger: logging.Logger,
        deadline: Deadline,
        *,
        include_calculations: bool = True,
    ) -> None:
        """Request nothing yet; see `HeaderReader`.

        Args:
            client: The tenant; its total timeout should end no earlier than the deadline.
            logger: For warnings about headers without generated properties.
            deadline: The end of the check.
            include_calculations: False if only the stored properties are wanted.
        """
        super().__init__(client, logger, include_calculations=include_calculations)
        self.found: dict[str, tuple[Property, ...] | OrgvueError] = {}
        self.first = threading.Event()
        self._deadline = deadline
        self._export_failures: dict[tuple[str, str], OrgvueError] = {}

    @override
    def read(self, dataset_id: str) -> tuple[Property, ...]:
        """Read the headers of one dataset's export, once.

        Raises:
            NotReached: The deadline passed before.
            OrgvueError: As for `HeaderReader.read`.
        """
        key = dataset_id.upper()
        if key not in self.found:
            try:
                self.found[key] = super().read(dataset_id)
            except OrgvueError as error:
                self.found[key] = self.judged(error)
            else:
                self.first.set()
        found = self.found[key]
        if isinstance(found, OrgvueError):
            raise found
        return found

    @override
    def read_all(self, datasets: Sequence[Dataset]) -> Iterator[DatasetHeaders | SkippedDataset]:
        """Read the headers of many datasets; those that were not reached are kept apart.

        Raises:
            NotReached: No dataset is known to be readable, and some were not reached.
            OrgvueError: As for `HeaderReader.read_all`.
        """
        any_read = False
        for found in super().read_all(datasets):
            if not isinstance(found, SkippedDataset):
                any_read = True
            elif isinstance(self.judged(found.error), NotReached):
                self.not_reached.append(found.dataset)
                continue
            yield found
        if self.not_reached and not any_read:
            raise self.late() or NotReached("No dataset was reached in time.")

    def late(self) -> NotReached | None:
        """Why a dataset was not reached, for the first of them; None if there is none."""
        found = list(self.found.values())
        return next((each for each in found if isinstance(each, NotReached)), None)

    def export_failure(self, dataset_id: str, method: str) -> OrgvueError | None:
        """Why an export failed if its columns were read from metadata instead; else None.

        Args:
            dataset_id: The dataset.
            method: `GET` or `POST`.
        """
        return self._export_failures.get((dataset_id.upper(), method))

    @override
    def _from_export(
        self, request: requests.PreparedRequest, purpose: Purpose
    ) -> tuple[Property, ...]:
        """Read an export up to its first row, and keep why that fails."""
        key = str(purpose.dataset_id).upper()
        try:
            headers = super()._from_export(request, purpose)
        except OrgvueError as error:
            self._export_failures[key, str(request.method)] = error
            raise
        for method in ("GET", "POST"):
            self._export_failures.pop((key, method), None)
        return headers

    def judged(self, error: OrgvueError) -> OrgvueError:
        """The error; `NotReached` instead if the deadline caused it."""
        is_over = isinstance(error, ConnectionFailed) and self._deadline.left() <= 0
        if isinstance(error, TenantRefusal) or not (is_over or isinstance(error, DeadlineExceeded)):
            return error
        return NotReached(str(error))
