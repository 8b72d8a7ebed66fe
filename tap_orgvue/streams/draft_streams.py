"""The streams `orgvue_drafts` and `orgvue_draft_actions`: the changes that drafts hold."""

from __future__ import annotations

import json
from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from singer_sdk.helpers.conform import TypeConformanceLevel
from typing_extensions import override

from tap_orgvue.exports.action_jobs import ActionRows
from tap_orgvue.orgvue.error_body import one_line
from tap_orgvue.orgvue.errors import (
    MalformedResponse,
    OrgvueError,
    Refusal,
    RequestLimitReached,
    Stopped,
    TenantRefusal,
)
from tap_orgvue.records.action_maker import ActionCounts, ActionMaker, elements_of
from tap_orgvue.schema import naming
from tap_orgvue.singer.batch_stream import BatchStream
from tap_orgvue.singer.stream_maps import has_filter
from tap_orgvue.streams.deletion_guard import activate_version_if_safe
from tap_orgvue.streams.draft_report import report_actions
from tap_orgvue.streams.state import STATE_KEY, StreamState
from tap_orgvue.timestamps import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_orgvue.orgvue.drafts import Draft
    from tap_orgvue.streams.drafts import DraftExport, Drafts
    from tap_orgvue.streams.source import Source

_ALIKE = 8
"""Layers that fail alike, from the first on, until no other one is requested."""
_MOST_FAULTS = 5
"""The most faults that the stream's error tells; the log has told each of them."""


class DraftStream(BatchStream):
    """A stream about drafts; always a full table."""

    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
    """Records satisfy their schema when they are made."""

    can_encode_rows = False
    """Records go through the SDK's own loop."""

    def __init__(self, tap: Tap, source: Source, drafts: Drafts) -> None:
        """Make the stream."""
        self._source = source
        self._drafts = drafts
        self._rows = 0
        super().__init__(tap, path=source.client.drafts_url.removeprefix(source.client.base_url))

    @property
    @override
    def url_base(self) -> str:
        """The tenant's part of the region's API."""
        return self._source.client.base_url

    @abstractmethod
    def rows(self) -> Iterator[Record]:
        """The records; an error after the last one if they may not be all."""

    @override
    def request_records(self, context: Context | None) -> Iterator[Record]:
        """The records, counted."""
        for record in self.rows():
            self._rows += 1
            yield record

    @cached_property
    def _state(self) -> StreamState:
        return StreamState.from_bookmark(self.stream_state)

    @override
    def finish(self) -> None:
        """Activate the version: all drafts were read. Keep what the next run needs."""
        settings = self._source.settings
        if settings.emit_activate_version_messages and settings.datasets:
            self.logger.info(
                "'%s': rows of drafts that are gone stay in the table, because `datasets` narrows "
                "the run.",
                self.name,
            )
        if self._rows or not settings.delete_guard_percent or self.version is None:
            activate_version_if_safe(
                self, self._state, self._rows, guard_percent=settings.delete_guard_percent
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
        self._state.tenant = self._source.tenant
        self.stream_state[STATE_KEY] = self._state.to_json()

    @override
    def next_version(self, now: int) -> int:
        """A version greater than every one before."""
        return self._state.next_version(now)

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        """True if rows may be removed: not where `datasets` or a stream map narrows the run.

        The SDK's BATCH encodings other than JSON lines have no place for a version.
        """
        settings = self._source.settings
        batches = self.get_batch_config(self.config)
        return (
            settings.emit_activate_version_messages
            and not settings.datasets
            and not has_filter(self.config.get("stream_maps") or {}, self.name)
            and (batches is None or batches.encoding.format == "jsonl")
        )

    def _fail(self, faults: Sequence[str]) -> OrgvueError:
        more = len(faults) - _MOST_FAULTS
        told = [*faults[:_MOST_FAULTS], *([f"And {more} more."] if more > 0 else [])]
        return OrgvueError(
            f"Stream '{self.name}' is not complete, so that no rows are removed from its table. "
            + " ".join(told)
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
            description="The dataset that the draft is based on; null where Orgvue does not tell.",
        ),
        th.Property(
            "details",
            th.StringType,
            title="Details",
            description="Everything else that the list of drafts tells: a JSON object as text.",
        ),
    ).to_dict()
    primary_keys = ("draft_id",)

    @override
    def rows(self) -> Iterator[Record]:
        """The drafts that this run sends."""
        selection = self._drafts.selection(self.name)
        for draft in selection.sent:
            yield {
                "draft_id": draft.draft_id,
                "name": draft.name,
                "dataset_id": draft.dataset_id,
                "details": self._details(draft),
            }
        if selection.faults:
            raise self._fail(selection.faults)

    def _details(self, draft: Draft) -> str:
        """What the list tells; without members that are called as a protected property is."""
        rules = self._source.rules
        if not rules.excluded and not rules.hashed:
            return draft.details
        kept = _without(json.loads(draft.details), rules.may_protect)
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


