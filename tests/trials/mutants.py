"""Runs mutants of the package against the tests of their folder and lists the survivors.

`make mutants` runs a random sample of 150, `python -m tests.trials.mutants --seed 7 --only
tap_orgvue/exports` a chosen one. The tests run once without a mutant, and it is noted which of them
enter which function; a mutant is then run against the files of those that enter its own, the
quickest first. Mutants that change nothing of importance are listed in
`mutants_that_do_not_matter.toml`, each with a reason, and neither run nor counted.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.trials.mutant_runs import Copy, Workers
from tests.trials.mutated_project import UNIMPORTANT, Project, folder_of, unimportant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.trials.mutations import Mutant

Counts = Counter[tuple[str, str]]

REQUIRED = 90
"""The minimum share of killed mutants among those that matter, in percent."""

MEMORY = 4 << 30
"""Address space of a process, in bytes: a mutant that allocates without end fails."""


def run(project: Project, mutants: Sequence[Mutant], jobs: int, *, verbose: bool) -> Counts:
    """Run mutants and print each that survives or reaches its time limit.

    Args:
        project: The package and its tests.
        mutants: Those to run.
        jobs: The number of mutants in parallel.
        verbose: Whether to print killed mutants, too, with the test that failed.

    Returns:
        The number of mutants by folder and outcome.

    Raises:
        SystemExit: Tests fail without any mutant.
    """
    counts = Counts()
    killers = defaultdict[str, set[str]](set)
    paths = {project.tests_of(mutant.path): mutant.path for mutant in mutants}
    with Workers(project, jobs) as workers:
        # Large folders first, so that none is left alone at the end.
        ordered = sorted(paths.values(), key=lambda path: -len(project.test_files(path)))
        for path, seconds in zip(ordered, workers.map(Copy.measure, ordered), strict=True):
            tell(f"{project.tests_of(path)} takes {seconds:.1f} s")
        for mutant, result in zip(mutants, workers.map(Copy.mutated, mutants), strict=True):
            counts[folder_of(mutant.path), result.outcome] += 1
            if "::" in result.failure:
                killers[project.tests_of(mutant.path)].add(result.failure)
            if verbose or result.outcome != "killed":
                tell(f"{result.outcome}: {mutant}  {result.failure}".rstrip())
        for _ in workers.map(Copy.alone, list(killers.values())):
            pass
    return counts


def tell(line: str) -> None:
    """Print a line at once, as the run takes minutes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None, project: Project | None = None) -> int:
    """Run a sample.

    Args:
        arguments: The command line; by default that of the process.
        project: What is tested; by default the tap.

    Returns:
        The exit code: 1 if more than a tenth of the mutants that matter survived.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.trials.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeat the sample of an earlier run")
    parser.add_argument("--count", type=int, default=150, help="the size of the sample")
    parser.add_argument("--only", default="", help="how their places start, as tap_orgvue/exports")
    parser.add_argument("--jobs", type=int, default=2, help="the number of mutants in parallel")
    parser.add_argument("--list", action="store_true", help="print the sample, run nothing")
    parser.add_argument("--verbose", action="store_true", help="print killed mutants, too")
    options = parser.parse_args(arguments)
    project, started = project or Project(), time.monotonic()
    seed = int(time.time()) if options.seed is None else options.seed

    everything, listed = project.mutants(), unimportant(project)
    for entry in sorted(listed - {mutant.identity for mutant in everything}):
        tell(f"{UNIMPORTANT} has an entry without a mutant: {', '.join(entry)}")
    found = [mutant for mutant in everything if str(mutant).startswith(options.only)]
    dice = random.Random(seed)  # noqa: S311 - not for secrets
    sample = dice.sample(found, min(options.count, len(found)))
    tell(f"seed {seed}: {len(sample)} of {len(found)} mutants")
    if options.list:
        for mutant in sorted(sample, key=lambda mutant: (mutant.path, mutant.start)):
            tell(str(mutant))
        return 0

    matter = [mutant for mutant in sample if mutant.identity not in listed]
    counts = run(project, matter, options.jobs, verbose=options.verbose)
    for folder in sorted({folder for folder, _ in counts}):
        killed, timed_out = counts[folder, "killed"], counts[folder, "timed out"]
        total = killed + timed_out + counts[folder, "survived"]
        tell(f"{folder}: {killed + timed_out} of {total} killed, {timed_out} of them by timeout")
    killed = sum(number for (_, became), number in counts.items() if became != "survived")
    tell(
        f"seed {seed}: {killed} of {len(matter)} killed,"
        f" {len(sample) - len(matter)} do not matter, {time.monotonic() - started:.0f} s"
    )
    return int(100 * killed < REQUIRED * len(matter))


if __name__ == "__main__":
    # Like SIGINT, it shall leave neither processes nor copies.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with suppress(ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.exit(main())
