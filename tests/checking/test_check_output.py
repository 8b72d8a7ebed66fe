"""The output of `tap-orgvue --test`: for people, for programs, on every console, in time."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import jsonschema
import pytest

from tap_orgvue.checking import check as checking
from tap_orgvue.checking.console import table, width_of
from tap_orgvue.checking.report import Access, check_schema
from tap_orgvue.simulator import Dataset, Property
from tests.support.checks import check, checked, planned
from tests.support.datasets import people
from tests.support.files import written
from tests.support.object_store import object_store
from tests.support.runs import WARM_START, command, discover, select

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue


@pytest.fixture(autouse=True)
def _jobs_are_done_at_once(orgvue: Orgvue) -> None:
    """Nothing has to be waited for."""
    orgvue.job_polls = ("completed",)


def line_of(text: str, word: str) -> str:
    """The line of a stream in the table."""
    return next(line for line in text.splitlines() if f"  {word} " in line)


# -- for people


@pytest.mark.slow
def test_the_plan_is_a_table(orgvue: Orgvue) -> None:
    """Each stream is a line: dataset, id, readable, delivery, and how many columns of each sort."""
    settings = {"exclude_properties": ["salary"], "hash_properties": ["Full Name"]}
    config = {**orgvue.config, **settings, "hash_key": "a key of sixteen characters"}
    text = command(config, "--test").stdout
    [heading] = [line for line in text.splitlines() if line.split()[:2] == ["stream", "dataset"]]
    line = line_of(text, "people")
    dataset_id = orgvue.dataset("People").dataset_id
    columns = str(len(planned(check(config), "people")["columns"]))
    words = ["✓", "people", "People", dataset_id, "yes", "response,", "else", "job,", "else"]
    assert line.split() == [*words, "slices", columns, "1", "1"]
    for title, cell in (("id", dataset_id), ("delivery", "response,"), ("dataset", "People")):
        assert heading.index(title) == line.index(cell)
    assert "    people: excluded salary; hashed full_name" in text.splitlines()
    # It has no delivery either.
    assert line_of(text, "orgvue_properties").split()[-1] == "deselected"


@pytest.mark.slow
def test_deselected_streams_are_marked(orgvue: Orgvue) -> None:
    """With a catalog, a stream that it deselects has a line that says so, and is not requested."""
    catalog = select(discover(orgvue.config), "people", selected=False)
    select(catalog, "people", "salary", selected=False)
    select(catalog, "orgvue_datasets")
    run = command(orgvue.config, "--test", catalog=catalog)
    assert run.code == 0
    assert line_of(run.stdout, "people").split()[:5] == [
        *("-", "people", "People", orgvue.dataset("People").dataset_id, "deselected"),
    ]
    assert line_of(run.stdout, "orgvue_datasets").split()[0] == "✓"
    # What is deselected in it is no news.
    assert "    people: " not in run.stdout


HOSTILE = "Evil\x1b[2J\n✓ all: is well\u202e名前é"


def test_hostile_names_steer_no_console(serve: Callable[..., Orgvue]) -> None:
    """Control characters of names are escaped, in the table and in what is told of it."""
    properties = [Property("id", "text", auto_id=True), Property("a\x1b]0;x\x07\nb", "text")]
    orgvue = serve(Dataset(HOSTILE, properties=properties, rows=[]))
    orgvue.job_polls = ("completed",)
    text = command({**orgvue.config, "exclude_properties": ["a*"]}, "--test").stdout
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert not any(line.startswith("✓ all") for line in text.splitlines())
    assert r"Evil\x1b[2J\n" in text


def test_wide_and_combining_characters_are_aligned() -> None:
    """A wide character takes two places of a column, a combining one none."""
    assert [width_of(text) for text in ("abc", "名前", "e\u0301a", "ｱ", "")] == [3, 4, 2, 1, 0]
    rows = [("", "name", "id"), ("✓", "名前", "1"), ("✗", "e\u0301", "2"), ("-", "x" * 80, "3")]
    lines = list(table(rows, "utf-8"))
    ends = [width_of(line[: line.rindex(line.split()[-1])]) for line in lines]
    assert len(set(ends)) == 1
    assert "x" * 37 + "..." in lines[-1]


def test_numbers_are_aligned_to_the_right() -> None:
    """The last three columns of the plan end at one place, and other columns begin at one."""
    texts = ("", "name", "", "", "", "", "columns", "excluded", "hashed")
    _, line = table([texts, ("✓", "a", "", "", "", "", "7", "", "3")], "utf-8")
    heading, _ = table([texts, ("✓", "a", "", "", "", "", "7", "", "3")], "utf-8")
    assert line.index("a") == heading.index("name")
    assert line.index("7") == heading.index("columns") + len("columns") - 1
    assert line.index("3") == len(heading) - 1


def test_a_console_without_the_signs(orgvue: Orgvue) -> None:
    """In ASCII the signs are words, names are escaped, and the columns stay aligned."""
    dataset = orgvue.dataset("People")
    dataset.name = "Größe 名前"
    variables = {"PYTHONIOENCODING": "ascii"}
    text = command(orgvue.config, "--test", env=variables).stdout
    assert text.isascii()
    assert text.startswith("OK settings: ")
    [line] = [line for line in text.splitlines() if dataset.dataset_id in line]
    assert r"Gr\xf6\xdfe \u540d\u524d" in line
    [heading] = [line for line in text.splitlines() if line.split()[:2] == ["stream", "dataset"]]
    assert heading.index(" id ") + 1 == line.index(dataset.dataset_id)


# -- for programs


@pytest.mark.slow
def test_the_document_is_as_its_schema_says(orgvue: Orgvue) -> None:
    """The JSON document has its version, and fits the published schema, in success and failure."""
    good = check({**orgvue.config, "filters": {"nobody": {"id": 1}}})
    bad = check({**orgvue.config, "datasets": ["nothing"]})
    wrong = check({**orgvue.config, "tenant_id": "small"})
    for report in (good, bad, wrong):
        jsonschema.validate(report, check_schema())
        assert report["version"] == 1
    assert (good["exit_code"], bad["exit_code"], wrong["exit_code"]) == (0, 3, 3)
    assert good["warnings"] == [
        "filters: there is no stream and no dataset 'nobody'; what is set for it has no effect."
    ]
    assert [stage["status"] for stage in wrong["stages"]][:2] == ["failed", "not_checked"]
    assert wrong["errors"][0].startswith("tenant_id: must be in capitals")
    # The line of the stage that failed says it, and no other.
    assert bad["errors"] == []


@pytest.mark.slow
def test_the_document_says_what_the_text_says(orgvue: Orgvue) -> None:
    """Stages, streams and assumptions are the same in both forms, and so is the exit code."""
    orgvue.post_export = False
    run, report = command(orgvue.config, "--test"), check(orgvue.config)
    assert run.code == report["exit_code"]
    for stage in report["stages"]:
        assert f"✓ {stage['stage']}: {stage['text']}" in run.stdout.splitlines()
    for each in report["assumptions"]:
        words = each["result"].replace("_", " ")
        assert f"  {words:<12}  {each['name']} " in run.stdout


def test_the_document_is_scrubbed(orgvue: Orgvue) -> None:
    """What Orgvue says in an error is told without the token and without control characters."""
    message = f"Bearer {orgvue.token} \x1b[31m"
    orgvue.refuse((403, "403601", "DatasetAccessDenied", message), on="headers", times=None)
    orgvue.refuse((403, "403601", "DatasetAccessDenied", message), on="export", times=None)
    run = command(orgvue.config, "--test", "--format", "json")
    assert "403601" in run.stdout
    assert orgvue.token not in run.stdout
    assert "\\u001b" not in run.stdout


# -- the command line


@pytest.mark.parametrize("word", ["records", "Schema", "yes", ""])
def test_words_that_test_does_not_know_are_refused(orgvue: Orgvue, word: str) -> None:
    """`--test=` takes the SDK's words; another one is a usage error before any request."""
    run = command(orgvue.config, f"--test={word}")
    assert run.code == 2
    assert "is not one of 'all', 'schema', 'disabled'" in run.stderr
    assert orgvue.requests == []


