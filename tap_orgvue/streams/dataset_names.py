"""The current names of datasets in Orgvue, requested only where a run needs them."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TYPE_CHECKING

from tap_orgvue.orgvue.thread_pool import DaemonThreadPool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from tap_orgvue.orgvue.client import Client
    from tap_orgvue.orgvue.models import Dataset, DatasetList
    from tap_orgvue.streams.discovery import Discovery

_PATIENCE = 5.0
"""Seconds that a finished stream waits for the names."""


class DatasetNames:
    """The names of datasets, now and in the catalog.

    A run with a catalog does not need the list of datasets. If names are compared with the last
    run's, or written to a run report, the list is requested once, beside the exports. A list that
    cannot be read fails nothing.
    """

    def __init__(
        self, client: Client, discovery: Discovery, catalog: Mapping[str, str], *, wanted: bool
    ) -> None:
        """Request nothing yet.

        Args:
            client: The tenant's API.
            discovery: May have requested the list already.
            catalog: Dataset id in upper case to its name when the catalog was made.
            wanted: True if the list may be requested for the names.
        """
        self._client = client
        self._discovery = discovery
        self._catalog = catalog
        self._wanted = wanted
        self._noted: dict[str, str] = {}
        self._pool = DaemonThreadPool(1)
        self._lock = threading.Lock()
        self._list: Future[DatasetList] | None = None
        self._patience = _PATIENCE

    def request(self) -> None:
        """Request the list of datasets in a thread of its own, if it is wanted and not there.

        Called in any thread, once an export is there: a run without exports needs no names.
        """
        with self._lock:
            if self._wanted and self._listed() is None:
                self._wanted = False
                self._list = self._pool.submit(self._client.datasets)

    def note(self, dataset_id: str, name: str) -> None:
        """Keep a name from a dataset's metadata."""
        if name:
            self._noted[dataset_id.upper()] = name

    def now(self, dataset_id: str) -> str | None:
        """A dataset's current name; None if it is unknown."""
        dataset_id = dataset_id.upper()
        if dataset_id in self._noted:
            return self._noted[dataset_id]
        listed = self._listed()
        if listed is None:
            self._take_list()
            return self._noted.get(dataset_id)
        return listed[dataset_id].name if dataset_id in listed else None

    def in_catalog(self, dataset_id: str) -> str | None:
        """Its name when the catalog was made; None if the catalog has none."""
        return self._catalog.get(dataset_id.upper())

    def close(self) -> None:
        """Let the thread end."""
        self._pool.close()

    def _listed(self) -> Mapping[str, Dataset] | None:
        """The datasets by their ids, if discovery has requested the list."""
        discovery = self._discovery
        return discovery.datasets_by_id if "listed" in vars(discovery) else None

    def _take_list(self) -> None:
        """Take the list, and wait for it once."""
        future, patience = self._list, self._patience
        if future is None:
            return
        self._patience = 0.0
        try:
            error = future.exception(timeout=patience)
        except (CancelledError, FutureTimeout):
            return
        self._list = None
        if error is None:
            for dataset in future.result().datasets:
                self.note(dataset.dataset_id, dataset.name)
