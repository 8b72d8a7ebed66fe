"""The start of the command: what a tap does not need is not waited for, and nothing is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import command

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

pytestmark = pytest.mark.slow

NOT_NEEDED = (
    "joblib",
    "psutil",
    "rich",
    "sqlalchemy",
    "tap_orgvue.checking",
    "tap_orgvue.simulator",
)
"""Modules that take time to import and serve no sync."""


def told_by(program: str) -> str:
    """What a program prints, run in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


STARTED = """
import sys
sys.argv = ["tap-orgvue", "--version"]
from tap_orgvue.__main__ import main
try:
    main()
except SystemExit:
    pass
"""


AFTERWARDS = """
import gc
print([name for name, module in sys.modules.items() if getattr(module, '__spec__', None)])
print(gc.isenabled(), gc.get_freeze_count() > 0)
from singer_sdk import target_base
from operator import neg
calls = (target_base.delayed(neg)(number) for number in (1, 2))
with target_base.parallel_config(backend='threading', n_jobs=2):
    print(target_base.Parallel()(calls))
import joblib
print(joblib.__version__ > '0', joblib.__spec__ is not None)
"""


@pytest.fixture(scope="module")
def started() -> list[str]:
    """What a process prints that has started the command: one for all who look."""
    return told_by(STARTED + AFTERWARDS).splitlines()[-4:]


def test_what_is_not_needed_is_not_loaded(started: list[str]) -> None:
    """Modules that no sync needs are not loaded when the command starts."""
    assert "'tap_orgvue.tap'" in started[0]
    for name in NOT_NEEDED:
        assert f"'{name}'" not in started[0]


def test_garbage_is_collected_once_started(started: list[str]) -> None:
    """The garbage collector rests while modules are imported, and not longer."""
    assert started[1] == "True True"


def test_what_is_put_off_is_there_when_it_is_called(started: list[str]) -> None:
    """A module that is put off works as ever for whoever calls it, here the SDK's targets."""
    assert started[2:] == ["[-1, -2]", "True True"]


CHANGING = re.compile(
    r"\d{4}-\d\d-\d\d[T ][\d:,.]+Z?"  # times
    r"|(?<=\"value\":)[\d.e-]+|(?<=\"pid\":)\d+"  # durations and processes
    r"|\d+\.\d(?= s\b)"  # seconds of a stream and of the run
    r"|-[0-9a-f]{24}\b"  # trace ids
)
"""What is another in each run."""


@pytest.mark.parametrize(
    "words,settings",
    [
        ((), {}),
        ((), {"max_requests_per_run": 1}),
        (("--discover",), {"user_agent": "x" * 20}),
        (("--test",), {"export_mode": "paged"}),
        (("--about",), {}),
        (("--no-such-option",), {}),
        (("--discover",), {"tenant_id": "wrong"}),
    ],
    ids=["sync", "failing", "discovery", "check", "about", "usage", "mistaken"],
)
def test_most_tests_start_what_a_user_starts(
    orgvue: Orgvue, words: tuple[str, ...], settings: dict[str, object]
) -> None:
    """Without its imports, which a process of the tests has done, the command does the same."""
    config = {**orgvue.config, **settings}
    fresh, warm = (command(config, *words, fresh=fresh) for fresh in (True, False))
    assert fresh.code == warm.code
    assert CHANGING.sub("", fresh.stdout) == CHANGING.sub("", warm.stdout)
    assert CHANGING.sub("", fresh.stderr) == CHANGING.sub("", warm.stderr)
    assert fresh.stdout + fresh.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a pipe grow")
def test_the_pipe_to_the_loader_is_widened() -> None:
    """Tap and loader wait for one another less often; as far as this system lets a user."""
    import fcntl  # noqa: PLC0415 - Windows has none

    ends = os.pipe(), os.pipe()
    try:
        (tried, _), (piped, into) = ends
        with suppress(PermissionError):
            fcntl.fcntl(tried, fcntl.F_SETPIPE_SZ, 1024 * 1024)
        allowed = fcntl.fcntl(tried, fcntl.F_GETPIPE_SZ)
        subprocess.run([sys.executable, "-c", STARTED], stdout=into, check=True)
        assert fcntl.fcntl(piped, fcntl.F_GETPIPE_SZ) == allowed
    finally:
        for end in (*ends[0], *ends[1]):
            os.close(end)


@pytest.mark.parametrize(
    "lacking",
    ["sys.modules['fcntl'] = None", "import fcntl; del fcntl.F_SETPIPE_SZ", "sys.stdout = None"],
    ids=["Windows", "macOS", "no output"],
)
def test_where_pipes_do_not_grow_the_tap_starts_as_well(lacking: str) -> None:
    """What only Linux has is not needed."""
    told_by(f"import sys\n{lacking}\nfrom tap_orgvue.tuning import widen_pipe\nwiden_pipe()")
