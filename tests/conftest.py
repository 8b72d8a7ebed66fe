"""What every test finds: small tenants served over real HTTP, short waits, a folder of their own.

Under `pytest -n …` the folder is the controller's: its workers, and the commands they run, inherit
it, and it is looked at once all of them are done.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from tap_orgvue.simulator import Dataset, Orgvue
from tap_orgvue.singer.signals import ending_signals
from tests.support import waits
from tests.support.datasets import people
from tests.support.runs import WARM_START

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

# No test may depend on how fast the machine is, nor leave a database behind.
settings.register_profile("tap-orgvue", deadline=None, database=None)
# For `make check`; `make test` tries the usual hundred.
settings.register_profile("quick", settings.get_profile("tap-orgvue"), max_examples=10)
settings.load_profile("tap-orgvue")

TOGETHER = {
    "tests/command/test_start_up.py",
    "tests/exports/test_fetcher.py",
    "tests/exports/test_hostile.py",
    "tests/loaders/test_batch_readers.py",
    "tests/loaders/test_cells.py",
    "tests/loaders/test_dagster.py",
    "tests/loaders/test_dbt.py",
    "tests/loaders/test_deletions_in_sql.py",
    "tests/loaders/test_meltano_projects.py",
    "tests/loaders/test_postgres.py",
    "tests/loaders/test_snowflake.py",
    "tests/pages/test_in_browser.py",
    "tests/project/test_sdk_suite.py",
    "tests/trials/test_soak.py",
}
"""Files whose tests share what takes seconds to make: each stays on one worker."""

MELTANO = {"tests/loaders/test_identity_in_sql.py", "tests/loaders/test_meltano.py"}
"""Files that share one installation of the plugins: all of them stay on one worker."""

LONG = {"loaders", "pages", "trials"}
"""Folders of tests that take seconds each: begun with, so that no worker ends long after others."""

OF_OTHERS = {".lockfile", "singer-sdk"}
"""Left by the embedded Postgres and by target-snowflake: not the tap's to remove, and gone with the
run's folder."""

TEMPORARY = pytest.StashKey[Path]()

HANDLERS = {number: signal.getsignal(number) for number in ending_signals()}
"""What handles the signals that end a run, before any tap does."""


# --- the run


def pytest_configure(config: pytest.Config) -> None:
    """Give the run a temporary folder of its own, in which nothing may be left."""
    if hasattr(config, "workerinput"):
        return
    # pytest's own folder, which it keeps for who looks for a failure, stays where it is.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    config.stash[TEMPORARY] = Path(tempfile.mkdtemp(prefix="tap-orgvue-"))
    os.environ["TMPDIR"] = tempfile.tempdir = str(config.stash[TEMPORARY])
    # A setting in the environment of whoever runs the tests is none of a test.
    for name in [name for name in os.environ if name.upper().startswith("TAP_ORGVUE")]:
        del os.environ[name]


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Fail a run that leaves anything in its temporary folder, then remove that."""
    yield
    folder = session.config.stash.get(TEMPORARY, None)
    if folder is None:
        return
    left = sorted(path.name for path in folder.iterdir() if path.name not in OF_OTHERS)
    shutil.rmtree(folder)
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        reporter.write_line(f"\nLeft in the temporary folder: {', '.join(left)}", red=True)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays until the end, and come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the long ones; serially with the quick ones, which are the first to fail."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Let no tap of a test handle signals after it, as Ctrl-C or the one that ends a worker."""
    for number, handler in HANDLERS.items():
        signal.signal(number, handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Hand tests to whichever worker has none, one by one, but those of some files together."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = _together_with  # noqa: SLF001 - is there to be replaced
    return scheduler


def _together_with(nodeid: str) -> str:
    path = nodeid.partition("::")[0]
    if path in MELTANO:
        return "meltano"
    return path if path in TOGETHER else nodeid


# --- fixtures


@pytest.fixture(scope="session", autouse=True)
def _waits_are_short() -> Iterator[None]:
    """Wait hundredths of a second before retries and job polls."""
    with pytest.MonkeyPatch.context() as patch:
        waits.shorten(patch.setattr)
        yield


@pytest.fixture(scope="session", autouse=True)
def _cas_are_those_of_requests() -> Iterator[None]:
    """Trust no CAs of this machine: each client that checks certificates reads the file of them."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
            patch.delenv(variable, raising=False)
        yield


@pytest.fixture
def real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait as the tap does."""
    waits.restore(monkeypatch.setattr)


@pytest.fixture(scope="session", autouse=True)
def _warm_start() -> Iterator[None]:
    """End the process that runs the command, where one was started."""
    yield
    WARM_START.close()


@pytest.fixture(scope="session")
def beside() -> Iterator[Executor]:
    """Does what no test needs to wait for; all of it is done when the run ends."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def serve(beside: Executor) -> Iterator[Callable[..., Orgvue]]:
    """Serves datasets as a tenant until the test ends."""
    serving: list[Orgvue] = []

    def start(*datasets: Dataset) -> Orgvue:
        orgvue = Orgvue(list(datasets))
        orgvue.__enter__()
        serving.append(orgvue)
        return orgvue

    yield start
    # A server notices its end some hundredths of a second later.
    for orgvue in serving:
        beside.submit(orgvue.stop)


@pytest.fixture
def orgvue(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with one small dataset, `People`, of five rows."""
    return serve(people())
