"""Runs `tap-orgvue | loader` for a part of a tenant; knows nothing of Dagster.

Catalogs, states and run reports are in ORGVUE_STORE: a folder, or an address such as
`s3://bucket/orgvue`, for which `s3fs` is installed beside Dagster.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from upath import UPath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

HERE = Path(__file__).parent
TENANTS: dict[str, Any] = json.loads(
    Path(os.environ.get("ORGVUE_TENANTS", HERE / "tenants.json")).read_text(encoding="utf-8")
)
STORE = UPath(os.environ.get("ORGVUE_STORE", HERE / "store"))
TAP = shlex.split(os.environ.get("ORGVUE_TAP", "tap-orgvue"))
LOADER = shlex.split(os.environ.get("ORGVUE_LOADER", "target-postgres"))

FOR_BOTH = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
FOR_BOTH |= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"}
FOR_LOADER = ("TARGET_", "PG")
"""How the names of the loader's variables begin."""

GRACE_SECONDS = 10
"""For a program to end by itself, before it is told to, and again before it is killed."""


@dataclass(frozen=True)
class Outcome:
    """How `tap | loader` ended: the exit codes, and the run report if the tap wrote one."""

    tap: int
    loader: int
    report: dict[str, Any] | None


def discover(tenant: str, requests_per_second: int) -> int:
    """Write a tenant's catalog, with the names that earlier runs gave; the tap's exit code."""
    with TemporaryDirectory() as name:
        folder, found = Path(name), Path(name) / "found.json"
        words = _options(tenant, folder, max_requests_per_second=requests_per_second)
        save(folder / "state.json", {"bookmarks": read_bookmarks(tenant)})
        command = [*TAP, *words, "--state", str(folder / "state.json"), "--discover"]
        with found.open("wb") as out, _started(command, _for_tap(tenant), out) as tap:
            code = tap.wait()
        if code == 0:
            save(STORE / "catalogs" / f"{tenant}.json", json.loads(found.read_bytes()))
        return code


