"""Settings, catalog and state as a user gives them to the command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.runs import command

if TYPE_CHECKING:
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
    run = command({}, "--config=ENV", "--discover", env=env, fresh=True)
    assert run.code == 0, run.stderr
    assert '"people"' in run.stdout
    agents = {request.header("User-Agent") for request in orgvue.requests}
    assert agents == {"from-the-environment"}


def test_mistakes_in_the_environment_are_told_too(orgvue: Orgvue) -> None:
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
    assert run.code == 1
    assert f"| {option}: " in run.stderr.splitlines()[-1]
    assert "Traceback" not in run.stderr
    assert orgvue.requests == []
