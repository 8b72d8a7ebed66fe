"""Orgvue's tenants in Dagster: discovery once a tenant, loads by tenant and shard."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import dagster as dg
import pipeline

RUNS_OF_A_TENANT = 2
"""At once; the limit of `dagster/partition/tenant` in dagster.yaml is the same number."""
SHARE = 90 // RUNS_OF_A_TENANT
"""Requests a second for each of them. Orgvue allows a tenant 100: the rest is discovery's."""
DISCOVERY_SHARE = 10

HOPELESS = {2, 3}
"""Exit codes of the tap after which a person is needed, see its documentation."""
WAITS = {4: 3600, 5: 60}
"""Exit code to seconds before the next attempt; after any other WAIT."""
WAIT = 300
ATTEMPTS = 3
DAY = 86_400

STREAMS = "orgvue/streams"
"""The tag of a run with what its next attempt loads."""

TENANTS = dg.StaticPartitionsDefinition(list(pipeline.TENANTS))
MOST_SHARDS = max(int(tenant["shards"]) for tenant in pipeline.TENANTS.values())
SHARDS = dg.StaticPartitionsDefinition([str(number) for number in range(MOST_SHARDS)])
TENANT_AND_SHARD = dg.MultiPartitionsDefinition({"tenant": TENANTS, "shard": SHARDS})

Event = dg.AssetMaterialization | dg.AssetObservation | dg.MaterializeResult[Any]


@dg.asset(partitions_def=TENANTS)
def orgvue_catalog(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
    """The streams of a tenant."""
    tenant = context.partition_key
    code = pipeline.discover(tenant, DISCOVERY_SHARE)
    if code:
        fail(context, code, f"Discovery ended with exit code {code}.")
    counts = [len(pipeline.select(tenant, shard)[1]) for shard in pipeline.shards_of(tenant)]
    filled = [shard for shard, count in enumerate(counts) if count]
    return dg.MaterializeResult(metadata={"streams": sum(counts), "shards": filled})


@dg.asset(partitions_def=TENANT_AND_SHARD, deps=[orgvue_catalog])
def orgvue_shard(context: dg.AssetExecutionContext) -> Iterator[Event]:
    """A part of a tenant's datasets, loaded; each table is an asset of its own."""
    parts: dict[str, str] = context.partition_key.keys_by_dimension  # type: ignore[attr-defined] - of two
    tenant, shard = parts["tenant"], int(parts["shard"])
    run = context.instance.get_run_by_id(context.run_id)
    left = json.loads(run.tags.get(STREAMS, "[]")) if run else []
    catalog, streams = pipeline.select(tenant, shard, left)
    if not streams:
        context.log.info("Nothing to load: the tap is not started.")
        yield dg.MaterializeResult(metadata={"streams": 0})
        return
    tap, loader, report = pipeline.run(tenant, shard, catalog, SHARE)
    if loader:
        # What the tap sent may not be stored: all of it is sent again, from the last state on.
        text = f"The loader ended with exit code {loader}, the tap with {tap}."
        fail(context, tap if tap in HOPELESS else 6, f"{text} Look at the loader's log.", left)
    # Yielded, not logged: Dagster forgets what a failed step has logged.
    yield from tables(tenant, report["streams"])
    if tap:
        # Refused ones, too: without them a second attempt would hide what a person has to mend.
        failed = [
            s["stream"] for s in report["streams"] if s["status"] in {"failed", "not_reached"}
        ]
        told = (report["error"] or {}).get("message") or f"exit code {tap}"
        fail(context, tap, f"The tap: {told}", [s for s in streams if s in failed] or left)
    totals = {name: report[name] for name in ("rows", "rescued", "requests", "seconds")}
    yield dg.MaterializeResult(metadata={"streams": len(streams), **totals})


def tables(tenant: str, streams: list[dict[str, Any]]) -> Iterator[Event]:
    """What the run report says of each table: loaded, or looked at and unchanged."""
    schema = pipeline.TENANTS[tenant]["loader"].get("default_target_schema", tenant)
    events = {"succeeded": dg.AssetMaterialization, "unchanged": dg.AssetObservation}
    for stream in streams:
        if event := events.get(stream["status"]):
            metadata = {
                "dagster/table_name": f"{schema}.{stream['stream']}",
                "rows": stream["rows"],
                "rescued_values": sum(stream["rescued"].values()),
                "requests": sum(stream["requests"].values()),
            }
            yield event(asset_key=[tenant, stream["stream"]], metadata=metadata)


def fail(
    context: dg.AssetExecutionContext, code: int, text: str, streams: Sequence[str] = ()
) -> NoReturn:
    """End an attempt; after a wait the next one loads these streams, if there is hope for one."""
    failure = dg.Failure(text, metadata={"exit_code": code, "streams": list(streams)})
    if code in HOPELESS or context.retry_number + 1 >= ATTEMPTS:
        raise failure
    seconds = WAITS.get(code, WAIT)
    context.log.warning("%s The next attempt is in %s s.", text, seconds)
    context.instance.add_run_tags(context.run_id, {STREAMS: json.dumps(list(streams))})
    # Here and not by `seconds_to_wait`, in which a run cannot be cancelled.
    time.sleep(seconds)
    raise dg.RetryRequested(ATTEMPTS - 1) from failure


discovery = dg.define_asset_job("discovery", [orgvue_catalog])
load = dg.define_asset_job("load", [orgvue_shard])


@dg.schedule(job=discovery, cron_schedule="0 2 * * *")
def every_night() -> Iterator[dg.RunRequest]:
    """Begin with the discovery of each tenant."""
    for tenant in pipeline.TENANTS:
        yield dg.RunRequest(partition_key=tenant)


@dg.sensor(job=load, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def shards_after_discovery(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest]:
    """Load the shards that have streams of each tenant that was discovered since the last look."""
    since = dg.AssetRecordsFilter(
        orgvue_catalog.key,
        after_storage_id=int(context.cursor or 0),
        after_timestamp=time.time() - DAY,
    )
    for record in context.instance.fetch_materializations(since, 50, ascending=True).records:
        found: Any = record.asset_materialization
        for shard in found.metadata["shards"].value:
            key = dg.MultiPartitionKey({"tenant": found.partition, "shard": str(shard)})
            yield dg.RunRequest(f"{record.run_id}/{shard}", partition_key=key)
        context.update_cursor(str(record.storage_id))


defs = dg.Definitions(
    assets=[orgvue_catalog, orgvue_shard],
    jobs=[discovery, load],
    schedules=[every_night],
    sensors=[shards_after_discovery],
    # A step of its own process would import everything once more.
    executor=dg.in_process_executor,
)
