"""A tenant: its datasets, its drafts, and the token that opens them."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from tap_orgvue.simulator.dataset import Dataset
from tap_orgvue.simulator.ids import made_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.simulator.drafts import Draft


_FIRST_CHANGE = datetime(2026, 1, 1, tzinfo=timezone.utc)
_FAR_AWAY = datetime(2100, 1, 1, tzinfo=timezone.utc)


@dataclass(eq=False)
class Tenant:
    """Datasets, drafts, and the token that opens them.

    Attributes:
        datasets: What the list shows, in order. To be changed through the methods alone.
        drafts: What the list of drafts shows, likewise.
        tenant_id: The id in every path.
        token_starts: When the token becomes active; without one it always was.
        token_expires: When it ends; without one, in the year 2100.
    """

    datasets: Sequence[Dataset] = ()
    drafts: Sequence[Draft] = ()
    _: KW_ONLY
    tenant_id: str = "DEMO"
    token_starts: datetime | None = None
    token_expires: datetime | None = None

    def __post_init__(self) -> None:
        """Check that ids are unique."""
        given, self.datasets = self.datasets, list[Dataset]()
        for dataset in given:
            self.add(dataset)

    def add(self, dataset: Dataset) -> None:
        """Add a dataset at the end.

        Raises:
            ValueError: Another has its id, as when two of one name were given none.
        """
        if any(each.dataset_id == dataset.dataset_id for each in self.datasets):
            message = f"two datasets have the id {dataset.dataset_id}: give each its own"
            raise ValueError(message)
        self.datasets = [*self.datasets, dataset]

    def remove(self, dataset: Dataset | str) -> None:
        """Delete a dataset, given itself or its name or id."""
        gone = self.dataset(dataset) if isinstance(dataset, str) else dataset
        self.datasets = [each for each in self.datasets if each is not gone]

    def add_draft(self, draft: Draft) -> None:
        """Add a draft at the end."""
        self.drafts = [*self.drafts, draft]

    def remove_draft(self, draft: Draft | str) -> None:
        """Delete a draft, given itself or its name or id."""
        gone = self.draft(draft) if isinstance(draft, str) else draft
        self.drafts = [each for each in self.drafts if each is not gone]

    def dataset(self, name_or_id: str) -> Dataset:
        """Find a dataset by its name or its id, the latter in any case.

        Raises:
            KeyError: There is none.
        """
        for dataset in self.datasets:
            if name_or_id == dataset.name or name_or_id.upper() == dataset.dataset_id.upper():
                return dataset
        raise KeyError(name_or_id)

    def draft(self, name_or_id: str) -> Draft:
        """Find a draft by its name or its id, the latter in any case.

        Raises:
            KeyError: There is none.
        """
        for draft in self.drafts:
            if name_or_id == draft.name or name_or_id.upper() == draft.draft_id.upper():
                return draft
        raise KeyError(name_or_id)

    @property
    def token(self) -> str:
        """The token, whose claims hold both dates."""
        starts = self.token_starts or _FIRST_CHANGE
        return made_token(self.tenant_id, starts, self.token_expires or _FAR_AWAY)
