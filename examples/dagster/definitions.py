"""Orgvue's tenants in Dagster: discovery once a tenant, loads by tenant and shard."""

import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import dagster as dg
import pipeline

RUNS_OF_A_TENANT = 2
"""At once; the limit of `dagster/partition/tenant` in dagster.yaml is the same number."""
SHARE = 90 // RUNS_OF_A_TENANT
"""Requests a second for each of them. Orgvue allows a tenant 100: the rest is discovery's."""
DISCOVERY_SHARE = 10

HOPELESS = {2, 3}
"""Exit codes of the tap after which a person is needed, see its documentation."""
WAITS = {1: 300, 4: 3600, 5: 60, 6: 300}
"""Exit code to seconds before the next attempt; other codes are those of a crash."""
ATTEMPTS = 3

AGAIN_AT, ATTEMPT, STREAMS = "orgvue/again_at", "orgvue/attempt", "orgvue/streams"
AGAIN = "orgvue/again"

RUNNING = dg.DefaultSensorStatus.RUNNING

TENANTS = dg.StaticPartitionsDefinition(list(pipeline.TENANTS))
MOST_SHARDS = max(int(tenant["shards"]) for tenant in pipeline.TENANTS.values())
SHARDS = dg.StaticPartitionsDefinition([str(number) for number in range(MOST_SHARDS)])
TENANT_AND_SHARD = dg.MultiPartitionsDefinition({"tenant": TENANTS, "shard": SHARDS})

Event = dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult[Any]


class Load(dg.Config):
    """What a run loads."""

    streams: list[str] = []  # noqa: RUF012 - copied for each run
    """Streams of the shard; all of them if it is empty."""


