"""Runs the example's jobs and sensors in Dagster's environment; one JSON document a line.

Started by `dagster_runs`, with the example's folder on the path.
"""

import json
import os
import sys
import time
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import dagster as dg
import definitions


def main() -> None:
    """Answer what comes in, until it ends."""
    # The tap and the loader log to standard error; what Dagster prints belongs there, too.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    cursors: dict[str, str | None] = {}
    with dg.instance_for_test() as instance:
        for line in sys.stdin:
            command = json.loads(line)
            answer = (
                run(instance, **command)
                if "job" in command
                else evaluate(instance, cursors, **command)
            )
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def run(instance: dg.DagsterInstance, job: str, partition: Any) -> dict[str, Any]:
    """Run a job for a partition; what it waits for is noted, and not waited for."""
    waits: list[float] = []
    clock = SimpleNamespace(time=time.time, sleep=waits.append)
    with patch.object(definitions, "time", clock):
        result = definitions.defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=(
                partition if isinstance(partition, str) else dg.MultiPartitionKey(partition)
            ),
            raise_on_error=False,
        )
    told: list[dict[str, Any]] = []
    retried: list[str] = []
    for event in result.all_events:
        data: Any = event.event_specific_data
        if event.event_type_value in {"ASSET_MATERIALIZATION", "ASSET_OBSERVATION"}:
            what = getattr(data, "materialization", None) or data.asset_observation
            values = {name: value.value for name, value in what.metadata.items()}
            asset = {"asset": "/".join(what.asset_key.path), "kind": type(what).__name__}
            told.append({"attempt": len(retried) + 1, **asset, **values})
        elif event.event_type_value == "STEP_UP_FOR_RETRY":
            retried.append(data.error.cause.message)
    failures: list[Any] = [
        event.step_failure_data.user_failure_data for event in result.get_step_failure_events()
    ]
    return {
        "succeeded": result.success,
        "waits": waits,
        "told": told,
        "retried": retried,
        "failure": failures[0].description if failures and failures[0] else None,
    }


def evaluate(
    instance: dg.DagsterInstance, cursors: dict[str, str | None], sensor: str
) -> list[dict[str, Any]]:
    """What a sensor requests, from where it was the last time."""
    context = dg.build_sensor_context(
        instance=instance, definitions=definitions.defs, cursor=cursors.get(sensor)
    )
    requests = [*getattr(definitions, sensor)(context)]
    cursors[sensor] = context.cursor
    return [dict(request.partition_key.keys_by_dimension) for request in requests]


if __name__ == "__main__":
    main()
