"""Orgvue's nouns as this project uses them: dataset, property, metadata, query, job ticket."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.errors import MalformedResponse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


ID = "_id"
"""The key of the property that identifies a node; a UUID that Orgvue assigns."""

MODIFIED_AT = "_modifiedAt"
"""The key of the property that says when a node was last changed."""

EXPORT_FORMAT = "jsonRows"
ITEMS = "items"

NO_NODE = "00000000-0000-0000-0000-000000000000"
"""An `_id` that no node has: the nil UUID."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Filter = dict[str, Any]
"""A MongoDB-style object over property keys, as the API guide documents it."""


def is_dataset_id(text: str) -> bool:
    """Whether a text has the form of a dataset's id, in either case."""
    return _UUID.fullmatch(text) is not None


class Dataset(msgspec.Struct, frozen=True):
    """A dataset as the list-datasets endpoint tells of it.

    Attributes:
        dataset_id: A UUID, upper case in Orgvue's examples; stable.
        name: Free text; not unique and can change.
        type: PEOPLE, POSITIONS, ROLES, LINKS, ...: an open set.
        is_permissioned_view: Whether the token's user sees only a part of it.
    """

    dataset_id: str
    name: str
    type: str = ""
    is_permissioned_view: bool = False

    @classmethod
    def from_json(cls, entry: Any) -> Dataset:
        """Read one entry of the list.

        Raises:
            MalformedResponse: The entry has no id that addresses can be made of.
        """
        if not isinstance(entry, dict) or not isinstance(entry.get("datasetId"), str):
            message = "Orgvue's list of datasets has an entry without a `datasetId`."
            raise MalformedResponse(message)
        if not is_dataset_id(entry["datasetId"]):
            message = "Orgvue's list of datasets has an entry whose `datasetId` is not a UUID."
            raise MalformedResponse(message)
        return cls(
            dataset_id=entry["datasetId"],
            name=str(entry.get("name") or ""),
            type=str(entry.get("type") or ""),
            is_permissioned_view=entry.get("isPermissionedView") is True,
        )

    @override
    def __str__(self) -> str:
        """Name and id, for people."""
        return f"{self.name!r} ({self.dataset_id})"


class Property(msgspec.Struct, frozen=True):
    """A property of a dataset, as an export's header or the metadata declares it.

    Attributes:
        key: Free text, unique in its dataset; what Orgvue is asked by.
        name: The display name; may repeat.
        type: `text`, `number`, `date`, `boolean` or something newer.
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
            entry: As it came.
            place: What to call it in an error.

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
    """What the metadata endpoint says of a dataset.

    Attributes:
        auto_id: Key of the property that is the customer's own key, or None.
        cache_key: Changes whenever the dataset is updated or its security rules change.
    """

    auto_id: str | None = None
    label_id: str | None = None
    tree_id: str | None = None
    tree_parent_id: str | None = None
    tags: tuple[str, ...] = ()
    cache_key: str | None = None
    properties: tuple[Property, ...] = ()

    @classmethod
    def from_json(cls, answer: Any) -> Metadata:
        """Read an answer of the metadata endpoint.

        Raises:
            MalformedResponse: It is not an object, or a property has no key.
        """
        if not isinstance(answer, dict):
            message = "The answer to a request for a dataset's metadata is not an object."
            raise MalformedResponse(message)
        return cls(
            auto_id=_text(answer.get("autoId")),
            label_id=_text(answer.get("labelId")),
            tree_id=_text(answer.get("treeId")),
            tree_parent_id=_text(answer.get("treeParentId")),
            tags=tuple(str(tag) for tag in list_member(answer, "tags")),
            cache_key=_text(answer.get("cacheKey")),
            properties=tuple(
                Property.from_json(entry) for entry in list_member(answer, "properties")
            ),
        )


def list_member(answer: Mapping[str, Any], name: str) -> list[Any]:
    """A list of an answer; anything else there is as if there were none."""
    entries = answer.get(name)
    return entries if isinstance(entries, list) else []


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


class Query(msgspec.Struct, frozen=True):
    """What is asked of an export.

    Attributes:
        filter: Only nodes that match; empty for all.
        projection: Keys of the properties to deliver; None for all.
        linking: Ids of the LINKS datasets to calculate linked properties through.
    """

    filter: Filter = msgspec.field(default_factory=dict)
    projection: Sequence[str] | None = None
    linking: Sequence[str] = ()

    @property
    def is_everything(self) -> bool:
        """Whether a plain GET asks the same."""
        return not self.filter and self.projection is None and not self.linking

    def body(self) -> dict[str, Any]:
        """The JSON body of the export endpoints."""
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
    """The ways a user lets exports be fetched by: the setting `export_mode`."""

    AUTO = "auto"
    SYNC = "sync"
    ASYNC = "async"
    PAGED = "paged"


def link_url(links: Mapping[str, Any], relation: str) -> str | None:
    """The url of one of an answer's `_links`, or None."""
    link = links.get(relation) if isinstance(links, dict) else None
    url = link.get("url") if isinstance(link, dict) else link
    return url if isinstance(url, str) and "/" in url else None


def next_link(answer: Any) -> str | None:
    """Where the rest of an answer is, as its `_links.next` says; None where this is all of it.

    Raises:
        MalformedResponse: There is a next page, but not where: what is read so far is not all.
    """
    links = answer.get("_links") if isinstance(answer, dict) else None
    link = links.get("next") if isinstance(links, dict) else None
    url = link["url"] if isinstance(link, dict) and "url" in link else link
    if not url:
        return None
    if not isinstance(url, str):
        message = "Orgvue's answer has a next page, in a way that this version does not know."
        raise MalformedResponse(message)
    return url
