"""A dataset: its properties, its rows, and their changes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import datetime, timedelta, timezone
from threading import RLock
from typing import TYPE_CHECKING, Any

from tap_orgvue.simulator.ids import made_id
from tap_orgvue.simulator.instants import instant, moment_of
from tap_orgvue.simulator.tree import GENERATED_TYPES, flat_cells, tree_cells

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_orgvue.simulator.refusals import Error

Row = dict[str, object]

_FIRST_CHANGE = datetime(2026, 1, 1, tzinfo=timezone.utc)
_FAR_AWAY = datetime(2100, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Property:
    """A property of a dataset.

    Attributes:
        key: What rows, filters and projections call it; free text.
        type: `text`, `number`, `date`, `boolean`, or any other word: the set is open.
        name: The display name; the key without one.
        is_required: Said in the metadata, not enforced.
        auto_id: It is the customer's own key (`autoId`).
        tree_id: It identifies nodes of the tree (`treeId`).
        tree_parent_id: It names a node's parent (`treeParentId`).
        label_id: It is what people read (`labelId`).
        is_core: One of the properties every dataset of the type has.
        calculated: Computed by Orgvue: exported, but not among the items.
        needs_link: The id of the LINKS dataset it is calculated through: null unless an
            asynchronous export names that dataset in `linkingRelationships`.
    """

    key: str
    type: str = "text"
    name: str | None = None
    _: KW_ONLY
    is_required: bool = False
    auto_id: bool = False
    tree_id: bool = False
    tree_parent_id: bool = False
    label_id: bool = False
    is_core: bool = False
    calculated: bool = False
    needs_link: str | None = None

    @property
    def header(self) -> dict[str, object]:
        """The property as an export's header: key, name and type."""
        return {"key": self.key, "name": self.name or self.key, "type": self.type}

    def source(self, links: frozenset[str]) -> str | None:
        """Say where a row has its value: the key; `None` when it is calculated through a link.

        Args:
            links: The ids, in upper case, of the LINKS datasets to calculate through.
        """
        hidden = self.needs_link is not None and self.needs_link.upper() not in links
        return None if hidden else self.key

    @property
    def description(self) -> dict[str, object]:
        """The property as metadata describes it."""
        flags = {"isAutoId": self.auto_id, "isTreeId": self.tree_id, "isCore": self.is_core}
        true_ones = {name: True for name, flag in flags.items() if flag}
        return {**self.header, "isRequired": self.is_required, **true_ones}


@dataclass(frozen=True)
class Snapshot:
    """A dataset at one moment.

    Attributes:
        version: How often the dataset had been changed.
        stored: Its own properties that are not calculated.
        columns: What a whole export carries, in order.
        rows: The complete rows.
    """

    version: int
    stored: tuple[Property, ...]
    columns: tuple[Property, ...]
    rows: Sequence[Row]

    @property
    def askable(self) -> tuple[Property, ...]:
        """What can be named in a query: every node has an `_id`, exported or not."""
        if any(each.key == "_id" for each in self.columns):
            return self.columns
        return (Property("_id"), *self.columns)


