"""Settings, catalog and state as a user gives them to the command."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tap_orgvue.simulator import Dataset, Property
from tests.support.runs import (
    command,
    completed,
    conditions,
    discover,
    entry,
    properties,
    select,
    streams,
    sync,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue


def test_settings_come_from_the_environment(orgvue: Orgvue) -> None:
    """Every setting can be given as `TAP_ORGVUE_…` in the environment."""
    env = {
        "TAP_ORGVUE_API_URL": orgvue.api_url,
        "TAP_ORGVUE_TENANT_ID": orgvue.tenant_id,
        "TAP_ORGVUE_API_TOKEN": orgvue.token,
        "TAP_ORGVUE_USER_AGENT": "from-the-environment",
        "TAP_ORGVUE_REQUEST_TIMEOUT": "17",
        "TAP_ORGVUE_DATASETS": '["peo*"]',
    }
    run = command({}, "--config=ENV", "--discover", env=env)
    assert run.code == 0, run.stderr
    assert '"people"' in run.stdout
    agents = {request.header("User-Agent") for request in orgvue.requests}
    assert agents == {"from-the-environment"}


def test_mistakes_in_the_environment_are_reported_too(orgvue: Orgvue) -> None:
    """A variable that is no number, or no JSON, is one line that names setting and variable."""
    env = {"TAP_ORGVUE_REQUEST_TIMEOUT": "soon", "TAP_ORGVUE_FILTERS": "{people: x}"}
    env["TAP_ORGVUE_API_TOKEN"] = orgvue.token
    run = command({}, "--config=ENV", "--discover", env=env)
    assert run.code != 0
    assert "request_timeout: must be of type integer (TAP_ORGVUE_REQUEST_TIMEOUT)." in run.stderr
    assert "filters: must be of type object, in JSON" in run.stderr
    assert "Traceback" not in run.stderr
    assert orgvue.token not in run.stderr
    assert orgvue.requests == []


def test_numbers_of_a_config_file_are_read(orgvue: Orgvue) -> None:
    """A config file's whole numbers are accepted, also when written with a decimal point."""
    config = {**orgvue.config, "request_timeout": 20.0, "max_parallel_requests": 2}
    run = command(config, "--discover")
    assert run.code == 0, run.stderr


@pytest.mark.parametrize(
    "option,text",
    [
        *((option, text) for option in ("config", "catalog", "state") for text in ("{", "[1]")),
        *(("catalog", text) for text in ('{"streams": 5}', '{"streams": [{}]}')),
    ],
)
def test_a_file_that_is_something_else(
    orgvue: Orgvue, tmp_path: Path, option: str, text: str
) -> None:
    """A file on the command line that is not what it should be is told by its option."""
    path = tmp_path / "given.json"
    path.write_text(text)
    run = command(orgvue.config, f"--{option}", str(path))
    assert run.code == 3
    assert f"| {option}: " in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert orgvue.requests == []


def test_a_setting_that_is_unknown(orgvue: Orgvue) -> None:
    """A misspelt key ends the run before any request; a key that begins with `_` is a comment."""
    run = command({**orgvue.config, "exclude_property": ["salary"], "_note": "x"}, "--discover")
    assert run.code == 3
    assert "did you mean `exclude_properties`?" in run.stderr.splitlines()[-1]
    assert orgvue.requests == []
    assert command({**orgvue.config, "_note": "x"}, "--discover").code == 0


@pytest.mark.parametrize("words", [(), ("--config", "ENV")])
def test_variables_are_looked_at(orgvue: Orgvue, words: tuple[str, ...]) -> None:
    """With and without `--config ENV`: one that is nearly a setting ends the run, others are told.

    A variable that is empty is unset.
    """
    wrong = {"TAP_ORGVUE_HASH_PROPERTIE": '["salary"]'}
    run = command(orgvue.config, "--discover", *words, env=wrong)
    assert run.code == 3
    assert "did you mean TAP_ORGVUE_HASH_PROPERTIES?" in run.stderr.splitlines()[-1]
    assert orgvue.requests == []
    other = {"TAP_ORGVUE_COLOUR": "red", "TAP_ORGVUE_TEMP_DIR": "", "TAP_ORGVUE__SELECT": "[]"}
    run = command(orgvue.config, "--discover", *words, env=other)
    assert run.code == 0
    (told,) = [line for line in run.stderr.splitlines() if "COLOUR" in line]
    assert told.endswith("no settings of the tap: TAP_ORGVUE_COLOUR.")


