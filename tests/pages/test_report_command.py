"""`tap-orgvue-report` writes pages, or says what is missing."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tap_orgvue.report_command import command
from tap_orgvue.simulator import Dataset, Property
from tests.support.files import written
from tests.support.hostile import HOSTILE_NAMES
from tests.support.run_reports import history, report, save, stream
from tests.support.runs import discover, select, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

    from tap_orgvue.simulator import Orgvue


def run(*words: object, env: dict[str, str | None] | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(command, [str(word) for word in words], env=env)


@pytest.fixture
def tenant(orgvue: Orgvue, tmp_path: Path) -> Callable[..., Result]:
    """Writes the page of a tenant into the temporary folder."""

    def write(*words: object, **settings: Any) -> Result:
        config = written(tmp_path, config={**orgvue.config, **settings})
        return run("--tenant", "--into", tmp_path, *config, *words)

    return write


# -- the documentation


def test_options_and_exit_codes_are_documented() -> None:
    """docs/pages.md names the options that the command has, and its exit codes."""
    text = (Path(__file__).parents[2] / "docs" / "pages.md").read_text(encoding="utf-8")
    options = {name for option in command.params for name in option.opts if name[:2] == "--"}
    assert set(re.findall(r"--[a-z]+", text)) - {"---"} == options - {"--version"}
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert codes == {0, 2, 3}


# -- run reports


def test_a_folder_of_reports_gets_a_page_for_each_tenant(tmp_path: Path) -> None:
    """The command prints where the pages are, and exits with 0."""
    save(tmp_path, *history(2), report([stream()], tenant="host/OTHER", tenant_id="OTHER"))
    done = run(tmp_path)
    assert done.exit_code == 0
    assert done.stdout.split() == [
        str(tmp_path / "report-OTHER.html"),
        str(tmp_path / "report-ACME.html"),
    ]
    for tenant_id in ("OTHER", "ACME"):
        text = (tmp_path / f"report-{tenant_id}.html").read_text(encoding="utf-8")
        assert f"<title>{tenant_id}: " in text
        assert "Streams of the last run" in text


@pytest.mark.slow
def test_the_real_command_works(tmp_path: Path) -> None:
    """As a user starts it, in a process of its own."""
    save(tmp_path, report([stream()]))
    done = subprocess.run(
        [sys.executable, "-m", "tap_orgvue.report_command", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(tmp_path / "report-ACME.html")


def test_what_cannot_be_read_is_reported_and_skipped(tmp_path: Path) -> None:
    """One line on standard error for each such file; the page is made of the others."""
    save(tmp_path, report([stream()]))
    (tmp_path / "run-20270101T000000Z-ACME-000000.json").write_text('{"version": 9}')
    bare = '{"version": 1, "tenant": "host/OTHER"}'
    (tmp_path / "run-20270101T000000Z-OTHER-000000.json").write_text(bare)
    done = run(tmp_path)
    assert done.exit_code == 0
    other, first = done.stderr.splitlines()
    assert other.startswith("run-20270101T000000Z-OTHER-000000.json is no run report: ")
    assert other.endswith(". It is skipped.")
    assert first.startswith("run-20270101T000000Z-ACME-000000.json is of version 9")
    assert done.stdout.split() == [str(tmp_path / "report-ACME.html")]


def test_a_folder_without_a_report_needs_a_person(tmp_path: Path) -> None:
    """Exit code 3, and the setting that makes reports."""
    (tmp_path / "run-20270101T000000Z-ACME-000000.json").write_text("{")
    done = run(tmp_path)
    assert done.exit_code == 3
    assert "no run report that can be read" in done.stderr
    assert "`run_report`" in done.stderr


@pytest.mark.parametrize(
    "words, reason",
    [
        ([], "Give the FOLDER of run reports, or --tenant."),
        (["--tenant"], "--tenant needs --config."),
        ([".", "--tenant", "--config", "ENV"], "Give a FOLDER or --tenant, not both."),
        ([".", "--config", "ENV"], "--config is for --tenant."),
        ([".", "--catalog", "c.json", "--into", "."], "--catalog is for --tenant."),
        ([".", "--state", "s.json"], "--state is for --tenant."),
        ([".", "--into", "."], "--into is for --tenant."),
        (["no such folder"], "no such folder is not a folder."),
        (["--unknown"], "No such option"),
        ([".", "."], "unexpected extra argument"),
    ],
)
def test_usage(words: list[str], reason: str) -> None:
    """A command line that means nothing exits with 2, and says why."""
    done = run(*words)
    assert done.exit_code == 2
    assert "Usage:" in done.stderr
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["."], ["--tenant", "--config", "ENV"]])
def test_without_the_extra_it_says_what_to_install(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 3 and one line, whichever page is asked for."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = run(*words)
    assert done.exit_code == 3
    assert "pip install 'tap-orgvue[report]'" in done.stderr


def test_a_page_that_cannot_be_written_needs_a_person(tmp_path: Path) -> None:
    """Exit code 3, the path, and why; no part of the page is left."""
    save(tmp_path, report([stream()]))
    (tmp_path / "report-ACME.html").mkdir()
    done = run(tmp_path)
    assert done.exit_code == 3
    assert "Is a directory" in done.stderr
    assert not list(tmp_path.glob(".*"))


# -- a tenant


def test_a_tenant_gets_a_page(
    orgvue: Orgvue, tenant: Callable[..., Result], tmp_path: Path
) -> None:
    """Named by its id, readable for its owner alone; nothing is left beside it.

    Nothing but the list, and the dataset's metadata and header, is requested, and once each.
    """
    done = tenant()
    assert done.exit_code == 0, done.stderr
    [page] = tmp_path.glob("tenant-*.html")
    assert done.stdout.strip() == str(page)
    assert page.name == "tenant-DEMO.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*"))
    assert orgvue.counts() == {"list": 1, "metadata": 1, "headers": 1}


def test_settings_come_from_files_and_the_environment(orgvue: Orgvue, tmp_path: Path) -> None:
    """`--config` may be repeated and may be ENV, as for the tap; the page goes to `run_report`."""
    config = dict(orgvue.config)
    token = str(config.pop("api_token"))
    words = written(tmp_path, config={**config, "run_report": str(tmp_path / "of" / "runs")})
    env: dict[str, str | None] = {
        "TAP_ORGVUE_API_TOKEN": token,
        "TAP_ORGVUE_EXCLUDE_PROPERTIES": '["salary"]',
    }
    done = run("--tenant", *words, "--config", "ENV", env=env)
    assert done.exit_code == 0, done.stderr
    [page] = (tmp_path / "of" / "runs").glob("tenant-*.html")
    assert "excluded</b> by <bdi><code>salary" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "settings, changed",
    [
        ({}, False),
        ({"stream_maps": {"people": {"salary": "salary + 1"}}}, True),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, True),
    ],
    ids=["plain", "maps", "flattening"],
)
def test_maps_and_flattening_are_reported(
    tenant: Callable[..., Result],
    tmp_path: Path,
    settings: dict[str, Any],
    changed: bool,  # noqa: FBT001
) -> None:
    """They change what is sent in ways that the page does not show."""
    assert tenant(**settings).exit_code == 0
    text = next(tmp_path.glob("tenant-*.html")).read_text(encoding="utf-8")
    assert ("Stream maps or flattening are configured" in text) is changed
    assert "The catalog's selection" not in text


def test_the_page_is_written_to_the_current_folder(
    orgvue: Orgvue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `--into` and the setting `run_report`."""
    monkeypatch.chdir(tmp_path)
    done = run("--tenant", *written(tmp_path, config=orgvue.config))
    [page] = tmp_path.glob("tenant-*.html")
    assert done.stdout.strip() == page.name


