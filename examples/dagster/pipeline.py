"""Runs `tap-orgvue | loader` for a part of a tenant; knows nothing of Dagster.

Catalogs, states and run reports are in ORGVUE_STORE: a folder, or an address such as
`s3://bucket/orgvue`, for which `s3fs` is installed beside Dagster.
"""

import json
import os
import shlex
import signal
import subprocess
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from upath import UPath

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

Program = tuple[list[str], dict[str, str]]
"""A command, and its environment."""


def discover(tenant: str, requests_per_second: int) -> int:
    """Write a tenant's catalog, with the names that earlier runs gave; the tap's exit code."""
    with TemporaryDirectory() as name:
        folder, found = Path(name), Path(name) / "found.json"
        settings = {"max_requests_per_second": requests_per_second}
        tap = _tap(tenant, folder, settings, read_bookmarks(tenant), "--discover")
        [code] = _pipe([tap], found)
        if code == 0:
            save(STORE / "catalogs" / f"{tenant}.json", json.loads(found.read_bytes()))
        return code


def run(
    tenant: str, shard: int, catalog: dict[str, Any], requests_per_second: int
) -> tuple[int, int, dict[str, Any]]:
    """Load what a catalog selects; the exit codes of tap and loader, and the run report."""
    with TemporaryDirectory() as name:
        folder, states = Path(name), Path(name) / "states.jsonl"
        save(folder / "catalog.json", catalog)
        save(folder / "loader.json", TENANTS[tenant]["loader"])
        settings = {"max_requests_per_second": requests_per_second, "run_report": f"{name}/reports"}
        bookmarks = read_bookmarks(tenant, shard)
        tap = _tap(tenant, folder, settings, bookmarks, "--catalog", f"{name}/catalog.json")
        loader = [*LOADER, "--config", f"{name}/loader.json", "--config", "ENV"]
        try:
            codes = _pipe([tap, (loader, _environment(*FOR_LOADER))], states)
        finally:
            keep_state(tenant, shard, states.read_text(encoding="utf-8"))
        report: dict[str, Any] = {"streams": [], "error": None}
        for path in (folder / "reports").glob("run-*.json"):
            report = json.loads(path.read_bytes())
            save(STORE / "reports" / tenant / path.name, report)
        return codes[0], codes[1], report


def shards_of(tenant: str) -> range:
    """The numbers of a tenant's shards."""
    return range(int(TENANTS[tenant]["shards"]))


def shard_of(tenant: str, dataset: str) -> int:
    """The shard of a dataset: the same in every run, as the id alone decides."""
    return zlib.crc32(dataset.upper().encode()) % len(shards_of(tenant))


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
        choice["selected"] = (
            is_own and bool(choice.get("selected")) and (not only or stream in only)
        )
        selected += [stream] if choice["selected"] else []
    # Of a dataset that discovery had to skip one shard tells, not all of them.
    told = catalog.setdefault("orgvue", {})
    told["skipped"] = [
        each
        for each in told.get("skipped", ())
        if shard_of(tenant, each["dataset_id"] or each["name"]) == shard
    ]
    return catalog, selected


def save(path: UPath | Path, document: object) -> None:
    """Write JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # An object store shows an object once all of it is there.
    part = path.with_name(f".{path.name}.part") if isinstance(path, Path) else path
    part.write_text(json.dumps(document), encoding="utf-8")
    if isinstance(part, Path):
        part.replace(path)


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


def _tap(
    tenant: str, folder: Path, settings: dict[str, Any], bookmarks: dict[str, Any], *words: str
) -> Program:
    """The tap: its settings and its state as files, its secrets in the environment."""
    own = TENANTS[tenant]
    save(folder / "tap.json", {**own["tap"], **settings})
    save(folder / "state.json", {"bookmarks": bookmarks})
    command = [*TAP, "--config", f"{folder}/tap.json", "--config", "ENV"]
    secrets = {
        f"TAP_ORGVUE_{key.upper()}": os.environ[name] for key, name in own["secrets"].items()
    }
    return [*command, "--state", f"{folder}/state.json", *words], _environment() | secrets


def _environment(*prefixes: str) -> dict[str, str]:
    """What both programs may know, and the variables with these prefixes."""
    return {k: v for k, v in os.environ.items() if k in FOR_BOTH or k.startswith(prefixes)}


def _pipe(programs: list[Program], written: Path) -> list[int]:
    """Run programs, each on what the one before writes; their exit codes.

    An interruption ends the first of them, and the others as their input ends.
    """
    running: list[subprocess.Popen[bytes]] = []
    with written.open("wb") as last:
        try:
            for command, env in programs:
                source = running[-1].stdout if running else None
                target = subprocess.PIPE if len(running) + 1 < len(programs) else last
                # Each in a process group: it ends with the programs that it has started.
                running.append(
                    subprocess.Popen(
                        command, env=env, stdin=source, stdout=target, start_new_session=True
                    )
                )
                if source:
                    # The programs alone hold the pipe: when either ends, the other notices.
                    source.close()
            return [each.wait() for each in running]
        finally:
            signals = (signal.SIGTERM, signal.SIGKILL)
            for each in running:
                # A loader is given time before: its input has ended, and it stores what it has.
                for number in signals if each is running[0] else (0, *signals):
                    if each.poll() is None:
                        os.killpg(each.pid, number)
                        with suppress(subprocess.TimeoutExpired):
                            each.wait(GRACE_SECONDS)
