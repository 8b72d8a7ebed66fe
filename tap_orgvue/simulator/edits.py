"""Alters a complete response: members of its JSON document, columns of its rows, headers."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_orgvue.simulator.messages import Content, Response, parsed
from tap_orgvue.simulator.trouble import Amend

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator.trouble import Edit, Reshape

_GZIP = b"\x1f\x8b"
_NAMING = ("name", "datasetId", "draftId")


def edited(response: Response, edit: Edit) -> Response:
    """Apply an edit to a response.

    A body that is not JSON, or not one of the shape that the edit is for, stays as it is. A gzip
    file is one afterwards.
    """
    if isinstance(edit, Amend):
        response = replace(response, headers={**response.headers, **edit.headers})
        return _rewritten(response, lambda document: _amended(document, edit))
    return _rewritten(response, lambda document: _reshaped(document, edit))


def _rewritten(response: Response, change: Callable[[Any], Any]) -> Response:
    if not isinstance(response.content, Content):
        return response
    plain = response.content.plain
    packed = plain.startswith(_GZIP)
    document = parsed(gzip.decompress(plain) if packed else plain)
    changed = change(document)
    if changed is document:
        return response
    content = Content(json.dumps(changed, ensure_ascii=False, separators=(",", ":")).encode())
    return replace(response, content=content.packed if packed else content)


def _amended(document: Any, edit: Amend) -> Any:
    if edit.entry is None:
        return _with_members(document, edit)
    entries = document.get("items") if isinstance(document, dict) else document
    if not isinstance(entries, list):
        return document
    changed = [
        _with_members(entry, edit) if _is_called(entry, number, edit.entry) else entry
        for number, entry in enumerate(entries)
    ]
    return {**document, "items": changed} if isinstance(document, dict) else changed


def _is_called(entry: Any, number: int, name: str | int) -> bool:
    if isinstance(name, int):
        return number == name
    return isinstance(entry, dict) and name in [entry.get(key) for key in _NAMING]


def _with_members(document: Any, edit: Amend) -> Any:
    if edit.to is not ...:
        return edit.to
    if not isinstance(document, dict) or not (edit.put or edit.remove):
        return document
    kept = {name: value for name, value in document.items() if name not in edit.remove}
    return {**kept, **edit.put}


def _reshaped(document: Any, edit: Reshape) -> Any:
    if not isinstance(document, dict) or not {"headers", "rows"} <= document.keys():
        return document
    headers = document["headers"]
    rank = {key: number for number, key in enumerate(edit.first)}
    places = [place for place, each in enumerate(headers) if each["key"] not in edit.drop]
    places.sort(key=lambda place: rank.get(headers[place]["key"], len(rank)))
    cells = list(edit.add.values())
    return {
        **document,
        "headers": [
            *(_header(headers[place], edit) for place in places),
            *({"key": key, "name": key, "type": _type_of(edit.add[key])} for key in edit.add),
        ],
        "rows": [[row[place] for place in places] + cells for row in document["rows"]],
    }


def _header(header: dict[str, object], edit: Reshape) -> dict[str, object]:
    key = str(header["key"])
    changed = {
        **header,
        "key": edit.rename.get(key, key),
        "type": edit.retype.get(key, header["type"]),
    }
    return {name: changed[name] for name in changed if name != "key" or key not in edit.keyless}


def _type_of(cell: object) -> str:
    if isinstance(cell, bool):
        return "boolean"
    return "number" if isinstance(cell, (int, float)) else "text"
