"""The benchmarks: `python -m benchmarks` measures everything side by side and prints one table."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.data import CROWD, LARGE, MANY, SMALL, WIDE
from benchmarks.measure import Failed, Run, interleaved, run
from benchmarks.report import Figure, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.data import Tenant
    from benchmarks.loading import Warehouse

PYTHON = sys.executable
TAP = [str(Path(PYTHON).with_name("tap-orgvue"))]
TEMPLATE = [PYTHON, "-m", "benchmarks.baseline"]
LOADER = Path(".venv-loaders/target-postgres/bin/target-postgres")
START_UP_ROUNDS = 9
SHORT_TURNS = 3
"""How often in a round those take their turn that last a second or two."""
BATCH_ROWS = 10_000
DEFAULT_PARALLEL = 8
"""What `max_parallel_requests` is by default."""


@dataclass(frozen=True)
class Bench:
    """The running server and a folder for what the measured processes are given.

    Attributes:
        url: The server's address.
        folder: Holds the bodies, configs, catalogs and BATCH files.
        rounds: How often what is not long is measured, loops `SHORT_TURNS` times in each; medians
            count.
    """

    url: str
    folder: Path
    rounds: int

    def write_config(self, path: Path, tenant: Tenant, **settings: Any) -> None:
        """Write a tap's settings for a tenant."""
        basics = {"api_token": "benchmark", "api_url": self.url, "tenant_id": tenant.name}
        path.write_text(json.dumps({**basics, **settings}))

    def command(self, tap: list[str], tenant: Tenant, **settings: Any) -> list[str]:
        """A tap's command to sync all of a tenant, with a catalog as it discovered it itself."""
        name = f"{tenant.name}-{Path(tap[-1]).name}-{'-'.join(settings)}"
        config, catalog = (self.folder / f"{name}.{kind}.json" for kind in ("config", "catalog"))
        if not catalog.exists():
            self.write_config(config, tenant, **settings)
            with catalog.open("wb") as file:
                subprocess.run(
                    [*tap, "--config", str(config), "--discover"],
                    stdout=file,
                    stderr=subprocess.DEVNULL,
                    check=True,
                )
        return [*tap, "--config", str(config), "--catalog", str(catalog)]

    def sync(self, tap: list[str], tenant: Tenant, **settings: Any) -> Run:
        """Sync all of a tenant once."""
        command = self.command(tap, tenant, **settings)
        return run(command, expect_records=tenant.rows * tenant.datasets)

    def bare_loop(self, way: str) -> float:
        """Rows a second of the bare loop over the wide dataset's bytes."""
        command = [PYTHON, "-m", "benchmarks.ceiling", str(WIDE.body(self.folder)), way]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        rows, seconds = done.stdout.split()
        return int(rows) / float(seconds)

    @property
    def batch_settings(self) -> dict[str, Any]:
        """Settings for BATCH files in a folder of their own."""
        files = self.folder / "batches"
        files.mkdir(exist_ok=True)
        return {
            "batch_config": {
                "encoding": {"format": "jsonl", "compression": "gzip"},
                "storage": {"root": files.as_uri()},
                "batch_size": BATCH_ROWS,
            }
        }


# --- what is measured -----------------------------------------------------------------------


def start_up(_: Bench) -> Iterator[Figure]:
    """What the tap adds to the start of the SDK."""
    options = ("--version", "--about")
    commands = [[PYTHON, "-c", "import singer_sdk"], *([*TAP, option] for option in options)]
    sdk, *taps = interleaved(
        START_UP_ROUNDS, *(lambda command=command: run(command).wall for command in commands)
    )
    for option, seconds in zip(options, taps, strict=True):
        yield Figure(
            f"start-up, {option}",
            seconds / sdk,
            "x",
            f"{seconds:.2f} s; import singer_sdk {sdk:.2f} s",
            most=1.15,
            raw={"seconds": seconds, "import_singer_sdk_seconds": sdk},
        )


def records(bench: Bench) -> Iterator[Figure]:
    """100 000 rows of 50 columns: RECORD, BATCH, the template and the bare loops, in turns."""
    taps, templates, batches, structs, dicts = [], [], [], [], []
    for _ in range(bench.rounds):
        for _ in range(SHORT_TURNS):
            structs.append(bench.bare_loop("structs"))
            taps.append(bench.sync(TAP, WIDE))
            batches.append(_batch_run(bench))
            dicts.append(bench.bare_loop("dicts"))
        templates.append(bench.sync(TEMPLATE, WIDE))
    yield _whole_process(taps, templates)
    yield _sync_loop(taps, "structs", structs)
    yield _sync_loop(taps, "dicts", dicts)
    yield _template_loop(taps, templates)
    yield _memory(taps, templates)
    yield _batches(taps, batches)