@pytest.mark.slow
def test_the_words_of_the_sdk_do_what_they_did(orgvue: Orgvue) -> None:
    """`all` is the check, `schema` writes SCHEMA messages, `disabled` leaves a run as it is."""
    assert command(orgvue.config, "--test=all").stdout.startswith("✓ settings: ")
    assert "people" in command(orgvue.config, "--test=schema").schemas
    assert command(orgvue.config, "--test=disabled").of_type("RECORD")


def test_a_form_that_the_check_does_not_have(orgvue: Orgvue) -> None:
    """`--format markdown` is for `--about` alone."""
    run = command(orgvue.config, "--test", "--format", "markdown")
    assert run.code == 2
    assert "--test has no form markdown; it has json." in run.stderr


def test_help_says_what_test_is(orgvue: Orgvue) -> None:
    """The help of `--test` tells of the plan, not of a record for each stream."""
    text = " ".join(command(orgvue.config, "--help").stdout.split())
    assert "Check the connection and show what a run would do, without reading a row" in text
    assert "single record" not in text


def test_files_that_are_wrong_are_reported(orgvue: Orgvue) -> None:
    """A catalog and a state that describe no run fail the stage `settings`."""
    run = command(orgvue.config, "--test", catalog={"no": "streams"})
    assert run.code == 3
    assert "✗ settings: catalog: it has no list of `streams`." in run.stdout
    assert check(orgvue.config, state={"bookmarks": []})["exit_code"] == 3


