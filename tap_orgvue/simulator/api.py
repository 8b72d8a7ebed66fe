"""The API origin: who may ask, which route was meant, and what it answers."""

from __future__ import annotations

import itertools
import re
import uuid
from datetime import datetime, timezone
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from tap_orgvue.simulator.formats import CONTENT_TYPES, SYNCHRONOUS, encode
from tap_orgvue.simulator.messages import JSON, Answer, Content, Request
from tap_orgvue.simulator.query import Query, read_query
from tap_orgvue.simulator.refusals import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.jobs import FileStore
    from tap_orgvue.simulator.tenant import Dataset, Property, Row, Tenant

_DATASETS = r"/api/v1/(?P<tenant>[^/]+)/datasets"
_ROUTES = {
    "list": re.compile(_DATASETS),
    "metadata": re.compile(_DATASETS + r"/(?P<dataset>[^/]+)"),
    "export": re.compile(_DATASETS + r"/(?P<dataset>[^/]+)/export/(?P<format>[^/]+)"),
    "job": re.compile(_DATASETS + r"/(?P<dataset>[^/]+)/export"),
    "items": re.compile(_DATASETS + r"/(?P<dataset>[^/]+)/items"),
}
_METHODS = {
    "list": {"GET"},
    "metadata": {"GET"},
    "export": {"GET", "POST"},
    "job": {"POST"},
    "items": {"GET", "POST"},
}
#: A page says where the next one is, and only these formats have room for that.
_PAGED = {"jsonRows", "jsonColumns"}


