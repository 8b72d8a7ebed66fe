"""Run reports as files: their names, how they are written, and which of them stay."""

from __future__ import annotations

import json
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tap_orgvue.reporting.report_files import remove_older, report_name, write_report

BEGAN = datetime(2026, 1, 31, 2, 0, 0, tzinfo=timezone.utc)


def written(folder: Path, day: int, tenant: str = "ACME", server: str = "") -> Path:
    """A report of a day."""
    content = json.dumps({"version": 1, "tenant": f"{server}{tenant}"}).encode()
    return write_report(folder, report_name(BEGAN + timedelta(days=day), tenant), content)


def test_names_sort_by_time() -> None:
    """A later run's name is a later one, whatever the random digits are."""
    names = [report_name(BEGAN + timedelta(seconds=i), "ACME") for i in range(20)]
    assert names == sorted(names)
    assert names[0].startswith("run-20260131T020000Z-ACME-")


@pytest.mark.parametrize("tenant", ["../../etc", "a/b\\c", "\x00", "", "Ü\n", "x" * 300, "-", ".."])
def test_hostile_tenants_are_safe(tenant: str, tmp_path: Path) -> None:
    """Whatever a tenant is called: its report is a file of the folder."""
    path = write_report(tmp_path, report_name(BEGAN, tenant), b"{}")
    assert list(tmp_path.iterdir()) == [path]
    assert path.resolve().parent == tmp_path.resolve()


def test_only_the_user_may_read(tmp_path: Path) -> None:
    """Folder and file, also where the process would let others in."""
    before = os.umask(0)
    try:
        path = written(tmp_path / "new" / "reports", 1)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_report_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the file cannot be put in its place, nothing of it is left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [1, 2, 3, 4, 5])
def test_the_newest_stay(tmp_path: Path, keep: int) -> None:
    """As many as the user wants, this run's included."""
    paths = [written(tmp_path, day) for day in range(4)]
    remove_older(paths[-1], tenant="ACME", tenant_id="ACME", keep=keep)
    assert sorted(tmp_path.iterdir()) == paths[-keep:]


def test_reports_of_another_server_do_not_count(tmp_path: Path) -> None:
    """Where a tenant has the same id there, as many of this one's reports stay."""
    paths = [written(tmp_path, day, server="elsewhere/") for day in range(4)]
    paths += [written(tmp_path, day) for day in range(2)]
    remove_older(paths[-1], tenant="ACME", tenant_id="ACME", keep=3)
    assert {*tmp_path.iterdir()} == {*paths}


def test_another_run_removes_older_reports_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that it has removed meanwhile is no error."""
    read = Path.read_bytes

    def removing(path: Path) -> bytes:
        content = read(path)
        path.unlink()
        return content

    paths = [written(tmp_path, day) for day in range(3)]
    monkeypatch.setattr(Path, "read_bytes", removing)
    remove_older(paths[-1], tenant="ACME", tenant_id="ACME", keep=1)
    assert [*tmp_path.iterdir()] == paths[-1:]


def test_this_runs_report_stays(tmp_path: Path) -> None:
    """Also if a wrong clock dated others later."""
    future, now = written(tmp_path, 9), written(tmp_path, 1)
    remove_older(now, tenant="ACME", tenant_id="ACME", keep=1)
    assert list(tmp_path.iterdir()) == [now]
    assert not future.exists()


def test_reports_of_others_stay(tmp_path: Path) -> None:
    """Tenants whose names begin alike, the same name on another server, and all other files."""
    others = [
        written(tmp_path, 0, "ACME_TEST"),
        written(tmp_path, 0, "ACM"),
        written(tmp_path, 0, "A"),
        written(tmp_path, 0, server="elsewhere/"),
    ]
    for name in ("run-20260131T020000Z-ACME-aaaaaa.json", "notes.txt", "report-ACME.html"):
        others.append(tmp_path / name)
        others[-1].write_text("not a report")
    ours = [written(tmp_path, day) for day in (1, 2, 3)]
    remove_older(ours[-1], tenant="ACME", tenant_id="ACME", keep=1)
    assert set(tmp_path.iterdir()) == {*others, ours[-1]}
