"""The stream `orgvue_drafts`, and the base class of both streams of drafts."""

from __future__ import annotations

import json
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from singer_sdk.helpers.conform import TypeConformanceLevel
from typing_extensions import override

from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import OrgvueError, RequestLimitReached, Stopped
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.schema import naming
from tap_orgvue.schema.change_rules import protected_forms
from tap_orgvue.schema.patterns import same_forms
from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.singer.stream_maps import has_filter
from tap_orgvue.streams.deletion_guard import activate_version_if_safe
from tap_orgvue.streams.own_stream import OwnStream
from tap_orgvue.streams.state import STATE_KEY, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_orgvue.drafts.selection import Drafts, DraftSelection
    from tap_orgvue.orgvue.drafts import Draft
    from tap_orgvue.reporting.journal import StreamJournal
    from tap_orgvue.schema.change_rules import ChangeRules
    from tap_orgvue.streams.source import Source

_MOST_FAULTS = 5
"""The most faults in the stream's error; the log has each of them before."""

_HARMLESS = frozenset({"layers", "_links"})
"""Members of the list that hold no values of properties."""


class DraftStream(OwnStream, BatchStream):
    """A stream about drafts; always a full table."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    """Records satisfy their schema when they are made."""

    can_encode_rows = False
    """Records go through the SDK's own loop."""

    def __init__(self, tap: Tap, source: Source, drafts: Drafts) -> None:
        """Make the stream."""
        self._source = source
        self._drafts = drafts
        super().__init__(tap, path=source.client.drafts_url.removeprefix(source.client.base_url))

    @property
    @override
    def url_base(self) -> str:
        """The tenant's part of the region's API."""
        return self._source.client.base_url

    @abstractmethod
    def rows(self) -> Iterator[Record]:
        """The records.

        Raises:
            OrgvueError: After the last record, if records may be missing.
        """

    @property
    def journal(self) -> StreamJournal:
        """The stream's part of the journal."""
        return self._source.journal.stream(self.name)

    @override
    def request_records(self, context: Context | None) -> Iterator[Record]:
        """The records, counted."""
        journal = self.journal
        for record in self.rows():
            journal.rows += 1
            yield record

    def _selection(self) -> DraftSelection:
        """The drafts of the run, once they are listed."""
        self.journal.enter(Stage.WAITING)
        selection = self._drafts.selection(self.name)
        self.journal.enter(Stage.SENDING)
        return selection

    def check(self) -> None:
        """Check what can be known of the stream without a request for changes.

        Raises:
            OrgvueError: The drafts cannot be listed, or not all of them can be sent.
        """
        if faults := self._faults(self._drafts.selection(self.name)):
            raise self._fail(faults)

    def _faults(self, selection: DraftSelection) -> list[str]:
        """Why rows may be missing, by the list of drafts; a sentence each."""
        return [*selection.faults]

    @override
    def finish(self) -> None:
        """Activate the version, as all drafts were read, and keep the state."""
        settings = self._source.settings
        if settings.emit_activate_version_messages and settings.datasets:
            self.logger.info(
                "'%s': rows of drafts that are gone stay in the table, because `datasets` narrows "
                "the run.",
                self.name,
            )
        rows, percent = self.journal.rows, settings.delete_guard_percent
        withheld: str | None = None
        if rows or not percent or self.version is None:
            withheld = activate_version_if_safe(
                self, self._state, rows, permissioned=False, guard_percent=percent
            )
        else:
            # A misspelt or renamed entry of `drafts` must not empty a table.
            log = self.logger.error if self._state.rows else self.logger.info
            log(
                "'%s': no rows are sent, and those that are in the table are NOT removed. If this "
                "is intended, run once with `delete_guard_percent` 0.",
                self.name,
            )
            self._state.version = self.version
            withheld = "no draft is sent"
        self._state.protected = self._drafts.datasets.protections(self._state.protected)
        self._keep_state(rows, withheld)

    def keep_protections(self) -> bool:
        """Keep what this run protects, after a failure; True if that changes the state."""
        state = StreamState.from_bookmark(self.stream_state)
        protected = self._drafts.datasets.protections(state.protected)
        if protected == state.protected:
            return False
        state.protected, state.tenant = protected, self._source.tenant
        self.stream_state[STATE_KEY] = state.to_json()
        return True

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """True if rows may be removed: not where `datasets` or a stream map narrows the run."""
        settings = self._source.settings
        return (
            settings.emit_activate_version_messages
            and not settings.datasets
            and not has_filter(self.config.get("stream_maps") or {}, self.name)
        )

    def _fail(self, faults: Sequence[str], remedies: Collection[Remedy] = ()) -> OrgvueError:
        """The stream's error.

        Args:
            faults: Sentences.
            remedies: What may help, for each fault that is an error of its own.
        """
        more = len(faults) - _MOST_FAULTS
        shown = [*faults[:_MOST_FAULTS], *([f"And {more} more."] if more > 0 else [])]
        remedy = Remedy.LATER if Remedy.LATER in remedies else Remedy.UNKNOWN
        if len(remedies) == len(faults) and {*remedies} == {Remedy.PERSON}:
            remedy = Remedy.PERSON
        return OrgvueError(
            f"Stream '{self.name}' is not complete, so that no rows are removed from its table. "
            + " ".join(shown),
            remedy=remedy,
        )