def run(tenant: str, shard: int, catalog: dict[str, Any], requests_per_second: int) -> Outcome:
    """Load what a catalog selects; an interruption ends the tap, then the loader."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        states, reports = folder / "states.jsonl", folder / "reports"
        words = _options(
            tenant, folder, max_requests_per_second=requests_per_second, run_report=str(reports)
        )
        for option, document in {
            "catalog": catalog,
            "state": {"bookmarks": read_bookmarks(tenant, shard)},
            "loader": TENANTS[tenant]["loader"],
        }.items():
            save(folder / f"{option}.json", document)
        source = [*TAP, *words, "--catalog", str(folder / "catalog.json")]
        source += ["--state", str(folder / "state.json")]
        target = [*LOADER, "--config", str(folder / "loader.json"), "--config", "ENV"]
        try:
            with (
                states.open("wb") as out,
                _started(target, _for_loader(), out, subprocess.PIPE) as loader,
                _started(source, _for_tap(tenant), loader.stdin) as tap,
            ):
                # The tap alone holds the pipe now: when either ends, the other notices.
                loader.stdin.close()  # type: ignore[union-attr] - is a pipe
                codes = tap.wait(), loader.wait()
        finally:
            keep_state(tenant, shard, states.read_text(encoding="utf-8"))
        report = None
        for path in reports.glob("run-*.json"):
            report = json.loads(path.read_bytes())
            save(STORE / "reports" / tenant / path.name, report)
        return Outcome(*codes, report)


def shard_of(tenant: str, dataset: str) -> int:
    """The shard of a dataset: the same in every run, as the id alone decides."""
    return zlib.crc32(dataset.upper().encode()) % int(TENANTS[tenant]["shards"])


def select(tenant: str, shard: int, only: Collection[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """A tenant's catalog that selects a shard's streams, and their names.

    The others are deselected, not removed: with their columns the tap checks that each name in
    `exclude_properties` is one of a property.

    Args:
        tenant: Its name in tenants.json.
        shard: The shard's number.
        only: Streams of the shard; all of them if it is empty.
    """
    text = (STORE / "catalogs" / f"{tenant}.json").read_text(encoding="utf-8")
    catalog: dict[str, Any] = json.loads(text)
    selected = []
    for entry in catalog["streams"]:
        stream = entry["tap_stream_id"]
        choice = next(each["metadata"] for each in entry["metadata"] if not each["breadcrumb"])
        # The dataset's id is the table's name in the source; the tap's own streams have none.
        is_own = shard_of(tenant, entry.get("table_name") or stream) == shard
        if is_own and choice.get("selected") and (not only or stream in only):
            selected.append(stream)
        else:
            choice["selected"] = False
    # Of a dataset that discovery had to skip one shard tells, not all of them.
    told = catalog.get("orgvue", {})
    if skipped := told.get("skipped"):
        told["skipped"] = [
            each
            for each in skipped
            if shard_of(tenant, each["dataset_id"] or each["name"]) == shard
        ]
    return catalog, selected


def save(path: UPath | Path, document: object) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(path, Path):
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(document), encoding="utf-8")
        part.replace(path)
    else:
        # An object store shows an object once all of it is there.
        path.write_text(json.dumps(document), encoding="utf-8")


def read_bookmarks(tenant: str, shard: int | None = None) -> dict[str, Any]:
    """The states of a tenant's streams, or of a shard's: one file for each stream."""
    found = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in (STORE / "states" / tenant).glob("*.json")
    }
    return {
        stream: bookmark
        for stream, bookmark in found.items()
        if shard is None or _shard_of_state(tenant, stream, bookmark) == shard
    }


def _shard_of_state(tenant: str, stream: str, bookmark: dict[str, Any]) -> int:
    return shard_of(tenant, bookmark.get("orgvue", {}).get("dataset") or stream)


def keep_state(tenant: str, shard: int, lines: str) -> None:
    """Keep the state in the last line that the loader wrote, if it is one: one file a stream."""
    folder = STORE / "states" / tenant
    with suppress(IndexError, KeyError, TypeError, ValueError):
        bookmarks = json.loads(lines.splitlines()[-1])["bookmarks"]
        # Retired ones: the tap hands on all others, those that it did not load included.
        for stream in read_bookmarks(tenant, shard).keys() - bookmarks.keys():
            (folder / f"{stream}.json").unlink()
        for stream, bookmark in bookmarks.items():
            if bookmark and _shard_of_state(tenant, stream, bookmark) == shard:
                save(folder / f"{stream}.json", bookmark)


def _options(tenant: str, folder: Path, **settings: object) -> list[str]:
    """The settings of tenants.json and these as a file; secrets come from the environment."""
    save(folder / "tap.json", {**TENANTS[tenant]["tap"], **settings})
    return ["--config", str(folder / "tap.json"), "--config", "ENV"]


def _for_tap(tenant: str) -> dict[str, str]:
    """The tap's environment: the tenant's secrets, nothing of the warehouse."""
    secrets = TENANTS[tenant]["secrets"].items()
    return _for_both() | {f"TAP_ORGVUE_{name.upper()}": os.environ[own] for name, own in secrets}


def _for_loader() -> dict[str, str]:
    """The loader's environment: nothing of Orgvue."""
    return _for_both() | {k: v for k, v in os.environ.items() if k.startswith(FOR_LOADER)}


def _for_both() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in FOR_BOTH}


@contextmanager
def _started(
    command: Sequence[str], env: dict[str, str], stdout: IO[bytes] | None, stdin: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own, which ends with the block."""
    # Its log is the run's: the standard error of this process.
    process = subprocess.Popen(command, env=env, stdin=stdin, stdout=stdout, start_new_session=True)
    try:
        yield process
    finally:
        if process.stdin is not None:
            # A loader whose input has ended stores what it has.
            process.stdin.close()
            _wait(process)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                _wait(process)


def _wait(process: subprocess.Popen[bytes]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE_SECONDS)