@pytest.mark.slow
def test_batches_in_an_object_store(orgvue: Orgvue) -> None:
    """An upload is begun and aborted: the store takes it, and no object appears."""
    with object_store() as store:
        storage = {
            "root": "s3://bucket/batches",
            "params": {"key": "k", "secret": "s", "endpoint_url": store.url},
        }
        batches = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": storage}
        report = check({**orgvue.config, "batch_config": batches})
        assert (report["exit_code"], report["not_checked"]) == (0, [])
        assert store.objects == {}
        assert store.uploads == {"aborted": 1}


# -- its time


@pytest.mark.slow
def test_what_is_not_reached_is_listed(
    serve: Callable[..., Orgvue], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dataset that does not respond in time is not checked; the others are, and nothing fails."""
    orgvue = serve(people(), people(3, "Slow"), people(3, "Quick"))
    orgvue.job_polls = ("completed",)
    orgvue.stall(dataset="Slow", times=None)
    config = {**orgvue.config, "exclude_properties": ["no such property"]}
    monkeypatch.setattr(checking, "CHECK_SECONDS", 2)
    report = checked(config)
    access = {each.stream: each.readable for each in report.streams if each.dataset_id}
    assert access == {"people": Access.YES, "slow": Access.NOT_CHECKED, "quick": Access.YES}
    assert report.not_checked[0] == "1 streams: slow."
    # The property may be one of the dataset that was not reached.
    assert report.not_checked[1].startswith("Settings that name streams and properties")
    assert report.errors == []
    assert report.exit_code == 0


@pytest.mark.slow
def test_many_datasets_take_a_request_each(serve: Callable[..., Orgvue]) -> None:
    """300 datasets are looked at in parallel, by one small request each and no whole export."""
    orgvue = serve(*(people(1, f"Dataset {number}") for number in range(300)))
    orgvue.job_polls, orgvue.rate_limit = ("completed",), 10_000
    report = check(orgvue.config)
    assert sum(row["readable"] == "yes" for row in report["streams"]) == 300
    assert len(orgvue.requests) < 320
    assert not [each for each in orgvue.requests_to("export") if each.method == "GET"]
    assert orgvue.most_at_once <= 8


def test_a_signal_ends_the_check(orgvue: Orgvue, tmp_path: Path) -> None:
    """Ctrl-C ends a check that waits, with the signal's exit code and no traceback."""
    orgvue.stall(on="headers", times=None)
    with WARM_START.start(["--test", *written(tmp_path, config=orgvue.config)]) as run:
        deadline = time.monotonic() + 60
        while not orgvue.requests_of("headers") and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGINT
    assert b"Traceback" not in err
    assert out.decode().splitlines()[-1].startswith("✓ datasets: ")


@pytest.mark.slow
def test_nothing_else_is_on_standard_output(orgvue: Orgvue) -> None:
    """The document is all there is, also where the log has something to say."""
    orgvue.refuse(503, on="list")
    run = command(orgvue.config, "--test", "--format=json")
    assert json.loads(run.stdout)["exit_code"] == 0
    assert run.stdout.isascii()