def many(bench: Bench) -> Iterator[Figure]:
    """40 datasets that take the server a second each."""
    tap, template = (bench.sync(command, MANY) for command in (TAP, TEMPLATE))
    yield Figure(
        f"{MANY.datasets} datasets of {MANY.seconds:g} s, from a catalog",
        tap.wall,
        "s",
        f"{tap.wall:.1f} s; template {template.wall:.1f} s",
        most=8,
        raw={"tap_seconds": tap.wall, "template_seconds": template.wall},
    )


def crowd(bench: Bench) -> Iterator[Figure]:
    """Discovery of 200 datasets that take the server a quarter of a second each."""
    config = bench.folder / "crowd.json"
    bench.write_config(config, CROWD)
    done = run([*TAP, "--config", str(config), "--discover"])
    ideal = CROWD.datasets * CROWD.seconds / DEFAULT_PARALLEL
    yield Figure(
        f"discovery of {CROWD.datasets} datasets of {CROWD.seconds:g} s, over the time that "
        f"{DEFAULT_PARALLEL} at once need",
        done.wall / ideal,
        "x",
        f"{done.wall:.1f} s; needed {ideal:.2f} s",
        most=1.25,
        raw={"seconds": done.wall, "needed_seconds": ideal},
    )


def size(bench: Bench) -> Iterator[Figure]:
    """1.3 GB beside 13 MB."""
    small = [bench.sync(TAP, SMALL) for _ in range(bench.rounds)]
    large = bench.sync(TAP, LARGE)
    small_rss, small_rate = _median(small, "rss_mb"), _median(small, "loop_rate")
    yield Figure(
        "1.3 GB export, peak memory over that of 13 MB",
        large.rss_mb - small_rss,
        "MB",
        f"{large.rss_mb:.0f} MB; 13 MB {small_rss:.0f} MB",
        most=64,
        raw={"large_rss_mb": large.rss_mb, "small_rss_mb": small_rss},
    )
    yield Figure(
        "1.3 GB export, records/s in the loop over those of 13 MB",
        large.loop_rate / small_rate,
        "x",
        f"{large.loop_rate:,.0f}/s; 13 MB {small_rate:,.0f}/s",
        least=0.9,
        raw={"large_records_per_second": large.loop_rate, "small_records_per_second": small_rate},
    )


def loading(bench: Bench) -> Iterator[Figure]:
    """The tap into target-postgres: defaults beside BATCH with COPY."""
    # Where this is left out, no Postgres needs to be there.
    from benchmarks.loading import running_warehouse  # noqa: PLC0415

    with running_warehouse(bench.folder, LOADER) as warehouse:
        defaults = _load(bench, warehouse, "defaults", {}, {})
        recipe = _load(bench, warehouse, "recipe", bench.batch_settings, {"use_copy": True})
    yield Figure(
        "100 000 rows into target-postgres, BATCH and use_copy over defaults",
        defaults["seconds"] / recipe["seconds"],
        "x",
        f"{recipe['seconds']:.1f} s, loader {recipe['loader_rss_mb']:.0f} MB; "
        f"defaults {defaults['seconds']:.1f} s, loader {defaults['loader_rss_mb']:.0f} MB",
        raw={
            **{f"recipe_{name}": value for name, value in recipe.items()},
            **{f"defaults_{name}": value for name, value in defaults.items()},
        },
    )


# --- how it is computed ---------------------------------------------------------------------


def _whole_process(taps: Sequence[Run], templates: Sequence[Run]) -> Figure:
    tap, template = _median(taps, "wall"), _median(templates, "wall")
    # Processor time tells whether something else kept the machine busy.
    tap_cpu, template_cpu = _median(taps, "cpu"), _median(templates, "cpu")
    return Figure(
        "100 000 rows x 50 columns, whole process, faster than the template",
        template / tap,
        "x",
        f"{tap:.2f} s, cpu {tap_cpu:.2f} s; template {template:.2f} s, cpu {template_cpu:.2f} s",
        least=8,
        raw={
            "tap_seconds": tap,
            "template_seconds": template,
            "tap_cpu_seconds": tap_cpu,
            "template_cpu_seconds": template_cpu,
        },
    )


def _sync_loop(taps: Sequence[Run], way: str, bare: Sequence[float]) -> Figure:
    rate, bare_rate = _median(taps, "loop_rate"), median(bare)
    return Figure(
        f"the same, records/s in the loop over a bare msgspec loop ({way})",
        _turn_by_turn([tap.loop_rate for tap in taps], bare),
        "x",
        f"{rate:,.0f}/s; bare {bare_rate:,.0f}/s",
        least=0.5,
        raw={"tap_records_per_second": rate, "bare_records_per_second": bare_rate},
    )


def _template_loop(taps: Sequence[Run], templates: Sequence[Run]) -> Figure:
    tap, template = _median(taps, "loop_rate"), _median(templates, "loop_rate")
    return Figure(
        "the same, records/s in the loop over the template's",
        tap / template,
        "x",
        f"{tap:,.0f}/s; template {template:,.0f}/s",
        raw={"tap_records_per_second": tap, "template_records_per_second": template},
    )


