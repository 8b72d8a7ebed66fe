"""The page of the runs: written whole, beside the reports, for each tenant its own."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

import msgspec
import pytest

from tap_orgvue.pages.after_run import after_run
from tap_orgvue.pages.last_run import last_run
from tap_orgvue.pages.report_page import (
    NoReports,
    page_name,
    write_report_page,
    write_report_pages,
)
from tap_orgvue.pages.run_reports import RunReports
from tap_orgvue.reporting.run_report import (
    Change,
    ErrorReport,
    Status,
)
from tests.support.hostile import HOSTILE_NAMES, SCRIPT
from tests.support.run_reports import (
    LATEST,
    TENANT,
    failed,
    history,
    report,
    save,
    stream,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tap_orgvue.reporting.run_report import RunReport, StreamReport

LOGGER = logging.getLogger("tap-orgvue")


def page(folder: Path, *reports: RunReport) -> str:
    """The page of some runs."""
    save(folder, *reports)
    return write_report_page(folder, reports[-1].tenant).read_text(encoding="utf-8")


# -- the file


def test_the_page_is_its_owners_alone(tmp_path: Path) -> None:
    """It has the mode 0600, and nothing is left beside it."""
    save(tmp_path, report([stream()]))
    written = write_report_page(tmp_path, TENANT)
    assert written == tmp_path / "report-ACME.html"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == 2


def test_a_page_is_replaced_whole_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where writing fails, the page before is as it was, and no part is left."""
    save(tmp_path, report([stream()]))
    written = write_report_page(tmp_path, TENANT)
    before = written.read_bytes()
    save(tmp_path, report([stream()], began=LATEST + timedelta(days=1)))

    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", no_space)
    with pytest.raises(OSError, match="No space"):
        write_report_page(tmp_path, TENANT)
    assert written.read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_tenants_of_one_id_on_two_servers_have_pages_of_their_own(tmp_path: Path) -> None:
    """Their pages are named by their servers, and the id's page leads to both."""
    staging = "orgvue-staging.eu-west-1.concentra.io/ACME"
    save(tmp_path, report([stream(rows=1234)]))
    write_report_page(tmp_path, TENANT)
    save(tmp_path, report([stream(rows=5678)], tenant=staging))
    production, other = (write_report_page(tmp_path, each) for each in (TENANT, staging))
    assert "1\u202f234" in production.read_text(encoding="utf-8")
    assert "5\u202f678" not in production.read_text(encoding="utf-8")
    assert "5\u202f678" in other.read_text(encoding="utf-8")
    index = (tmp_path / "report-ACME.html").read_text(encoding="utf-8")
    assert re.findall(r'<a href="([^"]*)"><bdi>([^<]*)', index) == [
        (other.name, staging),
        (production.name, TENANT),
    ]


def test_a_tenant_without_a_server_keeps_its_page(tmp_path: Path) -> None:
    """Reports that name no server have the page of the short name; no index replaces it."""
    server = "orgvue-staging.eu-west-1.concentra.io/ACME"
    save(tmp_path, report([stream(rows=1234)], tenant="ACME"))
    save(tmp_path, report([stream(rows=5678)], tenant=server))
    bare, other = (write_report_page(tmp_path, each) for each in ("ACME", server))
    assert bare != other
    assert "1\u202f234" in bare.read_text(encoding="utf-8")
    assert "5\u202f678" in other.read_text(encoding="utf-8")


def test_names_of_pages_are_names_of_files() -> None:
    """Whatever a report calls its tenant, the page stays in its folder."""
    names = {page_name(name, [name]) for name in (*HOSTILE_NAMES, "../../etc/x", "..", "")}
    assert len(names) == len(HOSTILE_NAMES) + 3
    assert all(re.fullmatch(r"report-[A-Za-z0-9._-]{0,90}\.html", name) for name in names)


@pytest.mark.parametrize(
    "tenants, name",
    [
        ([TENANT], "report-ACME.html"),
        ([TENANT, "host/OTHER"], "report-ACME.html"),
        (["ACME", "host/ACME"], "report-ACME.html"),
        ([TENANT, "host/ACME"], f"report-ACME-{TENANT.partition('/')[0]}.html"),
        (["x" * 80], f"report-{'x' * 80}.html"),
        (["x" * 81], f"report-{'x' * 80}-{hashlib.sha256(b'x' * 81).hexdigest()[:8]}.html"),
    ],
)
def test_the_name_of_a_page(tenants: list[str], name: str) -> None:
    """The id's, unless two servers have tenants of it; a long one is cut, with a digest."""
    assert page_name(tenants[0], tenants) == name


