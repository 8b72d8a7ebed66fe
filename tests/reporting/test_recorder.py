"""A run that is recorded: its report, and the last line of the log."""

from __future__ import annotations

import json
import logging
import platform
from importlib import metadata
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tap_orgvue import __version__
from tap_orgvue.orgvue.request_log import Purpose, RequestKind, RequestLog
from tap_orgvue.reporting import recorder
from tap_orgvue.reporting.journal import Journal, Stage
from tap_orgvue.reporting.outcomes import Outcomes, StreamOutcome
from tap_orgvue.reporting.recorder import Ending, RunRecorder
from tap_orgvue.reporting.report_settings import ReportSettings
from tap_orgvue.reporting.run_report import ErrorReport, Replication, Status, report_schema
from tap_orgvue.scrubbing import SCRUBBER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOGGER = logging.getLogger("tap-orgvue")
DONE = Ending(0, "done")


class Recorded:
    """A run of 60 seconds that sends two streams, and leaves a third dataset out.

    Attributes:
        now: Seconds by the clock of the run.
        outcomes: How the streams ended.
        recorder: Records it.
        shown: What was done after the report.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run it up to its end."""
        self.now = 1000.0
        monkeypatch.setattr(recorder, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.folder = folder / "reports"
        self.shown: list[tuple[str, str]] = []
        self.recorder = RunRecorder(lambda *found: self.shown.append(found[:2]))
        self.settings = ReportSettings(str(self.folder), 2, "orgvue.example/ACME", "ACME")
        journal, self.outcomes, requests = Journal(lambda: self.now), Outcomes(), RequestLog()
        self.recorder.watch(journal, self.outcomes, SimpleNamespace(requests=requests))  # type: ignore[arg-type]
        requests.add(Purpose(RequestKind.LIST), sent=1, size=100)
        for name, rows, dataset in (("people", 7, "a1"), ("places", 5, None)):
            outcome, entry = self.outcomes.of(name), journal.stream(name)
            outcome.dataset_id, outcome.status = dataset, Status.SUCCEEDED
            outcome.rescued = {"salary": 2, "grade": 1} if dataset else {}
            outcome.replication = Replication(method="FULL_TABLE")
            entry.enter(Stage.WAITING)
            self.now += 12.0004
            entry.enter(Stage.SENDING)
            self.now += 8
            entry.rows = rows
            entry.enter(Stage.ENDED)
            if dataset:
                purpose = Purpose(RequestKind.EXPORT, dataset)
                requests.add(purpose, sent=3, retries=2, throttles=1, size=900)
            else:
                entry.add_bytes(40)
        self.outcomes.absent("b2").status = Status.LEFT_OUT
        self.now = 1060.0004

    def concluded(self, ending: Ending = DONE) -> dict[str, Any]:
        """The report."""
        self.recorder.settings = self.settings
        self.recorder.conclude(ending, LOGGER)
        [path] = self.folder.iterdir()
        text = path.read_text(encoding="utf-8")
        assert text.startswith('{\n  "version": 1,\n'), "for people, too"
        assert text.endswith("\n}\n")
        report: dict[str, Any] = json.loads(text)
        jsonschema.validate(report, report_schema())
        return report


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Recorded]:
    """A run before its end."""
    with caplog.at_level(logging.INFO):
        yield Recorded(tmp_path, monkeypatch)


def test_a_report_adds_up(run: Recorded) -> None:
    """Its totals are those of its streams, and of the requests for no stream."""
    report = run.concluded()
    assert (report["tenant"], report["tenant_id"]) == ("orgvue.example/ACME", "ACME")
    assert (report["exit_code"], report["reason"], report["error"]) == (0, "done", None)
    assert (report["rows"], report["rescued"]) == (12, 3)
    assert report["requests"] == {"list": 1, "export": 3}
    assert (report["retries"], report["throttles"], report["bytes_received"]) == (2, 1, 1000)
    assert (report["seconds"], report["waiting_seconds"]) == (60.0, 44.0), "16 of them sending"
    assert report["began_at"] <= report["ended_at"]
    assert (report["version"], report["tap_version"]) == (1, __version__)
    assert report["sdk_version"] == metadata.version("singer-sdk")
    assert report["python_version"] == platform.python_version()


def test_the_streams_of_a_report(run: Recorded) -> None:
    """Each with its own requests and times; what has no stream comes last."""
    people, places, absent = run.concluded()["streams"]
    assert (people["stream"], people["status"], people["rows"]) == ("people", "succeeded", 7)
    assert (people["waiting_seconds"], people["sending_seconds"]) == (12.0, 8.0)
    assert (people["requests"], people["bytes_received"]) == ({"export": 3}, 900)
    assert people["rescued"] == {"salary": 2, "grade": 1}
    assert (places["requests"], places["bytes_received"]) == ({}, 40), "none of its own"
    assert (absent["stream"], absent["status"], absent["rows"]) == ("b2", "left_out", 0)