class DraftsStream(DraftStream):
    """One row per draft: its entry in the list of drafts."""

    name = naming.DRAFTS_STREAM
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "draft_id",
            th.StringType,
            required=True,
            nullable=False,
            title="Draft id",
            description="Orgvue's id of the draft.",
        ),
        th.Property("name", th.StringType, title="Name", description="The draft's name."),
        th.Property(
            "dataset_id",
            th.StringType,
            title="Dataset id",
            description="The dataset that the draft is based on; null if Orgvue names none.",
        ),
        th.Property(
            "details",
            th.StringType,
            title="Details",
            description="All other members of the list's entry: a JSON object as text.",
        ),
    ).to_dict()
    primary_keys = ("draft_id",)

    def __init__(self, tap: Tap, source: Source, drafts: Drafts) -> None:
        """Make the stream."""
        super().__init__(tap, source, drafts)
        self._forms: dict[int, AbstractSet[str]] = {}

    @override
    def rows(self) -> Iterator[Record]:
        """The drafts that this run sends."""
        selection = self._selection()
        faults = self._faults(selection)
        for draft in selection.sent:
            try:
                details = self._details(draft)
            except (RequestLimitReached, Stopped):
                raise
            except OrgvueError as error:
                faults.insert(0, f"Draft {draft} and those after it are not sent: {error}")
                raise self._fail(faults, [error.remedy]) from error
            yield {
                "draft_id": draft.draft_id,
                "name": draft.name,
                "dataset_id": draft.dataset_id,
                "details": details,
            }
        if faults:
            raise self._fail(faults)

    def _details(self, draft: Draft) -> str:
        """The entry's other members, without those that have the name of a protected property.

        Raises:
            OrgvueError: The protected properties cannot be determined.
        """
        rules = self._source.rules
        if not rules.excluded and not rules.hashed:
            return draft.details
        of_draft = self._drafts.rules_of(draft)
        forms = self._protected_forms(of_draft)

        def is_protected(name: str) -> bool:
            return rules.may_protect(name) or not forms.isdisjoint(same_forms(name))

        details = json.loads(draft.details)
        if not of_draft.are_known:
            # A member may be called as the key of a property that a display name protects.
            details = {name: each for name, each in details.items() if name in _HARMLESS}
        kept = _without(details, is_protected)
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    def _protected_forms(self, of: ChangeRules) -> AbstractSet[str]:
        """The names of the protected properties, in the forms in which names are compared."""
        # Drafts of one dataset share its rules, which live as long as the run.
        if id(of) not in self._forms:
            self._forms[id(of)] = protected_forms(of)
        return self._forms[id(of)]


def _without(value: Any, is_protected: Callable[[str], bool]) -> Any:
    """A JSON value without the members of these names, at any depth."""
    if isinstance(value, list):
        return [_without(entry, is_protected) for entry in value]
    if isinstance(value, dict):
        return {
            key: _without(entry, is_protected)
            for key, entry in value.items()
            if not is_protected(key)
        }
    return value
