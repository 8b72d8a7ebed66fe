"""What every test finds: small tenants, served over real HTTP."""

from __future__ import annotations

import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from typing_extensions import Self, override

from tap_orgvue.simulator import Dataset, Orgvue, Property
from tests.loading import Database, make_database, postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_orgvue.simulator.tenant import Snapshot


def people(count: int = 5, name: str = "People") -> Dataset:
    """A dataset with a property of each declared type."""
    return Dataset(
        name,
        type="PEOPLE",
        properties=[
            Property("id", "text", name="Id", auto_id=True),
            Property("Full Name", "text"),
            Property("salary", "number"),
            Property("onLeave", "boolean"),
            Property("startDate", "date"),
        ],
        rows=[
            {
                "id": f"P{i}",
                "Full Name": f"Person {i}",
                "salary": 1000 + i,
                "onLeave": i % 2 == 0,
                "startDate": f"2022-01-{i % 28 + 1:02d}",
            }
            for i in range(count)
        ],
    )


class Watched(Dataset):
    """A dataset that something happens to, or is refused, when its rows are looked at.

    Attributes:
        happen: Called before each look.
    """

    @override
    def __post_init__(self) -> None:
        """Let nothing happen, unless a test sets something."""
        super().__post_init__()
        self.happen: Callable[[], None] = self.nothing

    @staticmethod
    def nothing() -> None:
        """What happens otherwise."""

    @classmethod
    def people(cls, count: int, name: str = "People") -> Self:
        """As `people` makes it."""
        plain = people(count, name)
        return cls(name, properties=plain.properties, rows=plain.rows)

    @override
    def snapshot(self) -> Snapshot:
        """Let it happen, then look."""
        self.happen()
        return super().snapshot()


@pytest.fixture
def serve() -> Iterator[Callable[..., Orgvue]]:
    """Serves datasets as a tenant until the test ends."""
    serving: list[Orgvue] = []

    def start(*datasets: Dataset) -> Orgvue:
        orgvue = Orgvue(list(datasets))
        orgvue.__enter__()
        serving.append(orgvue)
        return orgvue

    yield start
    for orgvue in serving:
        orgvue.stop()


@pytest.fixture
def orgvue(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with one small dataset, `People`, of five rows."""
    return serve(people())


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """An embedded Postgres server; the URI of its database `postgres`."""
    # Not under pytest's own folder: the server may run as another user, see `postgres`.
    with TemporaryDirectory(prefix="orgvue-tests-") as folder, postgres(Path(folder)) as uri:
        yield uri


@pytest.fixture
def database(postgres_uri: str) -> Database:
    """An empty database, of this test's own."""
    return make_database(postgres_uri, f"test_{uuid.uuid4().hex}")
