"""Runs the tap as a user does, and tells what came out and what Orgvue was asked."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tap_orgvue.orgvue.models import NO_NODE
from tap_orgvue.tap import TapOrgvue
from tests.support.files import written
from tests.support.warm_start import WarmStart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_orgvue.orgvue.request_log import RequestLog
    from tap_orgvue.simulator import Orgvue

WARM_START = WarmStart()
TIMEOUT = 280
"""Seconds: less than a test may take, see pyproject.toml."""


@dataclass
class Run:
    """What a run of the tap left.

    Attributes:
        stdout: What it wrote for a loader.
        stderr: What it wrote for people; empty for runs in this process.
        code: The exit code.
    """

    stdout: str
    stderr: str = ""
    code: int = 0
    messages: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the messages."""
        # Not `splitlines`: text in a record may hold other signs that end lines, as U+2028.
        self.messages = [
            json.loads(line) for line in self.stdout.split("\n") if line.startswith('{"type"')
        ]

    @property
    def records(self) -> dict[str, list[dict[str, Any]]]:
        """Records by stream."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for message in self.of_type("RECORD"):
            found[message["stream"]].append(message["record"])
        return found

    @property
    def schemas(self) -> dict[str, dict[str, Any]]:
        """The SCHEMA message of each stream."""
        return {message["stream"]: message for message in self.of_type("SCHEMA")}

    @property
    def state(self) -> dict[str, Any]:
        """The value of the last STATE message."""
        states = self.of_type("STATE")
        return states[-1]["value"] if states else {}

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """All messages of a type."""
        return [message for message in self.messages if message["type"] == kind]


def discover(config: dict[str, Any], state: dict[str, Any] | None = None) -> dict[str, Any]:
    """Discover in this process; the catalog as a user would save it."""
    tap = TapOrgvue(config=copy.deepcopy(config), state=copy.deepcopy(state), setup_mapper=False)
    catalog: dict[str, Any] = json.loads(tap.catalog_json_text)
    return catalog


def sync(
    config: dict[str, Any],
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
) -> Run:
    """Sync in this process, with a catalog as discovered when none is given."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    catalog = discover(config) if catalog is None else catalog
    with contextlib.redirect_stdout(out):
        tap = TapOrgvue(config=copy.deepcopy(config), catalog=catalog, state=state)
        try:
            failed = tap.run()
        finally:
            tap.close()
    if failed:
        # The command goes on with other streams and tells all failures at its end.
        raise next(iter(failed.values()))
    out.seek(0)
    return Run(out.read())


def sync_and_count(config: dict[str, Any], catalog: dict[str, Any] | None = None) -> RequestLog:
    """Sync in this process, by default with discovery in the same run; its counts of requests."""
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")):
        tap = TapOrgvue(config=copy.deepcopy(config), catalog=catalog)
        try:
            assert not tap.run()
        finally:
            tap.close()
    return tap.source.client.requests


def command(
    config: dict[str, Any],
    *arguments: str,
    catalog: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
    fresh: bool = False,
) -> Run:
    """Run the real command in a process of its own.

    Args:
        config: The settings.
        arguments: What is on the command line beside the files.
        catalog: What it is given.
        state: What it is given.
        env: Variables beside those of this process.
        fresh: Whether it is started as a user starts it; see `WarmStart` for what is quicker.
    """
    variables = {**os.environ, **(env or {})}
    with TemporaryDirectory() as name:
        folder = Path(name)
        words = [*arguments, *written(folder, config=config, catalog=catalog, state=state)]
        if fresh:
            done = subprocess.run(
                [sys.executable, "-m", "tap_orgvue", *words],
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                check=False,
                cwd=folder,
                env=variables,
            )
        else:
            done = WARM_START.run(words, variables, folder, TIMEOUT)
    return Run(done.stdout, done.stderr, done.returncode)


def into_closed_pipe(
    config: dict[str, Any],
    folder: Path,
    env: dict[str, str] | None = None,
    words: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run the real command where nobody takes what it sends.

    Args:
        config: The settings.
        folder: A temporary one, for the config file.
        env: Variables beside those of this process.
        words: What is on the command line beside the config file.
    """
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        return completed(
            [*words, *written(folder, config=config)],
            env={**os.environ, **(env or {})},
            stdout=write_end,
        )
    finally:
        os.close(write_end)


def completed(words: Sequence[str], **how: Any) -> subprocess.CompletedProcess[str]:
    """Start the command with these words as `WarmStart.start` does, and wait for its end."""
    with WARM_START.start(words, **how) as process:
        try:
            out, told = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
    return subprocess.CompletedProcess(list(words), process.wait(), out.decode(), told.decode())


def rescued(record: dict[str, Any]) -> dict[str, Any] | None:
    """What `_rescued_data` of a record says; None where nothing was rescued."""
    text = record["_rescued_data"]
    return None if text is None else dict(json.loads(text))


def entry(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """A stream's entry of a catalog."""
    return next(found for found in catalog["streams"] if found["tap_stream_id"] == stream)


def streams(catalog: dict[str, Any]) -> list[str]:
    """The names of a catalog's streams of datasets."""
    names = [found["tap_stream_id"] for found in catalog["streams"]]
    return [name for name in names if not name.startswith("orgvue_")]


def properties(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    """The columns of a stream."""
    found: dict[str, Any] = entry(catalog, stream)["schema"]["properties"]
    return found


def select(
    catalog: dict[str, Any],
    stream: str,
    *columns: str,
    selected: bool = True,
    **metadata: Any,
) -> dict[str, Any]:
    """Set the selection, and other metadata, of a stream or of some of its columns, in place.

    Args:
        catalog: As discovered.
        stream: The stream's name.
        columns: The columns to set; the stream itself when there are none.
        selected: What to set them to.
        metadata: Further words of the stream's metadata, with `_` for `-`.
    """
    wanted = [["properties", column] for column in columns] or [[]]
    # As Meltano does: these words stand on the entry itself as well.
    entry(catalog, stream).update(
        {word: value for word, value in metadata.items() if word.startswith("replication_")}
    )
    for item in entry(catalog, stream)["metadata"]:
        if list(item["breadcrumb"]) in wanted:
            item["metadata"]["selected"] = selected
            item["metadata"].update(
                {word.replace("_", "-"): value for word, value in metadata.items()}
            )
    return catalog


def only(catalog: dict[str, Any], *streams: str) -> dict[str, Any]:
    """Select these streams and no others, in place."""
    for found in catalog["streams"]:
        select(catalog, found["tap_stream_id"], selected=found["tap_stream_id"] in streams)
    return catalog


def asked(orgvue: Orgvue, since: int) -> list[tuple[Any, int | None]]:
    """The filters of the exports that were asked for since so many requests, with the status.

    Without requests for the headers alone, by a filter that nothing matches.
    """
    found = [
        (request.body["query"]["output"].get("filter"), request.status)
        if isinstance(request.body, dict)
        else (None, request.status)
        for request in orgvue.requests[since:]
        if request.route in {"export", "job", "items"}
    ]
    return [each for each in found if each[0] != {"_id": NO_NODE}]


def conditions(orgvue: Orgvue, since: int) -> list[Any]:
    """The filters alone."""
    return [condition for condition, _ in asked(orgvue, since)]


def delivered(orgvue: Orgvue, since: int) -> bool:
    """Whether an export came since so many requests."""
    return any(status == 200 for _, status in asked(orgvue, since))
