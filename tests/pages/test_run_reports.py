"""Run reports are read from a folder, whatever else is in it."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tap_orgvue.pages.run_reports import MOST_RUNS, read_reports
from tests.support.run_reports import LATEST, TENANT, history, report, save, stream


def test_reports_come_in_the_order_of_their_runs(tmp_path: Path) -> None:
    """The latest run is the last, whatever order the folder has."""
    save(tmp_path, *reversed(history(3)))
    read = read_reports(tmp_path)
    began = [each.began_at[:10] for each in read.tenants[TENANT]]
    assert began == ["2026-09-28", "2026-09-29", "2026-09-30"]
    assert not read.unreadable


def test_tenants_are_kept_apart(tmp_path: Path) -> None:
    """Reports are told apart by server and tenant id, not by the id alone."""
    staging = "orgvue-staging.eu-west-1.concentra.io/ACME"
    save(tmp_path, report([stream()]), report([stream()], tenant=staging))
    assert read_reports(tmp_path).tenants.keys() == {TENANT, staging}


def test_reports_of_a_newer_version_are_reported_and_skipped(tmp_path: Path) -> None:
    """A report that a newer tap wrote is named, with what to do; the others are read."""
    save(tmp_path, report([stream()]))
    newer = {"version": 2, "tenant": TENANT, "unheard_of": []}
    (tmp_path / "run-20261001T020000Z-ACME-0a0b0c.json").write_text(json.dumps(newer))
    read = read_reports(tmp_path)
    assert len(read.tenants[TENANT]) == 1
    [skipped] = read.unreadable
    assert skipped.name == "run-20261001T020000Z-ACME-0a0b0c.json"
    assert "version 2" in skipped.reason
    assert "update tap-orgvue" in skipped.reason


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "Input data was truncated"),
        (b"{", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"version": 1}', "Object missing required field"),
        (b'{"version": "1", "tenant": "ACME"}', "Expected `int`, got `str`"),
        (b"\xff\xfe", "JSON is malformed"),
        (b'{"version": 1, "tenant": "\xff"}', "UnicodeDecodeError"),
        (b'{"version": 1, "members": ' + b"[" * 100_000, "RecursionError"),
        (
            msgspec.json.encode(report()).replace(b'"rows":0', b'"rows":"many"'),
            "Expected `int`, got `str` - at `$.rows`",
        ),
    ],
    ids=["empty", "cut", "list", "bare", "text", "binary", "latin", "deep", "wrong"],
)
def test_what_is_no_report_is_reported_and_skipped(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    """A file that is named as a report and is none does not hide the others."""
    save(tmp_path, report([stream()]))
    (tmp_path / "run-20260101T020000Z-ACME-ffffff.json").write_bytes(content)
    read = read_reports(tmp_path)
    assert len(read.tenants[TENANT]) == 1
    [skipped] = read.unreadable
    assert skipped.name == "run-20260101T020000Z-ACME-ffffff.json"
    assert skipped.reason.startswith(f"is no run report: {reason}")


def test_a_file_that_is_too_large_is_reported_and_skipped(tmp_path: Path) -> None:
    """It is not read into memory."""
    save(tmp_path, report([stream()]))
    with (tmp_path / "run-20260101T020000Z-ACME-ffffff.json").open("wb") as file:
        file.truncate(64_000_001)
    read = read_reports(tmp_path)
    assert len(read.tenants[TENANT]) == 1
    [skipped] = read.unreadable
    assert skipped.reason == "cannot be read: larger than 64 MB"


def test_a_file_that_the_system_cannot_read_is_reported_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the words of the system."""
    save(tmp_path, report([stream()]))

    def refused(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_bytes", refused)
    read = read_reports(tmp_path)
    assert not read.tenants
    assert [each.reason for each in read.unreadable] == ["cannot be read: Permission denied"]


def test_reports_of_other_tenants_are_not_read_in_full(tmp_path: Path) -> None:
    """Their tenants are named, since pages of tenants of one id depend on them."""
    save(tmp_path, report([stream()]), report([stream()], tenant="host/OTHER", tenant_id="OTHER"))
    read = read_reports(tmp_path, only=TENANT)
    assert {tenant: len(runs) for tenant, runs in read.tenants.items()} == {
        TENANT: 1,
        "host/OTHER": 0,
    }


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
def test_only_files_are_read(tmp_path: Path) -> None:
    """A folder, or a pipe that would never end, is no report."""
    save(tmp_path, report([stream()]))
    os.mkfifo(tmp_path / "run-20260101T020000Z-ACME-aaaaaa.json")
    (tmp_path / "run-20260101T020000Z-ACME-bbbbbb.json").mkdir()
    (tmp_path / "run-20260101T020000Z-ACME-cccccc.json.part").write_text("{")
    read = read_reports(tmp_path)
    assert len(read.tenants[TENANT]) == 1
    assert not read.unreadable


def test_members_that_a_later_tap_adds_are_ignored(tmp_path: Path) -> None:
    """Within a version members may be added: a report with one more is read."""
    [path] = save(tmp_path, report([stream()]))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "new_member": {"a": 1}}))
    assert len(read_reports(tmp_path).tenants[TENANT]) == 1


def test_the_most_runs_are_documented() -> None:
    """docs/pages.md tells how many runs a page shows."""
    text = (Path(__file__).parents[2] / "docs" / "pages.md").read_text(encoding="utf-8")
    assert f"at most the last {MOST_RUNS} runs" in text


def test_old_runs_are_counted_but_not_read(tmp_path: Path) -> None:
    """A page tells of the latest runs, and how many older ones the folder has."""
    runs = [report([], began=LATEST - timedelta(hours=i)) for i in range(MOST_RUNS + 3)]
    save(tmp_path, *runs)
    read = read_reports(tmp_path)
    assert len(read.tenants[TENANT]) == MOST_RUNS
    assert read.tenants[TENANT][-1].began_at == runs[0].began_at
    assert read.left_out == {TENANT: 3}
