"""Reads the list of drafts, as tolerantly as is safe: its form is not documented.

The API guide says that the list gives the ids of drafts, and that a layer has a key, at least
`default`. All other member names below are inferred from the list of datasets.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec
from typing_extensions import override

from tap_orgvue.orgvue.error_body import one_line
from tap_orgvue.orgvue.errors import MalformedResponse
from tap_orgvue.orgvue.request_log import RequestKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_orgvue.orgvue.client import Client

DEFAULT_LAYER = "default"
"""The key of the layer that every draft has (API guide, "Drafts")."""

_ID_MEMBERS = ("draftId", "id", "draft_id", "_id")
_NAME_MEMBERS = ("name", "draftName", "title")
_BASE_MEMBERS = ("datasetId", "baseDatasetId", "dataset", "baseDataset")
_BASES_MEMBERS = ("datasetIds", "baseDatasetIds", "datasets", "baseDatasets")
_DATASET_ID_MEMBERS = ("datasetId", "id")
_LAYERS = "layers"
_LAYER_KEY_MEMBERS = ("layerKey", "key", "id", "name")


class Draft(msgspec.Struct, frozen=True):
    """A draft of the list.

    Attributes:
        draft_id: Orgvue's id, as listed.
        name: Free text; not unique, can change; empty if the entry has none.
        dataset_id: The id of the dataset that the draft is based on, as listed; None if the entry
            names no dataset, or several.
        layers: The keys of its layers, at least one.
        details: The entry's other members as the text of a JSON object.
        fault: Why `layers` may be incomplete, as a predicate; empty if it is complete.
    """

    draft_id: str
    name: str = ""
    dataset_id: str | None = None
    layers: tuple[str, ...] = (DEFAULT_LAYER,)
    details: str = "{}"
    fault: str = ""

    @override
    def __str__(self) -> str:
        """`'Hiring plan' (36A1…)`."""
        return f"{one_line(self.name, 100)!r} ({one_line(self.draft_id, 100)})"


class DraftList(msgspec.Struct, frozen=True):
    """The list of drafts.

    Attributes:
        drafts: The drafts, in the order of the list, each id once.
        faults: A sentence for each entry that names no draft.
    """

    drafts: tuple[Draft, ...]
    faults: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, entries: Sequence[Any]) -> DraftList:
        """Read the entries of all pages.

        Args:
            entries: Each an object, or only an id.

        Raises:
            MalformedResponse: There are entries, but none names a draft.
        """
        drafts: dict[str, Draft] = {}
        faults = []
        for position, entry in enumerate(entries, 1):
            draft = _draft(entry)
            if draft is None:
                faults.append(f"Entry {position} of Orgvue's list of drafts has no id.")
            else:
                # A page that moved while the list was read repeats a draft.
                drafts.setdefault(draft.draft_id.upper(), draft)
        if faults and not drafts:
            raise MalformedResponse(f"No entry of Orgvue's list of drafts can be read. {faults[0]}")
        return cls(tuple(drafts.values()), tuple(faults))


def list_drafts(client: Client) -> DraftList:
    """List the tenant's drafts (API guide, "Drafts"; path and form are inferred).

    Raises:
        MalformedResponse: The response is no list, or no entry names a draft.
        Refusal: Orgvue refuses the list.
    """
    found = DraftList.from_json(client.list_entries(client.drafts_url, RequestKind.DRAFTS))
    for draft in found.drafts:
        client.requests.names.setdefault(draft.draft_id.upper(), f"draft {draft}")
    return found


def _draft(entry: Any) -> Draft | None:
    if isinstance(entry, str):
        return Draft(_stored(entry)) if entry.strip() else None
    if not isinstance(entry, dict):
        return None
    id_member = _first_text(entry, _ID_MEMBERS)
    if id_member is None:
        return None
    name_member = _first_text(entry, _NAME_MEMBERS)
    base = _base(entry)
    used = {id_member, name_member}
    if base is not None:
        used |= {member for member in _BASE_MEMBERS if isinstance(entry.get(member), str)}
    layers, fault = _layers(entry.get(_LAYERS))
    return Draft(
        _stored(entry[id_member]),
        _stored(entry[name_member]) if name_member else "",
        base,
        layers,
        _json_text({member: value for member, value in entry.items() if member not in used}),
        fault,
    )


def _base(entry: Mapping[str, Any]) -> str | None:
    """The id of the dataset that an entry names; None if it names none, or more than one."""
    layers = entry.get(_LAYERS)
    told = [*_bases(entry)]
    for layer in layers if isinstance(layers, list) else []:
        told += _bases(layer) if isinstance(layer, dict) else []
    found: dict[str, str] = {}
    for value in told:
        inner = _first_text(value, _DATASET_ID_MEMBERS) if isinstance(value, dict) else None
        text = value[inner] if inner else value
        if isinstance(text, str) and text.strip():
            found.setdefault(text.strip().upper(), _stored(text.strip()))
    return next(iter(found.values())) if len(found) == 1 else None


def _bases(members: Mapping[str, Any]) -> Iterator[Any]:
    """What an entry, or a layer of it, tells of datasets."""
    for member in _BASE_MEMBERS:
        yield members.get(member)
    for member in _BASES_MEMBERS:
        value = members.get(member)
        yield from value if isinstance(value, list) else [value]


def _layers(value: Any) -> tuple[tuple[str, ...], str]:
    """The keys of layers, and why they may be incomplete; see `Draft.fault`."""
    if value is None or value == []:
        return (DEFAULT_LAYER,), ""
    if not isinstance(value, list):
        return (DEFAULT_LAYER,), "has `layers` in a form that this version does not know"
    keys = []
    for entry in value:
        if isinstance(entry, dict):
            member = _first_text(entry, _LAYER_KEY_MEMBERS)
            keys.append(_stored(entry[member]) if member else None)
        else:
            keys.append(_stored(entry) if isinstance(entry, str) and entry.strip() else None)
    known = tuple(dict.fromkeys(key for key in keys if key is not None))
    fault = "has a layer without a key" if None in keys else ""
    return known or (DEFAULT_LAYER,), fault


def _first_text(entry: Mapping[str, Any], members: Iterable[str]) -> str | None:
    """The first of some members whose value is a text that is not blank."""
    for member in members:
        value = entry.get(member)
        if isinstance(value, str) and value.strip():
            return member
    return None


def _json_text(members: Mapping[str, Any]) -> str:
    return json.dumps(_storable(members), ensure_ascii=False, separators=(",", ":"))


def _storable(value: Any) -> Any:
    """A value as databases store it in JSON: no NUL character, finite numbers."""
    if isinstance(value, str):
        return _stored(value)
    if isinstance(value, list):
        return [_storable(entry) for entry in value]
    if isinstance(value, dict):
        return {_stored(key): _storable(entry) for key, entry in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _stored(text: str) -> str:
    """A text without NUL characters, which no database stores."""
    return text.replace("\x00", "")
