"""The example for Dagster under its daemon: who ran when, and how many of a tenant at once.

`python -m tests.trials.dagster_queue` starts the real daemon, with its queue and its sensors, on
simulated tenants and an embedded Postgres, and begins with the discovery of all of them. The rest
follows by itself: shards after discovery, and a second attempt, after a minute, of the shard in
which a dataset answered 500.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.database import postgres
from tap_orgvue.simulator import Dataset, Orgvue, Property, Tenant
from tests.support.dagster_runs import EXAMPLE, PYTHON, environment_of
from tests.support.loaders import make_database

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMELINE = Path(__file__).parents[1] / "support" / "dagster_timeline.py"
SHIPPED_AT_ONCE = "max_concurrent_runs: 8"
LIMIT_OF_A_TENANT = 2


@dataclass(frozen=True)
class Size:
    """How much there is.

    Attributes:
        tenants: How many.
        shards: Of each.
        datasets: Of each tenant.
        rows: Of each dataset.
        at_once: Runs of all tenants at once.
        latency: Seconds that Orgvue takes for a request.
        patience: Seconds to wait for all of it.
    """

    tenants: int = 3
    shards: int = 3
    datasets: int = 12
    rows: int = 500
    at_once: int = 4
    latency: float = 0.5
    patience: float = 900.0


@dataclass(frozen=True)
class Run:
    """A run of the daemon's: what it was, and after how many seconds things happened to it."""

    tenant: str
    what: str
    attempts: int
    status: str
    queued: float
    started: float
    ended: float

    @classmethod
    def of(cls, told: dict[str, Any], zero: float) -> Run:
        """Read what `dagster_timeline` prints."""
        tags = told["tags"]
        shard = tags.get("dagster/partition/shard")
        started = told["started"] or told["queued"]
        return cls(
            tenant=tags.get("dagster/partition/tenant") or tags["dagster/partition"],
            what="discovery" if shard is None else f"shard {shard}",
            attempts=told["attempts"],
            status=told["status"],
            queued=told["queued"] - zero,
            started=started - zero,
            ended=(told["ended"] or started) - zero,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trial; 0 if all ended well and no tenant had more runs at once than it may."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in vars(Size()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    size = Size(**vars(parser.parse_args(arguments)))
    runs = run(size)
    show(runs)
    expected = size.tenants * (1 + size.shards)
    most = max(at_once(runs, tenant) for tenant in {each.tenant for each in runs})
    well = [each.status for each in runs] == ["SUCCESS"] * expected
    well = well and sum(each.attempts for each in runs) == expected + 1
    print(f"at once: {at_once(runs)} loads in all, {most} of a tenant at most")  # noqa: T201
    return int(not well or most > LIMIT_OF_A_TENANT)


def serve(size: Size, number: int) -> Orgvue:
    """A tenant."""
    rows = [{"name": f"Row {line}", "pay": line} for line in range(size.rows)]
    properties = [Property("name"), Property("pay", "number")]
    datasets = [
        Dataset(f"Dataset {each} of {number}", properties=properties, rows=rows)
        for each in range(size.datasets)
    ]
    orgvue = Orgvue(Tenant(datasets, tenant_id=f"TENANT{number}"))
    orgvue.seconds = size.latency
    return orgvue


def run(size: Size) -> list[Run]:
    """Start everything, wait for all runs, stop everything."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orgvue-queue-")))
        server = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orgvue-server-")))
        database = make_database(stack.enter_context(postgres(server)), "trial")
        tenants = {
            f"tenant{number}": stack.enter_context(serve(size, number))
            for number in range(1, size.tenants + 1)
        }
        env = environment_of(folder, database, tenants, shards=size.shards, max_retries=0)
        env["DAGSTER_HOME"] = str(folder)
        shipped = (EXAMPLE / "dagster.yaml").read_text(encoding="utf-8")
        assert SHIPPED_AT_ONCE in shipped
        (folder / "dagster.yaml").write_text(
            shipped.replace(SHIPPED_AT_ONCE, f"max_concurrent_runs: {size.at_once}"),
            encoding="utf-8",
        )
        first = next(iter(tenants.values()))
        # One response of the load: discovery asks for headers alone, and is spared.
        first.refuse(500, on="export", dataset="Dataset 0 of 1", skip=1)
        where = ["--python-file", "definitions.py", "--working-directory", str(EXAMPLE)]
        log = stack.enter_context((folder / "daemon.log").open("wb"))
        # Before the daemon: two processes would both make the databases.
        subprocess.run(
            [
                str(PYTHON.with_name("dagster")),
                *("job", "backfill", "--job", "discovery", "--noprompt"),
                *("--partitions", ",".join(tenants), *where),
            ],
            env=env,
            cwd=EXAMPLE,
            check=True,
            stdout=log,
            stderr=log,
        )
        daemon = subprocess.Popen(
            [str(PYTHON.with_name("dagster-daemon")), "run", *where],
            env=env,
            cwd=EXAMPLE,
            stdout=log,
            stderr=log,
        )
        try:
            expected = size.tenants * (1 + size.shards)
            told = subprocess.run(
                [str(PYTHON), str(TIMELINE), str(expected), str(size.patience)],
                env=env,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
        finally:
            daemon.terminate()
            daemon.wait()
        found = json.loads(told.stdout)
        zero = min(each["queued"] for each in found)
        return sorted((Run.of(each, zero) for each in found), key=lambda run: run.started)


def show(runs: Sequence[Run]) -> None:
    """Print who ran when, by tenant."""
    last = max(run.ended for run in runs)
    for tenant in sorted({run.tenant for run in runs}):
        print(f"\n{tenant:34} queued  start    end")  # noqa: T201
        for run in (each for each in runs if each.tenant == tenant):
            bar = " " * int(50 * run.started / last) + "█" * max(
                1, int(50 * (run.ended - run.started) / last)
            )
            twice = f", {run.attempts} attempts" if run.attempts > 1 else ""
            what = f"{run.what}, {run.status.lower()}{twice}"
            print(f"  {what:30} {run.queued:7.1f} {run.started:6.1f} {run.ended:6.1f}  {bar}")  # noqa: T201


def at_once(runs: Sequence[Run], tenant: str | None = None) -> int:
    """The most loads that ran at once, of a tenant or of all."""
    loads = [run for run in runs if run.what != "discovery" and tenant in {None, run.tenant}]
    return max(
        (sum(each.started <= load.started < each.ended for each in loads) for load in loads),
        default=0,
    )


if __name__ == "__main__":
    sys.exit(main())