def test_an_error_of_the_run_is_its_own(run: Recorded) -> None:
    """Its streams do not decide whether a later run may succeed."""
    run.outcomes.of("people").error = ErrorReport(type="A", message="b", retryable=True)
    error = run.concluded(Ending(3, "later", ErrorReport(type="C", message="d")))["error"]
    assert (error["type"], error["retryable"]) == ("C", False)


def test_secrets_are_in_no_text_of_a_report(run: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a message, a list or the name of a column; the report's own names stay."""
    run.outcomes.of("people").rescued = {"rows": 1, "a-secret": 2}
    run.outcomes.of("people").dataset_name = "of a-secret"
    error = ErrorReport(type="A", message="a-secret", codes=("a-secret", "40001"))
    monkeypatch.setattr(SCRUBBER, "secrets", {"a-secret", "rows"})
    report = run.concluded(Ending(1, "unexpected", error))
    assert "a-secret" not in json.dumps(report)
    assert report["error"]["codes"] == ["***", "40001"]
    people = report["streams"][0]
    assert people["rescued"] == {"rows": 1, "***": 2}
    assert people["rows"] == 7


def test_the_last_line(run: Recorded, caplog: pytest.LogCaptureFixture) -> None:
    """It has the totals, also for programs, whether or not a report is written."""
    run.concluded()
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage() == (
        "2 streams, 12 rows in 60 s (44 s waiting for Orgvue), 4 requests, 2 retries, "
        "1 throttle, 3 values rescued, 0 unchanged, 0 failed, 1 left out"
    )
    assert vars(record)["requests_by_kind"] == {"list": 1, "export": 3}


def test_a_report_is_shown_once_it_is_written(run: Recorded) -> None:
    """Pages are made of the reports of the tenant."""
    run.concluded()
    assert run.shown == [(str(run.folder), "orgvue.example/ACME")]


def test_older_reports_go(run: Recorded) -> None:
    """As many reports stay as the setting says."""
    run.recorder.settings = run.settings
    for _ in range(3):
        run.recorder.conclude(DONE, LOGGER)
    assert len(list(run.folder.iterdir())) == 2


def test_without_the_setting_nothing_is_written(
    run: Recorded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has its last line, and no file is made."""
    run.recorder.conclude(DONE, LOGGER)
    assert list(tmp_path.iterdir()) == []
    assert run.shown == []
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name,reason", [("file", "File exists"), ("a\x00b", "embedded null byte")])
def test_a_report_that_cannot_be_written(
    run: Recorded, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, reason: str
) -> None:
    """An error says so and why, and the run is as successful as it was."""
    (tmp_path / "file").touch()
    folder = str(tmp_path / name)
    run.recorder.settings = ReportSettings(folder)
    run.recorder.conclude(DONE, LOGGER)
    error, last = caplog.records
    assert (error.levelname, last.levelname) == ("ERROR", "INFO")
    assert error.getMessage() == (
        f"run_report: the report of this run cannot be written to {folder!r}: {reason}."
    )
    assert run.shown == []


def test_an_older_report_that_cannot_be_removed(
    run: Recorded, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An error says so; the new report is there, and is shown."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(recorder, "remove_older", refuse)
    run.concluded()
    assert caplog.messages[0] == (
        f"run_report: older reports in {str(run.folder)!r} cannot be removed: Permission denied."
    )
    assert len(run.shown) == 1


def test_a_run_that_never_began(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Settings that are refused leave a report without streams, and no totals in the log."""
    unwatched = RunRecorder()
    unwatched.settings = ReportSettings(str(tmp_path))
    with caplog.at_level(logging.INFO):
        unwatched.conclude(Ending(1, "person_needed"), LOGGER)
    [path] = tmp_path.iterdir()
    report = json.loads(path.read_bytes())
    assert (report["tenant"], report["streams"], report["requests"]) == ("unknown", [], {})
    assert 0 <= report["waiting_seconds"] == report["seconds"]
    assert caplog.messages == []


def test_whether_rows_were_removed() -> None:
    """Withheld where a reason stands against it, whether or not versions are sent."""
    outcome = StreamOutcome(stream="people")
    for sent, withheld, told in (
        (True, None, "sent"),
        (True, "few", "withheld"),
        (False, "few", "withheld"),
        (False, None, "off"),
    ):
        outcome.note_deletions(sent=sent, withheld=withheld)
        assert (outcome.deletions, outcome.deletions_withheld) == (told, withheld)
