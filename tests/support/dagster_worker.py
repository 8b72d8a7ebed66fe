"""Runs the example's jobs and sensors in Dagster's environment; one JSON document a line.

Started by `dagster_runs`, with the example's folder on the path.
"""

import json
import os
import sys
import time
from typing import Any
from unittest.mock import patch

import dagster as dg
import definitions


def main() -> None:
    """Answer what comes in, until it ends."""
    # The tap and the loader log to standard error; what Dagster prints belongs there, too.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with dg.instance_for_test() as instance:
        for line in sys.stdin:
            command = json.loads(line)
            answer = run(instance, **command) if "job" in command else evaluate(instance, **command)
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def run(
    instance: dg.DagsterInstance,
    job: str,
    partition: Any,
    config: dict[str, Any],
    tags: dict[str, str],
) -> dict[str, Any]:
    """Run a job for a partition."""
    result = definitions.defs.resolve_job_def(job).execute_in_process(
        instance=instance,
        partition_key=partition if isinstance(partition, str) else dg.MultiPartitionKey(partition),
        run_config=config,
        tags=tags,
        raise_on_error=False,
    )
    told = {}
    for event in result.all_events:
        if event.event_type_value in {"ASSET_MATERIALIZATION", "ASSET_OBSERVATION"}:
            data = event.event_specific_data
            what = getattr(data, "materialization", None) or data.asset_observation
            values = {name: value.value for name, value in what.metadata.items()}
            told["/".join(what.asset_key.path)] = {"kind": type(what).__name__, **values}
    failures = [
        event.step_failure_data.user_failure_data for event in result.get_step_failure_events()
    ]
    return {
        "succeeded": result.success,
        "run_id": result.run_id,
        "tags": instance.get_run_by_id(result.run_id).tags,
        "told": told,
        "failure": failures[0].description if failures and failures[0] else None,
        "log": [event.message for event in result.all_events],
    }


def evaluate(instance: dg.DagsterInstance, sensor: str, ahead: float) -> list[dict[str, Any]]:
    """What a sensor requests, so many seconds ahead of now."""
    context = dg.build_sensor_context(instance=instance, definitions=definitions.defs)
    with patch.object(definitions.time, "time", lambda now=time.time: now() + ahead):
        return [request_of(each) for each in getattr(definitions, sensor)(context)]


def request_of(request: dg.RunRequest) -> dict[str, Any]:
    """A request as `run` takes it."""
    key = request.partition_key
    parts = getattr(key, "keys_by_dimension", None)
    return {
        "job": request.job_name or "load",
        "partition": dict(parts) if parts else key,
        "config": request.run_config or {},
        "tags": dict(request.tags),
    }


if __name__ == "__main__":
    main()