def test_empty_text_is_unset(orgvue: Orgvue) -> None:
    """An empty text in a file leaves the default, whatever kind of value the setting has."""
    unset = {"temp_dir": "", "start_date": "", "include_calculations": "", "max_retries": ""}
    assert command({**orgvue.config, **unset}, "--discover").code == 0


def test_a_boolean_may_be_a_word(orgvue: Orgvue) -> None:
    """`false` as text, as Meltano hands a choice over, switches off; no other word does."""
    catalog = discover(orgvue.config)
    run = command({**orgvue.config, "include_calculations": "false"}, catalog=catalog)
    assert run.code == 0, run.stderr
    assert orgvue.requests_to("items")
    run = command({**orgvue.config, "include_calculations": "maybe"}, catalog=catalog)
    assert run.code == 3
    assert "include_calculations: must be of type boolean." in run.stderr.splitlines()[-1]


def test_a_config_is_read_once(orgvue: Orgvue, tmp_path: Path) -> None:
    """A config can come through a pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        pool.submit(pipe.write_text, json.dumps(orgvue.config), encoding="utf-8")
        done = completed(["--config", str(pipe), "--discover"])
    assert done.returncode == 0, done.stderr
    assert '"people"' in done.stdout


def test_later_configs_win(orgvue: Orgvue, tmp_path: Path) -> None:
    """Of several files the later one wins, and the environment over both."""
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    first.write_text(json.dumps({**orgvue.config, "user_agent": "first", "datasets": ["x*"]}))
    second.write_text(json.dumps({"user_agent": "second", "datasets": ["Peo*"]}))
    files = ("--config", str(first), "--config", str(second), "--config", "ENV")
    env = {"TAP_ORGVUE_USER_AGENT": "third"}
    run = command({}, *files, "--discover", env=env)
    assert run.code == 0, run.stderr
    assert '"people"' in run.stdout
    assert {request.header("User-Agent") for request in orgvue.requests} == {"third"}


NO_UTF_8 = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
"""A system whose encoding is not UTF-8."""


@pytest.mark.slow
def test_files_are_in_utf_8_on_every_system(serve: Callable[..., Orgvue], tmp_path: Path) -> None:
    """Config, catalog and state with letters of any script are read alike in every locale."""
    orgvue = serve(Dataset("Büro", properties=[Property("Größe")], rows=[{"Größe": "部门"}]))
    given: dict[str, Any] = {"config": {**orgvue.config, "filters": {"buro": {"Größe": "部门"}}}}
    given["catalog"] = discover(orgvue.config)
    (name,) = streams(given["catalog"])
    given["config"]["filters"] = {name: {"Größe": "部门"}}
    given["state"] = {"bookmarks": {"größe": {}}}
    words = []
    for option, value in given.items():
        path = tmp_path / f"{option}.json"
        path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8-sig")
        words += [f"--{option}", str(path)]
    run = command({}, *words, env=NO_UTF_8, fresh=True)
    assert run.code == 0, run.stderr
    (record,) = run.records[name]
    assert "部门" in record.values()


@pytest.mark.parametrize("wrap", ["message", "export", "lines"])
def test_a_state_in_its_wrapping_counts(orgvue: Orgvue, tmp_path: Path, wrap: str) -> None:
    """A state as a loader or Meltano wrote it is the state: nothing is read again."""
    catalog = discover(orgvue.config)
    select(catalog, "people", replication_method="INCREMENTAL", replication_key="_modified_at")
    state = sync(orgvue.config, catalog).state
    text = {
        "message": json.dumps({"type": "STATE", "value": state}),
        "export": json.dumps({"singer_state": state}),
        "lines": f'{{"bookmarks": {{}}}}\n{json.dumps(state)}\n',
    }[wrap]
    path = tmp_path / "state.json"
    path.write_text(text)
    before = len(orgvue.requests)
    run = command(orgvue.config, "--state", str(path), catalog=catalog)
    assert run.code == 0, run.stderr
    (asked,) = conditions(orgvue, before)
    assert "_modifiedAt" in asked


@pytest.mark.parametrize(
    "changed,told",
    [
        ({"replication_method": "LOG_BASED"}, "its replication method is 'LOG_BASED'"),
        ({"replication_method": "INCREMENTAL"}, "it is INCREMENTAL without a replication key"),
        ({"key_properties": ["nothing"]}, "its key names 'nothing'"),
    ],
)
def test_a_catalog_that_asks_for_the_impossible(
    orgvue: Orgvue, changed: dict[str, Any], told: str
) -> None:
    """The stream is named, and nothing is requested."""
    catalog = discover(orgvue.config)
    entry(catalog, "people").update(changed)
    before = len(orgvue.requests)
    run = command(orgvue.config, catalog=catalog)
    assert run.code == 3
    last = run.stderr.splitlines()[-1]
    assert f"catalog: stream 'people': {told}" in last
    assert len(orgvue.requests) == before


@pytest.mark.parametrize(
    "batches,told",
    [
        ({"storage": {"root": "file:///tmp"}}, "needs `encoding`"),
        ({"encoding": {"format": "jsonl"}}, "needs `storage`"),
        (
            {"encoding": {"format": "parquet"}, "storage": {"root": "file:///tmp"}},
            "encoding.format must be jsonl",
        ),
        ({"encoding": {"format": "jsonl"}, "storage": {"root": "memory://x"}}, "memory://"),
    ],
)
def test_batches_that_cannot_be_written(orgvue: Orgvue, batches: dict[str, Any], told: str) -> None:
    """A `batch_config` that no file can be written by is refused before any request."""
    run = command({**orgvue.config, "batch_config": batches})
    assert run.code == 3
    last = run.stderr.splitlines()[-1]
    assert "batch_config: " in last
    assert told in last
    assert orgvue.requests == []


def test_cut_patterns_are_no_mistakes(orgvue: Orgvue) -> None:
    """`property_types` with objects under a stream is valid everywhere: no warning, no error."""
    given = {"property_types": {"people": {"salary": "text"}}}
    run = command({**orgvue.config, **given}, "--discover")
    assert run.code == 0
    assert "validation failed" not in run.stderr
    declared = properties(json.loads(run.stdout), "people")["salary"]
    assert declared["type"] == ["string", "null"]


@pytest.mark.parametrize(
    "given,told",
    [
        ({"tenant_id": "demo"}, "tenant_id: must be in capitals: DEMO"),
        ({"hash_key": "\ud800" + "x" * 20}, "hash_key: has half of a surrogate pair"),
        ({"flattening_enabled": True}, "flattening_max_depth: is required"),
        ({"flattening_max_depth": "deep"}, "flattening_max_depth: must be of type integer."),
    ],
)
def test_mistakes_in_plain_words(orgvue: Orgvue, given: dict[str, Any], told: str) -> None:
    """Each mistake is told in words of the setting, none in Python's."""
    run = command({**orgvue.config, **given}, "--discover")
    assert run.code == 3
    assert told in run.stderr.splitlines()[-1]
    assert "Error:" not in run.stderr
    assert orgvue.requests == []


def test_blanks_around_a_tenant_id(orgvue: Orgvue) -> None:
    """A tenant's id that was pasted with blanks is taken."""
    given = {**orgvue.config, "tenant_id": f" {orgvue.tenant_id}\n"}
    assert command(given, "--discover").code == 0