def test_without_a_report_there_is_no_page(tmp_path: Path) -> None:
    """A folder without reports of the tenant is an error that says so."""
    save(tmp_path, report([stream()], tenant="other/OTHER"))
    with pytest.raises(NoReports, match="no run report of"):
        write_report_page(tmp_path, TENANT)


def test_a_report_that_cannot_be_read_is_named_on_the_page(tmp_path: Path) -> None:
    """Whoever looks at the page sees that a run is missing from it."""
    (tmp_path / "run-20260101T020000Z-ACME-ffffff.json").write_text("{")
    text = page(tmp_path, report([stream()]))
    assert "run-20260101T020000Z-ACME-ffffff.json" in text


@pytest.mark.parametrize("left_out, told", [({}, False), ({TENANT: 3}, True)])
def test_runs_that_are_not_shown_are_counted(
    tmp_path: Path,
    left_out: dict[str, int],
    told: bool,  # noqa: FBT001
) -> None:
    """The page tells how many older runs the folder has."""
    reports = RunReports(tenants={TENANT: [report([stream()])]}, left_out=left_out)
    [path] = write_report_pages(tmp_path, reports)
    text = path.read_text(encoding="utf-8")
    assert ("Not shown: 3 older runs in the folder." in text) is told
    assert ("Not shown" in text) is told


# -- nothing gets out, nothing gets in


def test_only_the_pages_own_style_and_script_may_run(tmp_path: Path) -> None:
    """The policy in the page forbids everything but its style and script, by their digests."""
    text = page(tmp_path, *history(3))
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src &#39;none&#39;")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        [source] = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src &#39;sha256-{digest}&#39;" in policy
    assert not re.search(r'\s(style|on\w+)="', text)
    assert not re.search(r"(src|href)=\"(?!#)", text)
    assert "http" not in re.sub(r"HTTP|http-equiv", "", text)


def test_names_do_not_become_markup(tmp_path: Path) -> None:
    """Whatever streams, columns, errors and tenants are called, a page shows it as text."""
    streams = [
        stream(name, rescued={name: 1}, dataset_name=name, changes=(Change(kind=name, name=name),))
        for name in HOSTILE_NAMES
    ]
    error = ErrorReport(type=SCRIPT, message="`a` " + SCRIPT, trace_id=SCRIPT)
    streams += [stream(SCRIPT, status=Status.FAILED, error=error, delivery=SCRIPT)]
    run = report(
        streams, reason=SCRIPT, exit_code=1, tap_version=SCRIPT, requests={SCRIPT: 1}, error=error
    )
    text = page(tmp_path, msgspec.structs.replace(run, tenant_id=SCRIPT))
    body = text.partition("</head>")[2]
    assert body.count("<script>") == 1
    assert "<img" not in text
    assert "<svg onload" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "\\u202e" in text
    assert "{{ 7 * 7 }}" in text


def test_templates_switch_escaping_off_nowhere() -> None:
    """No template marks a value as safe."""
    folder = resources.files("tap_orgvue.pages") / "templates"
    for template in folder.iterdir():
        source = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|Markup", source), template.name


# -- what it says


def test_a_failed_stream_says_what_to_do(tmp_path: Path) -> None:
    """The page has the message of the error, its trace id and the next step, once."""
    text = page(tmp_path, report([stream(), failed("positions")], exit_code=5, reason="later"))
    assert text.count("HTTP 503 (Service Unavailable)") == 1
    assert "Run again: it may pass." in text
    assert "Root=1-67891233" in text


def test_many_streams_with_one_error_are_reported_at_once(tmp_path: Path) -> None:
    """An operator sees one cause, not a card for each stream; every stream is named there."""
    streams = [
        failed_with(f"s{i}", f"Stream 's{i}': HTTP 503. Trace id: Root=1-{i}") for i in range(9)
    ]
    streams += [failed_with(f"t{i}", "HTTP 404.") for i in range(3)]
    run = report([*streams, stream()], exit_code=5, reason="streams_failed")
    subjects = [todo.subject for todo in last_run(run).todos]
    assert subjects == ["9 streams", "t0", "t1", "t2"]
    text = page(tmp_path, run).partition("What failed")[2].partition("Streams of the last run")[0]
    assert text.count("HTTP 503") == 1
    assert all(f"<bdi>s{i}</bdi>" in text and f"Root=1-{i}" in text for i in range(9))


def failed_with(name: str, message: str) -> StreamReport:
    """A stream that failed with a message."""
    trace_id = message.partition("Trace id: ")[2]
    error = ErrorReport(type="Refusal", message=message, trace_id=trace_id, retryable=True)
    return stream(name, status=Status.FAILED, error=error)


