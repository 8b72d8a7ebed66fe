"""Pages: of lists and of exports, with links from one to the next."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote

from tap_orgvue.simulator.formats import encode
from tap_orgvue.simulator.messages import Content, Request, Response
from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.dataset import Dataset, Property, Row
    from tap_orgvue.simulator.query import Query


@dataclass
class _Paged:
    """An export that is read in pages: its first request, its query, and the query's outcome."""

    method: str
    body: object
    query: Query
    columns: Sequence[Property]
    rows: Sequence[Row]


class Pages:
    """Cuts lists and exports into pages of `Behaviour.page_rows`."""

    def __init__(self, behaviour: Behaviour) -> None:
        """Start without any; `behaviour` tells their size and how they go on."""
        self._behaviour = behaviour
        self._lock = Lock()
        self._exports: dict[str, _Paged] = {}

    def of_list(self, request: Request, entries: Sequence[object]) -> Response:
        """Respond with a list's page, or the whole array where there are no pages."""
        size = self._behaviour.page_rows
        if size is None:
            return Response.of_json(entries)
        start = _offset(request)
        links = self._links(request, f"{request.path}?offset=", start, len(entries))
        return Response.of_json({"items": entries[start : start + size], "_links": links})

    def of_export(self, dataset: Dataset, format_: str, query: Query, request: Request) -> Content:
        """Write a page; the cursor in the link to the next one stands for the query's outcome."""
        start, cursor = _offset(request), request.query.get("cursor", [""])[0]
        with self._lock:
            paged = self._exports.get(cursor)
            if paged is None:
                cursor = f"{len(self._exports) + 1:08x}"
                paged = self._begin(dataset, query, request)
                self._exports[cursor] = paged
            elif self._behaviour.strict_pages:
                _check_repeats(paged, request)
            if self._behaviour.live_pages:
                paged = self._begin(dataset, paged.query, request)
        stop = start + (self._behaviour.page_rows or len(paged.rows))
        address = f"{request.path}?cursor={cursor}&offset="
        links = self._links(request, address, start, len(paged.rows))
        return Content(encode(format_, paged.columns, paged.rows[start:stop], next_page=links))

    def _begin(self, dataset: Dataset, query: Query, request: Request) -> _Paged:
        snapshot, manners = dataset.snapshot(), self._behaviour.manners
        rows = query.rows(snapshot, manners)
        columns = query.columns(snapshot, manners)
        return _Paged(request.method, request.body, query, columns, rows)

    def _links(self, request: Request, address: str, start: int, count: int) -> dict[str, object]:
        behaviour = self._behaviour
        following = start + (behaviour.page_rows or count)
        if following >= count:
            if behaviour.page_end == "stop":
                return {}
            following = start if behaviour.page_end == "loop" else following
        origin = behaviour.next_origin or behaviour.api_url
        method = request.method if behaviour.strict_pages else "GET"
        url = origin + quote(f"{address}{following}", safe="/?&=%")
        return {"next": {"url": url, **({"method": method} if behaviour.next_method else {})}}


def _check_repeats(paged: _Paged, request: Request) -> None:
    if request.method != paged.method:
        raise RefusalError("405601")
    if request.body != paged.body:
        raise RefusalError("400601", message="The page belongs to another query.")


def _offset(request: Request) -> int:
    """Read where a page starts."""
    text = request.query.get("offset", ["0"])[0]
    if not text.isdecimal():
        raise RefusalError("400605", queryParameter="offset")
    return int(text)
