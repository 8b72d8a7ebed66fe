"""The API's origin: authorization, routes, and the response of each route."""

from __future__ import annotations

import itertools
import re
import uuid
from datetime import datetime, timezone
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tap_orgvue.simulator.drafts import encoded_actions, named_drafts, wanted_layers
from tap_orgvue.simulator.formats import CONTENT_TYPES, SYNCHRONOUS, encode
from tap_orgvue.simulator.jobs import Job
from tap_orgvue.simulator.messages import JSON, Content, Request, Response, Target
from tap_orgvue.simulator.pages import Pages
from tap_orgvue.simulator.query import Query, read_query
from tap_orgvue.simulator.refusals import RefusalError
from tap_orgvue.simulator.trouble import JobPlan

if TYPE_CHECKING:
    from tap_orgvue.simulator.behaviour import Behaviour
    from tap_orgvue.simulator.dataset import Dataset
    from tap_orgvue.simulator.drafts import Draft
    from tap_orgvue.simulator.jobs import FileStore
    from tap_orgvue.simulator.tenant import Tenant
    from tap_orgvue.simulator.trouble import Troubles

_TENANT = r"/api/v1/(?P<tenant>[^/]+)"
_DATASET = _TENANT + r"/datasets/(?P<dataset>[^/]+)"
_ROUTES = {
    "list": re.compile(_TENANT + r"/datasets"),
    "metadata": re.compile(_DATASET),
    "export": re.compile(_DATASET + r"/export/(?P<format>[^/]+)"),
    "job": re.compile(_DATASET + r"/export"),
    "items": re.compile(_DATASET + r"/items"),
    "drafts": re.compile(_TENANT + r"/drafts"),
    "draft_actions": re.compile(_TENANT + r"/drafts/actions"),
}
_METHODS = {
    "list": {"GET"},
    "metadata": {"GET"},
    "export": {"GET", "POST"},
    "job": {"POST"},
    "items": {"GET", "POST"},
    "drafts": {"GET"},
    "draft_actions": {"POST"},
}
#: A page says where the next one is, and only these formats have room for that.
_PAGED = {"jsonRows", "jsonColumns"}


