"""Lines of the log: whole, in plain words, and not to be forged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.simulator import Dataset, Property
from tap_orgvue.tap_command import StreamsFailed
from tests.command.test_secrets import everything_logged
from tests.support.datasets import people
from tests.support.runs import command, discover, entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

FORGED = "2026-01-01 00:00:00,000 | INFO     | tap-orgvue | All is well"


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_no_line_is_forged(serve: Callable[..., Orgvue], tmp_path: Path, level: str) -> None:
    """Names of datasets and properties that hold line feeds and escapes begin no line."""
    odd = f"Odd\x1b[2J\r\n{FORGED}"
    properties = [Property(f"{odd} key", "number", name=f"{odd} name"), Property("name")]
    rows: list[dict[str, object]] = [{f"{odd} key": "no number", "name": "x"}]
    orgvue = serve(Dataset(odd, properties=properties, rows=rows))
    orgvue.refuse((400, "400999", "Echo", f"Refused\n{FORGED}"), on="metadata", times=1)
    more = {"column_names": "original", "exclude_properties": ["nothing"]}
    env = {**everything_logged(tmp_path, "plain"), "LOGLEVEL": level}
    run = command({**orgvue.config, "unmatched_patterns": "warn", **more}, env=env)
    assert FORGED in run.stderr
    assert not [line for line in run.stderr.splitlines() if line.startswith(FORGED)]
    assert "\x1b" not in run.stderr


def test_a_failure_is_one_line_of_the_summary() -> None:
    """Each failed stream has one line, whatever its error says."""
    failed = StreamsFailed({"people": OrgvueError(f"No.\n{FORGED}"), "roles": KeyError("x")}, 5)
    assert str(failed).splitlines() == [
        "2 of 5 streams failed:",
        f"  people: No.\\n{FORGED}",
        "  roles: KeyError: 'x'",
    ]


@pytest.mark.parametrize("variable", ["LOGLEVEL", "TAP_ORGVUE_LOGLEVEL"])
@pytest.mark.parametrize("level", ["LOUD", "10", "info "])
def test_a_log_level_that_is_unknown(orgvue: Orgvue, variable: str, level: str) -> None:
    """A level that is none ends the run with the ones there are."""
    run = command(orgvue.config, "--discover", env={variable: level})
    assert run.code == 3
    assert run.stderr.startswith(f"{variable}: must be one of DEBUG, INFO, ")
    assert run.stdout == ""


@pytest.mark.parametrize("level", ["warn", "Error", ""])
def test_a_log_level_in_any_case(orgvue: Orgvue, level: str) -> None:
    """A level is known in any case; an empty variable is unset."""
    run = command(orgvue.config, "--discover", env={"LOGLEVEL": level})
    assert run.code == 0
    assert ("INFO" in run.stderr) is (level == "")


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_the_check_works_on_every_console(orgvue: Orgvue, encoding: str) -> None:
    """`--test` is legible where the console has no tick."""
    orgvue.job_polls = ("completed",)
    env = {"PYTHONIOENCODING": encoding}
    run = command(orgvue.config, "--test", env=env)
    assert run.code == 0
    mark = "✓" if encoding == "utf-8" else "OK"
    stages = [line for line in run.stdout.splitlines() if line.startswith(f"{mark} ")]
    assert len(stages) == 9
    assert run.stdout.splitlines()[:7] == stages[:7]
    failed = command({**orgvue.config, "api_token": "x y"}, "--test", env=env)
    assert failed.code == 3
    mark = "✗" if encoding == "utf-8" else "FAILED"
    assert f"{mark} settings: api_token: has characters" in failed.stdout


def test_a_catalog_is_ascii(serve: Callable[..., Orgvue]) -> None:
    """A catalog that is written on one system can be read on any other."""
    orgvue = serve(Dataset("Büro 部门", properties=[Property("Größe")], rows=[{"Größe": "1"}]))
    run = command(orgvue.config, "--discover", env={"PYTHONIOENCODING": "cp1252"})
    assert run.code == 0
    assert run.stdout.isascii()
    assert "Größe" in json.dumps(json.loads(run.stdout), ensure_ascii=False)


@pytest.mark.parametrize(
    "settings",
    [
        {"export_mode": "sync"},
        {"export_mode": "async"},
        {"export_mode": "paged"},
        {"include_calculations": False},
    ],
    ids=str,
)
def test_no_rows_id_is_logged(
    serve: Callable[..., Orgvue], tmp_path: Path, settings: dict[str, Any]
) -> None:
    """However an export is cut into pages and slices: their bounds are in no log."""
    orgvue = serve(people(200))
    orgvue.job_polls = ("completed",)
    if settings == {"export_mode": "paged"}:
        orgvue.sync_limit_bytes = 20_000
    config = {**orgvue.config, **settings}
    run = command(config, env=everything_logged(tmp_path, "plain"))
    assert run.code == 0, run.stderr
    ids = {record["_id"] for record in run.records["people"]}
    assert len(ids) == 200
    assert not [row_id for row_id in ids if row_id in run.stderr]


def test_a_catalog_without_keys_is_reported(
    orgvue: Orgvue, caplog: pytest.LogCaptureFixture
) -> None:
    """Where metadata cannot be read, discovery goes on, and one warning says what it lacks."""
    orgvue.refuse(500, on="metadata", times=None)
    catalog = discover({**orgvue.config, "max_retries": 0})
    [told] = [line for line in caplog.messages if "lacks the keys of some datasets" in line]
    assert "HTTP 500" in told
    facts = entry(catalog, "people")["metadata"]
    [root] = [each["metadata"] for each in facts if not each["breadcrumb"]]
    # What the list of datasets says is there all the same.
    assert (root["orgvue-dataset"], root["orgvue-type"]) == ("People", "PEOPLE")
    assert "orgvue-auto-id" not in root
