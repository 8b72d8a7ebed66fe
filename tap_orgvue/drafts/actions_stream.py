"""The stream `orgvue_draft_actions`: the changes that drafts hold."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from typing_extensions import override

from tap_orgvue.drafts.report import report_actions
from tap_orgvue.drafts.streams import DraftStream
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
from tap_orgvue.records.action_maker import (
    KNOWN_ACTIONS,
    ActionCounts,
    ActionMaker,
    elements_of,
)
from tap_orgvue.reporting.journal import Stage
from tap_orgvue.schema import naming
from tap_orgvue.timestamps import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Record

    from tap_orgvue.drafts.selection import DraftExport, Drafts, DraftSelection
    from tap_orgvue.orgvue.drafts import Draft
    from tap_orgvue.streams.source import Source

_ALIKE = 8
"""So many equal failures, from the first layer on, stop the requests for further layers."""
_REFUSED_ALIKE = 100
"""The same for refusals, which take one request each."""

_GONE = "Was it deleted after it was listed? Then the next run lists it no more."


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
            description=f"{', '.join(KNOWN_ACTIONS)}, or whatever else Orgvue sends.",
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
        """Warn of a setting that does not apply to drafts."""
        if self._source.settings.skip_unchanged:
            self.logger.warning(
                "skip_unchanged: does not apply to '%s', which is read completely in every run: a "
                "draft has no cache key.",
                self.name,
            )
        return True

    @override
    def rows(self) -> Iterator[Record]:
        """The changes of all layers.

        Raises:
            OrgvueError: After the last readable layer, with the faults of all others.
        """
        selection = self._selection()
        outcome = self._source.outcomes.of(self.name)
        outcome.draft_ids = [draft.draft_id for draft in selection.sent]
        faults, remedies = self._faults(selection), []
        first: OrgvueError | None = None
        alike: list[OrgvueError] = []
        try:
            for number, (draft, key) in enumerate(selection.layers):
                try:
                    yield from self._of_layer(draft, key)
                except (RequestLimitReached, Stopped):
                    raise
                except OrgvueError as error:
                    gone = f" {_GONE}" if error.status == HTTPStatus.NOT_FOUND else ""
                    faults.append(f"Draft {draft}, layer {one_line(key, 60)!r}: {error}{gone}")
                    remedies.append(error.remedy)
                    first = first or error
                    self.logger.info("%s: %s", self.name, faults[-1])
                    if number == len(alike) and error.symptom == (alike or [error])[0].symptom:
                        alike.append(error)
                    is_refused = isinstance(error, Refusal) and not error.retryable
                    most = _REFUSED_ALIKE if is_refused else _ALIKE
                    if isinstance(error, TenantRefusal) or len(alike) >= most:
                        faults.insert(0, "No other draft was requested.")
                        remedies.append(error.remedy)
                        break
        finally:
            report_actions(self.logger, self.name, self._counts)
        if faults:
            raise self._fail(faults, remedies) from first

    @override
    def check(self) -> None:
        """Raise also what prevents a decision which values of the drafts may be sent."""
        super().check()
        for draft in self._drafts.selection(self.name).sent:
            try:
                self._drafts.rules_of(draft)
            except OrgvueError as error:
                message = f"Stream '{self.name}': draft {draft} cannot be sent. {error}"
                raise error.with_message(message) from None

    @override
    def _faults(self, selection: DraftSelection) -> list[str]:
        """Why rows may be missing, by the list and by the layers; a sentence each."""
        more = [f"Draft {draft} {draft.fault}." for draft in selection.sent if draft.fault]
        return [*super()._faults(selection), *more]

    def _of_layer(self, draft: Draft, key: str) -> Iterator[Record]:
        # The wait can take minutes: send what is buffered.
        self.flush()
        self.journal.enter(Stage.WAITING)
        export = self._drafts.take(draft, key)
        self.journal.enter(Stage.SENDING)
        try:
            yield from self._records(draft, key, export)
        finally:
            export.close()

    def _records(self, draft: Draft, key: str, export: DraftExport) -> Iterator[Record]:
        maker = ActionMaker(
            export.rules, hash_key=self._source.settings.hash_key, counts=self._counts
        )
        exported_at = format_instant(export.exported_at)
        position = unreadable = words = 0
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
                words += members["action"] is not None
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
        if position and not words:
            raise MalformedResponse(
                f"none of its {position} changes has an action, so that they may be something else."
            )
