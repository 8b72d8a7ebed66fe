"""Drafts: named layers of changes to a dataset, listed and exported as item actions."""

from __future__ import annotations

import json
from dataclasses import KW_ONLY, dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from tap_orgvue.simulator.ids import made_id
from tap_orgvue.simulator.messages import Content, Streamed
from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from tap_orgvue.simulator.dataset import Dataset
    from tap_orgvue.simulator.messages import Body
    from tap_orgvue.simulator.refusals import Error

    #: `{"_action": "update", "_id": …, property key: value}`, or whatever else a test wants told.
    Action = Mapping[str, object]
    #: The actions of a layer, in order; a function makes them anew for each export.
    Actions = Iterable[Action] | Callable[[], Iterable[Action]]

DEFAULT_LAYER = "default"
_AT_ONCE = 100  # actions encoded
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(eq=False)
class Draft:
    """A draft, which can be changed while it is served.

    Attributes:
        name: Not unique, may change.
        actions: The actions of the layer `default`.
        base: The dataset that the draft is based on, or its id; a draft may be based on none.
        layers: Layer key -> actions, of the layers besides `default`.
        draft_id: A UUID in upper case; made from the name when not given.
        tells: The members besides `draftId` that the list tells.
        details: Members that the list tells besides.
        hidden_because: Why the actions are refused.
    """

    name: str
    actions: Actions = ()
    _: KW_ONLY
    base: Dataset | str | None = None
    layers: Mapping[str, Actions] = field(default_factory=dict)
    draft_id: str = ""
    tells: Collection[str] = ("name", "datasetId", "layers", "_links")
    details: Mapping[str, object] = field(default_factory=dict)
    hidden_because: Error | None = None

    def __post_init__(self) -> None:
        """Make an id where none was given."""
        self.draft_id = self.draft_id or made_id("draft", self.name)

    def clear(self) -> None:
        """Remove all changes: each layer is an empty one."""
        self.actions, self.layers = (), dict.fromkeys(self.layers, ())

    def layer(self, key: str) -> Actions:
        """Find a layer's actions.

        Raises:
            KeyError: There is no such layer.
        """
        return self.actions if key == DEFAULT_LAYER else self.layers[key]

    def entry(self, url: str) -> dict[str, object]:
        """Give the draft as the list tells it; `url` is where its actions are exported."""
        base = (
            self.base if self.base is None or isinstance(self.base, str) else self.base.dataset_id
        )
        told: dict[str, object] = {
            "name": self.name,
            "datasetId": base,
            "layers": [{"layerKey": key} for key in (DEFAULT_LAYER, *self.layers)],
            "_links": {"draft:actions": {"url": url, "method": "POST", "type": "resource"}},
        }
        kept = {name: told[name] for name in told if name in self.tells and told[name] is not None}
        return {"draftId": self.draft_id, **kept, **self.details}


def many_actions(count: int, base: Dataset) -> Callable[[], Iterator[Action]]:
    """Make so many updates of a dataset's items, one at a time: a huge draft takes no memory."""
    ids = [row["_id"] for row in base.rows] or [made_id("item", base.dataset_id)]
    keys = [each.key for each in base.properties if not each.calculated]

    def make() -> Iterator[Action]:
        for number in range(count):
            cell = {keys[number % len(keys)]: str(number)}
            yield {"_action": "update", "_id": ids[number % len(ids)], **cell}

    return make


def wanted_layers(body: object) -> list[tuple[str, str]]:
    """Read which layers a request names: pairs of a draft's id and a layer's key.

    Args:
        body: `{"layers": [{"draftId": …, "layerKey": …}]}`, parsed.

    Raises:
        RefusalError: It is not of that form.
    """
    named = body.get("layers") if isinstance(body, dict) else None
    if not isinstance(named, list) or not named:
        raise RefusalError("400601", message="layers must be a list that names a layer.")
    if isinstance(body, dict) and "resultLocation" in body:
        raise RefusalError("400601", message="resultLocation cannot be reached.")
    found = [_layer(each) for each in named]
    if None in found:
        raise RefusalError("400601", message="A layer has a draftId and a layerKey, both text.")
    return [each for each in found if each]


def named_drafts(body: object) -> tuple[str, ...]:
    """Give the ids of the drafts that a body names, whatever else is wrong with it."""
    named = body.get("layers") if isinstance(body, dict) else None
    found = map(_layer, named if isinstance(named, list) else [])
    return tuple(each[0] for each in found if each)


def _layer(value: object) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return None
    draft_id, key = value.get("draftId"), value.get("layerKey")
    return (draft_id, key) if isinstance(draft_id, str) and isinstance(key, str) else None


def encoded_actions(layers: Sequence[Actions]) -> Body:
    """Write the actions of layers, one after another, as one JSON array.

    What a function makes is written while it is sent; anything else at once.
    """
    if any(map(callable, layers)):
        return Streamed(lambda: _written(layers))
    return Content(b"".join(_written(layers)))


def _written(layers: Sequence[Actions]) -> Iterator[bytes]:
    actions = chain.from_iterable(each() if callable(each) else each for each in layers)
    opening = "["
    while taken := list(islice(actions, _AT_ONCE)):
        yield (opening + _ENCODER.encode(taken)[1:-1]).encode()
        opening = ","
    yield b"]" if opening == "," else b"[]"
