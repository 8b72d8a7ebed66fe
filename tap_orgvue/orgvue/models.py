"""Orgvue's nouns: dataset, property, metadata, query, link."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.error_body import one_line
from tap_orgvue.orgvue.errors import MalformedResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


ID = "_id"
"""The key of the property that identifies a node; a UUID that Orgvue assigns."""

MODIFIED_AT = "_modifiedAt"
"""The key of the property with the time of a node's last change."""

EXPORT_FORMAT = "jsonRows"
"""`headers` with keys, names and types, then `rows` (API guide, "Synchronous export")."""

ITEMS = "items"
"""The last part of the path of a dataset's stored values."""

NO_NODE = "00000000-0000-0000-0000-000000000000"
"""The nil UUID, which is no node's `_id`."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Filter = dict[str, Any]
"""A MongoDB-style object over property keys (API guide, "Synchronous export with a query")."""


def is_dataset_id(text: str) -> bool:
    """True if a text is a UUID, in either case."""
    return _UUID.fullmatch(text) is not None


class BadEntry(msgspec.Struct, frozen=True):
    """An entry of the list of datasets that names no dataset.

    Attributes:
        position: Its number in the list, from 1.
        dataset_id: Its `datasetId` as one line, if it is a text; else empty.
        name: Its `name` as one line, if it is a text; else empty.
        reason: The fault as a predicate, for example "has no `datasetId`".
    """

    position: int
    dataset_id: str
    name: str
    reason: str

    @override
    def __str__(self) -> str:
        """`Entry 3 of the list of datasets, 'People', has no `datasetId``."""
        name = f", {self.name!r}," if self.name else ""
        return f"Entry {self.position} of the list of datasets{name} {self.reason}."


class Dataset(msgspec.Struct, frozen=True):
    """A dataset of the list (API guide, "List datasets").

    Attributes:
        dataset_id: A UUID, upper case in Orgvue's examples; stable.
        name: Free text; not unique and can change.
        type: PEOPLE, POSITIONS, ROLES, LINKS, ...: an open set.
        is_permissioned_view: True if the token's user sees only a part of it.
    """

    dataset_id: str
    name: str
    type: str = ""
    is_permissioned_view: bool = False

    @classmethod
    def from_json(cls, entry: Any) -> Dataset:
        """Read one entry of the list.

        Raises:
            MalformedResponse: The entry has no UUID as its `datasetId`.
        """
        if fault := _fault(entry):
            raise MalformedResponse(f"An entry of Orgvue's list of datasets {fault}.")
        return cls(
            dataset_id=entry["datasetId"],
            name=str(entry.get("name") or ""),
            type=str(entry.get("type") or ""),
            is_permissioned_view=entry.get("isPermissionedView") is True,
        )

    @override
    def __str__(self) -> str:
        """`'People' (0B53…)`."""
        return f"{self.name!r} ({self.dataset_id})"


class DatasetList(msgspec.Struct, frozen=True):
    """The list of datasets.

    Attributes:
        datasets: The datasets, in the order of the list, each id once.
        bad_entries: The entries that name no dataset.
    """

    datasets: tuple[Dataset, ...]
    bad_entries: tuple[BadEntry, ...] = ()

    @classmethod
    def from_json(cls, entries: Sequence[Any]) -> DatasetList:
        """Read the entries of all pages.

        Raises:
            MalformedResponse: There are entries, but none names a dataset.
        """
        datasets: dict[str, Dataset] = {}
        bad_entries = []
        for position, entry in enumerate(entries, 1):
            if fault := _fault(entry):
                bad_entries.append(_bad_entry(position, entry, fault))
            else:
                dataset = Dataset.from_json(entry)
                # A page that moved while the list was read repeats a dataset.
                datasets.setdefault(dataset.dataset_id.upper(), dataset)
        if bad_entries and not datasets:
            raise MalformedResponse(
                f"No entry of Orgvue's list of datasets can be read. {bad_entries[0]}"
            )
        return cls(tuple(datasets.values()), tuple(bad_entries))


def entries_of_page(page: Any, what: str = "datasets") -> list[Any]:
    """The entries of a page: the array, or an object's only array beside `errors` (inferred).

    Args:
        page: Decoded JSON.
        what: What is listed, for the message.

    Raises:
        MalformedResponse: There is no such array.
    """
    if isinstance(page, list):
        return page
    if isinstance(page, dict):
        members = (value for key, value in page.items() if key != "errors")
        arrays = [value for value in members if isinstance(value, list)]
        if len(arrays) == 1:
            return arrays[0]
    raise MalformedResponse(f"Orgvue's list of {what} is not a list.")


def _fault(entry: Any) -> str:
    """Why an entry of the list names no dataset, as a predicate; empty if it does."""
    if not isinstance(entry, dict):
        return "is not an object"
    if not isinstance(entry.get("datasetId"), str):
        return "has no text as its `datasetId`"
    if not is_dataset_id(entry["datasetId"]):
        return "has a `datasetId` that is not a UUID"
    return ""


def _bad_entry(position: int, entry: Any, fault: str) -> BadEntry:
    members = entry if isinstance(entry, dict) else {}
    dataset_id, name = (
        one_line(value, 100) if isinstance(value := members.get(key), str) else ""
        for key in ("datasetId", "name")
    )
    return BadEntry(position, dataset_id, name, fault)


class Property(msgspec.Struct, frozen=True):
    """A property of a dataset, declared by an export's header or by the metadata.

    Attributes:
        key: Free text, unique in its dataset; names the property in queries.
        name: The display name; may repeat.
        type: `text`, `number`, `date`, `boolean`, ...: an open set.
        is_required: `isRequired` of the metadata; False in a header.
        is_auto_id: `isAutoId`, likewise: True for the customer's own key.
        is_tree_id: `isTreeId`, likewise: True for the dataset's `treeId`.
        is_core: `isCore`, likewise.
    """

    key: str
    name: str = ""
    type: str = ""
    is_required: bool = False
    is_auto_id: bool = False
    is_tree_id: bool = False
    is_core: bool = False

    @classmethod
    def from_json(cls, entry: Any, place: str = "A property of a dataset") -> Property:
        """Read a header of an export or an entry of the metadata's `properties`.

        Args:
            entry: Decoded JSON.
            place: The subject of an error message.

        Raises:
            MalformedResponse: The entry has no key.
        """
        if not isinstance(entry, dict) or not isinstance(entry.get("key"), str):
            raise MalformedResponse(f"{place} has no `key`.")
        return cls(
            key=entry["key"],
            name=str(entry.get("name") or entry["key"]),
            type=str(entry.get("type") or ""),
            is_required=entry.get("isRequired") is True,
            is_auto_id=entry.get("isAutoId") is True,
            is_tree_id=entry.get("isTreeId") is True,
            is_core=entry.get("isCore") is True,
        )


class Metadata(msgspec.Struct, frozen=True):
    """A dataset's metadata (API guide, "Dataset metadata").

    Attributes:
        auto_id: Key of the property with the customer's own key, or None.
        label_id: Key of the property with a node's label, or None.
        tree_id: Key of the property with the key within the hierarchy, or None.
        tree_parent_id: Key of the property with the parent's `tree_id`, or None.
        tags: Free text.
        cache_key: Changes with every update of the dataset or of its security rules; or None.
        properties: The stored properties, without generated ones.
        name: The dataset's name; empty if Orgvue sends none.
    """

    auto_id: str | None = None
    label_id: str | None = None
    tree_id: str | None = None
    tree_parent_id: str | None = None
    tags: tuple[str, ...] = ()
    cache_key: str | None = None
    properties: tuple[Property, ...] = ()
    name: str = ""

    @classmethod
    def from_json(cls, body: Any) -> Metadata:
        """Read a response of the metadata endpoint.

        Raises:
            MalformedResponse: The body is not an object, has no list of properties, or a property
                has no key: a dataset without columns would lose all its values.
        """
        if not isinstance(body, dict):
            raise MalformedResponse("Orgvue's metadata of a dataset is not an object.")
        if not isinstance(body.get("properties"), list):
            raise MalformedResponse("Orgvue's metadata of a dataset has no list of `properties`.")
        return cls(
            auto_id=_text(body.get("autoId")),
            label_id=_text(body.get("labelId")),
            tree_id=_text(body.get("treeId")),
            tree_parent_id=_text(body.get("treeParentId")),
            tags=tuple(str(tag) for tag in list_member(body, "tags")),
            cache_key=_text(body.get("cacheKey")),
            properties=tuple(
                Property.from_json(entry) for entry in list_member(body, "properties")
            ),
            name=_text(body.get("name")) or "",
        )


def list_member(body: Mapping[str, Any], name: str) -> list[Any]:
    """A list of a response; empty for any other value."""
    entries = body.get(name)
    return entries if isinstance(entries, list) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class Query(msgspec.Struct, frozen=True):
    """The query of an export.

    Attributes:
        filter: Selects nodes; empty for all.
        projection: Keys of the properties to deliver; None for all.
        linking: Ids of the LINKS datasets for properties that are calculated through links.
    """

    filter: Filter = msgspec.field(default_factory=dict)
    projection: Sequence[str] | None = None
    linking: Sequence[str] = ()

    @property
    def is_everything(self) -> bool:
        """True if a GET without a body requests the same."""
        return not self.filter and self.projection is None and not self.linking

    def body(self) -> dict[str, Any]:
        """The JSON body of a POST to an export endpoint."""
        output: dict[str, Any] = {}
        if self.filter:
            output["filter"] = self.filter
        if self.projection is not None:
            output["projection"] = dict.fromkeys(self.projection, 1)
        body: dict[str, Any] = {"query": {"output": output}}
        if self.linking:
            body["linkingRelationships"] = list(self.linking)
        return body


class ExportMode(str, Enum):
    """The deliveries of exports that a user allows: the setting `export_mode`."""

    AUTO = "auto"
    SYNC = "sync"
    ASYNC = "async"
    PAGED = "paged"


def link_url(links: Any, relation: str) -> str | None:
    """The URL of a relation in a response's `_links`; None without one, or without links."""
    link = links.get(relation) if isinstance(links, dict) else None
    url = link.get("url") if isinstance(link, dict) else link
    return url if isinstance(url, str) and "/" in url else None


def next_link(body: Any) -> str | None:
    """The URL of a response's next page, `_links.next` (not documented); None on the last page.

    Raises:
        MalformedResponse: There is a next page, but its link has an unknown form.
    """
    links = body.get("_links") if isinstance(body, dict) else None
    link = links.get("next") if isinstance(links, dict) else None
    url = link["url"] if isinstance(link, dict) and "url" in link else link
    if not url:
        return None
    if not isinstance(url, str):
        raise MalformedResponse(
            "Orgvue's response has a next link in a form that this version does not know."
        )
    return url
