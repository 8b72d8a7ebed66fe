"""The example for Dagster: tenants and shards, what is told of tables, and second attempts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import uuid
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property, Tenant
from tests.support.dagster_runs import EXAMPLE, Dagster, dagster, environment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tests.support.loaders import Database

PATIENCE_SECONDS = 120


def serve(tenant_id: str, **shard_of: int) -> Orgvue:
    """A tenant of datasets with two rows each, one of which has a value that is rescued.

    Args:
        tenant_id: The tenant's id.
        shard_of: A dataset's name to the shard, of two, that it is to be in.
    """
    rows: list[Mapping[str, object]] = [{"pay": 1}, {"pay": "N/A"}]
    datasets = [
        Dataset(
            name, dataset_id=id_in(shard, name), properties=[Property("pay", "number")], rows=rows
        )
        for name, shard in shard_of.items()
    ]
    return Orgvue(Tenant(datasets, tenant_id=tenant_id))


def id_in(shard: int, name: str) -> str:
    """An id of a dataset in a shard, of two."""
    ids = (str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {number}")) for number in range(99))
    return next(each.upper() for each in ids if zlib.crc32(each.upper().encode()) % 2 == shard)


@pytest.fixture
def example(tmp_path: Path, database: Database) -> Iterator[Callable[..., Dagster]]:
    """Starts the example on tenants, once in a test."""
    running = []

    def start(tenants: dict[str, Orgvue], **settings: Any) -> Dagster:
        env = environment_of(tmp_path, database, tenants, max_retries=0, **settings)
        running.append(dagster(tmp_path, env))
        return running[0].__enter__()

    yield start
    for each in running:
        each.__exit__(None, None, None)


def shard(tenant: str, number: int) -> dict[str, str]:
    """A partition."""
    return {"tenant": tenant, "shard": str(number)}


def test_tenants_are_loaded_by_shards_and_a_failed_one_runs_again_for_its_failed_stream(
    example: Callable[..., Dagster], database: Database
) -> None:
    """Two tenants of two shards; one dataset of one tenant answers 500, and recovers.

    Each table is told with its figures, each tenant has a schema of its own, and the second attempt
    is one run, which asks Orgvue for the failed dataset and no other.
    """
    acme = serve("ACME", people=0, grades=0, positions=1)
    globex = serve("GLOBEX", people=0, jobs=1)
    with acme, globex:
        engine = example({"acme": acme, "globex": globex})
        for tenant in ("acme", "globex"):
            discovery = engine.run("discovery", tenant)
            assert discovery["succeeded"], discovery
        loads = engine.requests("shards_after_discovery")
        partitions = [load["partition"] for load in loads]
        assert partitions == [shard(name, n) for name in ("acme", "globex") for n in (0, 1)]

        acme.refuse(500, on="export", dataset="grades")
        done = [engine.run(**load) for load in loads]
        print_run(done[0], "first attempt")
        assert [each["succeeded"] for each in done] == [False, True, True, True], done
        assert done[1]["told"]["acme/positions"] == {
            "kind": "AssetMaterialization",
            "dagster/table_name": "acme.positions",
            "rows": 2,
            "rescued_values": 1,
            "requests": 1,
        }
        # What arrived is told although another dataset of its shard failed.
        assert "acme/people" in done[0]["told"]
        assert "acme/grades" not in done[0]["told"]
        assert "grades" in done[0]["failure"]
        assert "500" in done[0]["failure"]
        assert sorted(engine.state("acme")) == ["people", "positions"]

        # Not yet: a minute has to pass.
        assert engine.again() == []
        [request] = engine.again(ahead=61)
        assert request["partition"] == shard("acme", 0)
        assert request["config"] == {"ops": {"orgvue_shard": {"config": {"streams": ["grades"]}}}}

        before = len(acme.requests)
        second = engine.run(**request)
        print_run(second, "second attempt")
        assert second["succeeded"], second
        assert [name for name in second["told"] if name.startswith("acme/")] == ["acme/grades"]
        exports = acme.requests_of("export", since=before)
        assert {each.dataset_id for each in exports} == {acme.dataset("grades").dataset_id}
        assert sorted(engine.state("acme")) == ["grades", "people", "positions"]
    for table in ("acme.people", "acme.grades", "acme.positions", "globex.people", "globex.jobs"):
        assert database.ask(f"select count(*) from {table}") == [(2,)]  # noqa: S608 - a test's own


def print_run(done: dict[str, Any], title: str) -> None:
    """Print what a run told, for those who run the test with `-s`."""
    print(f"\n{title}: {'succeeded' if done['succeeded'] else done['failure']}")  # noqa: T201
    for name, told in done["told"].items():
        print(f"  {name}: {told}")  # noqa: T201


def test_neither_program_gets_the_secrets_of_the_other(
    example: Callable[..., Dagster], database: Database
) -> None:
    """The token is in the tap's environment alone, the warehouse's address in the loader's.

    Nor does the tap of one tenant see the token of another.
    """
    with serve("ACME", people=0) as acme, serve("GLOBEX", jobs=1) as globex:
        engine = example({"acme": acme, "globex": globex})
        engine.run("discovery", "acme")
        assert engine.run("load", shard("acme", 0))["succeeded"]
        tap, loader = engine.environment("tap"), engine.environment("loader")
        assert acme.token in tap
        assert globex.token not in tap
        assert database.uri not in tap
        assert database.uri in loader
        assert acme.token not in loader
        assert globex.token not in loader


def test_an_empty_shard_starts_nothing(example: Callable[..., Dagster]) -> None:
    """No run follows discovery for a shard without datasets, and one by hand starts no program."""
    with serve("ACME", people=1) as acme:
        engine = example({"acme": acme})
        engine.run("discovery", "acme")
        loads = engine.requests("shards_after_discovery")
        assert [load["partition"] for load in loads] == [shard("acme", 1)]
        started = engine.pids("tap")
        assert engine.run("load", shard("acme", 0))["succeeded"]
        assert engine.pids("tap") == started
        assert engine.pids("loader") == []


def test_hopeless_errors_are_not_retried_and_a_day_without_quota_is_waited_for(
    example: Callable[..., Dagster],
) -> None:
    """A refused token needs a person; after a used-up quota, an hour passes; at most 3 attempts."""
    with serve("ACME", people=0, jobs=1) as acme:
        engine = example({"acme": acme})
        engine.run("discovery", "acme")
        acme.refuse("40302")
        assert not engine.run("load", shard("acme", 0))["succeeded"]
        assert engine.again(ahead=86_000) == []

        acme.refuse("42902")
        assert not engine.run("load", shard("acme", 1))["succeeded"]
        assert engine.again(ahead=3000) == []
        [second] = engine.again(ahead=3601)
        acme.refuse("42902", times=None)
        assert not engine.run(**second)["succeeded"]
        [third] = [each for each in engine.again(ahead=3601) if each["tags"] != second["tags"]]
        assert not engine.run(**third)["succeeded"]
        assert len(engine.again(ahead=3601)) == 2


def test_a_loader_that_fails_has_all_of_its_shard_sent_again(
    example: Callable[..., Dagster], database: Database
) -> None:
    """No table is told, no state is kept, and the failure names the loader."""
    with serve("ACME", people=0) as acme:
        engine = example({"acme": acme})
        engine.run("discovery", "acme")
        database.ask("create schema acme")
        database.ask("create view acme.people as select 1 as _id")
        failed = engine.run("load", shard("acme", 0))
        assert "Look at the loader's log" in failed["failure"]
        assert "acme/people" not in failed["told"]
        assert engine.state("acme") == {}
        [request] = engine.again(ahead=301)
        assert request["config"]["ops"]["orgvue_shard"]["config"] == {"streams": []}
        database.ask("drop view acme.people")
        assert engine.run(**request)["succeeded"]


def test_a_retired_stream_is_forgotten(example: Callable[..., Dagster]) -> None:
    """Its state goes, those of other streams and of the other shard stay."""
    with serve("ACME", people=0, jobs=1) as acme:
        engine = example({"acme": acme}, retired_streams=["gone"])
        engine.run("discovery", "acme")
        assert engine.run("load", shard("acme", 1))["succeeded"]
        assert engine.run("load", shard("acme", 0))["succeeded"]
        states = engine.folder / "store" / "states" / "acme"
        gone = json.loads((states / "people.json").read_bytes())
        gone["orgvue"]["dataset"] = id_in(0, "gone")
        (states / "gone.json").write_text(json.dumps(gone), encoding="utf-8")
        assert engine.run("load", shard("acme", 0))["succeeded"]
        assert sorted(engine.state("acme")) == ["jobs", "people"]


def test_cancelling_ends_tap_and_loader(example: Callable[..., Dagster]) -> None:
    """What Dagster does to cancel a run, in the middle of an export: both programs are gone."""
    with serve("ACME", people=0) as acme:
        engine = example({"acme": acme})
        engine.run("discovery", "acme")
        before = len(acme.requests)
        acme.pause(on="export", seconds=600)
        engine.begin("load", shard("acme", 0))
        wait_for(lambda: bool(acme.requests_of("export", since=before)))
        programs = [engine.pids("tap")[-1], engine.pids("loader")[-1]]
        assert all(map(is_alive, programs))
        engine.process.send_signal(signal.SIGINT)
        answer = engine.answer()
        assert not answer["succeeded"]
        assert not any(map(is_alive, programs))
        assert engine.again(ahead=86_000) == []


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_queue_allows_a_tenant_as_many_runs_as_share_its_requests() -> None:
    """The limit in dagster.yaml is the number that the requests a second are divided by."""
    limits = re.findall(
        r"key: (\S+)\n +value:\n +applyLimitPerUniqueValue: true\n +limit: (\d+)",
        (EXAMPLE / "dagster.yaml").read_text(encoding="utf-8"),
    )
    code = (EXAMPLE / "definitions.py").read_text(encoding="utf-8")
    found = re.search(r"^RUNS_OF_A_TENANT = (\d+)", code, re.MULTILINE)
    assert found
    assert limits == [("dagster/partition/tenant", found[1]), ("dagster/partition", "1")]
