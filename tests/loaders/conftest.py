"""What the tests of loaders find: an embedded Postgres server, databases, a Meltano project."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from demo.database import postgres
from tests.support.loaders import Database, make_database
from tests.support.meltano import Project, make_project

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


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose plugins are installed by the first run, and are there for the others."""
    return make_project(tmp_path_factory.mktemp("meltano"))


@pytest.fixture
def project(installed: Project, tmp_path: Path) -> Project:
    """The project with its settings as shipped, and a state that no other test has seen."""
    installed.configure()
    return replace(installed, state=tmp_path / "meltano.db")
