"""`python -m tap_orgvue.simulator` serves the demo tenant, in the size and trouble asked for."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_orgvue.simulator import Orgvue, demo_tenant
from tap_orgvue.simulator.__main__ import main
from tap_orgvue.simulator.scenarios import SCENARIOS, read_scenario
from tests.simulator.conftest import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "tap_orgvue.simulator"]


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command, which is expected to end at once."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def config_of(process: subprocess.Popen[str]) -> dict[str, str]:
    """Read the config that a running command printed."""
    assert process.stdout is not None
    found: dict[str, str] = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")
    return found


def asked(config: dict[str, str], path: str = "/datasets") -> requests.Response:
    """Ask the tenant that a config leads to."""
    headers = {
        "Authorization": f"Bearer {config['api_token']}",
        "Content-Type": "application/json; charset=UTF-8",
    }
    url = f"{config['api_url']}/api/v1/{config['tenant_id']}{path}"
    return requests.get(url, headers=headers, timeout=20)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving(number: signal.Signals) -> None:
    """The command prints a config that works, and ends with 0 when it is told to stop."""
    with subprocess.Popen(COMMAND, stdout=-1, stderr=-1, text=True) as process:
        config = config_of(process)
        listed = asked(config).json()
        process.send_signal(number)
        out, hints = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out == ""
    assert [each["name"] for each in listed][:2] == ["People", "Positions"]
    assert config["api_url"] in hints
    assert "config.json" in hints


@pytest.mark.slow
def test_serving_something_else() -> None:
    """Size, seed, latency and trouble are those of the options."""
    options = ["--people", "10", "--seed", "7", "--latency", "0.2", "--trouble", "forbidden=People"]
    options += ["--trouble", "pages=3"]
    with subprocess.Popen([*COMMAND, *options], stdout=-1, stderr=-1, text=True) as process:
        config = config_of(process)
        tenant = demo_tenant(10, 10, seed=7)
        listed = asked(config)
        export = "/datasets/{}/export/jsonRows"
        refused = asked(config, export.format(tenant.dataset("People").dataset_id))
        positions = asked(config, export.format(tenant.dataset("Positions").dataset_id))
        process.terminate()
        process.communicate(timeout=20)
    assert listed.elapsed.total_seconds() >= 0.2
    assert len(listed.json()["items"]) == 3
    assert refused.json()["errors"][0]["code"] == "403601"
    titles = [row["title"] for row in tenant.dataset("Positions").rows]
    assert [row[3] for row in positions.json()["rows"]] == titles[:3]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--port", "--files-port"])
def test_serving_on_given_ports(option: str) -> None:
    """Ports can be chosen; one that is taken is one clear line that names it, and exit code 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = ended(option, port, "--people", "0")
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("The simulator cannot start on port ")
    assert f"port {port}" in line


@pytest.mark.slow
def test_help() -> None:
    """`--help` lists every kind of trouble with its default."""
    text = ended("--help").stdout
    for name, scenario in SCENARIOS.items():
        told = f"{name}[={scenario.default}]" if scenario.default else f"{name}=NAME"
        assert told in text


@pytest.mark.parametrize(
    "options, message",
    [
        (["--trouble", "flood"], "'flood' is no kind of trouble: choose from throttle, "),
        (["--trouble", "broken=people"], "there is no dataset 'people': choose from 'People', "),
        (["--people", "-1"], "'-1' is no whole number of at least 0"),
        (["--people", "1.5"], "'1.5' is no whole number of at least 0"),
        (["--latency", "nan"], "'nan' is no number of at least 0"),
        (["--port", "65536"], "'65536' is no port, from 0 to 65535"),
        (["--files-port", "-1"], "'-1' is no port, from 0 to 65535"),
    ],
)
def test_wrong_options(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option that makes no sense is told in one line, with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        main(options)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert message in err.splitlines()[-1]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("throttle", ("throttle", "0.1")),
        ("slow-job=2.5", ("slow-job", "2.5")),
        ("broken=People to Positions", ("broken", "People to Positions")),
    ],
)
def test_reading_trouble(text: str, expected: tuple[str, str]) -> None:
    """A kind has a default, or takes a value."""
    assert read_scenario(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("throttle=", "throttle=2", "throttle=0", "drip=inf", "drip=nan", "broken", "broken="),
        *("pages=0", "pages=2.5", "quota=0.5", "quota=many"),
    ],
)
def test_reading_nonsense(text: str) -> None:
    """A value that is none of its kind is refused."""
    with pytest.raises(ValueError, match=f"{text.partition('=')[0]} takes a"):
        read_scenario(text)


@contextmanager
def troubled(name: str, value: str) -> Iterator[Client]:
    """A client of a small demo tenant in trouble."""
    orgvue = Orgvue(demo_tenant(40, 8))
    orgvue.rate_limit = 1000
    SCENARIOS[name].begin(orgvue, value)
    with orgvue:
        client = Client(orgvue)
        with client.session:
            yield client


@pytest.mark.parametrize(
    "name, status", [("throttle", 429), ("server-error", 503), ("broken", 500), ("forbidden", 403)]
)
def test_refusing(name: str, status: int) -> None:
    """Some requests are refused, or all of one dataset."""
    with troubled(name, "1.0" if SCENARIOS[name].value == "share" else "People") as client:
        assert client.get("", "People").status_code == status


def test_cutting_downloads() -> None:
    """Exports break off, other answers do not."""
    with troubled("cut-download", "1") as client:
        assert client.get().status_code == 200
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            client.get("/export/jsonRows", "People")


@pytest.mark.parametrize("name, status", [("failed-job", "failed"), ("slow-job", "running")])
def test_jobs(name: str, status: str) -> None:
    """Large exports take jobs, which fail or take their time."""
    with troubled(name, "1" if name == "failed-job" else "3600") as client:
        client.orgvue.dataset("Open Requisitions").body = b"x" * 200_000
        assert client.get("/export/jsonRows", "Open Requisitions").status_code == 413
        assert client.get("/export/jsonRows", "People").status_code == 200
        ticket: dict[str, Any] = client.job().json()
        for _ in range(4):
            ticket = client.ticket(ticket).json()
        assert ticket["jobStatus"] == status


@pytest.mark.parametrize(
    "name, value, attribute, expected",
    [
        ("drip", "500", "trickle", 500.0),
        ("quota", "2", "daily_quota", 2),
        ("pages", "3", "page_rows", 3),
    ],
)
def test_settings(name: str, value: str, attribute: str, expected: float) -> None:
    """Other kinds are settings of the simulator."""
    with troubled(name, value) as client:
        assert getattr(client.orgvue, attribute) == expected


def test_errors() -> None:
    """A dataset's exports hold errors beside their rows."""
    with troubled("errors", "People") as client:
        assert client.export().json()["errors"][0]["code"] == "500601"
        assert "errors" not in client.export("Positions").json()