class DraftActionsStream(DraftStream):
    """One row per change of a draft."""

    name = naming.DRAFT_ACTIONS_STREAM
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property(
            "draft_id",
            th.StringType,
            required=True,
            nullable=False,
            title="Draft id",
            description="The draft; see orgvue_drafts.",
        ),
        th.Property(
            "layer_key",
            th.StringType,
            required=True,
            nullable=False,
            title="Layer key",
            description="The draft's layer; each draft has the layer default.",
        ),
        th.Property(
            "position",
            th.IntegerType,
            required=True,
            nullable=False,
            title="Position",
            description="The order of the change in its layer, from 1: later changes win.",
        ),
        th.Property(
            "action",
            th.StringType,
            title="Action",
            description="create, update, replace, delete, noop, createOrUpdate, createOrReplace, "
            "or whatever else Orgvue sends.",
        ),
        th.Property(
            "item_id",
            th.StringType,
            title="Item id",
            description="The _id of the item that changes; a created item may have none.",
        ),
        th.Property(
            "from_id",
            th.StringType,
            title="From id",
            description="The start of a link; null where the change is of no link.",
        ),
        th.Property(
            "to_id",
            th.StringType,
            title="To id",
            description="The end of a link; null where the change is of no link.",
        ),
        th.Property(
            "changes",
            th.StringType,
            title="Changes",
            description="The properties that change and their values as Orgvue sent them: a JSON "
            "object as text, without properties that are excluded, deselected or not known.",
        ),
        th.Property(
            "exported_at",
            th.DateTimeType,
            title="Exported at",
            description="When the change was requested from Orgvue.",
        ),
    ).to_dict()
    primary_keys = ("draft_id", "layer_key", "position")

    def __init__(self, tap: Tap, source: Source, drafts: Drafts) -> None:
        """Make the stream."""
        super().__init__(tap, source, drafts)
        self._counts = ActionCounts()

    @override
    def prepare(self) -> bool:
        """Say what does not apply here."""
        if self._source.settings.skip_unchanged:
            self.logger.warning(
                "skip_unchanged: Orgvue tells no cache key of a draft, so that it does not apply "
                "to '%s', which is read completely in every run.",
                self.name,
            )
        return True

    @override
    def rows(self) -> Iterator[Record]:
        """The changes of all layers; those that cannot be read are told at the end."""
        selection = self._drafts.selection(self.name)
        faults = [
            *selection.faults,
            *(f"Draft {draft} {draft.fault}." for draft in selection.sent if draft.fault),
        ]
        alike: list[OrgvueError] = []
        try:
            for number, (draft, key) in enumerate(selection.layers):
                try:
                    yield from self._of_layer(draft, key)
                except (RequestLimitReached, Stopped):
                    raise
                except OrgvueError as error:
                    faults.append(f"Draft {draft}, layer {one_line(key, 60)!r}: {error}")
                    self.logger.error("%s", faults[-1])  # noqa: TRY400 - a user's line
                    if number == len(alike) and _symptom(error) == _symptom((alike or [error])[0]):
                        alike.append(error)
                    if isinstance(error, TenantRefusal) or len(alike) == _ALIKE:
                        faults.insert(0, "No other draft was requested.")
                        break
        finally:
            report_actions(self.logger, self.name, self._counts)
        if faults:
            raise self._fail(faults)

    def _of_layer(self, draft: Draft, key: str) -> Iterator[Record]:
        # The wait can take minutes: send what is buffered.
        self.flush()
        export = self._drafts.take(draft, key)
        try:
            yield from self._records(draft, key, export)
        finally:
            export.close()

    def _records(self, draft: Draft, key: str, export: DraftExport) -> Iterator[Record]:
        maker = ActionMaker(
            export.rules, hash_key=self._source.settings.hash_key, counts=self._counts
        )
        exported_at = format_instant(export.exported_at)
        position = unreadable = 0
        first = ""
        for block in ActionRows(export.response.chunks()).blocks(elements_of):
            for raw in block:
                position += 1
                try:
                    members = maker.record(raw)
                except MalformedResponse as error:
                    first = first or f"{error} (position {position})"
                    unreadable += 1
                    continue
                yield {
                    "draft_id": draft.draft_id,
                    "layer_key": key,
                    "position": position,
                    **members,
                    "exported_at": exported_at,
                }
        if unreadable:
            more = f"; and {unreadable - 1} more" if unreadable > 1 else ""
            raise MalformedResponse(f"{first}{more}.")

    @override
    def finish(self) -> None:
        """Keep what is protected, beside what each stream of drafts keeps."""
        self._state.protected = self._drafts.datasets.protections(self._state.protected)
        super().finish()


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


def _symptom(error: OrgvueError) -> tuple[object, ...]:
    """Equal for errors of one cause: their type, status and codes."""
    refusal = error if isinstance(error, Refusal) else None
    return type(error), refusal and (refusal.status, refusal.codes)
