"""Checks settings and catalog for contradictions about the streams of drafts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_orgvue.orgvue.models import is_dataset_id
from tap_orgvue.schema.columns import columns_in
from tap_orgvue.schema.naming import DRAFT_ACTIONS_STREAM, DRAFT_STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.singerlib.catalog import Catalog

    from tap_orgvue.schema.column_rules import ColumnRules
    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.discovery import StreamDefinition


def mistakes_about_drafts(
    settings: Settings, definitions: Sequence[StreamDefinition]
) -> Iterator[str]:
    """Mistakes: settings that do not apply to streams of drafts, and names that collide.

    Args:
        settings: The run's settings.
        definitions: The streams of datasets.
    """
    tables = {
        "filters": (settings.filters, "drafts are read completely; narrow `drafts` instead"),
        "linking_relationships": (settings.linking_relationships, "drafts hold no calculations"),
        "property_names": (settings.property_names, "its columns are fixed"),
    }
    for setting, (table, why) in tables.items():
        for name in DRAFT_STREAMS:
            if name in table:
                yield f"{setting}: is not possible for '{name}': {why}."
    if not settings.drafts:
        return
    for definition in definitions:
        if definition.name.casefold() in DRAFT_STREAMS:
            yield (
                f"drafts: the dataset {definition.dataset_id} has the stream name "
                f"'{definition.name}', which is reserved for drafts. Give the dataset another name "
                "with `stream_names`."
            )


def protect_in_drafts(rules: ColumnRules, definitions: Sequence[StreamDefinition]) -> None:
    """Let patterns such as `orgvue_draft_actions.salary` match: they protect in drafts only."""
    for definition in definitions:
        for column in columns_in(definition.schema):
            rules.protections(DRAFT_ACTIONS_STREAM, column.property)


def streams_without_setting(settings: Settings, catalog: Catalog | None) -> Iterator[str]:
    """Warnings: the catalog has streams of drafts and the setting is missing, or the reverse.

    Args:
        settings: The run's settings.
        catalog: The user's catalog; None without one.
    """
    if catalog is None:
        return
    entries = [
        entry
        for entry in catalog.streams
        if entry.tap_stream_id in DRAFT_STREAMS and not is_dataset_id(entry.table or "")
    ]
    if settings.drafts and not entries:
        yield (
            f"drafts: the catalog has no streams of drafts ({', '.join(DRAFT_STREAMS)}), so that "
            "none is sent. Run `--discover` again."
        )
    for entry in entries:
        if not settings.drafts and entry.metadata.resolve_selection().get((), True):
            yield (
                f"Stream '{entry.tap_stream_id}' is selected, but `drafts` is not set: no draft is "
                "requested, nothing is sent, and its table stays as it is."
            )