def _memory(taps: Sequence[Run], templates: Sequence[Run]) -> Figure:
    tap, template = _median(taps, "rss_mb"), _median(templates, "rss_mb")
    return Figure(
        "the same, peak memory over the template's",
        tap / template,
        "x",
        f"{tap:.0f} MB; template {template:.0f} MB",
        most=0.35,
        raw={"tap_rss_mb": tap, "template_rss_mb": template},
    )


def _batches(taps: Sequence[Run], batches: Sequence[Run]) -> Figure:
    record, batch = _median(taps, "loop_rate"), _median(batches, "loop_rate")
    return Figure(
        "the same as BATCH, rows/s in the loop over those of RECORD",
        _turn_by_turn([done.loop_rate for done in batches], [done.loop_rate for done in taps]),
        "x",
        f"{batch:,.0f}/s; RECORD {record:,.0f}/s",
        least=0.8,
        raw={"batch_records_per_second": batch, "record_records_per_second": record},
    )


def _batch_run(bench: Bench) -> Run:
    """Sync into BATCH files, see that they hold every row, and drop them."""
    settings = bench.batch_settings
    done = bench.sync(TAP, WIDE, **settings)
    written = 0
    for path in (bench.folder / "batches").iterdir():
        with gzip.open(path) as lines:
            written += sum(1 for _ in lines)
        path.unlink()
    if written != WIDE.rows:
        raise Failed(f"The BATCH files hold {written} of {WIDE.rows} rows.")
    return done


def _load(
    bench: Bench,
    warehouse: Warehouse,
    schema: str,
    tap_settings: dict[str, Any],
    loader_settings: dict[str, Any],
) -> dict[str, float]:
    tap, loader = warehouse.load(
        bench.command(TAP, WIDE, **tap_settings),
        schema,
        table=WIDE.dataset_name(0),
        rows=WIDE.rows,
        settings=loader_settings,
    )
    return {
        "seconds": loader.wall,
        "rows_per_second": WIDE.rows / loader.wall,
        "loader_rss_mb": loader.rss_mb,
        "tap_cpu_seconds": tap.cpu,
    }


def _turn_by_turn(ones: Sequence[float], others: Sequence[float]) -> float:
    """The median of the ratios of what was measured in the same turn, seconds apart.

    A machine that is shared is fast for a while and slow for a while: the ratio of two medians
    would be that of two such moments, if one median falls into each.
    """
    return median(one / other for one, other in zip(ones, others, strict=True))


def _median(runs: Sequence[Run], figure: str) -> float:
    values: list[float] = [getattr(done, figure) for done in runs]
    return median(values)


# --- the command ----------------------------------------------------------------------------


@contextmanager
def serving(tenants: Sequence[Tenant], rounds: int) -> Iterator[Bench]:
    """Serve tenants from another process for as long as the measurements take."""
    with TemporaryDirectory(prefix="tap-orgvue-bench-") as folder:
        names = [tenant.name for tenant in tenants]
        server = subprocess.Popen(
            [PYTHON, "-m", "benchmarks.server", folder, *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # Closing its input at the end is what stops it.
        with server:
            url = server.stdout.readline().strip() if server.stdout else ""
            yield Bench(url, Path(folder), rounds)


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    switch = argparse.BooleanOptionalAction
    parser.add_argument("--large", action=switch, default=True, help="the 1.3 GB export")
    parser.add_argument("--load", action=switch, default=True, help="tap and target-postgres")
    parser.add_argument("--rounds", type=int, default=3, help="of what is not long (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def main() -> None:
    """Measure, and print the table."""
    asked = arguments()
    if asked.load and not LOADER.exists():
        sys.exit(f"{LOADER} is not there: run `make loaders`, or leave it out with --no-load.")
    wanted, tenants = [start_up, records, many, crowd], [WIDE, MANY, CROWD]
    if asked.large:
        wanted.append(size)
        tenants += [SMALL, LARGE]
    if asked.load:
        wanted.append(loading)
    # Installed packages are compiled: so are the tap and the template, once.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    load_before = os.getloadavg()[0]
    figures: list[Figure] = []
    with serving(tenants, asked.rounds) as bench:
        for measure in wanted:
            print(f"{measure.__doc__}", file=sys.stderr, flush=True)
            figures += measure(bench)
    print(table(figures))
    print(
        f"\nPython {platform.python_version()}, {os.cpu_count()} cores, load {load_before:.2f} "
        f"before; medians of {asked.rounds}, of loops of {asked.rounds * SHORT_TURNS}. Trust the "
        "ratios: those of loops are medians of ratios, turn by turn."
    )
    if asked.json:
        found = [
            {**asdict(figure), "target": figure.target, "met": figure.met} for figure in figures
        ]
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
