"""`make demo KEEP=1`: simulator and database stay up, and a person is told how to look around."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path
from typing import NoReturn

import pytest

import demo.__main__ as command
from tap_orgvue.simulator import Orgvue, demo_tenant


@pytest.mark.parametrize("value,expected", [("1", True), ("yes", True), ("0", False), ("", False)])
def test_keep_is_a_switch(value: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """`KEEP=0` is as without it."""
    monkeypatch.setenv("KEEP", value)
    assert command.stays_up() is expected


def test_what_stays_up_can_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed commands name programs that are there, the database and a config that works."""

    def ctrl_c() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "OUTPUT", tmp_path)
    monkeypatch.setattr(signal, "pause", ctrl_c)
    with Orgvue(demo_tenant(people=1, positions=1)) as orgvue:
        command.keep(orgvue, "postgresql://host/database")
        lines = capsys.readouterr().out.splitlines()
        psql, check, load = (shlex.split(line) for line in lines if line.startswith("  "))
        assert json.loads(Path(check[2]).read_text("utf-8")) == orgvue.config
    assert psql[1] == "postgresql://host/database"
    for program in (psql[0], check[0], load[0]):
        assert os.access(command.ROOT / program, os.X_OK)
    assert check[1::2] == ["--config", "--test"]
    assert load[1:3] == check[1:3]
    assert lines[-1] == "Stopped."