@dg.asset(partitions_def=TENANTS)
def orgvue_catalog(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """The streams of a tenant."""
    code = pipeline.discover(context.partition_key, DISCOVERY_SHARE)
    if code:
        raise failure(context, code, f"Discovery ended with exit code {code}.")
    shards = filled_shards(context.partition_key)
    return dg.MaterializeResult(metadata={"streams": sum(shards.values()), "shards": len(shards)})


@dg.asset(partitions_def=TENANT_AND_SHARD, deps=[orgvue_catalog])
def orgvue_shard(context: dg.AssetExecutionContext, config: Load) -> Iterator[Event]:
    """A part of a tenant's datasets, loaded; each table is an asset of its own."""
    tenant, shard = tenant_and_shard(context.partition_key)
    catalog, streams = pipeline.select(tenant, shard, config.streams)
    if not streams:
        context.log.info("Nothing to load: the tap is not started.")
        yield dg.MaterializeResult(metadata={"streams": 0})
        return
    outcome = pipeline.run(tenant, shard, catalog, SHARE)
    report = outcome.report or {"streams": []}
    if outcome.loader:
        # What the tap sent may not be stored: all of it is sent again, from the last state on.
        text = f"The loader ended with exit code {outcome.loader}, the tap with {outcome.tap}."
        code = outcome.tap if outcome.tap in HOPELESS else 6
        raise failure(context, code, f"{text} Look at the loader's log.", config.streams)
    # Yielded, not logged: Dagster forgets what a failed step has logged.
    yield from tables(tenant, report)
    if outcome.tap:
        ended = (report.get("error") or {}).get("message") or f"exit code {outcome.tap}"
        # Refused ones, too: without them a second attempt would hide what a person has to mend.
        failed = [
            s["stream"] for s in report["streams"] if s["status"] in {"failed", "not_reached"}
        ]
        left = [stream for stream in streams if stream in failed]
        raise failure(context, outcome.tap, f"The tap: {ended}", left or config.streams)
    totals = {name: report[name] for name in ("rows", "rescued", "requests", "seconds")}
    yield dg.MaterializeResult(metadata={"streams": len(streams), **totals})


def tables(tenant: str, report: dict[str, Any]) -> Iterator[Event]:
    """What the run report says of each table: loaded, or looked at and unchanged."""
    schema = pipeline.TENANTS[tenant]["loader"].get("default_target_schema", tenant)
    events = {"succeeded": dg.AssetMaterialization, "unchanged": dg.AssetObservation}
    for stream in report["streams"]:
        if event := events.get(stream["status"]):
            metadata = {
                "dagster/table_name": f"{schema}.{stream['stream']}",
                "rows": stream["rows"],
                "rescued_values": sum(stream["rescued"].values()),
                "requests": sum(stream["requests"].values()),
            }
            yield event(asset_key=[tenant, stream["stream"]], metadata=metadata)


def failure(
    context: dg.AssetExecutionContext, code: int, text: str, streams: Sequence[str] = ()
) -> dg.Failure:
    """The failure of a run, which is tagged with when and what `again` is to run."""
    attempt = int(context.run.tags.get(ATTEMPT, 1))
    if code not in HOPELESS and attempt < ATTEMPTS:
        at = time.time() + WAITS.get(code, WAITS[1])
        tags = {AGAIN_AT: f"{at:.0f}", ATTEMPT: str(attempt), STREAMS: json.dumps(list(streams))}
        context.instance.add_run_tags(context.run_id, {AGAIN: "yes", **tags})
    return dg.Failure(text, metadata={"exit_code": code, "streams": list(streams)})


def tenant_and_shard(partition_key: Any) -> tuple[str, int]:
    """The two parts of a partition's key."""
    parts = partition_key.keys_by_dimension
    return parts["tenant"], int(parts["shard"])


def filled_shards(tenant: str) -> dict[int, int]:
    """The shards of a tenant that have streams, and how many."""
    numbers = range(int(pipeline.TENANTS[tenant]["shards"]))
    counts = {number: len(pipeline.select(tenant, number)[1]) for number in numbers}
    return {number: count for number, count in counts.items() if count}


discovery = dg.define_asset_job("discovery", [orgvue_catalog])
load = dg.define_asset_job("load", [orgvue_shard])


@dg.schedule(job=discovery, cron_schedule="0 2 * * *")
def every_night() -> Iterator[dg.RunRequest]:
    """Begin with the discovery of each tenant."""
    for tenant in pipeline.TENANTS:
        yield dg.RunRequest(partition_key=tenant)


@dg.sensor(job=load, minimum_interval_seconds=30, default_status=RUNNING)
def shards_after_discovery(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
    """Load the shards that have streams of each tenant that was discovered since the last look.

    A run status sensor would take one tenant at each look: too slow for hundreds.
    """
    # Runs of the last minute are looked at twice: their keys tell what was requested already.
    seen = datetime.fromtimestamp(float(context.cursor or 0), timezone.utc)
    since = max(seen - timedelta(minutes=1), datetime.now(timezone.utc) - timedelta(days=1))
    succeeded = dg.RunsFilter(
        job_name="discovery", statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=since
    )
    for record in context.instance.get_run_records(
        succeeded, limit=50, order_by="update_timestamp", ascending=True
    ):
        tenant = record.dagster_run.tags["dagster/partition"]
        for shard in filled_shards(tenant):
            key = dg.MultiPartitionKey({"tenant": tenant, "shard": str(shard)})
            yield dg.RunRequest(f"{record.dagster_run.run_id}/{shard}", partition_key=key)
        context.update_cursor(str(record.update_timestamp.timestamp()))


@dg.sensor(jobs=[discovery, load], minimum_interval_seconds=30, default_status=RUNNING)
def again(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
    """Run what failed again when its time has come: one discovery, or one shard's failed streams.

    Nothing waits in a run: a place in the queue is free in the meantime.
    """
    yesterday = datetime.now(timezone.utc) - timedelta(days=1)
    failed = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE], tags={AGAIN: "yes"}, created_after=yesterday
    )
    for run in context.instance.get_runs(failed):
        if float(run.tags[AGAIN_AT]) > time.time():
            continue
        tags = {ATTEMPT: str(int(run.tags[ATTEMPT]) + 1)}
        if "dagster/partition/tenant" not in run.tags:
            key: Any = run.tags["dagster/partition"]
            yield dg.RunRequest(run.run_id, job_name="discovery", partition_key=key, tags=tags)
            continue
        key = dg.MultiPartitionKey(
            {name: run.tags[f"dagster/partition/{name}"] for name in ("tenant", "shard")}
        )
        config = {"ops": {"orgvue_shard": {"config": {"streams": json.loads(run.tags[STREAMS])}}}}
        yield dg.RunRequest(run.run_id, config, tags, job_name="load", partition_key=key)


defs = dg.Definitions(
    assets=[orgvue_catalog, orgvue_shard],
    jobs=[discovery, load],
    schedules=[every_night],
    sensors=[shards_after_discovery, again],
    # A step of its own process would import everything once more.
    executor=dg.in_process_executor,
)
