"""A pytest plugin for mutants: the quickest tests run first, and no test may hang.

The variable `TEST_TIMES` names a JSON file. If it is missing, a run writes it: seconds by test.
If not, tests run in the order of their time, and the process ends when one takes three times its
own and `TEST_GRACE` seconds beyond, more of them on a machine that is busy otherwise.
"""

from __future__ import annotations

import faulthandler
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

TIMES = Path(os.environ["TEST_TIMES"])
GRACE = float(os.environ["TEST_GRACE"])

STDERR = os.dup(2)
"""Standard error, before pytest captures it."""

measured = defaultdict[str, float](float)
known: dict[str, float] = json.loads(TIMES.read_bytes()) if TIMES.exists() else {}


def limit(seconds: float) -> None:
    """Let the process end when the next test, or what is between tests, takes too long.

    Args:
        seconds: The usual duration.
    """
    if known:
        busy = max(1, os.getloadavg()[0] / (os.cpu_count() or 1))
        faulthandler.dump_traceback_later(3 * seconds + busy * GRACE, file=STDERR, exit=True)


limit(GRACE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by tenths of a second; among equals, files keep the order of the command line."""
    items.sort(key=lambda item: int(10 * known.get(item.nodeid, 0)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the test's time, then that of what comes after it."""
    limit(known.get(item.nodeid, 0))
    result = yield
    limit(GRACE)
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add the time of a set-up, a call or a teardown."""
    measured[report.nodeid] += report.duration


def pytest_sessionfinish() -> None:
    """Write the file."""
    if not known:
        TIMES.write_text(json.dumps(measured))
