"""Writes the page of a tenant: its datasets as a picture, and its data dictionary."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import TYPE_CHECKING

import msgspec

from tap_orgvue.pages.dictionary import PropertyTreatment, read_dictionary
from tap_orgvue.pages.files import file_name_part, write_page
from tap_orgvue.pages.links import LINKS, link_ends
from tap_orgvue.pages.picture import BOX_WIDTH, LINE_HEIGHT, Edge, Node, draw
from tap_orgvue.pages.rendering import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from singer_sdk.singerlib.catalog import Catalog

    from tap_orgvue.pages.dictionary import DatasetEntry, Dictionary
    from tap_orgvue.pages.picture import Box, Line, Picture
    from tap_orgvue.settings import Settings
    from tap_orgvue.streams.source import Source

_TYPES = frozenset({"PEOPLE", "POSITIONS", "ROLES"})
_BOX_CHARACTERS = 23
_LINE_CHARACTERS = 21
_DETAIL_CHARACTERS = 28


class DrawnBox(msgspec.Struct, frozen=True):
    """A dataset in the picture.

    Attributes:
        number: The dataset's number on the page.
        entry: The dataset.
        title: Its name, as long as the box.
        kind: The class of its type.
        details: Lines of text below the name.
        box: Its place, or None outside of the drawing.
    """

    number: int
    entry: DatasetEntry
    title: str
    kind: str
    details: Sequence[str]
    box: Box | None = None


class DrawnLink(msgspec.Struct, frozen=True):
    """A LINKS dataset in the picture.

    Attributes:
        number: The dataset's number on the page.
        entry: The dataset.
        title: Its name, as long as there is room for it.
        ends: The datasets that it joins, by their names.
        line: How it is drawn.
    """

    number: int
    entry: DatasetEntry
    title: str
    ends: tuple[str, str]
    line: Line


class TenantPicture(msgspec.Struct, frozen=True):
    """The datasets of a tenant as a picture.

    Attributes:
        drawing: Its size.
        boxes: Datasets that lines join.
        links: The lines.
        alone: Datasets that no line joins.
        unknown: LINKS datasets whose ends are unknown.
    """

    drawing: Picture
    boxes: Sequence[DrawnBox]
    links: Sequence[DrawnLink]
    alone: Sequence[DrawnBox]
    unknown: Sequence[DrawnBox]


def write_tenant_page(
    source: Source, catalog: Catalog | None, folder: Path, *, now: datetime, has_maps: bool
) -> Path:
    """Request the tenant's datasets, and write `tenant-<tenant id>.html`.

    Args:
        source: The tenant, as a run reads it.
        catalog: The user's catalog, if a run is given one.
        folder: Where the page is written to.
        now: The time, in UTC.
        has_maps: True if stream maps or flattening change the records.

    Returns:
        The page.

    Raises:
        OrgvueError: The tenant cannot be read.
        OSError: The page cannot be written.
    """
    settings = source.settings
    html = page_of(
        read_dictionary(source, catalog),
        settings,
        source.tenant,
        now=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        has_catalog=catalog is not None,
        has_maps=has_maps,
    )
    return write_page(folder / f"tenant-{file_name_part(settings.tenant_id)}.html", html)


def page_of(  # noqa: PLR0913 - all that the page shows
    dictionary: Dictionary,
    settings: Settings,
    tenant: str,
    *,
    now: str,
    has_catalog: bool,
    has_maps: bool = False,
) -> str:
    """Make the page.

    Args:
        dictionary: The tenant's datasets.
        settings: Those of a run.
        tenant: The tenant as the state names it.
        now: The time, as an ISO 8601 instant.
        has_catalog: True if a run is given a catalog.
        has_maps: True if stream maps or flattening change the records.
    """
    filters = _filtered(settings)
    decisions = [
        settings.datasets,
        settings.exclude_properties,
        settings.hash_properties,
        settings.new_properties,
        settings.include_calculations,
        settings.rescue_data,
        filters,
        bool(settings.drafts),
        has_catalog,
        has_maps,
    ]
    return render(
        "tenant.html",
        tenant=tenant,
        settings=settings,
        filters=filters,
        dictionary=dictionary,
        picture=_picture(dictionary.datasets),
        fingerprint=_fingerprint(dictionary, decisions),
        patterns=_patterns(settings, dictionary),
        treatments=list(PropertyTreatment),
        now=now,
        has_maps=has_maps,
        has_catalog=has_catalog,
        line_height=LINE_HEIGHT,
        box_width=BOX_WIDTH,
    )


def _filtered(settings: Settings) -> dict[str, list[str]]:
    """Stream to the keys of its filter, without the values, which are cell values."""
    return {stream: list(conditions) for stream, conditions in settings.filters.items()}


def _patterns(settings: Settings, dictionary: Dictionary) -> list[tuple[str, str, int]]:
    """Setting, pattern, and the number of properties that it protects."""
    found: dict[str, int] = {}
    for dataset in dictionary.datasets:
        for each in dataset.properties:
            for pattern in each.patterns:
                found[pattern] = found.get(pattern, 0) + 1
    return [
        (setting, pattern, found.get(pattern, 0))
        for setting, patterns in (
            ("exclude_properties", settings.exclude_properties),
            ("hash_properties", settings.hash_properties),
        )
        for pattern in patterns
    ]


def _fingerprint(dictionary: Dictionary, decisions: Sequence[object]) -> str:
    """A digest of the treatment of every property, independent of the time.

    Args:
        dictionary: The tenant's datasets.
        decisions: The settings that the page shows.
    """
    datasets = [
        (each.dataset.dataset_id, each.stream, each.reason, each.properties)
        for each in dictionary.datasets
    ]
    said = msgspec.json.encode([decisions, datasets])
    return hashlib.sha256(said).hexdigest()[:16]


# -- the picture


def _picture(entries: Sequence[DatasetEntry]) -> TenantPicture:
    datasets = [each.dataset for each in entries]
    numbers = {each.dataset_id: number for number, each in enumerate(datasets)}
    boxes = [_box(number, entry) for number, entry in enumerate(entries)]
    ends = {
        number: found
        for number, dataset in enumerate(datasets)
        if dataset.type == LINKS and (found := link_ends(dataset, datasets))
    }
    edges = [Edge(numbers[a.dataset_id], numbers[b.dataset_id]) for a, b in ends.values()]
    drawing = draw([Node(len(box.details)) for box in boxes], edges)
    drawn = {box.node: msgspec.structs.replace(boxes[box.node], box=box) for box in drawing.boxes}
    joined = list(ends.items())
    links = []
    for line in drawing.lines:
        number, (first, second) = joined[line.edge]
        title = shortened(datasets[number].name, _LINE_CHARACTERS)
        links.append(DrawnLink(number, entries[number], title, (first.name, second.name), line))
    others = [box for box in boxes if box.number not in drawn and box.number not in ends]
    return TenantPicture(
        drawing=drawing,
        boxes=[drawn[number] for number in sorted(drawn)],
        links=sorted(links, key=lambda link: link.number),
        alone=[box for box in others if box.entry.dataset.type != LINKS],
        unknown=[box for box in others if box.entry.dataset.type == LINKS],
    )


def _box(number: int, entry: DatasetEntry) -> DrawnBox:
    dataset, metadata = entry.dataset, entry.metadata
    details = [dataset.type or "no type"]
    if entry.reason:
        details[0] += ", not read"
    else:
        count = len(entry.properties)
        details[0] += f", {count} {'property' if count == 1 else 'properties'}"
    if metadata and metadata.auto_id:
        details.append(f"key: {metadata.auto_id}")
    if metadata and metadata.tree_id:
        details.append(f"tree: {metadata.tree_id}")
    if metadata and metadata.tree_parent_id:
        details.append(f"parent: {metadata.tree_parent_id}")
    return DrawnBox(
        number=number,
        entry=entry,
        title=shortened(dataset.name, _BOX_CHARACTERS),
        kind=dataset.type.lower() if dataset.type in _TYPES else "other",
        details=[shortened(each, _DETAIL_CHARACTERS) for each in details],
    )


def shortened(text: str, longest: int) -> str:
    """A text cut to a width, which is counted in characters; wide ones count twice."""
    width = 0
    for place, char in enumerate(text):
        width += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width > longest:
            return f"{text[: max(place - 1, 1)].rstrip()}…"
    return text