@dataclass(eq=False)
class Dataset:
    """A dataset that can be changed while it is served.

    Attributes:
        name: Not unique, may change.
        type: PEOPLE, POSITIONS, ROLES, LINKS or any other word.
        dataset_id: A UUID in upper case; made from the name when not given.
        properties: The dataset's own properties, in order.
        rows: The rows by property key, a missing key being null. `_id` and `_modifiedAt` are
            filled in. To be changed through the methods alone.
        generated: The generated properties an export carries: `_id` before the own ones, the
            others after them.
        is_permissioned_view: Said in the list.
        tags: Said in the metadata.
        body: Served as it is for every export, whatever was asked.
        hidden_because: Why everything but the listing of this dataset is refused.
        listed: Whether the list has it.
    """

    name: str
    _: KW_ONLY
    type: str = "PEOPLE"
    dataset_id: str = ""
    properties: Sequence[Property] = ()
    rows: Sequence[Mapping[str, object]] = ()
    generated: Sequence[str] = ("_id", "_modifiedAt")
    is_permissioned_view: bool = False
    tags: Sequence[str] = ()
    body: bytes | None = field(default=None, repr=False)
    hidden_because: Error | None = None
    listed: bool = True

    def __post_init__(self) -> None:
        """Fill in what was left out."""
        self.dataset_id = self.dataset_id or made_id("dataset", self.name)
        self.properties = list(self.properties)
        self._lock = RLock()
        self._version = 0
        self._made = 0
        self._clock = _FIRST_CHANGE
        self._snapshot: Snapshot | None = None
        given, self._rows = self.rows, list[Row]()
        self.rows = self._rows
        for row in given:
            self._append(row)

    def add(self, row: Mapping[str, object]) -> None:
        """Add a row at the end."""
        with self._lock:
            self._append(row)
            self._changed()

    def update(self, number: int, /, **cells: object) -> None:
        """Change cells of the row at a position, and with them its `_modifiedAt`.

        Args:
            number: The row's position, negative from the end.
            **cells: New values by property key; `**{"full time": True}` for free-text keys.
        """
        with self._lock:
            self._check(cells)
            stamp = {"_modifiedAt": self._tick()}
            self._rows[number] = {**self._rows[number], **stamp, **cells}
            self._changed()

    def remove(self, number: int) -> None:
        """Remove the row at a position."""
        with self._lock:
            del self._rows[number]
            self._changed()

    def add_property(self, added: Property, values: Sequence[object] | None = None) -> None:
        """Add a property at the end, with a value for each row or null in all of them."""
        with self._lock:
            self.properties = [*self.properties, added]
            for number, value in enumerate(values or ()):
                self.update(number, **{added.key: value})
            self._changed()

    def change_property(self, key: str, /, **changes: Any) -> None:
        """Change what a property is called or declared as; its values stay.

        Args:
            key: The property's key until now.
            **changes: Attributes of `Property`: `key`, `name`, `type`…
        """
        with self._lock:
            found = next(each for each in self.properties if each.key == key)
            changed = replace(found, **changes)
            self._rows[:] = [
                {changed.key if name == key else name: cell for name, cell in row.items()}
                for row in self._rows
            ]
            self.replace_property(key, changed)

    def replace_property(self, key: str, replacement: Property) -> None:
        """Put another property, say one of another type, in a property's place."""
        with self._lock:
            self.properties = [replacement if each.key == key else each for each in self.properties]
            self._changed()

    def remove_property(self, key: str) -> None:
        """Remove a property and its values."""
        with self._lock:
            self.properties = [each for each in self.properties if each.key != key]
            self._rows[:] = [
                {name: cell for name, cell in row.items() if name != key} for row in self._rows
            ]
            self._changed()

    def rename(self, name: str) -> None:
        """Give the dataset another name; its id stays."""
        with self._lock:
            self.name = name
            self._changed()

    @property
    def cache_key(self) -> str:
        """A text that is another one after every change."""
        return made_id("version", self.dataset_id, self._version)

    @property
    def metadata(self) -> dict[str, object]:
        """The response to `GET /datasets/{datasetId}`."""
        with self._lock:
            tree = {
                "treeId": self._key_where("tree_id"),
                "treeParentId": self._key_where("tree_parent_id"),
            }
            return {
                "datasetId": self.dataset_id,
                "name": self.name,
                "type": self.type,
                "autoId": self._key_where("auto_id"),
                "labelId": self._key_where("label_id"),
                **{name: key for name, key in tree.items() if key is not None},
                "tags": list(self.tags),
                "properties": [each.description for each in self.properties],
                "cacheKey": self.cache_key,
            }

    def snapshot(self) -> Snapshot:
        """Give the dataset as it is now, generated values computed."""
        with self._lock:
            if self._snapshot is None or self._snapshot.version != self._version:
                self._snapshot = Snapshot(
                    version=self._version,
                    stored=tuple(
                        each
                        for each in self.properties
                        if not each.calculated and not each.needs_link
                    ),
                    columns=self._columns(),
                    rows=self._complete_rows(),
                )
            return self._snapshot

    def _columns(self) -> tuple[Property, ...]:
        made = [Property(key, GENERATED_TYPES.get(key, "text")) for key in self.generated]
        first = [each for each in made if each.key == "_id"]
        last = [each for each in made if each.key != "_id"]
        return (*first, *self.properties, *last)

    def _complete_rows(self) -> list[Row]:
        if not set(self.generated) - {"_id", "_modifiedAt"}:
            return list(self._rows)
        tree_id, parent = self._key_where("tree_id"), self._key_where("tree_parent_id")
        if tree_id is None or parent is None:
            return [{**flat_cells(), **row} for row in self._rows]
        cells = tree_cells(self._rows, tree_id, parent)
        return [{**cells[number], **row} for number, row in enumerate(self._rows)]

    def _key_where(self, flag: str) -> str | None:
        return next((each.key for each in self.properties if getattr(each, flag)), None)

    def _append(self, row: Mapping[str, object]) -> None:
        self._check(row)
        given = moment_of(row.get("_modifiedAt"))
        self._clock = max(self._clock, given) if given else self._clock
        self._made += 1
        filled: Row = {"_id": made_id("row", self.dataset_id, self._made), **row}
        if "_modifiedAt" not in filled:
            filled["_modifiedAt"] = self._tick()
        self._rows.append(filled)

    def _check(self, cells: Mapping[str, object]) -> None:
        known = {each.key for each in self.properties}
        strangers = [key for key in cells if key not in known and not key.startswith("_")]
        if strangers:
            message = f"{self.name} has no property {strangers[0]!r}"
            raise ValueError(message)

    def _tick(self) -> str:
        self._clock += timedelta(seconds=1)
        return instant(self._clock)

    def _changed(self) -> None:
        self._version += 1
