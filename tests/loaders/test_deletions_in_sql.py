"""Deletions as they are in Postgres: before, during and after the loads of the real loader."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Orgvue
from tap_orgvue.simulator.refusals import RefusalError
from tests.support.datasets import Watched
from tests.support.loaders import Database, Loaded, load, make_database
from tests.support.runs import delivered, discover

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 40

WATCH = """
create table watch (number serial, statement text, live bigint);
create function note() returns trigger language plpgsql as $$
begin
  insert into orgvue.watch (statement, live)
  select tg_op, count(*) filter (where _sdc_deleted_at is null) from orgvue.people;
  return null;
end $$;
create trigger watching after insert or update or delete or truncate on people
  for each statement execute function note();
"""
"""Notes after every statement that changes the table how many rows are there, so that no moment
is missed, not even one within a transaction."""

WAYS: dict[str, tuple[bool, dict[str, Any]]] = {
    # whether in batches, and the loader's settings
    "records": (False, {"batch_size_rows": 7}),
    "batches": (True, {}),
    "batches with COPY": (True, {"use_copy": True, "validate_records": False}),
}


@dataclass(frozen=True)
class Mirror:
    """A table that mirrors a dataset of `ROWS` rows, loaded once.

    Attributes:
        state: That of the first load.
    """

    orgvue: Orgvue
    dataset: Watched
    database: Database
    catalog: dict[str, Any]
    state: dict[str, Any] | None

    def load(
        self,
        state: dict[str, Any] | None,
        tap: dict[str, Any] | None = None,
        target: dict[str, Any] | None = None,
        kill_when: Callable[[], bool] | None = None,
    ) -> Loaded:
        """Load once more."""
        return load(
            "target-postgres",
            {**self.database.target_config, **(target or {})},
            {**self.orgvue.config, "emit_activate_version_messages": True, **(tap or {})},
            self.catalog,
            state,
            kill_when=kill_when,
        )

    def rows(self) -> dict[str, bool]:
        """The ids in the table, and whether they are marked as deleted."""
        found = self.database.ask("select id, _sdc_deleted_at is not null from people")
        return dict(found)

    def fewest(self) -> int:
        """The fewest rows that were there at any moment since the first load."""
        return int(self.database.ask("select min(live) from watch")[0][0])

    def statements(self) -> list[str]:
        """What was done to the table since the first load, in order."""
        return [
            name for (name,) in self.database.ask("select statement from watch order by number")
        ]


@pytest.fixture(scope="module")
def first_load(postgres_uri: str) -> tuple[str, dict[str, Any] | None]:
    """The name of a database that people are loaded into, and the state of that load."""
    name = f"first_{uuid.uuid4().hex}"
    dataset = Watched.people(ROWS)
    with Orgvue([dataset]) as orgvue:
        mirror = Mirror(
            orgvue, dataset, make_database(postgres_uri, name), discover(orgvue.config), None
        )
        loaded = mirror.load(None)
        assert loaded.codes == (0, 0), loaded.log
        mirror.database.ask(WATCH)
    return name, loaded.state


@pytest.fixture
def mirror(
    serve: Callable[..., Orgvue],
    postgres_uri: str,
    first_load: tuple[str, dict[str, Any] | None],
) -> Mirror:
    """A copy of that database, of this test's own, and the same people."""
    name, state = first_load
    dataset = Watched.people(ROWS)
    orgvue = serve(dataset)
    database = make_database(postgres_uri, f"mirror_{uuid.uuid4().hex}", like=name)
    return Mirror(orgvue, dataset, database, discover(orgvue.config), state)


def batches(folder: Path) -> dict[str, Any]:
    """The settings of a tap that writes files of a few rows."""
    return {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": folder.as_uri()},
            "batch_size": 7,
        }
    }


EVERYBODY = {f"P{i}": False for i in range(ROWS)}