def test_a_message_keeps_its_lines_and_its_code(tmp_path: Path) -> None:
    """Settings in a message are set as code, lines stay lines, and an odd backtick stays itself."""
    messages = ("Set `max_retries`.\nThen <b>go</b>.", "one ` alone", "\x1b[31m`a`")
    streams = [
        stream(
            f"s{i}", status=Status.FAILED, error=ErrorReport(type="OrgvueError", message=message)
        )
        for i, message in enumerate(messages)
    ]
    text = page(tmp_path, report(streams, exit_code=5, reason="streams_failed"))
    assert "Set <code>max_retries</code>.\nThen &lt;b&gt;go&lt;/b&gt;." in text
    assert "one ` alone" in text
    assert "\\x1b[31m<code>a</code>" in text


def test_a_complete_run_has_nothing_to_do(tmp_path: Path) -> None:
    """The page says so at the top, and has no section about failures."""
    text = page(tmp_path, report([stream()]))
    assert "Complete" in text
    assert "What failed" not in text
    assert "withheld" not in text


def test_changes_and_withheld_deletions_have_their_settings(tmp_path: Path) -> None:
    """Each change and each withheld deletion names the setting that handles it."""
    text = page(tmp_path, *history(2))
    for setting in ("new_properties", "row_change_warn_percent", "delete_guard_percent"):
        assert f"<code>{setting}</code>" in text


@pytest.mark.parametrize("count", [1, 2, 40])
def test_every_run_is_in_the_table_of_runs(tmp_path: Path, count: int) -> None:
    """Charts have their numbers beside them, for those who do not see them."""
    text = page(tmp_path, *history(count))
    table = text.partition("All runs, the latest first")[2].partition("</table>")[0]
    assert table.count("<tr>") == count + 1


@pytest.mark.parametrize("count,axis", [(20, "11 Sep 2026</span><span>"), (4, "27 Sep 2026 to ")])
def test_days_stand_below_their_bars(tmp_path: Path, count: int, axis: str) -> None:
    """A few bars fill a part of the chart only: both days stand below that part."""
    assert f'aria-hidden="true"><span>{axis}30 Sep 2026' in page(tmp_path, *history(count))


def test_requests_of_a_day_are_added_up(tmp_path: Path) -> None:
    """Several runs of one day count together against the day's limit."""
    runs = [
        report([stream()], began=LATEST + timedelta(hours=i), requests={"poll": 100_000})
        for i in range(3)
    ]
    text = page(tmp_path, *runs)
    assert "300\u202f000 on 30 Sep 2026, the busiest day: 60 % of the 500\u202f000" in text


def test_a_run_that_ended_before_any_stream_has_a_page(tmp_path: Path) -> None:
    """A refused token leaves no stream to tell of: the page says why and what to do."""
    error = ErrorReport(type="TenantRefusal", message="The token has expired: make a new one.")
    text = page(tmp_path, report([], reason="person_needed", exit_code=3, error=error))
    assert "The token has expired: make a new one." in text


def test_extreme_numbers_have_a_page(tmp_path: Path) -> None:
    """A clock set back, and more rows than there are people, break no chart."""
    odd = report(
        [
            stream(rows=0, rows_before=0),
            stream("all", 10**15, waiting_seconds=1.0, sending_seconds=1.0),
        ],
        seconds=-5.0,
        waiting_seconds=1e12,
        bytes_received=10**18,
    )
    assert "1000000 TB" in page(tmp_path, odd, msgspec.structs.replace(odd, began_at="yesterday"))


# -- after a run


def test_after_a_run_the_page_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One INFO line says where the page is."""
    caplog.set_level(logging.INFO)
    save(tmp_path, report([stream()]))
    after_run(tmp_path, TENANT, LOGGER)
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert str(tmp_path / "report-ACME.html") in record.getMessage()


def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No page, no error: the run report is there all the same."""
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    save(tmp_path, report([stream()]))
    after_run(tmp_path, TENANT, LOGGER)
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert "tap-orgvue[report]" in record.getMessage()
    assert not list(tmp_path.glob("*.html"))


def test_a_page_that_cannot_be_written_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It fails no run."""
    after_run(tmp_path / "missing", TENANT, LOGGER)
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert not record.exc_info


@pytest.mark.slow
def test_the_tap_starts_without_the_pages() -> None:
    """Importing the tap imports neither the pages nor the template engine."""
    code = "import sys, tap_orgvue.cli; print([*sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ}
    )
    modules = set(eval(done.stdout))  # noqa: S307 - a list of names, printed by this test
    assert "tap_orgvue.tap" in modules
    found = {name for name in modules if name.startswith(("jinja2", "tap_orgvue.pages"))}
    assert found <= {"tap_orgvue.pages", "tap_orgvue.pages.after_run"}
