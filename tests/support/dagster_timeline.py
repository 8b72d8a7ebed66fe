"""Waits for the daemon's runs, and prints when each was queued, started and ended, as JSON.

Run in Dagster's environment, with DAGSTER_HOME set: `dagster_timeline.py RUNS SECONDS`, the number
of runs that are to succeed, and how long to wait for them.
"""

import json
import sys
import time

import dagster as dg


def main(runs: int, seconds: float) -> None:
    """Wait, then print one list."""
    end = time.monotonic() + seconds
    with dg.DagsterInstance.get() as instance:
        while True:
            records = instance.get_run_records()
            succeeded = [r for r in records if r.dagster_run.status is dg.DagsterRunStatus.SUCCESS]
            if len(succeeded) >= runs or time.monotonic() > end:
                break
            time.sleep(2)
        restarted = dg.DagsterEventType.STEP_RESTARTED
        told = [
            {
                "tags": record.dagster_run.tags,
                "attempts": 1 + len(instance.all_logs(record.dagster_run.run_id, restarted)),
                "status": record.dagster_run.status.value,
                "queued": record.create_timestamp.timestamp(),
                "started": record.start_time,
                "ended": record.end_time,
            }
            for record in records
        ]
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
