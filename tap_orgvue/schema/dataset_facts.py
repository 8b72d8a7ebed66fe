"""Facts about a stream's dataset in the stream's metadata of a catalog: name, type, keys, tree.

`tap-orgvue-dbt` reads them; the tap itself works without them. Meltano keeps them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_orgvue.orgvue.models import Dataset, Metadata


def _in_metadata(name: str) -> str:
    """`orgvue-tree-id` for `tree_id`: Singer's metadata has words with hyphens."""
    return "orgvue-" + name.replace("_", "-")


class DatasetFacts(msgspec.Struct, frozen=True, kw_only=True, rename=_in_metadata):
    """The facts about one dataset; an unknown one is empty.

    Attributes:
        dataset: The dataset's name.
        type: PEOPLE, POSITIONS, LINKS, ...: an open set.
        auto_id: Key of the property with the customer's own key.
        label_id: Key of the property with a node's label.
        tree_id: Key of the property with the key within the hierarchy.
        tree_parent_id: Key of the property with the parent's `tree_id`.
    """

    dataset: str = ""
    type: str = ""
    auto_id: str = ""
    label_id: str = ""
    tree_id: str = ""
    tree_parent_id: str = ""

    @classmethod
    def of(cls, dataset: Dataset, metadata: Metadata | None) -> DatasetFacts:
        """The facts of a dataset's list entry, and of its metadata if that can be read."""
        facts = cls(dataset=dataset.name, type=dataset.type)
        if metadata is None:
            return facts
        return msgspec.structs.replace(
            facts,
            auto_id=metadata.auto_id or "",
            label_id=metadata.label_id or "",
            tree_id=metadata.tree_id or "",
            tree_parent_id=metadata.tree_parent_id or "",
        )

    @classmethod
    def from_metadata(cls, root: Mapping[str, Any]) -> DatasetFacts:
        """Read a stream's metadata, whose breadcrumb is empty; anything but text is unknown."""
        return msgspec.convert({k: v for k, v in root.items() if isinstance(v, str)}, cls)

    def to_metadata(self) -> dict[str, str]:
        """Members of a stream's metadata, as `orgvue-type`; without the unknown ones."""
        return {name: text for name, text in msgspec.to_builtins(self).items() if text}