class Api:
    """Responds to requests to the API; knows nothing of sockets."""

    name = "api"

    def __init__(
        self, tenant: Tenant, behaviour: Behaviour, files: FileStore, troubles: Troubles
    ) -> None:
        """Serve a tenant; results of jobs go to `files`, what they tell is as ordered."""
        self._tenant = tenant
        self._behaviour = behaviour
        self._files = files
        self._troubles = troubles
        self._pages = Pages(behaviour)
        self._lock = Lock()
        self._whole: dict[tuple[str, str], tuple[int, Content]] = {}
        self._traces = itertools.count(1)

    def trace_id(self) -> str:
        """Make the trace id of the next response."""
        return f"Root=1-62bcb5d4-{next(self._traces):024x}"

    def target(self, path: str, body: object) -> Target:
        """Say which route a path is, which dataset it names, and which drafts the body names."""
        for name, pattern in _ROUTES.items():
            match = pattern.fullmatch(path)
            if match:
                dataset = match.groupdict().get("dataset")
                drafts = named_drafts(body) if name == "draft_actions" else ()
                return Target(name, unquote(dataset) if dataset else None, drafts)
        return Target("unknown")

    def answer(self, request: Request) -> Response:
        """Respond to a request.

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
        if request.dataset_id is None:
            return self._of_tenant(request)
        dataset = self._dataset(request.dataset_id)
        if request.route == "export":
            return self._export(dataset, unquote(parts["format"]), request)
        return self._of_dataset(dataset, request)

    def _of_tenant(self, request: Request) -> Response:
        """Respond to a request that names no dataset."""
        if request.route == "list":
            return self._list(request)
        return self._drafts(request) if request.route == "drafts" else self._draft_actions(request)

    def _of_dataset(self, dataset: Dataset, request: Request) -> Response:
        """Respond to any request but a synchronous export."""
        if request.route == "metadata":
            return Response.of_json(dataset.metadata)
        return (self._items if request.route == "items" else self._job)(dataset, request)

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
        missing = not behaviour.async_export and request.route == "job"
        if missing or (not behaviour.drafts and request.route in {"drafts", "draft_actions"}):
            raise RefusalError("404602")
        methods = _METHODS[request.route]
        if request.route == "export" and not behaviour.post_export:
            methods = {"GET"}
        if request.method not in methods:
            raise RefusalError("405601")

    def _dataset(self, dataset_id: str) -> Dataset:
        if not _is_uuid(dataset_id):
            raise RefusalError("400603", pathParameter="datasetId")
        wanted = dataset_id.upper()
        for dataset in self._tenant.datasets:
            if dataset.dataset_id.upper() == wanted:
                if dataset.hidden_because is not None:
                    raise RefusalError(dataset.hidden_because)
                return dataset
        raise RefusalError("404601", datasetId=dataset_id)

    def _list(self, request: Request) -> Response:
        shown = [each for each in self._tenant.datasets if each.listed]
        return self._pages.of_list(request, [self._entry(each) for each in shown])

    def _drafts(self, request: Request) -> Response:
        url = f"{self._behaviour.api_url}/api/v1/{self._tenant.tenant_id}/drafts/actions"
        return self._pages.of_list(request, [each.entry(url) for each in self._tenant.drafts])

    def _draft_actions(self, request: Request) -> Response:
        """Export the actions of layers, in the order in which they are named."""
        gzipped = _is_gzip(request)
        layers = []
        for draft_id, key in wanted_layers(request.body):
            draft = self._draft(draft_id)
            try:
                layers.append(draft.layer(key))
            except KeyError:
                raise RefusalError("404604", draftId=draft_id, layerKey=key) from None
        content = encoded_actions(layers)
        if self._behaviour.draft_answer == "array":
            return Response(200, content, {"Content-Type": JSON})
        job = Job(content, JSON, gzipped, self.trace_id(), draft_ids=request.draft_ids)
        return self._opened(request, job, is_completed=self._behaviour.draft_answer == "completed")

    def _draft(self, draft_id: str) -> Draft:
        if not _is_uuid(draft_id):
            raise RefusalError("400601", message="A draftId must be a UUID string.")
        try:
            draft = self._tenant.draft(draft_id)
        except KeyError:
            raise RefusalError("404603", draftId=draft_id) from None
        if draft.hidden_because is not None:
            raise RefusalError(draft.hidden_because)
        return draft

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

    def _items(self, dataset: Dataset, request: Request) -> Response:
        """Give the stored values alone: an object for each row, empty ones left out."""
        query = read_query(request.body, asynchronous=False)
        snapshot = dataset.snapshot()
        keys = ["_id", *(each.key for each in snapshot.stored)]
        rows = query.rows(snapshot, self._behaviour.manners)
        return Response.of_json(
            [{key: row[key] for key in keys if row.get(key) is not None} for row in rows]
        )

    def _job(self, dataset: Dataset, request: Request) -> Response:
        (format_,) = request.query.get("exportFormat", ["jsonRows"])[-1:]
        if format_ not in CONTENT_TYPES:
            raise RefusalError("400604", exportFormat=format_)
        gzipped = _is_gzip(request)
        query = read_query(request.body, asynchronous=True)
        content = self._content(dataset, format_, query)
        type_ = CONTENT_TYPES[format_]
        gzipped = gzipped and not self._behaviour.plain_results
        job = Job(content, type_, gzipped, self.trace_id(), dataset_id=dataset.dataset_id)
        return self._opened(request, job)

    def _opened(self, request: Request, job: Job, *, is_completed: bool = False) -> Response:
        plan = self._troubles.take(request, JobPlan)
        return Response.of_json(self._files.open(job, plan, is_completed=is_completed), 202)

    def _export(self, dataset: Dataset, format_: str, request: Request) -> Response:
        if format_ not in SYNCHRONOUS:
            raise RefusalError("400604", pathParameter="format")
        query = read_query(request.body, asynchronous=False)
        paged = self._behaviour.page_rows is not None and format_ in _PAGED
        if paged and dataset.body is None:
            content = self._pages.of_export(dataset, format_, query, request)
        else:
            content = self._content(dataset, format_, query)
        limit = self._behaviour.sync_limit_bytes
        if limit is not None and len(content.plain) > limit:
            if self._behaviour.too_large_status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return Response.of_status(self._behaviour.too_large_status)
            raise RefusalError("413601", limit=limit)
        return Response(200, content, {"Content-Type": CONTENT_TYPES[format_]})

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


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _is_gzip(request: Request) -> bool:
    """Read whether a result is to be compressed."""
    (encoding,) = request.query.get("resultEncoding", ["identity"])[-1:]
    if encoding not in {"gzip", "identity"}:
        raise RefusalError("400605", queryParameter="resultEncoding")
    return encoding == "gzip"
