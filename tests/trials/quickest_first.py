"""A pytest plugin for mutants: the quickest tests run first, and no test may hang.

The variable `TEST_MEASURES` names a JSON file, which a run then writes: the seconds of each test,
and the functions that it enters where modules note them, see `reached.py`. `TEST_ORDER` names one
with the seconds of each test and those tests that enter the mutant's function: they run first, in
the order of their time, and the process ends when one takes three times its own and `TEST_GRACE`
seconds beyond, more of them on a machine that is busy otherwise.
"""

from __future__ import annotations

import faulthandler
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import reached  # type: ignore[import-not-found]  # is beside the copy of this file

if TYPE_CHECKING:
    from collections.abc import Generator

MEASURES = os.environ.get("TEST_MEASURES")
ORDER = os.environ.get("TEST_ORDER")
GRACE = float(os.environ["TEST_GRACE"])

STDERR = os.dup(2)
"""Standard error, before pytest captures it."""

measured = defaultdict[str, float](float)
entered = defaultdict[str, set[str]](set)
order = json.loads(Path(ORDER).read_bytes()) if ORDER else {}
known: dict[str, float] = order.get("seconds", {})
first = set(order.get("first", ()))


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
    """Sort by tenths of a second, first those that enter the function."""
    items.sort(key=lambda item: (item.nodeid not in first, int(10 * known.get(item.nodeid, 0))))


def pytest_collection_finish() -> None:
    """What is entered when modules are imported serves all tests."""
    for name in reached.notes():
        entered[reached.ANY + name.lstrip(reached.ANY)].add("")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Limit the test's time, then that of what comes after it."""
    limit(known.get(item.nodeid, 0))
    result = yield
    limit(GRACE)
    for name in reached.notes():
        entered[name].add(item.nodeid)
    return result


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add the time of a set-up, a call or a teardown."""
    measured[report.nodeid] += report.duration


def pytest_sessionfinish() -> None:
    """Write the file."""
    if MEASURES:
        found = {name: sorted(tests) for name, tests in entered.items()}
        content = {"seconds": measured, "reached": found}
        Path(MEASURES).write_text(json.dumps(content), encoding="utf-8")
