"""The options of the command line: which files and forms each takes, and what it does with them."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NoReturn

import click
import pytest

from tap_orgvue.tap import TapOrgvue
from tap_orgvue.tap_command import StreamsFailed
from tests.support.checks import planned
from tests.support.datasets import people
from tests.support.options import as_run, with_option
from tests.support.runs import discover, select, streams, sync
from tests.support.small_tap import standard_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue

    Serve = Callable[..., Orgvue]


@pytest.fixture
def renamed(orgvue: Orgvue) -> tuple[Orgvue, dict[str, Any]]:
    """A tenant whose dataset has another name since its last run, and the state of that."""
    state = sync(orgvue.config).state
    orgvue.dataset("People").name = "Staff"
    return orgvue, state


def test_a_discovery_with_a_state(renamed: tuple[Orgvue, dict[str, Any]]) -> None:
    """Streams are named as in the run that left the state; without one they are named anew."""
    orgvue, state = renamed
    run = with_option(orgvue.config, "--discover", state=state)
    assert json.loads(run.stdout) == discover(orgvue.config, state)
    assert streams(json.loads(run.stdout)) == ["people"]
    assert streams(json.loads(with_option(orgvue.config, "--discover").stdout)) == ["staff"]


def test_a_check_with_a_state(renamed: tuple[Orgvue, dict[str, Any]]) -> None:
    """Its plan has the names of the run that left the state."""
    orgvue, state = renamed
    orgvue.job_polls = ("completed",)
    run = with_option(orgvue.config, "--test", "--format=json", state=state)
    assert planned(json.loads(run.stdout), "people")["dataset_name"] == "Staff"


def test_a_check_with_a_catalog(orgvue: Orgvue) -> None:
    """Its plan sends what the catalog selects; it is text unless JSON is asked for."""
    orgvue.job_polls = ("completed",)
    catalog = select(discover(orgvue.config), "people", selected=False)
    select(catalog, "orgvue_datasets")
    run = with_option(orgvue.config, "--test", "--format=json", catalog=catalog)
    assert not planned(json.loads(run.stdout), "people")["selected"]
    text = with_option(orgvue.config, "--test", catalog=catalog).stdout
    [line] = [line for line in text.splitlines() if " people " in line]
    assert "deselected" in line


def test_a_check_has_one_form_for_programs(orgvue: Orgvue) -> None:
    """Another form is told before any request."""
    with pytest.raises(click.BadParameter) as refused:
        with_option(orgvue.config, "--test", "--format=markdown")
    assert refused.value.message == "--test has no form markdown; it has json."
    assert orgvue.requests == []


@pytest.mark.parametrize("word", ["--test=some", "--format=yaml"])
def test_words_that_an_option_does_not_have(orgvue: Orgvue, word: str) -> None:
    """They are refused with those that it has."""
    with pytest.raises(click.BadParameter, match="is not one of"):
        with_option(orgvue.config, word)
    assert orgvue.requests == []


def test_schemas_without_records(orgvue: Orgvue) -> None:
    """`--test=schema` writes the SCHEMA message of each stream, and nothing else."""
    run = with_option(orgvue.config, "--test=schema")
    assert run.code == 0
    assert {message["type"] for message in run.messages} == {"SCHEMA"}
    assert run.schemas.keys() == {"people", "orgvue_datasets", "orgvue_properties"}


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize(
    "words,step",
    [
        (("--discover",), "discover_streams"),
        (("--test=schema",), "write_catalog_schemas"),
        ((), "discover_streams"),
    ],
)
def test_the_tap_is_closed(
    orgvue: Orgvue,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    step: str,
    fails: bool,  # noqa: FBT001
) -> None:
    """Whatever it did, and whether it did it: nothing goes on behind its end."""
    closed: list[TapOrgvue] = []

    def close(tap: TapOrgvue) -> None:
        closed.append(tap)

    monkeypatch.setattr(TapOrgvue, "close", close)
    if fails:
        monkeypatch.setattr(TapOrgvue, step, _fail)
    with pytest.raises(ValueError, match="No luck") if fails else contextlib.nullcontext():
        with_option(orgvue.config, *words) if words else as_run(orgvue.config)
    assert len(closed) == 1
    monkeypatch.undo()
    closed[0].close()


def _fail(_: object) -> NoReturn:
    raise ValueError("No luck.")


@pytest.mark.parametrize("form", [None, "json", "markdown"])
def test_the_settings_are_reported_instead_of_a_run(form: str | None) -> None:
    """`--about` needs no settings: in the form that is asked for, and nothing else is done."""
    with standard_output() as written:
        TapOrgvue.invoke(about=True, about_format=form, config=None)
        text = written().stdout
    assert "max_requests_per_run" in text
    assert text.startswith("{") is (form == "json")
    assert ("| Setting " in text) is (form == "markdown")
    assert TapOrgvue.recorder is None


def test_help_tells_what_the_check_takes() -> None:
    """The SDK's own words for `--test` and `--format` are of what this tap does otherwise."""
    context = click.Context(command := TapOrgvue.get_singer_command())
    words = " ".join(command.get_help(context).split())
    assert "Check the connection and show what a run would do" in words
    assert "Specify output style for --about, or json for --test" in words
    assert "[all|schema|disabled]" in words


def test_a_run_with_its_files(
    renamed: tuple[Orgvue, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Config, catalog and state; its first line has the versions of the tap and the SDK."""
    orgvue, state = renamed
    catalog = select(discover(orgvue.config, state), "people", "salary", selected=False)
    caplog.set_level("INFO")
    caplog.clear()
    run = as_run(orgvue.config, catalog, state)
    assert run.schemas.keys() == {"people"}
    assert {"salary" in record for record in run.records["people"]} == {False}
    assert run.messages[0] == {"type": "STATE", "value": state}
    assert caplog.messages[0].startswith("tap-orgvue v")
    assert as_run(orgvue.config).records.keys() == {"staff"}


@pytest.mark.parametrize("parse_env", [True, False])
def test_the_environment_counts_if_it_is_named(
    orgvue: Orgvue,
    monkeypatch: pytest.MonkeyPatch,
    parse_env: bool,  # noqa: FBT001
) -> None:
    """A variable completes the config with `--config ENV`, and is none of a run without."""
    monkeypatch.setenv("TAP_ORGVUE_COLUMN_NAMES", "original")
    monkeypatch.setenv("TAP_ORGVUE_TENANT_ID", str(orgvue.config["tenant_id"]))
    run = as_run(orgvue.config, parse_env=parse_env)
    assert ("Full Name" in run.records["people"][0]) is parse_env


def test_failed_streams_are_counted_among_those_of_the_run(serve: Serve) -> None:
    """Beside the selected ones, those whose dataset is gone."""
    orgvue = serve(people(3, "Alpha"), people(3, "Beta"), people(3, "Gamma"))
    state = sync(orgvue.config).state
    orgvue.tenant.remove("Alpha")
    catalog = select(discover(orgvue.config, state), "gamma", selected=False)
    with pytest.raises(StreamsFailed) as failed:
        as_run(orgvue.config, catalog, state)
    assert failed.value.lines[0] == "1 of 2 streams failed:"