def test_wrong_settings_need_a_person(tenant: Callable[..., Result]) -> None:
    """Exit code 3, with the tap's own words for each mistake."""
    done = tenant(max_retries=-1, no_such_setting=1)
    assert done.exit_code == 3
    assert "max_retries" in done.stderr
    assert "no_such_setting" in done.stderr


def test_a_refused_token_needs_a_person(orgvue: Orgvue, tenant: Callable[..., Result]) -> None:
    """Exit code 3, with Orgvue's code and what to do; the token is not shown."""
    orgvue.refuse("40302")
    done = tenant()
    assert done.exit_code == 3
    assert "40302" in done.stderr
    assert "/tokens" in done.stderr
    assert orgvue.token not in done.stderr


def test_a_catalog_that_is_none_needs_a_person(
    tenant: Callable[..., Result], tmp_path: Path
) -> None:
    """Exit code 3; the same for a file that is not there."""
    (tmp_path / "catalog.json").write_text("[]")
    assert tenant("--catalog", tmp_path / "catalog.json").exit_code == 3
    missing = tenant("--catalog", tmp_path / "nowhere.json")
    assert missing.exit_code == 3
    assert "nowhere.json" in missing.stderr


def test_catalog_and_state_of_a_run_are_taken(
    orgvue: Orgvue, tenant: Callable[..., Result], tmp_path: Path
) -> None:
    """As files that the tap wrote: what the catalog deselects is not read."""
    catalog = select(discover(dict(orgvue.config)), "people", "salary", selected=False)
    state = sync(dict(orgvue.config), catalog).state
    done = tenant(*written(tmp_path, catalog=catalog, state=state))
    assert done.exit_code == 0, done.stderr
    text = next(tmp_path.glob("tenant-*.html")).read_text(encoding="utf-8")
    assert 'data-t="not selected"><th scope="row"><bdi>salary' in text
    assert "The catalog's selection is taken into account." in text


def test_the_page_has_no_cell_token_or_filter_value(
    orgvue: Orgvue, tenant: Callable[..., Result], tmp_path: Path
) -> None:
    """Nothing that identifies a person gets onto it, though filters and cells hold such values."""
    done = tenant(
        filters={"people": {"Full Name": "Person 3"}},
        hash_properties=["salary"],
        hash_key="a key of sixteen characters",
    )
    assert done.exit_code == 0, done.stderr
    text = next(tmp_path.glob("tenant-*.html")).read_text(encoding="utf-8")
    assert "Full Name" in text
    for value in ("Person 3", "Person 1", "2022-01-0", orgvue.token, "sixteen"):
        assert value not in text


@pytest.mark.slow
def test_names_of_a_tenant_do_not_become_markup(
    serve: Callable[..., Orgvue], tmp_path: Path
) -> None:
    """Whatever datasets, properties, tags and types are called, the page shows it as text."""
    datasets = [
        Dataset(
            name,
            type=("LINKS", name)[i % 2],
            tags=(name,),
            properties=[
                Property(name, name, name=name, auto_id=True, label_id=True),
                *(Property(f"{key}{i}", "text", name=key) for key in HOSTILE_NAMES),
            ],
        )
        for i, name in enumerate(HOSTILE_NAMES)
    ]
    orgvue = serve(*datasets)
    config = {**orgvue.config, "exclude_properties": list(HOSTILE_NAMES)}
    done = run("--tenant", "--into", tmp_path, *written(tmp_path, config=config))
    assert done.exit_code == 0, done.stderr
    text = next(tmp_path.glob("tenant-*.html")).read_text(encoding="utf-8")
    assert text.partition("</head>")[2].count("<script>") == 1
    assert "<img" not in text
    assert "<svg onload" not in text
    assert "\u202e" not in text
    assert "{{ 7 * 7 }}" in text
