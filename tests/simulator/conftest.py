"""What the tests of the simulator share: a small tenant, and a client that asks as documented."""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_orgvue.simulator import Dataset, Orgvue, Property, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JSON = "application/json; charset=UTF-8"


class Client:
    """Asks the simulator with the headers that Orgvue documents."""

    def __init__(self, orgvue: Orgvue) -> None:
        """Ask this one."""
        self.orgvue = orgvue
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.clear()
        self.session.headers.update(
            {
                "Authorization": f"Bearer {orgvue.token}",
                "Content-Type": JSON,
                "Accept-Encoding": "gzip",
            }
        )

    def url(self, path: str = "", dataset: str | None = None) -> str:
        """Give the URL of the datasets, or of something below one of them."""
        below = "" if dataset is None else f"/{self.orgvue.dataset(dataset).dataset_id}"
        return f"{self.orgvue.api_url}/api/v1/{self.orgvue.tenant_id}/datasets{below}{path}"

    def get(
        self, path: str = "", dataset: str | None = None, **headers: str | None
    ) -> requests.Response:
        """GET; headers are added, or with `None` left out, `_` in a name being a hyphen."""
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.session.get(self.url(path, dataset), headers=spelled, timeout=20)

    def post(self, path: str, dataset: str, body: object = None) -> requests.Response:
        """POST a JSON document; nothing with `None`."""
        return self.session.post(self.url(path, dataset), json=body, timeout=20)

    def export(self, dataset: str = "People", **output: object) -> requests.Response:
        """Export synchronously with a query."""
        return self.post("/export/jsonRows", dataset, {"query": {"output": output}})

    def ids(self, dataset: str = "People", **output: object) -> list[object]:
        """Export with a query and give the column `id`."""
        document = self.export(dataset, **output).json()
        place = [header["key"] for header in document["headers"]].index("id")
        return [row[place] for row in document["rows"]]

    def job(
        self, dataset: str = "People", body: object = None, query: str = "resultEncoding=gzip"
    ) -> requests.Response:
        """Ask for an asynchronous export as jsonRows."""
        return self.post(f"/export?exportFormat=jsonRows&{query}", dataset, body)

    def ticket(self, ticket: dict[str, Any]) -> requests.Response:
        """Read a job's ticket again, without any credential."""
        return requests.get(ticket["_links"]["self"]["url"], timeout=20)

    def result(self, ticket: dict[str, Any]) -> requests.Response:
        """Fetch a job's result, without any credential."""
        return requests.get(ticket["_links"]["result"]["url"], timeout=20)

    def completed(
        self, dataset: str = "People", body: object = None, query: str = "resultEncoding=gzip"
    ) -> dict[str, Any]:
        """Ask for an asynchronous export and give its completed ticket."""
        ticket: dict[str, Any] = self.job(dataset, body, query).json()
        while ticket["jobStatus"] in {"created", "running"}:
            ticket = self.ticket(ticket).json()
        assert ticket["jobStatus"] == "completed"
        return ticket

    def outcome(self, dataset: str = "People", body: object = None) -> dict[str, Any]:
        """Export asynchronously and give the document."""
        packed = self.result(self.completed(dataset, body)).content
        document: dict[str, Any] = json.loads(gzip.decompress(packed))
        return document

    def error(self, response: requests.Response) -> tuple[int, str]:
        """Give a refusal's status and code."""
        return response.status_code, response.json()["errors"][0]["code"]


@pytest.fixture
def people() -> Dataset:
    """A dataset with a column of each kind and four rows."""
    return Dataset(
        "People",
        type="PEOPLE",
        tags=("HR",),
        properties=[
            Property("id", "text", name="Id", auto_id=True, is_core=True, is_required=True),
            Property("full name", "text", name="Full Name", label_id=True),
            Property("salary", "number"),
            Property("full time", "boolean"),
            Property("start", "date"),
            Property("notes", "multiValue"),
            Property("fte", "number", calculated=True),
        ],
        rows=[
            {"id": "a", "full name": "Zoë", "salary": 10, "full time": True, "fte": 1},
            {"id": "b", "salary": 2.5, "full time": False, "start": "2020-01-01", "notes": [1]},
            {"id": "c", "full name": "", "salary": 30, "start": "2021-05-05T00:00:00.000Z"},
            {"id": "D", "full name": "amber", "notes": "x", "fte": 0.5},
        ],
    )


@pytest.fixture
def serve() -> Iterator[Callable[[Tenant], Client]]:
    """Serves a tenant until the test ends, and gives a client of it."""
    with ExitStack() as stack:

        def start(tenant: Tenant) -> Client:
            client = Client(stack.enter_context(Orgvue(tenant)))
            stack.enter_context(client.session)
            return client

        yield start


@pytest.fixture
def client(serve: Callable[[Tenant], Client], people: Dataset) -> Client:
    """A client of a running tenant that has `People` and an empty dataset, `Empty`."""
    empty = Dataset("Empty", type="ROLES", properties=[Property("id")], is_permissioned_view=True)
    return serve(Tenant([people, empty]))
