"""What a check writes to standard output, and what it returns."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest
from typing_extensions import override

from tap_orgvue.checking.check import Check
from tap_orgvue.checking.command import run_check
from tap_orgvue.settings import SettingsError
from tap_orgvue.tap import TapOrgvue

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue


def wrong() -> TapOrgvue:
    """Settings that describe no run."""
    raise SettingsError(["tenant_id: is wrong.", "region: is wrong."])


def tap_of(orgvue: Orgvue, closed: list[TapOrgvue]) -> TapOrgvue:
    """A tap that is noted once it is closed."""

    class Closing(TapOrgvue):
        @override
        def close(self) -> None:
            closed.append(self)
            super().close()

    orgvue.job_polls = ("completed",)
    return Closing(config=dict(orgvue.config), setup_mapper=False)


def test_mistakes_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each mistake and for each other stage, and the exit code."""
    assert run_check(wrong, TapOrgvue.logger, as_json=False) == 3
    assert capsys.readouterr().out.splitlines()[:3] == [
        "✗ settings: tenant_id: is wrong.",
        "✗ settings: region: is wrong.",
        "- TLS and proxy: not checked",
    ]


def test_mistakes_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON document and nothing else, for people too: indented."""
    assert run_check(wrong, TapOrgvue.logger, as_json=True) == 3
    text = capsys.readouterr().out
    document = json.loads(text)
    assert document["errors"] == ["tenant_id: is wrong.", "region: is wrong."]
    assert document["exit_code"] == 3
    assert text == json.dumps(document, indent=2) + "\n"


def test_a_check_as_text(orgvue: Orgvue, capsys: pytest.CaptureFixture[str]) -> None:
    """The stages, the plan and the assumptions; the tap is closed."""
    closed: list[TapOrgvue] = []
    assert run_check(lambda: tap_of(orgvue, closed), TapOrgvue.logger, as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ settings: tenant ")
    assert lines[6].startswith("✓ finished exports: ")
    assert lines[7].startswith("✓ plan: ")
    assert lines[-1].startswith("  not checked   wrong-tenant-status ")
    assert len(closed) == 1


def test_a_check_as_a_document(orgvue: Orgvue, capsys: pytest.CaptureFixture[str]) -> None:
    """No stage is written before; the exit code is the document's."""
    orgvue.refuse("40302", times=None)
    assert run_check(lambda: tap_of(orgvue, []), TapOrgvue.logger, as_json=True) == 3
    document = json.loads(capsys.readouterr().out)
    assert (document["exit_code"], document["tenant_id"]) == (3, orgvue.tenant_id)
    assert document["stages"][2]["status"] == "failed"


def test_a_check_that_breaks_closes_its_tap(
    orgvue: Orgvue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the check, the tap's requests end with it."""

    def fail(_: Check) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Check, "run", fail)
    closed: list[TapOrgvue] = []
    with pytest.raises(ZeroDivisionError):
        run_check(lambda: tap_of(orgvue, closed), TapOrgvue.logger, as_json=False)
    assert len(closed) == 1


class Console(io.TextIOWrapper):
    """A standard output that does not tell its encoding."""

    encoding = None  # type: ignore[assignment]


def test_a_console_without_an_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written in ASCII."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Console(written))
    assert run_check(wrong, TapOrgvue.logger, as_json=False) == 3
    assert written.getvalue().startswith(b"FAILED settings: tenant_id: is wrong.\n")