class Api:
    """Answers requests to the API; knows nothing of sockets."""

    name = "api"

    def __init__(self, tenant: Tenant, behaviour: Behaviour, files: FileStore) -> None:
        """Serve a tenant; results of asynchronous exports go to `files`."""
        self._tenant = tenant
        self._behaviour = behaviour
        self._files = files
        self._lock = Lock()
        self._whole: dict[tuple[str, str], tuple[int, Content]] = {}
        self._pages: dict[str, tuple[Sequence[Property], Sequence[Row]]] = {}
        self._traces = itertools.count(1)

    def trace_id(self) -> str:
        """Make the trace id of the next answer."""
        return f"Root=1-62bcb5d4-{next(self._traces):024x}"

    def route(self, method: str, path: str) -> tuple[str, str | None]:
        """Say which route a path is, and which dataset it names."""
        del method
        for name, pattern in _ROUTES.items():
            match = pattern.fullmatch(path)
            if match:
                dataset = match.groupdict().get("dataset")
                return name, unquote(dataset) if dataset else None
        return "unknown", None

    def answer(self, request: Request) -> Answer:
        """Answer a request.

        Raises:
            RefusalError: It is refused.
        """
        self._check_token(request)
        if request.header("Content-Type") != JSON:
            raise RefusalError("415001")
        if request.route == "unknown":
            raise RefusalError("404602")
        self._check_method(request)
        match = _ROUTES[request.route].fullmatch(request.path)
        parts = match.groupdict() if match else {}
        if unquote(parts["tenant"]) != self._tenant.tenant_id:
            raise RefusalError("400602", pathParameter="tenantId")
        if request.raw and request.body is None:
            raise RefusalError("400601", message="The body is not JSON.")
        if request.route == "list":
            return self._list(request)
        dataset = self._dataset(request.dataset_id or "")
        if request.route == "metadata":
            return Answer.of_json(dataset.metadata)
        if request.route == "items":
            return self._items(dataset, request)
        if request.route == "job":
            return self._job(dataset, request)
        return self._export(dataset, unquote(parts["format"]), request)

    def _check_token(self, request: Request) -> None:
        given = request.header("Authorization")
        tenant = self._tenant
        now = datetime.now(timezone.utc)
        if not given:
            raise RefusalError("40101")
        if not given.startswith("Bearer "):
            raise RefusalError("40103")
        if given.removeprefix("Bearer ") != tenant.token:
            raise RefusalError("40102")
        if tenant.token_starts and now < tenant.token_starts:
            raise RefusalError("40301")
        if tenant.token_expires and now >= tenant.token_expires:
            raise RefusalError("40302")

    def _check_method(self, request: Request) -> None:
        behaviour = self._behaviour
        if request.route == "job" and not behaviour.async_export:
            raise RefusalError("404602")
        methods = _METHODS[request.route]
        if request.route == "export" and not behaviour.post_export:
            methods = {"GET"}
        if request.method not in methods:
            raise RefusalError("405601")

    def _dataset(self, dataset_id: str) -> Dataset:
        try:
            uuid.UUID(dataset_id)
        except ValueError:
            raise RefusalError("400603", pathParameter="datasetId") from None
        wanted = dataset_id.upper()
        for dataset in self._tenant.datasets:
            if dataset.dataset_id.upper() == wanted:
                if dataset.hidden_because is not None:
                    raise RefusalError(dataset.hidden_because)
                return dataset
        raise RefusalError("404601", datasetId=dataset_id)

    def _list(self, request: Request) -> Answer:
        entries = [self._entry(each) for each in self._tenant.datasets]
        size = self._behaviour.page_rows
        if size is None:
            return Answer.of_json(entries)
        start = _offset(request)
        links = {}
        if start + size < len(entries):
            links = self._next_link(f"{request.path}?offset={start + size}")
        return Answer.of_json({"items": entries[start : start + size], "_links": links})

    def _entry(self, dataset: Dataset) -> dict[str, object]:
        path = f"/api/v1/{self._tenant.tenant_id}/datasets/{dataset.dataset_id}"
        url = f"{self._behaviour.api_url}{path}"
        return {
            "isPermissionedView": dataset.is_permissioned_view,
            "datasetId": dataset.dataset_id,
            "name": dataset.name,
            "type": dataset.type,
            "_links": {
                "dataset:retrieve": {"url": url, "method": "GET", "type": "resource"},
                "dataset:export": {"url": f"{url}/export", "method": "POST", "type": "resource"},
            },
        }

    def _items(self, dataset: Dataset, request: Request) -> Answer:
        """Give the stored values alone: an object for each row, empty ones left out."""
        query = read_query(request.body, asynchronous=False)
        snapshot = dataset.snapshot()
        keys = ["_id", *(each.key for each in snapshot.stored)]
        rows = query.rows(snapshot, self._behaviour.manners)
        return Answer.of_json(
            [{key: row[key] for key in keys if row.get(key) is not None} for row in rows]
        )

    def _job(self, dataset: Dataset, request: Request) -> Answer:
        (format_,) = request.query.get("exportFormat", ["jsonRows"])[-1:]
        (encoding,) = request.query.get("resultEncoding", ["identity"])[-1:]
        if format_ not in CONTENT_TYPES:
            raise RefusalError("400604", exportFormat=format_)
        if encoding not in {"gzip", "identity"}:
            raise RefusalError("400605", queryParameter="resultEncoding")
        query = read_query(request.body, asynchronous=True)
        ticket = self._files.open_job(
            dataset.dataset_id,
            self._content(dataset, format_, query),
            CONTENT_TYPES[format_],
            self.trace_id(),
            gzipped=encoding == "gzip",
        )
        return Answer.of_json(ticket, 202)

    def _export(self, dataset: Dataset, format_: str, request: Request) -> Answer:
        if format_ not in SYNCHRONOUS:
            raise RefusalError("400604", pathParameter="format")
        query = read_query(request.body, asynchronous=False)
        paged = self._behaviour.page_rows is not None and format_ in _PAGED
        if paged and dataset.body is None:
            content = self._page(dataset, format_, query, request)
        else:
            content = self._content(dataset, format_, query)
        limit = self._behaviour.sync_limit_bytes
        if limit is not None and len(content.plain) > limit:
            if self._behaviour.too_large_status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return Answer.of_status(self._behaviour.too_large_status)
            raise RefusalError("413601", limit=limit)
        return Answer(200, content, {"Content-Type": CONTENT_TYPES[format_]})

    def _content(self, dataset: Dataset, format_: str, query: Query) -> Content:
        """Write an export; a whole one is written once for each version of the dataset."""
        if dataset.body is not None:
            return self._raw(dataset.dataset_id, dataset.body)
        snapshot, manners = dataset.snapshot(), self._behaviour.manners
        if not query.is_whole:
            rows = query.rows(snapshot, manners)
            return Content(encode(format_, query.columns(snapshot, manners), rows, query.links))
        with self._lock:
            version, content = self._whole.get((dataset.dataset_id, format_), (-1, Content(b"")))
            if version != snapshot.version:
                content = Content(encode(format_, snapshot.columns, snapshot.rows))
                self._whole[dataset.dataset_id, format_] = snapshot.version, content
            return content

    def _raw(self, dataset_id: str, body: bytes) -> Content:
        """Keep the content of a raw body, so that it is compressed once."""
        with self._lock:
            _, content = self._whole.get((dataset_id, "raw"), (-1, Content(b"")))
            if content.plain is not body:
                content = Content(body)
                self._whole[dataset_id, "raw"] = -1, content
            return content

    def _page(self, dataset: Dataset, format_: str, query: Query, request: Request) -> Content:
        """Write a page; the cursor in the link to the next one stands for the query's outcome."""
        cursor = request.query.get("cursor", [""])[0]
        start = _offset(request)
        with self._lock:
            if cursor not in self._pages:
                snapshot, manners = dataset.snapshot(), self._behaviour.manners
                cursor = f"{len(self._pages) + 1:08x}"
                rows = query.rows(snapshot, manners)
                self._pages[cursor] = query.columns(snapshot, manners), rows
            columns, rows = self._pages[cursor]
        stop = start + (self._behaviour.page_rows or len(rows))
        links = {}
        if stop < len(rows):
            links = self._next_link(f"{request.path}?cursor={cursor}&offset={stop}")
        return Content(encode(format_, columns, rows[start:stop], next_page=links))

    def _next_link(self, target: str) -> dict[str, object]:
        origin = self._behaviour.next_origin or self._behaviour.api_url
        return {"next": {"url": origin + quote(target, safe="/?&=%"), "method": "GET"}}


def _offset(request: Request) -> int:
    """Read where a page starts."""
    text = request.query.get("offset", ["0"])[0]
    if not text.isdecimal():
        raise RefusalError("400605", queryParameter="offset")
    return int(text)