@pytest.mark.parametrize(
    "way,hard",
    [
        *((way, True) for way in WAYS),
        ("records", False),
        ("batches with COPY", False),
    ],
)
def test_a_removed_row_is_gone_and_comes_back(
    mirror: Mirror,
    tmp_path: Path,
    way: str,
    hard: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """With `hard_delete` it is gone, else marked; it comes back; the table is never empty."""
    in_batches, settings = WAYS[way]
    tap, target = batches(tmp_path) if in_batches else {}, {**settings, "hard_delete": hard}
    assert mirror.rows() == EVERYBODY
    row = dict(mirror.dataset.rows[3])
    mirror.dataset.remove(3)
    loaded = mirror.load(mirror.state, tap, target)
    assert loaded.codes == (0, 0), loaded.log
    without = {key: value for key, value in EVERYBODY.items() if key != "P3"}
    assert mirror.rows() == (without if hard else {**EVERYBODY, "P3": True})
    mirror.dataset.add(row)
    loaded = mirror.load(loaded.state, tap, target)
    assert loaded.codes == (0, 0), loaded.log
    assert mirror.rows() == EVERYBODY
    assert mirror.fewest() == ROWS - 1
    assert len(mirror.statements()) > 4


def test_a_run_that_fails_midway_deletes_nothing(mirror: Mirror) -> None:
    """An export of which a slice is refused removes no row; the next whole one does."""

    def refuse() -> None:
        if delivered(mirror.orgvue, before):
            raise RefusalError("400606")

    mirror.dataset.remove(3)
    before, mirror.orgvue.sync_limit_bytes = len(mirror.orgvue.requests), 2500
    mirror.dataset.happen = refuse
    paged, hard = {"export_mode": "paged", "max_retries": 0}, {"hard_delete": True}
    failed = mirror.load(mirror.state, paged, hard)
    assert failed.codes == (5, 0), failed.log
    assert mirror.statements()
    assert mirror.rows() == EVERYBODY
    mirror.dataset.happen = mirror.dataset.nothing
    mended = mirror.load(failed.state or mirror.state, paged, hard)
    assert mended.codes == (0, 0), mended.log
    assert mirror.rows() == {key: value for key, value in EVERYBODY.items() if key != "P3"}
    assert mirror.fewest() == ROWS - 1


@pytest.mark.parametrize("in_batches", [False, True])
def test_a_run_that_is_killed_midway_deletes_nothing(
    mirror: Mirror,
    tmp_path: Path,
    in_batches: bool,  # noqa: FBT001 - one of the cases
) -> None:
    """SIGKILL between two slices removes no row; the next run does."""
    mirror.dataset.remove(3)
    mirror.orgvue.sync_limit_bytes = 2500
    before = len(mirror.orgvue.requests)

    second_slice, gone = Event(), Event()

    def wait() -> None:
        if delivered(mirror.orgvue, before):
            second_slice.set()
            gone.wait(60)

    mirror.dataset.happen = wait
    tap = {"export_mode": "paged", **(batches(tmp_path) if in_batches else {})}
    killed = mirror.load(mirror.state, tap, {"hard_delete": True}, kill_when=second_slice.is_set)
    gone.set()
    assert killed.codes == (-9, 0), killed.log
    assert mirror.statements()
    assert mirror.rows() == EVERYBODY
    mirror.dataset.happen = mirror.dataset.nothing
    mended = mirror.load(killed.state or mirror.state, tap, {"hard_delete": True})
    assert mended.codes == (0, 0), mended.log
    assert mirror.rows() == {key: value for key, value in EVERYBODY.items() if key != "P3"}
    assert mirror.fewest() == ROWS - 1


def test_the_guard_keeps_the_rows(mirror: Mirror) -> None:
    """An export with fewer than half of the rows removes none, until the user allows it."""
    for _ in range(ROWS - 10):
        mirror.dataset.remove(0)
    withheld = mirror.load(mirror.state, target={"hard_delete": True})
    assert withheld.codes == (0, 0), withheld.log
    assert "delete_guard_percent" in withheld.log
    assert mirror.rows() == EVERYBODY
    allowed = mirror.load(withheld.state, {"delete_guard_percent": 0}, {"hard_delete": True})
    assert allowed.codes == (0, 0), allowed.log
    assert set(mirror.rows()) == {f"P{i}" for i in range(ROWS - 10, ROWS)}
