"""Killed at any point, a rerun from the last STATE is complete; `make kills` tries more points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.trials import kills

if TYPE_CHECKING:
    import pytest


def test_no_row_is_lost_wherever_the_tap_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    """After SIGKILL or SIGTERM anywhere, reruns bring every row, and no STATE was ahead of one."""
    code = kills.main(["--points", "15", "--seed", "1"])
    told = capsys.readouterr().out
    assert code == 0, told
    figures = dict(line.rsplit(maxsplit=1) for line in told.splitlines() if line.startswith("  "))
    found = {name.strip(): int(count) for name, count in figures.items()}
    assert found["points"] >= 10
    assert found["rows lost"] == found["rows left over"] == 0
    assert found["rows that a state was ahead of"] == 0
    assert {"by SIGKILL", "by SIGTERM", "after bytes", "after requests", "after states"} <= set(
        found
    )
