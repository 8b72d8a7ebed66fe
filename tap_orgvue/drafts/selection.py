"""The drafts of a run: their selection, and the exports of their changes."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from typing_extensions import override

from tap_orgvue.exports.action_jobs import ActionJobs, actions_request
from tap_orgvue.exports.progress import Unwatched
from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.drafts import list_drafts
from tap_orgvue.orgvue.errors import OrgvueError, Refusal, RequestLimitReached, Stopped
from tap_orgvue.orgvue.models import is_dataset_id
from tap_orgvue.orgvue.thread_pool import DaemonThreadPool
from tap_orgvue.schema.naming import DRAFT_ACTIONS_STREAM
from tap_orgvue.schema.patterns import matches
from tap_orgvue.streams.prefetch import Prefetcher

if TYPE_CHECKING:
    import logging
    from concurrent.futures import Future

    from tap_orgvue.drafts.datasets import DraftDatasets
    from tap_orgvue.orgvue.drafts import Draft
    from tap_orgvue.reporting.journal import StreamJournal
    from tap_orgvue.schema.change_rules import ChangeRules
    from tap_orgvue.streams.source import Source


class RefusedDraft(msgspec.Struct, frozen=True):
    """A draft that matches the setting `drafts`, and is not sent.

    Attributes:
        draft: The draft.
        reason: Why it is not sent, as a clause.
    """

    draft: Draft
    reason: str

    @override
    def __str__(self) -> str:
        """The reason in a sentence, and the remedy."""
        return (
            f"Draft {self.draft} is not sent, because {self.reason}. To send it all the same, name "
            f"it in `drafts` by its id."
        )


class DraftSelection(msgspec.Struct, frozen=True):
    """The drafts that a run sends and those that it refuses.

    Attributes:
        listed: The number of drafts in the tenant's list.
        sent: The drafts that are sent, in the order of the list.
        refused: Those that match `drafts` and are not sent.
        faults: Why further drafts should be sent and cannot be, a sentence each.
        unmatched: The entries of `drafts` that match no draft.
    """

    listed: int
    sent: tuple[Draft, ...]
    refused: tuple[RefusedDraft, ...] = ()
    faults: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()

    @property
    def layers(self) -> list[tuple[Draft, str]]:
        """Draft and layer key, for each layer of the drafts that are sent."""
        return [(draft, key) for draft in self.sent for key in draft.layers]

    @override
    def __str__(self) -> str:
        """`3 are listed, 2 of them are sent, in 4 layers, and 1 refused`."""
        counts = f"{self.listed} are listed, {len(self.sent)} of them are sent"
        layers = f", in {len(self.layers)} layers" if self.sent else ""
        refused = f", and {len(self.refused)} refused" if self.refused else ""
        return f"{counts}{layers}{refused}"


class DraftListUnavailable(OrgvueError):
    """The list of drafts cannot be read.

    Attributes:
        cause: The error of the list's request.
    """

    def __init__(self, stream: str, cause: OrgvueError) -> None:
        """Name the stream that is not sent."""
        refused = isinstance(cause, Refusal) and cause.remedy is not Remedy.LATER
        super().__init__(
            f"Stream '{stream}': the tenant's drafts cannot be listed, so that none is sent and "
            f"its table stays as it is. {cause} If the tenant has no drafts, or the token's user "
            "may not see them, remove the setting `drafts`.",
            remedy=Remedy.PERSON if refused else cause.remedy,
        )
        self.cause = cause
        self.retryable = cause.retryable


class DraftExport(msgspec.Struct, frozen=True):
    """The actions of one layer, on disk.

    Attributes:
        response: The actions.
        rules: The rules for the values.
        exported_at: The time of the request, in UTC.
    """

    response: ExportResponse
    rules: ChangeRules
    exported_at: datetime

    def close(self) -> None:
        """Free the disk."""
        self.response.close()


class _CountedBytes(Unwatched):
    """Counts the bytes of the changes, several of which are fetched at once."""

    def __init__(self, journal: StreamJournal) -> None:
        """Take the stream's part of the journal."""
        self._journal = journal

    @override
    def received(self, count: int) -> None:
        """Count the bytes."""
        self._journal.add_bytes(count)


