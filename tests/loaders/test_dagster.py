"""The example for Dagster: tenants and shards, what is told of tables, and second attempts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import uuid
import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Orgvue, Property, Tenant
from tests.support.dagster_runs import EXAMPLE, Dagster, dagster, environment_of
from tests.support.loaders import make_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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


TENANTS = {
    "acme": {"people": 0, "grades": 0, "positions": 1},
    "globex": {"people": 0, "jobs": 1},
    "initech": {"people": 1},
    "hooli": {"people": 0, "jobs": 1},
    "umbrella": {"people": 0},
}
"""Name to what `serve` takes. The first two are those of `night`, others of a test each."""


@dataclass(frozen=True)
class Example:
    """The example at work on tenants, all of which are discovered, and nothing is loaded."""

    engine: Dagster
    tenants: dict[str, Orgvue]
    database: Database
    requested: list[dict[str, str]]


@pytest.fixture(scope="module")
def example(postgres_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    """The example, for all tests of this file: each has tenants of its own."""
    folder = tmp_path_factory.mktemp("dagster")
    database = make_database(postgres_uri, f"dagster_{uuid.uuid4().hex}")
    with ExitStack() as stack:
        tenants = {
            name: stack.enter_context(serve(name.upper(), **shard_of))
            for name, shard_of in TENANTS.items()
        }
        env = environment_of(folder, database, tenants, max_retries=0, retired_streams=["gone"])
        engine = stack.enter_context(dagster(folder, env))
        for tenant in tenants:
            discovery = engine.run("discovery", tenant)
            assert discovery["succeeded"], discovery
        requested = engine.requests("shards_after_discovery")
        yield Example(engine, tenants, database, requested)


def shard(tenant: str, number: int) -> dict[str, str]:
    """A partition."""
    return {"tenant": tenant, "shard": str(number)}


@dataclass(frozen=True)
class Night:
    """Two tenants of two shards, loaded; one dataset of one tenant answered 500, and recovered.

    Attributes:
        example: Where they were loaded.
        failed: How the run of the shard ended in which the dataset is.
        exports: The datasets that were exported in this run's second attempt.
        others: How the other runs ended.
        environments: Tap and loader to the environment that each was started in last.
    """

    example: Example
    failed: dict[str, Any]
    exports: list[str | None]
    others: list[dict[str, Any]]
    environments: dict[str, str]


@pytest.fixture(scope="module")
def night(example: Example) -> Night:
    """That night."""
    engine, acme = example.engine, example.tenants["acme"]
    before = len(acme.requests)
    acme.refuse(500, on="export", dataset="grades")
    failed = engine.run("load", shard("acme", 0))
    print_run(failed)
    # Both datasets in the first attempt.
    exports = [each.dataset_id for each in acme.requests_of("export", since=before)][2:]
    others = [
        engine.run("load", partition)
        for partition in (shard("acme", 1), shard("globex", 0), shard("globex", 1))
    ]
    environments = {name: engine.environment(name) for name in ("tap", "loader")}
    return Night(example, failed, exports, others, environments)


def print_run(done: dict[str, Any]) -> None:
    """Print what a run told, for those who run the test with `-s`."""
    for number, (text, wait) in enumerate(zip(done["retried"], done["waits"], strict=True), 1):
        print(f"\nattempt {number}: {text.strip()} Waited: {wait} s.")  # noqa: T201
    for told in done["told"]:
        print(f"  {told}")  # noqa: T201


def test_discovery_asks_for_each_shard_that_has_datasets(example: Example) -> None:
    """In the tenants' order, once: a second look asks for nothing."""
    assert example.requested == [
        shard(tenant, number)
        for tenant, shard_of in TENANTS.items()
        for number in sorted({*shard_of.values()})
    ]
    assert example.engine.requests("shards_after_discovery") == []


def test_each_table_is_reported_with_its_figures(night: Night) -> None:
    """As an asset of its own, with the table's name, rows, rescued values and requests."""
    assert all(each["succeeded"] for each in night.others)
    table, whole = night.others[0]["told"]
    assert table == {
        "attempt": 1,
        "asset": "acme/positions",
        "kind": "AssetMaterialization",
        "dagster/table_name": "acme.positions",
        "rows": 2,
        "rescued_values": 1,
        "requests": 1,
    }
    assert (whole["asset"], whole["streams"], whole["rows"]) == ("orgvue_shard", 1, 2)
    assert whole["requests"]["export"] == 1


