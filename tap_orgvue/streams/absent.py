"""Datasets that a run should have sent and could not: gone, forbidden, or skipped in discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.exports.headers import NotReached
from tap_orgvue.orgvue.advice import Remedy
from tap_orgvue.orgvue.errors import RUN_ENDING, DatasetRefusal, OrgvueError
from tap_orgvue.orgvue.models import is_dataset_id

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from tap_orgvue.exports.headers import SkippedDataset
    from tap_orgvue.streams.discovery import Discovery
    from tap_orgvue.streams.source import Source

CATALOG_KEY = "orgvue"
"""The catalog's top-level key for data that the tap itself reads back."""


class SkippedInCatalog(msgspec.Struct, frozen=True):
    """A dataset that discovery left out of the catalog.

    Attributes:
        dataset_id: In upper case; empty if the list's entry has none.
        name: The dataset's name.
        reason: Why, in Orgvue's words.
        forbidden: True if the token's user may not read it, or it is gone.
    """

    dataset_id: str
    name: str
    reason: str
    forbidden: bool

    @classmethod
    def of(cls, skipped: SkippedDataset) -> SkippedInCatalog:
        """Take a dataset that discovery skipped."""
        dataset = skipped.dataset
        return cls(dataset.dataset_id.upper(), dataset.name, str(skipped.error), skipped.forbidden)


def skipped_by(discovery: Discovery) -> list[SkippedInCatalog]:
    """The datasets that discovery skipped, and the list's entries that name no dataset."""
    return [
        *(SkippedInCatalog.of(each) for each in discovery.skipped),
        *(SkippedInCatalog("", entry, entry, forbidden=False) for entry in discovery.bad_entries),
    ]


def to_catalog(
    skipped: Iterable[SkippedInCatalog], names: Mapping[str, str | None]
) -> dict[str, Any]:
    """The value of the catalog's top-level key.

    Args:
        skipped: The datasets that discovery left out.
        names: Dataset id to its name, of the others.
    """
    return {
        "skipped": [msgspec.to_builtins(each) for each in skipped],
        "names": {each: name for each, name in names.items() if name is not None},
    }


def names_in(catalog: Mapping[str, Any] | None) -> dict[str, str]:
    """Dataset id in upper case to its name, from a catalog's top-level key."""
    own = (catalog or {}).get(CATALOG_KEY)
    names = own.get("names") if isinstance(own, dict) else None
    return {
        dataset_id.upper(): name
        for dataset_id, name in (names.items() if isinstance(names, dict) else ())
        if isinstance(name, str)
    }


def from_catalog(catalog: Mapping[str, Any]) -> list[SkippedInCatalog]:
    """The skipped datasets in a catalog's top-level key; none if it has another form."""
    own = catalog.get(CATALOG_KEY)
    entries = own.get("skipped") if isinstance(own, dict) else None
    try:
        return msgspec.convert(entries or [], list[SkippedInCatalog])
    except msgspec.ValidationError:
        return []


def absent_streams(
    source: Source, skipped: Collection[SkippedInCatalog], present: Collection[str]
) -> Iterator[tuple[str, OrgvueError]]:
    """Streams of earlier runs whose dataset is gone or may no longer be read.

    Args:
        source: The tenant.
        skipped: The datasets that discovery skipped.
        present: Ids, in upper case, of the datasets that this run has streams for.

    Yields:
        Stream name and error. A dataset that `datasets` does not match is not absent, nor one that
        Orgvue lists and the catalog lacks.
    """
    left_out = {each.dataset_id: each for each in skipped}
    errors = {each.dataset.dataset_id.upper(): each.error for each in source.discovery.skipped}
    narrowed_to = {entry.upper() for entry in source.settings.datasets if is_dataset_id(entry)}
    only_ids = len(narrowed_to) == len(source.settings.datasets) > 0
    for name, dataset_id in ((name, owner) for owner, name in source.earlier.stream_owners.items()):
        if dataset_id in present or (only_ids and dataset_id not in narrowed_to):
            continue
        if dataset_id in left_out:
            if left_out[dataset_id].forbidden:
                reason, cause = left_out[dataset_id].reason, errors.get(dataset_id)
                yield name, _absent(name, dataset_id, reason, cause)
            continue
        dataset = source.discovery.datasets_by_id.get(dataset_id)
        if dataset is None:
            yield name, _absent(name, dataset_id, "Orgvue no longer lists it.")
        elif source.discovery.has_catalog and not source.settings.datasets:
            source.client.logger.info(
                "Stream '%s' of earlier runs is not in the catalog; its dataset is %s.",
                name,
                dataset,
            )


def _absent(
    stream: str, dataset_id: str, reason: str, cause: OrgvueError | None = None
) -> OrgvueError:
    return OrgvueError(
        f"Stream '{stream}' of earlier runs has no dataset any more: {dataset_id} is gone, or the "
        "token's user may no longer read it, and its table stays as it was. If this is intended, "
        f"add '{stream}' to `retired_streams`; `missing_streams: warn` makes it a warning. "
        f"{reason}",
        remedy=Remedy.PERSON,
        cause=cause,
    )


def skipped_datasets(
    source: Source, skipped: Iterable[SkippedInCatalog]
) -> Iterator[tuple[SkippedInCatalog, OrgvueError]]:
    """Datasets that discovery skipped for another reason than a refusal, requested again.

    Yields:
        Dataset and error: why it still cannot be read, or that it is in no catalog.
    """
    for each in skipped:
        if each.forbidden:
            continue
        if not each.dataset_id:
            yield each, OrgvueError(each.reason)
            continue
        try:
            source.headers.read(each.dataset_id)
        except (DatasetRefusal, NotReached):
            continue
        except RUN_ENDING:
            raise
        except OrgvueError as error:
            yield each, error.with_message(f"Dataset {each.name!r} could not be read. {error}")
        else:
            yield (
                each,
                OrgvueError(
                    f"Dataset {each.name!r} was not sent: discovery skipped it, so that it is in "
                    f"no catalog. Run again. {each.reason}",
                    remedy=Remedy.LATER,
                ),
            )