class Drafts:
    """The drafts of a run. Its streams share one list, so that they agree.

    Attributes:
        datasets: The datasets that they are based on.
    """

    def __init__(self, source: Source, datasets: DraftDatasets, logger: logging.Logger) -> None:
        """Request nothing yet.

        Args:
            source: The tenant.
            datasets: The datasets that drafts are based on.
            logger: For the number of drafts, and warnings about refused ones.
        """
        self._logger = logger
        self._source = source
        self.datasets = datasets
        settings = source.settings
        self._jobs = ActionJobs(
            source.client, timeout=settings.job_timeout, temp_dir=settings.temp_dir
        )
        self._prefetcher: Prefetcher[DraftExport] = Prefetcher(settings.max_parallel_requests)
        self._pool = DaemonThreadPool(1)
        self._started: Future[None] | None = None
        self._selected: DraftSelection | OrgvueError | None = None

    # -- their selection

    def start(self, *, with_actions: bool) -> None:
        """List the drafts and fetch the first ones' actions, while other streams are sent.

        Args:
            with_actions: False if only the list is needed.
        """
        self._started = self._pool.submit(lambda: self._begin(with_actions=with_actions))

    def _begin(self, *, with_actions: bool) -> None:
        selected = self._select()
        if with_actions and isinstance(selected, DraftSelection):
            for draft, key in selected.layers:
                self._plan(draft, key)
            self._prefetcher.start()

    def _plan(self, draft: Draft, key: str) -> None:
        self._prefetcher.plan(_place(draft, key), lambda: self._fetch(draft, key))

    def selection(self, stream: str) -> DraftSelection:
        """The drafts that are sent and those that are refused.

        Args:
            stream: The name of the stream, for the message.

        Raises:
            DraftListUnavailable: The list cannot be read.
            RequestLimitReached: The limit `max_requests_per_run` is reached.
            Stopped: The run ends.
        """
        if self._started is not None:
            self._started.result()
        selected = self._select()
        if isinstance(selected, (RequestLimitReached, Stopped)):
            raise selected
        if isinstance(selected, OrgvueError):
            # Other streams may go on, even after an error that would end a run elsewhere.
            raise DraftListUnavailable(stream, selected) from selected
        return selected

    def _select(self) -> DraftSelection | OrgvueError:
        if self._selected is None:
            try:
                self._selected = self._from_list()
            except OrgvueError as error:
                self._selected = error
            else:
                self._report(self._selected)
        return self._selected

    def _from_list(self) -> DraftSelection:
        listing, patterns = list_drafts(self._source.client), self._source.settings.drafts
        sent, refused, matched = [], [], set()
        faults = list(listing.faults)
        for draft in listing.drafts:
            of_draft = {pattern for pattern in patterns if _matches(draft, pattern)}
            matched |= of_draft
            if not of_draft:
                continue
            reason = self._reason_to_refuse(draft)
            if fault := self.datasets.fault(draft.dataset_id or ""):
                faults.append(f"Draft {draft} is not sent: discovery skipped its dataset. {fault}")
            elif reason is None:
                sent.append(draft)
            else:
                refused.append(RefusedDraft(draft, reason))
        unmatched = tuple(pattern for pattern in patterns if pattern not in matched)
        return DraftSelection(
            len(listing.drafts), tuple(sent), tuple(refused), tuple(faults), unmatched
        )

    def _is_named(self, draft: Draft) -> bool:
        """True if the user names a draft by its id."""
        return draft.draft_id.upper() in self._ids

    @cached_property
    def _ids(self) -> frozenset[str]:
        return frozenset(pattern.upper() for pattern in self._source.settings.drafts)

    def _reason_to_refuse(self, draft: Draft) -> str | None:
        """Why a draft that is matched by its name is not sent; None if it is."""
        if self._is_named(draft):
            return None
        settings, dataset_id = self._source.settings, draft.dataset_id
        if dataset_id is None:
            if any(settings.filters.values()):
                return (
                    "`filters` is set, which does not narrow drafts, and Orgvue names no dataset "
                    "that this one is based on"
                )
            return None
        name = self.datasets.stream_name(dataset_id)
        if settings.for_stream(settings.filters, name or "", dataset_id):
            return f"`filters` is set for its dataset ('{name}'), and does not narrow drafts"
        return self.datasets.reason_not_read(dataset_id)

    def _report(self, selection: DraftSelection) -> None:
        logger = self._logger
        logger.info("Drafts: %s.", selection)
        for pattern in selection.unmatched:
            logger.warning("drafts: no draft's id or name matches %r.", pattern)
        for refused in selection.refused:
            logger.warning("%s", refused)

    # -- their actions

    def take(self, draft: Draft, key: str) -> DraftExport:
        """Wait for the actions of a layer; the caller closes them.

        Raises:
            OrgvueError: They cannot be read, or the rules for their values cannot be determined.
        """
        return self._prefetcher.take(_place(draft, key)) or self._fetch(draft, key)

    def rules_of(self, draft: Draft) -> ChangeRules:
        """The rules for the values in a draft's changes.

        Raises:
            OrgvueError: They cannot be determined.
        """
        return self.datasets.rules_of(draft.dataset_id, is_named=self._is_named(draft))

    def _fetch(self, draft: Draft, key: str) -> DraftExport:
        rules = self.rules_of(draft)
        request = actions_request(self._source.client, draft.draft_id, key)
        exported_at = datetime.now(timezone.utc)
        progress = _CountedBytes(self._source.journal.stream(DRAFT_ACTIONS_STREAM))
        file = self._jobs.fetch(request, draft.draft_id, progress)
        return DraftExport(ExportResponse(request, file, reads_ahead=False), rules, exported_at)

    def close(self) -> None:
        """Drop the actions that nobody took."""
        self._prefetcher.close()
        self._pool.close()


def _place(draft: Draft, key: str) -> str:
    """The name of a layer's export in the prefetcher."""
    return f"{draft.draft_id}\n{key}"


def _matches(draft: Draft, pattern: str) -> bool:
    if pattern.upper() == draft.draft_id.upper():
        return True
    return not is_dataset_id(pattern) and matches(pattern, [draft.name])
