"""What the tests of loaders find: an embedded Postgres server, and a database for each test."""

from __future__ import annotations

import uuid
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.support.loaders import Database, make_database, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator


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