def test_a_failed_shard_is_retried_alone_for_its_failed_stream(night: Night) -> None:
    """After a minute, in its own run, which asks Orgvue for the failed dataset and no other.

    What arrived in the first attempt is told although another dataset of its shard failed.
    """
    assert night.failed["succeeded"], night.failed
    assert night.failed["waits"] == [60]
    [failure] = night.failed["retried"]
    assert "grades" in failure
    assert "500" in failure
    told = [(each["attempt"], each["asset"]) for each in night.failed["told"]]
    assert told == [(1, "acme/people"), (2, "acme/grades"), (2, "orgvue_shard")]
    grades = night.example.tenants["acme"].dataset("grades").dataset_id
    assert {*night.exports} == {grades}


def test_each_tenant_has_tables_and_states_of_its_own(night: Night) -> None:
    """A schema for each tenant, a state for each stream, a report for each attempt."""
    engine, database = night.example.engine, night.example.database
    for tenant in ("acme", "globex"):
        assert {*engine.state(tenant)} == {*TENANTS[tenant]}
        for table in TENANTS[tenant]:
            assert database.ask(f"select count(*) from {tenant}.{table}") == [(2,)]  # noqa: S608
    reports = [*(engine.folder / "store" / "reports" / "acme").glob("*.json")]
    assert len(reports) == 3


def test_neither_program_gets_the_secrets_of_the_other(night: Night) -> None:
    """The token is in the tap's environment alone, the warehouse's address in the loader's.

    Nor does the tap of one tenant see the token of another.
    """
    token, other = (night.example.tenants[name].token for name in ("globex", "acme"))
    tap, loader = night.environments["tap"], night.environments["loader"]
    assert token in tap
    assert other not in tap
    assert night.example.database.uri not in tap
    assert night.example.database.uri in loader
    assert token not in loader
    assert other not in loader


def test_an_empty_shard_starts_nothing(example: Example) -> None:
    """One that is started by hand succeeds, without a tap and a loader."""
    started = example.engine.pids("tap"), example.engine.pids("loader")
    assert example.engine.run("load", shard("initech", 0))["succeeded"]
    assert (example.engine.pids("tap"), example.engine.pids("loader")) == started


def test_hopeless_errors_are_not_retried_and_a_day_without_quota_is_waited_for(
    example: Example,
) -> None:
    """A refused token needs a person; after a used-up quota, an hour passes; at most 3 attempts."""
    hooli = example.tenants["hooli"]
    hooli.refuse("40302")
    refused = example.engine.run("load", shard("hooli", 0))
    assert not refused["succeeded"]
    assert refused["waits"] == []
    hooli.refuse("42902", times=3)
    later = example.engine.run("load", shard("hooli", 1))
    assert not later["succeeded"]
    assert later["waits"] == [3600, 3600]
    assert "quota" in later["failure"]


def test_a_loader_that_fails_has_all_of_its_shard_sent_again(example: Example) -> None:
    """No table is told, no state is kept, and the failure names the loader."""
    example.database.ask("create schema umbrella")
    example.database.ask("create view umbrella.people as select 1 as _id")
    failed = example.engine.run("load", shard("umbrella", 0))
    assert not failed["succeeded"]
    assert "Look at the loader's log" in failed["failure"]
    assert failed["waits"] == [300, 300]
    assert failed["told"] == []
    assert example.engine.state("umbrella") == {}
    exports = example.tenants["umbrella"].requests_of("export")
    assert len(exports) > len(failed["waits"])


def test_a_retired_stream_is_forgotten(night: Night) -> None:
    """Its state goes, those of other streams and of the other shard stay."""
    engine = night.example.engine
    states = engine.folder / "store" / "states" / "globex"
    gone = json.loads((states / "people.json").read_bytes())
    gone["orgvue"]["dataset"] = id_in(0, "gone")
    (states / "gone.json").write_text(json.dumps(gone), encoding="utf-8")
    assert engine.run("load", shard("globex", 0))["succeeded"]
    assert sorted(engine.state("globex")) == ["jobs", "people"]


def test_cancelling_ends_tap_and_loader(example: Example) -> None:
    """What Dagster does to cancel a run, in the middle of an export: both programs are gone."""
    initech, engine = example.tenants["initech"], example.engine
    before = len(initech.requests)
    initech.pause(on="export", seconds=600)
    engine.begin("load", shard("initech", 1))
    wait_for(lambda: bool(initech.requests_of("export", since=before)))
    programs = [engine.pids("tap")[-1], engine.pids("loader")[-1]]
    assert all(map(is_alive, programs))
    engine.process.send_signal(signal.SIGINT)
    answer = engine.answer()
    assert not answer["succeeded"]
    assert answer["waits"] == []
    assert not any(map(is_alive, programs))


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
